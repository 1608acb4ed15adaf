"""Statements that are false where the independent evaluation hardly looks: none is proved.

A size that occurs in a predicate hides a falsehood from an evaluation at sizes up to 3, so the normal form alone must
withhold each proof.
"""

from collections.abc import Callable
from fractions import Fraction

import pytest
from lemmata.derivations.calculus.affine import Affine
from lemmata.derivations.calculus.blocks import CannotSplit, Split
from lemmata.derivations.calculus.differentiate import NotDifferentiable, elementwise_derivative, vjp
from lemmata.derivations.calculus.evaluate import Point, UnknownFunction, evaluator
from lemmata.derivations.calculus.expr import (
    ONE,
    Delta,
    Dim,
    DimensionError,
    Expr,
    Fn,
    Index,
    Kind,
    Permutation,
    Tensor,
    at_least,
    exp,
    log,
    total,
)
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.program import Def, Program, ProgramError
from lemmata.derivations.calculus.prove import decide, prove
from lemmata.derivations.calculus.statement import Claim, Equal, NonNegative, Statement, Step
from lemmata.derivations.calculus.symmetry import generator

n, part, rest = Dim("n"), Dim("a"), Dim("b")
i, j, row = Index("i", n), Index("j", n), Index("l", n)
x, y, c = Tensor("x", (n,)), Tensor("y", (n,)), Tensor("c", (n,))
m, s = Tensor("m", (), "boolean"), Tensor("s")
keep = Tensor("keep", (n,), "boolean")
HALF = Fraction(1, 2)
SMALL, LARGE = at_least(3, n), at_least(n, 4)  # the evaluation sees only sizes at which these are 1 and 0


def evaluate_at(expr: Expr, size: int) -> list[float]:
    """The values at one size, all tensors 1 or −1 by turns; the boolean one is 1."""
    values: dict[Tensor, dict[tuple[int, ...], Fraction]] = {}
    values |= {x: {(k,): Fraction((-1) ** (k + 1)) for k in range(size)}, m: {(): Fraction(1)}}
    values[y] = {(k,): Fraction(0) for k in range(size)}
    point = Point({n: size}, values)
    return [float(evaluator(expr)(point, {i: k})) for k in range(size)]


def guarded_denominator() -> Equal:
    """Where SMALL is 0 the denominator is 1, whatever m is; refined by its own factor SMALL it would be 1 − m."""
    left = SMALL * (1 - m[()]) / (1 - SMALL * m[()]) + m[()] * x[i]
    return Equal(left, SMALL * (1 - m[()]) + 0 * x[i])


CHAINS: list[tuple[str, Claim, Expr]] = [
    ("a line that divides by zero", Equal(x[i], x[i] * (1 - LARGE)), x[i] * (1 - LARGE) / (1 - LARGE)),
    ("a square that divides by zero", NonNegative(y[i] ** 2 - 5 * LARGE),
     y[i] ** 2 * (1 - LARGE) ** 2 * (1 - LARGE) ** -2),
    ("a square of a root", NonNegative(LARGE * x[i]), ((LARGE * x[i]) ** HALF) ** 2),
]  # fmt: skip


def test_a_denominator_inside_a_guarded_product_is_not_multiplied_out() -> None:
    claim = guarded_denominator()
    assert evaluate_at(claim.left, 4) != evaluate_at(claim.right, 4)
    assert decide(claim)


def test_a_denominator_of_the_claim_is_multiplied_out_where_a_hypothesis_holds() -> None:
    guard = at_least(i, j)
    left = x[i] / (x[i] + guard * y[j]) + y[j] / (x[i] + y[j])
    given = (guard,)
    assert not decide(Equal(left, 1 + 0 * x[i], given))  # type: ignore[arg-type]  # at_least gives a Predicate
    assert decide(Equal(left, 1 + 0 * x[i]))


@pytest.mark.parametrize(("claim", "line"), [case[1:] for case in CHAINS], ids=[case[0] for case in CHAINS])
def test_a_line_without_a_value_proves_nothing(claim: Claim, line: Expr) -> None:
    if isinstance(claim, Equal):
        assert evaluate_at(claim.left, 4) != evaluate_at(claim.right, 4)
    else:
        assert min(evaluate_at(claim.expr, 4)) < 0
    assert prove(Statement("S1", "", claim, (Step(line, "so it is said"),))).status == "open"


def test_a_line_with_the_denominators_of_the_claim_proves() -> None:
    p = exp(x[i]) / total(j, keep[j] * exp(x[j]))
    variance = total(i, p * x[i] ** 2 * 2) - total(i, p * x[i] ** 2)
    shown = Statement("S1", "", NonNegative(variance), (Step(total(i, p * x[i] ** 2), "the same"),))
    assert prove(shown).status == "proved"
    elsewhere = total(i, p * x[i] ** 2 * (exp(y[i]) / y[i]) / (exp(y[i]) / y[i]))
    assert decide(NonNegative(variance), [(variance, ""), (elsewhere, "")])


@pytest.mark.parametrize("name", ["harmonic", "gamma", "loggamma", "lerchphi", "besselj", "Max", "pi", "plot", "beta"])
def test_a_derivative_that_is_no_function_of_one_argument_is_refused(name: str) -> None:
    """d harmonic(x) = ζ(2, x + 1): its first argument alone would be the number ζ(2)."""
    with pytest.raises(NotDifferentiable):
        elementwise_derivative(name, x[i])


@pytest.mark.parametrize("name", ["foo", "rand", "pi", "besselj"])
def test_no_value_of_what_is_no_function_of_one_number(name: str) -> None:
    with pytest.raises(UnknownFunction):
        evaluator(Fn(name, s[()]))(Point({}, {s: {(): Fraction(1)}}), {})


def test_a_replacement_may_mention_the_index_of_a_definition() -> None:
    """y[l] with x ↦ x + c[i], where i is the very index of the definition y[i]: c stays at i."""
    program = Program("own", (x,), (Def(y[i], x[i] + 1),), (y,))
    operation = Operation("own", "", program, (x,), lambda: ())
    value = operation.value(y[row], {x: lambda index: x[index] + c[i]})
    assert prove(Statement("S1", "", Equal(value, x[row] + c[i] + 1))).status == "proved"
    assert prove(Statement("S1", "", Equal(value, x[row] + c[row] + 1))).status == "refuted"


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("boolean", lambda k: keep[k] * at_least(k, 1), lambda k: 2 * x[k]),
        ("positive", lambda k: exp(x[k]), lambda k: x[k]),
    ],
    ids=["boolean", "positive"],
)  # fmt: skip
def test_a_replacement_is_of_the_kind_that_the_simplified_gradient_relies_on(
    kind: str, right: Callable[[Index], Expr], wrong: Callable[[Index], Expr]
) -> None:
    special = Tensor("b", (n,), "boolean" if kind == "boolean" else "positive")
    program = Program("own", (x, special), (Def(y[i], special[i] ** 2 * x[i]),), (y,))
    assert str(program.inline(y[i], {special: right}))
    with pytest.raises(ProgramError, match=f"b is {kind}"):
        program.inline(y[i], {special: wrong})


def test_a_gradient_for_each_input_that_was_asked_for() -> None:
    program = Program("own", (keep, x), (Def(y[i], keep[i] * x[i]),), (y,))
    assert [g.name for g in vjp(program).outputs] == ["dx"]
    for wrong in (keep, y):
        with pytest.raises(NotDifferentiable, match=wrong.name):
            vjp(program, [wrong, x])


def test_two_inputs_or_outputs_of_one_name_are_refused() -> None:
    with pytest.raises(ProgramError, match="two inputs"):
        Program("own", (x, Tensor("x")), (Def(y[i], x[i]),), (y,))
    with pytest.raises(ProgramError, match="two outputs"):
        Program("own", (x,), (Def(y[i], x[i]),), (y, y))


def test_the_derivative_of_an_action_leaves_a_tensor_of_the_same_name_alone() -> None:
    parameter, other = Tensor("c"), Tensor("tc")
    slope = generator(x[i] + parameter[()] * other[()], parameter, 0)
    assert prove(Statement("S1", "", Equal(slope, other[()]))).status == "proved"


def test_a_part_does_not_take_the_name_of_another_tensor() -> None:
    first = Index("k", part)
    other = Tensor("x1", (part,))
    with pytest.raises(CannotSplit, match="x1"):
        Split(n, part, rest).apply(total(i, x[i]) - total(first, other[first]))


def test_positions_are_whole_numbers_of_indices_and_sizes() -> None:
    moved = Permutation("π", n)(i)
    with pytest.raises(TypeError):
        Affine(((n, 1),), Fraction(-11, 2))  # type: ignore[arg-type]  # what a caller might write
    with pytest.raises(TypeError):
        at_least(moved, i)  # type: ignore[arg-type]  # as above
    with pytest.raises(DimensionError):
        Delta(moved, i)


def test_a_logarithm_under_two_sums_keeps_its_form_when_indices_are_renamed() -> None:
    left = total(i, j, log(2 * x[i] + 3 * x[j]) * y[i])
    right = total(i, j, log(2 * x[j] + 3 * x[i]) * y[j])
    assert not decide(Equal(left, right))


QUOTIENTS: tuple[Callable[[Expr, Expr], Expr], ...] = (
    lambda a, b: 1 / (2 * a + 3 * b),
    lambda a, b: (2 * a + 3 * b) ** -HALF,
    lambda a, b: a / (4 * a + 6 * b),
)


@pytest.mark.parametrize("kind", ["real", "positive"])
@pytest.mark.parametrize("quotient", QUOTIENTS)
def test_a_logarithm_of_a_quotient_under_two_sums_keeps_its_form_when_indices_are_renamed(
    kind: Kind, quotient: Callable[[Expr, Expr], Expr]
) -> None:
    """1/(2a + 3b) is 1/2·1/(a + 3/2·b) or 1/3·1/(b + 2/3·a): log 2 or log 3 would be split off."""
    z = Tensor("z", (n,), kind)
    left = total(i, j, log(quotient(z[i], z[j])) * y[i])
    right = total(i, j, log(quotient(z[j], z[i])) * y[j])
    assert not decide(Equal(left, right))
    assert decide(Equal(left, right + total(i, j, log(1 + ONE) * y[i])))
    assert decide(Equal(left, total(i, j, log(quotient(z[j], z[i])) * y[i])))


@pytest.mark.parametrize(
    "expr",
    [(s[()] + 1) ** 10_000, (s[()] + 1) ** Fraction(20_001, 2), s[()] * (0 * s[()] + 2) ** 10_000_000],
    ids=["a sum", "a root", "a number"],
)  # fmt: skip
def test_huge_powers_are_refused_at_once(expr: Expr) -> None:
    assert "too large" in decide(Equal(expr, 2 * expr))


def test_large_prime_factors_under_a_root_are_not_looked_for() -> None:
    number = (2**89 - 1) * (2**107 - 1)
    root = (number * s[()]) ** HALF
    assert not decide(Equal(root * root, number * s[()]))
