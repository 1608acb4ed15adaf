"""Rounding-error bounds of geglu.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def geglu_bound(gate: Array, up: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `geglu`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (cdf, a, y).

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, gate)
    gate = fl.given(gate, "c")
    up = fl.given(up, "c")
    # cdf[c] = erfc((-gate[c])/√2)/2
    cdf = fl.step("cdf", fl.erfc(fl.inexact(-gate / 2**0.5)) / 2, "c")
    # a[c] = gate[c]·cdf[c]
    a = fl.step("a", gate * cdf, "c")
    # y[c] = a[c]·up[c]
    y = fl.output("y", a * up, "c")
    return y.total


@np.errstate(all="ignore")
def geglu_vjp_bound(gate: Array, up: Array, dy: Array, *, precision: Mapping[str, Format]) -> tuple[Array, Array]:
    """Bound of the rounding error of `geglu_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (cdf, a, da, dgate, dup).

    Returns:
        absolute errors of dgate, dup, infinite where a format may overflow.
    """
    fl = Rounding(precision, gate)
    gate = fl.given(gate, "c")
    up = fl.given(up, "c")
    dy = fl.given(dy, "c")
    # cdf[c] = erfc((-gate[c])/√2)/2
    cdf = fl.step("cdf", fl.erfc(fl.inexact(-gate / 2**0.5)) / 2, "c")
    # a[c] = gate[c]·cdf[c]
    a = fl.step("a", gate * cdf, "c")
    # da[c] = up[c]·dy[c]
    da = fl.step("da", up * dy, "c")
    # dgate[c] = da[c]·(cdf[c] + (1/2)·√2·gate[c]·exp((-1/2)·gate[c]^2)/√π)
    dgate = fl.output(
        "dgate", da * (cdf + fl.inexact(0.5 * 2**0.5 * gate / np.pi**0.5 * fl.exp(-0.5 * gate**2), 2)), "c"
    )
    # dup[c] = dy[c]·a[c]
    dup = fl.output("dup", dy * a, "c")
    return dgate.total, dup.total


@np.errstate(all="ignore")
def geglu_jvp_bound(gate: Array, up: Array, tgate: Array, tup: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `geglu_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (cdf, a, ty).

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, gate)
    gate = fl.given(gate, "c")
    up = fl.given(up, "c")
    tgate = fl.given(tgate, "c")
    tup = fl.given(tup, "c")
    # cdf[c] = erfc((-gate[c])/√2)/2
    cdf = fl.step("cdf", fl.erfc(fl.inexact(-gate / 2**0.5)) / 2, "c")
    # a[c] = gate[c]·cdf[c]
    a = fl.step("a", gate * cdf, "c")
    # ty[c] = (tgate[c]·cdf[c] + exp(-(-gate[c]/√2)^2)·tgate[c]·gate[c]/√π/√2)·up[c] + tup[c]·a[c]
    ty_1 = fl.inexact(1 / np.pi**0.5 * fl.exp(-(fl.inexact(-gate / 2**0.5) ** 2)) * tgate / 2**0.5 * gate, 2)
    ty = fl.output("ty", (tgate * cdf + ty_1) * up + tup * a, "c")
    return ty.total
