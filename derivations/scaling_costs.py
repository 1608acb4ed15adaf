"""Statements that tie the formulas of counting to the costs of the operations that they add up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy

from .attention import ATTENTION
from .attention_program import d as key_dim
from .attention_program import d_v, k, m_dim, o, q, v
from .attention_program import n as query_dim
from .attention_program import r_dim as group_dim
from .calculus.cost import as_expr, elements, leading, steps_cost
from .calculus.expr import ONE, Add, Dim, Expr, Replacement, Size, Tensor, lift
from .calculus.operation import Operation
from .calculus.program import Def
from .calculus.statement import Equal, NonNegative, Statement
from .linear import LINEAR
from .linear import bias as linear_bias
from .linear import d_in as in_dim
from .linear import d_out as out_dim
from .linear import n as token_dim
from .linear import weight as linear_weight
from .scaling_program import (
    V,
    attention,
    b,
    biases,
    block,
    cache,
    d,
    d_ff,
    d_k,
    ffn,
    ffn_matrices,
    flops,
    forward,
    g,
    h,
    intensity,
    itemsize,
    layers,
    m,
    matrices,
    moved,
    n,
    per_token,
    positions,
    r,
    recomputed,
    scores,
    stored,
    total,
    training,
    untied,
    weights,
)

ATTENTION_DIMS = (group_dim, query_dim, m_dim, key_dim, d_v)
LINEAR_DIMS = (token_dim, in_dim, out_dim)


def gradient_steps(operation: Operation) -> tuple[Def, ...]:
    """The definitions of the backward pass: the vector-Jacobian product without what the forward pass computed."""
    return tuple(step for step in operation.vjp.steps if step.tensor not in operation.program.defined)


def kept(operation: Operation) -> tuple[Tensor, ...]:
    """What the backward pass reads of the forward pass: the inputs and values that training has to keep."""
    read = {t for step in gradient_steps(operation) for t in step.read}
    return tuple(t for t in (*operation.program.inputs, *operation.program.defined) if t in read)


def products(steps: Iterable[Def]) -> sympy.Expr:
    """The operations of the matrix products among some definitions: the terms of the highest degree."""
    return leading(steps_cost(steps).flops)


def _linear(
    polynomial: sympy.Expr, tokens: Expr | None = None, into: Expr | None = None, out: Expr | None = None
) -> Expr:
    """A polynomial in the sizes of a linear layer, at some numbers."""
    given = {token_dim: tokens, in_dim: into, out_dim: out}
    return as_expr(polynomial, LINEAR_DIMS, {dim: size for dim, size in given.items() if size is not None})


def _attention(polynomial: sympy.Expr, at: Mapping[Dim, Expr] | None = None) -> Expr:
    """A polynomial in the sizes of attention, at some numbers."""
    return as_expr(polynomial, ATTENTION_DIMS, at)


def _layers(count: sympy.Expr) -> Expr:
    """Σ over the linear layers of a block of a polynomial in their sizes, for one token."""
    heads, shared = h[()] * d_k[()], g[()] * d_k[()]
    shapes = ((ONE, d[()], heads), (lift(2), d[()], shared), (ONE, heads, d[()]), (ffn_matrices[()], d[()], d_ff[()]))
    return Add(tuple(times * _linear(count, ONE, into, out) for times, into, out in shapes))


def _number(expr: Expr | int) -> Replacement:
    return lambda: lift(expr)


def _plain() -> dict[Tensor, Replacement]:
    """The shape of Vaswani et al.: heads that make up the features, no grouping, 4d hidden features, no gate."""
    return {
        d: _number(h[()] * d_k[()]),
        g: _number(h[()]),
        ffn_matrices: _number(2),
        d_ff: _number(4 * h[()] * d_k[()]),
    }


def parameter_statements(op: Operation) -> tuple[Statement, ...]:
    """Of `parameter_count`."""
    weight, bias = elements((linear_weight,)), elements((linear_bias,))
    heads, shared = h[()] * d_k[()], g[()] * d_k[()]
    shapes = ((ONE, d[()], heads), (lift(2), d[()], shared), (ONE, heads, d[()]))
    projections = Add(
        tuple(
            times * (_linear(weight, ONE, into, out) + biases[()] * _linear(bias, ONE, into, out))
            for times, into, out in shapes
        )
    )
    features = h[()] * d_k[()]
    other = Tensor("h_kv", (), "positive")
    return (
        Statement(
            "S1",
            "the projections of attention are four linear layers: the entries of their weights and biases",
            Equal(op.value(attention[()]), projections),
        ),
        Statement(
            "S2",
            "in the shape of Vaswani et al. (h d_k = d, d_ff = 4d, no grouping, no gate) a block has 12d² weights and, "
            "with biases, 13d numbers more",
            Equal(
                op.value(block[()], {**_plain(), biases: _number(1)}),
                12 * features**2 + 13 * features,
            ),
            conjuncts=(Equal(op.value(block[()], {**_plain(), biases: _number(0)}), 12 * features**2 + 2 * features),),
        ),
        Statement(
            "S3",
            "a gated network with 2/3 of the hidden features has as many weights as one without a gate",
            Equal(
                op.value(ffn[()], {ffn_matrices: _number(3), d_ff: _number(2 * d_ff[()] / 3), biases: _number(0)}),
                op.value(ffn[()], {ffn_matrices: _number(2), biases: _number(0)}),
            ),
        ),
        Statement(
            "S4",
            "grouped queries save 2 d d_k weights for each head of keys and values that is left out",
            Equal(
                op.value(total[()], {g: _number(other[()]), biases: _number(0)})
                - op.value(total[()], {biases: _number(0)}),
                2 * layers[()] * d[()] * d_k[()] * (other[()] - g[()]),
            ),
        ),
        Statement(
            "S5",
            "a tied output projection saves V d weights",
            Equal(op.value(total[()], {untied: _number(1)}) - op.value(total[()], {untied: _number(0)}), V[()] * d[()]),
        ),
    )


def flops_statements(op: Operation, count: Operation) -> tuple[Statement, ...]:
    """Of `training_flops`; `count` is `parameter_count`."""
    one_layer, its_gradient = products(LINEAR.program.steps), products(_derived(LINEAR))
    attended, its_gradients = products(ATTENTION.program.steps), products(gradient_steps(ATTENTION))
    heads = {group_dim: h[()] / g[()], query_dim: ONE, m_dim: n[()], key_dim: d_k[()], d_v: d_k[()]}
    value, kappa = op.value, Tensor("kappa", (), "positive")
    bare = {positions: _number(0), biases: _number(0), untied: _number(0)}
    return (
        Statement(
            "S1",
            "a linear layer multiplies and adds once for each weight and token: the product X Wᵀ takes 2 n d_in d_out",
            Equal(
                _linear(one_layer),
                2 * Size(token_dim) * Size(in_dim) * Size(out_dim),
            ),
            conjuncts=(Equal(_linear(one_layer, ONE), 2 * _linear(elements((linear_weight,)))),),
        ),
        Statement(
            "S2",
            "backward = 2 × forward for a linear layer: its vector-Jacobian product is the products dY W and dYᵀ X",
            Equal(_linear(its_gradient), 2 * _linear(one_layer)),
        ),
        Statement(
            "S3",
            "attention multiplies every query by every key and every probability by a value: 2 r n m (d + d_v)",
            Equal(
                _attention(attended),
                2 * Size(group_dim) * Size(query_dim) * Size(m_dim) * (Size(key_dim) + Size(d_v)),
            ),
        ),
        Statement(
            "S4",
            "backward = 2 × forward for attention, whose probabilities and output are kept: dP, dQ, dK and dV",
            Equal(_attention(its_gradients), 2 * _attention(attended)),
        ),
        Statement(
            "S5",
            "the forward count is the sum over the blocks of the products in them, and of the output projection",
            Equal(
                value(forward[()]),
                layers[()] * (_layers(one_layer) + g[()] * _attention(attended, heads))
                + _linear(one_layer, ONE, d[()], V[()]),
            ),
        ),
        Statement(
            "S6",
            "training takes 6 for each weight, and 12 layers h d_k n for attention, exactly",
            Equal(value(training[()]), 6 * value(weights[()]) + 12 * layers[()] * h[()] * d_k[()] * n[()]),
            conjuncts=(Equal(value(training[()]), 3 * value(forward[()])),),
        ),
        Statement(
            "S7",
            "the weights are all parameters but the positions, the norms and the biases, if the output is tied",
            Equal(count.value(total[()], bare), value(weights[()]) + (2 * layers[()] + 1) * d[()]),
        ),
        Statement(
            "S8",
            "attention is quadratic in n: a sequence κ times as long costs κ² times as many operations in attention",
            Equal(
                _sequence(op, {n: _number(kappa[()] * n[()])}),
                kappa[()] ** 2 * _sequence(op),
            ),
        ),
        Statement(
            "S9",
            "in the shape of Vaswani et al. attention adds n/(6d) to the operations of a block",
            Equal(
                value(scores[()], _plain()) / (2 * layers[()] * value(matrices[()], _plain())),
                n[()] / (6 * h[()] * d_k[()]),
            ),
        ),
    )


def _derived(operation: Operation) -> tuple[Def, ...]:
    """The steps of the vector-Jacobian product as differentiation gives them."""
    return tuple(step for step in operation.derived_vjp.steps if step.tensor not in operation.program.defined)


def _sequence(op: Operation, at: Mapping[Tensor, Replacement] | None = None) -> Expr:
    """The operations of attention over a whole sequence."""
    tokens = (at or {}).get(n, _number(n[()]))()
    return tokens * op.value(scores[()], at)


def activation_statements(op: Operation) -> tuple[Statement, ...]:
    """Of `activation_bytes`."""
    every = {group_dim: h[()] / g[()], query_dim: n[()], m_dim: n[()], key_dim: d_k[()], d_v: d_k[()]}
    arrays = [t for t in kept(ATTENTION) if t.dims]
    own = [t for t in kept(LINEAR) if t != linear_weight and t != linear_bias]
    one_block = n[()] * (op.value(per_token[()]) + h[()] * n[()])
    features = h[()] * d_k[()]
    widths = (d[()], h[()] * d_k[()], d[()], d_ff[()])
    linear_inputs = Add(tuple(_linear(elements(own), n[()], into, ONE) for into in widths))
    return (
        Statement(
            "S1",
            "the backward pass of attention reads Q, K, V, O and the probabilities: n ((2h + 2g) d_k + h n) numbers",
            Equal(
                g[()] * _attention(elements(arrays), every),
                n[()] * ((2 * h[()] + 2 * g[()]) * d_k[()] + h[()] * n[()]),
            ),
        ),
        Statement(
            "S2",
            "that of a linear layer reads its input: with the output of attention (S1), the inputs of both norms, and "
            "what the activation function is given, these are all",
            Equal(
                one_block,
                g[()] * _attention(elements(arrays), every)
                + (linear_inputs - h[()] * d_k[()] * n[()])
                + 2 * n[()] * d[()]
                + (ffn_matrices[()] - 1) * n[()] * d_ff[()],
            ),
        ),
        Statement(
            "S3",
            "in the shape of Vaswani et al., with numbers of 2 bytes: n b d (32 + 2 h n/d) a block",
            Equal(
                op.value(stored[()], {**_plain(), itemsize: _number(2)}),
                layers[()] * n[()] * b[()] * features * (32 + 2 * h[()] * n[()] / features),
            ),
        ),
        Statement(
            "S4",
            "recomputing the probabilities from the log-sum-exp saves h n (n − 1) numbers a block and sequence: "
            "what is left is linear in n",
            Equal(
                op.value(stored[()]) - op.value(recomputed[()]),
                itemsize[()] * layers[()] * b[()] * h[()] * n[()] * (n[()] - 1),
            ),
        ),
    )


def cache_statements(op: Operation) -> tuple[Statement, ...]:
    """Of `kv_cache_bytes`."""
    head = {m_dim: m[()], key_dim: d_k[()], d_v: d_k[()]}
    more = Tensor("m_new", (), "positive")
    return (
        Statement(
            "S1",
            "the cache holds the K and the V of attention, for each head of keys and values of each block",
            Equal(
                op.value(cache[()]),
                itemsize[()] * b[()] * layers[()] * g[()] * _attention(elements((k, v)), head),
            ),
        ),
        Statement(
            "S2",
            "grouped queries: r query heads a head of keys and values divide the cache of multi-head attention by r",
            Equal(r[()] * op.value(cache[()]), op.value(cache[()], {g: _number(r[()] * g[()])})),
        ),
        Statement(
            "S3",
            "it grows by the same number of bytes with each token",
            Equal(
                op.value(cache[()], {m: _number(m[()] + more[()])}) - op.value(cache[()]),
                op.value(cache[()], {m: _number(more[()])}),
            ),
        ),
    )


def intensity_statements(op: Operation) -> tuple[Statement, ...]:
    """Of `attention_intensity`."""
    sizes = {group_dim: r[()], query_dim: n[()], m_dim: m[()], key_dim: d_k[()], d_v: d_k[()]}
    value = op.value(intensity[()])
    decode = op.value(intensity[()], {n: _number(1)})
    gap = 2 * r[()] ** 2 / (itemsize[()] * (r[()] + m[()]))
    return (
        Statement(
            "S1",
            "the operations are those of the two products of attention",
            Equal(op.value(flops[()]), _attention(products(ATTENTION.program.steps), sizes)),
        ),
        Statement(
            "S2",
            "the bytes are those of its inputs and of its output: no score leaves the chip",
            Equal(op.value(moved[()]), itemsize[()] * _attention(elements((q, k, v, o)), sizes)),
        ),
        Statement(
            "S3",
            "the size of a head cancels: the intensity is the harmonic mean of r n and m, divided by the itemsize",
            Equal(value, 2 / (1 / (r[()] * n[()]) + 1 / m[()]) / itemsize[()]),
        ),
        Statement(
            "S4",
            "prefill, as many queries as keys: 2r n/((r + 1) itemsize), proportional to n; n/itemsize without grouping",
            Equal(op.value(intensity[()], {m: _number(n[()])}), 2 * r[()] * n[()] / ((r[()] + 1) * itemsize[()])),
            conjuncts=(Equal(op.value(intensity[()], {m: _number(n[()]), r: _number(1)}), n[()] / itemsize[()]),),
        ),
        Statement(
            "S5",
            "decoding, one query: below 2r/itemsize however long the cache is, by 2r²/(itemsize (r + m))",
            Equal(2 * r[()] / itemsize[()] - decode, gap),
            conjuncts=(NonNegative(gap),),
        ),
    )
