"""Multi-head attention from this package's operators: project, split into heads, attend, merge, project."""

from __future__ import annotations

import torch

from .kernels import Kernels, kernels_for
from .linear import linear


def _heads(x: torch.Tensor, count: int, size: int) -> torch.Tensor:
    """(..., n, count·size) as (..., count, n, size)."""
    return x.reshape(*x.shape[:-1], count, size).transpose(-3, -2)


def _by_head(mask: torch.Tensor | None, groups: int, members: int) -> torch.Tensor | None:
    """A mask that broadcasts to (..., g, r, n, m), with g·r heads as one axis."""
    if mask is None:
        return None
    shape = (1,) * (4 - mask.ndim) + tuple(mask.shape)
    return mask.reshape(shape).expand(*shape[:-4], groups, members, *shape[-2:]).flatten(-4, -3)


def multi_head_attention(
    x_q: torch.Tensor,
    x_k: torch.Tensor,
    x_v: torch.Tensor,
    w_q: torch.Tensor,
    w_k: torch.Tensor,
    w_v: torch.Tensor,
    w_o: torch.Tensor,
    *,
    b_q: torch.Tensor | None = None,
    b_k: torch.Tensor | None = None,
    b_v: torch.Tensor | None = None,
    b_o: torch.Tensor | None = None,
    keep: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    is_causal: bool = False,
    kernels: Kernels | None = None,
) -> torch.Tensor:
    """Attention of g groups of r query heads, each group on one head of keys and values.

    Args:
        x_q, x_k, x_v: what queries, keys and values are made of: (..., n, d_q), (..., m, d_k) and (..., m, d_v);
            float16, bfloat16, float32 or float64.
        w_q, w_k, w_v: (g, r, d_h, d_q), (g, d_h, d_k) and (g, d_w, d_v), in the same dtype.
        w_o: (g, r, d_o, d_w).
        b_q, b_k, b_v, b_o: their biases: (g, r, d_h), (g, d_h), (g, d_w) and (d_o,).
        keep: boolean, broadcasts to (..., g, r, n, m), True where a key is seen.
        bias: added to the scaled products, of such a shape, in the same dtype.
        is_causal: query i sees the keys j ≤ i, besides what `keep` says.
        kernels: implementations of what it is made of; those of `kernels_for` if None.

    Returns:
        (..., n, d_o) in that dtype. A head that sees no key contributes 0.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: shapes do not fit.

    Source: Vaswani et al. 2017, section 3.2.2; Ainslie et al. 2023, "GQA".
    """
    groups, members, size = w_q.shape[:3]
    q = _heads(linear(x_q, w_q.flatten(0, 2), None if b_q is None else b_q.flatten()), groups * members, size)
    k = _heads(linear(x_k, w_k.flatten(0, 1), None if b_k is None else b_k.flatten()), groups, size)
    v = _heads(linear(x_v, w_v.flatten(0, 1), None if b_v is None else b_v.flatten()), groups, w_v.shape[1])
    if is_causal and (keep is not None or bias is not None):
        causal = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool, device=q.device).tril()
        keep, is_causal = causal if keep is None else keep & causal, False
    mask = _by_head(keep, groups, members)
    added = _by_head(bias, groups, members)
    if added is not None:
        mask = added if mask is None else added.masked_fill(~mask, -torch.inf)
    attend = (kernels or kernels_for(x_q)).scaled_dot_product_attention
    o = attend(q, k, v, mask, is_causal=is_causal, enable_gqa=True)
    merged = o.transpose(-3, -2).flatten(-2)
    return linear(merged, w_o.permute(2, 0, 1, 3).flatten(1), b_o)
