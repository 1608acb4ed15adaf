"""How large an expression of one real number x can be beyond a point L ≥ 1: majorants.

A majorant is a sum of terms C·x^k·exp(−a·x) that is at least |expression| for every x ≥ L. Numbers, x, sums, products
and whole powers have theirs by the triangle inequality; the functions have these:

    exp(g)                      exp(g_0)·exp(−a·x), if g(x) = g_0 + Σ_i g_i x^i is a polynomial with g_i ≤ 0 for i ≥ 1,
                                and a = −Σ_i g_i L^(i−1)
    sigmoid(g)                  that of exp(g), because 1/(1 + e^−g) < e^g; else 1
    erfc(g)                     that of exp(−g²) if no coefficient of g is negative, because erfc(z) ≤ exp(−z²) for
                                z ≥ 0; else 2
    erf, tanh, step, sin, cos   1
    relu(g)                     that of g

x^k exp(−a·x) decreases from L on if a·L ≥ k, so that its largest value is the one at L.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import product as pairs

import mpmath
from mpmath import iv

from .jets import ONE, ZERO, Interval, NoEnclosure, jets
from .nodes import Add, Entry, Expr, Fn, Mul, Pow
from .traverse import tensors


@dataclass(frozen=True)
class Term:
    """size·x^degree·exp(−rate·x), with intervals for the numbers; their upper bounds (of the rate the lower) count."""

    size: Interval
    degree: int = 0
    rate: Interval = ZERO

    def __mul__(self, other: Term) -> Term:
        return Term(self.size * other.size, self.degree + other.degree, self.rate + other.rate)

    def largest(self, start: Interval) -> Interval:
        """The largest value from `start` on; unbounded if the term is not seen to decrease."""
        decreasing = bool((self.rate * start).a >= max(self.degree, 0))
        return self.size * start**self.degree * iv.exp(-self.rate.a * start) if decreasing else iv.mpf(mpmath.inf)


Polynomial = tuple[Interval, ...]  # coefficients, the constant first
BOUNDED = frozenset({"erf", "tanh", "step", "sin", "cos"})  # functions with values between −1 and 1


def magnitude_beyond(expr: Expr, start: int) -> mpmath.mpf | None:
    """A number that |expr| does not exceed for x ≥ `start`; None if no majorant is known.

    Raises:
        NoEnclosure: there is no interval rule for a number in the expression.
    """
    begin = iv.mpf(start)
    terms = _majorant(expr, begin)
    if terms is None:
        return None
    largest = mpmath.mpf(sum((term.largest(begin) for term in terms), ZERO).b.mid)
    return largest if mpmath.isfinite(largest) else None


def _majorant(expr: Expr, start: Interval) -> list[Term] | None:
    if not tensors(expr):
        return [Term(abs(jets(expr)(ZERO).value))]
    match expr:
        case Entry():
            return [Term(ONE, 1)]
        case Add(parts):
            found = [_majorant(part, start) for part in parts]
            return None if None in found else [term for terms in found if terms is not None for term in terms]
        case Mul(parts):
            return _multiplied([_majorant(part, start) for part in parts])
        case Pow(base, exponent) if exponent.denominator == 1 and exponent > 0:
            return _multiplied([_majorant(base, start)] * int(exponent))
        case Pow(Entry(), exponent) if exponent.denominator == 1:
            return [Term(ONE, int(exponent))]
        case Fn(name, argument):
            return _of_function(name, argument, start)
        case _:
            return None


def _multiplied(parts: list[list[Term] | None]) -> list[Term] | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return [reduce(Term.__mul__, chosen) for chosen in pairs(*known)]


def _of_function(name: str, argument: Expr, start: Interval) -> list[Term] | None:
    if name in BOUNDED:
        return [Term(ONE)]
    if name == "relu":
        return _majorant(argument, start)
    if name not in ("exp", "sigmoid", "erfc"):
        return None
    polynomial = _polynomial(argument)
    if name == "erfc":
        if polynomial is not None and all(c.a >= 0 for c in polynomial):
            polynomial = tuple(-c for c in _times(polynomial, polynomial))
        else:
            return [Term(iv.mpf(2))]
    decaying = None if polynomial is None else _decaying(polynomial, start)
    if decaying is None and name == "sigmoid":
        return [Term(ONE)]
    return None if decaying is None else [decaying]


def _decaying(polynomial: Polynomial, start: Interval) -> Term | None:
    constant, *others = polynomial
    if not all(c.b <= 0 for c in others):
        return None
    rate = sum((-c * start**power for power, c in enumerate(others)), ZERO)
    return Term(iv.exp(constant), 0, rate)


def _polynomial(expr: Expr) -> Polynomial | None:
    """The coefficients, if the expression is a polynomial in x by its form."""
    if not tensors(expr):
        try:
            return (jets(expr)(ZERO).value,)
        except NoEnclosure:
            return None
    match expr:
        case Entry():
            return (ZERO, ONE)
        case Add(parts):
            return _folded(parts, _plus)
        case Mul(parts):
            return _folded(parts, _times)
        case Pow(base, exponent) if exponent.denominator == 1 and exponent > 0:
            return _folded((base,) * int(exponent), _times)
        case _:
            return None


def _folded(parts: tuple[Expr, ...], rule: Callable[[Polynomial, Polynomial], Polynomial]) -> Polynomial | None:
    found = [_polynomial(part) for part in parts]
    known = [one for one in found if one is not None]
    return reduce(rule, known) if len(known) == len(found) else None


def _plus(left: Polynomial, right: Polynomial) -> Polynomial:
    longest = max(len(left), len(right))
    padded = [(*one, *[ZERO] * (longest - len(one))) for one in (left, right)]
    return tuple(a + b for a, b in zip(*padded, strict=True))


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    result = [ZERO] * (len(left) + len(right) - 1)
    for (i, a), (j, b) in pairs(enumerate(left), enumerate(right)):
        result[i + j] = result[i + j] + a * b
    return tuple(result)
