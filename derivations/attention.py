"""# Scaled dot-product attention

Each query blends the rows of V; the blend is the softmax of its scaled products with the keys.

Definition
----------
    s[r,i,j] = scale Σ_c q[r,i,c] k[j,c] + bias[r,i,j]
    m[r,i]   = max_j s[r,i,j] over the keys that are kept
    z[r,i]   = Σ_j keep[r,i,j] exp(s[r,i,j] − m[r,i])
    p[r,i,j] = keep[r,i,j] exp(s[r,i,j] − m[r,i]) / z[r,i]
    o[r,i,e] = Σ_j p[r,i,j] v[j,e]
    lse[r,i] = m[r,i] + log z[r,i]

`attention` is this. `softcapped_attention` caps the products before the rest: s[r,i,j] = scale Σ_c q[r,i,c] k[j,c] and
t[r,i,j] = cap · tanh(s[r,i,j] / cap) + bias[r,i,j], of which the softmax is taken.

The masks are neutral elements: boolean, causal and window masks multiply into `keep`; additive masks and ALiBi add into
`bias`; grouped queries are the axis r of the query heads that share one head of keys and values.

Statements
----------
attention:
    S1   convex blend: the weights sum to 1 and none is negative;
    S2   the maximum may be treated as a constant;
    S3   linear in V;
    S4   adding one vector to every key leaves O unchanged;
    S5   permuting the keys together with the values leaves O and the LSE unchanged;
    S6   permuting the queries permutes the rows of O and of the LSE;
    S7   heads are independent;
    S8   causal: the past does not depend on later keys and values;
    S9   causal gradient: what follows t, or precedes it, has no influence;
    S10  D = rowsum(dO ∘ O) = rowsum(P ∘ dP);
    S11  dV = Pᵀ dO;
    S12  dQ = scale · dS K, with dS = P ∘ (dP − D);
    S13  dK = scale · dSᵀ Q, summed over the group;
    S14  the gradient of an additive mask is dS;
    S15  JVP;
    S16  adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩;
    S17  Σ_j dK[j] = 0, the conservation law of S4;
    S18  ⟨dV, V⟩ = ⟨dO, O⟩, the law of S3;
    S19  ⟨dQ, Q⟩ = ⟨dK, K⟩, the law of the invariance under (aQ, K/a);
    S20  block-wise forward, with a running maximum;
    S21  block-wise backward, with P from the LSE;
    S22  split and merge by the LSE;
    S23  grouped queries = repeated keys and values;
    S24  the scale belongs to the queries;
    S25  the two causal alignments agree for as many queries as keys;
    S26  a sliding window that is long enough is the causal mask;
    S27  ALiBi: only distances matter;
    S28  the weights from the LSE alone;
    S29  the Hessian-vector product is symmetric.

softcapped_attention:
    S1   convex blend;
    S2   the maximum may be treated as a constant;
    S3   linear in V;
    S4   VJP: dS = dT ∘ (1 − tanh²(S/cap)), with dT = P ∘ (dP − D);
    S5   adjoint identity;
    S6   ⟨dV, V⟩ = ⟨dO, O⟩;
    S7   each row of dT sums to dLSE.

Notation
--------
r query heads of one group; i queries (n); j keys (m); c features of queries and keys (d); e features of values (d_v).
s scores; p probabilities; o output; lse log-sum-exp. Gradients are `d` + name, tangents `t` + name; delta is the D of
FlashAttention, from which dLSE is already subtracted. Capitals are the same tensors as matrices; ∘ is the product of
entries, rowsum the sum over the last axis.

Domain and conventions
----------------------
Every statement holds for all sizes ≥ 1 and rows with at least one key. A fully masked row returns 0, its LSE is −∞ and
its gradients are 0. `causal` is top-left (key j ≤ query i) unless bottom-right (j ≤ i + m − n) is said. A window of w
keys ends at the query: i − w < j ≤ i. The LSE is in base e.

References
----------
Vaswani et al. 2017, Attention is all you need, (1).
Dao 2023, FlashAttention-2, algorithms 1 and 2.
Press, Smith & Lewis 2022, Train short, test long: attention with linear biases (ALiBi).
Milakov & Gimelshein 2018, Online normalizer calculation for softmax.
Gemma Team 2024, Gemma 2, logit soft-capping.
"""

from __future__ import annotations

from fractions import Fraction

from .attention_blocks import block_statements
from .attention_masks import independence_statements, mask_statements
from .attention_program import (
    ATTENTION_PROGRAM,
    SOFTCAP_PROGRAM,
    bias,
    c,
    e,
    i,
    j,
    k,
    keep,
    lse,
    m,
    m_dim,
    n,
    o,
    p,
    q,
    r,
    scale,
    v,
)
from .attention_softcap import softcap_statements
from .calculus.differentiate import maximum_gradient
from .calculus.expr import ONE, ZERO, Expr, Index, Permutation, Replacement, Size, Tensor, plain, total
from .calculus.operation import Input, Operation
from .calculus.statement import Equal, NonNegative, Statement, Step
from .calculus.symmetry import pairing


def _statements() -> tuple[Statement, ...]:
    grouped_by_topic = (
        *_weights(),
        *independence_statements(ATTENTION),
        *_gradients(),
        *_laws(),
        *block_statements(ATTENTION),
        *mask_statements(ATTENTION),
    )
    return tuple(sorted(grouped_by_topic, key=lambda statement: int(statement.label[1:])))


def _weights() -> tuple[Statement, ...]:
    op = ATTENTION
    P = op.value(p[r, i, j])
    w, alpha, beta = Tensor("w", v.dims), Tensor("alpha"), Tensor("beta")
    shift = Tensor("c", (k.dims[1],))
    pi, rho = Permutation("π", m_dim), Permutation("ρ", n)
    keys_permuted: dict[Tensor, Replacement] = {
        k: lambda key, f: k[pi(plain(key)), f],
        v: lambda key, f: v[pi(plain(key)), f],
        keep: lambda g, row, key: keep[g, row, pi(plain(key))],
        bias: lambda g, row, key: bias[g, row, pi(plain(key))],
    }
    queries_permuted: dict[Tensor, Replacement] = {
        q: lambda g, row, f: q[g, rho(plain(row)), f],
        keep: lambda g, row, key: keep[g, rho(plain(row)), key],
        bias: lambda g, row, key: bias[g, rho(plain(row)), key],
    }

    def output(values: Tensor) -> Expr:
        return op.value(o[r, i, e], {v: lambda key, feature: values[key, feature]})

    return (
        Statement(
            "S1",
            "each output is a convex blend of the rows of V: the weights sum to 1 and none is negative",
            Equal(total(j, P), ONE),
            conjuncts=(NonNegative(P),),
            law="convex blend",
        ),
        Statement(
            "S2",
            "the maximum may be treated as a constant: the total derivative of the outputs with respect to m is 0",
            Equal(maximum_gradient(op.program, m), ZERO),
        ),
        Statement(
            "S3",
            "linear in V: O(αV + βW) = αO(V) + βO(W)",
            Equal(
                op.value(o[r, i, e], {v: lambda key, f: alpha[()] * v[key, f] + beta[()] * w[key, f]}),
                alpha[()] * output(v) + beta[()] * output(w),
            ),
            law="linear in V",
        ),
        Statement(
            "S4",
            "adding one vector to every key leaves O unchanged, and adds scale · q·c to the LSE",
            Equal(op.value(o[r, i, e], {k: lambda key, f: k[key, f] + shift[f]}), op.value(o[r, i, e])),
            conjuncts=(
                Equal(
                    op.value(lse[r, i], {k: lambda key, f: k[key, f] + shift[f]}),
                    op.value(lse[r, i]) + scale[()] * total(c, q[r, i, c] * shift[c]),
                ),
            ),
            law="key shift",
        ),
        Statement(
            "S5",
            "permuting the keys together with the values (and the columns of the masks) leaves O and the LSE unchanged",
            Equal(op.value(o[r, i, e], keys_permuted), op.value(o[r, i, e])),
            conjuncts=(Equal(op.value(lse[r, i], keys_permuted), op.value(lse[r, i])),),
            law="key permutation",
        ),
        Statement(
            "S6",
            "permuting the queries (and the rows of the masks) permutes the rows of O and of the LSE",
            Equal(op.value(o[r, i, e], queries_permuted), op.value(o[r, rho(i), e])),
            conjuncts=(Equal(op.value(lse[r, i], queries_permuted), op.value(lse[r, rho(i)])),),
            law="query permutation",
        ),
    )


def _gradients() -> tuple[Statement, ...]:
    op = ATTENTION
    do, dlse = op.cotangent(o), op.cotangent(lse)
    derived = op.derived_vjp.inline
    tq, tk, tv, tbias = (op.tangent(x) for x in (q, k, v, bias))

    def dp() -> Expr:
        return total(e, do[r, i, e] * v[j, e])

    def D() -> Expr:
        return total(e, do[r, i, e] * o[r, i, e]) - dlse[r, i]

    def ds() -> Expr:
        return p[r, i, j] * (dp() - D())

    def ts(key: Index) -> Expr:
        return scale[()] * total(c, tq[r, i, c] * k[key, c] + q[r, i, c] * tk[key, c]) + tbias[r, i, key]

    l = Index("l", m_dim)  # noqa: E741 - a second key index, next to j
    tp = p[r, i, j] * (ts(j) - total(l, p[r, i, l] * ts(l)))
    value = op.program.inline
    return (
        Statement(
            "S10",
            "D = rowsum(dO ∘ O) = rowsum(P ∘ dP)",
            Equal(
                value(total(e, do[r, i, e] * o[r, i, e])),
                value(total(j, p[r, i, j] * dp())),
            ),
            chain=(
                Step(value(total(e, do[r, i, e] * total(j, p[r, i, j] * v[j, e]))), "O = PV"),
                Step(value(total(j, p[r, i, j] * total(e, do[r, i, e] * v[j, e]))), "the sums are exchanged"),
            ),
        ),
        Statement(
            "S11",
            "dV = Pᵀ dO",
            Equal(derived(op.gradient(v)[j, e]), value(total(r, i, p[r, i, j] * do[r, i, e]))),
        ),
        Statement(
            "S12",
            "dQ = scale · dS K with dS = P ∘ (dP − D), dP = dO Vᵀ, D = rowsum(dO ∘ O) − dLSE",
            Equal(derived(op.gradient(q)[r, i, c]), value(scale[()] * total(j, ds() * k[j, c]))),
        ),
        Statement(
            "S13",
            "dK = scale · dSᵀ Q, summed over the group",
            Equal(derived(op.gradient(k)[j, c]), value(scale[()] * total(r, i, ds() * q[r, i, c]))),
        ),
        Statement(
            "S14",
            "the gradient of an additive mask is dS",
            Equal(derived(op.gradient(bias)[r, i, j]), value(ds())),
        ),
        Statement(
            "S15",
            "tO = tP V + P tV with tP = P ∘ (tS − rowsum(P ∘ tS)); tLSE = rowsum(P ∘ tS)",
            Equal(
                op.derived_jvp.inline(op.tangent(o)[r, i, e]),
                value(total(j, tp * v[j, e]) + total(j, p[r, i, j] * tv[j, e])),
            ),
            conjuncts=(Equal(op.derived_jvp.inline(op.tangent(lse)[r, i]), value(total(j, p[r, i, j] * ts(j)))),),
        ),
        Statement("S16", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S29",
            "⟨s, H t⟩ = ⟨t, H s⟩ for the Hessian H of ⟨O, dO⟩ + ⟨LSE, dLSE⟩ in Q, K, V and the additive mask",
            Equal(*op.hessian_symmetry()),
        ),
    )


def _laws() -> tuple[Statement, ...]:
    op = ATTENTION
    t, w = Tensor("t"), Tensor("w", (k.dims[1],))
    do, dlse = op.cotangent(o), op.cotangent(lse)
    only_o: dict[Tensor, Replacement] = {dlse: lambda *_: ZERO}
    scaling: dict[Tensor, Replacement] = {
        q: lambda g, row, f: t[()] * q[g, row, f],
        k: lambda key, f: k[key, f] / t[()],
    }
    value = op.program.inline
    return (
        Statement(
            "S17",
            "Σ_j dK[j] = 0 without a gradient of the LSE (the law of S4); with one it is scale Σ_ri dLSE[r,i] q[r,i]",
            Equal(op.vjp.inline(total(j, op.gradient(k)[j, c])), scale[()] * total(r, i, dlse[r, i] * q[r, i, c])),
            conjuncts=(Equal(pairing(op, {k: lambda key, f: k[key, f] + t[()] * w[f]}, t, 0, only_o), ZERO),),
            law="zero key gradient sum",
        ),
        Statement(
            "S18",
            "⟨dV, V⟩ = ⟨dO, O⟩: the law of the linearity in V",
            Equal(
                pairing(op, {v: lambda key, f: t[()] * v[key, f]}, t, 1),
                value(total(r, i, e, do[r, i, e] * o[r, i, e])),
            ),
            law="value pairing",
        ),
        Statement(
            "S19",
            "⟨dQ, Q⟩ = ⟨dK, K⟩: the law of the invariance under (aQ, K/a)",
            Equal(
                pairing(op, scaling, t, 1),
                ZERO,
            ),
            conjuncts=(
                Equal(
                    op.value(o[r, i, e], scaling),
                    op.value(o[r, i, e]),
                ),
            ),
            law="query-key pairing",
        ),
    )


def _softcap_statements() -> tuple[Statement, ...]:
    return softcap_statements(SOFTCAPPED)


_INPUTS = {
    "q": Input("queries `[..., r, n, d]`: r heads share one head of keys and values"),
    "k": Input("keys `[..., m, d]`"),
    "v": Input("values `[..., m, d_v]`"),
    "keep": Input("boolean mask `[..., r, n, m]`, True where a key may be attended to", ONE),
    "bias": Input("additive mask `[..., r, n, m]`", ZERO),
    "scale": Input("factor of the products", Size(k.dims[1]) ** Fraction(-1, 2)),
}
_OUTPUTS = {"o": "output `[..., r, n, d_v]`", "lse": "log-sum-exp of the scores `[..., r, n]`, base e"}
_CONVENTIONS = {
    "causal alignment": "top-left: key j ≤ query i",
    "fully masked row": "output 0, LSE −∞, gradients 0",
    "LSE base": "e",
    "window": "w keys, the query's own included",
}

ATTENTION = Operation(
    "attention",
    "Each query blends the values by the softmax of its products with the keys.",
    ATTENTION_PROGRAM,
    (q, k, v, bias),
    _statements,
    _INPUTS,
    _OUTPUTS,
    _CONVENTIONS,
    "Vaswani et al. 2017, (1); Dao 2023, algorithms 1 and 2",
    second_order=True,
    composable=True,
)
SOFTCAPPED = Operation(
    "softcapped_attention",
    "Attention whose products are capped: t = cap · tanh(s / cap) + bias.",
    SOFTCAP_PROGRAM,
    (q, k, v, bias),
    _softcap_statements,
    {**_INPUTS, "cap": Input("largest magnitude of a capped product, positive")},
    _OUTPUTS,
    _CONVENTIONS,
    "Vaswani et al. 2017, (1); Gemma Team 2024, logit soft-capping",
)

OPERATIONS = (ATTENTION, SOFTCAPPED)
