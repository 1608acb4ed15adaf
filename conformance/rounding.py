"""Rounding of the few steps that conformance adds to the generated bounds: sums over broadcast axes, exponentials."""

from __future__ import annotations

import numpy as np

from .profiles import Format
from .values import Array


def unit_roundoff(form: Format) -> float:
    """Half the distance from 1 to the next number of a format."""
    return float(2.0**-form.significand)


def exponential_error(value: Array, moved: Array, compute: Format) -> Array:
    """Bound on the error of `value` = exp(t) whose t moved by `moved`; exp itself is good to 4 unit roundoffs."""
    with np.errstate(over="ignore", invalid="ignore"):
        error = value * np.expm1(moved) + 4 * unit_roundoff(compute) * value + 2.0**compute.least_exponent
    # 0·∞: nothing is known of an underflown value whose argument may be anything.
    return np.where(np.isnan(error), np.inf, error)


def half_ulp(magnitude: Array, form: Format) -> Array:
    """Half a unit in the last place of `form` at `magnitude` ≥ 0, infinite where that overflows."""
    exponent = np.maximum(np.frexp(magnitude)[1] - 1, form.least_exponent)
    half = np.ldexp(1.0, exponent - form.significand)
    return np.where(magnitude + half > form.largest, np.inf, half)


def sum_error(terms: Array, errors: Array, axes: tuple[int, ...], accumulate: Format, stored: Format) -> Array:
    """Bound on the error of Σ terms over `axes` (kept), added in `accumulate` and stored in `stored`.

    The error of n − 1 additions is at most n·u·Σ|terms| to first order, in any order of summation.
    """
    count = int(np.prod([terms.shape[axis] for axis in axes]))
    unit = unit_roundoff(accumulate)
    added = errors.sum(axes, keepdims=True) + count * unit * (np.abs(terms) + errors).sum(axes, keepdims=True)
    magnitude = np.abs(terms.sum(axes, keepdims=True)) + added
    return np.where(magnitude == 0.0, 0.0, added + half_ulp(magnitude, stored))
