"""Rounding-error bounds of alibi.

GENERATED from derivations/positional.py by `lemmata generate positional`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def alibi_bound(slope: Array, pos_q: Array, pos_k: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `alibi`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (distance, bias).

    Returns:
        absolute errors of bias, infinite where a format may overflow.
    """
    fl = Rounding(precision, slope)
    slope = fl.given(slope, "r")
    pos_q = fl.given(pos_q, "i")
    pos_k = fl.given(pos_k, "j")
    # distance[i, j] = pos_q[i] − pos_k[j]
    distance = fl.step("distance", pos_q - pos_k, "i j", row=True)
    # bias[r, i, j] = -(slope[r]·distance[i, j])
    bias = fl.output("bias", -(slope * distance), "r i j")
    return bias.total


@np.errstate(all="ignore")
def alibi_vjp_bound(
    slope: Array, pos_q: Array, pos_k: Array, dbias: Array, *, precision: Mapping[str, Format]
) -> Array:
    """Bound of the rounding error of `alibi_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (distance, dslope).

    Returns:
        absolute errors of dslope, infinite where a format may overflow.
    """
    fl = Rounding(precision, slope)
    pos_q = fl.given(pos_q, "i")
    pos_k = fl.given(pos_k, "j")
    dbias = fl.given(dbias, "r i j")
    # distance[i, j] = pos_q[i] − pos_k[j]
    distance = fl.step("distance", pos_q - pos_k, "i j")
    # dslope[r] = -(Σ_i (Σ_j dbias[r, i, j]·distance[i, j]))
    dslope = fl.output("dslope", -fl.sum(dbias * distance, "i j"), "r", shared=True)
    return dslope.total


@np.errstate(all="ignore")
def alibi_jvp_bound(
    slope: Array, pos_q: Array, pos_k: Array, tslope: Array, *, precision: Mapping[str, Format]
) -> Array:
    """Bound of the rounding error of `alibi_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (distance, tbias).

    Returns:
        absolute errors of tbias, infinite where a format may overflow.
    """
    fl = Rounding(precision, slope)
    pos_q = fl.given(pos_q, "i")
    pos_k = fl.given(pos_k, "j")
    tslope = fl.given(tslope, "r")
    # distance[i, j] = pos_q[i] − pos_k[j]
    distance = fl.step("distance", pos_q - pos_k, "i j", row=True)
    # tbias[r, i, j] = -tslope[r]·distance[i, j]
    tbias = fl.output("tbias", -tslope * distance, "r i j")
    return tbias.total
