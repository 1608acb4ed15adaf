"""Triton kernels for log-softmax and log-sum-exp along one dimension, and their gradients.

A tensor is seen as (outer, n, inner), and its normaliser found online, as for the softmax. The maximum and the
logarithm of the normaliser are subtracted one after the other: their sum would round away small logarithms beside a
large maximum.
"""

import torch

from .triton_runtime import check_tensors, jit, kernel_launch, tl, tuned
from .triton_softmax import launch_geometry, online_normaliser, run_along, slices_of


@tuned("ROWS", "COLS")
@jit
def _log_softmax_forward_kernel(
    x_ptr: tl.tensor,
    y_ptr: tl.tensor,
    rows: tl.tensor,
    n: tl.tensor,
    inner: tl.tensor,
    x_outer_stride: tl.tensor,
    x_n_stride: tl.tensor,
    x_inner_stride: tl.tensor,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_inside = row < rows
    x_row = x_ptr + (row // inner) * x_outer_stride + (row % inner) * x_inner_stride
    y_row = y_ptr + (row // inner) * n * inner + row % inner
    shift, total = online_normaliser(x_row, row_inside, n, x_n_stride, False, COMPUTE, ROWS, COLS)
    log_total = tl.log(total)
    for start in range(0, n, COLS):
        col = start + tl.arange(0, COLS).to(tl.int64)
        inside = row_inside[:, None] & (col < n)[None, :]
        x = tl.load(x_row[:, None] + col[None, :] * x_n_stride, mask=inside, other=0.0).to(COMPUTE)
        y = (x - shift[:, None]) - log_total[:, None]
        tl.store(y_row[:, None] + col[None, :] * inner, y.to(y_ptr.dtype.element_ty), mask=inside)


@tuned("ROWS", "COLS")
@jit
def _log_softmax_backward_kernel(
    x_ptr: tl.tensor,
    dy_ptr: tl.tensor,
    dx_ptr: tl.tensor,
    rows: tl.tensor,
    n: tl.tensor,
    inner: tl.tensor,
    x_outer_stride: tl.tensor,
    x_n_stride: tl.tensor,
    x_inner_stride: tl.tensor,
    dy_outer_stride: tl.tensor,
    dy_n_stride: tl.tensor,
    dy_inner_stride: tl.tensor,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_inside = row < rows
    x_row = x_ptr + (row // inner) * x_outer_stride + (row % inner) * x_inner_stride
    dy_row = dy_ptr + (row // inner) * dy_outer_stride + (row % inner) * dy_inner_stride
    dx_row = dx_ptr + (row // inner) * n * inner + row % inner
    shift, total = online_normaliser(x_row, row_inside, n, x_n_stride, False, COMPUTE, ROWS, COLS)
    dy_sum = tl.zeros([ROWS], COMPUTE)
    for start in range(0, n, COLS):
        col = start + tl.arange(0, COLS).to(tl.int64)
        inside = row_inside[:, None] & (col < n)[None, :]
        dy = tl.load(dy_row[:, None] + col[None, :] * dy_n_stride, mask=inside, other=0.0).to(COMPUTE)
        dy_sum += tl.sum(dy, axis=1)
    for start in range(0, n, COLS):
        col = start + tl.arange(0, COLS).to(tl.int64)
        inside = row_inside[:, None] & (col < n)[None, :]
        x = tl.load(x_row[:, None] + col[None, :] * x_n_stride, mask=inside, other=0.0).to(COMPUTE)
        dy = tl.load(dy_row[:, None] + col[None, :] * dy_n_stride, mask=inside, other=0.0).to(COMPUTE)
        dx = dy - tl.exp(x - shift[:, None]) / total[:, None] * dy_sum[:, None]
        tl.store(dx_row[:, None] + col[None, :] * inner, dx.to(dx_ptr.dtype.element_ty), mask=inside)


@tuned("ROWS", "COLS")
@jit
def _logsumexp_forward_kernel(
    x_ptr: tl.tensor,
    y_ptr: tl.tensor,
    rows: tl.tensor,
    n: tl.tensor,
    inner: tl.tensor,
    x_outer_stride: tl.tensor,
    x_n_stride: tl.tensor,
    x_inner_stride: tl.tensor,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_inside = row < rows
    x_row = x_ptr + (row // inner) * x_outer_stride + (row % inner) * x_inner_stride
    shift, total = online_normaliser(x_row, row_inside, n, x_n_stride, True, COMPUTE, ROWS, COLS)
    tl.store(y_ptr + row, shift + tl.log(total), mask=row_inside)


@tuned("ROWS", "COLS")
@jit
def _logsumexp_backward_kernel(
    x_ptr: tl.tensor,
    y_ptr: tl.tensor,
    dy_ptr: tl.tensor,
    dx_ptr: tl.tensor,
    rows: tl.tensor,
    n: tl.tensor,
    inner: tl.tensor,
    x_outer_stride: tl.tensor,
    x_n_stride: tl.tensor,
    x_inner_stride: tl.tensor,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_inside = row < rows
    x_row = x_ptr + (row // inner) * x_outer_stride + (row % inner) * x_inner_stride
    dx_row = dx_ptr + (row // inner) * n * inner + row % inner
    y = tl.load(y_ptr + row, mask=row_inside, other=0.0)
    dy = tl.load(dy_ptr + row, mask=row_inside, other=0.0)
    for start in range(0, n, COLS):
        col = start + tl.arange(0, COLS).to(tl.int64)
        inside = row_inside[:, None] & (col < n)[None, :]
        x = tl.load(x_row[:, None] + col[None, :] * x_n_stride, mask=inside, other=0.0).to(COMPUTE)
        dx = tl.exp(x - y[:, None]) * dy[:, None]
        tl.store(dx_row[:, None] + col[None, :] * inner, dx.to(dx_ptr.dtype.element_ty), mask=inside)


def log_softmax_forward(x: torch.Tensor, dim: int) -> torch.Tensor:
    """log-softmax of `x` along the non-negative `dim`, contiguous, in the dtype of `x`."""
    return run_along(_log_softmax_forward_kernel, dim, x)


def log_softmax_backward(dy: torch.Tensor, x: torch.Tensor, dim: int) -> torch.Tensor:
    """The gradient with respect to `x` given the cotangent `dy`; softmax(x) is computed again."""
    return run_along(_log_softmax_backward_kernel, dim, x, dy)


def logsumexp_forward(x: torch.Tensor, dim: int) -> torch.Tensor:
    """log Σ exp(x) along the non-negative `dim`, which is kept with size 1, contiguous, float32 at least."""
    check_tensors(x)
    shape = (*x.shape[:dim], 1, *x.shape[dim + 1 :]) if x.ndim else ()
    y = torch.full(shape, -torch.inf, dtype=torch.promote_types(x.dtype, torch.float32), device=x.device)
    if x.numel() == 0:
        return y
    x = slices_of(x, dim)
    outer, n, inner = x.shape
    programs, constants = launch_geometry(x)
    with kernel_launch(x):
        _logsumexp_forward_kernel[(programs,)](x, y, outer * inner, n, inner, *x.stride(), **constants)
    return y


def logsumexp_backward(dy: torch.Tensor, x: torch.Tensor, y: torch.Tensor, dim: int) -> torch.Tensor:
    """The gradient with respect to `x` of the `y` that `logsumexp_forward` gave."""
    check_tensors(x)
    dx = torch.empty_like(x, memory_format=torch.contiguous_format)
    if x.numel() == 0:
        return dx
    x = slices_of(x, dim)
    outer, n, inner = x.shape
    programs, constants = launch_geometry(x)
    with kernel_launch(x):
        _logsumexp_backward_kernel[(programs,)](
            x, y.contiguous(), dy.contiguous(), dx, outer * inner, n, inner, *x.stride(), **constants
        )
    return dx
