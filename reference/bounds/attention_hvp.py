"""Rounding-error bounds of attention.

GENERATED from derivations/attention.py by `lemmata generate attention`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def attention_hvp_bound(
    q: Array,
    k: Array,
    v: Array,
    do: Array,
    tq: Array,
    tk: Array,
    tv: Array,
    dlse: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    tbias: Array | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, Array, Array, Array | None]:
    """Bound of the rounding error of `attention_hvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, m, a, z, p, o, dp, delta,
            ds, ts, delta_2, tp, to, tdp, delta_3, tds, tdq, tdk, tdv, tdbias).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of tdq, tdk, tdv, tdbias, infinite where a format may overflow.
    """
    fl = Rounding(precision, q)
    errors = errors or {}
    q = fl.given(q, "r i c", errors.get("q"))
    k = fl.given(k, "j c", errors.get("k"))
    v = fl.given(v, "j e", errors.get("v"))
    do = fl.given(do, "r i e", errors.get("do"))
    tq = fl.given(tq, "r i c", errors.get("tq"))
    tk = fl.given(tk, "j c", errors.get("tk"))
    tv = fl.given(tv, "j e", errors.get("tv"))
    dlse = fl.given(dlse, "r i", errors.get("dlse"))
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
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = fl.step("o", fl.matmul(p, v, "j"), "r i e")
    # dp[r, i, j] = Σ_e do[r, i, e]·v[j, e]
    dp = fl.step("dp", fl.matmul(do, v, "e"), "r i j")
    # delta[r, i] = (Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]
    delta = fl.sum(do * o, "e")
    delta = fl.minus("delta", delta, dlse, terms=v.shape[-1])
    delta = fl.step("delta", delta, "r i", row=True)
    # ds[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])
    ds = fl.step("ds", p * (dp - delta), "r i j")
    # ts[r, i, j] = (Σ_c tq[r, i, c]·k[j, c])·scale + (Σ_c tk[j, c]·q[r, i, c])·scale + tbias[r, i, j]
    ts = fl.matmul(tq, k, "c") * scale + fl.matmul(q, tk, "c") * scale
    ts = fl.plus("ts", ts, tbias)
    ts = fl.step("ts", ts, "r i j")
    # delta_2[r, i] = Σ_j p[r, i, j]·ts[r, i, j]
    delta_2 = fl.step("delta_2", fl.sum(p * ts, "j"), "r i", row=True)
    # tp[r, i, j] = p[r, i, j]·(ts[r, i, j] − delta_2[r, i])
    tp = fl.step("tp", p * (ts - delta_2), "r i j")
    # to[r, i, e] = (Σ_j tp[r, i, j]·v[j, e]) + Σ_j tv[j, e]·p[r, i, j]
    to = fl.step("to", fl.matmul(tp, v, "j") + fl.matmul(p, tv, "j"), "r i e")
    # tdp[r, i, j] = Σ_e tv[j, e]·do[r, i, e]
    tdp = fl.step("tdp", fl.matmul(do, tv, "e"), "r i j")
    # delta_3[r, i] = Σ_e do[r, i, e]·to[r, i, e]
    delta_3 = fl.step("delta_3", fl.sum(do * to, "e"), "r i", row=True)
    # tds[r, i, j] = dp[r, i, j]·tp[r, i, j] − delta[r, i]·tp[r, i, j] + p[r, i, j]·(tdp[r, i, j] − delta_3[r, i])
    tds = fl.step("tds", fl.total(dp * tp, p * (tdp - delta_3), -(delta * tp)), "r i j")
    # tdq[r, i, c] = (Σ_j tds[r, i, j]·k[j, c])·scale + (Σ_j tk[j, c]·ds[r, i, j])·scale
    tdq = fl.output("tdq", fl.matmul(tds, k, "j") * scale + fl.matmul(ds, tk, "j") * scale, "r i c")
    # tdk[j, c] = (Σ_i (Σ_r tds[r, i, j]·q[r, i, c]))·scale + (Σ_i (Σ_r tq[r, i, c]·ds[r, i, j]))·scale
    tdk = fl.output("tdk", fl.matmul(tds, q, "i r") * scale + fl.matmul(ds, tq, "i r") * scale, "j c")
    # tdv[j, e] = Σ_i (Σ_r tp[r, i, j]·do[r, i, e])
    tdv = fl.output("tdv", fl.matmul(tp, do, "i r"), "j e")
    # tdbias[r, i, j] = tds[r, i, j]
    tdbias = fl.output("tdbias", tds, "r i j")
    return tdq.total, tdk.total, tdv.total, None if bias is None else tdbias.total
