"""Rounding-error bounds of swiglu_feed_forward.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def swiglu_feed_forward_bound(
    x: Array,
    w: Array,
    v: Array,
    w_2: Array,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `swiglu_feed_forward`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (g, u, s, a, m, y).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i c", errors.get("x"))
    w = fl.given(w, "c f", errors.get("w"))
    v = fl.given(v, "c f", errors.get("v"))
    w_2 = fl.given(w_2, "f e", errors.get("w_2"))
    # g[i, f] = Σ_c x[i, c]·w[c, f]
    g = fl.step("g", fl.matmul(x, w, "c"), "i f")
    # u[i, f] = Σ_c x[i, c]·v[c, f]
    u = fl.step("u", fl.matmul(x, v, "c"), "i f")
    # s[i, f] = sigmoid(g[i, f])
    s = fl.step("s", fl.sigmoid(g), "i f")
    # a[i, f] = g[i, f]·s[i, f]
    a = fl.step("a", g * s, "i f")
    # m[i, f] = a[i, f]·u[i, f]
    m = fl.step("m", a * u, "i f")
    # y[i, e] = Σ_f m[i, f]·w_2[f, e]
    y = fl.output("y", fl.matmul(m, w_2, "f"), "i e")
    return y.total


@np.errstate(all="ignore")
def swiglu_feed_forward_vjp_bound(
    x: Array,
    w: Array,
    v: Array,
    w_2: Array,
    dy: Array,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, Array, Array, Array]:
    """Bound of the rounding error of `swiglu_feed_forward_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, of each stored value (g, u, s, a, m, dm, du, dg, dx, dw,
            dv, dw_2), and of partial sums (dw_partial, dv_partial, dw_2_partial).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of dx, dw, dv, dw_2, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i c", errors.get("x"))
    w = fl.given(w, "c f", errors.get("w"))
    v = fl.given(v, "c f", errors.get("v"))
    w_2 = fl.given(w_2, "f e", errors.get("w_2"))
    dy = fl.given(dy, "i e", errors.get("dy"))
    # g[i, f] = Σ_c x[i, c]·w[c, f]
    g = fl.step("g", fl.matmul(x, w, "c"), "i f")
    # u[i, f] = Σ_c x[i, c]·v[c, f]
    u = fl.step("u", fl.matmul(x, v, "c"), "i f")
    # s[i, f] = sigmoid(g[i, f])
    s = fl.step("s", fl.sigmoid(g), "i f")
    # a[i, f] = g[i, f]·s[i, f]
    a = fl.step("a", g * s, "i f")
    # m[i, f] = a[i, f]·u[i, f]
    m = fl.step("m", a * u, "i f")
    # dm[i, f] = Σ_e dy[i, e]·w_2[f, e]
    dm = fl.step("dm", fl.matmul(dy, w_2, "e"), "i f")
    # du[i, f] = a[i, f]·dm[i, f]
    du = fl.step("du", a * dm, "i f")
    # dg[i, f] = dm[i, f]·(u[i, f]·s[i, f] + m[i, f]·sigmoid(-g[i, f]))
    dg = fl.step("dg", dm * (u * s + m * fl.sigmoid(-g)), "i f")
    # dx[i, c] = (Σ_f du[i, f]·v[c, f]) + Σ_f dg[i, f]·w[c, f]
    dx = fl.output("dx", fl.matmul(du, v, "f") + fl.matmul(dg, w, "f"), "i c")
    # dw[c, f] = Σ_i dg[i, f]·x[i, c]
    dw = fl.output("dw", fl.matmul(x, dg, "i"), "c f", shared=True)
    # dv[c, f] = Σ_i du[i, f]·x[i, c]
    dv = fl.output("dv", fl.matmul(x, du, "i"), "c f", shared=True)
    # dw_2[f, e] = Σ_i dy[i, e]·m[i, f]
    dw_2 = fl.output("dw_2", fl.matmul(m, dy, "i"), "f e", shared=True)
    return dx.total, dw.total, dv.total, dw_2.total


@np.errstate(all="ignore")
def swiglu_feed_forward_jvp_bound(
    x: Array,
    w: Array,
    v: Array,
    w_2: Array,
    tx: Array,
    tw: Array,
    tv: Array,
    tw_2: Array,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `swiglu_feed_forward_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (g, u, s, a, m, tg, tu, tm,
            ty).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i c", errors.get("x"))
    w = fl.given(w, "c f", errors.get("w"))
    v = fl.given(v, "c f", errors.get("v"))
    w_2 = fl.given(w_2, "f e", errors.get("w_2"))
    tx = fl.given(tx, "i c", errors.get("tx"))
    tw = fl.given(tw, "c f", errors.get("tw"))
    tv = fl.given(tv, "c f", errors.get("tv"))
    tw_2 = fl.given(tw_2, "f e", errors.get("tw_2"))
    # g[i, f] = Σ_c x[i, c]·w[c, f]
    g = fl.step("g", fl.matmul(x, w, "c"), "i f")
    # u[i, f] = Σ_c x[i, c]·v[c, f]
    u = fl.step("u", fl.matmul(x, v, "c"), "i f")
    # s[i, f] = sigmoid(g[i, f])
    s = fl.step("s", fl.sigmoid(g), "i f")
    # a[i, f] = g[i, f]·s[i, f]
    a = fl.step("a", g * s, "i f")
    # m[i, f] = a[i, f]·u[i, f]
    m = fl.step("m", a * u, "i f")
    # tg[i, f] = (Σ_c tx[i, c]·w[c, f]) + Σ_c tw[c, f]·x[i, c]
    tg = fl.step("tg", fl.matmul(tx, w, "c") + fl.matmul(x, tw, "c"), "i f")
    # tu[i, f] = (Σ_c tx[i, c]·v[c, f]) + Σ_c tv[c, f]·x[i, c]
    tu = fl.step("tu", fl.matmul(tx, v, "c") + fl.matmul(x, tv, "c"), "i f")
    # tm[i, f] = u[i, f]·s[i, f]·tg[i, f] + a[i, f]·tu[i, f] + m[i, f]·tg[i, f]·sigmoid(-g[i, f])
    tm = fl.step("tm", fl.total(u * s * tg, a * tu, m * tg * fl.sigmoid(-g)), "i f")
    # ty[i, e] = (Σ_f tm[i, f]·w_2[f, e]) + Σ_f tw_2[f, e]·m[i, f]
    ty = fl.output("ty", fl.matmul(tm, w_2, "f") + fl.matmul(m, tw_2, "f"), "i e")
    return ty.total
