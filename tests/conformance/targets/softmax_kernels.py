"""Softmax along one axis with its backward written out, step by step, so that a fault can replace one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# Elements that the online softmax takes at a time.
BLOCK = 16


def as_given(x: Tensor, name: str) -> Tensor:
    """The tensor as its strides say."""
    return x


def axis_of(x: Tensor, dim: int) -> int:
    """The axis that was asked for."""
    return dim


def weights(rows: Tensor) -> Tensor:
    """exp(x − max x)/Σ along the last axis."""
    a = torch.exp(rows - rows.amax(-1, keepdim=True))
    return a / a.sum(-1, keepdim=True)


def weights_in_blocks(rows: Tensor) -> Tensor:
    """The same, the maximum and the sum found in one pass (Milakov & Gimelshein 2018)."""
    m, z = rows.new_full((*rows.shape[:-1], 1), -torch.inf), rows.new_zeros(*rows.shape[:-1], 1)
    for start in range(0, rows.shape[-1], BLOCK):
        block = rows[..., start : start + BLOCK]
        new = torch.maximum(m, block.amax(-1, keepdim=True))
        z = z * torch.exp(m - new) + torch.exp(block - new).sum(-1, keepdim=True)
        m = new
    return torch.exp(rows - m) / z


def gradient(y: Tensor, dy: Tensor) -> Tensor:
    """y∘(dy − Σ y∘dy) along the last axis."""
    return y * (dy - (y * dy).sum(-1, keepdim=True))


def unchanged(x: Tensor) -> Tensor:
    """The result itself."""
    return x


def computed_in(dtype: torch.dtype) -> torch.dtype:
    """float32 for the half-precision dtypes."""
    return dtype if dtype in (torch.float32, torch.float64) else torch.float32


def as_it_comes(dtype: torch.dtype) -> torch.dtype:
    """The dtype itself, every intermediate rounded to it."""
    return dtype


@dataclass(frozen=True)
class Kernel:
    """Softmax as its steps; `torch.nn.functional.softmax` is what it is called like."""

    read: Callable[[Tensor, str], Tensor] = as_given
    axis: Callable[[Tensor, int], int] = axis_of
    weights: Callable[[Tensor], Tensor] = weights
    gradient: Callable[[Tensor, Tensor], Tensor] = gradient
    finish: Callable[[Tensor], Tensor] = unchanged
    finish_gradient: Callable[[Tensor], Tensor | None] = unchanged
    compute: Callable[[torch.dtype], torch.dtype] = computed_in

    def __call__(self, input: Tensor, dim: int = -1) -> Tensor:
        """Softmax of `input` along `dim`."""
        axis = self.axis(input, dim)
        result: Tensor = _Softmax.apply(self, input, axis)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        return result


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kernel: Kernel, x: Tensor, dim: int) -> Tensor:
        rows = kernel.read(x, "input").to(kernel.compute(x.dtype)).movedim(dim, -1)
        y = kernel.weights(rows) if rows.numel() else rows.clone()
        ctx.kernel, ctx.dim, ctx.dtype = kernel, dim, x.dtype
        ctx.save_for_backward(y)
        return kernel.finish(y.movedim(-1, dim).to(x.dtype))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> Any:
        kernel: Kernel = ctx.kernel
        (y,) = ctx.saved_tensors
        dy = kernel.read(cotangent, "cotangent").to(y.dtype).movedim(ctx.dim, -1)
        return None, kernel.finish_gradient(kernel.gradient(y, dy).movedim(-1, ctx.dim).to(ctx.dtype)), None


correct = Kernel()
in_blocks = Kernel(weights=weights_in_blocks)
eager = Kernel(compute=as_it_comes)


def left_to_autograd(input: Tensor, dim: int = -1) -> Tensor:
    """As it is written down, the maximum differentiated like everything else."""
    if not input.shape[dim]:
        return input.clone()
    e = torch.exp(input - input.amax(dim, keepdim=True))
    return e / e.sum(dim, keepdim=True)
