"""Symmetries and the conservation laws of the gradient that follow from them."""

from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.calculus.expr import ONE, ZERO, Tensor, exp
from lemmata.derivations.calculus.normal_form import equal
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Equal, Statement
from lemmata.derivations.calculus.symmetry import generator, pairing
from lemmata.derivations.softmax import LOGSUMEXP, SOFTMAX

t = Tensor("t")


def test_the_generator_is_the_derivative_at_the_identity() -> None:
    y = Tensor("y")[()]
    assert equal(generator(y + t[()], t, 0), ONE)
    assert equal(generator(t[()] * y, t, 1), y)
    assert equal(generator(y / t[()], t, 1), -y)
    assert equal(generator(y * exp(t[()] * y), t, 0), y**2)


def law(claim: Equal) -> str:
    return prove(Statement("S1", "a law", claim)).status


def test_shift_invariance_becomes_a_zero_sum() -> None:
    (x,) = SOFTMAX.program.inputs
    assert law(Equal(pairing(SOFTMAX, {x: lambda k: x[k] + t[()]}, t, 0), ZERO)) == "proved"


def test_an_action_that_is_no_symmetry_has_no_such_law() -> None:
    (x,) = SOFTMAX.program.inputs
    assert law(Equal(pairing(SOFTMAX, {x: lambda k: t[()] * x[k]}, t, 1), ZERO)) == "refuted"


def test_an_equivariance_scales_the_output() -> None:
    (x,) = LOGSUMEXP.program.inputs
    dlse = LOGSUMEXP.cotangent(LOGSUMEXP.program.outputs[0])
    shifted = pairing(LOGSUMEXP, {x: lambda k: x[k] + t[()]}, t, 0)
    assert law(Equal(shifted, dlse[()])) == "proved"
    assert law(Equal(shifted, ZERO)) == "refuted"


def test_two_inputs_that_move_together() -> None:
    q, k, *_ = ATTENTION.program.inputs
    balanced = pairing(
        ATTENTION, {q: lambda g, row, f: t[()] * q[g, row, f], k: lambda key, f: k[key, f] / t[()]}, t, 1
    )
    assert law(Equal(balanced, ZERO)) == "proved"
    alone = pairing(ATTENTION, {q: lambda g, row, f: t[()] * q[g, row, f]}, t, 1)
    assert law(Equal(alone, ZERO)) == "refuted"


def test_the_law_is_about_the_output_whose_symmetry_it_is() -> None:
    """A shift of all keys leaves O but not the LSE: with a gradient of the LSE the sum is not zero."""
    _, k, *_ = ATTENTION.program.inputs
    _, lse = ATTENTION.program.outputs
    dlse, w = ATTENTION.cotangent(lse), Tensor("w", (k.dims[1],))
    shift = {k: lambda key, f: k[key, f] + t[()] * w[f]}
    assert law(Equal(pairing(ATTENTION, shift, t, 0, {dlse: lambda *_: ZERO}), ZERO)) == "proved"
    assert law(Equal(pairing(ATTENTION, shift, t, 0), ZERO)) == "refuted"
