"""Two ways in which a kernel gets memory wrong."""

from __future__ import annotations

import torch
from torch import Tensor


def as_if_contiguous(x: Tensor) -> Tensor:
    """The elements from the first of `x` on in storage order, whatever its strides; from the start again at the end."""
    start = x.storage_offset()
    stored = x.as_strided((x.untyped_storage().nbytes() // x.element_size() - start,), (1,), start)
    if x.numel() == 0 or stored.numel() == 0:
        return x
    return stored[torch.arange(x.numel()) % stored.numel()].reshape(x.shape)


def leave_unwritten(x: Tensor, width: int) -> Tensor:
    """`x` in a new buffer, of which the columns after the last whole block are never written."""
    whole = x.shape[-1] - x.shape[-1] % width
    result = torch.empty_like(x)
    result[..., :whole] = x[..., :whole]
    return result
