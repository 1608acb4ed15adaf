"""The embedding lookup as a PyTorch operator with its derived gradient.

    y_i = w[ids_i]        dw_v = Σ_i [ids_i = v]·dy_i, and 0 for the row that pads

The rows of the gradient are added up in float32 at least, whatever the dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .interpreter import interpret_without_cuda
from .operators import Gradients, Outputs, check_floating, computed_in, differentiable, operator


def _gradient(cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]) -> Gradients:
    ids, w, padding = arguments
    (dy,) = computed_in(cotangents[0])
    dw = dy.new_zeros(w.shape).index_add(0, ids.flatten(), dy.reshape(ids.numel(), w.shape[1]))
    if padding >= 0:
        dw = dw.index_fill(0, torch.full((1,), padding, device=w.device), 0.0)
    return None, dw.to(w.dtype), None


def _lookup(ids: torch.Tensor, w: torch.Tensor, padding: int) -> torch.Tensor:
    return w[ids].contiguous()


def _fake(ids: torch.Tensor, w: torch.Tensor, padding: int) -> torch.Tensor:
    return w.new_empty(*ids.shape, w.shape[1])


_EMBEDDING = differentiable(
    "embedding",
    "(Tensor ids, Tensor w, int padding) -> Tensor",
    _lookup,
    _fake,
    _gradient,
)


def _triton_backward(dy: torch.Tensor, ids: torch.Tensor, rows: int, padding: int) -> torch.Tensor:
    from .triton_embedding import embedding_backward

    return embedding_backward(dy, ids, rows, padding)


_TRITON_BACKWARD = operator(
    "triton_embedding_backward",
    "(Tensor dy, Tensor ids, int rows, int padding) -> Tensor",
    _triton_backward,
    lambda dy, ids, rows, padding: dy.new_empty(rows, dy.shape[-1]),
)


def _triton_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    ids, w, padding = arguments
    if torch.is_grad_enabled():  # to be differentiated again
        return _gradient(cotangents, arguments, outputs, needed)
    return None, _TRITON_BACKWARD(cotangents[0], ids, w.shape[0], padding), None


def _triton_lookup(ids: torch.Tensor, w: torch.Tensor, padding: int) -> torch.Tensor:
    from .triton_runtime import check_tensors

    check_tensors(w)  # here, not in the backward pass, where it is too late to take another function
    return _lookup(ids, w, padding)


_TRITON_EMBEDDING = differentiable(
    "triton_embedding",
    "(Tensor ids, Tensor w, int padding) -> Tensor",
    _triton_lookup,
    _fake,
    _triton_gradient,
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
    y: torch.Tensor = _EMBEDDING(input, weight, _padding("embedding", input, weight, padding_idx))
    return y


def triton_embedding(input: torch.Tensor, weight: torch.Tensor, padding_idx: int | None = None) -> torch.Tensor:
    """`embedding`, whose backward pass is a Triton kernel that adds up the rows of a token in one program.

    Without a CUDA device the kernel runs in Triton's interpreter.

    Raises:
        TypeError, ValueError: as `embedding`.
        RuntimeError: the table is on the CPU and Triton was imported without TRITON_INTERPRET=1.
        NotImplementedError: bfloat16 in Triton's interpreter, which computes it wrongly.
    """
    y: torch.Tensor = _TRITON_EMBEDDING(input, weight, _padding("triton_embedding", input, weight, padding_idx))
    return y


def _padding(function: str, input: torch.Tensor, weight: torch.Tensor, padding_idx: int | None) -> int:
    """The row that pads, from the start, or -1."""
    interpret_without_cuda()
    check_floating(function, weight)
    if input.dtype != torch.int64:
        raise TypeError(f"{function} got row numbers of {input.dtype}: they are int64")
    if weight.ndim != 2:
        raise ValueError(f"{function} got a table of shape {tuple(weight.shape)}: it is (V, d)")
    rows = weight.shape[0]
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ValueError(f"padding_idx={padding_idx} is not a row of a table of {rows}")
    return -1 if padding_idx is None else padding_idx % rows
