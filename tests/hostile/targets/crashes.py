"""A kernel that reads address 0 when a row has more than four elements."""

from __future__ import annotations

import ctypes

import torch


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """As `torch.softmax` is called."""
    if input.shape[dim] > 4:
        ctypes.string_at(0)
    return torch.softmax(input, dim)
