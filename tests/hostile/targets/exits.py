"""A kernel that calls sys.exit, as a script does."""

from __future__ import annotations

import sys

import torch


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """As `torch.softmax` is called."""
    sys.exit(0)
