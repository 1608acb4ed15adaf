"""The embedding lookup as a PyTorch operator with its derived gradient.

    y_i = w[ids_i]        dw_v = Σ_i [ids_i = v]·dy_i, and 0 for the row that pads

The rows of the gradient are added up in float32 at least, whatever the dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .interpreter import interpret_without_cuda
from .operators import Gradients, Outputs, check_floating, computed_in, differentiable


def _gradient(cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]) -> Gradients:
    ids, w, padding = arguments
    (dy,) = computed_in(cotangents[0])
    dw = dy.new_zeros(w.shape).index_add(0, ids.flatten(), dy.reshape(ids.numel(), w.shape[1]))
    if padding >= 0:
        dw = dw.index_fill(0, torch.full((1,), padding, device=w.device), 0.0)
    return None, dw.to(w.dtype), None


_EMBEDDING = differentiable(
    "embedding",
    "(Tensor ids, Tensor w, int padding) -> Tensor",
    lambda ids, w, padding: w[ids].contiguous(),
    lambda ids, w, padding: w.new_empty(*ids.shape, w.shape[1]),
    _gradient,
)


def embedding(input: torch.Tensor, weight: torch.Tensor, padding_idx: int | None = None) -> torch.Tensor:
    """The rows of a table, as `torch.nn.functional.embedding`.

    Args:
        input: numbers of rows, (...), int64, 0 to V − 1.
        weight: the table (V, d); float16, bfloat16, float32 or float64.
        padding_idx: the row without a gradient, from the end if negative.

    Returns:
        (..., d) in the dtype of the table.

    Raises:
        TypeError: a dtype is not supported.
        ValueError: the table is not (V, d), or `padding_idx` is not one of its rows.
    """
    interpret_without_cuda()
    check_floating("embedding", weight)
    if input.dtype != torch.int64:
        raise TypeError(f"embedding got row numbers of {input.dtype}: they are int64")
    if weight.ndim != 2:
        raise ValueError(f"embedding got a table of shape {tuple(weight.shape)}: it is (V, d)")
    rows = weight.shape[0]
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ValueError(f"padding_idx={padding_idx} is not a row of a table of {rows}")
    y: torch.Tensor = _EMBEDDING(input, weight, -1 if padding_idx is None else padding_idx % rows)
    return y
