"""Bounds for every real number: true ones proved with a certificate, false ones refuted or open, never proved."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from lemmata.derivations.calculus import intervals, jets, prove
from lemmata.derivations.calculus.expr import (
    PI,
    Expr,
    Fn,
    Index,
    Tensor,
    erfc,
    exp,
    lift,
    log,
    relu,
    sigmoid,
    step,
    tanh,
)
from lemmata.derivations.calculus.intervals import MAX_BOXES, enclose, variable_of
from lemmata.derivations.calculus.jets import NoEnclosure
from lemmata.derivations.calculus.mutate import claim_mutants
from lemmata.derivations.calculus.statement import Equal, Result, Statement, Step, Within
from lemmata.tests.calculus.expressions import n
from mpmath import iv

t = Tensor("t")
x = t[()]
F = Fraction
ROOT_2 = lift(2) ** F(1, 2)


def u(argument: Expr) -> Expr:
    return (2 / PI) ** F(1, 2) * (argument + F(44715, 10**6) * argument**3)


GELU, GELU_TANH = x * erfc(-x / ROOT_2) / 2, x * sigmoid(2 * u(x))
MIRRORED = x * (sigmoid(-2 * u(x)) - erfc(x / ROOT_2) / 2)


def verdict(claim: Within, *steps: Expr) -> Result:
    return prove.prove(Statement("S1", "bounds", claim, tuple(Step(step_, "the same") for step_ in steps)))


TRUE: list[tuple[str, Within]] = [
    ("sigmoid", Within(sigmoid(x), F(0), F(1))),
    ("tanh, an odd function", Within(tanh(x), F(-1), F(1))),
    ("a square", Within(x**2, low=F(0))),
    ("silu from below", Within(x * sigmoid(x), low=F(-2785, 10**4))),
    ("gelu from below", Within(GELU, low=F(-17, 100))),
    ("a peak", Within(x * exp(-(x**2)), F(-4289, 10**4), F(4289, 10**4))),
    ("the exponential and its tangent", Within(exp(x) - x - 1, low=F(0), start=F(-3), end=F(3))),
    ("a half line", Within(exp(-x), F(0), F(1), start=F(0))),
    ("the other half line", Within(exp(x), F(0), F(1), end=F(0))),
    ("a parabola touches its bound", Within(x * (1 - x), high=F(1, 4), start=F(0), end=F(1))),
    ("a kink", Within(relu(x), F(0), F(3), start=F(-5), end=F(3))),
    ("a jump", Within(step(x) - step(-x), F(-1), F(1))),
    ("a logarithm", Within(log(x), F(0), F(7, 10), start=F(1), end=F(2))),
    ("a constant line", Within(0 * x + PI, F(314, 100), F(315, 100))),
]


@pytest.mark.parametrize("claim", [claim for _, claim in TRUE], ids=[name for name, _ in TRUE])
def test_true_bounds_are_proved_with_a_certificate(claim: Within) -> None:
    result = verdict(claim)
    assert result.status == "proved", result.reason
    (certificate,) = result.certificates
    assert "interval arithmetic" in certificate
    assert result.checks > 0


@pytest.mark.parametrize("claim", [claim for _, claim in TRUE], ids=[name for name, _ in TRUE])
def test_bounds_with_a_planted_fault_are_proved_only_if_they_are_true(claim: Within) -> None:
    """`prove` raises where a mutant is proved and the independent evaluation finds it false."""
    for mutant in claim_mutants(claim):
        assert isinstance(mutant.claim, Within)
        verdict(mutant.claim)


FALSE: list[tuple[str, Within]] = [
    ("sigmoid stays below 1/2", Within(sigmoid(x), high=F(1, 2))),
    ("just below the distance of the forms", Within(GELU - GELU_TANH, F(-473, 10**6), F(473, 10**6))),
    ("just above the least silu", Within(x * sigmoid(x), low=F(-27846, 10**5))),
    ("a square below", Within(x**2, low=F(1, 10**6))),
    ("beyond the compact interval", Within(x * exp(-x / 100), high=F(30), start=F(0))),
    ("a tight peak", Within(x * (1 - x), high=F(1, 4) - F(1, 10**9), start=F(0), end=F(1))),
    ("at an end of the domain", Within(exp(x), high=F(2), start=F(0), end=F(7, 10))),
    ("a jump", Within(step(x), high=F(1, 2))),
    ("across a pole", Within(sigmoid(1 / x), high=F(9, 10), start=F(-1), end=F(3))),
    ("on the other side of a pole", Within(x**-2 * step(x) + x, low=F(0), start=F(-1), end=F(3))),
    ("unbounded", Within(exp(x), high=F(10**9))),
]


@pytest.mark.parametrize("claim", [claim for _, claim in FALSE], ids=[name for name, _ in FALSE])
def test_false_bounds_are_not_proved(claim: Within) -> None:
    assert verdict(claim).status != "proved"


def test_a_false_bound_is_refuted_by_a_number() -> None:
    result = verdict(Within(GELU - GELU_TANH, F(-473, 10**6), F(473, 10**6)), MIRRORED)
    assert result.status == "refuted"
    assert result.counterexample is not None
    (value,) = result.counterexample.values["t"].values()
    assert abs(abs(value) - F(27, 10)) < F(1, 10)
    assert result.counterexample.right == "should be at least -473/1000000 and at most 473/1000000"
    assert result.certificates == ()
    assert verdict(Within(sigmoid(x), high=F(1, 2))).status == "refuted"
    assert verdict(Within(step(x), high=F(1, 2))).status == "refuted"


def test_the_distance_of_the_two_forms_of_gelu() -> None:
    result = verdict(Within(GELU - GELU_TANH, F(-474, 10**6), F(474, 10**6)), MIRRORED)
    assert result.status == "proved"
    (certificate,) = result.certificates
    assert "0 ≤ t ≤ 8" in certificate
    assert "beyond 8" in certificate
    assert "an even function of t" in certificate


def test_the_bounds_are_those_of_the_claim_not_of_another_line() -> None:
    result = verdict(Within(GELU - GELU_TANH, F(-474, 10**6), F(474, 10**6)), MIRRORED / 2)
    assert result.status == "open"
    assert "is not shown by the normal form" in result.reason


def test_a_line_with_a_smaller_domain_proves_nothing() -> None:
    result = verdict(Within(x, F(-1), F(1), F(-1), F(1)), x**2 / x)
    assert result.status == "open"
    assert "may have no value" in result.reason


def test_outside_of_the_domain_nothing_is_claimed() -> None:
    assert verdict(Within(x, F(0), F(1), F(0), F(1))).status == "proved"
    assert verdict(Within(x, F(0), F(1), F(0), F(2))).status == "refuted"
    assert verdict(Within(x, F(0), F(1), F(-1), F(1))).status == "refuted"


def test_other_claims_are_open() -> None:
    row = Tensor("r", (n,))
    several = Within(x * Tensor("s")[()], F(-1), F(1))
    array = Within(sigmoid(row[Index("i", n)]), F(0), F(1))
    for claim, reason in ((several, "not of 2"), (array, "r is not one"), (Within(Fn("sinh", x), F(0)), "sinh")):
        result = verdict(claim)
        assert result.status != "proved"
        assert reason in result.reason
    with pytest.raises(NoEnclosure, match="not of 0"):
        variable_of(PI)


def test_the_number_of_boxes_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = Within(x - x**2 / x, F(0), F(0), F(1), F(2))
    assert "boxes are not enough" in enclose(claim, x - x**2 / x).failure
    assert MAX_BOXES >= 1000
    monkeypatch.setattr(intervals, "MAX_BOXES", 20)
    peak = replace(TRUE[5][1], high=F(42889, 10**5))
    assert "20 boxes are not enough" in enclose(peak, peak.expr).failure


def test_a_fault_in_a_rule_is_a_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(jets.RULES, "sigmoid", lambda box: (iv.mpf(0.25), iv.mpf(0), iv.mpf(0)))
    enclose.cache_clear()
    with pytest.raises(prove.Contradiction):
        verdict(Within(sigmoid(x), F(0), F(1, 2)))
    enclose.cache_clear()


def test_a_fault_in_a_tail_is_a_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "magnitude_beyond", lambda expr, end: jets.ZERO)
    enclose.cache_clear()
    with pytest.raises(prove.Contradiction):
        verdict(Within(x, F(-1), F(1)), x)
    enclose.cache_clear()


def test_an_even_form_says_nothing_where_the_mirrored_expression_has_no_value() -> None:
    """exp(log(−x))·x is −x², and has a value for x < 0 alone; its enclosure for x > 0 is of nothing."""
    claim = Within(exp(log(-x)) * x, F(0))
    assert enclose(claim, claim.expr).failure
    assert verdict(claim).status == "refuted"
    odd = Within(tanh(exp(log(-x))), F(-1, 2), F(1, 2))
    assert enclose(odd, odd.expr).failure
    assert verdict(Within(exp(log(x)) * x, F(0))).status == "open"  # true, but of no number below 0


def test_an_interval_without_a_number_shows_nothing() -> None:
    result = verdict(Within(x, F(5), start=F(2), end=F(1)))
    assert result.status == "open"
    assert "no number from 2 to 1" in result.reason


def test_certificates_are_part_of_the_result() -> None:
    bounded = Within(sigmoid(x), F(0), F(1))
    result = prove.prove(Statement("S1", "both", Equal(x, x), conjuncts=(bounded, bounded)))
    assert len(result.certificates) == 2
    assert result.to_json()["certificates"] == list(result.certificates)
    assert verdict(Within(sigmoid(x), F(0), F(1, 2))).to_json()["certificates"] == []
