"""Sigmoid attention in PyTorch, block by block of keys, with its backward written out.

lemmata conform examples/sigmoid_attention.py:sigmoid_attention examples/sigmoid_attention_kernel.py:attention
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

# Keys that are worked on at a time; their outputs add up (statement S4).
BLOCK = 16


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    keep: Tensor | None = None,
    b: float | None = None,
    scale: float | None = None,
) -> Tensor:
    """Σ_j keep σ(scale q·k + b) v; q `[..., n, d]`, k `[..., m, d]`, v `[..., m, d_v]`, keep `[..., n, m]`."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    b = -math.log(k.shape[-2]) if b is None else b
    result: Tensor = _Attention.apply(q, k, v, keep, b, scale)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
    return result


def _widened(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x if x.dtype == torch.float64 else x.float()


def _weights(q: Tensor, k: Tensor, keep: Tensor | None, b: float, scale: float) -> tuple[Tensor, Tensor]:
    """The weights of a block of keys, and the factor 1 − σ of their derivative."""
    s = scale * (q @ k.mT) + b
    p = torch.sigmoid(s)
    if keep is not None:
        p = p * keep
    # 1 − σ(s) would lose its digits where σ is near 1.
    return p, torch.sigmoid(-s)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, keep: Tensor | None, b: float, scale: float) -> Tensor:
        ctx.save_for_backward(q, k, v, keep)
        ctx.b, ctx.scale = b, scale
        wide_q, wide_k, wide_v = map(_widened, (q, k, v))
        o = wide_q.new_zeros(*q.shape[:-1], v.shape[-1])
        for start in range(0, k.shape[-2], BLOCK):
            block = slice(start, start + BLOCK)
            p, _ = _weights(wide_q, wide_k[..., block, :], None if keep is None else keep[..., block], b, scale)
            o += p @ wide_v[..., block, :]
        return o.to(q.dtype)

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        q, k, v, keep = ctx.saved_tensors
        do = _widened(cotangents[0])
        wide_q, wide_k, wide_v = map(_widened, (q, k, v))
        dq = torch.zeros_like(wide_q)
        dk, dv = torch.empty_like(wide_k), torch.empty_like(wide_v)
        for start in range(0, k.shape[-2], BLOCK):
            block = slice(start, start + BLOCK)
            kept = None if keep is None else keep[..., block]
            p, rest = _weights(wide_q, wide_k[..., block, :], kept, ctx.b, ctx.scale)
            ds = p * rest * (do @ wide_v[..., block, :].mT)
            dq += ctx.scale * (ds @ wide_k[..., block, :])
            dk[..., block, :] = ctx.scale * (ds.mT @ wide_q)
            dv[..., block, :] = p.mT @ do
        return dq.to(q.dtype), dk.to(k.dtype), dv.to(v.dtype), None, None, None
