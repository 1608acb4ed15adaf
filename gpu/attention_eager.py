"""Scaled dot product attention in PyTorch operations, with its derived gradient.

With s = scale·q kᵀ + mask, p = exp(s − lse) and o = p v, the cotangents do of o and dlse of lse give

    dv = pᵀ do        dp = do vᵀ        D = rowsum(do∘o) − dlse        ds = p∘(dp − D)
    dq = scale·ds k   dk = scale·dsᵀ q  dmask = ds, summed to the shape of the mask

(Dao 2023, "FlashAttention-2", section 2.3.2; dlse is the gradient of p's normaliser, softmax(s)·dlse).
The r query heads of a group that share one head of keys lie one below another, as r·Sq rows, so that the sums
over rows in dk and dv are sums over the group too.
"""

from typing import Any

import torch

FORWARD_SCHEMA = (
    "(Tensor query, Tensor key, Tensor value, Tensor? mask, bool is_causal, float scale) -> (Tensor, Tensor)"
)
BACKWARD_SCHEMA = (
    "(Tensor d_output, Tensor d_lse, Tensor query, Tensor key, Tensor value, Tensor? mask, Tensor output, "
    "Tensor lse, bool is_causal, float scale, bool mask_gradient) -> (Tensor, Tensor, Tensor, Tensor)"
)


def _grouped(x: torch.Tensor, kv_heads: int) -> torch.Tensor:
    """(B, Hq, Sq, X) as (B, Hkv, (Hq / Hkv)·Sq, X)."""
    B, Hq, Sq, X = x.shape
    return x.reshape(B, kv_heads, Hq * Sq // kv_heads if kv_heads else 0, X)


def _scores(
    query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, is_causal: bool, scale: float
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Scores (B, Hq, Sq, Sk), -inf where a key is masked out, and which are not; None if none is masked.

    Masked scores are replaced, not added to: -inf added to a NaN would stay a NaN.
    """
    B, Hq, Sq, _ = query.shape
    Sk = key.shape[2]
    s = (_grouped(query, key.shape[1]) @ key.mT).reshape(B, Hq, Sq, Sk) * scale
    allowed = None
    if is_causal:
        allowed = torch.ones(Sq, Sk, dtype=torch.bool, device=query.device).tril()
    elif mask is not None and mask.dtype is torch.bool:
        allowed = mask
    elif mask is not None:
        s = s + mask
        allowed = mask != -torch.inf
    if allowed is None:
        return s, None
    allowed = allowed.expand(B, Hq, Sq, Sk)
    return s.masked_fill(~allowed, -torch.inf), allowed


def _masked_matmul(weights: torch.Tensor, allowed: torch.Tensor | None, values: torch.Tensor) -> torch.Tensor:
    """Σ_j weights[i, j]·values[j] over the j with allowed[i, j].

    The weights of the others are zero, which suffices unless their values are NaN or infinite: 0·NaN is
    NaN. Such rows of `values` are left out of the product and added where they are allowed.
    """
    if allowed is None or bool(values.isfinite().all()):
        return weights @ values
    special = ~values.isfinite().all(-1)
    total = weights @ values.masked_fill(special.unsqueeze(-1), 0.0)
    reached = (special & allowed.any(-2)).flatten(0, 1).any(0)
    for j in reached.nonzero().flatten().tolist():
        one = slice(j, j + 1)
        term = weights[..., one] * values[..., one, :]
        total += term.where(allowed[..., one] & special[..., None, one], 0.0)
    return total


@torch.library.custom_op("lemmata::attention", mutates_args=(), schema=FORWARD_SCHEMA)
def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    is_causal: bool,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output (B, Hq, Sq, Dv) and lse (B, Hq, Sq) of an `AttentionProblem` in float32 or float64."""
    B, Hq, Sq, _ = query.shape
    if B * Hq * Sq * key.shape[2] == 0:
        return query.new_zeros(B, Hq, Sq, value.shape[3]), query.new_full((B, Hq, Sq), -torch.inf)
    s, allowed = _scores(query, key, mask, is_causal, scale)
    maximum = s.amax(-1, keepdim=True)
    # A row with no key to see has only -inf: shifted by 0 its weights are 0, and its lse log 0 = -inf.
    shift = maximum.masked_fill(maximum == -torch.inf, 0.0)
    e = torch.exp(s - shift)
    total = e.sum(-1, keepdim=True)
    p = e / total.masked_fill(total == 0, 1.0)
    if allowed is not None:
        allowed = _grouped(allowed, key.shape[1])
    output = _masked_matmul(_grouped(p, key.shape[1]), allowed, value)
    return output.reshape(B, Hq, Sq, value.shape[3]), (shift + total.log()).squeeze(-1)


@torch.library.custom_op("lemmata::attention_backward", mutates_args=(), schema=BACKWARD_SCHEMA)
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
    mask_gradient: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The gradients of query, key, value and mask; that of the mask is empty unless `mask_gradient`."""
    B, Hq, Sq, D = query.shape
    Hkv, Sk = key.shape[1:3]
    d_mask_shape = mask.shape if mask is not None and mask_gradient else torch.Size((0,))
    if B * Hq * Sq * Sk == 0:
        zeros = [torch.zeros_like(x, memory_format=torch.contiguous_format) for x in (query, key, value)]
        return zeros[0], zeros[1], zeros[2], query.new_zeros(d_mask_shape)
    s, allowed = _scores(query, key, mask, is_causal, scale)
    lse = lse.unsqueeze(-1)
    p = torch.exp(s - lse.masked_fill(lse == -torch.inf, 0.0))
    rows = _grouped(d_output, Hkv)
    dp = (rows @ value.mT).reshape(B, Hq, Sq, Sk)
    row_term = (d_output * output).sum(-1, keepdim=True) - d_lse.unsqueeze(-1)
    ds = p * (dp - row_term)
    grouped_allowed = allowed_by_key = None
    if allowed is not None:
        # Where lse is NaN the masked weights have become NaN as well, and would reach the masked keys.
        p, ds = p.masked_fill(~allowed, 0.0), ds.masked_fill(~allowed, 0.0)
        grouped_allowed = _grouped(allowed, Hkv)
        allowed_by_key = grouped_allowed.mT
    dv = _masked_matmul(_grouped(p, Hkv).mT, allowed_by_key, rows)
    grouped_ds = _grouped(ds, Hkv)
    dq = scale * _masked_matmul(grouped_ds, grouped_allowed, key).reshape(B, Hq, Sq, D)
    dk = scale * _masked_matmul(grouped_ds.mT, allowed_by_key, _grouped(query, Hkv))
    d_mask = ds.sum_to_size(d_mask_shape) if d_mask_shape != (0,) else query.new_zeros(0)
    return dq.contiguous(), dk.contiguous(), dv.contiguous(), d_mask


def fake_forward(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    is_causal: bool,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The shapes and dtypes of `attention`, for its tracing."""
    B, Hq, Sq, _ = query.shape
    lse_dtype = torch.promote_types(query.dtype, torch.float32)
    return query.new_empty(B, Hq, Sq, value.shape[3]), query.new_empty(B, Hq, Sq, dtype=lse_dtype)


def fake_backward(
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
    mask_gradient: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The shapes and dtypes of `attention_backward`, for its tracing."""
    d_mask = mask.new_empty(mask.shape) if mask is not None and mask_gradient else lse.new_empty(0)
    return query.new_empty(query.shape), key.new_empty(key.shape), value.new_empty(value.shape), d_mask


def register_gradient(forward: Any, backward: Any) -> None:
    """Make the operator `backward` the gradient of `forward`; both have the signatures of this module's."""

    def setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, torch.Tensor]) -> None:
        query, key, value, mask, ctx.is_causal, ctx.scale = inputs
        ctx.save_for_backward(query, key, value, mask, *output)

    def gradient(ctx: Any, d_output: torch.Tensor, d_lse: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        mask_gradient = ctx.needs_input_grad[3]
        *grads, d_mask = backward(d_output, d_lse, *ctx.saved_tensors, ctx.is_causal, ctx.scale, mask_gradient)
        return (*grads, d_mask if mask_gradient else None, None, None)

    forward.register_autograd(gradient, setup_context=setup)


attention.register_fake(fake_forward)
attention_backward.register_fake(fake_backward)
register_gradient(attention, attention_backward)
