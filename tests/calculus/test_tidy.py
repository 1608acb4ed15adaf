"""Tidying keeps the value; the forms that it gives are those that people write."""

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lemmata.derivations.calculus.expr import ONE, ZERO, Add, Const, Delta, Expr, Mul, Sum, free_indices
from lemmata.derivations.calculus.tidy import tidy
from lemmata.tests.calculus.expressions import TENSORS, differences, expression, expressions, i, j, point

x, s = TENSORS[0], TENSORS[6][()]


@settings(max_examples=80, deadline=None)
@given(expressions(3), st.integers(0, 1_000))
def test_the_value_is_kept(expr: Expr, seed: int) -> None:
    assert_kept(expr, random.Random(seed))


def test_the_value_of_many_expressions_is_kept() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        assert_kept(expression(rng.randrange, 4), rng)


def assert_kept(expr: Expr, rng: random.Random) -> None:
    tidied = tidy(expr)
    assert set(free_indices(tidied)) <= set(free_indices(expr))
    for _ in range(2):
        _, wrong = differences(expr, tidied, point(rng))
        assert not wrong, f"{expr} became {tidied}"


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        (Add((x[i], ZERO, Add((s, ONE)))), "x[i] + s + 1"),
        (Mul((Const(Fraction(2)), s, Const(Fraction(3)), s)), "6·s^2"),
        (Mul((s, ZERO)), "0"),
        (s**2 / s, "s"),
        (Sum(j, s * x[j]), "s·(Σ_j x[j])"),
        (Sum(j, Delta(i, j) * x[j]), "x[i]"),
        (Sum(j, Delta(j, j) * x[j]), "Σ_j δ[j, j]·x[j]"),
        (Sum(j, ZERO), "0"),
        ((s ** Fraction(1, 2)) ** 2, "s"),
    ],
)
def test_forms(expr: Expr, expected: str) -> None:
    assert str(tidy(expr)) == expected


def test_two_expressions_are_tidied_without_capture() -> None:
    inner = Sum(j, Delta(i, j) * Sum(i, x[i] * x[j]))  # the inner sum is written with the i that is free outside
    tidied = tidy(inner)
    assert free_indices(tidied) == (i,)
    assert not differences(inner, tidied, point(random.Random(0)))[1]
