"""Rounding-error bounds of attention.

GENERATED from derivations/attention.py by `lemmata generate attention`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def attention_bound(
    q: Array,
    k: Array,
    v: Array,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, Array]:
    """Bound of the rounding error of `attention`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, m, a, z, p, o, lse).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of o, lse, infinite where a format may overflow.
    """
    fl = Rounding(precision, q)
    errors = errors or {}
    q = fl.given(q, "r i c", errors.get("q"))
    k = fl.given(k, "j c", errors.get("k"))
    v = fl.given(v, "j e", errors.get("v"))
    keep = fl.given(keep, "r i j")
    bias = fl.given(bias, "r i j", errors.get("bias"))
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c]) + bias[r, i, j]
    s = scale * fl.matmul(q, k, "c")
    s = fl.plus("s", s, bias, terms=q.shape[-1])
    s = fl.step("s", s, "r i j")
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m, s = fl.largest("m", s, "j", keep, empty=0.0)
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])
    a = fl.step("a", fl.exp(s - m, keep), "r i j")
    # z[r, i] = Σ_j a[r, i, j]
    z = fl.step("z", fl.sum(a, "j"), "r i", row=True)
    # p[r, i, j] = a[r, i, j]/z[r, i]
    p = fl.step("p", a / fl.positive(z), "r i j", within=1)
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = fl.output("o", fl.matmul(p, v, "j"), "r i e")
    # lse[r, i] = m[r, i] + log(z[r, i])
    lse = fl.output("lse", m + fl.log(z, guarded=True), "r i")
    return o.total, lse.total


@np.errstate(all="ignore")
def attention_vjp_bound(
    q: Array,
    k: Array,
    v: Array,
    do: Array,
    dlse: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, Array, Array, Array | None]:
    """Bound of the rounding error of `attention_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, of each stored value (s, m, a, z, p, o, dp, delta, ds,
            dq, dk, dv, dbias), and of partial sums (dq_partial, dk_partial, dv_partial).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of dq, dk, dv, dbias, infinite where a format may overflow.
    """
    fl = Rounding(precision, q)
    errors = errors or {}
    q = fl.given(q, "r i c", errors.get("q"))
    k = fl.given(k, "j c", errors.get("k"))
    v = fl.given(v, "j e", errors.get("v"))
    do = fl.given(do, "r i e", errors.get("do"))
    dlse = fl.given(dlse, "r i", errors.get("dlse"))
    keep = fl.given(keep, "r i j")
    bias = fl.given(bias, "r i j", errors.get("bias"))
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c]) + bias[r, i, j]
    s = scale * fl.matmul(q, k, "c")
    s = fl.plus("s", s, bias, terms=q.shape[-1])
    s = fl.step("s", s, "r i j")
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m, s = fl.largest("m", s, "j", keep, empty=0.0)
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])
    a = fl.step("a", fl.exp(s - m, keep), "r i j")
    # z[r, i] = Σ_j a[r, i, j]
    z = fl.step("z", fl.sum(a, "j"), "r i", row=True)
    # p[r, i, j] = a[r, i, j]/z[r, i]
    p = fl.step("p", a / fl.positive(z), "r i j", within=1)
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = fl.step("o", fl.matmul(p, v, "j"), "r i e")
    # or p[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − (m[r, i] + log(z[r, i])))
    p_alt = fl.form("p", fl.exp(s.collapsed() - fl.scaled(m + fl.log(fl.positive(z))), keep), "r i j")
    p = fl.either(p, p_alt)
    # dp[r, i, j] = Σ_e do[r, i, e]·v[j, e]
    dp = fl.step("dp", fl.matmul(do, v, "e"), "r i j")
    # delta[r, i] = (Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]
    delta = fl.sum(do * o, "e")
    delta = fl.minus("delta", delta, dlse, terms=v.shape[-1])
    # or delta[r, i] = (Σ_j p[r, i, j]·dp[r, i, j]) − dlse[r, i]
    delta_alt = fl.sum(p * dp, "j")
    delta_alt = fl.minus("delta", delta_alt, dlse, terms=k.shape[-2])
    delta = fl.either(delta, delta_alt)
    delta = fl.step("delta", delta, "r i", row=True)
    # ds[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])
    ds = fl.step("ds", p * (dp - delta), "r i j")
    # dq[r, i, c] = scale·(Σ_j ds[r, i, j]·k[j, c])
    dq = fl.output("dq", scale * fl.matmul(ds, k, "j"), "r i c")
    # dk[j, c] = scale·(Σ_i (Σ_r ds[r, i, j]·q[r, i, c]))
    dk = fl.output("dk", scale * fl.matmul(ds, q, "i r"), "j c")
    # dv[j, e] = Σ_i (Σ_r do[r, i, e]·p[r, i, j])
    dv = fl.output("dv", fl.matmul(p, do, "i r"), "j e")
    # dbias[r, i, j] = ds[r, i, j]
    dbias = fl.output("dbias", ds, "r i j")
    return dq.total, dk.total, dv.total, None if bias is None else dbias.total


@np.errstate(all="ignore")
def attention_jvp_bound(
    q: Array,
    k: Array,
    v: Array,
    tq: Array,
    tk: Array,
    tv: Array,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    tbias: Array | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, Array]:
    """Bound of the rounding error of `attention_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, m, a, z, p, ts, delta, tp,
            to, tlse).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of to, tlse, infinite where a format may overflow.
    """
    fl = Rounding(precision, q)
    errors = errors or {}
    q = fl.given(q, "r i c", errors.get("q"))
    k = fl.given(k, "j c", errors.get("k"))
    v = fl.given(v, "j e", errors.get("v"))
    tq = fl.given(tq, "r i c", errors.get("tq"))
    tk = fl.given(tk, "j c", errors.get("tk"))
    tv = fl.given(tv, "j e", errors.get("tv"))
    keep = fl.given(keep, "r i j")
    bias = fl.given(bias, "r i j", errors.get("bias"))
    tbias = fl.given(tbias, "r i j", errors.get("tbias"))
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c]) + bias[r, i, j]
    s = scale * fl.matmul(q, k, "c")
    s = fl.plus("s", s, bias, terms=q.shape[-1])
    s = fl.step("s", s, "r i j")
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m, s = fl.largest("m", s, "j", keep, empty=0.0)
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])
    a = fl.step("a", fl.exp(s - m, keep), "r i j")
    # z[r, i] = Σ_j a[r, i, j]
    z = fl.step("z", fl.sum(a, "j"), "r i", row=True)
    # p[r, i, j] = a[r, i, j]/z[r, i]
    p = fl.step("p", a / fl.positive(z), "r i j", within=1)
    # ts[r, i, j] = (Σ_c tq[r, i, c]·k[j, c])·scale + (Σ_c tk[j, c]·q[r, i, c])·scale + tbias[r, i, j]
    ts = fl.matmul(tq, k, "c") * scale + fl.matmul(q, tk, "c") * scale
    ts = fl.plus("ts", ts, tbias)
    ts = fl.step("ts", ts, "r i j")
    # delta[r, i] = Σ_j p[r, i, j]·ts[r, i, j]
    delta = fl.step("delta", fl.sum(p * ts, "j"), "r i", row=True)
    # tp[r, i, j] = p[r, i, j]·(ts[r, i, j] − delta[r, i])
    tp = fl.step("tp", p * (ts - delta), "r i j")
    # to[r, i, e] = (Σ_j tp[r, i, j]·v[j, e]) + Σ_j tv[j, e]·p[r, i, j]
    to = fl.output("to", fl.matmul(tp, v, "j") + fl.matmul(p, tv, "j"), "r i e")
    # tlse[r, i] = delta[r, i]
    tlse = fl.output("tlse", delta, "r i")
    return to.total, tlse.total
