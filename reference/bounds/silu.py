"""Rounding-error bounds of silu.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def silu_bound(x: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `silu`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, y).

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    # s[c] = sigmoid(x[c])
    s = fl.step("s", fl.sigmoid(x), "c")
    # y[c] = x[c]·s[c]
    y = fl.output("y", x * s, "c")
    return y.total


@np.errstate(all="ignore")
def silu_vjp_bound(x: Array, dy: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `silu_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, y, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    dy = fl.given(dy, "c")
    # s[c] = sigmoid(x[c])
    s = fl.step("s", fl.sigmoid(x), "c")
    # y[c] = x[c]·s[c]
    y = fl.step("y", x * s, "c")
    # dx[c] = dy[c]·(s[c] + y[c]·sigmoid(-x[c]))
    dx = fl.output("dx", dy * (s + y * fl.sigmoid(-x)), "c")
    return dx.total


@np.errstate(all="ignore")
def silu_jvp_bound(x: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `silu_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, y, ty).

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    tx = fl.given(tx, "c")
    # s[c] = sigmoid(x[c])
    s = fl.step("s", fl.sigmoid(x), "c")
    # y[c] = x[c]·s[c]
    y = fl.step("y", x * s, "c")
    # ty[c] = tx[c]·(s[c] + y[c]·sigmoid(-x[c]))
    ty = fl.output("ty", tx * (s + y * fl.sigmoid(-x)), "c")
    return ty.total
