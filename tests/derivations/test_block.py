"""Blocks and the language model as compositions: what their gradients are made of, and what would be wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lemmata.derivations import block, block_model
from lemmata.derivations.block_model import MODEL_PARAMETERS
from lemmata.derivations.block_program import CAUSAL, DIFFERENTIABLE, POST_NORM, PRE_NORM, UNMASKED, i, j, n, x
from lemmata.derivations.calculus.call import Call
from lemmata.derivations.calculus.composite import Composition
from lemmata.derivations.calculus.expr import Permutation, Replacement, Tensor, at_least, position
from lemmata.derivations.calculus.program import Def, ProgramError
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Equal
from lemmata.derivations.calculus.stepwise import causal_steps, permuted_steps, step_by_step

MODEL = block.MODEL


def calls(composition: Composition, kind: str) -> list[str]:
    return [s.part.name for s in composition.steps if isinstance(s, Call) and s.kind == kind]


def definitions(composition: Composition) -> list[str]:
    return [str(step) for step in composition.steps if isinstance(step, Def)]


def test_the_gradient_of_a_block_calls_those_of_its_parts_from_the_last_to_the_first() -> None:
    backward = PRE_NORM.vjp(DIFFERENTIABLE)
    assert calls(backward, "vjp") == ["feed_forward", "layer_norm", "multi_head_attention", "layer_norm"]
    assert "dh[i, c] = dy[i, c] + dh_layer_norm[i, c]" in definitions(backward)
    assert "dx[i, c] = dh[i, c] + dx_layer_norm[i, c]" in definitions(backward)
    assert calls(POST_NORM.vjp(DIFFERENTIABLE), "vjp") == [
        "layer_norm",
        "feed_forward",
        "layer_norm",
        "multi_head_attention",
    ]


def test_the_gradient_of_the_model_goes_through_its_layers_backwards() -> None:
    backward = MODEL.vjp(MODEL_PARAMETERS)
    assert calls(backward, "vjp") == [
        "cross_entropy",
        "tied_output",
        "layer_norm",
        "pre_norm_block",
        "embedding",
    ]
    (layers,) = [s for s in backward.steps if isinstance(s, Call) and s.kind == "vjp" and s.carry]
    assert {t.name for t in layers.results.values()} == {f"d{p.name}" for p in DIFFERENTIABLE}
    assert layers.results[layers.part.gradient(x)].dims == x.dims
    assert "dw[v, c] = dw_tied_output[v, c] + dw_embedding[v, c]" in definitions(backward)


def status(claims: tuple[Equal, ...]) -> str:
    return prove(step_by_step("S1", "under test", claims)).status


@pytest.mark.parametrize("composition", [PRE_NORM, POST_NORM], ids=["pre", "post"])
def test_without_its_mask_a_block_is_not_causal_and_with_it_not_equivariant(composition: Composition) -> None:
    pi = {n: Permutation("π", n)}
    tokens = frozenset({n})
    assert status(causal_steps(composition, (x,), tokens, CAUSAL)) == "proved"
    assert status(causal_steps(composition, (x,), tokens, UNMASKED)) == "refuted"
    assert status(permuted_steps(composition, (x,), pi, UNMASKED)) == "proved"
    unchanged: dict[Tensor, Replacement] = {}
    assert status(permuted_steps(composition, (x,), pi, unchanged)) == "refuted"


def test_a_model_without_layers_kept_has_no_derivative() -> None:
    steps = tuple(replace(s, trace=None) if isinstance(s, Call) and s.carry else s for s in MODEL.steps)
    forgetful = Composition(MODEL.name, MODEL.inputs, steps, MODEL.outputs)
    with pytest.raises(ProgramError, match="needs what went into each"):
        forgetful.vjp(MODEL_PARAMETERS)


def after_the_embedding(shift: int) -> Composition:
    """The layers of the model alone, where position i sees the positions up to i + `shift`."""
    causal = Def(block_model.causal[i, j], at_least(position(i) + shift, j))
    steps = tuple(causal if isinstance(s, Def) and s.tensor == block_model.causal else s for s in MODEL.steps[1:4])
    return Composition(MODEL.name, (block_model.embedded, *MODEL.inputs), steps, (block_model.final,))


@pytest.mark.parametrize(("shift", "verdict"), [(0, "proved"), (1, "refuted")])
def test_layers_are_causal_if_the_mask_that_they_are_given_is(shift: int, verdict: str) -> None:
    claims = causal_steps(
        after_the_embedding(shift), (block_model.embedded,), frozenset({n}), layers={"pre_norm_block": PRE_NORM}
    )
    assert status(claims) == verdict


def test_layers_of_what_is_not_known_prove_nothing() -> None:
    with pytest.raises(ProgramError, match="say what the layers of pre_norm_block repeat"):
        causal_steps(after_the_embedding(0), (block_model.embedded,), frozenset({n}))
    with pytest.raises(ProgramError, match="say what the layers of pre_norm_block repeat"):
        permuted_steps(after_the_embedding(0), (block_model.embedded,), {n: Permutation("π", n)})
