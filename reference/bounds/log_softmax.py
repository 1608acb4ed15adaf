"""Rounding-error bounds of log_softmax.

GENERATED from derivations/softmax.py by `lemmata generate softmax`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def log_softmax_bound(x: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `log_softmax`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, y).

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "j")
    # m = max_{j} x[j]
    m, x = fl.largest("m", x, "j")
    # a[i] = exp(x[i] − m)
    a = fl.step("a", fl.exp(x.at("i") - m), "i")
    # z = Σ_j a[j]
    z = fl.step("z", fl.sum(a.at("j"), "j"), "", row=True)
    # y[i] = (x[i] − m) − log(z)
    y = fl.output("y", x.at("i") - m - fl.log(z), "i")
    return y.total


@np.errstate(all="ignore")
def log_softmax_vjp_bound(x: Array, dy: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `log_softmax_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, dz, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "j")
    dy = fl.given(dy, "j")
    # m = max_{j} x[j]
    m, x = fl.largest("m", x, "j")
    # a[i] = exp(x[i] − m)
    a = fl.step("a", fl.exp(x.at("i") - m), "i")
    # z = Σ_j a[j]
    z = fl.step("z", fl.sum(a.at("j"), "j"), "")
    # dz = -(Σ_j dy[j])/z
    dz = fl.step("dz", -1 / z * fl.sum(dy, "j"), "", row=True)
    # dx[i] = dy[i] + dz·a[i]
    dx = fl.output("dx", dy.at("i") + dz * a, "i")
    return dx.total


@np.errstate(all="ignore")
def log_softmax_jvp_bound(x: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `log_softmax_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, delta, ty).

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "j")
    tx = fl.given(tx, "j")
    # m = max_{j} x[j]
    m, x = fl.largest("m", x, "j")
    # a[i] = exp(x[i] − m)
    a = fl.step("a", fl.exp(x.at("i") - m), "i")
    # z = Σ_j a[j]
    z = fl.step("z", fl.sum(a.at("j"), "j"), "")
    # delta = (Σ_j tx[j]·a[j])/z
    delta = fl.step("delta", 1 / z * fl.sum(tx * a.at("j"), "j"), "", row=True)
    # ty[i] = tx[i] − delta
    ty = fl.output("ty", tx.at("i") - delta, "i")
    return ty.total
