"""Rounding-error bounds of logsumexp.

GENERATED from derivations/softmax.py by `lemmata generate softmax`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def logsumexp_bound(x: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `logsumexp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse).

    Returns:
        absolute errors of lse, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "j")
    # m = max_{j} x[j]
    m, x = fl.largest("m", x, "j")
    # a[i] = exp(x[i] − m)
    a = fl.step("a", fl.exp(x.at("i") - m), "i")
    # z = Σ_j a[j]
    z = fl.step("z", fl.sum(a.at("j"), "j"), "")
    # lse = m + log(z)
    lse = fl.output("lse", m + fl.log(z), "")
    return lse.total


@np.errstate(all="ignore")
def logsumexp_vjp_bound(x: Array, dlse: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `logsumexp_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, dz, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "j")
    dlse = fl.given(dlse, "")
    # m = max_{j} x[j]
    m, x = fl.largest("m", x, "j")
    # a[i] = exp(x[i] − m)
    a = fl.step("a", fl.exp(x.at("i") - m), "i")
    # z = Σ_j a[j]
    z = fl.step("z", fl.sum(a.at("j"), "j"), "")
    # dz = dlse/z
    dz = fl.step("dz", dlse / z, "", row=True)
    # dx[i] = dz·a[i]
    dx = fl.output("dx", dz * a, "i")
    return dx.total


@np.errstate(all="ignore")
def logsumexp_jvp_bound(x: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `logsumexp_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, tlse).

    Returns:
        absolute errors of tlse, infinite where a format may overflow.
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
    # tlse = (Σ_j tx[j]·a[j])/z
    tlse = fl.output("tlse", 1 / z * fl.sum(tx * a.at("j"), "j"), "")
    return tlse.total
