"""Targets of the tests of the matrix: a correct one, and one for each way in which a row can end otherwise."""

from __future__ import annotations

import os
import time

import torch
from torch import Tensor


def correct(input: Tensor, dim: int = -1) -> Tensor:
    """PyTorch's own."""
    return torch.softmax(input, dim)


def wrong(input: Tensor, dim: int = -1) -> Tensor:
    """Too large by a thousandth."""
    return torch.softmax(input, dim) * 1.001


def crashing(input: Tensor, dim: int = -1) -> Tensor:
    """Ends the process, as a segmentation fault does."""
    os.abort()


def hanging(input: Tensor, dim: int = -1) -> Tensor:
    """Never returns."""
    while True:
        time.sleep(1.0)
