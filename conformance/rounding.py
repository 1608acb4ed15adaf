"""Rounding of a sum: what a gradient that is reduced over broadcast axes adds to the bound of its terms."""

from __future__ import annotations

import numpy as np

from .profiles import Format
from .values import Array


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
    unit = 2.0**-accumulate.significand
    added = errors.sum(axes, keepdims=True) + count * unit * (np.abs(terms) + errors).sum(axes, keepdims=True)
    magnitude = np.abs(terms.sum(axes, keepdims=True)) + added
    return np.where(magnitude == 0.0, 0.0, added + half_ulp(magnitude, stored))
