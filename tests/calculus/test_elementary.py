"""Functions written in others: at every depth, with the same value, in a form that shows equalities."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from lemmata.derivations.calculus import normal_form as form_module
from lemmata.derivations.calculus.elementary import COMPOSED, elementary
from lemmata.derivations.calculus.expr import (
    ZERO,
    Expr,
    Larger,
    Tensor,
    erfc,
    exp,
    log,
    maximum,
    relu,
    sigmoid,
    tanh,
    total,
)
from lemmata.derivations.calculus.normal_form import equal, normal_form
from lemmata.derivations.calculus.polynomial import Poly
from lemmata.derivations.calculus.products import NoValue, TooLarge
from lemmata.derivations.calculus.readback import Reader
from lemmata.tests.calculus import expressions
from lemmata.tests.calculus.expressions import differences, i, j, m, n, point

x, y = Tensor("x", (n,)), Tensor("y", (n,))
a, b = Tensor("a")[()], Tensor("b0")[()]
READER = Reader({n: "k", m: "v"}, {})

NESTED: list[Expr] = [
    exp(sigmoid(a)),
    log(sigmoid(a)),
    total(j, relu(x[j]) * sigmoid(y[j])),
    maximum(j, relu(x[j]) + tanh(x[j])),
    Larger(relu(a), sigmoid(b)),
    (1 + relu(a) ** 2) ** -1,
    tanh(relu(a) - sigmoid(b)),
    erfc(tanh(a)),
]


@pytest.mark.parametrize("expr", NESTED, ids=str)
def test_the_value_is_kept_and_the_functions_are_gone(expr: Expr) -> None:
    written = elementary(normal_form(expr))
    shown = repr(written)
    assert not any(f"{name}(" in shown for name in COMPOSED)
    rng = random.Random(1)
    for _ in range(10):
        assert not differences(expr, READER.poly(written), point(rng, (x, y, a.tensor, b.tensor)))[1]


FUNCTIONS = ("sigmoid", "tanh", "relu", "step", "erf", "erfc", "exp")
EXPRESSIONS = 400


def test_both_forms_have_the_value_of_many_expressions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "FUNCTIONS", FUNCTIONS)
    compared = 0
    for seed in range(EXPRESSIONS):
        rng = random.Random(seed)
        expr = expressions.expression(rng.randrange, 3)
        try:
            plain = normal_form(expr)
            written = elementary(plain)
        except (NoValue, TooLarge):
            continue
        where = point(rng)
        for form in (plain, written):
            seen, wrong_places = differences(expr, READER.poly(form), where)
            assert not wrong_places, f"{expr} became {READER.poly(form)}"
            compared += seen > 0
    assert compared > EXPRESSIONS


def test_a_denominator_of_the_claim_may_be_cleared_afterwards() -> None:
    assert equal(1 / (a + sigmoid(-b)), (1 + exp(b)) / (a + a * exp(b) + 1))
    assert not equal(1 / (a + sigmoid(-b)), (1 + exp(b)) / (a + a * exp(b) + 2))


def test_a_denominator_of_a_step_alone_is_not_cleared() -> None:
    """a·x = a·y follows where a ≠ 0, but the claim x = y is not about a."""
    left, right = x[i] * sigmoid(a), x[i] * (1 - sigmoid(-a))
    assert equal(left, right, (), (left, right))
    between = y[i] / relu(a) * relu(a)
    assert not equal(x[i] * sigmoid(a), between, (), (x[i], y[i]))


def wrong(poly: Poly) -> Poly:
    return Poly({})


@pytest.mark.parametrize("fault", [wrong], ids=["everything is 0"])
def test_a_fault_here_would_prove_what_is_false(monkeypatch: pytest.MonkeyPatch, fault: Callable[[Poly], Poly]) -> None:
    assert not equal(sigmoid(a), ZERO)
    monkeypatch.setattr(form_module, "elementary", fault)
    assert equal(sigmoid(a), ZERO)
