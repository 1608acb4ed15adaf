"""What holds of attention with capped products (softcap)."""

from __future__ import annotations

from .attention_program import bias, c, cap, e, i, j, k, lse, m, o, p, q, r, s, scale, v
from .calculus.differentiate import maximum_gradient
from .calculus.expr import ONE, ZERO, Expr, Tensor, tanh, total
from .calculus.operation import Operation
from .calculus.statement import Equal, NonNegative, Statement
from .calculus.symmetry import pairing


def softcap_statements(op: Operation) -> tuple[Statement, ...]:
    P = op.value(p[r, i, j])
    w, unit = Tensor("w", v.dims), Tensor("t")
    do, dlse = op.cotangent(o), op.cotangent(lse)
    value = op.program.inline
    t2 = tanh(s[r, i, j] / cap[()]) ** 2

    def dt() -> Expr:
        D = total(e, do[r, i, e] * o[r, i, e]) - dlse[r, i]
        return p[r, i, j] * (total(e, do[r, i, e] * v[j, e]) - D)

    return (
        Statement(
            "S1",
            "each output is a convex blend of the rows of V",
            Equal(total(j, P), ONE),
            conjuncts=(NonNegative(P),),
            law="convex blend",
        ),
        Statement(
            "S2",
            "the maximum may be treated as a constant",
            Equal(maximum_gradient(op.program, m), ZERO),
        ),
        Statement(
            "S3",
            "linear in V: O(V + W) = O(V) + O(W)",
            Equal(
                op.value(o[r, i, e], {v: lambda key, f: v[key, f] + w[key, f]}),
                op.value(o[r, i, e]) + op.value(o[r, i, e], {v: lambda key, f: w[key, f]}),
            ),
            law="linear in V",
        ),
        Statement(
            "S4",
            "dQ = scale · dS K with dS = dT ∘ (1 − tanh²(S/cap)) and dT = P ∘ (dP − D); dK and dV likewise",
            Equal(
                op.derived_vjp.inline(op.gradient(q)[r, i, c]),
                value(scale[()] * total(j, dt() * (1 - t2) * k[j, c])),
            ),
            conjuncts=(
                Equal(
                    op.derived_vjp.inline(op.gradient(k)[j, c]),
                    value(scale[()] * total(r, i, dt() * (1 - t2) * q[r, i, c])),
                ),
                Equal(op.derived_vjp.inline(op.gradient(v)[j, e]), value(total(r, i, p[r, i, j] * do[r, i, e]))),
                Equal(op.derived_vjp.inline(op.gradient(bias)[r, i, j]), value(dt())),
            ),
        ),
        Statement("S5", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S6",
            "⟨dV, V⟩ = ⟨dO, O⟩",
            Equal(
                pairing(op, {v: lambda key, f: unit[()] * v[key, f]}, unit, 1),
                value(total(r, i, e, do[r, i, e] * o[r, i, e])),
            ),
            law="value pairing",
        ),
        Statement(
            "S7",
            "each row of dT sums to dLSE: the law of the shift invariance of softmax (t is S after the cap)",
            Equal(value(total(j, dt())), dlse[r, i]),
        ),
    )
