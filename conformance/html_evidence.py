"""The evidence of a failure as plots: error against bound by element, share of the bound by index and by size."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from .html_plots import Dot, IndexScale, LogScale, marker, plot
from .summary import share as shown_share
from .verdict import CheckResult, Compared, Failure, Verdict

# Dots of a plot, at most: more take seconds to draw and cover each other; those that use most of the bound are kept.
_DOTS = 1500
# Rows of the table of elements, at most.
_ROWS = 6
# Numbers are shown with as many digits as tell float32 values apart.
_DIGITS = 9


def evidence(check: CheckResult, failure: Failure) -> str:
    """What is shown of a failure: for each array its worst elements and its plots, then the share by size."""
    parts = [_array(compared) for compared in failure.compared]
    if check.sizes:
        parts.append(f'<div class="plots">{_size_plot("Share of the bound by size", [check])}</div>\n')
    return "".join(parts)


def size_plots(verdict: Verdict) -> str:
    """The section on sizes: a plot for each check with a bound, its dtypes together; empty if no sizes are known."""
    by_name: dict[str, list[CheckResult]] = {}
    for check in verdict.checks:
        if check.sizes:
            by_name.setdefault(check.name, []).append(check)
    if not by_name:
        return ""
    plots = "".join(_size_plot(name, checks, by_dtype=True) for name, checks in by_name.items())
    dtypes = dict.fromkeys(check.dtype for checks in by_name.values() for check in checks)
    legend = "".join(f"<span>{marker(dtype)}{escape(dtype)}</span>" for dtype in dtypes)
    return (
        '<h2 id="sizes">By size</h2>\n<p class="note">A dot is a case: the largest share of the bound that it used, '
        f"against the number of elements compared.</p>\n"
        f'<p class="legend">{legend}</p>\n<div class="plots">{plots}</div>'
    )


def _size_plot(title: str, checks: Sequence[CheckResult], *, by_dtype: bool = False) -> str:
    dots = [
        Dot(
            elements,
            share,
            f"{check.dtype}: {elements:,} elements, {shown_share(share)} of the bound",
            check.dtype if by_dtype else "over" if share > 1.0 else "",
        )
        for check in checks
        for elements, share in check.sizes
    ]
    sizes, shares = LogScale.of(dot.x for dot in dots), LogScale.of((dot.y for dot in dots), including=(1.0,))
    return plot(title, dots, ("elements in the case", sizes), ("share of the bound", shares), "one")


def _array(compared: Compared) -> str:
    """One array: the elements that use most of the bound, then error against bound, then the share along each axis."""
    stated = np.flatnonzero(np.isfinite(compared.shares.ravel()) | np.isposinf(compared.shares.ravel()))
    shape = " × ".join(map(str, compared.shape)) or "one number"
    head = f"<h4>{escape(compared.name)} ({shape})</h4>\n"
    if not stated.size:
        why = "No element has a finite bound." if compared.actual else "There are no elements."
        return f'{head}<p class="note">{why}</p>\n'
    shares = compared.shares.ravel()[stated]
    # Stable, so that of equals the first come first.
    worst = stated[np.argsort(-shares, kind="stable")]
    plots = [_axis_plot(compared, axis) for axis, size in enumerate(compared.shape) if size > 1]
    # A single number needs no picture.
    shown = f'<div class="plots">{_error_plot(compared, worst)}{"".join(plots)}</div>\n' if plots else ""
    return f"{head}{_elements(compared, worst)}{shown}"


def _elements(compared: Compared, worst: np.ndarray[tuple[int], np.dtype[np.intp]]) -> str:
    errors, shares = compared.errors.ravel(), compared.shares.ravel()
    rows = "".join(
        f"<tr><td>{_index(compared, k)}</td><td>{compared.actual[k]:.{_DIGITS}g}</td>"
        f"<td>{compared.expected[k]:.{_DIGITS}g}</td><td>{errors[k]:.3g}</td><td>{compared.bound[k]:.3g}</td>"
        f"<td>{shares[k]:.3g}</td></tr>"
        for k in map(int, worst[:_ROWS])
    )
    heads = "".join(f"<th>{name}</th>" for name in ("index", "actual", "expected", "error", "bound", "share"))
    more = f'<p class="note">The worst {_ROWS} of {len(compared.actual):,} elements.</p>' if worst.size > _ROWS else ""
    return f'<div class="wide"><table class="elements"><tr>{heads}</tr>{rows}</table></div>{more}\n'


def _error_plot(compared: Compared, worst: np.ndarray[tuple[int], np.dtype[np.intp]]) -> str:
    errors, shares = compared.errors.ravel(), compared.shares.ravel()
    dots = [
        Dot(
            compared.bound[k],
            float(errors[k]),
            f"{_index(compared, k)}: error {errors[k]:.3g}, bound {compared.bound[k]:.3g}",
            "over" if shares[k] > 1.0 else "",
        )
        for k in map(int, worst[:_DOTS])
    ]
    bounds = LogScale.of(dot.x for dot in dots)
    both = LogScale.of(
        (dot.y for dot in dots), including=(10.0 ** max(bounds.low, -300), 10.0 ** min(bounds.high, 300))
    )
    limits = []
    if worst.size > _DOTS:
        limits.append(f"The {_DOTS:,} elements that use most of the bound, of {worst.size:,}.")
    if unstated := len(compared.actual) - worst.size:
        limits.append(f"{unstated:,} elements without a finite bound are left out.")
    axes = (("bound", bounds), ("|error|", both))
    return plot("Error against bound, by element", dots, *axes, "diagonal", " ".join(limits))


def _axis_plot(compared: Compared, axis: int) -> str:
    """The largest share at each index of an axis."""
    shares = np.where(np.isnan(compared.shares), -1.0, compared.shares)
    largest = shares.max(axis=tuple(k for k in range(shares.ndim) if k != axis))
    dots = [
        Dot(i, float(share), f"{i}: {shown_share(float(share))} of the bound", "over" if share > 1.0 else "")
        for i, share in enumerate(largest)
        if share >= 0.0
    ]
    scale = LogScale.of((dot.y for dot in dots), including=(1.0,))
    axes = ((f"index of axis {axis}", IndexScale(compared.shape[axis])), ("largest share", scale))
    return plot(f"Share of the bound by axis {axis}", dots, *axes, "one")


def _index(compared: Compared, flat: int) -> str:
    place = np.unravel_index(flat, compared.shape) if compared.shape else ()
    return f"[{', '.join(str(int(i)) for i in place)}]"
