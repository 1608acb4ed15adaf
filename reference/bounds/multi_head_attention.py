"""Rounding-error bounds of multi_head_attention.

GENERATED from derivations/multihead.py by `lemmata generate multihead`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..attention import attention, attention_vjp
from ..composed import call
from ..rounding import Array, Format, Rounding
from .attention import attention_bound, attention_vjp_bound


@np.errstate(all="ignore")
def multi_head_attention_bound(
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
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `multi_head_attention`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (q, k, v, y).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x_q)
    errors = errors or {}
    x_q = fl.given(x_q, "i c", errors.get("x_q"))
    x_k = fl.given(x_k, "j c", errors.get("x_k"))
    x_v = fl.given(x_v, "j c", errors.get("x_v"))
    w_q = fl.given(w_q, "g r e c", errors.get("w_q"))
    w_k = fl.given(w_k, "g e c", errors.get("w_k"))
    w_v = fl.given(w_v, "g u c", errors.get("w_v"))
    w_o = fl.given(w_o, "g r f u", errors.get("w_o"))
    b_q = fl.given(b_q, "g r e", errors.get("b_q"))
    b_k = fl.given(b_k, "g e", errors.get("b_k"))
    b_v = fl.given(b_v, "g u", errors.get("b_v"))
    b_o = fl.given(b_o, "f", errors.get("b_o"))
    keep = fl.given(keep, "g r n m")
    bias = fl.given(bias, "g r n m", errors.get("bias"))
    # q[g, r, i, e] = (Σ_c x_q[i, c]·w_q[g, r, e, c]) + b_q[g, r, e]
    q = fl.matmul(x_q, w_q, "c")
    q = fl.plus("q", q, b_q, terms=x_q.shape[-1])
    q = fl.step("q", q, "g r i e")
    # k[g, j, e] = (Σ_c x_k[j, c]·w_k[g, e, c]) + b_k[g, e]
    k = fl.matmul(x_k, w_k, "c")
    k = fl.plus("k", k, b_k, terms=x_k.shape[-1])
    k = fl.step("k", k, "g j e")
    # v[g, j, u] = (Σ_c x_v[j, c]·w_v[g, u, c]) + b_v[g, u]
    v = fl.matmul(x_v, w_v, "c")
    v = fl.plus("v", v, b_v, terms=x_v.shape[-1])
    v = fl.step("v", v, "g j u")
    # o[g] = attention(q[g], k[g], v[g], keep[g], bias[g])
    o, _ = call(fl, attention, attention_bound, ("g r i u", None), q=q, k=k, v=v, keep=keep, bias=bias)
    # y[i, f] = (Σ_g (Σ_r (Σ_u o[g, r, i, u]·w_o[g, r, f, u]))) + b_o[f]
    y = fl.matmul(o, w_o, "u g r")
    y = fl.plus("y", y, b_o, terms=w_q.shape[-4] * w_q.shape[-3] * w_v.shape[-2])
    y = fl.output("y", y, "i f")
    return y.total


@np.errstate(all="ignore")
def multi_head_attention_vjp_bound(
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
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, ...]:
    """Bound of the rounding error of `multi_head_attention_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (q, k, v, y, do, dx_q, dx_k,
            dx_v, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of dx_q, dx_k, dx_v, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, dbias, infinite where a
            format may overflow.
    """
    fl = Rounding(precision, x_q)
    errors = errors or {}
    x_q = fl.given(x_q, "i c", errors.get("x_q"))
    x_k = fl.given(x_k, "j c", errors.get("x_k"))
    x_v = fl.given(x_v, "j c", errors.get("x_v"))
    w_q = fl.given(w_q, "g r e c", errors.get("w_q"))
    w_k = fl.given(w_k, "g e c", errors.get("w_k"))
    w_v = fl.given(w_v, "g u c", errors.get("w_v"))
    w_o = fl.given(w_o, "g r f u", errors.get("w_o"))
    dy = fl.given(dy, "i f", errors.get("dy"))
    b_q = fl.given(b_q, "g r e", errors.get("b_q"))
    b_k = fl.given(b_k, "g e", errors.get("b_k"))
    b_v = fl.given(b_v, "g u", errors.get("b_v"))
    b_o = fl.given(b_o, "f", errors.get("b_o"))
    keep = fl.given(keep, "g r n m")
    bias = fl.given(bias, "g r n m", errors.get("bias"))
    # q[g, r, i, e] = (Σ_c x_q[i, c]·w_q[g, r, e, c]) + b_q[g, r, e]
    q = fl.matmul(x_q, w_q, "c")
    q = fl.plus("q", q, b_q, terms=x_q.shape[-1])
    q = fl.step("q", q, "g r i e")
    # k[g, j, e] = (Σ_c x_k[j, c]·w_k[g, e, c]) + b_k[g, e]
    k = fl.matmul(x_k, w_k, "c")
    k = fl.plus("k", k, b_k, terms=x_k.shape[-1])
    k = fl.step("k", k, "g j e")
    # v[g, j, u] = (Σ_c x_v[j, c]·w_v[g, u, c]) + b_v[g, u]
    v = fl.matmul(x_v, w_v, "c")
    v = fl.plus("v", v, b_v, terms=x_v.shape[-1])
    v = fl.step("v", v, "g j u")
    # o[g] = attention(q[g], k[g], v[g], keep[g], bias[g])
    o, _ = call(fl, attention, attention_bound, ("g r i u", None), q=q, k=k, v=v, keep=keep, bias=bias)
    # do[g, r, i, u] = Σ_f dy[i, f]·w_o[g, r, f, u]
    do = fl.step("do", fl.matmul(dy, w_o, "f"), "g r i u")
    # dq[g], dk[g], dv[g], dbias[g] = attention_vjp(q[g], k[g], v[g], keep[g], bias[g], do[g])
    dq, dk, dv, dbias = call(
        fl,
        attention_vjp,
        attention_vjp_bound,
        ("g r i e", "g j e", "g j u", "g r n m"),
        q=q,
        k=k,
        v=v,
        keep=keep,
        bias=bias,
        do=do,
    )
    # dx_q[i, c] = Σ_e (Σ_r (Σ_g dq[g, r, i, e]·w_q[g, r, e, c]))
    dx_q = fl.output("dx_q", fl.matmul(dq, w_q, "e g r"), "i c")
    # dx_k[j, c] = Σ_e (Σ_g dk[g, j, e]·w_k[g, e, c])
    dx_k = fl.output("dx_k", fl.matmul(dk, w_k, "e g"), "j c")
    # dx_v[j, c] = Σ_u (Σ_g dv[g, j, u]·w_v[g, u, c])
    dx_v = fl.output("dx_v", fl.matmul(dv, w_v, "u g"), "j c")
    # dw_q[g, r, e, c] = Σ_i dq[g, r, i, e]·x_q[i, c]
    dw_q = fl.output("dw_q", fl.matmul(dq, x_q, "i"), "g r e c", shared=True)
    # dw_k[g, e, c] = Σ_j dk[g, j, e]·x_k[j, c]
    dw_k = fl.output("dw_k", fl.matmul(dk, x_k, "j"), "g e c", shared=True)
    # dw_v[g, u, c] = Σ_j dv[g, j, u]·x_v[j, c]
    dw_v = fl.output("dw_v", fl.matmul(dv, x_v, "j"), "g u c", shared=True)
    # dw_o[g, r, f, u] = Σ_i dy[i, f]·o[g, r, i, u]
    dw_o = fl.output("dw_o", fl.matmul(dy, o, "i"), "g r f u", shared=True)
    # db_q[g, r, e] = Σ_i dq[g, r, i, e]
    db_q = fl.output("db_q", fl.sum(dq, "i"), "g r e", shared=True)
    # db_k[g, e] = Σ_j dk[g, j, e]
    db_k = fl.output("db_k", fl.sum(dk, "j"), "g e", shared=True)
    # db_v[g, u] = Σ_j dv[g, j, u]
    db_v = fl.output("db_v", fl.sum(dv, "j"), "g u", shared=True)
    # db_o[f] = Σ_i dy[i, f]
    db_o = fl.output("db_o", fl.sum(dy, "i"), "f", shared=True)
    return (
        dx_q.total,
        dx_k.total,
        dx_v.total,
        dw_q.total,
        dw_k.total,
        dw_v.total,
        dw_o.total,
        None if b_q is None else db_q.total,
        None if b_k is None else db_k.total,
        None if b_v is None else db_v.total,
        None if b_o is None else db_o.total,
        None if bias is None else dbias.total,
    )
