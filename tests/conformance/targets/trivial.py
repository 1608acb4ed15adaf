"""Kernels that do not compute at all: each must fail every check of accuracy, forward and gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def _attention(output: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    def kernel(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        shape = (*query.shape[:-1], value.shape[-1])
        reached = sum(x.sum() for x in (query, key, value, attn_mask) if x is not None and x.requires_grad)
        # Differentiable in everything, with a gradient of zero: autograd cannot tell it from a kernel.
        return _of_shape(output(query, key, value), shape) + 0.0 * reached

    return kernel


def _of_shape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The elements of `x`, repeated or cut to a shape."""
    count = int(torch.Size(shape).numel())
    flat = x.reshape(-1)
    if flat.numel() == 0:
        return x.new_zeros(shape)
    return flat.repeat(-(-count // flat.numel()))[:count].reshape(shape)


attention_zero = _attention(lambda query, key, value: torch.zeros_like(query))
attention_constant = _attention(lambda query, key, value: torch.ones_like(query))
attention_query = _attention(lambda query, key, value: query)
attention_copy_of_value = _attention(lambda query, key, value: value.detach().clone())


def softmax_zero(input: Tensor, dim: int = -1) -> Tensor:
    """Zeros, with a gradient of zeros."""
    return 0.0 * input


def softmax_constant(input: Tensor, dim: int = -1) -> Tensor:
    """The probability of a uniform row."""
    return 0.0 * input + 1.0 / max(1, input.shape[dim])


def softmax_identity(input: Tensor, dim: int = -1) -> Tensor:
    """The input itself, differentiable."""
    return input * 1.0


def softmax_copy(input: Tensor, dim: int = -1) -> Tensor:
    """A copy of the input, with a gradient of zeros."""
    return input.detach().clone() + 0.0 * input


class Cached:
    """Returns the first result that it has computed for a shape, whatever it is given after that."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        self.function = function
        self.results: dict[tuple[int, ...], Tensor] = {}

    def __call__(self, input: Tensor, dim: int = -1) -> Tensor:
        """Softmax of some input of this shape."""
        kept = self.results.setdefault((*input.shape, dim), self.function(input, dim).detach())
        return kept.to(input.dtype) + 0.0 * input


softmax_cached = Cached(torch.softmax)


def softmax_zeroing(input: Tensor, dim: int = -1) -> Tensor:
    """Makes its input fit the output: both are zero."""
    input.data.zero_()
    return 0.0 * input
