"""Causal attention with a fault: the mask lets each query see one key too many."""

from __future__ import annotations

from dataclasses import replace

from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.attention_program import e, i, k, keep, o, r, v
from lemmata.derivations.calculus.expr import Index, Predicate, Replacement, Tensor, at_least, position
from lemmata.derivations.calculus.statement import Equal, Statement

present = Index("t", i.dim)
dk, dv = Tensor("Δk", k.dims), Tensor("Δv", v.dims)


def statements() -> tuple[Statement, ...]:
    causal: dict[Tensor, Replacement] = {keep: lambda g, row, key: keep[g, row, key] * at_least(position(row) + 1, key)}
    future: dict[Tensor, Replacement] = {
        **causal,
        k: lambda key, f: k[key, f] + Predicate(position(key) - present - 1) * dk[key, f],
        v: lambda key, f: v[key, f] + Predicate(position(key) - present - 1) * dv[key, f],
    }
    claim = Equal(
        ATTENTION.value(o[r, i, e], future),
        ATTENTION.value(o[r, i, e], causal),
        (Predicate(position(present) - i),),
    )
    return (Statement("S1", "O[i], i ≤ t, does not depend on later keys", claim),)


OPERATIONS = (replace(ATTENTION, name="causal_off_by_one", statements=statements),)
