"""Signs of polynomials: the leading one, the strict ones, the unit step."""

from __future__ import annotations

import pytest
from lemmata.derivations.calculus.expr import Expr, Index, Tensor, exp, lift, log, sigmoid, total
from lemmata.derivations.calculus.normal_form import normal_form
from lemmata.derivations.calculus.polynomial import ONE_POLY, ZERO_POLY, Atom
from lemmata.derivations.calculus.signs import is_strictly_positive, leading_sign, step
from lemmata.tests.calculus.expressions import i, j, n

x, B = Tensor("x", (n,)), Tensor("b", (n,), "boolean")
a, b, w = Tensor("a")[()], Tensor("b0")[()], Tensor("w", (), "positive")[()]


@pytest.mark.parametrize("expr", [a, a - b, b - 2 * a, a**2 + x[i], x[i] - 2 * x[j], a - exp(b)])
def test_the_leading_sign_is_that_of_the_mirror_image_reversed(expr: Expr) -> None:
    poly = normal_form(expr)
    assert leading_sign(poly) != 0
    assert leading_sign(-poly) == -leading_sign(poly)


def test_the_leading_sign_does_not_look_at_names_of_indices() -> None:
    k, l = Index("a", n), Index("z", n)  # noqa: E741 - names on either side of those of i and j
    for one, two in ((i, j), (j, i), (k, l), (l, k)):
        assert leading_sign(normal_form(x[one] - x[two])) == 0
        assert leading_sign(normal_form(x[one] - 2 * x[two])) == leading_sign(normal_form(x[i] - 2 * x[j]))


def test_the_step_of_a_definite_sign() -> None:
    for positive in (exp(a), w + a**2, sigmoid(a), lift(2), total(j, exp(x[j]))):
        assert step(normal_form(positive)) == ONE_POLY
        assert step(normal_form(-positive)) == ZERO_POLY
    assert step(ZERO_POLY) == ZERO_POLY


@pytest.mark.parametrize("expr", [a**2, total(j, B[j]), B[i], a, total(j, x[j] ** 2)])
def test_the_step_of_what_may_be_0_is_not_1(expr: Expr) -> None:
    assert step(normal_form(expr)) not in (ONE_POLY, ZERO_POLY)


def test_what_is_not_positive_steps_to_0() -> None:
    for expr in (-(a**2), -total(j, B[j])):
        assert step(normal_form(expr)) == ZERO_POLY


def atom(expr: Expr) -> Atom:
    single = normal_form(expr).single()
    assert single is not None
    ((found, _),) = single[0]
    return found


def test_a_sum_that_may_be_0_is_strictly_positive_in_a_denominator_alone() -> None:
    masks = atom(total(j, B[j]))
    assert not is_strictly_positive(masks, 1)
    assert is_strictly_positive(masks, -1)
    assert is_strictly_positive(atom(total(j, exp(x[j]))), 1)
    assert not is_strictly_positive(atom(log(w)), 1)
    assert is_strictly_positive(atom(1 / (1 + exp(a))), 1)
