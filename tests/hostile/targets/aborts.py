"""A kernel with an assertion in C that fails."""

from __future__ import annotations

import os

import torch


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """As `torch.softmax` is called."""
    if input.dim() > 1:
        os.abort()
    return torch.softmax(input, dim)
