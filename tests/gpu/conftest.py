"""Without a CUDA device Triton kernels are interpreted, and what only a device can show is skipped."""

import pytest
import torch
from lemmata.gpu.interpreter import interpret_without_cuda

# Before anything imports Triton, which PyTorch does when it first runs a custom operator.
interpret_without_cuda()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("cuda"):
            item.add_marker(pytest.mark.skip(reason="NOT RUN: needs CUDA"))
