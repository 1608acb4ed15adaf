"""Comparison of an array with its expectation, element by element, against a bound on the error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .problems import AnyArray
from .values import Array

# Unit roundoff of the float64 arithmetic that the laws are evaluated in.
_U = 2.0**-53


@dataclass(frozen=True)
class Finding:
    """What one check found in one case.

    Attributes:
        share: the largest |error| / bound; infinite for an error where none is allowed.
        failure: what is wrong, or None.
        elements: how many elements were compared.
        vacuous: how many of them had an infinite bound: the declared format may overflow there, and nothing is said.
        broken: in what way there was nothing to compare, if that is what is wrong.
    """

    share: float = 0.0
    failure: str | None = None
    elements: int = 0
    vacuous: int = 0
    broken: str | None = None


def broken(message: str, how: str | None = None) -> Finding:
    """A failure without numbers."""
    return Finding(np.inf, message, broken=how)


def compare(name: str, actual: Array, expected: Array, bound: Array) -> Finding:
    """|actual − expected| ≤ bound wherever the bound is finite, and non-finite values of one kind in one place.

    A NaN in the bound counts as infinite: no statement is made, and the element is counted as vacuous.

    Args:
        actual, expected, bound: of one shape; `name` says in the message what they are.
    """
    stated = np.isfinite(bound)
    vacuous = bound.size - int(np.count_nonzero(stated))
    mismatch = stated & ~_same_kind(actual, expected)
    if mismatch.any():
        message = f"{name}: {_at(mismatch.astype(float), actual, expected)}; {_count(mismatch)} of the wrong kind"
        return Finding(np.inf, message, bound.size, vacuous)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(stated & np.isfinite(expected), np.abs(actual - expected), 0.0)
        share = np.where(error > 0.0, error / bound, 0.0)
    worst = float(share.max(initial=0.0))
    if worst <= 1.0:
        return Finding(worst, None, bound.size, vacuous)
    at = np.unravel_index(int(share.argmax()), share.shape)
    message = (
        f"{name}: {_at(share, actual, expected)}, off by {error[at]:.3g} where {bound[at]:.3g} is allowed "
        f"({worst:.3g} times the bound); {_count(share > 1.0)}"
    )
    return Finding(worst, message, bound.size, vacuous)


def same_bits(name: str, actual: AnyArray, expected: AnyArray) -> Finding:
    """Equal values, NaN equal to NaN; the sign of a zero is free."""
    differs = ~((actual == expected) | (np.isnan(actual) & np.isnan(expected)))
    if not differs.any():
        return Finding(elements=differs.size)
    message = f"{name}: {_at(differs.astype(float), actual, expected)}; {_count(differs)}"
    return Finding(np.inf, message, differs.size)


def total(terms: Array, errors: Array, axis: int | tuple[int, ...]) -> tuple[Array, Array]:
    """The sum of `terms`, and a bound on its error: that of the terms and that of summing them here in float64.

    A product inside a term rounds once more, which the count of one more term covers.
    """
    axes = (axis,) if isinstance(axis, int) else axis
    count = 1 + int(np.prod([terms.shape[a] for a in axes]))
    allowed = errors.sum(axis) + count * _U * np.abs(terms).sum(axis)
    return np.asarray(terms.sum(axis)), np.asarray(allowed)


def merged(findings: list[Finding]) -> Finding:
    """One finding for several arrays: the worst share, the first failure."""
    return Finding(
        share=max((f.share for f in findings), default=0.0),
        failure=next((f.failure for f in findings if f.failure), None),
        elements=sum(f.elements for f in findings),
        vacuous=sum(f.vacuous for f in findings),
        broken=next((f.broken for f in findings if f.broken), None),
    )


def _same_kind(a: Array, b: Array) -> AnyArray:
    if np.isfinite(a).all() and np.isfinite(b).all():
        return np.ones(a.shape, np.bool_)
    finite = np.isfinite(a) & np.isfinite(b)
    return np.asarray(finite | (np.isnan(a) & np.isnan(b)) | (np.isinf(a) & (a == b)))


def _at(badness: Array, actual: AnyArray, expected: AnyArray) -> str:
    at = np.unravel_index(int(badness.argmax()), badness.shape)
    index = "" if badness.ndim == 0 else f" at [{', '.join(map(str, map(int, at)))}]"
    return f"{actual[at]:.9g} instead of {expected[at]:.9g}{index}"


def _count(bad: AnyArray) -> str:
    return f"{int(np.count_nonzero(bad))} of {bad.size} elements"
