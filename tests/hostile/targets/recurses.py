"""A kernel that calls itself without end."""

from __future__ import annotations

import torch


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """As `torch.softmax` is called."""
    return softmax(input, dim)
