"""The lines of a proof as they are shown: where a sign is read off, and what does not follow."""

from __future__ import annotations

from lemmata.derivations.calculus.expr import Tensor
from lemmata.derivations.calculus.simplify import reader_of
from lemmata.derivations.calculus.statement import Equal, NonNegative, Statement, Step
from lemmata.derivations.exposition import claim_proof, expose
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
