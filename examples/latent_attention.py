"""# Multi-head latent attention, a derivation that is not in the catalogue

The keys and values of all heads come from one short latent vector per token, which is all that has to be kept for the
tokens to come.

    lemmata check examples/latent_attention.py
    lemmata generate examples/latent_attention.py -o latent_attention_reference.py
    lemmata conform examples/latent_attention.py:latent_attention examples/latent_attention_kernel.py:absorbed

Definition
----------
    q[h,i,a] = Σ_l cq[i,l] wq[h,l,a],   k[h,j,a] = Σ_g c[j,g] wk[h,g,a],   v[h,j,e] = Σ_g c[j,g] wv[h,g,e]
    s[h,i,j] = scale · (Σ_a q[h,i,a] k[h,j,a] + Σ_u qr[h,i,u] kr[j,u])
    p[h,i,j] = keep[i,j] exp(s[h,i,j]) / Σ_j' keep[i,j'] exp(s[h,i,j'])
    o[h,i,e] = Σ_j p[h,i,j] v[h,j,e]

Statements
----------
latent_attention:
    S1   each output is a convex blend of the values: the weights sum to 1 and none is negative;
    S2   the maximum may be treated as a constant;
    S3   absorbed scores: q·k = (wk q)·c, so that keys need not be formed;
    S4   absorbed output: O = (P c) wv, so that values need not be formed;
    S5   permuting the tokens that are attended to leaves O unchanged;
    S6   the latent space has no scale: (tc, wk/t, wv/t) gives the same O;
    S7   adding one rotated vector to every token leaves O unchanged;
    S8   VJP: dwv = cᵀ Pᵀ dO;
    S9   VJP: dwk = scale · cᵀ dSᵀ q with dS = P ∘ (dP − D), dP = dO Vᵀ, D = rowsum(dO ∘ O);
    S10  VJP: dc = Σ_h (Pᵀ dO wvᵀ + scale · dSᵀ q wkᵀ);
    S11  adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩;
    S12  ⟨dc, c⟩ = ⟨dwk, wk⟩ + ⟨dwv, wv⟩, the law of S6;
    S13  Σ_j dkr[j] = 0, the law of S7;
    S14  ⟨dwv, wv⟩ = ⟨dO, O⟩, the law of the linearity in wv.

Notation
--------
h heads; i queries (n); j tokens that are attended to (m); l entries of the queries' latent (d_q); g entries of the
keys' and values' latent (d_c); a features of a head (d); e features of a value (d_v); u rotated features (d_r). c is
the latent (c^KV), cq that of the queries (c^Q), wk, wv, wq the up-projections (W^UK, W^UV, W^UQ). qr and kr are the
rotated parts (q^R, k^R), which carry the position; kr is one for all heads. ∘ is the product of entries.

Domain and conventions
----------------------
Every statement holds for all sizes ≥ 1 and rows with at least one key. A fully masked row returns 0. The scale is
1/√(d + d_r) unless it is given. The down-projections, the rotation and the output projection are linear maps before and
after, and not part of this operation.

References
----------
DeepSeek-AI 2024, DeepSeek-V2, (9)–(11) and (14)–(18); absorption: section 2.1.2.
"""

from __future__ import annotations

from fractions import Fraction

from lemmata.derivations.calculus.differentiate import maximum_gradient
from lemmata.derivations.calculus.expr import (
    ONE,
    ZERO,
    Dim,
    Expr,
    Index,
    Permutation,
    Replacement,
    Size,
    Subscript,
    Tensor,
    exp,
    maximum,
    total,
)
from lemmata.derivations.calculus.operation import Input, Operation
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.statement import Equal, NonNegative, Statement
from lemmata.derivations.calculus.symmetry import pairing

heads, n, m = Dim("h", grows=False), Dim("n"), Dim("m")
d_q, d_c = Dim("d_q", grows=False), Dim("d_c", grows=False)
d, d_v, d_r = Dim("d", grows=False), Dim("d_v", grows=False), Dim("d_r", grows=False)
h, i, j = Index("h", heads), Index("i", n), Index("j", m)
l, g = Index("l", d_q), Index("g", d_c)  # noqa: E741 - l as in latent
a, e, u = Index("a", d), Index("e", d_v), Index("u", d_r)

cq, c = Tensor("cq", (n, d_q)), Tensor("c", (m, d_c))
qr, kr = Tensor("qr", (heads, n, d_r)), Tensor("kr", (m, d_r))
wq, wk, wv = Tensor("wq", (heads, d_q, d)), Tensor("wk", (heads, d_c, d)), Tensor("wv", (heads, d_c, d_v))
keep, scale = Tensor("keep", (n, m), "boolean"), Tensor("scale")
q, k, v = Tensor("q", (heads, n, d)), Tensor("k", (heads, m, d)), Tensor("v", (heads, m, d_v))
s, x, p = (Tensor(name, (heads, n, m)) for name in ("s", "x", "p"))
top, z, o = Tensor("top", (heads, n)), Tensor("z", (heads, n)), Tensor("o", (heads, n, d_v))

PROGRAM = Program(
    "latent_attention",
    (cq, c, qr, kr, wq, wk, wv, keep, scale),
    (
        Def(q[h, i, a], total(l, cq[i, l] * wq[h, l, a]), "queries"),
        Def(k[h, j, a], total(g, c[j, g] * wk[h, g, a]), "keys"),
        Def(v[h, j, e], total(g, c[j, g] * wv[h, g, e]), "values"),
        Def(
            s[h, i, j],
            scale[()] * (total(a, q[h, i, a] * k[h, j, a]) + total(u, qr[h, i, u] * kr[j, u])),
            "scores",
        ),
        Def(top[h, i], maximum(j, s[h, i, j], keep[i, j]), "row maximum over the keys that are kept"),
        Def(x[h, i, j], keep[i, j] * exp(s[h, i, j] - top[h, i]), "exponentials, 0 where masked", "S2"),
        Def(z[h, i], total(j, x[h, i, j]), "partition function"),
        Def(p[h, i, j], x[h, i, j] / z[h, i], "probabilities", "S1", within=(0, 1)),
        Def(o[h, i, e], total(j, p[h, i, j] * v[h, j, e]), "output"),
    ),
    (o,),
    zero_over_empty=frozenset({z}),
)


def _plain(index: Subscript) -> Index:
    assert isinstance(index, Index)
    return index


def statements() -> tuple[Statement, ...]:
    op = LATENT_ATTENTION
    return (*_forms(op), *_gradients(op), *_laws(op))


def _latent_scale(t: Tensor) -> dict[Tensor, Replacement]:
    """The latent stretched, the up-projections shrunk."""
    return {
        c: lambda key, entry: t[()] * c[key, entry],
        wk: lambda head, entry, f: wk[head, entry, f] / t[()],
        wv: lambda head, entry, f: wv[head, entry, f] / t[()],
    }


def _forms(op: Operation) -> tuple[Statement, ...]:
    P, O = op.value(p[h, i, j]), op.value(o[h, i, e])  # noqa: E741 - the output, as the paper writes it
    pi = Permutation("π", m)
    permuted: dict[Tensor, Replacement] = {
        c: lambda key, entry: c[pi(_plain(key)), entry],
        kr: lambda key, f: kr[pi(_plain(key)), f],
        keep: lambda row, key: keep[row, pi(_plain(key))],
    }
    t, w = Tensor("t"), Tensor("w", (d_r,))
    positive = Tensor("t", (), "positive")
    value = op.program.inline
    absorbed = total(g, total(a, q[h, i, a] * wk[h, g, a]) * c[j, g]) + total(u, qr[h, i, u] * kr[j, u])
    return (
        Statement(
            "S1",
            "each output is a convex blend of the values: the weights sum to 1 and none is negative",
            Equal(total(j, P), ONE),
            conjuncts=(NonNegative(P),),
        ),
        Statement(
            "S2",
            "the maximum may be treated as a constant: the total derivative of the output with respect to it is 0",
            Equal(maximum_gradient(op.program, top), ZERO),
        ),
        Statement(
            "S3",
            "absorbed scores: q·k = (wk q)·c, so that keys need not be formed",
            Equal(op.value(s[h, i, j]), value(scale[()] * absorbed)),
        ),
        Statement(
            "S4",
            "absorbed output: O = (P c) wv, so that values need not be formed",
            Equal(O, value(total(g, total(j, p[h, i, j] * c[j, g]) * wv[h, g, e]))),
        ),
        Statement(
            "S5",
            "permuting the tokens that are attended to (and the columns of the mask) leaves O unchanged",
            Equal(op.value(o[h, i, e], permuted), O),
        ),
        Statement(
            "S6",
            "the latent space has no scale: (tc, wk/t, wv/t) gives the same O",
            Equal(op.value(o[h, i, e], _latent_scale(positive)), O),
        ),
        Statement(
            "S7",
            "adding one rotated vector to every token leaves O unchanged",
            Equal(op.value(o[h, i, e], {kr: lambda key, f: kr[key, f] + t[()] * w[f]}), O),
        ),
    )


def _gradients(op: Operation) -> tuple[Statement, ...]:
    do = op.cotangent(o)
    derived, value = op.derived_vjp.inline, op.program.inline

    def ds() -> Expr:
        dp, delta = total(e, do[h, i, e] * v[h, j, e]), total(e, do[h, i, e] * o[h, i, e])
        return p[h, i, j] * (dp - delta)

    through_values = total(h, e, total(i, p[h, i, j] * do[h, i, e]) * wv[h, g, e])
    through_keys = scale[()] * total(h, a, total(i, ds() * q[h, i, a]) * wk[h, g, a])
    return (
        Statement(
            "S8",
            "dwv = cᵀ Pᵀ dO",
            Equal(
                derived(op.gradient(wv)[h, g, e]),
                value(total(j, c[j, g] * total(i, p[h, i, j] * do[h, i, e]))),
            ),
        ),
        Statement(
            "S9",
            "dwk = scale · cᵀ dSᵀ q with dS = P ∘ (dP − D), dP = dO Vᵀ, D = rowsum(dO ∘ O)",
            Equal(
                derived(op.gradient(wk)[h, g, a]),
                value(scale[()] * total(j, c[j, g] * total(i, ds() * q[h, i, a]))),
            ),
        ),
        Statement(
            "S10",
            "dc = Σ_h (Pᵀ dO wvᵀ + scale · dSᵀ q wkᵀ)",
            Equal(derived(op.gradient(c)[j, g]), value(through_values + through_keys)),
        ),
        Statement("S11", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


def _laws(op: Operation) -> tuple[Statement, ...]:
    do, t, w = op.cotangent(o), Tensor("t"), Tensor("w", (d_r,))
    return (
        Statement(
            "S12",
            "⟨dc, c⟩ = ⟨dwk, wk⟩ + ⟨dwv, wv⟩: the law of the scale of the latent space (S6)",
            Equal(pairing(op, _latent_scale(t), t, 1), ZERO),
        ),
        Statement(
            "S13",
            "Σ_j dkr[j] = 0: the law of the shift of the rotated part (S7)",
            Equal(pairing(op, {kr: lambda key, f: kr[key, f] + t[()] * w[f]}, t, 0), ZERO),
            law="zero gradient sum",
        ),
        Statement(
            "S14",
            "⟨dwv, wv⟩ = ⟨dO, O⟩: the law of the linearity in wv",
            Equal(
                pairing(op, {wv: lambda head, entry, f: t[()] * wv[head, entry, f]}, t, 1),
                op.program.inline(total(h, i, e, do[h, i, e] * o[h, i, e])),
            ),
        ),
    )


LATENT_ATTENTION = Operation(
    "latent_attention",
    "Attention whose keys and values, of every head, are projections of one latent vector per token.",
    PROGRAM,
    (cq, c, qr, kr, wq, wk, wv),
    statements,
    {
        "cq": Input("latent of the queries `[..., n, d_q]`"),
        "c": Input("latent of keys and values `[..., m, d_c]`"),
        "qr": Input("rotated part of the queries `[..., h, n, d_r]`"),
        "kr": Input("rotated part of the keys, the same for every head `[..., m, d_r]`"),
        "wq": Input("up-projection to queries `[h, d_q, d]`", shared=True),
        "wk": Input("up-projection to keys `[h, d_c, d]`", shared=True),
        "wv": Input("up-projection to values `[h, d_c, d_v]`", shared=True),
        "keep": Input("boolean mask `[..., n, m]`, True where a token may be attended to", ONE),
        "scale": Input("factor of the products", (Size(d) + Size(d_r)) ** Fraction(-1, 2)),
    },
    {"o": "output of each head `[..., h, n, d_v]`"},
    {"fully masked row": "output 0, gradients 0"},
    "DeepSeek-AI 2024, (9)–(11) and (14)–(18)",
)

OPERATIONS = (LATENT_ATTENTION,)
