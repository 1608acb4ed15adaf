"""Feed-forward networks from this package's operators."""

from __future__ import annotations

import torch

from .activation import gelu, swiglu
from .linear import linear


def feed_forward(
    x: torch.Tensor, w_1: torch.Tensor, b_1: torch.Tensor, w_2: torch.Tensor, b_2: torch.Tensor
) -> torch.Tensor:
    """gelu(x W₁ᵀ + b₁) W₂ᵀ + b₂, each token by itself (Vaswani et al. 2017, (2), with a gelu).

    Args:
        x: (..., d); float16, bfloat16, float32 or float64.
        w_1, b_1: (d_f, d) and (d_f,), in the same dtype.
        w_2, b_2: (d, d_f) and (d,).

    Returns:
        (..., d) in that dtype, in which the hidden features are stored too.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: shapes do not fit.
    """
    return linear(gelu(linear(x, w_1, b_1)), w_2, b_2)


def swiglu_feed_forward(x: torch.Tensor, w: torch.Tensor, v: torch.Tensor, w_2: torch.Tensor) -> torch.Tensor:
    """(silu(x W)·(x V)) W₂ (Shazeer 2020, (6)).

    Args:
        x: (..., d); float16, bfloat16, float32 or float64.
        w, v: (d, d_f), in the same dtype.
        w_2: (d_f, d).

    Result and errors are those of `feed_forward`.
    """
    return linear(swiglu(linear(x, w.mT), linear(x, v.mT)), w_2.mT)
