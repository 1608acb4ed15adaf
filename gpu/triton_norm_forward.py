"""The forward Triton kernel of layer norm and root-mean-square norm, alone and after a residual sum.

A row that fits in one tile is read once; a longer one once per pass over it. Nothing but the arguments is kept: a
backward pass computes mean and variance again, and in two passes, as E[x²] − E[x]² would cancel.
"""

from typing import Any

import torch

from .triton_runtime import (
    INTERPRETED,
    LONGEST_INTERPRETED,
    check_tensors,
    jit,
    kernel_launch,
    next_power_of_2,
    tl,
    tuned,
)

# Elements of a row that are held at once.
_LONGEST = LONGEST_INTERPRETED if INTERPRETED else 1 << 14


@jit
def load_sum(
    x_row: tl.tensor,
    r_row: tl.tensor,
    col: tl.tensor,
    x_col: tl.tensor,
    r_col: tl.tensor,
    inside: tl.tensor,
    RESIDUAL: tl.constexpr,
    COMPUTE: tl.constexpr,
) -> tl.tensor:
    """x, or x + r, and 0 outside."""
    x = tl.load(x_row + col * x_col, mask=inside, other=0.0).to(COMPUTE)
    if RESIDUAL:
        x += tl.load(r_row + col * r_col, mask=inside, other=0.0).to(COMPUTE)
    return x


@jit
def statistics(
    x_row: tl.tensor,
    r_row: tl.tensor,
    x_col: tl.tensor,
    r_col: tl.tensor,
    row_inside: tl.tensor,
    d: tl.tensor,
    EPS: tl.constexpr,
    CENTRED: tl.constexpr,
    RESIDUAL: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> Any:
    """Mean (0 if not centred) and reciprocal deviation of rows, tile by tile."""
    mean = tl.zeros([ROWS], COMPUTE)
    if CENTRED:
        for start in range(0, d, COLS):
            col = (start + tl.arange(0, COLS).to(tl.int64))[None, :]
            inside = row_inside & (col < d)
            mean += tl.sum(load_sum(x_row, r_row, col, x_col, r_col, inside, RESIDUAL, COMPUTE), axis=1)
        mean = mean / d
    squares = tl.zeros([ROWS], COMPUTE)
    for start in range(0, d, COLS):
        col = (start + tl.arange(0, COLS).to(tl.int64))[None, :]
        inside = row_inside & (col < d)
        x = load_sum(x_row, r_row, col, x_col, r_col, inside, RESIDUAL, COMPUTE)
        centred = tl.where(inside, x - mean[:, None], 0.0)
        squares += tl.sum(centred * centred, axis=1)
    return mean, 1.0 / tl.sqrt(squares / d + EPS)


@jit
def statistics_of_tile(x: tl.tensor, inside: tl.tensor, d: tl.tensor, EPS: tl.constexpr, CENTRED: tl.constexpr) -> Any:
    """x − mean (x if not centred) and the reciprocal deviation of rows that are held as a whole."""
    if CENTRED:
        x = tl.where(inside, x - (tl.sum(x, axis=1) / d)[:, None], 0.0)
    return x, 1.0 / tl.sqrt(tl.sum(x * x, axis=1) / d + EPS)


@tuned("ROWS", "COLS")
@jit
def _forward_kernel(
    x_ptr: tl.tensor,
    r_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    bias_ptr: tl.tensor,
    s_ptr: tl.tensor,
    y_ptr: tl.tensor,
    rows: tl.tensor,
    d: tl.tensor,
    x_stride: tl.tensor,
    x_col: tl.tensor,
    r_stride: tl.tensor,
    r_col: tl.tensor,
    weight_stride: tl.tensor,
    bias_stride: tl.tensor,
    EPS: tl.constexpr,
    CENTRED: tl.constexpr,
    RESIDUAL: tl.constexpr,
    WEIGHT: tl.constexpr,
    BIAS: tl.constexpr,
    WHOLE: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    row = (tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS))[:, None]
    row_inside = row < rows
    x_row = x_ptr + row * x_stride
    r_row = r_ptr + row * r_stride
    mean = tl.zeros([ROWS], COMPUTE)
    rstd = tl.zeros([ROWS], COMPUTE)
    if not WHOLE:
        mean, rstd = statistics(x_row, r_row, x_col, r_col, row_inside, d, EPS, CENTRED, RESIDUAL, COMPUTE, ROWS, COLS)
    for start in range(0, d, COLS):
        col = (start + tl.arange(0, COLS).to(tl.int64))[None, :]
        inside = row_inside & (col < d)
        x = load_sum(x_row, r_row, col, x_col, r_col, inside, RESIDUAL, COMPUTE)
        if RESIDUAL:
            tl.store(s_ptr + row * d + col, x.to(s_ptr.dtype.element_ty), mask=inside)
        if WHOLE:
            x, rstd = statistics_of_tile(x, inside, d, EPS, CENTRED)
        else:
            x = x - mean[:, None]
        y = x * rstd[:, None]
        if WEIGHT:
            y = y * tl.load(weight_ptr + col * weight_stride, mask=col < d, other=0.0).to(COMPUTE)
        if BIAS:
            y = y + tl.load(bias_ptr + col * bias_stride, mask=col < d, other=0.0).to(COMPUTE)
        tl.store(y_ptr + row * d + col, y.to(y_ptr.dtype.element_ty), mask=inside)


def norm_tile(rows: int, d: int, longest: int = _LONGEST) -> tuple[int, int]:
    """The (ROWS, COLS) tile, powers of two: whole rows where they fit, and several of them where they are short."""
    cols = min(next_power_of_2(d), longest)
    limit = 1 << (8 if INTERPRETED else 12)
    return max(1, min(next_power_of_2(rows), limit // cols)), cols


def rows_of(x: torch.Tensor) -> torch.Tensor:
    """(..., d) as (rows, d): a view where its strides allow it, else a copy."""
    return x.reshape(x.shape[:-1].numel(), x.shape[-1])


def strides_of(x: torch.Tensor | None) -> tuple[int, ...]:
    return (0, 0) if x is None else x.stride()


def norm_constants(
    x: torch.Tensor, r: torch.Tensor | None, weight: torch.Tensor | None, eps: float, centred: bool
) -> dict[str, Any]:
    return {
        # A constant, as a number that is passed is float32.
        "EPS": eps,
        "CENTRED": centred,
        "RESIDUAL": r is not None,
        "WEIGHT": weight is not None,
        "COMPUTE": tl.float64 if x.dtype is torch.float64 else tl.float32,
        # Stated because Triton warns about its default; every error bound holds with fused operations.
        "enable_fp_fusion": True,
    }


def norm_forward(
    x: torch.Tensor,
    r: torch.Tensor | None,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    eps: float,
    centred: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of x and r (empty without r) and its norm, contiguous, in the dtype of `x`."""
    check_tensors(x, r, weight, bias)
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    s = torch.empty_like(y) if r is not None else x.new_empty(0)
    if x.numel() == 0:
        return s, y
    flat, other = rows_of(x), None if r is None else rows_of(r)
    rows, d = flat.shape
    tile_rows, tile_cols = norm_tile(rows, d)
    with kernel_launch(x):
        _forward_kernel[(-(-rows // tile_rows),)](
            flat,
            flat if other is None else other,
            flat if weight is None else weight,
            flat if bias is None else bias,
            s,
            y,
            rows,
            d,
            *flat.stride(),
            *strides_of(other),
            0 if weight is None else weight.stride(0),
            0 if bias is None else bias.stride(0),
            BIAS=bias is not None,
            WHOLE=d <= tile_cols,
            ROWS=tile_rows,
            COLS=tile_cols,
            **norm_constants(x, r, weight, eps, centred),
        )
    return s, y
