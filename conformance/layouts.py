"""Memory layouts: how the elements of a tensor lie in storage.

A layout changes strides and the surroundings, never values. Surroundings are NaN, so that a read outside of
the tensor shows. The order is the order of simplicity: a failing case shrinks towards the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch

from .memory import poison_for
from .values import AnyArray

Layout = Callable[[torch.Tensor], torch.Tensor]

EXPANDED = "expanded"
FAR_APART = "far apart"

# Elements before and after a tensor at a storage offset: odd, so that vector loads are misaligned.
_MARGIN = 3
# A stride that 32 bits do not hold.
_FAR = (1 << 31) + 1


def _contiguous(x: torch.Tensor) -> torch.Tensor:
    return x.contiguous()


def _transposed(x: torch.Tensor) -> torch.Tensor:
    """The last two axes swapped in storage."""
    return x.mT.contiguous().mT if x.ndim >= 2 else x.contiguous()


def _heads_last(x: torch.Tensor) -> torch.Tensor:
    """Stored as [batch, sequence, head, feature], the layout of a projection that was split into heads."""
    return x.transpose(-3, -2).contiguous().transpose(-3, -2) if x.ndim >= 3 else x.contiguous()


def _fused(x: torch.Tensor) -> torch.Tensor:
    """The middle third of the last axis of a wider buffer, like the key in a fused qkv projection."""
    if x.ndim == 0:
        return x
    width = x.shape[-1]
    buffer = _poisoned((*x.shape[:-1], 3 * width), x)
    buffer[..., width : 2 * width] = x
    return buffer[..., width : 2 * width]


def _every_other(x: torch.Tensor) -> torch.Tensor:
    """Every other element of rows twice as wide, like the even features of an interleaved pair."""
    if x.ndim == 0:
        return x
    every_other = _poisoned((*x.shape[:-1], 2 * x.shape[-1]), x)[..., ::2]
    return every_other.copy_(x)


def _offset(x: torch.Tensor) -> torch.Tensor:
    """Contiguous, at an odd storage offset inside a larger buffer."""
    buffer = _poisoned((x.numel() + 2 * _MARGIN,), x)
    inner = buffer[_MARGIN : _MARGIN + x.numel()].view(x.shape)
    inner.copy_(x)
    return inner


def _expanded(x: torch.Tensor) -> torch.Tensor:
    """Stride 0 along the first axis; the values along it must be equal (`constant_along_first_axis`)."""
    return x[:1].contiguous().expand(x.shape) if x.ndim and x.shape[0] else x.contiguous()


def _poisoned(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    return torch.full(shape, poison_for(like.dtype), dtype=like.dtype, device=like.device)


def _far_apart(x: torch.Tensor) -> torch.Tensor:
    """Two entries of the first axis more than 2³¹ elements apart, in memory that is not touched in between."""
    if x.ndim == 0 or x.shape[0] != 2:
        return x.contiguous()
    inner = x[0].numel()
    # Not filled with NaN: only what is written takes memory.
    buffer = torch.empty(_FAR + inner, dtype=x.dtype, device=x.device)
    apart = buffer.as_strided(x.shape, (_FAR, *x[0].contiguous().stride()))
    return apart.copy_(x)


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "contiguous": _contiguous,
        "transposed": _transposed,
        "heads last": _heads_last,
        "fused": _fused,
        "every other": _every_other,
        "offset": _offset,
        EXPANDED: _expanded,
        FAR_APART: _far_apart,
    }
)
# Those that a case may have; the others are for cases that are large on purpose.
DRAWN = tuple(name for name in LAYOUTS if name != FAR_APART)


def constant_along_first_axis(x: AnyArray) -> AnyArray:
    """`x` with its first slice everywhere along the first axis, which the expanded layout needs."""
    return np.broadcast_to(x[:1], x.shape).copy() if x.ndim and x.shape[0] else x
