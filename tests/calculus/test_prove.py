"""The prover: proved, refuted, open; its chains; and what happens when its normal form is broken."""

from fractions import Fraction

import pytest
from lemmata.derivations import attention, softmax
from lemmata.derivations.calculus import normal_form, products, sums
from lemmata.derivations.calculus.expr import (
    ONE,
    ZERO,
    Const,
    Delta,
    Dim,
    Expr,
    Fn,
    Index,
    Larger,
    Place,
    Predicate,
    Size,
    Tensor,
    at_least,
    exp,
    lift,
    log,
    maximum,
    position,
    tanh,
    total,
    walk,
)
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.polynomial import ONE_POLY, total_poly
from lemmata.derivations.calculus.prove import POINTS, Contradiction, is_nonnegative, lines_of, prove
from lemmata.derivations.calculus.statement import Claim, Equal, NonNegative, Result, Statement, Step
from lemmata.tests.calculus.conftest import Plant

n = Dim("n")
i, j, k = Index("i", n), Index("j", n), Index("k", n)
x, y, p, B = Tensor("x", (n,)), Tensor("y", (n,)), Tensor("p", (n,), "positive"), Tensor("b", (n,), "boolean")
a, b = Tensor("a")[()], Tensor("c")[()]
HALF = Fraction(1, 2)
OPERATIONS = (*softmax.OPERATIONS, *attention.OPERATIONS)


def verdict(claim: Claim, *steps: Expr, also: tuple[Claim, ...] = ()) -> Result:
    chain = tuple(Step(step, "a step") for step in steps)
    return prove(Statement("S1", "a claim", claim, chain, also))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_statement_is_proved_and_evaluated(operation: Operation) -> None:
    for statement in operation.statements():
        result = prove(statement)
        assert result.status == "proved", f"{operation.name} {statement.label}: {result.reason}"
        assert result.checks >= len(statement.claims)
        assert result.counterexample is None


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_labels_are_numbered_and_names_are_said_once(operation: Operation) -> None:
    statements = operation.statements()
    assert sorted(int(s.label[1:]) for s in statements) == list(range(1, len(statements) + 1))
    assert len({s.name for s in statements}) == len(statements)


def test_proved() -> None:
    result = verdict(Equal(total(j, x[j] + y[j]), total(j, x[j]) + total(j, y[j])))
    assert result.status == "proved"
    assert result.checks >= POINTS
    assert result.reason == ""


def test_refuted_with_a_counterexample() -> None:
    result = verdict(Equal(total(j, x[j] * y[j]), total(j, x[j]) * total(j, y[j])))
    assert result.status == "refuted"
    assert result.counterexample is not None
    assert result.counterexample.sizes == {"n": 2}
    assert "is not shown by the normal form" in result.reason


def test_true_but_not_shown_is_open() -> None:
    result = verdict(Equal(Fn("sinh", a), (exp(a) - exp(-a)) / 2))
    assert result.status == "open"
    assert result.counterexample is None
    assert result.checks > 0


def test_what_is_defined_nowhere_is_open() -> None:
    nothing = maximum(j, x[j], B[j] * (1 - B[j]))
    for claim in (
        Equal(1 / (a - a), 1 / (b - b)),
        Equal(log(a - a), ZERO),
        Equal(nothing, nothing),
        Equal(log(-exp(a)), log(-exp(a))),
        NonNegative(1 / (a - a)),
    ):
        result = verdict(claim)
        assert result.status == "open"
        assert result.checks == 0
        assert "no value" in result.reason or "no point" in result.reason


def test_what_cannot_be_evaluated_is_open() -> None:
    clash = Equal(x[i] + Tensor("x", (n,), "positive")[i] * 0, x[i])
    assert verdict(clash).status == "open"
    assert verdict(clash).reason == "it cannot be evaluated: two different tensors are called 'x'"
    unknown = Equal(Fn("swish", x[i]), Fn("swish", x[i]))
    assert verdict(unknown).reason == "it cannot be evaluated: there is no function 'swish' to evaluate"
    assert verdict(unknown, also=(Equal(a, b),)).status == "refuted"


def test_contradictory_hypotheses_prove_nothing() -> None:
    never = (Predicate(position(i) - j), Predicate(position(j) - i - 1))
    assert verdict(Equal(x[i], y[i], never)).status == "open"


def test_hypotheses_are_used_and_needed() -> None:
    past = (Predicate(position(i) - j),)
    assert verdict(Equal(at_least(i, j), ONE, past)).status == "proved"
    assert verdict(Equal(at_least(i, j), ONE)).status == "refuted"
    assert verdict(Equal(at_least(i, position(j) + 1), ONE, past)).status == "refuted"


def test_every_conjunct_counts() -> None:
    true, false = Equal(a + b, b + a), Equal(a, b)
    unknown = Equal(Fn("sinh", a), (exp(a) - exp(-a)) / 2)
    assert verdict(true, also=(true,)).status == "proved"
    assert verdict(true, also=(false,)).status == "refuted"
    assert verdict(true, also=(unknown,)).status == "open"
    assert verdict(unknown, also=(false,)).status == "refuted"
    assert verdict(unknown, also=(true,)).status == "open"


def test_every_line_of_a_chain_must_follow() -> None:
    left, right = (a + b) ** 2, a**2 + 2 * a * b + b**2
    assert verdict(Equal(left, right), a * (a + b) + b * (a + b)).status == "proved"
    result = verdict(Equal(left, right), a * (a + b))
    assert result.status == "open"
    assert "“a step”" in result.reason
    assert len(lines_of(Equal(left, right), (Step(left, "again"),))) == 3


def test_a_chain_through_a_line_without_a_value_proves_nothing() -> None:
    """Equality where both sides are defined is not transitive: 0 = c/(1 − c) where the mask c is 0, and so is c·x."""
    mask = B[i]
    nowhere = mask * a / (1 - mask) + (1 - mask) / (1 - mask) ** 2 - 1 / (1 - mask)
    result = verdict(Equal(mask * x[i], mask * y[i]), nowhere)
    assert result.status != "proved"
    same = verdict(Equal(mask * x[i], x[i] * mask), mask * x[i] * b / b)
    assert same.status == "proved" or "has no value" in same.reason


def test_a_broken_normal_form_is_noticed(plant: Plant) -> None:
    claim = Equal((a**2) ** HALF, a)
    assert verdict(claim).status == "refuted"
    plant(products, "is_positive", lambda atom: True)
    with pytest.raises(Contradiction, match="proved, yet at"):
        verdict(claim)


@pytest.mark.parametrize(
    ("module", "name", "fault", "claim"),
    [
        (sums, "canonical_order", lambda indices, powers: list(indices), None),
        (sums, "components", lambda indices, powers: [], Equal(total(j, x[j]), ONE)),
        (products, "holds", lambda form, given=(): True, Equal(at_least(i, j) * at_least(j, i), at_least(j, i))),
        (normal_form, "predicate", lambda form: ONE_POLY, Equal(at_least(i, j), ONE)),
        (normal_form, "delta", lambda left, right: ONE_POLY, Equal(Delta(i, j), ONE)),
        (normal_form, "larger", lambda parts: total_poly(parts), Equal(Larger(a, b), a + b)),
        (normal_form, "max_over", lambda index, body, where: where, Equal(maximum(j, x[j]), ONE)),
        (normal_form, "sum_over", lambda indices, body: body, Equal(total(j, a), a)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fault_in_each_rule_is_noticed(
    plant: Plant, module: object, name: str, fault: object, claim: Equal | None
) -> None:
    """Each rule, broken so that it shows too much, runs into the independent evaluation. Only labelling is harmless."""
    plant(module, name, fault)
    if claim is None:
        assert verdict(Equal(total(i, j, x[i] * y[j] * p[i]), total(i, x[i] * p[i]))).status == "refuted"
        return
    with pytest.raises(Contradiction):
        verdict(claim)


@pytest.mark.parametrize(
    ("expr", "sign"),
    [
        (x[i] ** 2, True),
        (x[i], False),
        (-(x[i] ** 2), False),
        (p[i] * exp(x[i]), True),
        (p[i] * x[i], False),
        (total(j, B[j] * exp(x[j])) / total(j, p[j]), True),
        (x[i] ** HALF, True),
        (x[i] ** 3, False),
        (Size(n) * at_least(i, j) * Delta(i, j), True),
        (lift(-1), False),
        (Larger(x[i], lift(0)), True),
        (Larger(x[i], y[i]), False),
        (maximum(j, x[j] ** 2), True),
        (maximum(j, x[j]), False),
        (Place(position(i)), False),
        (tanh(x[i]), False),
        ((-x[i]) * (-x[i]), True),
        (x[i] * y[i], False),
        (1 / x[i], False),
        (x[i] ** 2 + p[i], True),
        (x[i] ** 2 - p[i], False),
    ],
)
def test_signs(expr: Expr, sign: bool) -> None:
    assert is_nonnegative(expr) == sign
    assert (verdict(NonNegative(expr)).status == "proved") == sign


def test_the_claim_of_a_sign_may_be_proved_in_another_form() -> None:
    square = (x[i] - y[i]) ** 2
    assert verdict(NonNegative(x[i] ** 2 - 2 * x[i] * y[i] + y[i] ** 2)).status == "open"
    assert verdict(NonNegative(x[i] ** 2 - 2 * x[i] * y[i] + y[i] ** 2), square).status == "proved"
    assert verdict(NonNegative(x[i] ** 2 - 2 * x[i] * y[i]), square).status != "proved"


def test_time_does_not_depend_on_any_size() -> None:
    """Nothing in a statement holds a size: what is proved and evaluated is the same for every n."""
    for operation in OPERATIONS:
        for statement in operation.statements():
            for claim in statement.claims:
                sides = (claim.left, claim.right) if isinstance(claim, Equal) else (claim.expr,)
                numbers = [node.value for side in sides for node in walk(side) if isinstance(node, Const)]
                assert all(abs(number) <= 2 for number in numbers)
