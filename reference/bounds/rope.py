"""Rounding-error bounds of rope.

GENERATED from derivations/positional.py by `lemmata generate positional`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding, halves, joined


@np.errstate(all="ignore")
def rope_bound(
    x: Array, pos: Array, omega: Array, *, interleaved: bool = False, precision: Mapping[str, Format]
) -> Array:
    """Bound of the rounding error of `rope`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (theta, sine, cosine, y).

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x1, x2 = halves(x, omega.shape[-1], interleaved)
    x1 = fl.given(x1, "i c")
    x2 = fl.given(x2, "i c")
    pos = fl.given(pos, "i")
    omega = fl.given(omega, "c")
    # theta[i, c] = pos[i]·omega[c]
    theta = fl.angle("theta", fl.wide(pos) * fl.wide(omega), "i c")
    # sine[i, c] = sin(theta[i, c])
    sine = fl.step("sine", fl.sin(theta), "i c")
    # cosine[i, c] = cos(theta[i, c])
    cosine = fl.step("cosine", fl.cos(theta), "i c")
    # y1[i, c] = x1[i, c]·cosine[i, c] − (x2[i, c]·sine[i, c])
    y1 = fl.output("y", x1 * cosine - x2 * sine, "i c")
    # y2[i, c] = x1[i, c]·sine[i, c] + x2[i, c]·cosine[i, c]
    y2 = fl.output("y", x1 * sine + x2 * cosine, "i c")
    return joined(y1.total, y2.total, 0.0 * x, interleaved)


@np.errstate(all="ignore")
def rope_vjp_bound(
    x: Array, pos: Array, omega: Array, dy: Array, *, interleaved: bool = False, precision: Mapping[str, Format]
) -> Array:
    """Bound of the rounding error of `rope_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (theta, sine, cosine, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    dy1, dy2 = halves(dy, omega.shape[-1], interleaved)
    pos = fl.given(pos, "i")
    omega = fl.given(omega, "c")
    dy1 = fl.given(dy1, "i c")
    dy2 = fl.given(dy2, "i c")
    # theta[i, c] = pos[i]·omega[c]
    theta = fl.angle("theta", fl.wide(pos) * fl.wide(omega), "i c")
    # sine[i, c] = sin(theta[i, c])
    sine = fl.step("sine", fl.sin(theta), "i c")
    # cosine[i, c] = cos(theta[i, c])
    cosine = fl.step("cosine", fl.cos(theta), "i c")
    # dx1[i, c] = dy2[i, c]·sine[i, c] + dy1[i, c]·cosine[i, c]
    dx1 = fl.output("dx", dy2 * sine + dy1 * cosine, "i c")
    # dx2[i, c] = dy2[i, c]·cosine[i, c] − dy1[i, c]·sine[i, c]
    dx2 = fl.output("dx", dy2 * cosine - dy1 * sine, "i c")
    return joined(dx1.total, dx2.total, 0.0 * dy, interleaved)


@np.errstate(all="ignore")
def rope_jvp_bound(
    x: Array, pos: Array, omega: Array, tx: Array, *, interleaved: bool = False, precision: Mapping[str, Format]
) -> Array:
    """Bound of the rounding error of `rope_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (theta, sine, cosine, ty).

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    tx1, tx2 = halves(tx, omega.shape[-1], interleaved)
    pos = fl.given(pos, "i")
    omega = fl.given(omega, "c")
    tx1 = fl.given(tx1, "i c")
    tx2 = fl.given(tx2, "i c")
    # theta[i, c] = pos[i]·omega[c]
    theta = fl.angle("theta", fl.wide(pos) * fl.wide(omega), "i c")
    # sine[i, c] = sin(theta[i, c])
    sine = fl.step("sine", fl.sin(theta), "i c")
    # cosine[i, c] = cos(theta[i, c])
    cosine = fl.step("cosine", fl.cos(theta), "i c")
    # ty1[i, c] = tx1[i, c]·cosine[i, c] − tx2[i, c]·sine[i, c]
    ty1 = fl.output("ty", tx1 * cosine - tx2 * sine, "i c")
    # ty2[i, c] = tx1[i, c]·sine[i, c] + tx2[i, c]·cosine[i, c]
    ty2 = fl.output("ty", tx1 * sine + tx2 * cosine, "i c")
    return joined(ty1.total, ty2.total, 0.0 * tx, interleaved)
