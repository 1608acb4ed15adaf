"""One thread, as the shapes are small, and Triton's interpreter where there is no CUDA device."""

import pytest
import torch
from lemmata.gpu.interpreter import interpret_without_cuda

# Before anything imports Triton, which PyTorch does when it first runs a custom operator.
interpret_without_cuda()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
