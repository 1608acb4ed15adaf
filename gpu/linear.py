"""Linear layers as PyTorch operators with derived gradients.

    y = x Wᵀ + b        dx = dy W        dW = Σ_rows dy xᵀ        db = Σ_rows dy

The products are PyTorch's own, in the dtype of the tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .autocast import lowered
from .interpreter import interpret_without_cuda
from .operators import Gradients, Outputs, check_floating, differentiable


def _rows(x: torch.Tensor) -> torch.Tensor:
    """(..., d) as (rows, d)."""
    return x.reshape(x.shape[:-1].numel(), x.shape[-1])


def _linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    # As rows: PyTorch rounds the product of any other layout to the dtype before it adds the bias.
    y = torch.nn.functional.linear(_rows(x), weight, bias)
    return y.reshape(*x.shape[:-1], weight.shape[0]).contiguous()


def _gradient(cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]) -> Gradients:
    (dy,), (x, weight, _) = cotangents, arguments
    return (
        dy @ weight if needed[0] else None,
        _rows(dy).mT @ _rows(x) if needed[1] else None,
        _rows(dy).sum(0) if needed[2] else None,
    )


_LINEAR = differentiable(
    "linear",
    "(Tensor x, Tensor weight, Tensor? bias) -> Tensor",
    _linear,
    lambda x, weight, bias: x.new_empty(*x.shape[:-1], weight.shape[0]),
    _gradient,
)


def linear(input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x Wᵀ + b, as `torch.nn.functional.linear`.

    Args:
        input: (..., k); float16, bfloat16, float32 or float64.
        weight: (d, k), in the same dtype.
        bias: (d,), in the same dtype.

    Returns:
        (..., d), contiguous, in that dtype.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: shapes do not fit.
    """
    interpret_without_cuda()
    input, weight, bias = lowered(input, weight, bias)
    _check("linear", input, weight, bias)
    y: torch.Tensor = _LINEAR(input, weight, bias)
    return y


def tied_output(h: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """The logits (..., V) of hidden states h (..., d) by the rows of the embedding table w (V, d): h wᵀ.

    Errors are those of `linear`. Source: Press & Wolf 2017, "Using the Output Embedding to Improve Language Models".
    """
    return linear(h, w)


def _projected(
    x: torch.Tensor,
    w_q: torch.Tensor,
    w_k: torch.Tensor,
    w_v: torch.Tensor,
    b_q: torch.Tensor | None,
    b_k: torch.Tensor | None,
    b_v: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return _linear(x, w_q, b_q), _linear(x, w_k, b_k), _linear(x, w_v, b_v)


def _projection_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    x, weights = arguments[0], arguments[1:4]
    # One product, so that the three parts are added before they are rounded.
    dx = torch.cat(list(cotangents), -1) @ torch.cat(list(weights)) if needed[0] else None
    dw = [_rows(dy).mT @ _rows(x) if wanted else None for dy, wanted in zip(cotangents, needed[1:4], strict=True)]
    db = [_rows(dy).sum(0) if wanted else None for dy, wanted in zip(cotangents, needed[4:7], strict=True)]
    return dx, *dw, *db


_PROJECTION = differentiable(
    "qkv_projection",
    "(Tensor x, Tensor w_q, Tensor w_k, Tensor w_v, Tensor? b_q, Tensor? b_k, Tensor? b_v) -> (Tensor, Tensor, Tensor)",
    _projected,
    lambda x, w_q, w_k, w_v, b_q, b_k, b_v: tuple(x.new_empty(*x.shape[:-1], w.shape[0]) for w in (w_q, w_k, w_v)),
    _projection_gradient,
)


def _check(function: str, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
    check_floating(function, x, weight, bias)
    fits = weight.ndim == 2 and x.ndim > 0 and x.shape[-1] == weight.shape[1]
    if not fits or (bias is not None and bias.shape != weight.shape[:1]):
        shapes = ", ".join(str(tuple(t.shape)) for t in (x, weight, bias) if t is not None)
        raise ValueError(f"{function} got the shapes {shapes}: they are (..., k), (d, k) and (d,)")


def qkv_projection(
    x: torch.Tensor,
    w_q: torch.Tensor,
    w_k: torch.Tensor,
    w_v: torch.Tensor,
    *,
    b_q: torch.Tensor | None = None,
    b_k: torch.Tensor | None = None,
    b_v: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, keys and values of the same tokens: three linear layers.

    Args:
        x: (..., d).
        w_q, w_k, w_v: (d_q, d), (d_k, d) and (d_v, d), in the same dtype.
        b_q, b_k, b_v: their biases.

    Returns:
        (..., d_q), (..., d_k) and (..., d_v). Errors are those of `linear`.
    """
    interpret_without_cuda()
    x, w_q, w_k, w_v, b_q, b_k, b_v = lowered(x, w_q, w_k, w_v, b_q, b_k, b_v)
    for weight, bias in ((w_q, b_q), (w_k, b_k), (w_v, b_v)):
        _check("qkv_projection", x, weight, bias)
    q, k, v = _PROJECTION(x, w_q, w_k, w_v, b_q, b_k, b_v)
    return q, k, v
