"""Attention with linear biases (alibi S1–S9)."""

from __future__ import annotations

from .calculus.expr import ZERO, Expr, Index, Replacement, Tensor, total
from .calculus.operation import Operation
from .calculus.statement import Equal, Statement
from .calculus.symmetry import pairing
from .positional_program import bias, i, j, pos_k, pos_q, r, slope
from .softmax import SOFTMAX
from .softmax import n as row_dim
from .softmax import p as probabilities
from .softmax import x as logits

Inputs = dict[Tensor, Replacement]


def alibi_statements(op: Operation) -> tuple[Statement, ...]:
    """What the operation `alibi` claims."""
    t, s, u, a = Tensor("t")[()], Tensor("s")[()], Tensor("u")[()], Tensor("a")[()]
    b, scale = Tensor("b")[()], Tensor("t")
    other = Tensor("w", slope.dims)
    dbias, tslope = op.cotangent(bias), op.tangent(slope)

    def between(query: Expr, key: Expr) -> Expr:
        return op.value(bias[r, i, j], {pos_q: lambda row: query, pos_k: lambda column: key})

    def with_slopes(slopes: Tensor) -> Expr:
        return op.value(bias[r, i, j], {slope: lambda head: slopes[head]})

    shifted: Inputs = {pos_q: lambda row: pos_q[row] + a, pos_k: lambda column: pos_k[column] + a}
    blend: Inputs = {slope: lambda head: a * slope[head] + b * other[head]}
    scaled: Inputs = {slope: lambda head: scale[()] * slope[head]}
    one, key = Index("i", row_dim), Tensor("key", (row_dim,))
    return (
        Statement(
            "S1",
            "only distances matter: shifting all positions leaves the bias unchanged",
            Equal(op.value(bias[r, i, j], shifted), op.value(bias[r, i, j])),
            law="shift",
        ),
        Statement(
            "S2", "it is 0 where a key has the position of the query", Equal(between(t, t), ZERO), law="zero distance"
        ),
        Statement(
            "S3",
            "it adds along a path: bias(t, s) + bias(s, u) = bias(t, u)",
            Equal(between(t, s) + between(s, u), between(t, u)),
        ),
        Statement(
            "S4",
            "linear in the slopes: bias(a·slope + b·w) = a·bias(slope) + b·bias(w)",
            Equal(op.value(bias[r, i, j], blend), a * with_slopes(slope) + b * with_slopes(other)),
            law="linear",
        ),
        Statement(
            "S5",
            "to a softmax over the keys, slope · pos_k is the same bias",
            Equal(
                SOFTMAX.value(probabilities[one], {logits: lambda place: logits[place] + between(t, key[place])}),
                SOFTMAX.value(probabilities[one], {logits: lambda place: logits[place] + slope[r] * key[place]}),
            ),
            law="keys alone",
        ),
        Statement(
            "S6",
            "dslope[r] = −Σ_ij dbias[r,i,j] (pos_q[i] − pos_k[j]) is the vector-Jacobian product",
            Equal(op.derived_vjp.inline(op.gradient(slope)[r]), -total(i, j, dbias[r, i, j] * (pos_q[i] - pos_k[j]))),
        ),
        Statement(
            "S7",
            "tbias[r,i,j] = −tslope[r] (pos_q[i] − pos_k[j]) is the Jacobian-vector product",
            Equal(op.derived_jvp.inline(op.tangent(bias)[r, i, j]), -tslope[r] * (pos_q[i] - pos_k[j])),
        ),
        Statement("S8", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S9",
            "⟨dslope, slope⟩ = ⟨dbias, bias⟩: the law of S4",
            Equal(
                pairing(op, scaled, scale, 1),
                total(r, i, j, dbias[r, i, j] * op.program.inline(bias[r, i, j])),
            ),
            law="pairing",
        ),
    )
