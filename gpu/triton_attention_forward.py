"""The forward Triton kernel of scaled dot product attention.

Dao 2023, "FlashAttention-2", Algorithm 1: one program per block of queries runs over the blocks of keys
with a running maximum, normaliser and unnormalised output, and divides once at the end.
"""

import torch

from .triton_attention_common import (
    TILED_BY,
    TILES,
    capped,
    head_constants,
    load_tile,
    mask_arguments,
    masked_dot,
    masked_scores,
    precision,
    tile_constants,
)
from .triton_runtime import check_tensors, jit, kernel_launch, tl, tuned


@tuned(*TILED_BY, launches=TILES)
@jit
def _forward_kernel(
    q_ptr: tl.tensor,
    k_ptr: tl.tensor,
    v_ptr: tl.tensor,
    mask_ptr: tl.tensor,
    o_ptr: tl.tensor,
    lse_ptr: tl.tensor,
    scale: tl.tensor,
    cap: tl.tensor,
    window: tl.tensor,
    heads: tl.tensor,
    group: tl.tensor,
    queries: tl.tensor,
    keys: tl.tensor,
    head_dim: tl.tensor,
    value_dim: tl.tensor,
    q_b: tl.tensor,
    q_h: tl.tensor,
    q_s: tl.tensor,
    q_d: tl.tensor,
    k_b: tl.tensor,
    k_h: tl.tensor,
    k_s: tl.tensor,
    k_d: tl.tensor,
    v_b: tl.tensor,
    v_h: tl.tensor,
    v_s: tl.tensor,
    v_d: tl.tensor,
    mask_b: tl.tensor,
    mask_h: tl.tensor,
    mask_q: tl.tensor,
    mask_k: tl.tensor,
    MASK: tl.constexpr,
    CAUSAL: tl.constexpr,
    CAP: tl.constexpr,
    WINDOW: tl.constexpr,
    PRECISION: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_V: tl.constexpr,
    LENGTH: tl.constexpr,
) -> None:
    blocks = tl.cdiv(queries, BLOCK_Q)
    block = tl.program_id(0) % blocks
    bh = (tl.program_id(0) // blocks).to(tl.int64)
    b = bh // heads
    h = bh % heads
    kv_h = h // group
    # 64-bit positions make every offset below 64-bit.
    query = (block * BLOCK_Q + tl.arange(0, BLOCK_Q)).to(tl.int64)[:, None]
    d = tl.arange(0, BLOCK_D).to(tl.int64)
    dv = tl.arange(0, BLOCK_V).to(tl.int64)[None, :]
    k_base = k_ptr + b * k_b + kv_h * k_h
    v_base = v_ptr + b * v_b + kv_h * v_h
    mask_base = mask_ptr + b * mask_b + h * mask_h
    q = load_tile(q_ptr + b * q_b + h * q_h, query, d[None, :], q_s, q_d, queries, head_dim)
    maximum = tl.full([BLOCK_Q], -float("inf"), tl.float32)
    total = tl.zeros([BLOCK_Q], tl.float32)
    output = tl.zeros([BLOCK_Q, BLOCK_V], tl.float32)
    begin = 0
    end = keys
    if CAUSAL:
        end = tl.minimum(keys, (block + 1) * BLOCK_Q)
    if WINDOW:
        # Keys before the window of the first query of the block are seen by none of it.
        begin = tl.maximum(0, block * BLOCK_Q + 1 - window) // BLOCK_K * BLOCK_K
    for start in range(begin, end, BLOCK_K):
        key = start + tl.arange(0, BLOCK_K).to(tl.int64)
        kT = load_tile(k_base, d[:, None], key[None, :], k_d, k_s, head_dim, keys)
        s = tl.dot(q, kT, input_precision=PRECISION) * scale
        if CAP:
            s, _ = capped(s, cap)
        s, allowed = masked_scores(
            s, query, key[None, :], mask_base, mask_q, mask_k, queries, keys, window, MASK, CAUSAL, WINDOW
        )
        # NaN scores are left to the normaliser: how a maximum treats them differs between Triton versions.
        new_maximum = tl.maximum(maximum, tl.max(tl.where(s == s, s, -float("inf")), axis=1))
        # While a query has seen no key, its maximum is replaced by 0: -inf - (-inf) would be NaN.
        shift = tl.where(new_maximum == -float("inf"), 0.0, new_maximum)
        p = tl.exp(s - shift[:, None])
        rescale = tl.exp(maximum - shift)
        total = total * rescale + tl.sum(p, axis=1)
        v = load_tile(v_base, key[:, None], dv, v_s, v_d, keys, value_dim)
        output = masked_dot(p, allowed, v, output * rescale[:, None], PRECISION)
        maximum = new_maximum
    divisor = tl.where(total == 0, 1.0, total)
    output = output / divisor[:, None]
    lse = tl.where(total == 0, -float("inf"), maximum + tl.log(divisor))
    row = bh * queries + query
    tl.store(
        o_ptr + row * value_dim + dv,
        output.to(o_ptr.dtype.element_ty),
        mask=(query < queries) & (dv < value_dim),
    )
    tl.store(lse_ptr + row, lse[:, None], mask=query < queries)


def attention_forward(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    is_causal: bool,
    scale: float,
    softcap: float,
    window: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output (B, Hq, Sq, Dv) and float32 lse (B, Hq, Sq) of an `AttentionProblem`, both contiguous."""
    check_tensors(query, key, value, mask)
    B, Hq, Sq, D = query.shape
    Hkv, Sk, Dv = value.shape[1:]
    output = query.new_zeros(B, Hq, Sq, Dv)
    lse = query.new_full((B, Hq, Sq), -torch.inf, dtype=torch.float32)
    if B * Hq * Sq * Sk == 0:
        return output, lse
    mask_data, mask_strides, mask_kind = mask_arguments(mask, (B, Hq, Sq, Sk), query)
    with kernel_launch(query):
        _forward_kernel[lambda launch: (-(-Sq // launch["BLOCK_Q"]) * B * Hq,)](
            query,
            key,
            value,
            mask_data,
            output,
            lse,
            scale,
            softcap,
            window,
            Hq,
            Hq // Hkv,
            Sq,
            Sk,
            D,
            Dv,
            *query.stride(),
            *key.stride(),
            *value.stride(),
            *mask_strides,
            MASK=mask_kind,
            CAUSAL=is_causal,
            CAP=softcap > 0,
            WINDOW=window > 0,
            PRECISION=precision(query.dtype),
            **head_constants(D, Dv),
            **tile_constants(Sq, Sk),
        )
    return output, lse
