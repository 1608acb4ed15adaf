"""Attention that is too long for a reference of the whole: rows of it, and what holds exactly.

On CUDA 131,072 tokens, of which the scores alone would take 32 GiB a head in bfloat16; interpreted, a few hundred.
"""

from __future__ import annotations

import pytest
import torch
from lemmata.gpu.attention import scaled_dot_product_attention_with_lse, triton_scaled_dot_product_attention_with_lse
from lemmata.tests.gpu import expected
from lemmata.tests.gpu.expected import assert_within
from lemmata.tests.gpu.test_attention import Function, normal

ALL = ("output", "lse", "query")


def long_attention(function: Function, length: int, dtype: torch.dtype, device: str, truncated_operands: bool) -> None:
    """Causal attention of one head: sampled rows within the derived bound, causality and a scaling bit for bit."""
    d = 64
    q, k, v, do = (normal(1, 1, length, d, seed=seed).to(device, dtype) for seed in range(4))
    dlse = normal(1, 1, length, seed=9).to(device, torch.float32)
    inputs = [x.requires_grad_() for x in (q, k, v)]
    output, lse = function(*inputs, is_causal=True)
    (dq,) = torch.autograd.grad((output, lse), q, (do, dlse))

    rows = torch.tensor([0, 1, length // 3, length // 2 + 1, length - 1])
    bias = torch.zeros(len(rows), length, dtype=torch.float64).masked_fill(
        torch.arange(length) > rows[:, None], -torch.inf
    )
    at = rows.to(device)
    exact, bound = expected.attention(
        q[:, :, at], k, v, bias[None, None], do[:, :, at], dlse[:, :, at], d**-0.5, truncated_operands
    )
    for name, actual in zip(ALL, (output, lse, dq), strict=True):
        assert_within(actual[:, :, at], getattr(exact, name), getattr(bound, name), name)

    with torch.no_grad():
        # What comes after a query does not reach it, and twice the values give twice the output.
        middle = length // 2 + 7
        later = torch.arange(length, device=device)[:, None] >= middle
        changed, _ = function(q, k.masked_fill(later, 3.0), v.masked_fill(later, -5.0), is_causal=True)
        assert torch.equal(changed[:, :, :middle], output[:, :, :middle])
        assert not torch.equal(changed[:, :, middle:], output[:, :, middle:])
        doubled, _ = function(q, k, 2 * v, is_causal=True)
        normal_numbers = output.abs() >= torch.finfo(dtype).smallest_normal
        assert torch.equal(doubled[normal_numbers], 2 * output[normal_numbers])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_interpreted(dtype: torch.dtype) -> None:
    halves = dtype is torch.float16
    long_attention(triton_scaled_dot_product_attention_with_lse, 390, dtype, "cpu", truncated_operands=halves)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_eager(dtype: torch.dtype) -> None:
    long_attention(scaled_dot_product_attention_with_lse, 2050, dtype, "cpu", truncated_operands=False)


@pytest.mark.cuda
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_hundred_thousand_tokens_on_cuda(dtype: torch.dtype) -> None:
    halves = dtype is not torch.float32
    long_attention(triton_scaled_dot_product_attention_with_lse, 1 << 17, dtype, "cuda", truncated_operands=halves)
