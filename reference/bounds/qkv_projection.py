"""Rounding-error bounds of qkv_projection.

GENERATED from derivations/linear.py by `lemmata generate linear`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def qkv_projection_bound(
    x: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `qkv_projection`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (q, k, v).

    Returns:
        absolute errors of q, k, v, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i c")
    w_q = fl.given(w_q, "e c")
    w_k = fl.given(w_k, "f c")
    w_v = fl.given(w_v, "g c")
    b_q = fl.given(b_q, "e")
    b_k = fl.given(b_k, "f")
    b_v = fl.given(b_v, "g")
    # q[i, e] = (Σ_c x[i, c]·w_q[e, c]) + b_q[e]
    q = fl.matmul(x, w_q, "c")
    q = fl.plus("q", q, b_q, terms=x.shape[-1])
    q = fl.output("q", q, "i e")
    # k[i, f] = (Σ_c x[i, c]·w_k[f, c]) + b_k[f]
    k = fl.matmul(x, w_k, "c")
    k = fl.plus("k", k, b_k, terms=x.shape[-1])
    k = fl.output("k", k, "i f")
    # v[i, g] = (Σ_c x[i, c]·w_v[g, c]) + b_v[g]
    v = fl.matmul(x, w_v, "c")
    v = fl.plus("v", v, b_v, terms=x.shape[-1])
    v = fl.output("v", v, "i g")
    return q.total, k.total, v.total


@np.errstate(all="ignore")
def qkv_projection_vjp_bound(
    x: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    dq: Array,
    dk: Array | None = None,
    dv: Array | None = None,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, ...]:
    """Bound of the rounding error of `qkv_projection_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, of each stored value (dx, dw_q, dw_k, dw_v, db_q, db_k,
            db_v), and of partial sums (dw_q_partial, dw_k_partial, dw_v_partial).

    Returns:
        absolute errors of dx, dw_q, dw_k, dw_v, db_q, db_k, db_v, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i c")
    w_q = fl.given(w_q, "e c")
    w_k = fl.given(w_k, "f c")
    w_v = fl.given(w_v, "g c")
    dq = fl.given(dq, "i e")
    dk_given = fl.given(dk, "i f", absent=(0.0, x.shape[-2], w_k.shape[-2]))
    dv_given = fl.given(dv, "i g", absent=(0.0, x.shape[-2], w_v.shape[-2]))
    b_q = fl.given(b_q, "d_q")
    b_k = fl.given(b_k, "d_k")
    b_v = fl.given(b_v, "d_v")
    # dx[i, c] = (Σ_g dv[i, g]·w_v[g, c]) + (Σ_f dk[i, f]·w_k[f, c]) + Σ_e dq[i, e]·w_q[e, c]
    dx = fl.matmul(dq, w_q, "e")
    if dv is not None:
        dx = fl.plus("dx", dx, fl.matmul(dv_given, w_v, "g"))
    if dk is not None:
        dx = fl.plus("dx", dx, fl.matmul(dk_given, w_k, "f"))
    dx = fl.output("dx", dx, "i c")
    # dw_q[e, c] = Σ_i dq[i, e]·x[i, c]
    dw_q = fl.output("dw_q", fl.matmul(dq, x, "i"), "e c", shared=True)
    # dw_k[f, c] = Σ_i dk[i, f]·x[i, c]
    dw_k = fl.output("dw_k", fl.matmul(dk_given, x, "i"), "f c", shared=True)
    # dw_v[g, c] = Σ_i dv[i, g]·x[i, c]
    dw_v = fl.output("dw_v", fl.matmul(dv_given, x, "i"), "g c", shared=True)
    # db_q[e] = Σ_i dq[i, e]
    db_q = fl.output("db_q", fl.sum(dq, "i"), "e", shared=True)
    # db_k[f] = Σ_i dk[i, f]
    db_k = fl.output("db_k", fl.sum(dk_given, "i"), "f", shared=True)
    # db_v[g] = Σ_i dv[i, g]
    db_v = fl.output("db_v", fl.sum(dv_given, "i"), "g", shared=True)
    return (
        dx.total,
        dw_q.total,
        dw_k.total,
        dw_v.total,
        None if b_q is None else db_q.total,
        None if b_k is None else db_k.total,
        None if b_v is None else db_v.total,
    )


@np.errstate(all="ignore")
def qkv_projection_jvp_bound(
    x: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    tx: Array,
    tw_q: Array,
    tw_k: Array,
    tw_v: Array,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    tb_q: Array | None = None,
    tb_k: Array | None = None,
    tb_v: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `qkv_projection_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (tq, tk, tv).

    Returns:
        absolute errors of tq, tk, tv, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i c")
    w_q = fl.given(w_q, "e c")
    w_k = fl.given(w_k, "f c")
    w_v = fl.given(w_v, "g c")
    tx = fl.given(tx, "i c")
    tw_q = fl.given(tw_q, "e c")
    tw_k = fl.given(tw_k, "f c")
    tw_v = fl.given(tw_v, "g c")
    tb_q = fl.given(tb_q, "e")
    tb_k = fl.given(tb_k, "f")
    tb_v = fl.given(tb_v, "g")
    # tq[i, e] = (Σ_c tx[i, c]·w_q[e, c]) + (Σ_c tw_q[e, c]·x[i, c]) + tb_q[e]
    tq = fl.matmul(tx, w_q, "c") + fl.matmul(x, tw_q, "c")
    tq = fl.plus("tq", tq, tb_q)
    tq = fl.output("tq", tq, "i e")
    # tk[i, f] = (Σ_c tx[i, c]·w_k[f, c]) + (Σ_c tw_k[f, c]·x[i, c]) + tb_k[f]
    tk = fl.matmul(tx, w_k, "c") + fl.matmul(x, tw_k, "c")
    tk = fl.plus("tk", tk, tb_k)
    tk = fl.output("tk", tk, "i f")
    # tv[i, g] = (Σ_c tx[i, c]·w_v[g, c]) + (Σ_c tw_v[g, c]·x[i, c]) + tb_v[g]
    tv = fl.matmul(tx, w_v, "c") + fl.matmul(x, tw_v, "c")
    tv = fl.plus("tv", tv, tb_v)
    tv = fl.output("tv", tv, "i g")
    return tq.total, tk.total, tv.total
