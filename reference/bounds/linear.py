"""Rounding-error bounds of linear.

GENERATED from derivations/linear.py by `lemmata generate linear`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def linear_bound(x: Array, weight: Array, bias: Array | None = None, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `linear`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (y).

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i c")
    weight = fl.given(weight, "e c")
    bias = fl.given(bias, "e")
    # y[i, e] = (Σ_c x[i, c]·weight[e, c]) + bias[e]
    y = fl.matmul(x, weight, "c")
    y = fl.plus("y", y, bias, terms=x.shape[-1])
    y = fl.output("y", y, "i e")
    return y.total


@np.errstate(all="ignore")
def linear_vjp_bound(
    x: Array, weight: Array, dy: Array, bias: Array | None = None, *, precision: Mapping[str, Format]
) -> tuple[Array, Array, Array | None]:
    """Bound of the rounding error of `linear_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, of each stored value (dx, dweight, dbias), and of
            partial sums (dx_partial, dweight_partial).

    Returns:
        absolute errors of dx, dweight, dbias, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i c")
    weight = fl.given(weight, "e c")
    dy = fl.given(dy, "i e")
    bias = fl.given(bias, "d_out")
    # dx[i, c] = Σ_e dy[i, e]·weight[e, c]
    dx = fl.output("dx", fl.matmul(dy, weight, "e"), "i c")
    # dweight[e, c] = Σ_i dy[i, e]·x[i, c]
    dweight = fl.output("dweight", fl.matmul(dy, x, "i"), "e c", shared=True)
    # dbias[e] = Σ_i dy[i, e]
    dbias = fl.output("dbias", fl.sum(dy, "i"), "e", shared=True)
    return dx.total, dweight.total, None if bias is None else dbias.total


@np.errstate(all="ignore")
def linear_jvp_bound(
    x: Array,
    weight: Array,
    tx: Array,
    tweight: Array,
    bias: Array | None = None,
    tbias: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> Array:
    """Bound of the rounding error of `linear_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (ty).

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i c")
    weight = fl.given(weight, "e c")
    tx = fl.given(tx, "i c")
    tweight = fl.given(tweight, "e c")
    tbias = fl.given(tbias, "e")
    # ty[i, e] = (Σ_c tx[i, c]·weight[e, c]) + (Σ_c tweight[e, c]·x[i, c]) + tbias[e]
    ty = fl.matmul(tx, weight, "c") + fl.matmul(x, tweight, "c")
    ty = fl.plus("ty", ty, tbias)
    ty = fl.output("ty", ty, "i e")
    return ty.total
