"""Rounding-error bounds of geometric.

GENERATED from derivations/positional.py by `lemmata generate positional`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def geometric_bound(number: Array, base: float, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `geometric`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (omega).

    Returns:
        absolute errors of omega, infinite where a format may overflow.
    """
    fl = Rounding(precision, number)
    number = fl.given(number, "c")
    # omega[c] = exp(-((number[c]·log(base))/h))
    omega = fl.output("omega", fl.exp(-(number * fl.log(fl.given(base, "")) / number.shape[-1])), "c")
    return omega.total


@np.errstate(all="ignore")
def geometric_vjp_bound(
    number: Array, base: float, domega: Array, *, precision: Mapping[str, Format]
) -> tuple[Array, Array]:
    """Bound of the rounding error of `geometric_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (dnumber, dbase).

    Returns:
        absolute errors of dnumber, dbase, infinite where a format may overflow.
    """
    fl = Rounding(precision, number)
    number = fl.given(number, "c")
    domega = fl.given(domega, "c")
    # dnumber[c] = -domega[c]·log(base)·exp(-number[c]·log(base)/h)/h
    dnumber_1 = fl.exp(-1 / number.shape[-1] * number * fl.log(fl.given(base, "")))
    dnumber = fl.output("dnumber", -1 / number.shape[-1] * domega * fl.log(fl.given(base, "")) * dnumber_1, "c")
    # dbase = -(Σ_c number[c]·domega[c]·exp(-number[c]·log(base)/h))/h/base
    dbase_1 = fl.sum(number * domega * fl.exp(-1 / number.shape[-1] * number * fl.log(fl.given(base, ""))), "c")
    dbase = fl.output("dbase", -1 / number.shape[-1] / base * dbase_1, "")
    return dnumber.total, dbase.total


@np.errstate(all="ignore")
def geometric_jvp_bound(
    number: Array, base: float, tnumber: Array, tbase: float, *, precision: Mapping[str, Format]
) -> Array:
    """Bound of the rounding error of `geometric_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (tomega).

    Returns:
        absolute errors of tomega, infinite where a format may overflow.
    """
    fl = Rounding(precision, number)
    number = fl.given(number, "c")
    tnumber = fl.given(tnumber, "c")
    # tomega[c] = exp(-number[c]·log(base)/h)·(-tbase·number[c]/base − tnumber[c]·log(base))/h
    tomega_1 = fl.exp(-1 / number.shape[-1] * number * fl.log(fl.given(base, "")))
    tomega_2 = -(1 / base * tbase * number) - tnumber * fl.log(fl.given(base, ""))
    tomega = fl.output("tomega", 1 / number.shape[-1] * tomega_1 * tomega_2, "c")
    return tomega.total
