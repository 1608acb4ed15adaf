"""Transformer blocks from this package's operators."""

from __future__ import annotations

from typing import Any

import torch

from .feedforward import feed_forward
from .kernels import Kernels, kernels_for
from .multihead import multi_head_attention


def _norm(kernels: Kernels, x: torch.Tensor, gain: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    return kernels.layer_norm(x, x.shape[-1:], gain, shift)


def pre_norm_block(
    x: torch.Tensor,
    gain_1: torch.Tensor,
    shift_1: torch.Tensor,
    w_q: torch.Tensor,
    w_k: torch.Tensor,
    w_v: torch.Tensor,
    w_o: torch.Tensor,
    b_q: torch.Tensor,
    b_k: torch.Tensor,
    b_v: torch.Tensor,
    b_o: torch.Tensor,
    gain_2: torch.Tensor,
    shift_2: torch.Tensor,
    w_1: torch.Tensor,
    b_1: torch.Tensor,
    w_2: torch.Tensor,
    b_2: torch.Tensor,
    *,
    keep: torch.Tensor | None = None,
    is_causal: bool = False,
    kernels: Kernels | None = None,
) -> torch.Tensor:
    """x + attention(norm(x)), and then h + feed_forward(norm(h)) (Xiong et al. 2020, table 1; Radford et al. 2019).

    Args:
        x: the stream (..., n, d); float16, bfloat16, float32 or float64.
        gain_1, shift_1, gain_2, shift_2: scale and shift of the two layer norms, (d,), in the same dtype.
        w_q, w_k, w_v, w_o, b_q, b_k, b_v, b_o, keep, is_causal, kernels: as in `multi_head_attention`.
        w_1, b_1, w_2, b_2: as in `feed_forward`.

    Returns:
        The stream after the block, (..., n, d), in that dtype, in which it is stored between its parts too.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: shapes do not fit.
    """
    kernels = kernels or kernels_for(x)
    a = _norm(kernels, x, gain_1, shift_1)
    rest: dict[str, Any] = {
        "b_q": b_q,
        "b_k": b_k,
        "b_v": b_v,
        "b_o": b_o,
        "keep": keep,
        "is_causal": is_causal,
        "kernels": kernels,
    }
    h = x + multi_head_attention(a, a, a, w_q, w_k, w_v, w_o, **rest)
    return h + feed_forward(_norm(kernels, h, gain_2, shift_2), w_1, b_1, w_2, b_2)


def post_norm_block(
    x: torch.Tensor,
    gain_1: torch.Tensor,
    shift_1: torch.Tensor,
    w_q: torch.Tensor,
    w_k: torch.Tensor,
    w_v: torch.Tensor,
    w_o: torch.Tensor,
    b_q: torch.Tensor,
    b_k: torch.Tensor,
    b_v: torch.Tensor,
    b_o: torch.Tensor,
    gain_2: torch.Tensor,
    shift_2: torch.Tensor,
    w_1: torch.Tensor,
    b_1: torch.Tensor,
    w_2: torch.Tensor,
    b_2: torch.Tensor,
    *,
    keep: torch.Tensor | None = None,
    is_causal: bool = False,
    kernels: Kernels | None = None,
) -> torch.Tensor:
    """norm(x + attention(x)), and then norm(h + feed_forward(h)) (Vaswani et al. 2017, section 3.1).

    Arguments, result and errors are those of `pre_norm_block`.
    """
    kernels = kernels or kernels_for(x)
    rest: dict[str, Any] = {
        "b_q": b_q,
        "b_k": b_k,
        "b_v": b_v,
        "b_o": b_o,
        "keep": keep,
        "is_causal": is_causal,
        "kernels": kernels,
    }
    attended = multi_head_attention(x, x, x, w_q, w_k, w_v, w_o, **rest)
    h = _norm(kernels, x + attended, gain_1, shift_1)
    return _norm(kernels, h + feed_forward(h, w_1, b_1, w_2, b_2), gain_2, shift_2)
