"""Error rules of elementwise functions: what an evaluation of f(x̃) may be off by, for an argument x̃ near x.

`x_err` is the own error of the argument, `x_rows` what the errors of its rows add to it, whose first-order part is left
out where the function keeps rows apart (exp, log, powers). `u` is the unit roundoff of the format, `tiny` what
underflow may lose in it. A function is computed to 4u relative to its value, the usual promise of a math library;
where it may be less, the rule says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .error_rules import Array, namespace


def log_error(b: Array, b_err: Array, b_rows: Array = 0.0) -> Array:
    """|log b − log b̃| for positive b, without the first-order part of the rows; infinite where b̃ may be zero."""
    xp = namespace(b)
    share = (b_err + b_rows) / b
    return xp.where(share < 1, -xp.log1p(-xp.where(share < 1, share, 0.0)) - b_rows / b, xp.inf)


def exp_error(value: Array, x: Array, u: float, tiny: float, x_err: Array, x_rows: Array = 0.0) -> Array:
    """|exp(x) − fl(exp(x̃))|, without the first-order part of the rows; scaling x by log₂e moves it as well."""
    xp = namespace(value)
    size = abs(x)
    moved = x_err + x_rows + 2 * u * xp.where(size < xp.inf, size, 0.0)
    small = moved < 700
    if xp.all(small):
        error = value * (xp.expm1(moved) - x_rows + 4 * u) + tiny
    else:
        error = value * (xp.expm1(xp.where(small, moved, 0.0)) - x_rows + 4 * u) + tiny
        error = xp.where(small, error, xp.inf)
    return xp.where((x > -xp.inf) | (error == xp.inf), error, 0.0)


def power_error(value: Array, x: Array, exponent: float, u: float, tiny: float, x_err: Array, x_rows: Array) -> Array:
    """|xᵃ − fl(x̃ᵃ)| for x ≥ 0 and a half-integer a, without the first-order part of the rows; infinite where x̃ may be
    negative, or zero for a negative power.

    One root or reciprocal root costs 4u, each further factor another 4u and its product u.
    """
    xp = namespace(value)
    share = xp.where(
        x > 0, (x_err + x_rows) / xp.where(x > 0, x, 1.0), xp.where(x_err + x_rows > 0, xp.inf, xp.zeros_like(x))
    )
    near = share < 1 if exponent < 0 else share <= 1
    inside = xp.where(near, share, 0.0)
    # The steeper side: down for roots and negative powers, up for powers above 1.
    changed = xp.expm1(exponent * xp.log1p(inside if exponent > 1 else -xp.where(inside < 1, inside, 0.5)))
    changed = abs(xp.where((inside == 1) & (exponent < 1), -1.0, changed))
    rows = abs(exponent) * x_rows / xp.where(x > 0, x, 1.0)
    finite = abs(value) < xp.inf
    size = xp.where(finite, value, 0.0)
    roundings = 5 * round(abs(2 * exponent)) - 1
    error = size * (xp.where(changed > rows, changed - rows, 0.0) + roundings * u * (1 + changed)) + tiny
    return xp.where(near & finite, xp.where(size + x_err + x_rows == 0, 0.0, error), xp.inf)


def angle_error(value: Array, u: float, x_err: Array) -> Array:
    """What an angle of this value and error is off by after multiples of 2π are taken off in binary64 and the rest, in
    [−π, π], is rounded: the multiple of a rounded 2π, the difference and their rounding cost 3 units of |x|."""
    xp = namespace(value)
    return x_err + 3 * 2.0**-53 * abs(value) + u * xp.where(abs(value) < math.pi, abs(value), math.pi)


def sine_error(value: Array, u: float, tiny: float, x_err: Array) -> Array:
    """|sin x − fl(sin x̃)|, and of cos: neither is steeper than 1."""
    return x_err + 4 * u * abs(value) + tiny


def tanh_error(value: Array, u: float, x_err: Array) -> Array:
    """|tanh x − fl(tanh x̃)|: tanh is nowhere steeper than 1."""
    return x_err + 4 * u * abs(value)


def sigmoid_error(value: Array, x: Array, u: float, tiny: float, x_err: Array) -> Array:
    """|σ(x) − fl(σ(x̃))|, as 1/(1 + exp(−x)) or eˣ/(1 + eˣ), the argument perhaps scaled by log₂e before.

    log σ is nowhere steeper than 1, and σ(1 − σ) ≤ exp(−|x|).
    """
    xp = namespace(value)
    size = xp.where(abs(x) < xp.inf, abs(x), 0.0)
    moved = x_err + 2 * u * size
    near = xp.where(moved < 700, moved, 700.0)
    relative, absolute = value * xp.expm1(near), near * xp.exp(xp.where(near < size, near - size, 0.0))
    error = xp.where(relative < absolute, relative, absolute) + 6 * u * value + tiny
    return xp.where(moved < 700, error, xp.where(moved < xp.inf, xp.ones_like(value), xp.inf))


def relu_error(x: Array, x_err: Array) -> Array:
    """|max(x, 0) − max(x̃, 0)|: exact where x̃ cannot be positive."""
    xp = namespace(x)
    return xp.where(x + x_err > 0, xp.where((x < 0) & (x_err < xp.inf), x + x_err, x_err), 0.0 * x_err)


def step_error(x: Array, x_err: Array) -> Array:
    """1 where x̃ may lie on the other side of 0 than x, else 0."""
    xp = namespace(x)
    return xp.where((x_err > 0) & (abs(x) <= x_err), 1.0, xp.zeros_like(x))


def erf_error(value: Array, x: Array, u: float, x_err: Array) -> Array:
    """|erf x − fl(erf x̃)|: absolute, 4u; erf is steepest, 2/√π exp(−x²), where |x| is least."""
    xp = namespace(value)
    nearest = xp.where(abs(x) > x_err, abs(x) - x_err, 0.0)
    return xp.where(x_err > 0, 2 / math.sqrt(math.pi) * xp.exp(-(nearest**2)) * x_err, 0.0) + xp.where(
        x == 0, 0.0, 4 * u
    )


def erfc_error(value: Array, x: Array, u: float, tiny: float, x_err: Array, absolute: float = 0.0) -> Array:
    """|erfc x − fl(erfc x̃)|: 16u relative to the value, and `absolute` besides (where it is computed as 1 − erf x).

    −(log erfc)′(t) ≤ t + √(t² + 2) ≤ 2·max(t, 0) + √2 (Abramowitz & Stegun 1964, 7.1.13).
    """
    xp = namespace(value)
    furthest = xp.where(x + x_err > 0, x + x_err, 0.0)
    moved = xp.where(x_err > 0, x_err * (2 * furthest + math.sqrt(2)), 0.0)
    near = xp.where(moved < 700, moved, 0.0)
    relative = value * xp.expm1(near)
    nearest = xp.where(abs(x) > x_err, abs(x) - x_err, 0.0)
    steepest = xp.where(x_err > 0, 2 / math.sqrt(math.pi) * xp.exp(-(nearest**2)) * x_err, 0.0)
    error = xp.where(relative < steepest, relative, steepest) + 16 * u * value + tiny + absolute
    return xp.where(moved < 700, error, xp.where(moved < xp.inf, steepest + 16 * u + tiny + absolute, xp.inf))


def erf(x: Array) -> Array:
    """The error function; neither NumPy nor the array-API standard has it."""
    return _elementwise(x, "erf", math.erf)


def erfc(x: Array) -> Array:
    """1 − erf(x), without cancellation."""
    return _elementwise(x, "erfc", math.erfc)


def _elementwise(x: Array, name: str, function: Callable[[float], float]) -> Array:
    xp = namespace(x)
    if hasattr(xp, name):
        return getattr(xp, name)(x)
    return xp.asarray(np.vectorize(function, otypes=[float])(np.asarray(x)), dtype=x.dtype)


def sigmoid(x: Array) -> Array:
    """1/(1 + exp(−x)), without overflow for any sign of x."""
    xp = namespace(x)
    small = xp.exp(-abs(x))
    return xp.where(x < 0, small, 1.0) / (1 + small)
