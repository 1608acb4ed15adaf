"""# Sigmoid attention, a derivation that is not in the catalogue

Each query weighs the values by the sigmoid of its scores: the weights of a row do not sum to 1, and no key knows of
another one.

    lemmata check examples/sigmoid_attention.py
    lemmata generate examples/sigmoid_attention.py -o sigmoid_attention_reference.py
    lemmata conform examples/sigmoid_attention.py:sigmoid_attention examples/sigmoid_attention_kernel.py:attention

Definition
----------
    s[i,j] = scale · Σ_c q[i,c] k[j,c] + b,   p[i,j] = keep[i,j] σ(s[i,j]),   o[i,e] = Σ_j p[i,j] v[j,e]

Statements
----------
sigmoid_attention:
    S1   the weights are not negative;
    S2   linear in V;
    S3   permuting the keys with the values leaves O unchanged;
    S4   the outputs of two blocks of keys add up: no maximum, no rescaling;
    S5   causal: for i ≤ t, O[i] does not change when keys and values after t change;
    S6   VJP: dV = Pᵀ dO;
    S7   VJP: dQ = scale · dS K with dS = P ∘ (1 − P) ∘ dO Vᵀ;
    S8   VJP: dK = scale · dSᵀ Q;
    S9   JVP;
    S10  adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩;
    S11  ⟨dV, V⟩ = ⟨dO, O⟩, the law of S2;
    S12  ⟨dQ, Q⟩ = ⟨dK, K⟩, the law of the invariance under (aQ, K/a).

Notation
--------
i queries (n); j keys (m); c features of queries and keys (d); e features of values (d_v). s scores; p weights; b the
bias of every score; ∘ is the product of entries.

Domain and conventions
----------------------
Every statement holds for all sizes ≥ 1. A query whose keys are all masked gets 0. The bias is −log m unless it is
given, with which the output keeps its size as m grows.

References
----------
Ramapuram et al. 2024, Theory, analysis, and best practices for sigmoid self-attention, (3).
"""

from __future__ import annotations

from fractions import Fraction

from lemmata.derivations.calculus.blocks import Split
from lemmata.derivations.calculus.expr import (
    ONE,
    ZERO,
    Dim,
    Expr,
    Index,
    Permutation,
    Predicate,
    Replacement,
    Size,
    Subscript,
    Tensor,
    at_least,
    log,
    position,
    sigmoid,
    total,
)
from lemmata.derivations.calculus.operation import Input, Operation
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.statement import Equal, NonNegative, Statement
from lemmata.derivations.calculus.symmetry import pairing

n, m = Dim("n"), Dim("m")
d, d_v = Dim("d", grows=False), Dim("d_v", grows=False)
i, j, c, e = Index("i", n), Index("j", m), Index("c", d), Index("e", d_v)

q, k, v = Tensor("q", (n, d)), Tensor("k", (m, d)), Tensor("v", (m, d_v))
keep, b, scale = Tensor("keep", (n, m), "boolean"), Tensor("b"), Tensor("scale")
s, p, o = Tensor("s", (n, m)), Tensor("p", (n, m)), Tensor("o", (n, d_v))

PROGRAM = Program(
    "sigmoid_attention",
    (q, k, v, keep, b, scale),
    (
        Def(s[i, j], scale[()] * total(c, q[i, c] * k[j, c]) + b[()], "scores"),
        Def(p[i, j], keep[i, j] * sigmoid(s[i, j]), "weights", "S1"),
        Def(o[i, e], total(j, p[i, j] * v[j, e]), "output"),
    ),
    (o,),
)


def _plain(index: Subscript) -> Index:
    assert isinstance(index, Index)
    return index


def statements() -> tuple[Statement, ...]:
    op = SIGMOID_ATTENTION
    return (*_laws_of_the_output(op), *_gradients(op), *_laws_of_the_gradient(op))


def _laws_of_the_output(op: Operation) -> tuple[Statement, ...]:
    O = op.value(o[i, e])  # noqa: E741 - the output, as the paper writes it
    w, alpha, beta = Tensor("w", v.dims), Tensor("alpha"), Tensor("beta")
    pi = Permutation("π", m)
    blocks = Split(m, Dim("m1"), Dim("m2"))
    t = Index("t", n)

    def output(values: Tensor) -> Expr:
        return op.value(o[i, e], {v: lambda key, feature: values[key, feature]})

    def block(part: int) -> Expr:
        first, second, third = (blocks.tensor(x, 1 if part == 1 else 2) for x in (k, v, keep))
        key = Index("j", blocks.first if part == 1 else blocks.second)
        score = scale[()] * total(c, q[i, c] * first[key, c]) + b[()]
        return total(key, third[i, key] * sigmoid(score) * second[key, e])

    permuted: dict[Tensor, Replacement] = {
        k: lambda key, f: k[pi(_plain(key)), f],
        v: lambda key, f: v[pi(_plain(key)), f],
        keep: lambda row, key: keep[row, pi(_plain(key))],
    }
    causal = {keep: lambda row, key: keep[row, key] * at_least(_plain(row), _plain(key))}
    other_k, other_v = Tensor("Δk", k.dims), Tensor("Δv", v.dims)

    def after(key: Subscript) -> Expr:
        return Predicate(position(_plain(key)) - position(t) - 1)

    future: dict[Tensor, Replacement] = {
        **causal,
        k: lambda key, f: k[key, f] + after(key) * other_k[key, f],
        v: lambda key, f: v[key, f] + after(key) * other_v[key, f],
    }
    return (
        Statement("S1", "the weights are not negative", NonNegative(op.value(p[i, j]))),
        Statement(
            "S2",
            "linear in V: O(αV + βW) = αO(V) + βO(W)",
            Equal(
                op.value(o[i, e], {v: lambda key, f: alpha[()] * v[key, f] + beta[()] * w[key, f]}),
                alpha[()] * output(v) + beta[()] * output(w),
            ),
            law="linear in v",
        ),
        Statement(
            "S3",
            "permuting the keys with the values (and the columns of the mask) leaves O unchanged",
            Equal(op.value(o[i, e], permuted), O),
        ),
        Statement(
            "S4",
            "the outputs of two blocks of keys add up: no maximum, no rescaling",
            Equal(blocks.apply(O), block(1) + block(2)),
        ),
        Statement(
            "S5",
            "causal: for i ≤ t, O[i] does not change when keys and values after t change",
            Equal(op.value(o[i, e], future), op.value(o[i, e], causal), (Predicate(position(t) - i),)),
        ),
    )


def _gradients(op: Operation) -> tuple[Statement, ...]:
    do = op.cotangent(o)
    tq, tk, tv = (op.tangent(x) for x in (q, k, v))
    derived, value = op.derived_vjp.inline, op.program.inline
    P = sigmoid(s[i, j])

    def ds() -> Expr:
        return keep[i, j] * P * (1 - P) * total(e, do[i, e] * v[j, e])

    ts = scale[()] * total(c, tq[i, c] * k[j, c] + q[i, c] * tk[j, c])
    return (
        Statement("S6", "dV = Pᵀ dO", Equal(derived(op.gradient(v)[j, e]), value(total(i, p[i, j] * do[i, e])))),
        Statement(
            "S7",
            "dQ = scale · dS K with dS = P ∘ (1 − P) ∘ dO Vᵀ",
            Equal(derived(op.gradient(q)[i, c]), value(scale[()] * total(j, ds() * k[j, c]))),
        ),
        Statement(
            "S8",
            "dK = scale · dSᵀ Q",
            Equal(derived(op.gradient(k)[j, c]), value(scale[()] * total(i, ds() * q[i, c]))),
        ),
        Statement(
            "S9",
            "tO = (P ∘ (1 − P) ∘ tS) V + P tV",
            Equal(
                op.derived_jvp.inline(op.tangent(o)[i, e]),
                value(total(j, keep[i, j] * P * (1 - P) * ts * v[j, e]) + total(j, p[i, j] * tv[j, e])),
            ),
        ),
        Statement("S10", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


def _laws_of_the_gradient(op: Operation) -> tuple[Statement, ...]:
    do, t = op.cotangent(o), Tensor("t")
    scaling: dict[Tensor, Replacement] = {
        q: lambda row, f: t[()] * q[row, f],
        k: lambda key, f: k[key, f] / t[()],
    }
    return (
        Statement(
            "S11",
            "⟨dV, V⟩ = ⟨dO, O⟩: the law of the linearity in V",
            Equal(
                pairing(op, {v: lambda key, f: t[()] * v[key, f]}, t, 1),
                op.program.inline(total(i, e, do[i, e] * o[i, e])),
            ),
        ),
        Statement(
            "S12",
            "⟨dQ, Q⟩ = ⟨dK, K⟩: the law of the invariance under (aQ, K/a)",
            Equal(pairing(op, scaling, t, 1), ZERO),
            conjuncts=(Equal(op.value(o[i, e], scaling), op.value(o[i, e])),),
        ),
    )


SIGMOID_ATTENTION = Operation(
    "sigmoid_attention",
    "Each query weighs the values by the sigmoid of its products with the keys.",
    PROGRAM,
    (q, k, v),
    statements,
    {
        "q": Input("queries `[..., n, d]`"),
        "k": Input("keys `[..., m, d]`"),
        "v": Input("values `[..., m, d_v]`"),
        "keep": Input("boolean mask `[..., n, m]`, True where a key may be attended to", ONE),
        "b": Input("bias of every score", -log(Size(m))),
        "scale": Input("factor of the products", Size(d) ** Fraction(-1, 2)),
    },
    {"o": "output `[..., n, d_v]`"},
    {"fully masked row": "output 0, gradients 0"},
    "Ramapuram et al. 2024, (3)",
)

OPERATIONS = (SIGMOID_ATTENTION,)
