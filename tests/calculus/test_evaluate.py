"""The independent evaluation: its values, what has no value, and that it shares nothing with the normal form."""

import random
import subprocess
import sys
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lemmata.derivations.calculus.evaluate import Array, Point, Undefined, UnknownFunction, evaluator, evaluators
from lemmata.derivations.calculus.expr import (
    Delta,
    Expr,
    Fn,
    Index,
    Larger,
    Place,
    Size,
    Tensor,
    at_least,
    exp,
    lift,
    log,
    maximum,
    position,
    refresh,
    total,
)
from lemmata.tests.calculus.expressions import expressions, i, j, m, n, pi, point, u

x, b, A = Tensor("x", (n,)), Tensor("b", (n,), "boolean"), Tensor("A", (n, m))
VALUES: dict[Tensor, Array] = {
    x: {(0,): Fraction(1, 3), (1,): Fraction(-2), (2,): Fraction(5)},
    b: {(0,): Fraction(1), (1,): Fraction(0), (2,): Fraction(1)},
    A: {(a, c): Fraction(10 * a + c) for a in range(3) for c in range(2)},
}
HERE = Point({n: 3, m: 2}, VALUES, {pi: (2, 0, 1)})

CASES: list[tuple[Expr, dict[Index, int], str]] = [
    (total(j, x[j]), {}, "10/3"),
    (total(j, x[pi(j)] * x[j]), {}, "-9"),
    (x[pi(i)], {i: 1}, "1/3"),
    (total(j, u, A[j, u]), {}, "63"),
    (maximum(j, x[j]), {}, "5"),
    (maximum(j, -x[j], b[j]), {}, "-1/3"),
    (Larger(x[i], x[j]), {i: 0, j: 1}, "1/3"),
    (Delta(i, j), {i: 1, j: 1}, "1"),
    (Delta(i, j), {i: 1, j: 2}, "0"),
    (at_least(i, j), {i: 1, j: 1}, "1"),
    (at_least(i, position(j) + 1), {i: 1, j: 1}, "0"),
    (Place(position(n) - i), {i: 2}, "1"),
    (Size(n) ** Fraction(-1), {}, "1/3"),
    (x[i] ** 2 - 1, {i: 1}, "3"),
]


@pytest.mark.parametrize(("expr", "at", "expected"), CASES)
def test_value(expr: Expr, at: dict[Index, int], expected: str) -> None:
    number = Fraction(expected)
    with mpmath.workdps(50):
        exact = mpmath.mpf(number.numerator) / number.denominator
        assert abs(evaluator(expr)(HERE, at) - exact) < mpmath.mpf(10) ** -48


def test_elementwise_functions_have_fifty_digits() -> None:
    with mpmath.workdps(60):
        expected = mpmath.log(1 + mpmath.exp(mpmath.mpf(1) / 3))
        assert abs(evaluator(log(1 + exp(x[i])))(HERE, {i: 0}) - expected) < mpmath.mpf(10) ** -49


@pytest.mark.parametrize(
    ("expr", "at"),
    [
        (1 / (x[i] - x[j]), {i: 1, j: 1}),
        (log(x[i]), {i: 1}),
        (log(lift(0)), {}),
        (x[i] ** Fraction(1, 2), {i: 1}),
        (maximum(j, x[j], b[j] - b[j]), {}),
        (Fn("asin", x[i]), {i: 2}),
        (Fn("atanh", x[i] / x[j]), {i: 0, j: 0}),
        (Fn("gamma", x[i]), {i: 1}),
    ],
)
def test_without_a_value(expr: Expr, at: dict[Index, int]) -> None:
    with pytest.raises(Undefined):
        evaluator(expr)(HERE, at)


def test_an_unknown_function_is_an_error() -> None:
    with pytest.raises(UnknownFunction, match="no function 'swish'"):
        evaluator(Fn("swish", x[i]))(HERE, {i: 0})


@settings(max_examples=60, deadline=None)
@given(expressions(3), st.integers(0, 1_000), st.integers(0, 2))
def test_what_is_remembered_is_what_is_computed(expr: Expr, seed: int, place: int) -> None:
    """Values that are shared between sub-expressions of one shape against values that are not."""
    here = point(random.Random(seed))
    at = {k: place % here.sizes[k.dim] for k in (i, j, u)}
    shared = evaluators((expr, refresh(expr), expr * 2))
    for function, factor in zip(shared, (1, 1, 2), strict=True):
        alone = Point(here.sizes, here.values, here.permutations)
        try:
            expected = evaluator(expr)(alone, at)
        except Undefined:
            with pytest.raises(Undefined):
                function(here, at)
        else:
            with mpmath.workdps(50):
                assert abs(function(here, at) - factor * expected) <= abs(expected) * mpmath.mpf(10) ** -45


def test_shapes_that_differ_in_one_place_are_not_shared() -> None:
    k = Index("k", n)
    pairs: list[tuple[Expr, Expr]] = [
        (total(k, x[k] * x[i]), total(k, x[k] * x[j])),
        (total(k, at_least(k, i) * x[k]), total(k, at_least(i, k) * x[k])),
        (total(k, Delta(k, i) * x[k]), total(k, Delta(i, j) * x[k])),
        (exp(x[i] + x[j]), exp(x[i] + x[i])),
        (exp(x[pi(i)]), exp(x[i])),
        (total(k, x[i]), total(u, x[i])),
        (maximum(k, -x[k], b[k]), maximum(k, -x[k])),
        (exp(x[i] * 2), exp(x[i] * 3)),
    ]
    at = {i: 0, j: 1}
    for left, right in pairs:
        one, two = evaluators((left, right))
        assert one(HERE, at) != two(HERE, at), f"{left} and {right}"


def test_it_imports_nothing_of_the_normal_form() -> None:
    code = (
        "import lemmata.derivations.calculus.evaluate, sys;"
        "print(*sorted(m.rsplit('.', 1)[1] for m in sys.modules if m.startswith('lemmata.derivations.calculus.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["affine", "evaluate", "index", "nodes", "traverse"]


def test_what_does_not_fit_into_memory_has_no_value() -> None:
    tower = exp(exp(exp(exp(lift(30)))))  # exp(exp(30)) has 10^13 bits before the point
    with pytest.raises(Undefined, match="too large"):
        evaluator(tower)(HERE, {})
    assert evaluator(exp(exp(lift(15))))(HERE, {}) > 0
