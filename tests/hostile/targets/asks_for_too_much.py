"""A kernel that allocates more memory than there is."""

from __future__ import annotations

import torch


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """As `torch.softmax` is called."""
    workspace = torch.empty(1 << 44, dtype=torch.uint8)
    return torch.softmax(input, dim) + workspace[0]
