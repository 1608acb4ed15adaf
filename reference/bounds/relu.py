"""Rounding-error bounds of relu.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def relu_bound(x: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `relu`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (y).

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    # y[c] = relu(x[c])
    y = fl.output("y", fl.relu(x), "c")
    return y.total


@np.errstate(all="ignore")
def relu_vjp_bound(x: Array, dy: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `relu_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    dy = fl.given(dy, "c")
    # dx[c] = dy[c]·[x[c] > 0]
    dx = fl.output("dx", dy * fl.heaviside(x), "c")
    return dx.total


@np.errstate(all="ignore")
def relu_jvp_bound(x: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `relu_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (ty).

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    tx = fl.given(tx, "c")
    # ty[c] = tx[c]·[x[c] > 0]
    ty = fl.output("ty", tx * fl.heaviside(x), "c")
    return ty.total
