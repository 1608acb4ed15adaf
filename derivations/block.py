"""# Transformer blocks

Attention moves information between tokens, a feed-forward network works on each token; both are added to the residual
stream.

Definition
----------
pre_norm_block:
    a = layer_norm(x; gain_1, shift_1),   h = x + multi_head_attention(a, a, a)
    b = layer_norm(h; gain_2, shift_2),   y = h + feed_forward(b)

post_norm_block:
    h = layer_norm(x + multi_head_attention(x, x, x); gain_1, shift_1)
    y = layer_norm(h + feed_forward(h); gain_2, shift_2)

language_model:
    x[i,c] = w[ids(i),c] + positions[i,c],   then x ← pre_norm_block(x) for each of L layers, causal
    logits = layer_norm(x; gain, shift) wᵀ,   loss[i] = cross_entropy(logits[i], target(i)),   mean over i

Statements
----------
pre_norm_block:
    S1   the residual path: y is x plus what attention and the feed-forward network add;
    S2   the residual path passes the cotangent unchanged: dh = dy + the gradient of the second norm;
    S3   dx = dh + the gradient of the first norm;
    S4   attention and the feed-forward network receive the cotangent of the stream itself;
    S5   adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩, from those of the parts;
    S6   causal: with a causal mask the past does not depend on later tokens;
    S7   without masks, permuting the tokens permutes the rows of the output.

language_model:
    S1   the gradient of the tied table is the sum of those of its two uses;
    S2   the positions and the rows of the table receive the gradient of the stream at the start;
    S3   a cotangent of the logits is added to the gradient of the loss;
    S4   adjoint identity, from those of the parts;
    S5   causal: layer by layer, the past does not depend on later tokens.

post_norm_block:
    S1   the norms stand on the residual path: h and y are norms of sums;
    S2   both terms of a sum receive the gradient of its norm;
    S3   adjoint identity, from those of the parts;
    S4   causal;
    S5   without masks, permuting the tokens permutes the rows of the output.

Notation
--------
i tokens (n); c features of the stream (d); g groups of r heads; d_h features of a head's queries and keys, d_w of its
values; d_f features inside the feed-forward network. x input, h the stream after attention, y output. Gradients are
`d` + name, tangents `t` + name.

Domain and conventions
----------------------
Every statement holds for all sizes ≥ 1. `keep` is the mask of attention, causal where position i sees j ≤ i. The
activation is GELU (erf), eps of the norms 10⁻⁵.

References
----------
Vaswani et al. 2017, Attention is all you need, section 3.1 (post-norm).
Xiong et al. 2020, On layer normalization in the transformer architecture (pre-norm).
Radford et al. 2019, Language models are unsupervised multitask learners (GPT-2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .block_model import MODEL_PARAMETERS, model, model_statements
from .block_program import (
    CAUSAL,
    DIFFERENTIABLE,
    PARAMETERS,
    POST_NORM,
    PRE_NORM,
    UNMASKED,
    c,
    h,
    i,
    n,
    x,
    y,
)
from .calculus.composite import Composition
from .calculus.expr import ONE, Permutation, Tensor
from .calculus.operation import Input, Operation
from .calculus.program import Program
from .calculus.statement import Equal, Statement
from .calculus.stepwise import adjoint_by_parts, causal_steps, permuted_steps, step_by_step
from .embedding import EMBEDDING, TIED_OUTPUT
from .loss import CROSS_ENTROPY


def _gradients(composition: Composition) -> tuple[Composition, Composition, Program]:
    backward = composition.vjp(DIFFERENTIABLE)
    return composition.jvp(DIFFERENTIABLE), backward, backward.opaque


def _tokens(composition: Composition, causal: str, permuted: str) -> tuple[Statement, ...]:
    """What the positions do to each other, step by step."""
    return (
        step_by_step(
            causal,
            "causal: for i ≤ t, y[i] does not change when the tokens after t change",
            causal_steps(composition, (x,), frozenset({n}), CAUSAL),
            law="causality",
        ),
        step_by_step(
            permuted,
            "without masks, permuting the tokens by π permutes the rows of y by π",
            permuted_steps(composition, (x,), {n: Permutation("π", n)}, UNMASKED),
            law="token permutation",
        ),
    )


def _pre_norm_statements() -> tuple[Statement, ...]:
    forward, backward, derived = _gradients(PRE_NORM)
    value = PRE_NORM.opaque.inline
    named: Callable[[str], Tensor] = derived.tensor
    attended, transformed = (PRE_NORM.opaque.tensor(name) for name in ("attended", "transformed"))
    dy, dh, dx = named("dy"), named("dh"), named("dx")
    return (
        Statement(
            "S1",
            "y is x plus what attention and the feed-forward network add",
            Equal(value(y[i, c]), x[i, c] + attended[i, c] + transformed[i, c]),
        ),
        Statement(
            "S2",
            "the residual path passes the cotangent unchanged: dh = dy + the gradient of the second norm",
            Equal(derived.inline(dh[i, c]), dy[i, c] + named("dh_layer_norm")[i, c]),
        ),
        Statement(
            "S3",
            "dx = dh + the gradient of the first norm",
            Equal(derived.inline(dx[i, c], keep=frozenset({dh})), dh[i, c] + named("dx_layer_norm")[i, c]),
        ),
        Statement(
            "S4",
            "attention receives dh, the feed-forward network dy: the cotangent of the stream itself",
            Equal(derived.inline(named("dattended")[i, c], keep=frozenset({dh})), dh[i, c]),
            conjuncts=(Equal(derived.inline(named("dtransformed")[i, c]), dy[i, c]),),
        ),
        Statement(
            "S5",
            "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩, given the adjoint identities of the parts",
            adjoint_by_parts(PRE_NORM, forward, backward),
        ),
        *_tokens(PRE_NORM, "S6", "S7"),
    )


def _post_norm_statements() -> tuple[Statement, ...]:
    forward, backward, derived = _gradients(POST_NORM)
    value = POST_NORM.opaque.inline
    named: Callable[[str], Tensor] = derived.tensor
    attended, transformed = (POST_NORM.opaque.tensor(name) for name in ("attended", "transformed"))
    a, b = POST_NORM.opaque.tensor("a"), POST_NORM.opaque.tensor("b")
    da, db = named("da"), named("db")
    return (
        Statement(
            "S1",
            "h is the norm of x + attention, y that of h + the feed-forward network",
            Equal(value(a[i, c]), x[i, c] + attended[i, c]),
            conjuncts=(Equal(value(b[i, c]), h[i, c] + transformed[i, c]),),
        ),
        Statement(
            "S2",
            "both terms of a sum receive the gradient of its norm: dx = da + …, dattended = da",
            Equal(derived.inline(named("dattended")[i, c]), da[i, c]),
            conjuncts=(
                Equal(derived.inline(named("dtransformed")[i, c]), db[i, c]),
                Equal(derived.inline(named("dh")[i, c]), db[i, c] + named("dh_feed_forward")[i, c]),
            ),
        ),
        Statement(
            "S3",
            "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩, given the adjoint identities of the parts",
            adjoint_by_parts(POST_NORM, forward, backward),
        ),
        *_tokens(POST_NORM, "S4", "S5"),
    )


INPUTS = {
    "x": Input("stream `[..., n, d]`"),
    "gain_1": Input("scale of the first norm `[d]`", shared=True),
    "shift_1": Input("shift of the first norm `[d]`", shared=True),
    "w_q": Input("weights of the queries `[g, r, d_h, d]`", shared=True),
    "w_k": Input("weights of the keys `[g, d_h, d]`", shared=True),
    "w_v": Input("weights of the values `[g, d_w, d]`", shared=True),
    "w_o": Input("weights of the output of attention `[g, r, d, d_w]`", shared=True),
    "b_q": Input("bias of the queries `[g, r, d_h]`", shared=True),
    "b_k": Input("bias of the keys `[g, d_h]`", shared=True),
    "b_v": Input("bias of the values `[g, d_w]`", shared=True),
    "b_o": Input("bias of the output of attention `[d]`", shared=True),
    "gain_2": Input("scale of the second norm `[d]`", shared=True),
    "shift_2": Input("shift of the second norm `[d]`", shared=True),
    "w_1": Input("first weights of the feed-forward network `[d_f, d]`", shared=True),
    "b_1": Input("its first bias `[d_f]`", shared=True),
    "w_2": Input("its second weights `[d, d_f]`", shared=True),
    "b_2": Input("its second bias `[d]`", shared=True),
    "keep": Input("boolean mask `[..., g, r, n, n]`, True where a key may be attended to", ONE),
}
_OUTPUTS = {"y": "stream `[..., n, d]`"}
_CONVENTIONS = {"activation": "GELU (erf)", "eps": "10⁻⁵ in both norms", "scale": "1/√d_h"}

PRE_NORM_BLOCK = Operation(
    "pre_norm_block",
    "Attention and a feed-forward network, each after a norm, added to the stream.",
    PRE_NORM.expanded,
    DIFFERENTIABLE,
    _pre_norm_statements,
    INPUTS,
    _OUTPUTS,
    _CONVENTIONS,
    "Xiong et al. 2020, table 1; Radford et al. 2019, section 2.3",
    composable=True,
    composition=PRE_NORM,
)
POST_NORM_BLOCK = Operation(
    "post_norm_block",
    "Attention and a feed-forward network, each added to the stream and then normalised.",
    POST_NORM.expanded,
    DIFFERENTIABLE,
    _post_norm_statements,
    INPUTS,
    _OUTPUTS,
    _CONVENTIONS,
    "Vaswani et al. 2017, section 3.1",
    composable=True,
    composition=POST_NORM,
)
MODEL = model(PRE_NORM_BLOCK.part, EMBEDDING.part, TIED_OUTPUT.part, CROSS_ENTROPY.part)


def _model_statements() -> tuple[Statement, ...]:
    return model_statements(LANGUAGE_MODEL, PRE_NORM)


def _of_each_layer(spec: Input) -> Input:
    return replace(spec, meaning=spec.meaning.replace("`[", "of each layer `[L, "))


LANGUAGE_MODEL = Operation(
    "language_model",
    "A decoder-only language model with its loss: embedding, layers of pre-norm blocks, norm, tied output.",
    MODEL.expanded,
    MODEL_PARAMETERS,
    _model_statements,
    {
        "ids": Input("token numbers `[..., n]`"),
        "target": Input("the token numbers to be predicted `[..., n]`"),
        "w": Input("table of the tokens `[V, d]`, for the embedding and for the output", shared=True),
        "positions": Input("what is added at each position `[n, d]`", shared=True),
        **{p.name: _of_each_layer(INPUTS[p.name]) for p in PARAMETERS},
        "gain": Input("scale of the final norm `[d]`", shared=True),
        "shift": Input("shift of the final norm `[d]`", shared=True),
        "counted": Input("boolean `[..., n]`, False for a token that does not count in the loss", ONE),
    },
    {
        "mean": "mean loss of the tokens that count `[...]`",
        "loss": "loss of each token `[..., n]`",
        "logits": "logits `[..., n, V]`",
    },
    {**_CONVENTIONS, "attention": "causal", "mean": "of each member of a batch"},
    "Radford et al. 2019, section 2.3; Press & Wolf 2017",
    composition=MODEL,
)

OPERATIONS = (PRE_NORM_BLOCK, POST_NORM_BLOCK, LANGUAGE_MODEL)
