"""A decoder-only language model: embedding, layers of pre-norm blocks, final norm, tied output, loss."""

from __future__ import annotations

from . import block_program as block
from . import embedding as table
from . import loss_program as losses
from .block_program import PARAMETERS, c, d, i, j, n, norm_of_each_token
from .calculus.call import Call, Part
from .calculus.composite import Composition
from .calculus.expr import Dim, Entry, Index, Tensor, at_least
from .calculus.operation import Operation
from .calculus.program import Def
from .calculus.statement import Equal, Statement
from .calculus.stepwise import adjoint_by_parts, causal_steps, step_by_step

layers, V = Dim("L", grows=False), Dim("V")
l, v = Index("l", layers), Index("v", V)  # noqa: E741 - l counts layers, as in the literature

ids, target = Tensor("ids", (n,), "index", V), Tensor("target", (n,), "index", V)
counted = Tensor("counted", (n,), "boolean")
w, positions = Tensor("w", (V, d)), Tensor("positions", (n, d))
gain, shift = Tensor("gain", (d,)), Tensor("shift", (d,))
embedded, x, final, b = (Tensor(name, (n, d)) for name in ("embedded", "x", "final", "b"))
streams = Tensor("streams", (layers, n, d))
causal = Tensor("causal", (n, n), "boolean")
logits, loss, mean = Tensor("logits", (n, V)), Tensor("loss", (n,)), Tensor("mean")

# The parameters of the layers, stacked along a first axis.
STACKED = {p: Tensor(p.name, (layers, *p.dims)) for p in PARAMETERS}
MODEL_PARAMETERS = (w, positions, *STACKED.values(), gain, shift)


def _stacked(parameter: Tensor) -> Entry:
    """A parameter of each layer."""
    return STACKED[parameter][(l, *(Index(dim.name, dim) for dim in parameter.dims))]


def _loss(part: Part, results: dict[Tensor, Tensor]) -> Call:
    arguments = {losses.x: logits[i, v], losses.target: target[i], losses.keep: counted[i]}
    return Call(part, "value", (), arguments, results)


def model(block_part: Part, embedding: Part, output: Part, loss_part: Part) -> Composition:
    """The model from the operations that it is made of."""
    parameters = {p: _stacked(p) for p in PARAMETERS}
    return Composition(
        "language_model",
        (ids, target, *MODEL_PARAMETERS, counted),
        (
            Call(embedding, "value", (), {table.ids: ids[i], table.w: w[v, c]}, {table.y: embedded}),
            Def(x[i, c], embedded[i, c] + positions[i, c], "the stream at the start"),
            Def(causal[i, j], at_least(i, j), "position i sees the positions up to i", "S5"),
            Call(
                block_part,
                "value",
                (l,),
                {block.x: x[i, c], **parameters, block.keep: causal[i, j]},
                {block.y: final},
                carry={block.x: block.y},
                trace=streams,
            ),
            norm_of_each_token(final[i, c], gain, shift, b),
            Call(output, "value", (), {table.h: b[i, c], table.w: w[v, c]}, {table.logits: logits}),
            _loss(loss_part, {losses.mean: mean, losses.loss: loss}),
        ),
        (loss, mean, logits),
    )


def model_statements(op: Operation, pre_norm: Composition) -> tuple[Statement, ...]:
    """What is claimed of the model; `pre_norm` is the block that its layers repeat."""
    whole = op.composition
    assert whole is not None
    forward, backward = whole.jvp(op.differentiable), whole.vjp(op.differentiable)
    derived = backward.opaque
    named = derived.tensor
    dx = named("dx")
    return (
        Statement(
            "S1",
            "the gradient of the tied table is the sum of those of its two uses",
            Equal(derived.inline(named("dw")[v, c]), named("dw_tied_output")[v, c] + named("dw_embedding")[v, c]),
        ),
        Statement(
            "S2",
            "the positions and the rows of the table receive the gradient of the stream at the start",
            Equal(derived.inline(named("dpositions")[i, c]), dx[i, c]),
            conjuncts=(Equal(derived.inline(named("dembedded")[i, c]), dx[i, c]),),
        ),
        Statement(
            "S3",
            "a cotangent of the logits is added to the gradient of the loss",
            Equal(
                derived.inline(named("dlogits_total")[i, v]),
                named("dlogits")[i, v] + named("dlogits_cross_entropy")[i, v],
            ),
        ),
        Statement(
            "S4",
            "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩, given the adjoint identities of the parts",
            adjoint_by_parts(whole, forward, backward),
        ),
        step_by_step(
            "S5",
            "causal: for i ≤ t, the logits and the loss of token i do not change when the stream after t changes; "
            "each layer preserves this, and so does what stands around the layers",
            _after_the_embedding(whole, pre_norm),
            law="causality",
        ),
    )


def _after_the_embedding(whole: Composition, pre_norm: Composition) -> tuple[Equal, ...]:
    """The steps after the embedding, which reads one token for each row, without the mean over the rows."""
    steps = tuple(
        _loss(step.part, {losses.loss: loss}) if isinstance(step, Call) and mean in step.made else step
        for step in whole.steps[1:]
    )
    rest = Composition(whole.name, (embedded, *whole.inputs), steps, (loss, logits))
    return causal_steps(rest, (embedded, positions), frozenset({n}), layers={"pre_norm_block": pre_norm})
