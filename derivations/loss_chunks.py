"""Fused linear layer and cross-entropy: the logits are never held as a whole, neither along the vocabulary nor along
the rows."""

from __future__ import annotations

from .calculus.blocks import Part, Split
from .calculus.expr import (
    ZERO,
    Delta,
    Dim,
    Expr,
    Index,
    Larger,
    Replacement,
    Subscript,
    Tensor,
    exp,
    log,
    maximum,
    total,
)
from .calculus.operation import Operation
from .calculus.statement import Equal, Statement
from .calculus.symmetry import pairing
from .loss_program import (
    CROSS_ENTROPY_PROGRAM,
    V,
    c,
    h,
    i,
    keep,
    loss,
    maximum_statement,
    mean,
    n,
    row_cotangent,
    target,
    u,
    v,
    w,
    weight,
    weighted_share,
    whole,
    without_z,
    x,
    zeta,
)

VOCABULARY = Split(V, Dim("V1"), Dim("V2"))
ROWS = Split(n, Dim("n1"), Dim("n2"))
_PARTS: tuple[Part, ...] = (1, 2)


def linear_statements(op: Operation, cross_entropy: Operation) -> tuple[Statement, ...]:
    """What holds of the cross-entropy of h Wᵀ, in terms of that of given logits."""
    logits: dict[Tensor, Replacement] = {x: _logit}
    dh, dw = op.gradient(h), op.gradient(w)
    derived = op.derived_vjp.inline
    th, tw = op.tangent(h), op.tangent(w)
    shift, t = Tensor("b", (w.dims[1],)), Tensor("t")

    def tx(row: Index, column: Subscript) -> Expr:
        return total(c, th[row, c] * w[column, c] + h[row, c] * tw[column, c])

    along: dict[Tensor, Replacement] = {**logits, cross_entropy.tangent(x): tx}

    def same_tangent(output: Tensor, *at: Index) -> Equal:
        of_logits = cross_entropy.derived_jvp.inline(cross_entropy.tangent(output)[at], along)
        return Equal(op.derived_jvp.inline(op.tangent(output)[at]), of_logits)

    return (
        Statement(
            "S1",
            "it is the cross-entropy of the logits H Wᵀ, in all reductions",
            Equal(op.value(loss[i]), CROSS_ENTROPY_PROGRAM.inline(loss[i], logits)),
            conjuncts=tuple(
                Equal(op.value(reduced[()]), CROSS_ENTROPY_PROGRAM.inline(reduced[()], logits))
                for reduced in (whole, mean)
            ),
            law="logits",
        ),
        maximum_statement(op),
        Statement(
            "S3",
            "dH = dX W and dW = dXᵀ H, with dX = g (weight[t(i)] (p − δ[t(i),v]) + 2 ζ lse p)",
            Equal(derived(dh[i, c]), total(v, _dx(op, i, v) * w[v, c])),
            conjuncts=(Equal(derived(dw[v, c]), total(i, _dx(op, i, v) * h[i, c])),),
        ),
        Statement(
            "S4",
            "the Jacobian-vector product is that of cross_entropy along tX = tH Wᵀ + H tWᵀ, in all reductions",
            same_tangent(loss, i),
            conjuncts=(same_tangent(whole), same_tangent(mean)),
        ),
        Statement("S5", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S6",
            "Σ_v dw[v] = 0 without z-loss: the law of W + 1bᵀ, which shifts each row of logits",
            Equal(derived(total(v, dw[v, c]), without_z), ZERO),
            conjuncts=(
                Equal(pairing(op, {w: lambda row, f: w[row, f] + t[()] * shift[f]}, t, 0, without_z), ZERO),
                Equal(
                    op.value(loss[i], {w: lambda row, f: w[row, f] + shift[f], **without_z}),
                    op.value(loss[i], without_z),
                ),
            ),
            law="zero gradient sum",
        ),
        *_vocabulary_chunks(op),
        _row_chunks(op),
    )


def _logit(row: Subscript, column: Subscript) -> Expr:
    return total(c, h[row, c] * w[column, c])


def _dx(op: Operation, row: Index, column: Index) -> Expr:
    """The gradient of the logits, the probabilities from the log-sum-exp."""
    lse = log(total(u, exp(_logit(row, u))))
    p = exp(_logit(row, column) - lse)
    slope = weight[target(row)] * (p - Delta(target(row), column)) + 2 * zeta[()] * lse * p
    return row_cotangent(op, weighted_share, row) * slope


class _Chunk:
    """One part of the vocabulary: its logits and the quantities that a kernel keeps for it."""

    def __init__(self, which: Part) -> None:
        self.dim = VOCABULARY.part(which)
        self.w, self.weight = VOCABULARY.tensor(w, which), VOCABULARY.tensor(weight, which)
        self.hit = VOCABULARY.one_hot(target, which)

    def index(self) -> Index:
        return Index("v", self.dim)

    def logit(self, column: Index) -> Expr:
        return total(c, h[i, c] * self.w[column, c])

    def maximum(self) -> Expr:
        column = self.index()
        return maximum(column, self.logit(column))

    def partition(self) -> Expr:
        column = self.index()
        return total(column, exp(self.logit(column) - self.maximum()))

    def picked(self) -> Expr:
        """The logit of the target if it lies in this part, else 0."""
        column = self.index()
        return total(column, self.hit[i, column] * self.logit(column))

    def picked_weight(self) -> Expr:
        column = self.index()
        return total(column, self.hit[i, column] * self.weight[column])


def _vocabulary_chunks(op: Operation) -> tuple[Statement, ...]:
    chunks = tuple(_Chunk(which) for which in _PARTS)
    one, two = chunks
    top = Larger(one.maximum(), two.maximum())
    z = one.partition() * exp(one.maximum() - top) + two.partition() * exp(two.maximum() - top)
    lse = top + log(z)
    picked, picked_weight = one.picked() + two.picked(), one.picked_weight() + two.picked_weight()
    g = VOCABULARY.apply(row_cotangent(op, weighted_share))
    dh, dw = op.gradient(h), op.gradient(w)

    def dx(chunk: _Chunk, column: Index) -> Expr:
        p = exp(chunk.logit(column) - lse)
        return g * (picked_weight * (p - chunk.hit[i, column]) + 2 * zeta[()] * lse * p)

    def added() -> Expr:
        parts = []
        for chunk in chunks:
            column = chunk.index()
            parts.append(total(column, dx(chunk, column) * chunk.w[column, c]))
        return parts[0] + parts[1]

    def own(which: Part) -> Equal:
        chunk, column = chunks[which - 1], Index("v", VOCABULARY.part(which))
        whole_dw = VOCABULARY.apply(op.derived_vjp.inline(dw[v, c]), {v: (which, column)})
        return Equal(whole_dw, total(i, dx(chunk, column) * h[i, c]))

    return (
        Statement(
            "S7",
            "in two chunks of the vocabulary: a running maximum and sum, and the logit of the target from its chunk",
            Equal(
                VOCABULARY.apply(op.value(loss[i])),
                keep[i] * (picked_weight * (lse - picked) + zeta[()] * lse**2),
            ),
            law="vocabulary chunks",
        ),
        Statement(
            "S8",
            "in two chunks of the vocabulary: dH adds over the chunks, dW stands in its own, P from the LSE",
            Equal(VOCABULARY.apply(op.derived_vjp.inline(dh[i, c])), added()),
            conjuncts=(own(1), own(2)),
        ),
    )


def _row_chunks(op: Operation) -> Statement:
    dh, dw = op.gradient(h), op.gradient(w)
    starts = {which: Index("i", ROWS.part(which)) for which in _PARTS}

    def of(expr: Expr, which: Part) -> Expr:
        return ROWS.apply(expr, {i: (which, starts[which])})

    def over(expr: Expr) -> Expr:
        """The sum over the rows of both parts."""
        first, second = (total(starts[which], of(expr, which)) for which in _PARTS)
        return first + second

    return Statement(
        "S9",
        "in two chunks of the rows: the losses and dW add, dH stands in its own; both need the norm of the mean alone",
        Equal(ROWS.apply(op.value(whole[()])), over(op.value(loss[i]))),
        conjuncts=(
            Equal(ROWS.apply(op.derived_vjp.inline(dw[v, c])), over(_dx(op, i, v) * h[i, c])),
            *(
                Equal(
                    of(op.derived_vjp.inline(dh[i, c]), which),
                    total(v, of(_dx(op, i, v), which) * w[v, c]),
                )
                for which in _PARTS
            ),
        ),
        law="row chunks",
    )
