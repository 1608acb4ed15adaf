"""Compositions of Triton kernels conform as those of PyTorch operations do, and are what CUDA tensors get."""

from __future__ import annotations

import pytest
import torch
from lemmata.conformance.runner import conform
from lemmata.gpu.embedding import triton_embedding
from lemmata.gpu.kernels import EAGER, TRITON, kernels_for
from lemmata.tests.gpu.held import interpretable
from lemmata.tests.gpu.test_conformance import found_nothing


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize("name", ["multi_head_attention", "pre_norm_block", "language_model"])
def test_a_composition_of_kernels_conforms_in_the_interpreter(name: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("NOT RUN: kernels are compiled in this process")
    target = f"lemmata.tests.gpu.interpreted:{name}"
    found_nothing(conform(interpretable(name), target, dtypes=["float32"], examples=2, isolate=False), 2)


def test_the_cpu_gets_pytorch_operations() -> None:
    assert kernels_for(torch.ones(1)) is EAGER


@pytest.mark.cuda
def test_cuda_gets_kernels_where_they_are() -> None:
    x = torch.ones(1, device="cuda")
    assert kernels_for(x) is TRITON
    assert kernels_for(x.double()) is EAGER


def test_an_embedding_whose_gradient_is_interpreted_refuses_bfloat16_in_the_forward_pass() -> None:
    if torch.cuda.is_available():
        pytest.skip("NOT RUN: kernels are compiled in this process")
    ids, table = torch.tensor([1, 0]), torch.ones(3, 2)
    assert torch.equal(triton_embedding(ids, table), table[ids])
    with pytest.raises(NotImplementedError, match="bfloat16"):
        triton_embedding(ids, table.bfloat16())
