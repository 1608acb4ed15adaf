"""Triton kernels of cross-entropy with labels, online over the vocabulary (Milakov & Gimelshein 2018, Algorithm 3).

The forward pass reads a row of logits once, twice with label smoothing, and keeps its maximum and the logarithm of its
normaliser, apart: their sum would take digits from small logarithms beside a large maximum. The backward pass reads the
row once more and writes its gradient.
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
from .triton_softmax import online_normaliser


@tuned("ROWS", "COLS")
@jit
def _forward_kernel(
    x_ptr: tl.tensor,
    target_ptr: tl.tensor,
    keep_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    loss_ptr: tl.tensor,
    shift_ptr: tl.tensor,
    log_z_ptr: tl.tensor,
    rows: tl.tensor,
    classes: tl.tensor,
    x_row_stride: tl.tensor,
    x_col_stride: tl.tensor,
    weight_stride: tl.tensor,
    KEEP: tl.constexpr,
    WEIGHT: tl.constexpr,
    SMOOTHING: tl.constexpr,
    ZETA: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_inside = row < rows
    x_row = x_ptr + row * x_row_stride
    shift, z = online_normaliser(x_row, row_inside, classes, x_col_stride, True, COMPUTE, ROWS, COLS)
    log_z = tl.log(z)
    target = tl.load(target_ptr + row, mask=row_inside, other=0)
    chosen = tl.load(x_row + target * x_col_stride, mask=row_inside, other=0.0).to(COMPUTE)
    loss = log_z - (chosen - shift)
    if WEIGHT:
        loss = loss * tl.load(weight_ptr + target * weight_stride, mask=row_inside, other=0.0).to(COMPUTE)
    if SMOOTHING != 0:
        uniform = tl.zeros([ROWS], COMPUTE)
        for start in range(0, classes, COLS):
            col = start + tl.arange(0, COLS).to(tl.int64)
            inside = row_inside[:, None] & (col < classes)[None, :]
            x = tl.load(x_row[:, None] + col[None, :] * x_col_stride, mask=inside, other=0.0).to(COMPUTE)
            distance = log_z[:, None] - (x - shift[:, None])
            if WEIGHT:
                weight = tl.load(weight_ptr + col * weight_stride, mask=col < classes, other=0.0).to(COMPUTE)
                distance = distance * weight[None, :]
            uniform += tl.sum(tl.where(inside, distance, 0.0), axis=1)
        loss = (1 - SMOOTHING) * loss + SMOOTHING * (uniform / classes)
    if ZETA != 0:
        lse = shift + log_z
        loss += ZETA * (lse * lse)
    if KEEP:
        loss = tl.where(tl.load(keep_ptr + row, mask=row_inside, other=0) != 0, loss, 0.0)
    tl.store(loss_ptr + row, loss, mask=row_inside)
    tl.store(shift_ptr + row, shift, mask=row_inside)
    tl.store(log_z_ptr + row, log_z, mask=row_inside)


@tuned("ROWS", "COLS")
@jit
def _backward_kernel(
    x_ptr: tl.tensor,
    target_ptr: tl.tensor,
    keep_ptr: tl.tensor,
    weight_ptr: tl.tensor,
    mean_weight_ptr: tl.tensor,
    shift_ptr: tl.tensor,
    log_z_ptr: tl.tensor,
    dloss_ptr: tl.tensor,
    dx_ptr: tl.tensor,
    rows: tl.tensor,
    classes: tl.tensor,
    x_row_stride: tl.tensor,
    x_col_stride: tl.tensor,
    weight_stride: tl.tensor,
    dloss_stride: tl.tensor,
    KEEP: tl.constexpr,
    WEIGHT: tl.constexpr,
    SMOOTHING: tl.constexpr,
    ZETA: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_inside = row < rows
    x_row = x_ptr + row * x_row_stride
    target = tl.load(target_ptr + row, mask=row_inside, other=0)
    shift = tl.load(shift_ptr + row, mask=row_inside, other=0.0)
    log_z = tl.load(log_z_ptr + row, mask=row_inside, other=0.0)
    dloss = tl.load(dloss_ptr + row * dloss_stride, mask=row_inside, other=0.0).to(COMPUTE)
    own = tl.full([ROWS], 1.0, COMPUTE)
    if WEIGHT:
        own = tl.load(weight_ptr + target * weight_stride, mask=row_inside, other=0.0).to(COMPUTE)
    own = own * (1 - SMOOTHING)
    share = own
    if SMOOTHING != 0:
        share += SMOOTHING * tl.load(mean_weight_ptr)
    if ZETA != 0:
        share += 2 * ZETA * (shift + log_z)
    counted = row_inside
    if KEEP:
        counted = counted & (tl.load(keep_ptr + row, mask=row_inside, other=0) != 0)
    for start in range(0, classes, COLS):
        col = start + tl.arange(0, COLS).to(tl.int64)
        inside = row_inside[:, None] & (col < classes)[None, :]
        x = tl.load(x_row[:, None] + col[None, :] * x_col_stride, mask=inside, other=0.0).to(COMPUTE)
        dx = share[:, None] * tl.exp((x - shift[:, None]) - log_z[:, None])
        dx = tl.where(col[None, :] == target[:, None], dx - own[:, None], dx)
        if SMOOTHING != 0:
            # Of two whole numbers the quotient would be float32.
            part = tl.full([1, 1], SMOOTHING, COMPUTE) / classes
            if WEIGHT:
                weight = tl.load(weight_ptr + col * weight_stride, mask=col < classes, other=0.0).to(COMPUTE)
                dx = dx - part * weight[None, :]
            else:
                dx = dx - part
        dx = tl.where(counted[:, None], dloss[:, None] * dx, 0.0)
        tl.store(dx_ptr + row[:, None] * classes + col[None, :], dx.to(dx_ptr.dtype.element_ty), mask=inside)


def _constants(
    x: torch.Tensor, keep: torch.Tensor | None, weight: torch.Tensor | None, smoothing: float, zeta: float
) -> tuple[int, dict[str, Any]]:
    """How many programs there are, and what they are compiled for."""
    rows, classes = x.shape
    cols = min(next_power_of_2(classes), LONGEST_INTERPRETED if INTERPRETED else 1 << 12)
    tile_rows = max(1, min(next_power_of_2(rows), (1 << (16 if INTERPRETED else 12)) // cols))
    constants = {
        "KEEP": keep is not None,
        "WEIGHT": weight is not None,
        # Constants, as numbers that are passed are float32.
        "SMOOTHING": smoothing,
        "ZETA": zeta,
        "COMPUTE": tl.float64 if x.dtype is torch.float64 else tl.float32,
        "ROWS": tile_rows,
        "COLS": cols,
        # Stated because Triton warns about its default; every error bound holds with fused operations.
        "enable_fp_fusion": True,
    }
    return -(-rows // tile_rows), constants


def _bytes(keep: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    return like if keep is None else keep.contiguous().view(torch.uint8)


def cross_entropy_forward(
    x: torch.Tensor,
    target: torch.Tensor,
    keep: torch.Tensor | None,
    weight: torch.Tensor | None,
    smoothing: float,
    zeta: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of logits (n, V) and labels (n,): losses, maxima and logarithms of normalisers (n,), float32 at least."""
    check_tensors(x, weight)
    compute = torch.promote_types(x.dtype, torch.float32)
    loss, shift, log_z = (torch.zeros(x.shape[0], dtype=compute, device=x.device) for _ in range(3))
    if x.numel() == 0:
        return loss, shift, log_z
    programs, constants = _constants(x, keep, weight, smoothing, zeta)
    with kernel_launch(x):
        _forward_kernel[(programs,)](
            x,
            target.contiguous(),
            _bytes(keep, x),
            x if weight is None else weight,
            loss,
            shift,
            log_z,
            *x.shape,
            *x.stride(),
            0 if weight is None else weight.stride(0),
            **constants,
        )
    return loss, shift, log_z


def cross_entropy_backward(
    dloss: torch.Tensor,
    x: torch.Tensor,
    target: torch.Tensor,
    keep: torch.Tensor | None,
    weight: torch.Tensor | None,
    shift: torch.Tensor,
    log_z: torch.Tensor,
    smoothing: float,
    zeta: float,
) -> torch.Tensor:
    """The gradient of the logits (n, V)."""
    check_tensors(x, weight, dloss)
    dx = torch.empty_like(x, memory_format=torch.contiguous_format)
    if x.numel() == 0:
        return dx
    programs, constants = _constants(x, keep, weight, smoothing, zeta)
    mean_weight = (
        torch.ones((), dtype=shift.dtype, device=x.device) if weight is None else weight.to(shift.dtype).mean()
    )
    with kernel_launch(x):
        _backward_kernel[(programs,)](
            x,
            target.contiguous(),
            _bytes(keep, x),
            x if weight is None else weight,
            mean_weight,
            shift,
            log_z,
            dloss,
            dx,
            *x.shape,
            *x.stride(),
            0 if weight is None else weight.stride(0),
            dloss.stride(0),
            **constants,
        )
    return dx
