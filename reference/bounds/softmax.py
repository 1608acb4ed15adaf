"""Rounding-error bounds of softmax.

GENERATED from derivations/softmax.py by `lemmata generate softmax`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def softmax_bound(x: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `softmax`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, p).

    Returns:
        absolute errors of p, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "j")
    # m = max_{j} x[j]
    m, x = fl.largest("m", x, "j")
    # a[i] = exp(x[i] − m)
    a = fl.step("a", fl.exp(x.at("i") - m), "i")
    # z = Σ_j a[j]
    z = fl.step("z", fl.sum(a.at("j"), "j"), "", row=True)
    # p[i] = a[i]/z
    p = fl.output("p", a / z, "i", within=1)
    return p.total


@np.errstate(all="ignore")
def softmax_vjp_bound(x: Array, dp: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `softmax_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, p, delta, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "j")
    dp = fl.given(dp, "j")
    # m = max_{j} x[j]
    m, x = fl.largest("m", x, "j")
    # a[i] = exp(x[i] − m)
    a = fl.step("a", fl.exp(x.at("i") - m), "i")
    # z = Σ_j a[j]
    z = fl.step("z", fl.sum(a.at("j"), "j"), "", row=True)
    # p[i] = a[i]/z
    p = fl.step("p", a / z, "i", within=1)
    # delta = Σ_j dp[j]·p[j]
    delta = fl.step("delta", fl.sum(dp * p.at("j"), "j"), "", row=True)
    # dx[i] = p[i]·(dp[i] − delta)
    dx = fl.output("dx", p * (dp.at("i") - delta), "i")
    return dx.total


@np.errstate(all="ignore")
def softmax_jvp_bound(x: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `softmax_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, p, delta, tp).

    Returns:
        absolute errors of tp, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "j")
    tx = fl.given(tx, "j")
    # m = max_{j} x[j]
    m, x = fl.largest("m", x, "j")
    # a[i] = exp(x[i] − m)
    a = fl.step("a", fl.exp(x.at("i") - m), "i")
    # z = Σ_j a[j]
    z = fl.step("z", fl.sum(a.at("j"), "j"), "", row=True)
    # p[i] = a[i]/z
    p = fl.step("p", a / z, "i", within=1)
    # delta = Σ_j tx[j]·p[j]
    delta = fl.step("delta", fl.sum(tx * p.at("j"), "j"), "", row=True)
    # tp[i] = p[i]·(tx[i] − delta)
    tp = fl.output("tp", p * (tx.at("i") - delta), "i")
    return tp.total
