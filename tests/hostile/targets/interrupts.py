"""A kernel that raises what Ctrl-C raises."""

from __future__ import annotations

import torch


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """As `torch.softmax` is called."""
    raise KeyboardInterrupt
