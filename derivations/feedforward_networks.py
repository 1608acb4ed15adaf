"""What holds of the feed-forward networks: two layers with gelu, and the gated one with silu."""

from __future__ import annotations

from .calculus.expr import ZERO, Delta, Expr, Index, Permutation, Replacement, Tensor, plain, sigmoid, total
from .calculus.operation import Operation
from .calculus.statement import Equal, Statement
from .calculus.symmetry import pairing
from .feedforward_program import (
    GATE,
    UP,
    A,
    H,
    M,
    X,
    Y,
    b_1,
    b_2,
    c,
    d_f,
    e,
    f,
    i,
    n,
    normal_cdf,
    normal_density,
    v,
    w,
    w_1,
    w_2,
    w_out,
)
from .feedforward_program import x as feature
from .feedforward_program import y as activated

t = Tensor("t")
pi, rho = Permutation("π", d_f), Permutation("ρ", n)


def _tokenwise(op: Operation, label: str) -> Statement:
    """Each token by itself: other tokens change neither its output nor the gradient of its input."""
    dY, here = op.cotangent(Y), Index("j", n)

    def changed(tensor: Tensor) -> Replacement:
        delta = Tensor(f"Δ{tensor.name}", tensor.dims)
        return lambda row, k: tensor[row, k] + (1 - Delta(row, here)) * delta[row, k]

    others = {X: changed(X)}
    gradient = op.vjp.inline(op.gradient(X)[here, c], {**others, dY: changed(dY)})
    return Statement(
        label,
        "tokens are independent: other tokens, and their cotangents, change neither y[j] nor dx[j]",
        Equal(op.value(Y[here, e], others), op.value(Y[here, e])),
        conjuncts=(Equal(gradient, op.vjp.inline(op.gradient(X)[here, c])),),
        law="independence",
    )


def _permuted_tokens(op: Operation, label: str, weight: Tensor) -> Statement:
    """Equivariance; the gradient of a parameter sums over the tokens, in whatever order."""
    dY = op.cotangent(Y)
    moved: dict[Tensor, Replacement] = {
        X: lambda row, k: X[rho(plain(row)), k],
        dY: lambda row, k: dY[rho(plain(row)), k],
    }
    entry = op.gradient(weight)[(f, c) if weight.dims[0] == d_f else (c, f)]
    return Statement(
        label,
        f"permuting the tokens permutes the rows of Y and leaves {op.gradient(weight).name} unchanged",
        Equal(op.value(Y[i, e], {X: moved[X]}), op.value(Y[rho(i), e])),
        conjuncts=(Equal(op.vjp.inline(entry, moved), op.vjp.inline(entry)),),
        law="token permutation",
    )


def feed_forward_statements(op: Operation, gelu: Operation) -> tuple[Statement, ...]:
    value, derived = op.program.inline, op.derived_vjp.inline
    dY = op.cotangent(Y)
    tX, tw_1, tb_1, tw_2, tb_2 = (op.tangent(tensor) for tensor in (X, w_1, b_1, w_2, b_2))
    slope = normal_cdf(H[i, f]) + H[i, f] * normal_density(H[i, f])
    hidden: dict[Tensor, Replacement] = {
        w_1: lambda k, feature: w_1[pi(plain(k)), feature],
        b_1: lambda k: b_1[pi(plain(k))],
        w_2: lambda out, k: w_2[out, pi(plain(k))],
    }

    def dh() -> Expr:
        return total(e, dY[i, e] * w_2[e, f]) * slope

    th = total(c, tX[i, c] * w_1[f, c]) + total(c, X[i, c] * tw_1[f, c]) + tb_1[f]
    return (
        Statement(
            "S1",
            "y = gelu(x W₁ᵀ + b₁) W₂ᵀ + b₂",
            Equal(
                op.value(Y[i, e]),
                value(total(f, gelu.value(activated[c], {feature: lambda _: H[i, f]}) * w_2[e, f]) + b_2[e]),
            ),
        ),
        _tokenwise(op, "S2"),
        _permuted_tokens(op, "S3", w_1),
        Statement(
            "S4",
            "permuting the hidden features, in W₁, b₁ and W₂ alike, leaves Y unchanged",
            Equal(op.value(Y[i, e], hidden), op.value(Y[i, e])),
            law="hidden permutation",
        ),
        Statement(
            "S5",
            "dX = dH W₁ with dH = (dY W₂) ∘ (Φ(H) + H φ(H))",
            Equal(derived(op.gradient(X)[i, c]), value(total(f, dh() * w_1[f, c]))),
        ),
        Statement(
            "S6",
            "dW₁ = dHᵀ X and db₁ = Σ_i dH[i]",
            Equal(derived(op.gradient(w_1)[f, c]), value(total(i, dh() * X[i, c]))),
            conjuncts=(Equal(derived(op.gradient(b_1)[f]), value(total(i, dh()))),),
        ),
        Statement(
            "S7",
            "dW₂ = dYᵀ gelu(H) and db₂ = Σ_i dY[i]",
            Equal(derived(op.gradient(w_2)[e, f]), value(total(i, dY[i, e] * A[i, f]))),
            conjuncts=(Equal(derived(op.gradient(b_2)[e]), total(i, dY[i, e])),),
        ),
        Statement(
            "S8",
            "tY = (tH ∘ gelu′(H)) W₂ᵀ + gelu(H) tW₂ᵀ + tb₂ with tH = tX W₁ᵀ + X tW₁ᵀ + tb₁",
            Equal(
                op.derived_jvp.inline(op.tangent(Y)[i, e]),
                value(total(f, th * slope * w_2[e, f] + A[i, f] * tw_2[e, f]) + tb_2[e]),
            ),
        ),
        Statement("S9", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S10",
            "⟨dW₂, W₂⟩ + ⟨db₂, b₂⟩ = ⟨dY, Y⟩: the output is linear in (W₂, b₂)",
            Equal(
                pairing(op, {w_2: lambda out, k: t[()] * w_2[out, k], b_2: lambda out: t[()] * b_2[out]}, t, 1),
                value(total(i, e, dY[i, e] * Y[i, e])),
            ),
            law="pairing",
        ),
        Statement(
            "S11",
            "⟨dW₁, W₁⟩ + ⟨db₁, b₁⟩ = ⟨dH, H⟩: the hidden features are linear in (W₁, b₁)",
            Equal(
                pairing(op, {w_1: lambda k, col: t[()] * w_1[k, col], b_1: lambda k: t[()] * b_1[k]}, t, 1),
                value(total(i, f, dh() * H[i, f])),
            ),
            law="hidden pairing",
        ),
    )


def swiglu_feed_forward_statements(op: Operation, silu: Operation) -> tuple[Statement, ...]:
    value, derived = op.program.inline, op.derived_vjp.inline
    dY = op.cotangent(Y)
    tX, tw, tv, tw_out = (op.tangent(tensor) for tensor in (X, w, v, w_out))
    logistic = sigmoid(GATE[i, f])
    slope = logistic * (1 + GATE[i, f] * (1 - logistic))
    hidden: dict[Tensor, Replacement] = {
        w: lambda k, col: w[k, pi(plain(col))],
        v: lambda k, col: v[k, pi(plain(col))],
        w_out: lambda row, out: w_out[pi(plain(row)), out],
    }
    rescaled: dict[Tensor, Replacement] = {
        v: lambda k, col: v[k, col] / t[()],
        w_out: lambda row, out: t[()] * w_out[row, out],
    }

    def dm() -> Expr:
        return total(e, dY[i, e] * w_out[f, e])

    def dg() -> Expr:
        return dm() * UP[i, f] * slope

    def du() -> Expr:
        return dm() * A[i, f]

    tg = total(c, tX[i, c] * w[c, f]) + total(c, X[i, c] * tw[c, f])
    tu = total(c, tX[i, c] * v[c, f]) + total(c, X[i, c] * tv[c, f])
    return (
        Statement(
            "S1",
            "y = (silu(x W) ∘ x V) W₂",
            Equal(
                op.value(Y[i, e]),
                value(
                    total(f, silu.value(activated[c], {feature: lambda _: GATE[i, f]}) * UP[i, f] * w_out[f, e]),
                ),
            ),
        ),
        _tokenwise(op, "S2"),
        _permuted_tokens(op, "S3", w),
        Statement(
            "S4",
            "permuting the hidden features, in W, V and W₂ alike, leaves Y unchanged",
            Equal(op.value(Y[i, e], hidden), op.value(Y[i, e])),
            law="hidden permutation",
        ),
        Statement(
            "S5",
            "dX = dG Wᵀ + dU Vᵀ with dM = dY W₂ᵀ, dU = dM ∘ silu(G), dG = dM ∘ U ∘ silu′(G), G = XW, U = XV",
            Equal(derived(op.gradient(X)[i, c]), value(total(f, dg() * w[c, f] + du() * v[c, f]))),
        ),
        Statement(
            "S6",
            "dW = Xᵀ dG and dV = Xᵀ dU",
            Equal(derived(op.gradient(w)[c, f]), value(total(i, X[i, c] * dg()))),
            conjuncts=(Equal(derived(op.gradient(v)[c, f]), value(total(i, X[i, c] * du()))),),
        ),
        Statement(
            "S7",
            "dW₂ = Mᵀ dY with M = silu(G) ∘ U",
            Equal(derived(op.gradient(w_out)[f, e]), value(total(i, M[i, f] * dY[i, e]))),
        ),
        Statement(
            "S8",
            "tY = tM W₂ + M tW₂ with tM = tG ∘ silu′(G) ∘ U + silu(G) ∘ tU, tG = tX W + X tW, tU = tX V + X tV",
            Equal(
                op.derived_jvp.inline(op.tangent(Y)[i, e]),
                value(total(f, (tg * slope * UP[i, f] + A[i, f] * tu) * w_out[f, e] + M[i, f] * tw_out[f, e])),
            ),
        ),
        Statement("S9", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S10",
            "⟨dW₂, W₂⟩ = ⟨dY, Y⟩: the output is linear in W₂",
            Equal(
                pairing(op, {w_out: lambda row, out: t[()] * w_out[row, out]}, t, 1),
                value(total(i, e, dY[i, e] * Y[i, e])),
            ),
            law="pairing",
        ),
        Statement(
            "S11",
            "(V/a, aW₂) gives the same Y, so that ⟨dV, V⟩ = ⟨dW₂, W₂⟩",
            Equal(pairing(op, rescaled, t, 1), ZERO),
            conjuncts=(Equal(op.value(Y[i, e], rescaled), op.value(Y[i, e])),),
            law="rescaling",
        ),
    )
