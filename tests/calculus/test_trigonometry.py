"""Sines and cosines: every rule, wrong variants of every rule, and agreement with the independent evaluation."""

from __future__ import annotations

import random
from fractions import Fraction
from types import ModuleType

import mpmath
import pytest
from lemmata.derivations.calculus import functions, products, trigonometry
from lemmata.derivations.calculus.counterexample import search
from lemmata.derivations.calculus.differentiate import elementwise_derivative
from lemmata.derivations.calculus.evaluate import Point, evaluator
from lemmata.derivations.calculus.expr import (
    ONE,
    PI,
    ZERO,
    Add,
    Expr,
    Index,
    Tensor,
    cos,
    exp,
    lift,
    position,
    sin,
    total,
)
from lemmata.derivations.calculus.expr import Place as Value
from lemmata.derivations.calculus.latex import latex
from lemmata.derivations.calculus.normal_form import equal, normal_form
from lemmata.derivations.calculus.polynomial import Atom, Poly, atom_poly, constant, magnitude
from lemmata.derivations.calculus.products import NoValue, TooLarge
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.readback import Reader
from lemmata.derivations.calculus.statement import Equal, Statement
from lemmata.derivations.calculus.text import text
from lemmata.tests.calculus import expressions
from lemmata.tests.calculus.conftest import Plant
from lemmata.tests.calculus.expressions import differences, expression, i, j, m, n, pi, point

x, S = Tensor("x", (n,)), Tensor("S", (n, n))
a, b, t, w = (Tensor(name)[()] for name in ("a", "b0", "t", "w0"))
p = Tensor("w", (), "positive")[()]
USED = (x, S, *(e.tensor for e in (a, b, t, w, p)))
HALF = Fraction(1, 2)
l = Index("l", n)  # noqa: E741 - the usual name of a third index

# name, left side, right side, a wrong right side
RULES: list[tuple[str, Expr, Expr, Expr]] = [
    ("sine of a sum", sin(a + b), sin(a) * cos(b) + cos(a) * sin(b), sin(a) * cos(b) - cos(a) * sin(b)),
    ("cosine of a sum", cos(a + b), cos(a) * cos(b) - sin(a) * sin(b), cos(a) * cos(b) + sin(a) * sin(b)),
    ("sine of a difference", sin(a - b), sin(a) * cos(b) - cos(a) * sin(b), sin(b - a)),
    ("cosine of a difference", cos(a - b), cos(b - a), -cos(b - a)),
    ("the sine is odd", sin(-a), -sin(a), sin(a)),
    ("the cosine is even", cos(-a), cos(a), -cos(a)),
    ("Pythagoras", sin(a) ** 2 + cos(a) ** 2, ONE, cos(2 * a)),
    ("Pythagoras for a sum", sin(a + b) ** 2 + cos(a + b) ** 2, ONE, ZERO),
    ("double angle", sin(2 * a), 2 * sin(a) * cos(a), 2 * sin(a)),
    ("double angle of the cosine", cos(2 * a), 2 * cos(a) ** 2 - 1, 1 - 2 * cos(a) ** 2),
    ("double angle by the sine", cos(2 * a), 1 - 2 * sin(a) ** 2, 2 * sin(a) ** 2 - 1),
    ("triple angle", cos(3 * a), 4 * cos(a) ** 3 - 3 * cos(a), 4 * cos(a) ** 3 + 3 * cos(a)),
    ("triple angle of the sine", sin(3 * a), 3 * sin(a) - 4 * sin(a) ** 3, 3 * cos(a) - 4 * cos(a) ** 3),
    ("power reduction", sin(a) ** 4, (3 - 4 * cos(2 * a) + cos(4 * a)) / 8, (3 + 4 * cos(2 * a) + cos(4 * a)) / 8),
    ("an odd power", sin(a) ** 3, sin(a) - sin(a) * cos(a) ** 2, sin(a) + sin(a) * cos(a) ** 2),
    ("product to sum", 2 * sin(a) * sin(b), cos(a - b) - cos(a + b), cos(a + b) - cos(a - b)),
    ("half angles among themselves", sin(a / 2 + b / 2) ** 2, 1 - cos(a / 2 + b / 2) ** 2, 1 - cos((a - b) / 2) ** 2),
    ("fractions of an angle", sin(a * Fraction(3, 2)), 3 * sin(a / 2) - 4 * sin(a / 2) ** 3, sin(a) + sin(a / 2)),
    ("angle 0", cos(a - a) + sin(b - b), ONE, ZERO),
    ("a number", cos(lift(2)), 2 * cos(lift(1)) ** 2 - 1, cos(lift(1)) ** 2),
    ("a large multiple", cos(1000 * a) + sin(-1000 * a), cos(-1000 * a) - sin(1000 * a), cos(1000 * a)),
    ("a large multiple of a sum", sin(100 * a + b), sin(100 * a) * cos(b) + cos(100 * a) * sin(b), sin(100 * a)),
    ("a quotient", sin(a) / cos(a) * cos(a), sin(a), cos(a)),
    ("the square of the tangent", 1 + (sin(a) / cos(a)) ** 2, cos(a) ** -2, cos(a) ** 2),
    ("in an exponent", exp(sin(a) ** 2) * exp(cos(a) ** 2), exp(lift(1)), exp(sin(a) ** 2)),
    ("an angle that is a function", sin(exp(a) + b), sin(exp(a)) * cos(b) + cos(exp(a)) * sin(b), sin(exp(a))),
    ("inside a sum", total(j, cos(x[j] - a)), cos(a) * total(j, cos(x[j])) + sin(a) * total(j, sin(x[j])),
     cos(a) * total(j, cos(x[j]))),
    ("a double sum", total(i, j, cos(x[i] - x[j])), total(i, cos(x[i])) ** 2 + total(i, sin(x[i])) ** 2,
     total(i, cos(x[i])) ** 2 - total(i, sin(x[i])) ** 2),
    ("a sum as the angle", cos(total(j, x[j]) + a), cos(a) * cos(total(j, x[j])) - sin(a) * sin(total(j, x[j])),
     cos(total(j, cos(x[j] + a)))),
    ("positions", cos(Value(position(i) - j) * a), cos(Value(position(j) - i) * a), cos(Value(position(i)) * a)),
    ("permuted positions", total(j, sin(x[pi(j)]) ** 2), total(j, 1 - cos(x[j]) ** 2), total(j, cos(x[j]) ** 2)),
    ("half a turn", sin(a + PI), -sin(a), sin(a)),
    ("a whole turn", cos(a - 2 * PI), cos(a), -cos(a)),
    ("many turns", sin(a + 1_000_000 * PI), sin(a), -sin(a)),
    ("a quarter turn", sin(PI / 2 - a), cos(a), -cos(a)),
    ("a third of half a turn", cos(PI / 3), lift(HALF), sin(PI / 3)),
    ("5π/6", sin(5 * PI / 6), lift(HALF), -lift(HALF)),
    ("−3π/4", cos(-3 * PI / 4), -(lift(HALF) ** HALF), lift(HALF) ** HALF),
    ("π/4 of both", cos(PI / 4), sin(PI / 4), -sin(PI / 4)),
    ("√ of a positive power", (p * sin(a) ** 2) ** 2, p**2 * (1 - cos(a) ** 2) ** 2, p**2 * (1 - cos(a) ** 2)),
]  # fmt: skip


@pytest.mark.parametrize(("left", "right", "wrong"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_rule(left: Expr, right: Expr, wrong: Expr) -> None:
    assert equal(left, right)
    assert equal(right, left)
    assert not equal(left, wrong)
    rng = random.Random(0)
    seen = 0
    for _ in range(8):
        compared, different = differences(left, right, point(rng, USED))
        assert not different
        seen += compared
    assert seen


FALSE: list[tuple[str, Expr, Expr]] = [
    ("the sine is not linear", sin(a + b), sin(a) + sin(b)),
    ("the sine of a product", sin(a * b), sin(a) * sin(b)),
    ("the sine of a sum over a row", sin(total(j, x[j])), total(j, sin(x[j]))),
    ("a square outside and inside", sin(a**2), sin(a) ** 2),
    ("a root of the square", (sin(a) ** 2) ** HALF, sin(a)),
    ("a root of 1 − cos²", (1 - cos(a) ** 2) ** HALF, sin(a)),
    ("a phase lost", sin(a + PI / 2), sin(a)),
    ("a period of half a turn", cos(a + PI), cos(a)),
    ("a period in the product", cos((a + 2 * PI) * b), cos(a * b)),
    ("π as 22/7", cos(a + 2 * lift(Fraction(22, 7))), cos(a)),
    ("multiples in a product of angles", cos(2 * a * b), 2 * cos(a) ** 2 * cos(b) ** 2 - 1),
    ("the product of two norms", total(i, j, sin(x[i] - x[j])) + 1, ZERO),
    ("sums do not multiply termwise", total(i, cos(x[i])) ** 2, total(i, cos(x[i]) ** 2)),
    ("one index for two", total(i, j, cos(x[i]) * sin(x[j])), total(i, cos(x[i]) * sin(x[i]))),
    ("a symmetric matrix", cos(S[i, j] - S[j, i]), ONE),
    ("a half angle without its sign", ((1 - cos(a)) / 2) ** HALF, sin(a / 2)),
]


@pytest.mark.parametrize(("left", "right"), [case[1:] for case in FALSE], ids=[case[0] for case in FALSE])
def test_what_is_false_is_refuted(left: Expr, right: Expr) -> None:
    assert not equal(left, right)
    assert prove(Statement("S1", "false", Equal(left, right))).status == "refuted"


def test_an_odd_sum_vanishes() -> None:
    assert equal(total(i, j, sin(x[i] - x[j])), ZERO)


def test_what_is_known_not_to_be_found_is_open_and_no_more() -> None:
    """True, but outside of what the module promises: none is refuted."""
    cases = [
        (cos(a), 2 * cos(a / 2) ** 2 - 1),
        (sin(a) ** -2, (1 - cos(a) ** 2) ** -1 + 0 * a),
        (cos(PI / 5), (1 + lift(5) ** HALF) / 4),
    ]
    for left, right in cases:
        found = prove(Statement("S1", "true", Equal(left, right)))
        assert found.status == "open"
        assert found.counterexample is None


def test_random_trigonometric_polynomials_that_are_equal_have_one_normal_form() -> None:
    """Both sides are written with different angles; the exponential form e^{iθ} is the independent one."""
    rng = random.Random(5)
    atoms = (a, b, t)
    for _ in range(20):
        shifts = [rng.randint(-3, 3) for _ in atoms]
        angle = Add(tuple(k * atom for k, atom in zip(shifts, atoms, strict=True)))
        turned = (ONE, ZERO)
        for k, atom in zip(shifts, atoms, strict=True):
            for _ in range(abs(k)):
                C, S_ = cos(atom), (1 if k > 0 else -1) * sin(atom)
                turned = (turned[0] * C - turned[1] * S_, turned[1] * C + turned[0] * S_)
        assert normal_form(cos(angle)) == normal_form(turned[0])
        assert normal_form(sin(angle)) == normal_form(turned[1])
        power = rng.randint(2, 5)
        assert normal_form(sin(angle) ** power) == normal_form(turned[1] ** power)


def test_the_multiple_of_an_angle_does_not_depend_on_the_names_of_indices(plant: Plant) -> None:
    """A quotient of entries is normalised by an order of names. Renaming the indices of a sum would make another
    multiple of the angle, and so several terms of one, if the multiple saw that."""

    def summed(first: int, second: int, above: int) -> Expr:
        quotient = above / (first * x[i] + second * x[j])
        inner = total(l, 1 / (second * x[l] + first * x[i])) * above**2 * x[j]
        return total(i, j, sin(quotient) ** 2 * x[i] + cos(3 * inner))

    reader = Reader({n: "k", m: "v"}, {})
    rng = random.Random(2)
    compared = 0
    for numbers in ((2, 3, 1), (4, 9, 6), (6, 4, 5), (5, 10, 7)):
        expr = summed(*numbers)
        form = reader.poly(normal_form(expr))
        for _ in range(4):
            seen, wrong = differences(expr, form, point(rng, USED))
            assert not wrong
            compared += seen
    assert compared
    plant(trigonometry, "factor_inside", lambda m: Fraction(1))
    with pytest.raises(TooLarge, match="take apart in different ways"):
        normal_form(summed(4, 9, 6))


def test_random_expressions_keep_their_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expressions, "FUNCTIONS", ("sin", "cos", "sin", "cos", "exp"))
    reader = Reader({n: "k", m: "v"}, {})
    compared = 0
    for seed in range(120):
        rng = random.Random(seed)
        expr = expression(rng.randrange, 3)
        try:
            form = normal_form(expr)
        except (NoValue, TooLarge):
            continue
        for _ in range(2):
            seen, wrong = differences(expr, reader.poly(form), point(rng))
            assert not wrong, f"{expr} became {reader.poly(form)}"
            compared += seen
    assert compared > 120


@pytest.mark.parametrize(("times", "parts"), [(1500, 2003), (17, 100), (399, 400), (2 * 10**6 + 1, 3 * 10**6)])
def test_a_part_of_pi_with_a_large_denominator_is_an_angle_of_its_own(times: int, parts: int) -> None:
    """Its multiple would be a Chebyshev polynomial of that degree."""
    angle = PI * Fraction(times, parts)
    assert len(normal_form(cos(angle)).terms) == 1
    assert equal(cos(angle), cos(2 * PI - angle))
    assert equal(sin(angle), -sin(2 * PI - angle))
    assert not equal(sin(angle), sin(2 * PI - angle))
    assert not equal(cos(angle), cos(angle + PI))


@pytest.mark.parametrize("parts", [1, 2, 3, 4, 5, 6, 7, 12, 40])
def test_all_multiples_of_a_part_of_pi_have_their_values(parts: int) -> None:
    reader = Reader({n: "k", m: "v"}, {})
    for times in range(-2 * parts, 3 * parts):
        for function in (sin, cos):
            expr = function(PI * Fraction(times, parts))
            seen, wrong = differences(expr, reader.poly(normal_form(expr)), point(random.Random(0)))
            assert seen
            assert not wrong


def test_a_product_that_names_take_apart_in_different_ways_is_refused() -> None:
    """√(4/(4x + 9y)) is 1/√(x + 9/4·y) or 2/3·1/√(y + 4/9·x): once or twice an angle."""
    x = Tensor("x", (n,))
    left, right = (total(i, j, cos((4 / (4 * x[k] + 9 * x[o])) ** Fraction(1, 2)) * x[k]) for k, o in ((i, j), (j, i)))
    result = prove(Statement("S1", "other names", Equal(left, right)))
    assert result.status == "open"
    assert "take apart in different ways" in result.reason


def test_a_sum_of_too_many_angles_is_refused() -> None:
    many = Add(tuple(Tensor(f"t{k}")[()] for k in range(trigonometry.MAX_ANGLES + 1)))
    with pytest.raises(TooLarge, match=f"of a sum of {trigonometry.MAX_ANGLES + 1} angles"):
        normal_form(sin(many))
    result = prove(Statement("S1", "too large", Equal(sin(many), sin(many) + 0 * a)))
    assert result.status == "open"
    assert "grew too large" in result.reason
    assert equal(cos(Add(many.terms[:-1])), cos(-Add(many.terms[:-1])))


def test_a_high_power_is_refused() -> None:
    with pytest.raises(TooLarge, match="to the power"):
        normal_form(sin(a) ** 1_000)


def test_large_arguments_are_evaluated_with_enough_digits() -> None:
    """At 10¹² the evaluation of 50 digits still has 38 of the phase; where digits run out nothing is refuted."""
    point_ = Point({}, {a.tensor: {(): Fraction(1, 3)}})
    value = evaluator(sin(10**12 * a))(point_, {})
    with mpmath.workdps(100):
        exact = mpmath.sin(mpmath.mpf(10**12) / 3)
        assert abs(value - exact) < mpmath.mpf(10) ** -36
    for scale in (10**6, 10**12, 10**30, 10**60):
        big = scale * a
        assert search(Equal(sin(big + b), sin(big) * cos(b) + cos(big) * sin(b)), 0).counterexample is None
    assert search(Equal(sin(10**6 * a + b), sin(10**6 * a)), 0).counterexample is not None


def test_derivatives() -> None:
    assert elementwise_derivative("sin", a) == cos(a)
    assert equal(elementwise_derivative("cos", a), -sin(a))


def test_text_and_latex() -> None:
    angle = a * x[i]
    assert text(cos(angle) ** 2 - sin(angle)) == "cos(a·x[i])^2 − sin(a·x[i])"
    assert latex(sin(angle)) == r"\sin\left(a\, x_{i}\right)"
    reader = Reader({}, {})
    assert text(reader.poly(normal_form(sin(a + t)))) == "cos(a)·sin(t) + cos(t)·sin(a)"


def _sine_without_sign(argument: Poly) -> Poly:
    ((m_, coefficient),) = argument.terms.items()
    angle = Poly({m_: magnitude(coefficient)})
    return atom_poly(Atom("fn", ("sin", angle), angle.free, angle.top))


BROKEN: list[tuple[str, ModuleType, str, object, Expr, Expr]] = [
    ("sin² = 1 + cos²", products, "_square_of_sine", lambda atom: constant(1), sin(a) ** 2, ONE),
    ("the sine taken for even", trigonometry, "sine", _sine_without_sign, sin(-a), sin(a)),
    ("every angle a multiple of π", trigonometry, "_is_pi", lambda m: True, sin(2 * a), ZERO),
    ("an addition theorem without its second term", trigonometry, "_added", lambda one, two: (one[0], two[1]),
     sin(a + b), sin(b)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("module", "name", "replacement", "left", "right"),
    [case[1:] for case in BROKEN],
    ids=[case[0] for case in BROKEN],
)
def test_a_broken_rule_is_seen_by_the_comparison(
    plant: Plant, module: ModuleType, name: str, replacement: object, left: Expr, right: Expr
) -> None:
    assert not equal(left, right)
    plant(module, name, replacement)
    if name == "sine":
        plant(functions, name, replacement)
    assert equal(left, right)
    rng = random.Random(3)
    assert any(differences(left, right, point(rng, USED))[1] for _ in range(20))
