"""What the forward and backward Triton attention kernels share: masking, products under a mask, block sizes."""

from typing import Any

import torch

from .triton_runtime import INTERPRETED, Launch, jit, next_power_of_2, tl

# How a kernel reads its mask.
NO_MASK, BOOLEAN_MASK, ADDITIVE_MASK = 0, 1, 2


# Tiles of queries by keys. What they hold shrinks as the heads grow, so that at least the last ones stay within the
# 99 KiB of shared memory that a block may use on every GPU since compute capability 8.0.
TILES = tuple(
    Launch({"BLOCK_Q": queries, "BLOCK_K": keys}, warps, stages)
    for queries, keys, warps, stages in (
        (128, 128, 8, 2),
        (128, 64, 8, 2),
        (128, 64, 4, 2),
        (64, 64, 4, 2),
        (64, 64, 4, 1),
        (64, 32, 4, 1),
        (32, 32, 4, 1),
        (16, 16, 4, 1),
    )
)
# What the tuner chooses by: the shape of the heads, what is masked, and how long the sequences are.
TILED_BY = ("BLOCK_D", "BLOCK_V", "MASK", "CAUSAL", "WINDOW", "LENGTH")
# Where kernels are interpreted, a tile is small, so that what passes from one to the next shows in small cases.
_INTERPRETED_TILE = {"BLOCK_Q": 64, "BLOCK_K": 32}


def head_constants(head_dim: int, value_dim: int) -> dict[str, int]:
    """Head dimensions as a kernel holds them: a product on the tensor cores needs at least 16."""
    return {"BLOCK_D": max(16, next_power_of_2(head_dim)), "BLOCK_V": max(16, next_power_of_2(value_dim))}


def tile_constants(queries: int, keys: int) -> dict[str, Any]:
    """The launch arguments of a tiled kernel that the tuner does not choose, for sequences of these lengths."""
    constants = {
        # To the next power of eight, so that it is not tuned for every length.
        "LENGTH": 1 << -(-max(queries, keys, 1).bit_length() // 3) * 3,
        # Stated because Triton warns about its default; every error bound holds with fused operations.
        "enable_fp_fusion": True,
    }
    return constants | _INTERPRETED_TILE if INTERPRETED else constants


def precision(dtype: torch.dtype) -> str:
    """The `input_precision` of products whose weights are float32 and whose other operand has dtype `dtype`.

    TF32 has float16's significand, and a longer one than bfloat16's, with float32's exponents: it holds
    every number of both, and small weights do not underflow as they would in float16.
    """
    return "ieee" if dtype is torch.float32 else "tf32"


def mask_arguments(
    mask: torch.Tensor | None, shape: tuple[int, int, int, int], unused: torch.Tensor
) -> tuple[torch.Tensor, tuple[int, ...], int]:
    """The mask as a kernel takes it: memory, strides over (B, Hq, Sq, Sk), and one of the kinds above."""
    if mask is None:
        return unused, (0, 0, 0, 0), NO_MASK
    if mask.dtype is torch.bool:
        return mask.view(torch.uint8), mask.expand(shape).stride(), BOOLEAN_MASK
    return mask, mask.expand(shape).stride(), ADDITIVE_MASK


@jit
def load_tile(
    base: tl.tensor,
    row: tl.tensor,
    col: tl.tensor,
    row_stride: tl.tensor,
    col_stride: tl.tensor,
    rows: tl.tensor,
    cols: tl.tensor,
) -> Any:
    """base[row, col] for column vectors of rows and row vectors of columns, 0 outside (rows, cols)."""
    return tl.load(base + row * row_stride + col * col_stride, mask=(row < rows) & (col < cols), other=0.0)


@jit
def capped(s: tl.tensor, cap: tl.tensor) -> Any:
    """cap·tanh(s/cap), and its derivative.

    With e = exp(−2|u|), tanh|u| is (1 − e)/(1 + e), and its series where 1 − e would cancel; 1 − tanh² is 4e/(1 + e)².
    """
    u = s / cap
    a = tl.abs(u)
    e = tl.exp(-2.0 * a)
    far = (1.0 - e) / (1.0 + e)
    square = u * u
    tail = 2.0 / 15.0 + square * (-17.0 / 315.0 + square * (62.0 / 2835.0))
    near = a * (1.0 + square * (-1.0 / 3.0 + square * tail))
    size = tl.where(a < 0.25, near, far)
    slope = 4.0 * e / ((1.0 + e) * (1.0 + e))
    return cap * tl.where(u < 0, -size, size), slope


@jit
def masked_scores(
    s: tl.tensor,
    query: tl.tensor,
    key: tl.tensor,
    mask_base: tl.tensor,
    mask_query_stride: tl.tensor,
    mask_key_stride: tl.tensor,
    queries: tl.tensor,
    keys: tl.tensor,
    window: tl.tensor,
    MASK: tl.constexpr,
    CAUSAL: tl.constexpr,
    WINDOW: tl.constexpr,
) -> Any:
    """Scores with the mask applied, -inf where a key is not seen, and where it is.

    `query` and `key` are the positions of the scores, one a row and one a column vector in either order.
    Scores are replaced, not added to, so a NaN of a masked key does not stay.
    """
    allowed = (query < queries) & (key < keys)
    if CAUSAL:
        allowed = allowed & (key <= query)
    if WINDOW:
        allowed = allowed & (key > query - window)
    if MASK == 1:
        entry = tl.load(mask_base + query * mask_query_stride + key * mask_key_stride, mask=allowed, other=0)
        allowed = allowed & (entry != 0)
    if MASK == 2:
        entry = tl.load(mask_base + query * mask_query_stride + key * mask_key_stride, mask=allowed, other=0.0)
        s = s + entry.to(tl.float32)
        allowed = allowed & (entry.to(tl.float32) != -float("inf"))
    return tl.where(allowed, s, -float("inf")), allowed


@jit
def masked_dot(
    weights: tl.tensor, allowed: tl.tensor, values: tl.tensor, total: tl.tensor, PRECISION: tl.constexpr
) -> tl.tensor:
    """total[i] + Σ_j weights[i, j]·values[j] over the j with allowed[i, j]; the other weights are zero.

    A NaN or infinite value must not reach the rows that do not see it, and 0·NaN would. Such values are
    left out of the product; where a row sees one, they are added key by key.
    """
    values = values.to(tl.float32)
    finite = tl.abs(values) < float("inf")
    total = tl.dot(weights, tl.where(finite, values, 0.0), total, input_precision=PRECISION)
    special = tl.sum(tl.where(finite, 0, 1), axis=1)
    seen = tl.where(allowed, 1, 0) * special[None, :]
    if tl.sum(tl.sum(seen, axis=1), axis=0) > 0:
        column = tl.arange(0, values.shape[0])
        for j in range(values.shape[0]):
            weight = tl.sum(tl.where(column[None, :] == j, weights, 0.0), axis=1)
            sees = tl.sum(tl.where(column[None, :] == j, seen, 0), axis=1)
            value = tl.sum(tl.where(column[:, None] == j, values, 0.0), axis=0)
            left_out = (sees > 0)[:, None] & ~(tl.abs(value) < float("inf"))[None, :]
            total += tl.where(left_out, weight[:, None] * value[None, :], 0.0)
    return total
