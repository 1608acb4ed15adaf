"""The backward Triton kernels of layer norm and root-mean-square norm.

The gradients of scale and shift are sums over rows: where rows fit in one tile, each program adds up those that it
reads, and the few parts are added in one more step; no atomic additions are needed, and gradients are deterministic.
"""

from typing import Any

import torch

from .triton_norm_forward import (
    load_sum,
    norm_constants,
    norm_tile,
    rows_of,
    statistics,
    statistics_of_tile,
    strides_of,
)
from .triton_runtime import INTERPRETED, check_tensors, jit, kernel_launch, tl, tuned

# Programs that share out the rows of a backward pass, each with a part of the gradients of the parameters.
_PROGRAMS_PER_PROCESSOR = 2


@jit
def _scaled_cotangent(
    dy_row: tl.tensor,
    weight_ptr: tl.tensor,
    col: tl.tensor,
    dy_col: tl.tensor,
    weight_stride: tl.tensor,
    d: tl.tensor,
    inside: tl.tensor,
    WEIGHT: tl.constexpr,
    COMPUTE: tl.constexpr,
) -> Any:
    """dy, and dx̂ = dy·weight."""
    dy = tl.load(dy_row + col * dy_col, mask=inside, other=0.0).to(COMPUTE)
    scaled = dy
    if WEIGHT:
        scaled = dy * tl.load(weight_ptr + col * weight_stride, mask=col < d, other=0.0).to(COMPUTE)
    return dy, scaled


@tuned("ROWS", "COLS")
@jit
def _backward_kernel(
    x_ptr: tl.tensor,
    r_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    dy_ptr: tl.tensor,
    ds_ptr: tl.tensor,
    dx_ptr: tl.tensor,
    dweight_ptr: tl.tensor,
    dbias_ptr: tl.tensor,
    rows: tl.tensor,
    d: tl.tensor,
    x_stride: tl.tensor,
    x_col: tl.tensor,
    r_stride: tl.tensor,
    r_col: tl.tensor,
    weight_stride: tl.tensor,
    dy_stride: tl.tensor,
    dy_col: tl.tensor,
    ds_stride: tl.tensor,
    ds_col: tl.tensor,
    EPS: tl.constexpr,
    CENTRED: tl.constexpr,
    RESIDUAL: tl.constexpr,
    WEIGHT: tl.constexpr,
    DX: tl.constexpr,
    DWEIGHT: tl.constexpr,
    DBIAS: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """Rows that fit in one tile: dx, and this program's part of the gradients of the parameters."""
    program = tl.program_id(0).to(tl.int64)
    col = tl.arange(0, COLS).to(tl.int64)[None, :]
    dweight = tl.zeros([1, COLS], COMPUTE)
    dbias = tl.zeros([1, COLS], COMPUTE)
    for first in range(tl.program_id(0) * ROWS, rows, tl.num_programs(0) * ROWS):
        row = (first + tl.arange(0, ROWS).to(tl.int64))[:, None]
        inside = (row < rows) & (col < d)
        x = load_sum(x_ptr + row * x_stride, r_ptr + row * r_stride, col, x_col, r_col, inside, RESIDUAL, COMPUTE)
        centred, rstd = statistics_of_tile(x, inside, d, EPS, CENTRED)
        xhat = centred * rstd[:, None]
        dy, scaled = _scaled_cotangent(
            dy_ptr + row * dy_stride, weight_ptr, col, dy_col, weight_stride, d, inside, WEIGHT, COMPUTE
        )
        if DX:
            dx = scaled - xhat * (tl.sum(xhat * scaled, axis=1) / d)[:, None]
            if CENTRED:
                dx = dx - (tl.sum(scaled, axis=1) / d)[:, None]
            dx = dx * rstd[:, None]
            if RESIDUAL:
                dx += tl.load(ds_ptr + row * ds_stride + col * ds_col, mask=inside, other=0.0).to(COMPUTE)
            tl.store(dx_ptr + row * d + col, dx.to(dx_ptr.dtype.element_ty), mask=inside)
        # Rows outside have a cotangent of 0, but may have a deviation of 1/√0.
        if DWEIGHT:
            dweight += tl.sum(tl.where(inside, dy * xhat, 0.0), axis=0)[None, :]
        if DBIAS:
            dbias += tl.sum(dy, axis=0)[None, :]
    if DWEIGHT:
        tl.store(dweight_ptr + program * d + col, dweight, mask=col < d)
    if DBIAS:
        tl.store(dbias_ptr + program * d + col, dbias, mask=col < d)


@tuned("COLS")
@jit
def _long_row_kernel(
    x_ptr: tl.tensor,
    r_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    dy_ptr: tl.tensor,
    ds_ptr: tl.tensor,
    dx_ptr: tl.tensor,
    mean_ptr: tl.tensor,
    rstd_ptr: tl.tensor,
    rows: tl.tensor,
    d: tl.tensor,
    x_stride: tl.tensor,
    x_col: tl.tensor,
    r_stride: tl.tensor,
    r_col: tl.tensor,
    weight_stride: tl.tensor,
    dy_stride: tl.tensor,
    dy_col: tl.tensor,
    ds_stride: tl.tensor,
    ds_col: tl.tensor,
    EPS: tl.constexpr,
    CENTRED: tl.constexpr,
    RESIDUAL: tl.constexpr,
    WEIGHT: tl.constexpr,
    COMPUTE: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """dx of one row longer than a tile; its statistics are kept for the gradients of the parameters."""
    row = (tl.program_id(0).to(tl.int64) + tl.arange(0, 1))[:, None]
    row_inside = row < rows
    x_row = x_ptr + row * x_stride
    r_row = r_ptr + row * r_stride
    dy_row = dy_ptr + row * dy_stride
    mean, rstd = statistics(x_row, r_row, x_col, r_col, row_inside, d, EPS, CENTRED, RESIDUAL, COMPUTE, 1, COLS)
    along = tl.zeros([1], COMPUTE)
    total = tl.zeros([1], COMPUTE)
    for start in range(0, d, COLS):
        col = (start + tl.arange(0, COLS).to(tl.int64))[None, :]
        inside = row_inside & (col < d)
        x = load_sum(x_row, r_row, col, x_col, r_col, inside, RESIDUAL, COMPUTE)
        _, scaled = _scaled_cotangent(dy_row, weight_ptr, col, dy_col, weight_stride, d, inside, WEIGHT, COMPUTE)
        along += tl.sum((x - mean[:, None]) * rstd[:, None] * scaled, axis=1)
        total += tl.sum(scaled, axis=1)
    for start in range(0, d, COLS):
        col = (start + tl.arange(0, COLS).to(tl.int64))[None, :]
        inside = row_inside & (col < d)
        x = load_sum(x_row, r_row, col, x_col, r_col, inside, RESIDUAL, COMPUTE)
        _, scaled = _scaled_cotangent(dy_row, weight_ptr, col, dy_col, weight_stride, d, inside, WEIGHT, COMPUTE)
        dx = scaled - (x - mean[:, None]) * rstd[:, None] * (along / d)[:, None]
        if CENTRED:
            dx = dx - (total / d)[:, None]
        dx = dx * rstd[:, None]
        if RESIDUAL:
            dx += tl.load(ds_ptr + row * ds_stride + col * ds_col, mask=inside, other=0.0).to(COMPUTE)
        tl.store(dx_ptr + row * d + col, dx.to(dx_ptr.dtype.element_ty), mask=inside)
    one = tl.program_id(0).to(tl.int64) + tl.arange(0, 1)
    tl.store(mean_ptr + one, mean)
    tl.store(rstd_ptr + one, rstd)


@jit
def _parameter_kernel(
    x_ptr: tl.tensor,
    r_ptr: tl.tensor,
    dy_ptr: tl.tensor,
    mean_ptr: tl.tensor,
    rstd_ptr: tl.tensor,
    dweight_ptr: tl.tensor,
    dbias_ptr: tl.tensor,
    rows: tl.tensor,
    d: tl.tensor,
    x_stride: tl.tensor,
    x_col: tl.tensor,
    r_stride: tl.tensor,
    r_col: tl.tensor,
    dy_stride: tl.tensor,
    dy_col: tl.tensor,
    RESIDUAL: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    """The gradients of the parameters for a tile of columns, over all rows."""
    col = (tl.program_id(0).to(tl.int64) * COLS + tl.arange(0, COLS))[None, :]
    dweight = tl.zeros([COLS], COMPUTE)
    dbias = tl.zeros([COLS], COMPUTE)
    for first in range(0, rows, ROWS):
        one = first + tl.arange(0, ROWS).to(tl.int64)
        row = one[:, None]
        inside = (row < rows) & (col < d)
        mean = tl.load(mean_ptr + one, mask=one < rows, other=0.0)[:, None]
        rstd = tl.load(rstd_ptr + one, mask=one < rows, other=0.0)[:, None]
        x = load_sum(x_ptr + row * x_stride, r_ptr + row * r_stride, col, x_col, r_col, inside, RESIDUAL, COMPUTE)
        dy = tl.load(dy_ptr + row * dy_stride + col * dy_col, mask=inside, other=0.0).to(COMPUTE)
        dweight += tl.sum(tl.where(inside, dy * ((x - mean) * rstd), 0.0), axis=0)
        dbias += tl.sum(dy, axis=0)
    tl.store(dweight_ptr + col, dweight[None, :], mask=col < d)
    tl.store(dbias_ptr + col, dbias[None, :], mask=col < d)


def _programs(x: torch.Tensor, row_tiles: int) -> int:
    """How many programs share out the rows of a backward pass."""
    if INTERPRETED:
        return min(row_tiles, 2)
    processors = torch.cuda.get_device_properties(x.device).multi_processor_count
    return min(row_tiles, _PROGRAMS_PER_PROCESSOR * processors)


def norm_backward(
    dy: torch.Tensor,
    ds: torch.Tensor | None,
    x: torch.Tensor,
    r: torch.Tensor | None,
    weight: torch.Tensor | None,
    eps: float,
    centred: bool,
    needs_dx: bool,
    needs_dweight: bool,
    needs_dbias: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of x (and of r), weight and bias, each empty unless it is needed.

    `ds` is the cotangent of x + r, where there is an r.
    """
    check_tensors(x, r, weight, dy, ds)
    d = x.shape[-1]
    compute = torch.promote_types(x.dtype, torch.float32)
    dx = torch.empty_like(x, memory_format=torch.contiguous_format) if needs_dx else x.new_empty(0)
    if x.numel() == 0:
        return dx, x.new_zeros(d if needs_dweight else 0), x.new_zeros(d if needs_dbias else 0)
    flat, other, cotangent = rows_of(x), None if r is None else rows_of(r), rows_of(dy)
    direct = None if ds is None else rows_of(ds)
    rows = flat.shape[0]
    tile_rows, tile_cols = norm_tile(rows, d)
    row_tiles = -(-rows // tile_rows)
    whole = d <= tile_cols
    parts = _programs(x, row_tiles) if whole else 1
    dweight = torch.empty(parts, d if needs_dweight or not whole else 0, dtype=compute, device=x.device)
    dbias = torch.empty(parts, d if needs_dbias or not whole else 0, dtype=compute, device=x.device)
    constants = norm_constants(x, r, weight, eps, centred)
    residual = flat if other is None else other
    scale = (flat if weight is None else weight, 0 if weight is None else weight.stride(0))
    cotangents = (cotangent, cotangent if direct is None else direct)
    cotangent_strides = (*cotangent.stride(), *strides_of(direct))
    with kernel_launch(x):
        if whole:
            _backward_kernel[(parts,)](
                flat,
                residual,
                scale[0],
                *cotangents,
                dx,
                dweight,
                dbias,
                rows,
                d,
                *flat.stride(),
                *strides_of(other),
                scale[1],
                *cotangent_strides,
                DX=needs_dx,
                DWEIGHT=needs_dweight,
                DBIAS=needs_dbias,
                ROWS=tile_rows,
                COLS=tile_cols,
                **constants,
            )
        else:
            mean, rstd = (torch.empty(rows, dtype=compute, device=x.device) for _ in range(2))
            target = dx if needs_dx else torch.empty_like(x, memory_format=torch.contiguous_format)
            _long_row_kernel[(rows,)](
                flat,
                residual,
                scale[0],
                *cotangents,
                target,
                mean,
                rstd,
                rows,
                d,
                *flat.stride(),
                *strides_of(other),
                scale[1],
                *cotangent_strides,
                COLS=tile_cols,
                **constants,
            )
            if needs_dweight or needs_dbias:
                _parameter_kernel[(-(-d // 128),)](
                    flat,
                    residual,
                    cotangent,
                    mean,
                    rstd,
                    dweight,
                    dbias,
                    rows,
                    d,
                    *flat.stride(),
                    *strides_of(other),
                    *cotangent.stride(),
                    RESIDUAL=constants["RESIDUAL"],
                    COMPUTE=constants["COMPUTE"],
                    ROWS=32,
                    COLS=128,
                    enable_fp_fusion=True,
                )
    return (
        dx,
        dweight.sum(0).to(x.dtype) if needs_dweight else x.new_empty(0),
        dbias.sum(0).to(x.dtype) if needs_dbias else x.new_empty(0),
    )
