"""The Triton kernel of rotary position encoding, which with the angles negated is that of its gradient.

Features of any layout are read through four strides, cosines and sines as well, so that one table serves all heads
without a copy. Pairs are halves or neighbours; features after the pairs are copied.
"""

import torch

from .triton_runtime import INTERPRETED, check_tensors, jit, kernel_launch, next_power_of_2, tl, tuned


@tuned("ROWS", "COLS")
@jit
def _kernel(
    x_ptr: tl.tensor,
    cosine_ptr: tl.tensor,
    sine_ptr: tl.tensor,
    y_ptr: tl.tensor,
    rows: tl.tensor,
    heads: tl.tensor,
    positions: tl.tensor,
    d: tl.tensor,
    pairs: tl.tensor,
    x_b: tl.tensor,
    x_h: tl.tensor,
    x_n: tl.tensor,
    x_d: tl.tensor,
    angle_b: tl.tensor,
    angle_h: tl.tensor,
    angle_n: tl.tensor,
    angle_c: tl.tensor,
    INTERLEAVED: tl.constexpr,
    BACK: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    COLS: tl.constexpr,
) -> None:
    row = (tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS))[:, None]
    n = row % positions
    h = row // positions % heads
    b = row // positions // heads
    x_row = x_ptr + b * x_b + h * x_h + n * x_n
    angle = b * angle_b + h * angle_h + n * angle_n
    y_row = y_ptr + row * d
    for start in range(0, pairs, COLS):
        c = (start + tl.arange(0, COLS).to(tl.int64))[None, :]
        inside = (row < rows) & (c < pairs)
        first = c
        second = c + pairs
        if INTERLEAVED:
            first = 2 * c
            second = 2 * c + 1
        cosine = tl.load(cosine_ptr + angle + c * angle_c, mask=inside, other=0.0)
        sine = tl.load(sine_ptr + angle + c * angle_c, mask=inside, other=0.0)
        if BACK:
            sine = -sine
        x1 = tl.load(x_row + first * x_d, mask=inside, other=0.0).to(COMPUTE)
        x2 = tl.load(x_row + second * x_d, mask=inside, other=0.0).to(COMPUTE)
        tl.store(y_row + first, (x1 * cosine - x2 * sine).to(y_ptr.dtype.element_ty), mask=inside)
        tl.store(y_row + second, (x1 * sine + x2 * cosine).to(y_ptr.dtype.element_ty), mask=inside)
    for start in range(2 * pairs, d, COLS):
        c = (start + tl.arange(0, COLS).to(tl.int64))[None, :]
        inside = (row < rows) & (c < d)
        tl.store(y_row + c, tl.load(x_row + c * x_d, mask=inside), mask=inside)


def _in_four(x: torch.Tensor) -> torch.Tensor:
    """(..., n, d) as (B, H, n, d): a view where its strides allow it, else a copy."""
    leading = x.shape[:-2]
    heads = leading[-1] if leading else 1
    return x.reshape(leading[:-1].numel(), heads, *x.shape[-2:])


def rotate(
    x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, interleaved: bool, back: bool = False
) -> torch.Tensor:
    """`x` (..., n, d), contiguous, rotated by angles given by cosine and sine, float32 at least, (..., n, h) or less.

    `back` rotates by the negated angles.
    """
    check_tensors(x, cosine, sine)
    y = torch.empty_like(x, memory_format=torch.contiguous_format)
    if x.numel() == 0:
        return y
    pairs = cosine.shape[-1]
    wide = _in_four(x)
    cosine, sine = (_in_four(angle.contiguous().expand(*x.shape[:-1], pairs)) for angle in (cosine, sine))
    batch, heads, positions, d = wide.shape
    rows = batch * heads * positions
    cols = min(next_power_of_2(pairs), 16 if INTERPRETED else 128)
    tile = max(1, min(next_power_of_2(rows), (1 << (11 if INTERPRETED else 10)) // cols))
    with kernel_launch(x):
        _kernel[(-(-rows // tile),)](
            wide,
            cosine,
            sine,
            y,
            rows,
            heads,
            positions,
            d,
            pairs,
            *wide.stride(),
            *cosine.stride(),
            INTERLEAVED=interleaved,
            BACK=back,
            COMPUTE=tl.float64 if x.dtype is torch.float64 else tl.float32,
            ROWS=tile,
            COLS=cols,
            # Stated because Triton warns about its default; every error bound holds with fused operations.
            enable_fp_fusion=True,
        )
    return y
