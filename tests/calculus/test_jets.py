"""Interval jets: they enclose the value and both derivatives, and say nothing where there is no derivative."""

from __future__ import annotations

import random
from fractions import Fraction

import mpmath
import pytest
from lemmata.derivations.calculus import jets as module
from lemmata.derivations.calculus.evaluate import Point, evaluator
from lemmata.derivations.calculus.expr import (
    PI,
    Delta,
    Expr,
    Fn,
    Index,
    Larger,
    Tensor,
    erf,
    erfc,
    exp,
    lift,
    log,
    relu,
    sigmoid,
    step,
    tanh,
)
from lemmata.derivations.calculus.jets import RULES, Jet, NoEnclosure, jets, product, rational_interval
from lemmata.tests.calculus.expressions import n
from mpmath import iv

t = Tensor("t")
x = t[()]
HALF = Fraction(1, 2)
POSITIVE = (Fraction(1, 8), Fraction(3))
REAL = (Fraction(-3), Fraction(3))
DIGITS = 60

SMOOTH: list[tuple[Expr, tuple[Fraction, Fraction]]] = [
    (x**3 - 2 * x + 1, REAL),
    (1 / (1 + x**2), REAL),
    (x**-3, POSITIVE),
    (x**HALF, POSITIVE),
    (x ** Fraction(-5, 3), POSITIVE),
    (exp(-(x**2)) * x, REAL),
    (log(x) / x, POSITIVE),
    (x * sigmoid(x), REAL),
    (tanh(2 * x) - x, REAL),
    (erf(x) + erfc(x / 3), REAL),
    (Fn("sin", x) * Fn("cos", 3 * x), REAL),
    (PI * lift(2) ** HALF * x, REAL),
    (Larger(x, 2 + x**2), REAL),
]


def value(expr: Expr, at: mpmath.mpf) -> mpmath.mpf:
    exact = Fraction(*map(int, mpmath.libmp.to_rational(at._mpf_)))
    return evaluator(expr)(Point({}, {t: {(): exact}}, digits=4 * DIGITS), {})


def misses(expr: Expr, domain: tuple[Fraction, Fraction], seed: int = 0) -> int:
    """How many values or derivatives at random places in random boxes are outside of their enclosures."""
    rng, found, wrong = random.Random(seed), jets(expr), 0
    for _ in range(12):
        ends = sorted(rng.uniform(float(domain[0]), float(domain[1])) for _ in range(2))
        if rng.random() < 0.5:
            ends[1] = ends[0] + (ends[1] - ends[0]) * 2**-12
        jet = found(iv.mpf(ends))
        with mpmath.workdps(DIGITS):
            at = mpmath.mpf(ends[0]) + (mpmath.mpf(ends[1]) - ends[0]) * rng.random()
            for order, enclosure in enumerate((jet.value, jet.first, jet.second)):
                exact = mpmath.diff(lambda s: value(expr, s), at, order)
                slack = mpmath.mpf(10) ** -15 * (order > 0)  # of the numerical differentiation
                inside = mpmath.mpf(enclosure.a.mid) - slack <= exact <= mpmath.mpf(enclosure.b.mid) + slack
                wrong += not inside
    return wrong


@pytest.mark.parametrize(("expr", "domain"), SMOOTH, ids=[str(expr) for expr, _ in SMOOTH])
def test_values_and_derivatives_are_enclosed(expr: Expr, domain: tuple[Fraction, Fraction]) -> None:
    assert misses(expr, domain) == 0


@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh", "erf", "erfc", "sin", "cos", "log"])
def test_a_wrong_rule_is_seen(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    right = RULES[name]
    for place in range(3):
        parts = list(range(3))

        def wrong(box: module.Interval, place: int = place, parts: list[int] = parts) -> tuple[module.Interval, ...]:
            return tuple(one + iv.mpf("1e-3") if k == place else one for k, one in zip(parts, right(box), strict=True))

        monkeypatch.setitem(RULES, name, wrong)
        assert misses(Fn(name, x), POSITIVE) > 0


@pytest.mark.parametrize("expr", [exp(x), x**2, sigmoid(x), tanh(x), erf(x), erfc(x), x * (1 - x)], ids=str)
def test_a_narrow_box_has_a_narrow_enclosure(expr: Expr) -> None:
    jet = jets(expr)(iv.mpf([1, 1 + 2**-30]))
    for enclosure in (jet.value, jet.first, jet.second):
        assert enclosure.delta < 2**-25


def test_where_there_is_no_derivative_nothing_is_said_of_it() -> None:
    across = iv.mpf([-1, 1])
    assert jets(step(x))(across).first == module.EVERYTHING
    assert jets(relu(x))(across).second == module.EVERYTHING
    assert jets(relu(x))(across).first == iv.mpf([0, 1])
    assert jets(Larger(x, -x))(across).first == module.EVERYTHING
    left, right = jets(relu(x))(iv.mpf([-2, -1])), jets(relu(x))(iv.mpf([1, 2]))
    assert (left.value, left.first, right.first) == (module.ZERO, module.ZERO, module.ONE)


def test_outside_of_the_domain_nothing_is_said() -> None:
    assert jets(log(x))(iv.mpf([-2, -1])).value == module.EVERYTHING
    assert jets(log(x))(iv.mpf([-1, 1])).value.b >= 0
    assert jets(x**HALF)(iv.mpf([-1, 1])).value == module.EVERYTHING
    assert jets(1 / x)(iv.mpf([-1, 1])).value == module.EVERYTHING


def test_unbounded_boxes() -> None:
    beyond = iv.mpf([2, mpmath.inf])
    assert jets(sigmoid(x))(beyond).value.a > 0.88
    assert jets(erfc(x))(beyond).value.b < 0.005
    assert jets(exp(-x))(beyond).value.a == 0
    assert product(module.ZERO, module.EVERYTHING) == module.ZERO
    assert jets(step(-x) * x)(beyond).value == module.ZERO


def test_numbers_are_enclosed() -> None:
    third = rational_interval(Fraction(1, 3))
    assert third.a < third.b
    assert 3 * third.a <= 1 <= 3 * third.b
    assert rational_interval(Fraction(1, 4)) == iv.mpf(0.25)
    assert jets(PI * lift(Fraction(1, 3)))(module.ZERO) == Jet(iv.pi * third, constant=True)


def test_what_has_no_rule_is_refused() -> None:
    with pytest.raises(NoEnclosure, match="no rule for sinh"):
        jets(Fn("sinh", x))
    with pytest.raises(NoEnclosure, match="no rule for δ"):
        jets(Delta(Index("i", n), Index("j", n)))
