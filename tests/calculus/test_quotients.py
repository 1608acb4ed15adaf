"""Division inside exponents: what it must make equal, what it must keep apart, and that it never changes a value."""

from fractions import Fraction

import pytest
from lemmata.derivations.calculus import quotients
from lemmata.derivations.calculus.expr import ONE, Expr, Tensor, exp, log
from lemmata.derivations.calculus.functions import exponential
from lemmata.derivations.calculus.normal_form import equal, normal_form
from lemmata.derivations.calculus.polynomial import Poly
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.quotients import divided
from lemmata.derivations.calculus.statement import Equal, Statement
from lemmata.tests.calculus.conftest import Plant

a, b, c, N = (Tensor(name, (), "positive")[()] for name in ("a", "b", "c", "N"))
s, t = Tensor("s")[()], Tensor("t")[()]


def powered(base: Expr, exponent: Expr) -> Expr:
    return exp(exponent * log(base))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (exp(a / (a + b)) * exp(b / (a + b)), exp(ONE)),
        (powered(powered(N, 1 / (a + b)), a + b), N),
        (powered(N, a * b / (a + b)) * powered(N, b**2 / (a + b)), powered(N, b)),
        (exp((a**2 - b**2) / (a + b)), exp(a - b)),
        (exp(s * (a + 2 * b + c) * (a + 2 * b + c) ** -2), exp(s / (a + 2 * b + c))),
        (exp((a + b) * c / (a + b) / (a + c)), exp(c / (a + c))),
        (exp(a / (2 * a + 3 * b)) * exp(Fraction(3, 2) * b / (2 * a + 3 * b)), exp(ONE / 2)),
        (exp((s * t + s) / (t + 1)), exp(s)),
    ],
    ids=str,
)
def test_what_cancels_in_an_exponent_is_seen(left: Expr, right: Expr) -> None:
    assert equal(left, right)
    assert prove(Statement("S1", "cancels", Equal(left, right))).status == "proved"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (exp(a / (a + b)) * exp(b / (a + b)), exp(2 * ONE)),
        (exp(a / (a + b)), exp(b / (a + b))),
        (powered(powered(N, 1 / (a + b)), a + 2 * b), N),
        (exp((a**2 + b**2) / (a + b)), exp(a + b)),
        (exp(s * (a + b) * (a + b) ** -2), exp(s * (a + b) ** -2)),
        (exp(a / (a - b)) * exp(b / (a - b)), exp(ONE)),
    ],
    ids=str,
)
def test_what_does_not_cancel_is_refuted(left: Expr, right: Expr) -> None:
    assert not equal(left, right)
    assert prove(Statement("S1", "does not cancel", Equal(left, right))).status == "refuted"


def test_exponents_are_added_by_adding_the_exponents() -> None:
    """exp(x + y) and exp(x) exp(y) have one normal form: the remainder of a sum is the sum of the remainders."""
    for x, y in ((a / (a + b), -b / (a + b)), (a * c * (a + b) ** -2, c / (a + b)), (s * a / (a + c), t * c / (a + c))):
        assert normal_form(exp(x + y)) == normal_form(exp(x) * exp(y))


def test_a_division_that_takes_too_long_leaves_the_numerator(plant: Plant) -> None:
    poly = normal_form((a**5 - b**5) / (a + b))
    assert divided(poly) != poly
    plant(quotients, "MAX_DIVISIONS", 2)
    assert divided(poly) == poly


def test_a_quotient_of_one_too_few_would_be_caught(plant: Plant) -> None:
    """A fault planted in the division makes a false statement, which the independent evaluation refutes."""
    honest = quotients._quotient

    def wrong(numerator: Poly, divisor: Poly) -> tuple[Poly, Poly] | None:
        found = honest(numerator, divisor)
        return None if found is None else (found[0], Poly({}))  # the remainder is lost

    plant(quotients, "_quotient", wrong)
    assert exponential(normal_form(a / (a + b))) == exponential(normal_form(ONE))
    with pytest.raises(AssertionError, match="proved, yet"):
        prove(Statement("S1", "false", Equal(exp(a / (a + b)), exp(ONE))))
