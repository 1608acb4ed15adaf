"""Rounding-error bounds of gelu.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def gelu_bound(x: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `gelu`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (cdf, y).

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    # cdf[c] = erfc((-x[c])/√2)/2
    cdf = fl.step("cdf", fl.erfc(fl.inexact(-x / 2**0.5)) / 2, "c")
    # y[c] = x[c]·cdf[c]
    y = fl.output("y", x * cdf, "c")
    return y.total


@np.errstate(all="ignore")
def gelu_vjp_bound(x: Array, dy: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `gelu_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (cdf, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    dy = fl.given(dy, "c")
    # cdf[c] = erfc((-x[c])/√2)/2
    cdf = fl.step("cdf", fl.erfc(fl.inexact(-x / 2**0.5)) / 2, "c")
    # dx[c] = dy[c]·(cdf[c] + (1/2)·√2·x[c]·exp((-1/2)·x[c]^2)/√π)
    dx = fl.output("dx", dy * (cdf + fl.inexact(0.5 * 2**0.5 * x / np.pi**0.5 * fl.exp(-0.5 * x**2), 2)), "c")
    return dx.total


@np.errstate(all="ignore")
def gelu_jvp_bound(x: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `gelu_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (cdf, ty).

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    tx = fl.given(tx, "c")
    # cdf[c] = erfc((-x[c])/√2)/2
    cdf = fl.step("cdf", fl.erfc(fl.inexact(-x / 2**0.5)) / 2, "c")
    # ty[c] = tx[c]·(cdf[c] + (1/2)·√2·x[c]·exp((-1/2)·x[c]^2)/√π)
    ty = fl.output("ty", tx * (cdf + fl.inexact(0.5 * 2**0.5 * x / np.pi**0.5 * fl.exp(-0.5 * x**2), 2)), "c")
    return ty.total
