"""# Multi-head attention

Queries, keys and values are projected, split into heads, blended head by head, merged and projected back.

Definition
----------
    q[g,r,i,e] = Σ_c w_q[g,r,e,c] x_q[i,c] + b_q[g,r,e]
    k[g,j,e]   = Σ_c w_k[g,e,c] x_k[j,c] + b_k[g,e]
    v[g,j,e]   = Σ_c w_v[g,e,c] x_v[j,c] + b_v[g,e]
    o[g]       = attention(q[g], k[g], v[g])                      for each group g of heads
    y[i,f]     = Σ_g Σ_r Σ_e w_o[g,r,f,e] o[g,r,i,e] + b_o[f]

Heads come in g groups of r: the r query heads of a group share one head of keys and values. With r = 1 this is
multi-head attention as Vaswani et al. wrote it, with one group multi-query attention.

Statements
----------
multi_head_attention:
    S1   the output is the sum over the heads of what each head alone gives, plus the bias;
    S2   permuting the groups of heads, with their weights, leaves the output unchanged;
    S3   dW_q is made of blocks, one a head: dW_q[g,r] = dQ[g,r]ᵀ X_q;
    S4   dW_k and dW_v are made of blocks, one a group;
    S5   dW_o is made of blocks, and attention receives dO = dY W_o;
    S6   the gradients of the biases are sums over the tokens;
    S7   dX_q, dX_k and dX_v are sums over the heads;
    S8   JVP of the projections;
    S9   adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩, from that of attention;
    S10  causal: the past does not depend on later tokens;
    S11  permuting the tokens permutes the rows of the output.

Notation
--------
i queries (n); j keys (m); c features of the inputs (d_q, d_k, d_v of the sources); e features of a head's queries and
keys (d_h), u of its values (d_w); f features of the output (d_o); g groups, r heads of a group. Weights are split by
head, one block a head: w_q[g,r] is [d_h, d_q]. Gradients are `d` + name, tangents `t` + name.

Domain and conventions
----------------------
Every statement holds for all sizes ≥ 1. The scale is 1/√d_h. A fully masked row of a head contributes 0. Masks may
broadcast over the heads.

References
----------
Vaswani et al. 2017, Attention is all you need, section 3.2.2.
Shazeer 2019, Fast transformer decoding: one write-head is all you need.
Ainslie et al. 2023, GQA: training generalized multi-query transformer models.
"""

from __future__ import annotations

from .attention import ATTENTION
from .attention_program import bias as attention_bias
from .attention_program import k as attention_k
from .attention_program import keep as attention_keep
from .attention_program import o as attention_o
from .attention_program import q as attention_q
from .attention_program import v as attention_v
from .calculus.call import Call
from .calculus.composite import Composition
from .calculus.expr import (
    ONE,
    ZERO,
    Delta,
    Dim,
    Expr,
    Index,
    Permutation,
    Replacement,
    Tensor,
    at_least,
    plain,
    total,
)
from .calculus.operation import Input, Operation
from .calculus.program import Def
from .calculus.statement import Equal, Statement
from .calculus.stepwise import adjoint_by_parts, causal_steps, permuted_steps, step_by_step

g_dim, r_dim = Dim("g", grows=False), Dim("r", grows=False)
n, m = Dim("n"), Dim("m")
d_q, d_k, d_v, d_o = (Dim(name, grows=False) for name in ("d_q", "d_k", "d_v", "d_o"))
d_h, d_w = Dim("d_h", grows=False), Dim("d_w", grows=False)

g, r = Index("g", g_dim), Index("r", r_dim)
i, j = Index("i", n), Index("j", m)
e, u = Index("e", d_h), Index("u", d_w)
f = Index("f", d_o)
cq, ck, cv = Index("c", d_q), Index("c", d_k), Index("c", d_v)

x_q, x_k, x_v = Tensor("x_q", (n, d_q)), Tensor("x_k", (m, d_k)), Tensor("x_v", (m, d_v))
w_q, b_q = Tensor("w_q", (g_dim, r_dim, d_h, d_q)), Tensor("b_q", (g_dim, r_dim, d_h))
w_k, b_k = Tensor("w_k", (g_dim, d_h, d_k)), Tensor("b_k", (g_dim, d_h))
w_v, b_v = Tensor("w_v", (g_dim, d_w, d_v)), Tensor("b_v", (g_dim, d_w))
w_o, b_o = Tensor("w_o", (g_dim, r_dim, d_o, d_w)), Tensor("b_o", (d_o,))
keep = Tensor("keep", (g_dim, r_dim, n, m), "boolean")
bias = Tensor("bias", (g_dim, r_dim, n, m))

q, k, v = Tensor("q", (g_dim, r_dim, n, d_h)), Tensor("k", (g_dim, m, d_h)), Tensor("v", (g_dim, m, d_w))
o, y = Tensor("o", (g_dim, r_dim, n, d_w)), Tensor("y", (n, d_o))

_ATTEND = Call(
    ATTENTION.part,
    "value",
    (g,),
    {
        attention_q: q[g, r, i, e],
        attention_k: k[g, j, e],
        attention_v: v[g, j, u],
        attention_keep: keep[g, r, i, j],
        attention_bias: bias[g, r, i, j],
    },
    {attention_o: o},
)

COMPOSITION = Composition(
    "multi_head_attention",
    (x_q, x_k, x_v, w_q, w_k, w_v, w_o, b_q, b_k, b_v, b_o, keep, bias),
    (
        Def(q[g, r, i, e], total(cq, x_q[i, cq] * w_q[g, r, e, cq]) + b_q[g, r, e], "queries of each head"),
        Def(k[g, j, e], total(ck, x_k[j, ck] * w_k[g, e, ck]) + b_k[g, e], "keys of each group"),
        Def(v[g, j, u], total(cv, x_v[j, cv] * w_v[g, u, cv]) + b_v[g, u], "values of each group"),
        _ATTEND,
        Def(y[i, f], total(g, r, u, o[g, r, i, u] * w_o[g, r, f, u]) + b_o[f], "the heads merged and projected"),
    ),
    (y,),
)
WEIGHTS = (w_q, w_k, w_v, w_o, b_q, b_k, b_v, b_o)
DIFFERENTIABLE = (x_q, x_k, x_v, *WEIGHTS, bias)


def _statements() -> tuple[Statement, ...]:
    gradients, forward = COMPOSITION.vjp(DIFFERENTIABLE), COMPOSITION.jvp(DIFFERENTIABLE)
    derived, d_of = gradients.opaque, dict(zip(DIFFERENTIABLE, gradients.outputs, strict=True))
    tangents = forward.opaque
    dy, dq, dk, dv = (derived.tensor(name) for name in ("dy", "dq", "dk", "dv"))
    to = tangents.tensor("to")
    t_of = {x: tangents.tensor(f"t{x.name}") for x in DIFFERENTIABLE}
    pi, rho, gamma = Permutation("π", m), Permutation("ρ", n), Permutation("γ", g_dim)
    value = COMPOSITION.opaque.inline

    def gradient(tensor: Tensor, *at: Index) -> Expr:
        return derived.inline(d_of[tensor][at], {}, frozenset({dq, dk, dv}))

    def head(tensor: Tensor) -> Expr:
        """Head (g, r) alone: the others give 0."""
        h, s = Index("h", g_dim), Index("s", r_dim)
        return total(h, s, u, Delta(h, g) * Delta(s, r) * tensor[h, s, i, u] * w_o[h, s, f, u])

    causal: dict[Tensor, Replacement] = {
        keep: lambda at, s, row, key: keep[at, s, row, key] * at_least(plain(row), plain(key))
    }
    return (
        Statement(
            "S1",
            "the output is the sum over the heads of what each head alone gives, plus the bias",
            Equal(value(y[i, f]), total(g, r, head(o)) + b_o[f]),
        ),
        step_by_step(
            "S2",
            "permuting the groups of heads, with their weights and masks, leaves the output unchanged",
            permuted_steps(COMPOSITION, (*WEIGHTS[:-1], keep, bias), {g_dim: gamma}),
        ),
        Statement(
            "S3",
            "dW_q is made of blocks: dW_q[g,r] = dQ[g,r]ᵀ X_q",
            Equal(gradient(w_q, g, r, e, cq), total(i, dq[g, r, i, e] * x_q[i, cq])),
        ),
        Statement(
            "S4",
            "dW_k[g] = dK[g]ᵀ X_k and dW_v[g] = dV[g]ᵀ X_v",
            Equal(gradient(w_k, g, e, ck), total(j, dk[g, j, e] * x_k[j, ck])),
            conjuncts=(Equal(gradient(w_v, g, u, cv), total(j, dv[g, j, u] * x_v[j, cv])),),
        ),
        Statement(
            "S5",
            "dW_o[g,r] = dYᵀ O[g,r], and attention receives dO[g,r] = dY W_o[g,r]",
            Equal(gradient(w_o, g, r, f, u), total(i, dy[i, f] * o[g, r, i, u])),
            conjuncts=(Equal(derived.inline(derived.tensor("do")[g, r, i, u]), total(f, dy[i, f] * w_o[g, r, f, u])),),
        ),
        Statement(
            "S6",
            "the gradients of the biases are sums over the tokens",
            Equal(gradient(b_q, g, r, e), total(i, dq[g, r, i, e])),
            conjuncts=(
                Equal(gradient(b_k, g, e), total(j, dk[g, j, e])),
                Equal(gradient(b_v, g, u), total(j, dv[g, j, u])),
                Equal(gradient(b_o, f), total(i, dy[i, f])),
            ),
        ),
        Statement(
            "S7",
            "dX_q = Σ_gr dQ[g,r] W_q[g,r], dX_k = Σ_g dK[g] W_k[g], dX_v = Σ_g dV[g] W_v[g]",
            Equal(gradient(x_q, i, cq), total(g, r, e, dq[g, r, i, e] * w_q[g, r, e, cq])),
            conjuncts=(
                Equal(gradient(x_k, j, ck), total(g, e, dk[g, j, e] * w_k[g, e, ck])),
                Equal(gradient(x_v, j, cv), total(g, u, dv[g, j, u] * w_v[g, u, cv])),
            ),
        ),
        Statement(
            "S8",
            "tQ = tX_q W_qᵀ + X_q tW_qᵀ + tb_q, and tY = Σ_gr (tO W_oᵀ + O tW_oᵀ) + tb_o",
            Equal(
                tangents.inline(tangents.tensor("tq")[g, r, i, e]),
                total(cq, t_of[x_q][i, cq] * w_q[g, r, e, cq] + x_q[i, cq] * t_of[w_q][g, r, e, cq])
                + t_of[b_q][g, r, e],
            ),
            conjuncts=(
                Equal(
                    tangents.inline(tangents.tensor("ty")[i, f]),
                    total(g, r, u, to[g, r, i, u] * w_o[g, r, f, u] + o[g, r, i, u] * t_of[w_o][g, r, f, u])
                    + t_of[b_o][f],
                ),
            ),
        ),
        Statement(
            "S9",
            "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩, given the adjoint identity of attention",
            adjoint_by_parts(COMPOSITION, forward, gradients),
        ),
        step_by_step(
            "S10",
            "causal: for i ≤ t, Y[i] does not change when the inputs after t change",
            causal_steps(COMPOSITION, (x_q, x_k, x_v), frozenset({n, m}), causal),
            law="causality",
        ),
        step_by_step(
            "S11",
            "permuting the queries by ρ and the keys with the values by π (and the masks by both) permutes Y by ρ",
            permuted_steps(COMPOSITION, (x_q, x_k, x_v, keep, bias), {n: rho, m: pi}),
            law="token permutation",
        ),
    )


_INPUTS = {
    "x_q": Input("source of the queries `[..., n, d_q]`"),
    "x_k": Input("source of the keys `[..., m, d_k]`"),
    "x_v": Input("source of the values `[..., m, d_v]`"),
    "w_q": Input("weights of the queries `[g, r, d_h, d_q]`", shared=True),
    "w_k": Input("weights of the keys `[g, d_h, d_k]`", shared=True),
    "w_v": Input("weights of the values `[g, d_w, d_v]`", shared=True),
    "w_o": Input("weights of the output `[g, r, d_o, d_w]`", shared=True),
    "b_q": Input("bias of the queries `[g, r, d_h]`", ZERO, shared=True),
    "b_k": Input("bias of the keys `[g, d_h]`", ZERO, shared=True),
    "b_v": Input("bias of the values `[g, d_w]`", ZERO, shared=True),
    "b_o": Input("bias of the output `[d_o]`", ZERO, shared=True),
    "keep": Input("boolean mask `[..., g, r, n, m]`, True where a key may be attended to", ONE),
    "bias": Input("additive mask `[..., g, r, n, m]`", ZERO),
}

MULTI_HEAD_ATTENTION = Operation(
    "multi_head_attention",
    "Queries, keys and values projected, blended head by head, merged and projected back.",
    COMPOSITION.expanded,
    DIFFERENTIABLE,
    _statements,
    _INPUTS,
    {"y": "output `[..., n, d_o]`"},
    {
        "heads": "g groups of r query heads; a group shares one head of keys and values",
        "scale": "1/√d_h",
        "fully masked row": "the head contributes 0",
    },
    "Vaswani et al. 2017, section 3.2.2; Ainslie et al. 2023",
    composition=COMPOSITION,
    composable=True,
)

OPERATIONS = (MULTI_HEAD_ATTENTION,)
