"""Factors that are 0 or 1: predicates and Kronecker deltas, as atoms of the normal form."""

from __future__ import annotations

from .index import Dim
from .polynomial import ONE_POLY, ZERO_POLY, Atom, Bound, Image, Ix, Poly, atom_poly, with_inner
from .predicates import Form, holds, infeasible


def predicate(form: Form) -> Poly:
    """[form ≥ 0]: 1 if it always holds, 0 if it never does."""
    if holds(form):
        return ONE_POLY
    if infeasible([form]):
        return ZERO_POLY
    free = frozenset(t for t, _ in form[0] if not isinstance(t, Dim))
    return atom_poly(Atom("pred", form, free, 0))


def delta(left: Ix, right: Ix) -> Poly:
    """1 if the indices are equal."""
    if left == right:
        return ONE_POLY
    pair = frozenset({left, right})
    return atom_poly(Atom("delta", (pair,), with_inner(pair), 0))


def index_order(ix: Ix) -> tuple[int, str]:
    """Of two indices that a delta makes equal, the first in this order survives: named first, bound further out, an
    image last, because an index reads more simply than a lookup."""
    if isinstance(ix, Image):
        return 2, f"{ix.map.name}({index_order(ix.ix)})"
    return (1, f"{ix.number:06d}") if isinstance(ix, Bound) else (0, ix.name)
