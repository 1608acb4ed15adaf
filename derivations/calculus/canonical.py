"""Canonical labelling of a product that is connected by its bound indices.

Two products that differ in the names of bound indices alone must become the same. The indices are first told apart by
colour refinement (an index is described by the factors it occurs in, with the other indices described by their
colours);
indices that are still alike are individualised one after the other, and the order whose rendering comes first is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from .index import Index
from .polynomial import Atom, Bound, Ix, Monomial, Rational, monomial_free

Named = TypeVar("Named", Index, Bound)
MAX_LEAVES = 5_040  # orders tried inside a class of alike indices; beyond it equal products may look different


def canonical_order(indices: frozenset[Named], powers: Mapping[Atom, Rational]) -> list[Named]:
    """The indices in canonical order."""
    if len(indices) == 1:
        return list(indices)
    start = {index: index.dim.name for index in indices}
    best: tuple[str, list[Named]] | None = None
    leaves = 0
    stack = [_refine(start, powers)]
    while stack and leaves < MAX_LEAVES:
        colours = stack.pop()
        cell = _first_shared(colours)
        if cell is None:
            leaves += 1
            order = sorted(colours, key=lambda index: colours[index])
            names: dict[Ix, str] = {index: f"<{k}>" for k, index in enumerate(order)}
            shown = _render(powers, names)
            if best is None or shown < best[0]:
                best = (shown, order)
            continue
        for chosen in cell:
            stack.append(_refine({**colours, chosen: colours[chosen] + "!"}, powers))
    assert best is not None
    return best[1]


def _render(powers: Mapping[Atom, Rational], names: Mapping[Ix, str]) -> str:
    return "·".join(sorted(f"{atom.render(names)}^{e}" for atom, e in powers.items()))


def _first_shared(colours: Mapping[Named, str]) -> list[Named] | None:
    """The indices of the first colour that several share."""
    classes: dict[str, list[Named]] = {}
    for index, colour in colours.items():
        classes.setdefault(colour, []).append(index)
    shared = sorted(colour for colour, members in classes.items() if len(members) > 1)
    return classes[shared[0]] if shared else None


def _refine(colours: dict[Named, str], powers: Mapping[Atom, Rational]) -> dict[Named, str]:
    """Colours made finer until the number of classes stays the same."""
    count = 0
    while count != len(set(colours.values())):
        count = len(set(colours.values()))
        descriptions: dict[Named, str] = {}
        for index in colours:
            names: dict[Ix, str] = {**{other: f"({c})" for other, c in colours.items()}, index: "*"}
            seen = sorted(f"{a.render(names)}^{e}" for a, e in powers.items() if index in a.free)
            descriptions[index] = f"{colours[index]}|{';'.join(seen)}"
        ranks = {d: f"{k:04d}" for k, d in enumerate(sorted(set(descriptions.values())))}
        colours = {index: ranks[d] for index, d in descriptions.items()}
        if len(set(colours.values())) == len(colours):
            break
    return colours


def components(indices: frozenset[Index], powers: Mapping[Atom, Rational]) -> list[frozenset[Index]]:
    """The indices in groups that no factor connects: a sum over several groups is the product of their sums."""
    groups = [frozenset({index}) for index in indices]
    for atom in powers:
        touched = [g for g in groups if not g.isdisjoint(atom.free)]
        if len(touched) > 1:
            groups = [g for g in groups if g not in touched] + [frozenset().union(*touched)]
    return groups


def anonymous(m: Monomial) -> tuple[str, str]:
    """An order of monomials that depends on the names of indices as little as possible."""
    return nameless(m), "·".join(sorted(f"{a.render({})}^{e}" for a, e in m))


def nameless(m: Monomial) -> str:
    """A description that does not depend on the names of indices; different monomials may share one."""
    names: dict[Ix, str] = {ix: ix.dim.name for ix in monomial_free(m)}
    return "·".join(sorted(f"{a.render(names)}^{e}" for a, e in m))
