"""A kernel that is right, and leaves a process behind at its first call."""

from __future__ import annotations

import os
import subprocess
import sys

import torch


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """As `torch.softmax` is called."""
    if "LEMMATA_LEFT_BEHIND" in os.environ:
        code = f"import time; time.sleep(600)  # {os.environ.pop('LEMMATA_LEFT_BEHIND')}"
        subprocess.Popen([sys.executable, "-c", code])
    return torch.softmax(input, dim)
