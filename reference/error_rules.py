"""Error rules: what each elementary step of an evaluation may be off by, as functions of arrays.

First-order running error analysis. An error comes in two parts: what is independent from element to element (`…_err`),
and the rows, the absolute values of what each error of a row-level value moves the element by. The rules:

- an arithmetic operation adds u·|value| (u: unit roundoff of the format);
- a sum of k terms adds (k + 4)·u·Σ|terms| in the accumulator's format (4: a factor applied to the operands first);
- storing in a format adds u times the size, for outputs half a unit in the last place of the binade;
- a gradient's partial sums may be stored as well, block by block and for each member of a group;
- underflow adds the least normal number where formats flush to zero, half the least subnormal elsewhere;
- a value that may exceed the largest number of its format has an infinite error: the bound says nothing there; a term
  that is −∞ exactly is a mask.

Written for arrays of NumPy and of the array-API standard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard
Format = tuple[int, int, float]  # significand bits, exponent of the least normal number, largest number

SECOND_ORDER = 1.05  # what first-order analysis leaves out, as a factor of the whole bound
PARTIAL_BLOCK = 32  # the fewest terms after which a kernel stores a partial sum (torch's CPU flash attention backward)
OPERAND_FACTORS = 4  # roundings of a factor that is applied to the operands before a product: a scale, and its own


def namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic | float | int):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def tiny(form: Format) -> float:
    """What underflow may lose: the least normal number where it may be flushed to zero, else half a subnormal."""
    return 2.0 ** form[1] if form[1] <= -126 else 2.0 ** (form[1] - form[0])


def exact_infinity(value: Array, error: Array) -> Array:
    """Whether the value is −∞ with a finite error: a mask, not an overflow."""
    return (value == -np.inf) & (error < np.inf)


def top(x: Array, axis: int) -> Array:
    """One place of the largest element along an axis; none where all are −∞."""
    xp = namespace(x)
    positions = xp.reshape(xp.arange(x.shape[axis], device=x.device), (-1, *(1,) * (-axis - 1)))
    return (positions == xp.argmax(x, axis=axis, keepdims=True)) & (x > -xp.inf)


def checked(value: Array, error: Array, form: Format, rows: Array = 0.0) -> Array:
    """The error of a value, infinite where the format may overflow or the analysis has no number (0·∞)."""
    xp = namespace(value)
    fits = abs(value) + error + rows < form[2]
    if xp.all(fits):
        return error
    return xp.where(fits | exact_infinity(value, error), error, xp.inf)


def stored(value: Array, error: Array, form: Format, rows: Array = 0.0) -> Array:
    """The error after rounding to a format, whatever scaling the rounding meets: relative, zero stays zero."""
    xp = namespace(value)
    size = abs(value) + error + rows
    rounded = xp.where((size > 0) & (size < xp.inf), error + 2.0 ** -form[0] * size + tiny(form), 0.0)
    return xp.where((size < form[2]) | exact_infinity(value, error), rounded, xp.inf)


def output(value: Array, error: Array, form: Format) -> Array:
    """The error after rounding the result to its format: half a unit in the last place of its binade."""
    xp = namespace(value)
    size = abs(value) + error
    binade = xp.floor(xp.log2(xp.where((size > 0) & (size < xp.inf), size, 1.0) * (1 + 2.0**-40)))
    half = 2.0 ** (xp.where(binade < form[1], form[1] * 1.0, binade) - form[0])
    rounded = xp.where((size > 0) & (size < xp.inf), SECOND_ORDER * error + half, 0.0)
    return xp.where((size < form[2]) | exact_infinity(value, error), rounded, xp.inf)


def added(value: Array, error: Array, rounding: Array) -> Array:
    """The error of a sum; an infinite term leaves none, unless its own is infinite."""
    xp = namespace(value)
    finite = abs(value) < xp.inf
    return error + rounding if xp.all(finite) else xp.where(finite, error + rounding, 0.0 * error)


def product_error(
    a: Array, a_err: Array | None, b: Array, b_err: Array | None, tiny: float, a_rows: Array = 0.0, b_rows: Array = 0.0
) -> Array:
    """|a b − ã b̃| for factors with errors, without the first-order part of the rows; a factor 0 leaves no error
    (0·∞ one that is not a number)."""
    xp = namespace(b if b_err is not None else a)
    size_a, size_b = abs(a) + a_rows, abs(b) + b_rows
    if a_err is None:
        nothing, error = size_b + b_err == 0, size_a * b_err + tiny
    elif b_err is None:
        nothing, error = size_a + a_err == 0, a_err * size_b + tiny
    else:
        nothing = (size_a + a_err == 0) | (size_b + b_err == 0)
        error = a_err * size_b + size_a * b_err + a_err * b_err + a_rows * b_rows + tiny
    return xp.where(nothing, 0.0 * error, error) if xp.any(nothing) else error


def quotient_error(
    value: Array,
    a: Array,
    a_err: Array | None,
    b: Array,
    b_err: Array | None,
    tiny: float,
    a_rows: Array = 0.0,
    b_rows: Array = 0.0,
) -> Array:
    """|a/b − ã/b̃|, without the first-order part of the rows; infinite where the divisor may be zero."""
    xp = namespace(value)
    if b_err is None:
        return a_err / abs(b) + tiny
    above = a_rows if a_err is None else a_err + a_rows
    rows = a_rows + abs(value) * b_rows
    room = abs(b) - b_err - b_rows
    moved = (above + abs(value) * (b_err + b_rows)) / xp.where(room > 0, room, 1.0) - rows / abs(b) + tiny
    nothing = (value == 0) & (abs(a) + above == 0)
    return xp.where(nothing, 0.0 * moved, xp.where(room > 0, moved, xp.inf))


def matmul_error(
    a: Array,
    a_err: Array | None,
    b: Array,
    b_err: Array | None,
    terms: int,
    precision: Mapping[str, Format],
    rows: Array = 0.0,
) -> Array:
    """|a @ b − fl(ã @ b̃)| for sums of so many terms, without the first-order part of the rows of a.

    Operands may be rounded, and scaled, before the product.
    """
    accumulator = precision.get("accumulate", precision["compute"])
    gamma = (terms + OPERAND_FACTORS) * 2.0 ** -accumulator[0]
    if "operand" in precision:
        gamma = gamma + 2 * 2.0 ** -precision["operand"][0]
    xp = namespace(a)
    moved, size = gamma * (abs(a) + rows), abs(a) + rows
    if a_err is not None:
        moved, size = moved + (1 + gamma) * a_err, size + a_err
    total = moved @ abs(b)
    if b_err is not None:
        total = total + (1 + gamma) * (size @ b_err)
    total = total + xp.where(xp.any(size > 0, axis=-1, keepdims=True), terms * tiny(accumulator), 0.0 * total)
    return xp.where(total < gamma * accumulator[2], total, xp.inf)  # a partial sum is at most total / gamma


def scaling_error(factor: float, a: Array, b: Array, tiny: float) -> Array:
    """What underflows where a factor of a @ b is applied to an operand, or its root to both, before the product."""
    xp = namespace(a)
    size = xp.sum(abs(a), axis=-1, keepdims=True) + xp.sum(abs(b), axis=-2, keepdims=True)
    return xp.where(xp.any(a != 0, axis=-1, keepdims=True), (1 + abs(factor)) * tiny * size, 0.0)


def sum_error(size: Array, moved: Array, terms: int, precision: Mapping[str, Format]) -> Array:
    """The error of a sum of so many terms whose sizes and errors add up to this, in any order of summation."""
    xp = namespace(size)
    accumulator = precision.get("accumulate", precision["compute"])
    return xp.where(size + moved < accumulator[2], moved + terms * 2.0 ** -accumulator[0] * size, xp.inf)


def partial_error(size: Array, terms: int, members: int, form: Format) -> Array:
    """What rounding a running sum to a format adds, after each block of PARTIAL_BLOCK terms of each member of a group.

    `size` bounds every partial sum, so a partial sum that may overflow makes the error infinite.
    """
    xp = namespace(size)
    stores = members * -(-terms // PARTIAL_BLOCK)
    rounded = xp.where(size > 0, stores * (2.0 ** -form[0] * size + tiny(form)), 0.0)
    return xp.where(size < form[2], rounded, xp.inf)


def within(width: float, error: Array, *rows: Array) -> tuple[Array, ...]:
    """Error and rows of a value that stays in a range of this width; an infinite error stays infinite."""
    xp = namespace(error)
    total = error
    for row in rows:
        total = total + abs(row)
    over = (total > width) & (total < xp.inf)
    return xp.where(over, width, error), *(xp.where(over, 0.0, row) for row in rows)
