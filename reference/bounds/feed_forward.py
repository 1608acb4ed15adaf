"""Rounding-error bounds of feed_forward.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def feed_forward_bound(
    x: Array,
    w_1: Array,
    b_1: Array,
    w_2: Array,
    b_2: Array,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `feed_forward`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (h, cdf, a, y).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i c", errors.get("x"))
    w_1 = fl.given(w_1, "f c", errors.get("w_1"))
    b_1 = fl.given(b_1, "f", errors.get("b_1"))
    w_2 = fl.given(w_2, "e f", errors.get("w_2"))
    b_2 = fl.given(b_2, "e", errors.get("b_2"))
    # h[i, f] = (Σ_c x[i, c]·w_1[f, c]) + b_1[f]
    h = fl.step("h", fl.matmul(x, w_1, "c") + b_1, "i f")
    # cdf[i, f] = erfc((-h[i, f])/√2)/2
    cdf = fl.step("cdf", fl.erfc(fl.inexact(-h / 2**0.5)) / 2, "i f")
    # a[i, f] = h[i, f]·cdf[i, f]
    a = fl.step("a", h * cdf, "i f")
    # y[i, e] = (Σ_f a[i, f]·w_2[e, f]) + b_2[e]
    y = fl.output("y", fl.matmul(a, w_2, "f") + b_2, "i e")
    return y.total


@np.errstate(all="ignore")
def feed_forward_vjp_bound(
    x: Array,
    w_1: Array,
    b_1: Array,
    w_2: Array,
    b_2: Array,
    dy: Array,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, Array, Array, Array, Array]:
    """Bound of the rounding error of `feed_forward_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, of each stored value (h, cdf, a, da, dh, dx, dw_1, db_1,
            dw_2, db_2), and of partial sums (dx_partial, dw_1_partial, dw_2_partial).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of dx, dw_1, db_1, dw_2, db_2, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i c", errors.get("x"))
    w_1 = fl.given(w_1, "f c", errors.get("w_1"))
    b_1 = fl.given(b_1, "f", errors.get("b_1"))
    w_2 = fl.given(w_2, "e f", errors.get("w_2"))
    dy = fl.given(dy, "i e", errors.get("dy"))
    # h[i, f] = (Σ_c x[i, c]·w_1[f, c]) + b_1[f]
    h = fl.step("h", fl.matmul(x, w_1, "c") + b_1, "i f")
    # cdf[i, f] = erfc((-h[i, f])/√2)/2
    cdf = fl.step("cdf", fl.erfc(fl.inexact(-h / 2**0.5)) / 2, "i f")
    # a[i, f] = h[i, f]·cdf[i, f]
    a = fl.step("a", h * cdf, "i f")
    # da[i, f] = Σ_e dy[i, e]·w_2[e, f]
    da = fl.step("da", fl.matmul(dy, w_2, "e"), "i f")
    # dh[i, f] = da[i, f]·(cdf[i, f] + (1/2)·√2·h[i, f]·exp((-1/2)·h[i, f]^2)/√π)
    dh = fl.step("dh", da * (cdf + fl.inexact(0.5 * 2**0.5 * h / np.pi**0.5 * fl.exp(-0.5 * h**2), 2)), "i f")
    # dx[i, c] = Σ_f dh[i, f]·w_1[f, c]
    dx = fl.output("dx", fl.matmul(dh, w_1, "f"), "i c")
    # dw_1[f, c] = Σ_i dh[i, f]·x[i, c]
    dw_1 = fl.output("dw_1", fl.matmul(dh, x, "i"), "f c", shared=True)
    # db_1[f] = Σ_i dh[i, f]
    db_1 = fl.output("db_1", fl.sum(dh, "i"), "f", shared=True)
    # dw_2[e, f] = Σ_i dy[i, e]·a[i, f]
    dw_2 = fl.output("dw_2", fl.matmul(dy, a, "i"), "e f", shared=True)
    # db_2[e] = Σ_i dy[i, e]
    db_2 = fl.output("db_2", fl.sum(dy, "i"), "e", shared=True)
    return dx.total, dw_1.total, db_1.total, dw_2.total, db_2.total


@np.errstate(all="ignore")
def feed_forward_jvp_bound(
    x: Array,
    w_1: Array,
    b_1: Array,
    w_2: Array,
    b_2: Array,
    tx: Array,
    tw_1: Array,
    tb_1: Array,
    tw_2: Array,
    tb_2: Array,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `feed_forward_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (h, cdf, a, th, ta, ty).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i c", errors.get("x"))
    w_1 = fl.given(w_1, "f c", errors.get("w_1"))
    b_1 = fl.given(b_1, "f", errors.get("b_1"))
    w_2 = fl.given(w_2, "e f", errors.get("w_2"))
    tx = fl.given(tx, "i c", errors.get("tx"))
    tw_1 = fl.given(tw_1, "f c", errors.get("tw_1"))
    tb_1 = fl.given(tb_1, "f", errors.get("tb_1"))
    tw_2 = fl.given(tw_2, "e f", errors.get("tw_2"))
    tb_2 = fl.given(tb_2, "e", errors.get("tb_2"))
    # h[i, f] = (Σ_c x[i, c]·w_1[f, c]) + b_1[f]
    h = fl.step("h", fl.matmul(x, w_1, "c") + b_1, "i f")
    # cdf[i, f] = erfc((-h[i, f])/√2)/2
    cdf = fl.step("cdf", fl.erfc(fl.inexact(-h / 2**0.5)) / 2, "i f")
    # a[i, f] = h[i, f]·cdf[i, f]
    a = fl.step("a", h * cdf, "i f")
    # th[i, f] = (Σ_c tx[i, c]·w_1[f, c]) + (Σ_c tw_1[f, c]·x[i, c]) + tb_1[f]
    th = fl.step("th", fl.total(fl.matmul(tx, w_1, "c"), fl.matmul(x, tw_1, "c"), tb_1), "i f")
    # ta[i, f] = th[i, f]·(cdf[i, f] + (1/2)·√2·h[i, f]·exp((-1/2)·h[i, f]^2)/√π)
    ta = fl.step("ta", th * (cdf + fl.inexact(0.5 * 2**0.5 * h / np.pi**0.5 * fl.exp(-0.5 * h**2), 2)), "i f")
    # ty[i, e] = (Σ_f ta[i, f]·w_2[e, f]) + (Σ_f tw_2[e, f]·a[i, f]) + tb_2[e]
    ty = fl.output("ty", fl.total(fl.matmul(ta, w_2, "f"), fl.matmul(a, tw_2, "f"), tb_2), "i e")
    return ty.total
