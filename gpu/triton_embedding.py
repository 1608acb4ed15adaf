"""The Triton kernel of the gradient of an embedding table.

The positions are sorted by the row that they looked up, so that each row of the table has one stretch of them. One
program adds up the cotangents of a stretch, in float32 at least and always in the same order, and writes the row once:
no atomic additions, no row that is rounded between two of them.
"""

import torch

from .triton_norm_forward import rows_of
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


@tuned("COLS")
@jit
def _kernel(
    dy_ptr: tl.tensor,
    order_ptr: tl.tensor,
    end_ptr: tl.tensor,
    dw_ptr: tl.tensor,
    table_rows: tl.tensor,
    d: tl.tensor,
    padding: tl.tensor,
    dy_row: tl.tensor,
    dy_col: tl.tensor,
    COMPUTE: tl.constexpr,
    TABLE: tl.constexpr,
    STRETCH: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    blocks = tl.cdiv(d, COLS)
    v = (tl.program_id(0) // blocks).to(tl.int64) * TABLE + tl.arange(0, TABLE)
    col = (tl.program_id(0) % blocks * COLS + tl.arange(0, COLS)).to(tl.int64)
    end = tl.load(end_ptr + v, mask=v < table_rows, other=0)
    begin = tl.load(end_ptr + v - 1, mask=(v > 0) & (v < table_rows), other=0)
    # The row that pads takes no part.
    length = tl.where(v == padding, 0, end - begin)
    total = tl.zeros([TABLE, COLS], COMPUTE)
    for start in range(0, tl.max(length, axis=0), STRETCH):
        place = start + tl.arange(0, STRETCH).to(tl.int64)
        inside = place[None, :] < length[:, None]
        row = tl.load(order_ptr + begin[:, None] + place[None, :], mask=inside, other=0)
        dy = tl.load(
            dy_ptr + row[:, :, None] * dy_row + col[None, None, :] * dy_col,
            mask=inside[:, :, None] & (col < d)[None, None, :],
            other=0.0,
        )
        total += tl.sum(dy.to(COMPUTE), axis=1)
    tl.store(
        dw_ptr + v[:, None] * d + col[None, :],
        total.to(dw_ptr.dtype.element_ty),
        mask=(v < table_rows)[:, None] & (col < d)[None, :],
    )


def embedding_backward(dy: torch.Tensor, ids: torch.Tensor, rows: int, padding: int) -> torch.Tensor:
    """The gradient (rows, d) of the table.

    Args:
        dy: cotangents (..., d).
        ids: the rows that were looked up, (...), int64.
        rows: of the table.
        padding: the row without a gradient, or -1.
    """
    check_tensors(dy)
    d = dy.shape[-1]
    dw = dy.new_zeros(rows, d)
    if dy.numel() == 0:
        return dw
    flat, dy = ids.flatten(), rows_of(dy)
    order = torch.argsort(flat, stable=True)
    end = torch.bincount(flat, minlength=rows).cumsum(0)
    cols = min(next_power_of_2(d), LONGEST_INTERPRETED if INTERPRETED else 256)
    # Compiled, a program has one row of the table; interpreted, many, as every program is dear.
    table, stretch = (64, 4) if INTERPRETED else (1, 8)
    with kernel_launch(dy):
        _kernel[(-(-rows // table) * -(-d // cols),)](
            dy,
            order,
            end,
            dw,
            rows,
            d,
            padding,
            *dy.stride(),
            COMPUTE=tl.float64 if dy.dtype is torch.float64 else tl.float32,
            TABLE=table,
            STRETCH=stretch,
            COLS=cols,
            # Stated because Triton warns about its default; every error bound holds with fused operations.
            enable_fp_fusion=True,
        )
    return dw
