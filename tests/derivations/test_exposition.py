"""The lines of a proof as they are shown: where a sign is read off, and what does not follow."""

from __future__ import annotations

from fractions import Fraction

import pytest
from lemmata.derivations.calculus.expr import Tensor, sigmoid
from lemmata.derivations.calculus.simplify import reader_of
from lemmata.derivations.calculus.statement import Claim, Equal, NonNegative, Statement, Step, Within
from lemmata.derivations.catalogue import topic
from lemmata.derivations.exposition import Bound, Called, claim_proof, expose
from lemmata.derivations.exposition_latex import document
from lemmata.derivations.softmax import SOFTMAX

s, t = Tensor("s")[()], Tensor("t")[()]
square = s**2 - 2 * s * t + t**2
READER = reader_of(SOFTMAX.vjp)


def test_a_sign_is_shown_by_the_last_line_of_its_chain() -> None:
    proof = claim_proof(SOFTMAX.program, NonNegative(square), (Step((s - t) ** 2, "a square"),), READER)
    assert [(str(line.expr), line.reason.split(";")[0]) for line in proof.lines] == [
        ("s^2 + (-2)·s·t + t^2", ""),
        ("(s − t)^2", "a square"),
    ]
    assert proof.lines[-1].reason.endswith("never negative")


def test_a_sign_without_a_chain_is_one_line() -> None:
    (line,) = claim_proof(SOFTMAX.program, NonNegative(s**2), (), READER).lines
    assert line.reason.endswith("never negative")


def test_a_step_that_does_not_follow_is_marked() -> None:
    wrong = Statement("S1", "", Equal(square, (s - t) ** 2), (Step((s + t) ** 2, "a square"),))
    (proof,) = expose(SOFTMAX, (wrong,)).proofs
    assert proof.result.status != "proved"
    assert [line.follows for line in proof.claims[0].lines] == [True, False, False]


def test_an_equality_shows_its_normal_form_between_its_sides() -> None:
    proof = claim_proof(SOFTMAX.program, Equal((s + t) * (s - t), s * (s - t) + t * (s - t)), (), READER)
    assert [str(line.expr) for line in proof.lines][1] == "s^2 − t^2"
    assert proof.lines[-1].reason == "the same normal form"


BOUNDS: list[tuple[Claim, str, str]] = [
    (NonNegative(s), "≥ 0", r"\ge 0"),
    (Within(s, low=Fraction(-1, 2)), "≥ -1/2", r"\ge -\tfrac{1}{2}"),
    (Within(s, high=Fraction(3)), "≤ 3", r"\le 3"),
    (Within(s, Fraction(0), Fraction(1)), "∈ [0, 1]", r"\in \left[0, 1\right]"),
]


@pytest.mark.parametrize(("claim", "shown", "typeset"), BOUNDS, ids=[shown for _, shown, _ in BOUNDS])
def test_what_follows_the_last_line(claim: Claim, shown: str, typeset: str) -> None:
    assert str(Bound.of(claim)) == shown
    latex = document([expose(SOFTMAX, (Statement("S1", "a bound", claim),))])
    assert typeset in latex
    assert Bound.of(Equal(s, s)) is None


def test_the_certificate_is_the_reason_of_the_last_line() -> None:
    bounded = Within(sigmoid(s), Fraction(0), Fraction(1))
    (line,) = claim_proof(SOFTMAX.program, bounded, (), READER).lines
    assert line.reason == (
        "interval arithmetic, 1 box for −1 ≤ s ≤ 1; monotone functions beyond 1; monotone functions below −1"
    )


def test_a_composition_shows_the_calls_of_its_parts() -> None:
    (operation,) = (op for op in topic("multihead").operations if op.composition is not None)
    shown = expose(operation, ())
    calls = [[line for line in lines if isinstance(line, Called)] for lines in (shown.definition, shown.gradient)]
    assert [str(call) for call in calls[0]] == ["o = attention(q, k, v, keep, bias)"]
    assert [call.function for call in calls[1]] == ["attention_vjp"]
    assert all(call.note == "for each g" for call in (*calls[0], *calls[1]))
    assert shown.how.startswith("composed")
    assert not {str(line) for line in shown.definition} & {str(line) for line in shown.gradient}


def test_layers_say_that_they_follow_one_another() -> None:
    call = Called(("x",), "block", (("x", "x0"), ("w", "w")), ("l",), True)
    assert str(call) == "x = block(x = x0, w)"
    assert call.note == "one l after the other, each on what the one before gave"


def test_an_operation_without_gradients_is_exposed() -> None:
    (operation,) = (op for op in topic("scaling").operations if op.name == "parameter_count")
    shown = expose(operation, ())
    assert (shown.gradient, shown.tangent, shown.choices) == ((), (), ())
    assert [name for name, _, _ in shown.costs] == ["forward"]
