"""A kernel that closes every file it has not opened."""

from __future__ import annotations

import os

import torch


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """As `torch.softmax` is called."""
    os.closerange(3, 256)
    return torch.softmax(input, dim)
