"""PyTorch's multi-head attention, `torch.nn.functional.multi_head_attention_forward`, as a target of a conformance run.

    lemmata conform multi_head_attention examples/torch_multihead.py:forward --dtype float64 float32 bfloat16

It wants one width for queries, keys and values of all heads together; narrower ones are padded with zeros, which change
nothing. What cannot be padded is refused. In float16 its mask of −∞ is added to scores that may have overflowed.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - what PyTorch's own documentation calls it


def forward(
    x_q: Tensor,
    x_k: Tensor,
    x_v: Tensor,
    w_q: Tensor,
    w_k: Tensor,
    w_v: Tensor,
    w_o: Tensor,
    *,
    b_q: Tensor | None = None,
    b_k: Tensor | None = None,
    b_v: Tensor | None = None,
    b_o: Tensor | None = None,
    keep: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Shapes as in the derivation: x_q `[..., n, d_q]`, w_q `[g, r, d_h, d_q]`, w_o `[g, r, d_o, d_w]`.

    Raises:
        NotImplementedError: the widths do not fit, or nothing is there.
    """
    g, r, d_h, d_q = w_q.shape
    d_w, d_o, width = w_v.shape[1], w_o.shape[2], g * r * d_h
    if d_q > width or d_o > width or d_w > d_h:
        raise NotImplementedError("a width is larger than that of all heads together")
    if not all(x.numel() for x in (x_q, x_k, x_v, w_q, w_k, w_v, w_o)):
        raise NotImplementedError("an argument has no elements")

    def heads(x: Tensor) -> Tensor:
        """The weights of a group, once for each of its query heads, as rows."""
        return x[:, None].expand(g, r, *x.shape[1:]).reshape(width, *x.shape[2:])

    def tokens(x: Tensor) -> Tensor:
        """[n, batch, features]."""
        return x.reshape(-1, *x.shape[-2:]).transpose(0, 1)

    wide_v = F.pad(w_v, (0, 0, 0, d_h - d_w))
    wide_b_v = None if b_v is None else heads(F.pad(b_v, (0, d_h - d_w)))
    biases = [None if b_q is None else b_q.reshape(width), None if b_k is None else heads(b_k), wide_b_v]
    out = F.pad(w_o, (0, d_h - d_w)).permute(2, 0, 1, 3).reshape(d_o, width)
    y, _ = F.multi_head_attention_forward(
        F.pad(tokens(x_q), (0, width - d_q)),
        tokens(x_k),
        tokens(x_v),
        width,
        g * r,
        None,
        torch.cat([w_q.new_zeros(width) if b is None else b for b in biases]),
        None,
        None,
        False,
        0.0,
        F.pad(out, (0, 0, 0, width - d_o)),
        None if b_o is None else F.pad(b_o, (0, width - d_o)),
        need_weights=False,
        attn_mask=_mask(keep, bias),
        use_separate_proj_weight=True,
        q_proj_weight=F.pad(w_q.reshape(width, d_q), (0, width - d_q)),
        k_proj_weight=heads(w_k),
        v_proj_weight=heads(wide_v),
    )
    return y.transpose(0, 1)[..., :d_o].reshape(*x_q.shape[:-1], d_o)


def _mask(keep: Tensor | None, bias: Tensor | None) -> Tensor | None:
    """One additive mask for all heads of all batch entries `[batch · heads, n, m]`; True hides where it is boolean."""
    mask = bias if keep is None else ~keep if bias is None else bias.masked_fill(~keep, -torch.inf)
    return None if mask is None else mask.reshape(-1, *mask.shape[-2:])
