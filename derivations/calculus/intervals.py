"""Bounds of a function of one real number, proved by interval arithmetic.

A compact interval is covered by boxes. On each the value is enclosed by the natural extension and by Taylor's theorem
about the midpoint, with enclosures of the first and of the second derivative on the box (`jets`); a box that is not
inside the bounds is halved. What lies beyond the compact interval is enclosed by the natural extension to infinity or
by majorants C·x^k·exp(−a·x) (`tails`). Everything is computed with outward rounding.

The proof is of every real number in the domain at which the expression has a value, not of sampled ones. What is false
is never proved: for that the failure names numbers at which a bound may be broken.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import mpmath
from mpmath import iv

from .defined import has_value_where
from .jets import Interval, Jet, NoEnclosure, jets, product, rational_interval
from .nodes import Expr, Tensor
from .normal_form import equal
from .statement import Within
from .tails import magnitude_beyond
from .traverse import substitute, tensors

MAX_BOXES = 4_000  # boxes before giving up
LARGEST_END = 64  # the compact interval ends at a power of 2 not beyond this
# Where a bound that is not shown is tried.
SUSPECTS = tuple(Fraction(sign * 2**power, 4) for power in range(9) for sign in (1, -1))


@dataclass(frozen=True)
class Enclosure:
    """Whether the bounds are shown, how (`certificate`) or why not (`failure`), and where they seem to be broken."""

    certificate: str = ""
    failure: str = ""
    suspects: tuple[Fraction, ...] = ()


@lru_cache(maxsize=256)
def enclose(claim: Within, shown: Expr) -> Enclosure:
    """Decides a claim by an expression that equals the one it is about."""
    try:
        variable = variable_of(claim.expr, shown)
    except NoEnclosure as problem:
        return Enclosure(failure=str(problem))
    try:
        return _decided(claim, shown, variable)
    except NoEnclosure as problem:
        return Enclosure(failure=str(problem), suspects=SUSPECTS)


def variable_of(*exprs: Expr) -> Tensor:
    """The one number that expressions read.

    Raises:
        NoEnclosure: they read none, several, or an array.
    """
    found = {tensor for expr in exprs for tensor in tensors(expr)}
    if len(found) != 1:
        raise NoEnclosure(f"bounds are shown for expressions of one real number, not of {len(found)}")
    (variable,) = found
    if variable.dims or variable.kind != "real":
        raise NoEnclosure(f"bounds are shown for one real number, and {variable.name} is not one")
    return variable


def _decided(claim: Within, shown: Expr, variable: Tensor) -> Enclosure:
    start, end, symmetry = claim.start, claim.end, ""
    if start is not None and end is not None and start > end:
        raise NoEnclosure(f"there is no number from {start} to {end}")
    if start is None and end is None:
        symmetry = _symmetry(claim, shown, variable)
        start = Fraction(0) if symmetry else None
    search = _Boxes(claim, shown)
    said: list[str] = []
    if end is None:
        end, beyond = _tail(claim, shown, start, "beyond")
        said.append(beyond)
    if start is None:
        mirrored = substitute(shown, {variable: lambda: -variable[()]})
        start, beyond = _tail(claim, mirrored, -end, "below")
        start = -start
        said.append(beyond)
    failure = search.cover(start, end)
    if failure is not None:
        return failure
    boxes = "1 box" if search.boxes == 1 else f"{search.boxes} boxes"
    covered = f"interval arithmetic, {boxes} for {start} ≤ {variable.name} ≤ {end}".replace("-", "−")
    return Enclosure("; ".join([covered, *said, *([symmetry] if symmetry else [])]))


def _symmetry(claim: Within, shown: Expr, variable: Tensor) -> str:
    """Why the numbers from 0 on are enough."""
    mirrored = substitute(shown, {variable: lambda: -variable[()]})
    # Where the mirrored one has no value, what is shown there says nothing: exp(log(−x))·x is −x², for x < 0 alone.
    if not has_value_where(mirrored, shown):
        return ""
    if equal(shown, mirrored):
        return f"an even function of {variable.name}"
    if claim.low is not None and claim.high == -claim.low and equal(shown, -mirrored):
        return f"an odd function of {variable.name}"
    return ""


def _tail(claim: Within, shown: Expr, start: Fraction | None, side: str) -> tuple[Fraction, str]:
    """Where a compact interval may end, because the bounds are shown for all that is larger; and what shows them.

    Raises:
        NoEnclosure: they are not shown.
    """
    end = 1
    while end <= LARGEST_END:
        if start is None or end > start:
            beyond = iv.mpf([end, mpmath.inf])
            value = jets(shown)(beyond).value
            if _inside(claim, value):
                return Fraction(end), f"monotone functions {side} {_signed(end, side)}"
            size = magnitude_beyond(shown, end)
            if size is not None and _inside(claim, iv.mpf([-size, size])):
                return Fraction(
                    end
                ), f"at most {mpmath.nstr(size, 2)} {side} {_signed(end, side)}, by majorants C·x^k·exp(−a·x)"
        end *= 2
    raise NoEnclosure(f"the bounds are not shown {side} {_signed(LARGEST_END, side)}")


def _signed(end: int, side: str) -> str:
    return str(end) if side == "beyond" else f"−{end}"


def _inside(claim: Within, value: Interval) -> bool:
    low = claim.low is None or bool(value.a >= rational_interval(claim.low).b)
    return low and (claim.high is None or bool(value.b <= rational_interval(claim.high).a))


def _outside(claim: Within, value: Interval) -> bool:
    low = claim.low is not None and bool(value.b < rational_interval(claim.low).a)
    return low or (claim.high is not None and bool(value.a > rational_interval(claim.high).b))


class _Boxes:
    """The boxes of one claim."""

    def __init__(self, claim: Within, shown: Expr) -> None:
        self.claim = claim
        self.jets = jets(shown)
        self.boxes = 0

    def cover(self, start: Fraction, end: Fraction) -> Enclosure | None:
        """Nothing if the bounds hold everywhere from `start` to `end`, else why that is not shown."""
        left, right = rational_interval(start).a, rational_interval(end).b
        waiting = [(left, right)]
        while waiting:
            left, right = waiting.pop()
            middle = (left + right) / 2
            at_middle = self.jets(iv.mpf(middle))
            if _outside(self.claim, at_middle.value):
                return Enclosure(failure="a bound is broken", suspects=(_exact(middle),))
            box = iv.mpf([left.a, right.b])
            if _inside(self.claim, self._enclosed(box, iv.mpf(middle), at_middle)):
                self.boxes += 1
            elif self.boxes + len(waiting) >= MAX_BOXES or not left < middle < right:
                at = mpmath.nstr(mpmath.mpf(middle.mid), 8)
                return Enclosure(failure=f"{MAX_BOXES} boxes are not enough, near {at}", suspects=(_exact(middle),))
            else:
                waiting += [(middle, right), (left, middle)]
        return None

    def _enclosed(self, box: Interval, middle: Interval, at_middle: Jet) -> Interval:
        around = self.jets(box)
        way = box - middle
        found = [around.value, at_middle.value + product(around.first, way)]
        # Across a pole the slope is unbounded: there is no theorem of Taylor, whatever the second derivative is.
        if mpmath.isfinite(around.first.delta.b.mid):
            found.append(at_middle.value + product(at_middle.first, way) + product(around.second, way**2) / 2)
        return iv.mpf([max(one.a for one in found), min(one.b for one in found)])


def _exact(number: Interval) -> Fraction:
    return Fraction(*map(int, mpmath.libmp.to_rational(mpmath.mpf(number.mid)._mpf_)))
