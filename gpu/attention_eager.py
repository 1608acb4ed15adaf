"""Scaled dot product attention in PyTorch operations, with its derived gradient.

With s = scale·q kᵀ, t = cap·tanh(s/cap) + mask (t = s + mask without a cap), p = exp(t − lse) and o = p v, the
cotangents do of o and dlse of lse give

    dv = pᵀ do        dp = do vᵀ        D = rowsum(do∘o) − dlse        dt = p∘(dp − D)        ds = dt∘(1 − tanh²(s/cap))
    dq = scale·ds k   dk = scale·dsᵀ q  dmask = dt, summed to the shape of the mask

(Dao 2023, "FlashAttention-2", section 2.3.2; dlse is the gradient of p's normaliser, softmax(t)·dlse; the cap is that
of Gemma Team 2024, "Gemma 2").
The r query heads of a group that share one head of keys lie one below another, as r·Sq rows, so that the sums
over rows in dk and dv are sums over the group too.
"""

from collections.abc import Sequence
from typing import Any

import torch

from .operators import Gradients, Operator, Outputs, differentiable, operator

FORWARD_SCHEMA = (
    "(Tensor query, Tensor key, Tensor value, Tensor? mask, bool is_causal, float scale, float softcap, int window) "
    "-> (Tensor, Tensor)"
)
BACKWARD_SCHEMA = (
    "(Tensor d_output, Tensor d_lse, Tensor query, Tensor key, Tensor value, Tensor? mask, Tensor output, "
    "Tensor lse, bool is_causal, float scale, float softcap, int window, bool mask_gradient) "
    "-> (Tensor, Tensor, Tensor, Tensor)"
)


def _grouped(x: torch.Tensor, kv_heads: int) -> torch.Tensor:
    """(B, Hq, Sq, X) as (B, Hkv, (Hq / Hkv)·Sq, X)."""
    B, Hq, Sq, X = x.shape
    return x.reshape(B, kv_heads, Hq * Sq // kv_heads if kv_heads else 0, X)


def _scores(
    query: torch.Tensor,
    key: torch.Tensor,
    mask: torch.Tensor | None,
    is_causal: bool,
    scale: float,
    softcap: float,
    window: int,
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]:
    """Scores (B, Hq, Sq, Sk), -inf where a key is masked out; which are not, None if none is masked; and how fast a
    capped score grows with the product, None without a cap.

    Masked scores are replaced, not added to: -inf added to a NaN would stay a NaN.
    """
    B, Hq, Sq, _ = query.shape
    Sk = key.shape[2]
    t = (_grouped(query, key.shape[1]) @ key.mT).reshape(B, Hq, Sq, Sk) * scale
    slope = None
    if softcap:
        u = t / softcap
        # 1 − tanh², which keeps its digits where tanh is almost 1.
        slope = 4 * torch.sigmoid(2 * u) * torch.sigmoid(-2 * u)
        t = softcap * u.tanh()
    allowed = None
    if is_causal:
        allowed = torch.ones(Sq, Sk, dtype=torch.bool, device=query.device).tril()
        if window:
            allowed = allowed.triu(1 - window)
    elif mask is not None and mask.dtype is torch.bool:
        allowed = mask
    elif mask is not None:
        t = t + mask
        allowed = mask != -torch.inf
    if allowed is None:
        return t, None, slope
    allowed = allowed.expand(B, Hq, Sq, Sk)
    return t.masked_fill(~allowed, -torch.inf), allowed, slope


def _weights(t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The softmax of the scores, and their log-sum-exp."""
    maximum = t.detach().amax(-1, keepdim=True)
    # A row with no key to see has only -inf: shifted by 0 its weights are 0, and its lse log 0 = -inf.
    shift = maximum.masked_fill(maximum == -torch.inf, 0.0)
    e = torch.exp(t - shift)
    total = e.sum(-1, keepdim=True)
    return e / total.masked_fill(total == 0, 1.0), (shift + total.log()).squeeze(-1)


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


def _forward(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    is_causal: bool,
    scale: float,
    softcap: float,
    window: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Output (B, Hq, Sq, Dv) and lse (B, Hq, Sq) of an `AttentionProblem` in float32 or float64."""
    B, Hq, Sq, _ = query.shape
    if B * Hq * Sq * key.shape[2] == 0:
        return query.new_zeros(B, Hq, Sq, value.shape[3]), query.new_full((B, Hq, Sq), -torch.inf)
    t, allowed, _ = _scores(query, key, mask, is_causal, scale, softcap, window)
    p, lse = _weights(t)
    if allowed is not None:
        allowed = _grouped(allowed, key.shape[1])
    output = _masked_matmul(_grouped(p, key.shape[1]), allowed, value)
    return output.reshape(B, Hq, Sq, value.shape[3]), lse


def gradients(
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
    """The gradients of query, key, value and mask; that of the mask is empty unless `mask_gradient`."""
    B, Hq, Sq, D = query.shape
    Hkv, Sk = key.shape[1:3]
    d_mask_shape = mask.shape if mask is not None and mask_gradient else torch.Size((0,))
    if B * Hq * Sq * Sk == 0:
        zeros = [torch.zeros_like(x, memory_format=torch.contiguous_format) for x in (query, key, value)]
        return zeros[0], zeros[1], zeros[2], query.new_zeros(d_mask_shape)
    t, allowed, slope = _scores(query, key, mask, is_causal, scale, softcap, window)
    rows = _grouped(d_output, Hkv)
    dp = (rows @ value.mT).reshape(B, Hq, Sq, Sk)
    if torch.is_grad_enabled():
        # What is differentiated again has no part in what was saved: exp(t − lse) has the error of t, which is larger.
        p, _ = _weights(t)
        row_term = (p * dp).sum(-1, keepdim=True)
    else:
        lse = lse.unsqueeze(-1)
        p = torch.exp(t - lse.masked_fill(lse == -torch.inf, 0.0))
        row_term = (d_output * output).sum(-1, keepdim=True)
    dt = p * (dp - (row_term - d_lse.unsqueeze(-1)))
    grouped_allowed = allowed_by_key = None
    if allowed is not None:
        # Where lse is NaN the masked weights have become NaN as well, and would reach the masked keys.
        p, dt = p.masked_fill(~allowed, 0.0), dt.masked_fill(~allowed, 0.0)
        grouped_allowed = _grouped(allowed, Hkv)
        allowed_by_key = grouped_allowed.mT
    ds = dt
    if slope is not None:
        ds = dt * slope if allowed is None else (dt * slope).masked_fill(~allowed, 0.0)
    dv = _masked_matmul(_grouped(p, Hkv).mT, allowed_by_key, rows)
    grouped_ds = _grouped(ds, Hkv)
    dq = scale * _masked_matmul(grouped_ds, grouped_allowed, key).reshape(B, Hq, Sq, D)
    dk = scale * _masked_matmul(grouped_ds.mT, allowed_by_key, _grouped(query, Hkv))
    d_mask = dt.sum_to_size(d_mask_shape) if d_mask_shape != (0,) else query.new_zeros(0)
    return dq.contiguous(), dk.contiguous(), dv.contiguous(), d_mask


def _fake_forward(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *rest: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    B, Hq, Sq, _ = query.shape
    lse_dtype = torch.promote_types(query.dtype, torch.float32)
    return query.new_empty(B, Hq, Sq, value.shape[3]), query.new_empty(B, Hq, Sq, dtype=lse_dtype)


def _fake_backward(
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
    d_mask = mask.new_empty(mask.shape) if mask is not None and mask_gradient else lse.new_empty(0)
    return query.new_empty(query.shape), key.new_empty(key.shape), value.new_empty(value.shape), d_mask


def attention_operator(name: str, forward: Any, backward: Any) -> Operator:
    """The operator `lemmata::name` and its gradient, `lemmata::name_backward`, of functions with the signatures above.

    A gradient that is to be differentiated is computed in PyTorch operations instead.
    """
    pull_back = operator(f"{name}_backward", BACKWARD_SCHEMA, backward, _fake_backward)

    def gradient(cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]) -> Gradients:
        *tensors, is_causal, scale, softcap, window = arguments
        options = (is_causal, scale, softcap, window, needed[3])
        if torch.is_grad_enabled():
            found = _differentiable_gradients(*cotangents, *tensors, *outputs, *options)
        else:
            found = pull_back(*cotangents, *tensors, *outputs, *options)
        *grads, d_mask = found
        return (*grads, d_mask if needed[3] else None, None, None, None, None)

    return differentiable(name, FORWARD_SCHEMA, forward, _fake_forward, gradient, keeps_outputs=True)


def _differentiable_gradients(*arguments: Any) -> Outputs:
    """`gradients` in the dtype of the log-sum-exp, which is not stored in half precision."""
    compute = arguments[7].dtype
    wide: list[Any] = [x.to(compute) if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in arguments]
    found = gradients(*wide)
    likes = (*arguments[2:5], arguments[5] if arguments[5] is not None else found[3])
    return tuple(x.to(like.dtype) for x, like in zip(found, likes, strict=True))


attention = attention_operator("attention", _forward, gradients)
