"""Feed-forward networks and activations: constants, gradient forms, conventions, and faults that must be refuted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import mpmath
import pytest
from lemmata.derivations import feedforward_activations as activations
from lemmata.derivations import feedforward_program as programs
from lemmata.derivations.calculus.evaluate import Point, evaluator
from lemmata.derivations.calculus.expr import ONE, ZERO, Expr, Index, Tensor, sigmoid, total
from lemmata.derivations.calculus.normal_form import equal
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Equal, Result, Statement, Within
from lemmata.derivations.feedforward import (
    FEED_FORWARD,
    GEGLU,
    GELU,
    GELU_TANH,
    OPERATIONS,
    RELU,
    SILU,
    SWIGLU,
    SWIGLU_FEED_FORWARD,
)
from lemmata.derivations.feedforward_activations import FORMS_APART, GELU_LEAST, SILU_LEAST, of_number, t
from lemmata.derivations.feedforward_networks import _tokenwise

DIGITS = 40


def statement(op: Operation, label: str) -> Statement:
    (found,) = (s for s in op.statements() if s.label == label)
    return found


def refuted(claim: Equal) -> bool:
    return prove(Statement("S1", "a fault", claim)).status == "refuted"


def value(expr: Expr, at: mpmath.mpf) -> mpmath.mpf:
    exact = Fraction(*map(int, mpmath.libmp.to_rational(at._mpf_)))
    return evaluator(expr)(Point({}, {t: {(): exact}}, digits=3 * DIGITS), {})


def extreme(expr: Expr, near: str) -> mpmath.mpf:
    """The value where the derivative vanishes."""
    with mpmath.workdps(DIGITS):
        where = mpmath.findroot(lambda s: mpmath.diff(lambda r: value(expr, r), s), mpmath.mpf(near))
        return value(expr, where)


@pytest.mark.parametrize(
    ("expr", "near", "bound"),
    [
        (of_number(GELU) - of_number(GELU_TANH), "2.7", -FORMS_APART),
        (of_number(GELU), "-0.75", GELU_LEAST),
        (of_number(SILU), "-1.28", SILU_LEAST),
    ],
    ids=["the distance of the forms of gelu", "the least gelu", "the least silu"],
)
def test_stated_bounds_are_within_one_percent_of_the_extremes(expr: Expr, near: str, bound: Fraction) -> None:
    stated = mpmath.mpf(bound.numerator) / bound.denominator
    assert stated < extreme(expr, near) < stated * mpmath.mpf("0.99")


def gradient(op: Operation) -> list[str]:
    return [str(step) for step in op.vjp.steps if step not in op.program.steps]


def test_gradients_have_the_forms_that_people_write() -> None:
    assert gradient(RELU) == ["dx[c] = dy[c]·[x[c] > 0]"]
    assert gradient(SILU) == ["dx[c] = dy[c]·(s[c] + y[c]·sigmoid(-x[c]))"]
    assert gradient(SWIGLU) == [
        "da[c] = up[c]·dy[c]",
        "dgate[c] = da[c]·(s[c] + a[c]·sigmoid(-gate[c]))",
        "dup[c] = dy[c]·a[c]",
    ]
    assert [line.split(" = ")[0] for line in gradient(FEED_FORWARD)] == [
        "da[i, f]", "dh[i, f]", "dx[i, c]", "dw_1[f, c]", "db_1[f]", "dw_2[e, f]", "db_2[e]",
    ]  # fmt: skip


def test_no_form_subtracts_what_cancels() -> None:
    """1 − σ(x) and 1 + erf(x) lose all digits for large arguments; σ(−x) and erfc do not."""
    for op in OPERATIONS:
        for step in (*op.program.steps, *op.vjp.steps, *op.jvp.steps):
            assert "erf(" not in str(step)
            assert "tanh(" not in str(step)
            assert "1 − " not in str(step)


def test_parameters_are_shared_by_the_batch() -> None:
    for op, names in ((FEED_FORWARD, "w_1 b_1 w_2 b_2"), (SWIGLU_FEED_FORWARD, "w v w_2")):
        assert [name for name, spec in op.inputs.items() if spec.shared] == names.split()
        assert op.composable


def test_the_kink_is_a_convention_and_a_statement() -> None:
    assert RELU.conventions["derivative at 0"] == "0"
    assert prove(statement(RELU, "S8")).status == "proved"
    gradient_at_0 = RELU.derived_vjp.inline(RELU.gradient(programs.x)[programs.c], {programs.x: lambda _: ZERO})
    assert refuted(Equal(gradient_at_0, RELU.cotangent(programs.y)[programs.c] / 2))
    assert refuted(Equal(gradient_at_0, RELU.cotangent(programs.y)[programs.c]))


@pytest.mark.parametrize(("wrong", "status"), [("0.044", "refuted"), ("0.046", "refuted"), ("0.044715", "proved")])
def test_a_wrong_coefficient_of_the_tanh_form_is_refuted(
    wrong: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = t[()]
    right = programs.normal_cdf(number)
    monkeypatch.setattr(programs, "CUBIC", Fraction(wrong))
    forms = number * right - number * sigmoid(2 * programs.inner(number))
    shown = number * (sigmoid(-2 * programs.inner(number)) - programs.normal_cdf(-number))
    found = prove(
        replace(
            statement(GELU_TANH, "S6"),
            claim=Within(forms, -FORMS_APART, FORMS_APART),
            chain=(replace(statement(GELU_TANH, "S6").chain[0], expr=shown),),
        )
    )
    assert found.status == status


def test_a_bound_below_the_true_distance_is_refuted() -> None:
    stated = statement(GELU_TANH, "S6")
    assert isinstance(stated.claim, Within)
    close = replace(stated, claim=replace(stated.claim, low=-Fraction(4732, 10**7), high=Fraction(4732, 10**7)))
    assert prove(close).status == "refuted"


def test_derivatives_that_people_get_wrong_are_refuted() -> None:
    c, x, y = programs.c, programs.x, programs.y
    gelu, silu, tanh_form = (op.derived_vjp.inline(op.gradient(x)[c]) for op in (GELU, SILU, GELU_TANH))
    cdf, density = programs.normal_cdf(x[c]), programs.normal_density(x[c])
    dy = GELU.cotangent(y)[c]
    assert equal(gelu, dy * (cdf + x[c] * density))
    assert refuted(Equal(gelu, dy * cdf))
    assert refuted(Equal(gelu, dy * (cdf + density)))
    assert refuted(Equal(gelu, tanh_form))
    assert refuted(Equal(silu, dy * (sigmoid(x[c]) + x[c] * sigmoid(x[c]))))


def test_the_gate_is_the_first_argument() -> None:
    c, gate, up, y = programs.c, programs.gate, programs.up, programs.y
    for op in (SWIGLU, GEGLU):
        swapped = op.value(y[c], {gate: lambda k: up[k], up: lambda k: gate[k]})
        assert refuted(Equal(op.value(y[c]), swapped))


def test_a_network_that_mixes_tokens_is_not_independent() -> None:
    i, e = programs.i, programs.e
    k = Index("k", programs.n)
    steps = FEED_FORWARD.program.steps
    mixed = Def(steps[-1].target, steps[-1].value + total(k, programs.X[k, e]), "the mean of all tokens is added")
    program = Program("mixing", FEED_FORWARD.program.inputs, (*steps[:-1], mixed), FEED_FORWARD.program.outputs)
    mixing = Operation("mixing", "", program, FEED_FORWARD.differentiable, lambda: ())
    assert prove(_tokenwise(mixing, "S2")).status == "refuted"
    assert equal(mixing.value(programs.Y[i, e]) - FEED_FORWARD.value(programs.Y[i, e]), total(k, programs.X[k, e]))


def test_features_that_are_mixed_are_not_independent() -> None:
    c, x, y = programs.c, programs.x, programs.y
    k = Index("k", programs.d)
    program = Program("normalised", (x,), (Def(y[c], x[c] * sigmoid(total(k, x[k]))),), (y,))
    mixing = Operation("normalised", "", program, (x,), lambda: ())
    assert prove(activations.featurewise(mixing, "S1")).status == "refuted"


def test_the_certificates_of_the_bounds() -> None:
    def certificate(result: Result) -> str:
        (found,) = result.certificates
        return found

    for op, label in ((GELU, "S6"), (GELU_TANH, "S6"), (SILU, "S7")):
        assert "boxes" in certificate(prove(statement(op, label)))


def test_activations_at_exact_points() -> None:
    for op, at_0 in ((RELU, 0), (GELU, 0), (GELU_TANH, 0), (SILU, 0)):
        assert equal(op.value(programs.y[programs.c], {programs.x: lambda _: ZERO}), at_0 * ONE)
    assert equal(RELU.value(programs.y[programs.c], {programs.x: lambda _: 3 * ONE}), 3 * ONE)
    assert equal(RELU.value(programs.y[programs.c], {programs.x: lambda _: -3 * ONE}), ZERO)
    assert Tensor("t") == t
