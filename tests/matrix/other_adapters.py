"""Smaller libraries: x-transformers and attention-gym."""

from __future__ import annotations

from typing import Any

import torch
from lemmata.tests.matrix.adapting import refuse, refuse_rows_without_keys, without_gradient
from torch import Tensor


def x_transformers_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """`Attend` of x-transformers; grouped keys and values are repeated, as its `Attention` does."""
    from x_transformers.attend import Attend

    refuse_rows_without_keys(attn_mask, key)
    refuse(is_causal and query.shape[-2] != key.shape[-2], "aligned at the last query")
    group = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(group, 1) for x in (key, value))
    mask = bias = None
    if attn_mask is not None:
        full = attn_mask.expand(*query.shape[:-1], key.shape[-2])
        mask, bias = (full, None) if attn_mask.dtype == torch.bool else (None, full)
    return Attend(causal=is_causal, scale=scale)(query, key, value, mask=mask, attn_bias=bias)[0]


def x_transformers_rope(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Any:
    """`apply_rotary_pos_emb` of x-transformers, whose angles are in the dtype of the positions: float32 here."""
    from x_transformers.x_transformers import apply_rotary_pos_emb

    refuse(not interleaved, "pairs are neighbours")
    refuse(not x.numel() or not omega.numel(), "an argument has no elements")
    angles = (pos.double()[..., None] * omega.double()).to(torch.promote_types(x.dtype, torch.float32))
    freqs = angles.repeat_interleave(2, -1).reshape(-1, pos.shape[-1], 2 * omega.shape[-1])
    flat = x.reshape(-1, 1, *x.shape[-2:])
    return apply_rotary_pos_emb(flat, freqs).reshape(x.shape)


def attn_gym_softcap(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cap: float,
    *,
    keep: Tensor | None = None,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Any:
    """`generate_tanh_softcap` of attention-gym under `flex_attention`, not compiled: values only."""
    from attn_gym.mods import generate_tanh_softcap
    from torch.nn.attention.flex_attention import AuxRequest, flex_attention

    q, k, v, bias = without_gradient(q, k, v, bias)
    refuse(not all(x.numel() for x in (q, k, v)), "an argument has no elements")
    r, n, d = q.shape[-3:]
    flat_q, flat_k, flat_v = q.reshape(-1, r, n, d), k.reshape(-1, 1, *k.shape[-2:]), v.reshape(-1, 1, *v.shape[-2:])
    keep = None if keep is None else keep.reshape(-1, r, n, k.shape[-2])
    bias = None if bias is None else bias.reshape(-1, r, n, k.shape[-2])
    capped = generate_tanh_softcap(cap)

    def score_mod(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
        score = capped(score, b, h, i, j)
        score = score if bias is None else score + bias[b, h, i, j]
        return score if keep is None else torch.where(keep[b, h, i, j], score, -torch.inf)

    out, aux = flex_attention(
        flat_q, flat_k, flat_v, score_mod, scale=scale, enable_gqa=True, return_aux=AuxRequest(lse=True)
    )
    assert aux.lse is not None
    return out.reshape(*q.shape[:-1], v.shape[-1]), aux.lse.to(q.dtype).reshape(q.shape[:-1])
