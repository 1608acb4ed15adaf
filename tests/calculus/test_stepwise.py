"""Properties of compositions, step by step: what holds is proved, and each planted fault is refuted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lemmata.derivations import multihead as heads
from lemmata.derivations.calculus.call import Call
from lemmata.derivations.calculus.composite import Composition
from lemmata.derivations.calculus.expr import (
    ZERO,
    Expr,
    Index,
    Permutation,
    Replacement,
    Subscript,
    Tensor,
    at_least,
    position,
    total,
)
from lemmata.derivations.calculus.program import Def
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Equal, Statement
from lemmata.derivations.calculus.stepwise import adjoint_by_parts, causal_steps, permuted_steps, step_by_step

WHOLE = heads.COMPOSITION
MOVING = (heads.x_q, heads.x_k, heads.x_v)
TOKENS = frozenset({heads.n, heads.m})


def status(*claims: Equal) -> str:
    return prove(step_by_step("S1", "under test", claims)).status


def plain(index: Subscript) -> Index:
    assert isinstance(index, Index)
    return index


def causal(shift: int) -> dict[Tensor, Replacement]:
    """Keys up to `shift` after the query."""
    return {
        heads.keep: lambda g, r, row, key: (
            heads.keep[g, r, row, key] * at_least(position(plain(row)) + shift, plain(key))
        )
    }


def test_a_causal_mask_keeps_the_past_from_the_future() -> None:
    assert status(*causal_steps(WHOLE, MOVING, TOKENS, causal(0))) == "proved"


def test_without_a_mask_or_with_one_key_too_many_it_does_not() -> None:
    assert status(*causal_steps(WHOLE, MOVING, TOKENS)) == "refuted"
    assert status(*causal_steps(WHOLE, MOVING, TOKENS, causal(1))) == "refuted"


def test_there_is_one_claim_for_each_result_that_moves() -> None:
    assert len(causal_steps(WHOLE, MOVING, TOKENS, causal(0))) == 5  # q, k, v, o, y
    assert len(causal_steps(WHOLE, (heads.x_v,), TOKENS, causal(0))) == 3  # v, o, y


def test_a_step_that_mixes_tokens_is_not_causal() -> None:
    i, j, f = heads.i, Index("j", heads.n), heads.f
    mixed = Tensor("mixed", (heads.n, heads.d_o))
    steps = (*WHOLE.steps, Def(mixed[i, f], heads.y[i, f] + total(j, heads.y[j, f])))
    whole = Composition("mixed", WHOLE.inputs, steps, (mixed,))
    assert status(*causal_steps(whole, MOVING, TOKENS, causal(0))) == "refuted"


def test_a_permutation_of_the_keys_alone_is_seen() -> None:
    pi = {heads.m: Permutation("π", heads.m)}
    assert status(*permuted_steps(WHOLE, (heads.x_k, heads.x_v, heads.keep, heads.bias), pi)) == "proved"
    assert status(*permuted_steps(WHOLE, (heads.x_k, heads.x_v), pi)) == "refuted"  # the masks stay
    assert status(*permuted_steps(WHOLE, (heads.x_k, heads.keep, heads.bias), pi)) == "refuted"  # the values stay


def _derivatives() -> tuple[Composition, Composition]:
    return WHOLE.jvp(heads.DIFFERENTIABLE), WHOLE.vjp(heads.DIFFERENTIABLE)


def test_the_adjoint_identity_follows_from_those_of_the_parts() -> None:
    assert status(adjoint_by_parts(WHOLE, *_derivatives())) == "proved"


def _with(backward: Composition, name: str, change: Callable[[Expr], Expr]) -> Composition:
    steps = tuple(
        Def(step.target, change(step.value)) if isinstance(step, Def) and step.tensor.name == name else step
        for step in backward.steps
    )
    return Composition(backward.name, backward.inputs, steps, backward.outputs)


def test_a_wrong_gradient_breaks_the_adjoint_identity() -> None:
    forward, backward = _derivatives()
    for name in ("do", "dw_q", "db_o", "dx_v"):
        assert status(adjoint_by_parts(WHOLE, forward, _with(backward, name, lambda value: 2 * value))) == "refuted"
    assert status(adjoint_by_parts(WHOLE, forward, _with(backward, "dw_k", lambda value: ZERO))) == "refuted"


def test_a_call_with_another_argument_breaks_the_adjoint_identity() -> None:
    forward, backward = _derivatives()
    part = next(step for step in backward.steps if isinstance(step, Call) and step.kind == "vjp").part
    cotangent = part.cotangent(part.program.outputs[0])

    steps = tuple(
        replace(step, arguments={**step.arguments, cotangent: heads.o[step.arguments[cotangent].indices]})
        if isinstance(step, Call) and step.kind == "vjp"
        else step
        for step in backward.steps
    )
    wrong = Composition(backward.name, backward.inputs, steps, backward.outputs)
    assert status(adjoint_by_parts(WHOLE, forward, wrong)) == "refuted"


def test_a_statement_of_steps_has_a_claim_for_each() -> None:
    claims = causal_steps(WHOLE, MOVING, TOKENS, causal(0))
    statement = step_by_step("S1", "name", claims, "causality")
    assert statement == Statement("S1", "name", claims[0], conjuncts=claims[1:], law="causality")
