"""Interval jets: enclosures of an expression of one real number and of its first two derivatives.

The rules are those of calculus, applied to intervals with outward rounding (`mpmath.iv`). Where a derivative does not
exist (at the kink of relu, at the jump of the step) its enclosure is the whole line, so that nothing follows from it.
erf and erfc increase and decrease: mpmath's values at the two ends, computed with `EXTRA_BITS` more and widened by far
more than they can be wrong, enclose them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import mpmath
from mpmath import iv

from .nodes import PI, Add, Const, Entry, Expr, Fn, Gated, Larger, Mul, Pow
from .traverse import tensors

Interval = Any  # an `iv.mpf`: mpmath has no types
EXTRA_BITS = 30  # of the values that are widened by a unit in the last place of `iv`
ZERO, ONE = iv.mpf(0), iv.mpf(1)
EVERYTHING = iv.mpf([-mpmath.inf, mpmath.inf])


class NoEnclosure(ValueError):
    """Interval arithmetic does not show the bounds: it lacks a rule, or its enclosures are too wide."""


@dataclass(frozen=True)
class Jet:
    """Enclosures of a value and of its first two derivatives; those of a `constant` are exactly 0."""

    value: Interval
    first: Interval = ZERO
    second: Interval = ZERO
    constant: bool = False


Jets = Callable[[Interval], Jet]


def jets(expr: Expr) -> Jets:
    """The jet of an expression at an interval of the one number that it reads.

    Raises:
        NoEnclosure: there is no rule for a part of the expression.
    """
    compiled = _jets(expr)
    if not tensors(expr):
        fixed = Jet(compiled(ZERO).value, constant=True)
        return lambda box: fixed
    return compiled


def _jets(expr: Expr) -> Jets:
    match expr:
        case Const(value):
            return lambda box: Jet(rational_interval(value))
        case Entry():
            return lambda box: Jet(box, ONE)
        case Add(parts):
            return _combined(parts, _plus)
        case Mul(parts):
            return _combined(parts, _times)
        case Pow(base, exponent):
            inner = jets(base)
            return lambda box: _power(inner(box), exponent)
        case Fn(name, argument):
            if expr == PI:
                return lambda box: Jet(iv.pi + ZERO)
            if name not in RULES:
                raise NoEnclosure(f"interval arithmetic has no rule for {name}")
            inner, rule = jets(argument), RULES[name]
            return lambda box: _composed(rule, inner(box))
        case Larger(left, right):
            return _combined((left, right), _larger)
        case Gated(body, _):
            return jets(body)
        case _:
            raise NoEnclosure(f"interval arithmetic has no rule for {expr}")


def rational_interval(value: Fraction) -> Interval:
    """An interval with a rational number in it."""
    return iv.mpf(value.numerator) / iv.mpf(value.denominator)


def _combined(parts: tuple[Expr, ...], rule: Callable[[Jet, Jet], Jet]) -> Jets:
    compiled = [jets(part) for part in parts]
    return lambda box: reduce(rule, [one(box) for one in compiled])


def product(left: Interval, right: Interval) -> Interval:
    """The product; 0 if one of them is exactly 0, also where the other one is unbounded."""
    return ZERO if left == ZERO or right == ZERO else left * right


def _plus(left: Jet, right: Jet) -> Jet:
    return Jet(left.value + right.value, left.first + right.first, left.second + right.second)


def _times(left: Jet, right: Jet) -> Jet:
    if right.constant:
        left, right = right, left
    if left.constant:
        return Jet(*(product(left.value, part) for part in (right.value, right.first, right.second)))
    first = product(left.first, right.value) + product(left.value, right.first)
    crossed = product(left.second, right.value) + product(left.value, right.second)
    return Jet(product(left.value, right.value), first, crossed + 2 * product(left.first, right.first))


def _larger(left: Jet, right: Jet) -> Jet:
    if left.value.a >= right.value.b:
        return left
    if right.value.a >= left.value.b:
        return right
    value = iv.mpf([max(left.value.a, right.value.a), max(left.value.b, right.value.b)])
    return Jet(value, EVERYTHING, EVERYTHING)


Rule = Callable[[Interval], tuple[Interval, Interval, Interval]]  # the values of a function and of its derivatives


def _composed(rule: Rule, inner: Jet) -> Jet:
    value, first, second = rule(inner.value)
    bent = product(second, inner.first**2) + product(first, inner.second)
    return Jet(value, product(first, inner.first), bent)


def _power(base: Jet, exponent: Fraction) -> Jet:
    return _composed(lambda box: _powers(box, exponent), base)


def _powers(box: Interval, exponent: Fraction) -> tuple[Interval, Interval, Interval]:
    first = product(rational_interval(exponent), _raised(box, exponent - 1))
    slope = rational_interval(exponent * (exponent - 1))
    return _raised(box, exponent), first, product(slope, _raised(box, exponent - 2))


def _raised(box: Interval, exponent: Fraction) -> Interval:
    if exponent.denominator == 1:
        whole = int(exponent)
        return box**whole if whole >= 0 else ONE / box**-whole
    if exponent < 0:
        return ONE / _raised(box, -exponent)
    if box.a < 0:  # it has a value in a part of the box at most; no bound is wanted elsewhere
        return EVERYTHING
    if exponent == Fraction(1, 2):
        return iv.sqrt(box)
    whole = exponent.numerator // exponent.denominator
    return box**whole * iv.exp(iv.log(box) * rational_interval(exponent - whole))


def _exp(box: Interval) -> tuple[Interval, Interval, Interval]:
    value = iv.exp(box)
    return value, value, value


def _log(box: Interval) -> tuple[Interval, Interval, Interval]:
    if box.b <= 0:
        return EVERYTHING, EVERYTHING, EVERYTHING
    if box.a <= 0:
        return iv.mpf([-mpmath.inf, iv.log(box.b).b]), EVERYTHING, EVERYTHING
    return iv.log(box), ONE / box, -ONE / box**2


def _sigmoid(box: Interval) -> tuple[Interval, Interval, Interval]:
    value, mirrored = ONE / (ONE + iv.exp(-box)), ONE / (ONE + iv.exp(box))
    slope = value * mirrored
    return value, slope, slope * (mirrored - value)


def _tanh(box: Interval) -> tuple[Interval, Interval, Interval]:
    value = ONE - 2 / (ONE + iv.exp(2 * box))
    slope = 4 / ((ONE + iv.exp(2 * box)) * (ONE + iv.exp(-2 * box)))
    return value, slope, -2 * value * slope


def _erf(box: Interval) -> tuple[Interval, Interval, Interval]:
    slope = 2 / iv.sqrt(iv.pi) * iv.exp(-(box**2))
    value = iv.mpf([_widened(mpmath.erf, box.a).a, _widened(mpmath.erf, box.b).b])
    return value, slope, -2 * product(box, slope)


def _erfc(box: Interval) -> tuple[Interval, Interval, Interval]:
    _, slope, bent = _erf(box)
    return iv.mpf([_widened(mpmath.erfc, box.b).a, _widened(mpmath.erfc, box.a).b]), -slope, -bent


def _widened(function: Callable[[mpmath.mpf], mpmath.mpf], end: Interval) -> Interval:
    """The value at one end of an interval, enclosed."""
    with mpmath.workprec(iv.prec + EXTRA_BITS):
        value = function(mpmath.mpf(end.mid))
    unit = mpmath.ldexp(1, -iv.prec)
    return iv.mpf(value) * iv.mpf([1 - unit, 1 + unit])


def _sin(box: Interval) -> tuple[Interval, Interval, Interval]:
    value = iv.sin(box)
    return value, iv.cos(box), -value


def _cos(box: Interval) -> tuple[Interval, Interval, Interval]:
    value = iv.cos(box)
    return value, -iv.sin(box), -value


def _relu(box: Interval) -> tuple[Interval, Interval, Interval]:
    value = iv.mpf([max(box.a, ZERO), max(box.b, ZERO)])
    slope, jump, _ = _step(box)
    return value, slope, jump


def _step(box: Interval) -> tuple[Interval, Interval, Interval]:
    if box.a > 0:
        return ONE, ZERO, ZERO
    if box.b <= 0:
        return ZERO, ZERO, ZERO
    return iv.mpf([0, 1]), EVERYTHING, EVERYTHING


RULES: dict[str, Rule] = {
    "exp": _exp, "log": _log, "sigmoid": _sigmoid, "tanh": _tanh, "erf": _erf, "erfc": _erfc, "sin": _sin, "cos": _cos,
    "relu": _relu, "step": _step,
}  # fmt: skip
