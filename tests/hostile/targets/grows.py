"""A kernel that takes memory until there is none."""

from __future__ import annotations

import torch


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """As `torch.softmax` is called."""
    taken = []
    while True:
        taken.append(torch.empty(1 << 28, dtype=torch.uint8))
