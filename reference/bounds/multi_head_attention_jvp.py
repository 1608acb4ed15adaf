"""Rounding-error bounds of multi_head_attention.

GENERATED from derivations/multihead.py by `lemmata generate multihead`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..attention import attention, attention_jvp
from ..composed import call
from ..rounding import Array, Format, Rounding
from .attention import attention_bound, attention_jvp_bound


@np.errstate(all="ignore")
def multi_head_attention_jvp_bound(
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
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `multi_head_attention_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (q, k, v, y, tq, tk, tv, ty).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of ty, infinite where a format may overflow.
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
    tx_q = fl.given(tx_q, "i c", errors.get("tx_q"))
    tx_k = fl.given(tx_k, "j c", errors.get("tx_k"))
    tx_v = fl.given(tx_v, "j c", errors.get("tx_v"))
    tw_q = fl.given(tw_q, "g r e c", errors.get("tw_q"))
    tw_k = fl.given(tw_k, "g e c", errors.get("tw_k"))
    tw_v = fl.given(tw_v, "g u c", errors.get("tw_v"))
    tw_o = fl.given(tw_o, "g r f u", errors.get("tw_o"))
    b_q = fl.given(b_q, "g r e", errors.get("b_q"))
    b_k = fl.given(b_k, "g e", errors.get("b_k"))
    b_v = fl.given(b_v, "g u", errors.get("b_v"))
    keep = fl.given(keep, "g r n m")
    bias = fl.given(bias, "g r n m", errors.get("bias"))
    tb_q = fl.given(tb_q, "g r e", errors.get("tb_q"))
    tb_k = fl.given(tb_k, "g e", errors.get("tb_k"))
    tb_v = fl.given(tb_v, "g u", errors.get("tb_v"))
    tb_o = fl.given(tb_o, "f", errors.get("tb_o"))
    tbias = fl.given(tbias, "g r n m", errors.get("tbias"))
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
    # tq[g, r, i, e] = (Σ_c tx_q[i, c]·w_q[g, r, e, c]) + (Σ_c tw_q[g, r, e, c]·x_q[i, c]) + tb_q[g, r, e]
    tq = fl.matmul(tx_q, w_q, "c") + fl.matmul(x_q, tw_q, "c")
    tq = fl.plus("tq", tq, tb_q)
    tq = fl.step("tq", tq, "g r i e")
    # tk[g, j, e] = (Σ_c tx_k[j, c]·w_k[g, e, c]) + (Σ_c tw_k[g, e, c]·x_k[j, c]) + tb_k[g, e]
    tk = fl.matmul(tx_k, w_k, "c") + fl.matmul(x_k, tw_k, "c")
    tk = fl.plus("tk", tk, tb_k)
    tk = fl.step("tk", tk, "g j e")
    # tv[g, j, u] = (Σ_c tx_v[j, c]·w_v[g, u, c]) + (Σ_c tw_v[g, u, c]·x_v[j, c]) + tb_v[g, u]
    tv = fl.matmul(tx_v, w_v, "c") + fl.matmul(x_v, tw_v, "c")
    tv = fl.plus("tv", tv, tb_v)
    tv = fl.step("tv", tv, "g j u")
    # to[g] = attention_jvp(q[g], k[g], v[g], keep[g], bias[g], tq[g], tk[g], tv[g], tbias[g])
    to, _ = call(
        fl,
        attention_jvp,
        attention_jvp_bound,
        ("g r i u", None),
        q=q,
        k=k,
        v=v,
        keep=keep,
        bias=bias,
        tq=tq,
        tk=tk,
        tv=tv,
        tbias=tbias,
    )
    # ty[i, f] = (Σ_g (Σ_r (Σ_u to[g, r, i, u]·w_o[g, r, f, u]))) + (Σ_g (Σ_r (Σ_u tw_o[g, r, f, u]·o[g, r, i, u]))) +
    # tb_o[f]
    ty = fl.matmul(to, w_o, "u g r") + fl.matmul(o, tw_o, "u g r")
    ty = fl.plus("ty", ty, tb_o)
    ty = fl.output("ty", ty, "i f")
    return ty.total
