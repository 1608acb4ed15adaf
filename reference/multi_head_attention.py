"""Reference implementation of multi_head_attention.

GENERATED from derivations/multihead.py by `lemmata generate multihead`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy and the references of the parts are all that is imported;
arrays of another library (torch, JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64
out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .attention import attention, attention_vjp

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def multi_head_attention(
    x_q: Array,
    x_k: Array,
    x_v: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    w_o: Array,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    b_o: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
) -> Array:
    """Queries, keys and values projected, blended head by head, merged and projected back.

    Args:
        x_q: source of the queries `[..., n, d_q]`.
        x_k: source of the keys `[..., m, d_k]`.
        x_v: source of the values `[..., m, d_v]`.
        w_q: weights of the queries `[g, r, d_h, d_q]`.
        w_k: weights of the keys `[g, d_h, d_k]`.
        w_v: weights of the values `[g, d_w, d_v]`.
        w_o: weights of the output `[g, r, d_o, d_w]`.
        b_q: bias of the queries `[g, r, d_h]`, optional.
        b_k: bias of the keys `[g, d_h]`, optional.
        b_v: bias of the values `[g, d_w]`, optional.
        b_o: bias of the output `[d_o]`, optional.
        keep: boolean mask `[..., g, r, n, m]`, True where a key may be attended to, optional.
        bias: additive mask `[..., g, r, n, m]`, optional.

    Returns:
        y: output `[..., n, d_o]`.

    Conventions:
        heads: g groups of r query heads; a group shares one head of keys and values.
        scale: 1/√d_h.
        fully masked row: the head contributes 0.

    Source: Vaswani et al. 2017, section 3.2.2; Ainslie et al. 2023.
    """
    xp = _namespace(x_q)
    # q[g, r, i, e] = (Σ_c x_q[i, c]·w_q[g, r, e, c]) + b_q[g, r, e]
    q = x_q[..., None, None, :, :] @ w_q.mT
    if b_q is not None:
        q = q + b_q[..., None, :]
    # k[g, j, e] = (Σ_c x_k[j, c]·w_k[g, e, c]) + b_k[g, e]
    k = x_k[..., None, :, :] @ w_k.mT
    if b_k is not None:
        k = k + b_k[..., None, :]
    # v[g, j, u] = (Σ_c x_v[j, c]·w_v[g, u, c]) + b_v[g, u]
    v = x_v[..., None, :, :] @ w_v.mT
    if b_v is not None:
        v = v + b_v[..., None, :]
    # o[g] = attention(q[g], k[g], v[g], keep[g], bias[g])
    o, _ = attention(q, k, v, keep=keep, bias=bias)
    # y[i, f] = (Σ_g (Σ_r (Σ_u o[g, r, i, u]·w_o[g, r, f, u]))) + b_o[f]
    y = xp.sum(xp.sum(o @ w_o.mT, axis=-4), axis=-3)
    if b_o is not None:
        y = y + b_o[..., None, :]
    return y


def multi_head_attention_value_and_vjp(
    x_q: Array,
    x_k: Array,
    x_v: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    w_o: Array,
    dy: Array,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    b_o: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
) -> tuple[Array, ...]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `multi_head_attention`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `multi_head_attention` returns.
        dx_q, dx_k, dx_v, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, dbias: gradients of the inputs, each of its
            shape, None where an input is absent.
    """
    xp = _namespace(x_q)
    # q[g, r, i, e] = (Σ_c x_q[i, c]·w_q[g, r, e, c]) + b_q[g, r, e]
    q = x_q[..., None, None, :, :] @ w_q.mT
    if b_q is not None:
        q = q + b_q[..., None, :]
    # k[g, j, e] = (Σ_c x_k[j, c]·w_k[g, e, c]) + b_k[g, e]
    k = x_k[..., None, :, :] @ w_k.mT
    if b_k is not None:
        k = k + b_k[..., None, :]
    # v[g, j, u] = (Σ_c x_v[j, c]·w_v[g, u, c]) + b_v[g, u]
    v = x_v[..., None, :, :] @ w_v.mT
    if b_v is not None:
        v = v + b_v[..., None, :]
    # o[g] = attention(q[g], k[g], v[g], keep[g], bias[g])
    o, _ = attention(q, k, v, keep=keep, bias=bias)
    # y[i, f] = (Σ_g (Σ_r (Σ_u o[g, r, i, u]·w_o[g, r, f, u]))) + b_o[f]
    y = xp.sum(xp.sum(o @ w_o.mT, axis=-4), axis=-3)
    if b_o is not None:
        y = y + b_o[..., None, :]
    # do[g, r, i, u] = Σ_f dy[i, f]·w_o[g, r, f, u]
    do = dy[..., None, None, :, :] @ w_o
    # dq[g], dk[g], dv[g], dbias[g] = attention_vjp(q[g], k[g], v[g], keep[g], bias[g], do[g])
    dq, dk, dv, dbias = attention_vjp(q, k, v, do, keep=keep, bias=bias)
    # dx_q[i, c] = Σ_e (Σ_r (Σ_g dq[g, r, i, e]·w_q[g, r, e, c]))
    dx_q = xp.sum(xp.sum(dq @ w_q, axis=-4), axis=-3)
    # dx_k[j, c] = Σ_e (Σ_g dk[g, j, e]·w_k[g, e, c])
    dx_k = xp.sum(dk @ w_k, axis=-3)
    # dx_v[j, c] = Σ_u (Σ_g dv[g, j, u]·w_v[g, u, c])
    dx_v = xp.sum(dv @ w_v, axis=-3)
    # dw_q[g, r, e, c] = Σ_i dq[g, r, i, e]·x_q[i, c]
    dw_q = _summed(dq.mT @ x_q[..., None, None, :, :], 4)
    # dw_k[g, e, c] = Σ_j dk[g, j, e]·x_k[j, c]
    dw_k = _summed(dk.mT @ x_k[..., None, :, :], 3)
    # dw_v[g, u, c] = Σ_j dv[g, j, u]·x_v[j, c]
    dw_v = _summed(dv.mT @ x_v[..., None, :, :], 3)
    # dw_o[g, r, f, u] = Σ_i dy[i, f]·o[g, r, i, u]
    dw_o = _summed(dy.mT[..., None, None, :, :] @ o, 4)
    # db_q[g, r, e] = Σ_i dq[g, r, i, e]
    db_q = None if b_q is None else _summed(xp.sum(dq, axis=-2), 3)
    # db_k[g, e] = Σ_j dk[g, j, e]
    db_k = None if b_k is None else _summed(xp.sum(dk, axis=-2), 2)
    # db_v[g, u] = Σ_j dv[g, j, u]
    db_v = None if b_v is None else _summed(xp.sum(dv, axis=-2), 2)
    # db_o[f] = Σ_i dy[i, f]
    db_o = None if b_o is None else _summed(xp.sum(dy, axis=-2), 1)
    return y, dx_q, dx_k, dx_v, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, dbias


def multi_head_attention_vjp(
    x_q: Array,
    x_k: Array,
    x_v: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    w_o: Array,
    dy: Array,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    b_o: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
) -> tuple[Array, ...]:
    """As `multi_head_attention_value_and_vjp`, without the outputs."""
    _, *gradients = multi_head_attention_value_and_vjp(
        x_q, x_k, x_v, w_q, w_k, w_v, w_o, dy, b_q, b_k, b_v, b_o, keep, bias
    )
    return tuple(gradients)


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _summed(x: Array, ndim: int) -> Array:
    """The sum over the batch dimensions, of which a shared parameter has none: its last `ndim` axes stay."""
    return _namespace(x).sum(x, axis=tuple(range(x.ndim - ndim))) if x.ndim > ndim else x
