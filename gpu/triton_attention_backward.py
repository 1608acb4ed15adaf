"""The backward Triton kernels of scaled dot product attention.

Dao 2023, "FlashAttention-2", Algorithm 2, in three kernels that each own what they write, so that no
atomic additions are needed and gradients are deterministic: D = rowsum(do∘o) − dlse; dk and dv for a
block of keys, over all queries of all heads in the group; dq for a block of queries, over all keys.
"""

from typing import Any

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

# Queries of a program of the kernel that takes a row at a time.
_ROWS = 64


@jit
def _row_term_kernel(
    o_ptr: tl.tensor,
    do_ptr: tl.tensor,
    dlse_ptr: tl.tensor,
    row_term_ptr: tl.tensor,
    heads: tl.tensor,
    queries: tl.tensor,
    value_dim: tl.tensor,
    do_b: tl.tensor,
    do_h: tl.tensor,
    do_s: tl.tensor,
    do_d: tl.tensor,
    dlse_b: tl.tensor,
    dlse_h: tl.tensor,
    dlse_s: tl.tensor,
    BLOCK_Q: tl.constexpr,
    BLOCK_V: tl.constexpr,
) -> None:
    blocks = tl.cdiv(queries, BLOCK_Q)
    bh = (tl.program_id(0) // blocks).to(tl.int64)
    b = bh // heads
    h = bh % heads
    query = (tl.program_id(0) % blocks * BLOCK_Q + tl.arange(0, BLOCK_Q)).to(tl.int64)
    dv = tl.arange(0, BLOCK_V).to(tl.int64)[None, :]
    o = load_tile(o_ptr + bh * queries * value_dim, query[:, None], dv, value_dim, 1, queries, value_dim)
    do = load_tile(do_ptr + b * do_b + h * do_h, query[:, None], dv, do_s, do_d, queries, value_dim)
    dlse = tl.load(dlse_ptr + b * dlse_b + h * dlse_h + query * dlse_s, mask=query < queries, other=0.0)
    row_term = tl.sum(o.to(tl.float32) * do.to(tl.float32), axis=1) - dlse
    tl.store(row_term_ptr + bh * queries + query, row_term, mask=query < queries)


@jit
def _weights_and_gradient(s: tl.tensor, dp: tl.tensor, lse: tl.tensor, row_term: tl.tensor, allowed: tl.tensor) -> Any:
    """p = exp(s − lse) and ds = p∘(dp − D), exactly zero where a key is not seen, even in a row of NaN."""
    p = tl.where(allowed, tl.exp(s - tl.where(lse == -float("inf"), 0.0, lse)), 0.0)
    return p, tl.where(allowed, p * (dp - row_term), 0.0)


@tuned(*TILED_BY, launches=TILES)
@jit
def _key_value_kernel(
    q_ptr: tl.tensor,
    k_ptr: tl.tensor,
    v_ptr: tl.tensor,
    mask_ptr: tl.tensor,
    do_ptr: tl.tensor,
    lse_ptr: tl.tensor,
    row_term_ptr: tl.tensor,
    dk_ptr: tl.tensor,
    dv_ptr: tl.tensor,
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
    do_b: tl.tensor,
    do_h: tl.tensor,
    do_s: tl.tensor,
    do_d: tl.tensor,
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
    blocks = tl.cdiv(keys, BLOCK_K)
    block = tl.program_id(0) % blocks
    b_kv_h = (tl.program_id(0) // blocks).to(tl.int64)
    kv_heads = heads // group
    b = b_kv_h // kv_heads
    kv_h = b_kv_h % kv_heads
    # Tiles are transposed, keys by queries: the products then sum over queries without moving the weights.
    key = (block * BLOCK_K + tl.arange(0, BLOCK_K)).to(tl.int64)[:, None]
    d = tl.arange(0, BLOCK_D).to(tl.int64)[None, :]
    d_value = tl.arange(0, BLOCK_V).to(tl.int64)[None, :]
    k = load_tile(k_ptr + b * k_b + kv_h * k_h, key, d, k_s, k_d, keys, head_dim)
    v = load_tile(v_ptr + b * v_b + kv_h * v_h, key, d_value, v_s, v_d, keys, value_dim)
    dk = tl.zeros([BLOCK_K, BLOCK_D], tl.float32)
    dv = tl.zeros([BLOCK_K, BLOCK_V], tl.float32)
    begin = 0
    if CAUSAL:
        # Queries before the first key of the block see none of it.
        begin = block * BLOCK_K // BLOCK_Q * BLOCK_Q
    end = queries
    if WINDOW:
        # Queries whose window begins after the last key of the block see none of it.
        end = tl.minimum(queries, (block + 1) * BLOCK_K + window - 1)
    for member in range(group):
        h = kv_h * group + member
        q_base = q_ptr + b * q_b + h * q_h
        do_base = do_ptr + b * do_b + h * do_h
        mask_base = mask_ptr + b * mask_b + h * mask_h
        rows = (b * heads + h) * queries
        for start in range(begin, end, BLOCK_Q):
            query = start + tl.arange(0, BLOCK_Q).to(tl.int64)
            q = load_tile(q_base, query[:, None], d, q_s, q_d, queries, head_dim)
            do = load_tile(do_base, query[:, None], d_value, do_s, do_d, queries, value_dim)
            lse = tl.load(lse_ptr + rows + query, mask=query < queries, other=0.0)[None, :]
            row_term = tl.load(row_term_ptr + rows + query, mask=query < queries, other=0.0)[None, :]
            sT = tl.dot(k, tl.trans(q), input_precision=PRECISION) * scale
            if CAP:
                sT, slope = capped(sT, cap)
            sT, allowed = masked_scores(
                sT, query[None, :], key, mask_base, mask_q, mask_k, queries, keys, window, MASK, CAUSAL, WINDOW
            )
            dpT = tl.dot(v, tl.trans(do), input_precision=PRECISION)
            pT, dsT = _weights_and_gradient(sT, dpT, lse, row_term, allowed)
            if CAP:
                dsT = tl.where(allowed, dsT * slope, 0.0)
            dv = masked_dot(pT, allowed, do, dv, PRECISION)
            dk = masked_dot(dsT, allowed, q, dk, PRECISION)
    row = b_kv_h * keys + key
    dk = (dk * scale).to(dk_ptr.dtype.element_ty)
    tl.store(dk_ptr + row * head_dim + d, dk, mask=(key < keys) & (d < head_dim))
    dv = dv.to(dv_ptr.dtype.element_ty)
    tl.store(dv_ptr + row * value_dim + d_value, dv, mask=(key < keys) & (d_value < value_dim))


@tuned(*TILED_BY, launches=TILES)
@jit
def _query_kernel(
    q_ptr: tl.tensor,
    k_ptr: tl.tensor,
    v_ptr: tl.tensor,
    mask_ptr: tl.tensor,
    do_ptr: tl.tensor,
    lse_ptr: tl.tensor,
    row_term_ptr: tl.tensor,
    dq_ptr: tl.tensor,
    ds_ptr: tl.tensor,
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
    do_b: tl.tensor,
    do_h: tl.tensor,
    do_s: tl.tensor,
    do_d: tl.tensor,
    STORE_DS: tl.constexpr,
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
    query = (block * BLOCK_Q + tl.arange(0, BLOCK_Q)).to(tl.int64)[:, None]
    d = tl.arange(0, BLOCK_D).to(tl.int64)[None, :]
    d_value = tl.arange(0, BLOCK_V).to(tl.int64)[None, :]
    row = bh * queries + query
    k_base = k_ptr + b * k_b + kv_h * k_h
    v_base = v_ptr + b * v_b + kv_h * v_h
    mask_base = mask_ptr + b * mask_b + h * mask_h
    q = load_tile(q_ptr + b * q_b + h * q_h, query, d, q_s, q_d, queries, head_dim)
    do = load_tile(do_ptr + b * do_b + h * do_h, query, d_value, do_s, do_d, queries, value_dim)
    lse = tl.load(lse_ptr + row, mask=query < queries, other=0.0)
    row_term = tl.load(row_term_ptr + row, mask=query < queries, other=0.0)
    dq = tl.zeros([BLOCK_Q, BLOCK_D], tl.float32)
    begin = 0
    end = keys
    if CAUSAL:
        end = tl.minimum(keys, (block + 1) * BLOCK_Q)
    if WINDOW:
        begin = tl.maximum(0, block * BLOCK_Q + 1 - window) // BLOCK_K * BLOCK_K
    for start in range(begin, end, BLOCK_K):
        key = start + tl.arange(0, BLOCK_K).to(tl.int64)
        k = load_tile(k_base, key[:, None], d, k_s, k_d, keys, head_dim)
        v = load_tile(v_base, key[:, None], d_value, v_s, v_d, keys, value_dim)
        s = tl.dot(q, tl.trans(k), input_precision=PRECISION) * scale
        if CAP:
            s, slope = capped(s, cap)
        s, allowed = masked_scores(
            s, query, key[None, :], mask_base, mask_q, mask_k, queries, keys, window, MASK, CAUSAL, WINDOW
        )
        dp = tl.dot(do, tl.trans(v), input_precision=PRECISION)
        _, ds = _weights_and_gradient(s, dp, lse, row_term, allowed)
        if STORE_DS:
            tl.store(ds_ptr + row * keys + key[None, :], ds, mask=allowed)
        if CAP:
            ds = tl.where(allowed, ds * slope, 0.0)
        dq = masked_dot(ds, allowed, k, dq, PRECISION)
    dq = (dq * scale).to(dq_ptr.dtype.element_ty)
    tl.store(dq_ptr + row * head_dim + d, dq, mask=(query < queries) & (d < head_dim))


def attention_backward(
    d_output: torch.Tensor,
    d_lse: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    output: torch.Tensor,
    lse: torch.Tensor,
    is_causal: bool,
    scale: float,
    softcap: float,
    window: int,
    mask_gradient: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of query, key, value and mask; that of the mask is empty unless `mask_gradient`.

    `output` and `lse` are contiguous, as `attention_forward` returns them.
    """
    check_tensors(query, key, value, mask, d_output)
    B, Hq, Sq, D = query.shape
    Hkv, Sk, Dv = value.shape[1:]
    dq, dk, dv = query.new_zeros(query.shape), key.new_zeros(key.shape), value.new_zeros(value.shape)
    wanted = mask is not None and mask_gradient
    ds = lse.new_zeros((B, Hq, Sq, Sk) if wanted else (0,))
    if B * Hq * Sq * Sk > 0:
        mask_data, mask_strides, mask_kind = mask_arguments(mask, (B, Hq, Sq, Sk), query)
        row_term = torch.empty_like(lse)
        heads = head_constants(D, Dv)
        sizes = (scale, softcap, window, Hq, Hq // Hkv, Sq, Sk, D, Dv)
        strides = (*query.stride(), *key.stride(), *value.stride(), *mask_strides, *d_output.stride())
        inputs = (query, key, value, mask_data, d_output, lse, row_term)
        constants: dict[str, Any] = {
            "MASK": mask_kind,
            "CAUSAL": is_causal,
            "CAP": softcap > 0,
            "WINDOW": window > 0,
            "PRECISION": precision(query.dtype),
            **heads,
            **tile_constants(Sq, Sk),
        }
        with kernel_launch(query):
            _row_term_kernel[(-(-Sq // _ROWS) * B * Hq,)](
                output,
                d_output,
                d_lse,
                row_term,
                Hq,
                Sq,
                Dv,
                *d_output.stride(),
                *d_lse.stride(),
                BLOCK_Q=_ROWS,
                BLOCK_V=heads["BLOCK_V"],
                enable_fp_fusion=True,
            )
            _key_value_kernel[lambda launch: (-(-Sk // launch["BLOCK_K"]) * B * Hkv,)](
                *inputs, dk, dv, *sizes, *strides, **constants
            )
            _query_kernel[lambda launch: (-(-Sq // launch["BLOCK_Q"]) * B * Hq,)](
                *inputs, dq, ds, *sizes, *strides, STORE_DS=wanted, **constants
            )
    if mask is None or not wanted:
        return dq, dk, dv, ds
    return dq, dk, dv, ds.sum_to_size(mask.shape).to(mask.dtype)
