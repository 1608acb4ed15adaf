"""Triton kernels for the softmax along one dimension and its gradient.

A tensor is seen as (outer, n, inner) with the softmax along n, so any dimension of any layout is read
through three strides. The maximum and the normaliser are found in one pass (online normaliser
calculation: Milakov & Gimelshein 2018, "Online normalizer calculation for softmax", Algorithm 3).
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


@jit
def row_maximum(running: tl.tensor, tile: tl.tensor) -> Any:
    # A NaN is left to the normaliser, which it always reaches: how a maximum treats NaN differs between
    # Triton versions, and between compiled and interpreted kernels.
    return tl.maximum(running, tl.max(tl.where(tile == tile, tile, -float("inf")), axis=1))


@jit
def finite_shift(maximum: tl.tensor, INFINITE: tl.constexpr) -> Any:
    """What is subtracted before the exponential: the maximum, and 0 for -inf, as -inf - (-inf) is NaN.

    +inf stays, which makes a whole slice NaN, unless INFINITE: then it is replaced by 0, too, and the sum is +inf.
    """
    replaced = maximum == -float("inf")
    if INFINITE:
        replaced = tl.abs(maximum) == float("inf")
    return tl.where(replaced, 0.0, maximum)


@jit
def online_normaliser(
    x_row: tl.tensor,
    row_inside: tl.tensor,
    n: tl.tensor,
    x_n_stride: tl.tensor,
    INFINITE: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> Any:
    """The shift of each row and Σ exp(x - shift), in one pass."""
    maximum = tl.full([ROWS], -float("inf"), COMPUTE)
    total = tl.zeros([ROWS], COMPUTE)
    for start in range(0, n, COLS):
        col = start + tl.arange(0, COLS).to(tl.int64)
        inside = row_inside[:, None] & (col < n)[None, :]
        x = tl.load(x_row[:, None] + col[None, :] * x_n_stride, mask=inside, other=-float("inf")).to(COMPUTE)
        new_maximum = row_maximum(maximum, x)
        # While a row holds only -inf its shift is 0.
        shift = finite_shift(new_maximum, INFINITE)
        total = total * tl.exp(maximum - shift) + tl.sum(tl.exp(x - shift[:, None]), axis=1)
        maximum = new_maximum
    return finite_shift(maximum, INFINITE), total


@tuned("ROWS", "COLS")
@jit
def _softmax_forward_kernel(
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
    for start in range(0, n, COLS):
        col = start + tl.arange(0, COLS).to(tl.int64)
        inside = row_inside[:, None] & (col < n)[None, :]
        x = tl.load(x_row[:, None] + col[None, :] * x_n_stride, mask=inside, other=-float("inf")).to(COMPUTE)
        y = tl.exp(x - shift[:, None]) / total[:, None]
        tl.store(y_row[:, None] + col[None, :] * inner, y.to(y_ptr.dtype.element_ty), mask=inside)


@tuned("ROWS", "COLS")
@jit
def _softmax_backward_kernel(
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
    maximum = tl.full([ROWS], -float("inf"), COMPUTE)
    total = tl.zeros([ROWS], COMPUTE)
    weighted = tl.zeros([ROWS], COMPUTE)
    # Σ exp(x - m)·dy is rescaled as the maximum grows, exactly like the normaliser beside it.
    for start in range(0, n, COLS):
        col = start + tl.arange(0, COLS).to(tl.int64)
        inside = row_inside[:, None] & (col < n)[None, :]
        x = tl.load(x_row[:, None] + col[None, :] * x_n_stride, mask=inside, other=-float("inf")).to(COMPUTE)
        dy = tl.load(dy_row[:, None] + col[None, :] * dy_n_stride, mask=inside, other=0.0).to(COMPUTE)
        new_maximum = row_maximum(maximum, x)
        shift = finite_shift(new_maximum, False)
        rescale = tl.exp(maximum - shift)
        e = tl.exp(x - shift[:, None])
        total = total * rescale + tl.sum(e, axis=1)
        weighted = weighted * rescale + tl.sum(e * dy, axis=1)
        maximum = new_maximum
    shift = finite_shift(maximum, False)
    mean = weighted / total
    for start in range(0, n, COLS):
        col = start + tl.arange(0, COLS).to(tl.int64)
        inside = row_inside[:, None] & (col < n)[None, :]
        x = tl.load(x_row[:, None] + col[None, :] * x_n_stride, mask=inside, other=-float("inf")).to(COMPUTE)
        dy = tl.load(dy_row[:, None] + col[None, :] * dy_n_stride, mask=inside, other=0.0).to(COMPUTE)
        dx = tl.exp(x - shift[:, None]) / total[:, None] * (dy - mean[:, None])
        tl.store(dx_row[:, None] + col[None, :] * inner, dx.to(dx_ptr.dtype.element_ty), mask=inside)


def softmax_tile(rows: int, n: int, inner: int) -> tuple[int, int]:
    """The (ROWS, COLS) tile, powers of two, for `rows` rows of length `n` whose elements lie `inner` apart.

    Compiled, a tile has at most 4096 elements: a whole row where it fits, so that short rows are read
    once from memory, and several rows together where rows are short or neighbours in memory. Interpreted,
    a tile is one step of NumPy arithmetic: it has more rows, and no long ones.
    """
    limit = 1 << (16 if INTERPRETED else 12)
    # Neighbouring rows are neighbours in memory when inner > 1; 32 of them fill a cache line.
    least_rows = min(next_power_of_2(rows), next_power_of_2(inner), 32)
    cols = min(next_power_of_2(n), LONGEST_INTERPRETED if INTERPRETED else limit // least_rows)
    return min(next_power_of_2(rows), limit // cols), cols


def slices_of(x: torch.Tensor, dim: int) -> torch.Tensor:
    """`x` as (outer, n, inner): a view where its strides allow it, else a copy."""
    outer, inner = 1, 1
    for size in x.shape[:dim]:
        outer *= size
    for size in x.shape[dim + 1 :]:
        inner *= size
    return x.reshape(outer, x.shape[dim] if x.ndim else 1, inner)


def launch_geometry(x: torch.Tensor) -> tuple[int, dict[str, Any]]:
    """How many programs run over (outer, n, inner), and what they are compiled for."""
    outer, n, inner = x.shape
    tile_rows, tile_cols = softmax_tile(outer * inner, n, inner)
    compute = tl.float64 if x.dtype is torch.float64 else tl.float32
    # Fusion is stated because Triton warns about its default; every error bound holds with fused operations.
    constants = {"COMPUTE": compute, "ROWS": tile_rows, "COLS": tile_cols, "enable_fp_fusion": True}
    return -(-outer * inner // tile_rows), constants


def run_along(kernel: Any, dim: int, x: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
    """What a kernel makes of slices along `dim` of tensors of one shape: contiguous, in the shape and dtype of `x`."""
    check_tensors(x, *others)
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    if x.numel() == 0:
        return y
    views = [slices_of(z, dim) for z in (x, *others)]
    outer, n, inner = views[0].shape
    programs, constants = launch_geometry(views[0])
    strides = [stride for view in views for stride in view.stride()]
    with kernel_launch(x):
        kernel[(programs,)](*views, y, outer * inner, n, inner, *strides, **constants)
    return y


def softmax_forward(x: torch.Tensor, dim: int) -> torch.Tensor:
    """softmax of `x` along the non-negative `dim`, contiguous, in the dtype of `x`."""
    return run_along(_softmax_forward_kernel, dim, x)


def softmax_backward(dy: torch.Tensor, x: torch.Tensor, dim: int) -> torch.Tensor:
    """The gradient with respect to `x` given the cotangent `dy`; softmax(x) is computed again."""
    return run_along(_softmax_backward_kernel, dim, x, dy)
