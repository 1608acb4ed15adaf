"""Masks and independence: causality, alignments, windows, ALiBi, heads (S7–S9, S24–S27)."""

from __future__ import annotations

from collections.abc import Callable

from .attention_program import bias, c, e, i, j, k, keep, lse, m_dim, n, o, q, r, r_dim, scale, v
from .calculus.expr import (
    ONE,
    Delta,
    Dim,
    Expr,
    Index,
    Place,
    Predicate,
    Replacement,
    Subscript,
    Tensor,
    at_least,
    plain,
    position,
)
from .calculus.operation import Operation
from .calculus.statement import Equal, Statement, Step

Inputs = dict[Tensor, Replacement]


def independence_statements(op: Operation) -> tuple[Statement, ...]:
    t = Index("t", n)  # the present
    causal: Inputs = {keep: lambda g, row, key: keep[g, row, key] * at_least(plain(row), plain(key))}
    dq, dk, dv = (Tensor(f"Δ{x.name}", x.dims) for x in (q, k, v))
    other: Inputs = {q: lambda g, row, f: q[g, row, f] + (1 - Delta(g, r)) * dq[g, row, f]}

    def after(key: Subscript) -> Expr:
        """1 for a position after the present."""
        return Predicate(position(plain(key)) - t - 1)

    future: Inputs = {
        **causal,
        k: lambda key, f: k[key, f] + after(key) * dk[key, f],
        v: lambda key, f: v[key, f] + after(key) * dv[key, f],
    }
    past = (Predicate(position(t) - i),)  # i ≤ t
    do, dlse, gradient = op.cotangent(o), op.cotangent(lse), op.gradient
    d_do, d_dlse = Tensor("Δdo", do.dims), Tensor("Δdlse", dlse.dims)

    def before(row: Subscript) -> Expr:
        """1 for a query before the present."""
        return Predicate(position(t) - plain(row) - 1)

    earlier: Inputs = {
        **causal,
        q: lambda g, row, f: q[g, row, f] + before(row) * dq[g, row, f],
        do: lambda g, row, f: do[g, row, f] + before(row) * d_do[g, row, f],
        dlse: lambda g, row: dlse[g, row] + before(row) * d_dlse[g, row],
    }
    at_or_after = (Predicate(position(j) - t),)  # t ≤ j
    return (
        Statement(
            "S7",
            "heads are independent: changing the queries of another head leaves O and the LSE of this one unchanged",
            Equal(op.value(o[r, i, e], other), op.value(o[r, i, e])),
            conjuncts=(Equal(op.value(lse[r, i], other), op.value(lse[r, i])),),
            law="independence",
        ),
        Statement(
            "S8",
            "causal: for i ≤ t, O[i] and LSE[i] do not change when keys and values after t change",
            Equal(op.value(o[r, i, e], future), op.value(o[r, i, e], causal), past),
            conjuncts=(Equal(op.value(lse[r, i], future), op.value(lse[r, i], causal), past),),
            law="causality",
        ),
        Statement(
            "S9",
            "causal: dQ[i], i ≤ t, is the same whatever follows t; dK[j] and dV[j], j ≥ t, whatever queries precede t",
            Equal(op.vjp.inline(gradient(q)[r, i, c], future), op.vjp.inline(gradient(q)[r, i, c], causal), past),
            conjuncts=tuple(
                Equal(op.vjp.inline(entry, earlier), op.vjp.inline(entry, causal), at_or_after)
                for entry in (gradient(k)[j, c], gradient(v)[j, e])
            ),
            law="causality of the gradient",
        ),
    )


def mask_statements(op: Operation) -> tuple[Statement, ...]:
    width = Dim("w")
    slope = Tensor("slope", (r_dim,))
    more = (Predicate(position(width) - n),)  # w ≥ n

    def masked(*conditions: Callable[[Index, Index], Expr]) -> Inputs:
        def masks(g: Subscript, row: Subscript, key: Subscript) -> Expr:
            product: Expr = keep[g, row, key]
            for condition in conditions:
                product = product * condition(plain(row), plain(key))
            return product

        return {keep: masks}

    def top_left(row: Index, key: Index) -> Expr:
        return at_least(row, key)

    def bottom_right(row: Index, key: Index) -> Expr:
        return at_least(position(row) + m_dim - n, key)

    def window(row: Index, key: Index) -> Expr:
        return at_least(position(key) + width, position(row) + 1)

    def distance(row: Subscript, key: Subscript) -> Expr:
        return Place(position(plain(row)) - plain(key))

    both = (Predicate(position(n) - m_dim), Predicate(position(m_dim) - n))  # n = m
    return (
        Statement(
            "S24",
            "the scale belongs to the queries: attention(q, scale) = attention(scale · q, 1)",
            Equal(
                op.value(o[r, i, e]),
                op.value(o[r, i, e], {q: lambda g, row, f: scale[()] * q[g, row, f], scale: lambda: ONE}),
            ),
        ),
        Statement(
            "S25",
            "the two causal alignments agree when there are as many queries as keys",
            Equal(
                op.program.inline(o[r, i, e], masked(top_left)),
                op.program.inline(o[r, i, e], masked(bottom_right)),
                both,
            ),
            chain=(Step(op.value(o[r, i, e], masked(top_left, bottom_right)), "each alignment implies the other"),),
        ),
        Statement(
            "S26",
            "a sliding window of at least as many keys as there are queries is the causal mask",
            Equal(op.value(o[r, i, e], masked(top_left, window)), op.value(o[r, i, e], masked(top_left)), more),
        ),
        Statement(
            "S27",
            "ALiBi: only distances matter, so −slope · (i − j) and slope · j give the same O",
            Equal(
                op.value(o[r, i, e], {bias: lambda g, row, key: -slope[g] * distance(row, key)}),
                op.value(o[r, i, e], {bias: lambda g, row, key: slope[g] * Place(position(plain(key)))}),
            ),
        ),
    )
