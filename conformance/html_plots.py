"""Plots as inline SVG: dots on logarithmic axes, on which an error of 0 and an infinite one have places of their own.

Colours come from the classes of `html_style`, so that a plot follows the page into the dark and onto paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10
from typing import Literal, Protocol

# Lengths in the units of the drawing, which is scaled to the width that the page gives it.
_WIDTH, _HEIGHT = 340, 230
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 20, 10, 40
# Ticks of an axis, at most: more would touch each other.
_TICKS = 6
# The part of a logarithmic axis that is kept for zero, and for infinity; and what is left free before whole decades.
_GUTTER, _MARGIN = 0.11, 0.04
# The shapes of dots that are not circles: each dtype has one, so that they differ without colour too.
_SHAPES = {
    "float32": "M-2.5 -2.5H2.5V2.5H-2.5Z",
    "bfloat16": "M0 -3.3L3.2 2.4H-3.2Z",
    "float16": "M0 -3.5L3.5 0L0 3.5L-3.5 0Z",
}
_RADIUS = 2.7
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Limit = Literal["diagonal", "one"]


class Scale(Protocol):
    """Places values on an axis, as fractions of its length."""

    def at(self, value: float) -> float:
        """The place of a value."""

    def ticks(self) -> list[tuple[float, str]]:
        """Places and their labels."""


@dataclass(frozen=True)
class LogScale:
    """Powers of ten, with exponents from `low` to `high`; places for 0 below and for ∞ above if they are needed."""

    low: int
    high: int
    zero: bool
    infinite: bool

    @classmethod
    def of(cls, values: Iterable[float], including: Iterable[float] = ()) -> LogScale:
        """The least whole decades that hold all the values, which are not negative, and what must be in view."""
        shown = [*values, *including]
        exponents = [log10(value) for value in shown if value > 0.0 and isfinite(value)] or [0.0]
        low, high = floor(min(exponents)), ceil(max(exponents))
        return cls(low, max(high, low + 1), any(v == 0.0 for v in shown), any(v == float("inf") for v in shown))

    def at(self, value: float) -> float:
        """The place of a value: at the very ends if it is 0 or ∞."""
        if value == 0.0:
            return _GUTTER / 3
        if not isfinite(value):
            return 1 - _GUTTER / 3
        first, last = _GUTTER * self.zero + _MARGIN, 1 - _GUTTER * self.infinite - _MARGIN
        return first + (last - first) * (log10(value) - self.low) / (self.high - self.low)

    def ticks(self) -> list[tuple[float, str]]:
        """Powers of ten, one a decade or fewer; 0 and ∞."""
        step = ceil((self.high - self.low + 1) / _TICKS)
        exponents = [n for n in range(self.low, self.high + 1) if n % step == 0]
        ends = [(self.at(0.0), "0")] * self.zero + [(self.at(float("inf")), "∞")] * self.infinite
        return [(self.at(10.0**n), _power(n)) for n in exponents if -300 < n < 300] + ends


@dataclass(frozen=True)
class IndexScale:
    """The indices 0 to `size` − 1."""

    size: int

    def at(self, value: float) -> float:
        """The place of an index: in the middle of its part of the axis."""
        return (value + 0.5) / self.size

    def ticks(self) -> list[tuple[float, str]]:
        """Multiples of 1, 2 or 5 times a power of ten."""
        least = (self.size - 1) / _TICKS
        step = next(m * 10**n for n in range(12) for m in (1, 2, 5) if m * 10**n >= least)
        return [(self.at(i), str(i)) for i in range(0, self.size, step)]


@dataclass(frozen=True)
class Dot:
    """A dot at data coordinates; `kind` is its class, `label` is shown where the pointer rests on it."""

    x: float
    y: float
    label: str
    kind: str = ""


def plot(
    title: str, dots: Sequence[Dot], x: tuple[str, Scale], y: tuple[str, LogScale], limit: Limit, note: str = ""
) -> str:
    """A figure with dots, what it shows above them, and the side of the bound shaded on which a check fails.

    Args:
        x, y: name and scale of each axis.
        limit: where the bound is: at equal values of x and y, or at y = 1.
    """
    (x_name, x_scale), (y_name, y_scale) = x, y
    shapes = [_limit(limit, x_scale, y_scale)]
    shapes += [_x_tick(place, label) for place, label in x_scale.ticks()]
    shapes += [_y_tick(place, label) for place, label in y_scale.ticks()]
    shapes.append(
        f'<path class="axis" d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - _RIGHT}"/>'
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2:g}" y="{_HEIGHT - 6}" class="middle">{escape(x_name)}</text>'
        f'<text transform="translate(12 {(_TOP + _HEIGHT - _BOTTOM) / 2:g}) rotate(-90)" class="middle">'
        f"{escape(y_name)}</text>"
    )
    # What fails is drawn last, so that nothing hides it.
    shapes += [_dot(dot, x_scale, y_scale) for dot in sorted(dots, key=lambda dot: dot.kind == "over")]
    below = f'<p class="note">{escape(note)}</p>' if note else ""
    return (
        f'<figure class="plot"><figcaption>{escape(title)}</figcaption>'
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(title)}: {escape(y_name)} against {escape(x_name)}">'
        f"{''.join(shapes)}</svg>{below}</figure>"
    )


def bar(share: float) -> str:
    """A bar as long as the share of the bound that was used, and full if that is more than all of it."""
    length, kind = (100.0, "over") if share > 1.0 else (100.0 * share, "within")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect class="room" width="100" height="4"/>'
        f'<rect class="{kind}" width="{length:.4g}" height="4"/></svg>'
    )


def marker(kind: str) -> str:
    """The dot of a kind by itself, for a legend."""
    shape = f'd="{_SHAPES[kind]}"' if kind in _SHAPES else ""
    drawn = f'<path class="dot {kind}" {shape}/>' if shape else f'<circle class="dot {kind}" r="{_RADIUS}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="key" viewBox="-5 -5 10 10" aria-hidden="true">{drawn}</svg>'


def _power(exponent: int) -> str:
    if -2 <= exponent <= 3:
        return f"{10.0**exponent:g}"
    return f"10{str(exponent).translate(_SUPERSCRIPTS)}"


def _horizontal(place: float) -> str:
    return f"{_LEFT + place * (_WIDTH - _LEFT - _RIGHT):.1f}"


def _vertical(place: float) -> str:
    return f"{_HEIGHT - _BOTTOM - place * (_HEIGHT - _TOP - _BOTTOM):.1f}"


def _x_tick(place: float, label: str) -> str:
    x = _horizontal(place)
    return (
        f'<path class="grid" d="M{x} {_TOP}V{_HEIGHT - _BOTTOM}"/>'
        f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 14}" class="middle">{label}</text>'
    )


def _y_tick(place: float, label: str) -> str:
    y = float(_vertical(place))
    return (
        f'<path class="grid" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>'
        f'<text x="{_LEFT - 5}" y="{y + 3.5:.1f}" class="end">{label}</text>'
    )


def _limit(limit: Limit, x: Scale, y: LogScale) -> str:
    """The bound as a line, and what is above it as an area."""
    if limit == "one":
        ends = [(0.0, y.at(1.0)), (1.0, y.at(1.0))]
    else:
        assert isinstance(x, LogScale)
        lowest, highest = 10.0 ** max(x.low, -300), 10.0 ** min(x.high, 300)
        ends = [(x.at(lowest), y.at(lowest)), (x.at(highest), y.at(highest))]
    line = " ".join(f"{_horizontal(a)} {_vertical(b)}" for a, b in ends)
    left, right = (_horizontal(a) for a, _ in ends)
    area = f'<path class="beyond" d="M{line} L{right} {_TOP}H{left}Z"/>' if limit == "one" else ""
    if limit == "diagonal":
        area = f'<path class="beyond" d="M{line} L{right} {_TOP}H{_LEFT}V{_vertical(ends[0][1])}Z"/>'
    return f'{area}<path class="limit" d="M{line}"/>'


def _dot(dot: Dot, x: Scale, y: Scale) -> str:
    left, up = _horizontal(x.at(dot.x)), _vertical(y.at(dot.y))
    label = f"<title>{escape(dot.label)}</title>"
    shape = _SHAPES.get(dot.kind)
    if shape is None:
        return f'<circle class="dot {dot.kind}" cx="{left}" cy="{up}" r="{_RADIUS}">{label}</circle>'
    return f'<path class="dot {dot.kind}" transform="translate({left} {up})" d="{shape}">{label}</path>'
