"""Reference implementation of multi_head_attention.

GENERATED from derivations/multihead.py by `lemmata generate multihead`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy and the references of the parts are all that is imported;
arrays of another library (torch, JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64
out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .attention import attention, attention_jvp

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def multi_head_attention_jvp(
    x_q: Array,
    x_k: Array,
    x_v: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    w_o: Array,
    tx_q: Array,
    tx_k: Array,
    tx_v: Array,
    tw_q: Array,
    tw_k: Array,
    tw_v: Array,
    tw_o: Array,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    b_o: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
    tb_q: Array | None = None,
    tb_k: Array | None = None,
    tb_v: Array | None = None,
    tb_o: Array | None = None,
    tbias: Array | None = None,
) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `multi_head_attention`):
        tx_q, tx_k, tx_v, tw_q, tw_k, tw_v, tw_o, tb_q, tb_k, tb_v, tb_o, tbias: tangents of the inputs, each of its
            shape.

    Returns:
        ty: tangent of y, of its shape.
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
    # tq[g, r, i, e] = (Σ_c tx_q[i, c]·w_q[g, r, e, c]) + (Σ_c tw_q[g, r, e, c]·x_q[i, c]) + tb_q[g, r, e]
    tq = tx_q[..., None, None, :, :] @ w_q.mT + x_q[..., None, None, :, :] @ tw_q.mT
    if tb_q is not None:
        tq = tq + tb_q[..., None, :]
    # tk[g, j, e] = (Σ_c tx_k[j, c]·w_k[g, e, c]) + (Σ_c tw_k[g, e, c]·x_k[j, c]) + tb_k[g, e]
    tk = tx_k[..., None, :, :] @ w_k.mT + x_k[..., None, :, :] @ tw_k.mT
    if tb_k is not None:
        tk = tk + tb_k[..., None, :]
    # tv[g, j, u] = (Σ_c tx_v[j, c]·w_v[g, u, c]) + (Σ_c tw_v[g, u, c]·x_v[j, c]) + tb_v[g, u]
    tv = tx_v[..., None, :, :] @ w_v.mT + x_v[..., None, :, :] @ tw_v.mT
    if tb_v is not None:
        tv = tv + tb_v[..., None, :]
    # to[g] = attention_jvp(q[g], k[g], v[g], keep[g], bias[g], tq[g], tk[g], tv[g], tbias[g])
    to, _ = attention_jvp(q, k, v, tq, tk, tv, keep=keep, bias=bias, tbias=tbias)
    # ty[i, f] = (Σ_g (Σ_r (Σ_u to[g, r, i, u]·w_o[g, r, f, u]))) + (Σ_g (Σ_r (Σ_u tw_o[g, r, f, u]·o[g, r, i, u]))) +
    # tb_o[f]
    ty = xp.sum(xp.sum(to @ w_o.mT, axis=-4), axis=-3) + xp.sum(xp.sum(o @ tw_o.mT, axis=-4), axis=-3)
    if tb_o is not None:
        ty = ty + tb_o[..., None, :]
    return ty


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
