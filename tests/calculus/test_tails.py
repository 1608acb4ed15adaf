"""Majorants beyond a point: at least the values there, and of the right decay."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest
from lemmata.derivations.calculus.evaluate import Point, evaluator
from lemmata.derivations.calculus.expr import Expr, Fn, Tensor, erf, erfc, exp, lift, log, relu, sigmoid, tanh
from lemmata.derivations.calculus.tails import Term, magnitude_beyond
from mpmath import iv

t = Tensor("t")
x = t[()]
HALF = Fraction(1, 2)
START = 4

DECAYING: list[Expr] = [
    exp(-x),
    3 * exp(1 - x**2 / 2),
    x**2 * exp(-2 * x),
    x * sigmoid(-2 * x),
    x * erfc(x / lift(2) ** HALF) / 2,
    (x + x**3) * sigmoid(-x - x**3),
    x**-2 * tanh(x),
    relu(exp(-x)) * erf(x),
    erfc(-x) * exp(-x) - sigmoid(x) / x,
]


@pytest.mark.parametrize("expr", DECAYING, ids=str)
def test_no_value_beyond_is_larger(expr: Expr) -> None:
    bound = magnitude_beyond(expr, START)
    assert bound is not None
    largest = mpmath.mpf(0)
    for number in (START, START + Fraction(1, 100), 5, 7, 10, 30, 100):
        value = abs(evaluator(expr)(Point({}, {t: {(): Fraction(number)}}), {}))
        assert value <= bound
        largest = max(largest, value)
    assert bound < 1000 * largest


@pytest.mark.parametrize(
    "expr", [x, x * sigmoid(x), exp(x), x * erfc(-x), relu(x), x**2 * sigmoid(-x / 100), exp(-x / 64) * x], ids=str
)
def test_what_grows_or_is_not_seen_to_decrease_has_no_bound(expr: Expr) -> None:
    assert magnitude_beyond(expr, START) is None


@pytest.mark.parametrize("expr", [log(x), Fn("sinh", -x), (1 + x) ** -1, exp(-log(x)), x**HALF], ids=str)
def test_without_a_rule_there_is_no_bound(expr: Expr) -> None:
    assert magnitude_beyond(expr, START) is None


def test_mixed_signs_in_an_exponent_are_not_taken_for_decay() -> None:
    assert magnitude_beyond(exp(x - x**2), 1) is None
    assert magnitude_beyond(sigmoid(x - x**2), 1) == 1
    assert magnitude_beyond(erfc(x - 1), 1) == 2


def test_a_term_is_largest_at_the_start_only_if_it_decreases() -> None:
    start = iv.mpf(4)
    assert Term(iv.mpf(2), 3, iv.mpf(1)).largest(start) == 2 * 64 * iv.exp(iv.mpf(-4))
    assert Term(iv.mpf(2), 5, iv.mpf(1)).largest(start) == mpmath.inf
    assert Term(iv.mpf(2), -1).largest(start) == iv.mpf(0.5)
