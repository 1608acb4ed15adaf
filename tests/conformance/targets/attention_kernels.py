"""Scaled dot-product attention with its backward written out, step by step, so that a fault can replace one step.

`correct` computes as PyTorch's math backend does, `in_blocks` with an online softmax as FlashAttention does, and
`eager` rounds every intermediate to the dtype of its inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# Keys that the online softmax takes at a time.
BLOCK = 16


def as_given(x: Tensor, name: str) -> Tensor:
    """The tensor as its strides say."""
    return x


def default_scale(head_dim: int, given: float | None) -> float:
    """The scale that was given, or 1/√d."""
    return 1 / math.sqrt(head_dim) if given is None else given


def lower_triangle(queries: int, keys: int) -> Tensor:
    """Query i sees the keys j ≤ i, counted from the first of each."""
    return torch.ones(queries, keys, dtype=torch.bool).tril()


def to_query_heads(x: Tensor, heads: int) -> Tensor:
    """[B, H, …] as [B, H·r, …]: query head h reads the head h // r."""
    return x.repeat_interleave(heads // x.shape[1], 1) if heads != x.shape[1] else x


def by_kv_head(x: Tensor, kv_heads: int) -> Tensor:
    """[B, H·r, …] as [B, H, r, …]."""
    return x.reshape(x.shape[0], kv_heads, x.shape[1] // kv_heads, *x.shape[2:])


def to_kv_heads(gradient: Tensor, kv_heads: int) -> Tensor:
    """The sum over the query heads that share a head of keys and values."""
    return by_kv_head(gradient, kv_heads).sum(2)


def scores(q: Tensor, k: Tensor, scale: float) -> Tensor:
    """scale·qkᵀ."""
    return scale * (q @ k.mT)


def masked(s: Tensor, mask: Tensor | None, visible: Tensor | None) -> Tensor:
    """The scores, with −∞ where a key is not seen."""
    if mask is not None:
        s = s.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else s + mask
    return s if visible is None else s.masked_fill(~visible, -torch.inf)


def attend(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """Output, and log-sum-exp of the scores; a row without keys gives 0 and −∞."""
    m = s.amax(-1, keepdim=True) if s.shape[-1] else s.new_full((*s.shape[:-1], 1), -torch.inf)
    shift = m.masked_fill(m == -torch.inf, 0.0)
    a = torch.exp(s - shift)
    z = a.sum(-1, keepdim=True)
    return (a / z.masked_fill(z == 0, 1.0)) @ v, shift + z.log()


def attend_in_blocks(s: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """The same, a block of keys at a time (Milakov & Gimelshein 2018)."""
    m = s.new_full((*s.shape[:-1], 1), -torch.inf)
    z, o = torch.zeros_like(m), s.new_zeros(*s.shape[:-1], v.shape[-1])
    for start in range(0, s.shape[-1], BLOCK):
        block = s[..., start : start + BLOCK]
        new = torch.maximum(m, block.amax(-1, keepdim=True))
        shift = new.masked_fill(new == -torch.inf, 0.0)
        a, rescale = torch.exp(block - shift), torch.exp(m - shift)
        z = z * rescale + a.sum(-1, keepdim=True)
        o = o * rescale + a @ v[..., start : start + BLOCK, :]
        m = new
    return o / z.masked_fill(z == 0, 1.0), m.masked_fill(m == -torch.inf, 0.0) + z.log()


def weights(s: Tensor, lse: Tensor) -> Tensor:
    """P again, from the saved log-sum-exp: 0 in a row without keys."""
    return torch.exp(s - lse.masked_fill(lse == -torch.inf, 0.0))


def delta(p: Tensor, dp: Tensor, o: Tensor, do: Tensor) -> Tensor:
    """D = rowsum(dO∘O)."""
    return (do * o).sum(-1, keepdim=True)


def score_gradient(p: Tensor, dp: Tensor, d: Tensor) -> Tensor:
    """dS = P∘(dP − D)."""
    return p * (dp - d)


def query_gradient(ds: Tensor, k: Tensor, scale: float) -> Tensor:
    """dQ = scale·dS K."""
    return scale * (ds @ k)


def key_gradient(ds: Tensor, q: Tensor, scale: float) -> Tensor:
    """dK = scale·dSᵀ Q, for each query head."""
    return scale * (ds.mT @ q)


def value_gradient(p: Tensor, do: Tensor) -> Tensor:
    """dV = Pᵀ dO, for each query head."""
    return p.mT @ do


def mask_gradient(ds: Tensor, mask: Tensor) -> Tensor:
    """dS summed over the axes along which the mask was broadcast."""
    return ds.sum_to_size(mask.shape)


def unchanged(x: Tensor) -> Tensor:
    """The result itself."""
    return x


def computed_in(dtype: torch.dtype) -> torch.dtype:
    """float32 for the half-precision dtypes."""
    return dtype if dtype in (torch.float32, torch.float64) else torch.float32


@dataclass(frozen=True)
class Kernel:
    """Attention as its steps; `torch.nn.functional.scaled_dot_product_attention` is what it is called like."""

    read: Callable[[Tensor, str], Tensor] = as_given
    scale: Callable[[int, float | None], float] = default_scale
    visible: Callable[[int, int], Tensor] = lower_triangle
    to_query_heads: Callable[[Tensor, int], Tensor] = to_query_heads
    to_kv_heads: Callable[[Tensor, int], Tensor] = to_kv_heads
    scores: Callable[[Tensor, Tensor, float], Tensor] = scores
    masked: Callable[[Tensor, Tensor | None, Tensor | None], Tensor] = masked
    attend: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = attend
    weights: Callable[[Tensor, Tensor], Tensor] = weights
    delta: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = delta
    score_gradient: Callable[[Tensor, Tensor, Tensor], Tensor] = score_gradient
    query_gradient: Callable[[Tensor, Tensor, float], Tensor] = query_gradient
    key_gradient: Callable[[Tensor, Tensor, float], Tensor] = key_gradient
    value_gradient: Callable[[Tensor, Tensor], Tensor] = value_gradient
    mask_gradient: Callable[[Tensor, Tensor], Tensor | None] = mask_gradient
    finish: Callable[[Tensor], Tensor] = unchanged
    finish_query_gradient: Callable[[Tensor], Tensor | None] = unchanged
    finish_key_gradient: Callable[[Tensor], Tensor | None] = unchanged
    compute: Callable[[torch.dtype], torch.dtype] = computed_in

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """Query [B, Hq, n, d], key [B, H, m, d], value [B, H, m, e] to [B, Hq, n, e]."""
        factor = self.scale(query.shape[-1], scale)
        result: Tensor = _Attention.apply(  # type: ignore[no-untyped-call]  # PyTorch gives it no types
            self, query, key, value, attn_mask, is_causal, factor
        )
        return result


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        kernel: Kernel,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
        causal: bool,
        scale: float,
    ) -> Tensor:
        compute = kernel.compute(query.dtype)
        heads = query.shape[1]
        q = kernel.read(query, "query").to(compute)
        k = kernel.to_query_heads(kernel.read(key, "key").to(compute), heads)
        v = kernel.to_query_heads(kernel.read(value, "value").to(compute), heads)
        added = mask if mask is None or mask.dtype == torch.bool else mask.to(compute)
        visible = kernel.visible(q.shape[2], k.shape[2]) if causal else None
        s = kernel.masked(kernel.scores(q, k, scale), added, visible)
        o, lse = kernel.attend(s, v)
        ctx.kernel, ctx.scale, ctx.kv_heads, ctx.dtype = kernel, scale, key.shape[1], query.dtype
        ctx.save_for_backward(q, k, v, mask, s, o, lse)
        return kernel.finish(o.to(query.dtype))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> Any:
        kernel: Kernel = ctx.kernel
        q, k, v, mask, s, o, lse = ctx.saved_tensors
        do = kernel.read(cotangent, "cotangent").to(q.dtype)
        p = kernel.weights(s, lse)
        dp = do @ v.mT
        ds = kernel.score_gradient(p, dp, kernel.delta(p, dp, o, do))
        dq = kernel.query_gradient(ds, k, ctx.scale)
        dk = kernel.to_kv_heads(kernel.key_gradient(ds, q, ctx.scale), ctx.kv_heads)
        dv = kernel.to_kv_heads(kernel.value_gradient(p, do), ctx.kv_heads)
        dmask = None
        if ctx.needs_input_grad[4]:
            dmask = kernel.mask_gradient(ds, mask)
            dmask = None if dmask is None else dmask.to(ctx.dtype)
        finished = kernel.finish_query_gradient(dq.to(ctx.dtype)), kernel.finish_key_gradient(dk.to(ctx.dtype))
        return None, *finished, dv.to(ctx.dtype), dmask, None, None


correct = Kernel()
in_blocks = Kernel(attend=attend_in_blocks)


def eager_by(weights: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Attention in a few PyTorch operations, differentiated by autograd, with softmax along the last axis as given."""

    def attention(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        k, v = (to_query_heads(x, query.shape[1]) for x in (key, value))
        visible = lower_triangle(query.shape[2], key.shape[2]) if is_causal else None
        # Scaled inside the product: stored before that, scores in float16 would overflow that need not.
        shape = (*query.shape[:3], key.shape[2])
        start, factor = query.new_zeros(1, 1, 1), default_scale(query.shape[-1], scale)
        product = torch.baddbmm(start, query.flatten(0, 1), k.flatten(0, 1).mT, beta=0, alpha=factor)
        s = masked(product.reshape(shape), attn_mask, visible)
        # A row without keys is 0: neither it nor its gradient may meet the NaN that softmax makes of it.
        empty = (s == -torch.inf).all(-1, keepdim=True)
        return weights(s.masked_fill(empty, 0.0)).masked_fill(empty, 0.0) @ v

    return attention


eager = eager_by(lambda s: s.softmax(-1))


def from_the_mask(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Attention whose scores are accumulated feature by feature, from the additive mask on instead of from 0."""
    k, v = (to_query_heads(x, query.shape[1]) for x in (key, value))
    q = default_scale(query.shape[-1], scale) * query
    additive = attn_mask is not None and attn_mask.dtype != torch.bool
    s = query.new_zeros(*query.shape[:3], key.shape[2])
    if attn_mask is not None and additive:
        s = s + attn_mask.masked_fill(attn_mask == -torch.inf, 0.0)
    for c in range(query.shape[-1]):
        s = s + q[..., c : c + 1] * k[..., c].unsqueeze(-2)
    mask = attn_mask > -torch.inf if attn_mask is not None and additive else attn_mask
    visible = lower_triangle(query.shape[2], key.shape[2]) if is_causal else None
    s = masked(s, mask, visible)
    empty = (s == -torch.inf).all(-1, keepdim=True)
    return s.masked_fill(empty, 0.0).softmax(-1).masked_fill(empty, 0.0) @ v
