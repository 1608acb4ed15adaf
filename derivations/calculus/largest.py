"""The larger of two values as an atom: flat, unordered, with what all members share taken out."""

from __future__ import annotations

from collections.abc import Iterable

from .polynomial import Atom, Poly, atom_poly


def larger(parts: Iterable[Poly]) -> Poly:
    """The largest of some polynomials; terms common to all are pulled out."""
    flat: set[Poly] = set()
    for part in parts:
        nested = [
            (m, a)
            for m, c in part.terms.items()
            if c == 1 and len(m) == 1
            for a, e in m
            if a.kind == "larger" and e == 1
        ]
        if len(nested) == 1:
            m, atom = nested[0]
            rest = part - Poly({m: 1})
            flat |= {member + rest for member in atom.args[0]}
        else:
            flat.add(part)
    first = next(iter(flat))
    if len(flat) == 1:
        return first
    common = Poly({m: c for m, c in first.terms.items() if all(p.terms.get(m) == c for p in flat)})
    members = frozenset(p - common for p in flat)
    free = frozenset().union(*(p.free for p in members))
    return common + atom_poly(Atom("larger", (members,), free, max(p.top for p in members)))
