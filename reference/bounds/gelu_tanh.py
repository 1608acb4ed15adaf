"""Rounding-error bounds of gelu_tanh.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def gelu_tanh_bound(x: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `gelu_tanh`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (u, s, y).

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    # u[c] = √(2/π)·(x[c] + (8943/200000)·x[c]^3)
    u = fl.step("u", fl.inexact((2 / np.pi) ** 0.5 * (x + fl.inexact(8943 / 200000 * x**3))), "c")
    # s[c] = sigmoid(2·u[c])
    s = fl.step("s", fl.sigmoid(2 * u), "c")
    # y[c] = x[c]·s[c]
    y = fl.output("y", x * s, "c")
    return y.total


@np.errstate(all="ignore")
def gelu_tanh_vjp_bound(x: Array, dy: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `gelu_tanh_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (u, s, y, ds, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    dy = fl.given(dy, "c")
    # u[c] = √(2/π)·(x[c] + (8943/200000)·x[c]^3)
    u = fl.step("u", fl.inexact((2 / np.pi) ** 0.5 * (x + fl.inexact(8943 / 200000 * x**3))), "c")
    # s[c] = sigmoid(2·u[c])
    s = fl.step("s", fl.sigmoid(2 * u), "c")
    # y[c] = x[c]·s[c]
    y = fl.step("y", x * s, "c")
    # ds[c] = x[c]·dy[c]
    ds = fl.step("ds", x * dy, "c")
    # dx[c] = dy[c]·s[c] + 2·√2·s[c]·ds[c]·sigmoid((-2)·u[c])/√π +
    # (26829/100000)·√2·x[c]·y[c]·ds[c]·sigmoid((-2)·u[c])/√π
    dx_1 = fl.inexact(2 * 2**0.5 * s * ds / np.pi**0.5 * fl.sigmoid(-2 * u), 2)
    dx_2 = fl.inexact(26829 / 100000 * 2**0.5 * x * y * ds / np.pi**0.5 * fl.sigmoid(-2 * u), 3)
    dx = fl.output("dx", fl.total(dy * s, dx_1, dx_2), "c")
    return dx.total


@np.errstate(all="ignore")
def gelu_tanh_jvp_bound(x: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `gelu_tanh_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (u, s, ty).

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    tx = fl.given(tx, "c")
    # u[c] = √(2/π)·(x[c] + (8943/200000)·x[c]^3)
    u = fl.step("u", fl.inexact((2 / np.pi) ** 0.5 * (x + fl.inexact(8943 / 200000 * x**3))), "c")
    # s[c] = sigmoid(2·u[c])
    s = fl.step("s", fl.sigmoid(2 * u), "c")
    # ty[c] = tx[c]·s[c] + 2·sigmoid(2·u[c])·sigmoid((-2)·u[c])·(tx[c] + (26829/200000)·x[c]^2·tx[c])·√(2/π)·x[c]
    ty_1 = tx + fl.inexact(26829 / 200000 * x**2 * tx)
    ty_2 = fl.inexact(2 * fl.sigmoid(2 * u) * fl.sigmoid(-2 * u) * ty_1 * (2 / np.pi) ** 0.5 * x)
    ty = fl.output("ty", tx * s + ty_2, "c")
    return ty.total
