"""Sums and maxima over indices, and the renaming of indices.

A Kronecker delta is eliminated by substitution; an unused bound index becomes its extent; the sum that is left is split
into the connected components of its bound indices, each labelled canonically. Renaming puts what it changes in normal
form again, so that sums and renaming call each other.
"""

from __future__ import annotations

from collections.abc import Mapping

from .canonical import canonical_order, components
from .functions import exponential, function
from .index import Dim, Index, Permutation
from .indicators import delta, index_order, predicate
from .largest import larger
from .polynomial import (
    ONE_POLY,
    ZERO_POLY,
    Atom,
    Bound,
    Image,
    Ix,
    Poly,
    Rational,
    atom_poly,
    entry_atom,
    monomial_free,
    monomial_top,
    place_atom,
    size_atom,
    total_poly,
    unbound,
)
from .predicates import make_form
from .products import NotComposed, TooLarge, monomial, multiply, power, product_of


def sum_over(indices: frozenset[Index], body: Poly) -> Poly:
    """The sum of a polynomial over the whole range of some indices."""
    result = ZERO_POLY
    for m, c in body.terms.items():
        result = result + _sum_term(indices, dict(m)).scaled(c)
    return result


def _sum_term(indices: frozenset[Index], powers: dict[Atom, Rational]) -> Poly:
    if not indices:
        return monomial(powers)
    for atom in powers:
        if atom.kind == "delta" and not atom.free.isdisjoint(indices):
            eliminated = _eliminated(atom, indices, {a: e for a, e in powers.items() if a is not atom})
            if eliminated is not None:
                return eliminated
    inside = {a: e for a, e in powers.items() if not a.free.isdisjoint(indices)}
    outside = {a: e for a, e in powers.items() if a not in inside}
    opened = _open_sums(inside)
    if opened is not None:
        return multiply(monomial(outside), sum_over(indices | opened[1], opened[0]))
    ordered = sorted(indices, key=index_order)
    for index in ordered:  # Σ_j f(π(j)) = Σ_j f(j)
        images = {ix for a in inside for ix in a.free if isinstance(ix, Image) and ix.ix == index}
        if len(images) == 1 and isinstance(next(iter(images)).map, Permutation):
            fresh = index.fresh()
            body = rename_powers(inside, {next(iter(images)): fresh})
            if index not in body.free:
                return multiply(monomial(outside), sum_over((indices - {index}) | {fresh}, body))
    # A part of the component may be a sum that also stands in the denominator: Σ_i Σ_j e_ij / Σ_j e_ij.
    if any(a.kind == "sum" and e < 0 for a, e in inside.items()):
        for index in ordered:
            group = {a: e for a, e in inside.items() if index in a.free}
            if not group or len(group) == len(inside):
                continue
            closed = _component(frozenset({index}), group)
            part = closed.single()
            if part is not None and any(a.kind == "sum" and inside.get(a, 0) < 0 for a, _ in part[0]):
                rest = monomial({a: e for a, e in inside.items() if a not in group})
                inner = sum_over(indices - {index}, multiply(rest, closed))
                return multiply(monomial(outside), inner)
    result = monomial(outside)
    for component in components(indices, inside):
        members = {a: e for a, e in inside.items() if not a.free.isdisjoint(component)}
        result = multiply(result, _component(component, members))
    return result


def _eliminated(atom: Atom, indices: frozenset[Index], rest: dict[Atom, Rational]) -> Poly | None:
    """The sum over some indices of a Kronecker delta times the rest, without the delta or with a simpler rest.

    Of two indices one takes the place of the other. A sum over the positions that a lookup may point at,
    Σ_v δ(ids(i), v) f[v], is f[ids(i)]. A sum over the places that point at one position stays, with v for ids(i):
    Σ_i δ(ids(i), v) f[i, ids(i)]. Nothing if that changes nothing, or if a position would have no form.
    """
    order = sorted(atom.args[0], key=index_order, reverse=True)
    for removed in order:
        if removed in indices:
            (other,) = atom.args[0] - {removed}
            if isinstance(other, Image) and other.ix == removed:
                continue  # δ(ids(v), v): the fixed points of a lookup
            try:
                return sum_over(indices - {removed}, rename_powers(rest, {removed: other}))
            except NotComposed:
                return None
    image, other = order
    if any(image in a.free for a in rest):
        return sum_over(indices, multiply(atom_poly(atom), rename_powers(rest, {image: other})))
    return None


def _open_sums(powers: dict[Atom, Rational]) -> tuple[Poly, frozenset[Index]] | None:
    """Positive whole powers of sums written as sums over more indices: (Σ_j a_j)² = Σ_j Σ_k a_j a_k."""
    body = ONE_POLY
    new: set[Index] = set()
    rest: dict[Atom, Rational] = {}
    for atom, e in powers.items():
        if atom.kind == "sum" and e >= 1:
            for _ in range(int(e)):
                inner, fresh = open_sum(atom)
                body = multiply(body, inner)
                new |= fresh
            if e != int(e):
                rest[atom] = e - int(e)
        else:
            rest[atom] = e
    return (multiply(body, monomial(rest)), frozenset(new)) if new else None


def open_sum(atom: Atom, mapping: Mapping[Ix, Ix] | None = None) -> tuple[Poly, frozenset[Index]]:
    """The body of a sum with new indices for its bound ones, and its free indices replaced."""
    bounds, body = atom.args
    fresh = {bound: Index("k", bound.dim) for bound in bounds}
    return rename_powers(dict(body), {**(mapping or {}), **fresh}), frozenset(fresh.values())


def _component(indices: frozenset[Index], powers: dict[Atom, Rational]) -> Poly:
    """The sum of one connected product, as an atom with numbered indices."""
    if not powers:
        return product_of(atom_poly(size_atom(index.dim)) for index in indices)
    order = canonical_order(indices, powers)
    base = _first_number(frozenset().union(*(a.free for a in powers)), max(a.top for a in powers), len(order))
    bounds = tuple(Bound(base + k, index.dim) for k, index in enumerate(order))
    closed = rename_powers(powers, dict(zip(order, bounds, strict=True))).single()
    if closed is None:
        raise TooLarge("a product that the names of its indices take apart in different ways")
    body, coefficient = closed
    atom = Atom("sum", (bounds, body), unbound(monomial_free(body), bounds), base + len(bounds))
    return atom_poly(atom).scaled(coefficient)


def max_over(index: Index, body: Poly, where: Poly) -> Poly:
    """The maximum over an index; what does not depend on the index is pulled out."""
    outside = Poly({m: c for m, c in body.terms.items() if index not in monomial_free(m)})
    inside = body - outside
    if not inside:
        return outside
    base = _first_number(inside.free | where.free, max(inside.top, where.top), 1)
    bound = Bound(base, index.dim)
    inner, condition = rename(inside, {index: bound}), rename(where, {index: bound})
    free = unbound(inner.free | condition.free, [bound])
    return outside + atom_poly(Atom("max", (bound, inner, condition), free, base + 1))


def _first_number(free: frozenset[Ix], lowest: int, count: int) -> int:
    """The first number, from `lowest` on, of `count` successive ones that no index bound further out has.

    Indices bound further out have higher numbers, so `lowest` itself will do unless a substitution has made the inner
    sums deeper; two binders with one number would capture.
    """
    outer = (ix.ix if isinstance(ix, Image) else ix for ix in free)
    taken = {ix.number for ix in outer if isinstance(ix, Bound)}
    while clash := taken.intersection(range(lowest, lowest + count)):
        lowest = 1 + max(clash)
    return lowest


def rename(poly: Poly, mapping: Mapping[Ix, Ix]) -> Poly:
    """Free indices replaced by others, and the result put in normal form again."""
    if poly.free.isdisjoint(mapping):
        return poly
    return total_poly(rename_powers(dict(m), mapping).scaled(c) for m, c in poly.terms.items())


def rename_powers(powers: Mapping[Atom, Rational], mapping: Mapping[Ix, Ix]) -> Poly:
    """`rename` of a product of powers."""
    kept: dict[Atom, Rational] = {}
    others: list[Poly] = []
    for atom, e in powers.items():
        if atom.free.isdisjoint(mapping):
            kept[atom] = kept[atom] + e if atom in kept else e
            continue
        if atom.kind == "entry":
            target = entry_atom(atom.args[0], tuple(_moved(ix, mapping) for ix in atom.args[1]))
            kept[target] = kept[target] + e if target in kept else e
            continue
        image = rename_atom(atom, mapping)
        single = image.single()
        if single is not None and len(single[0]) == 1 and single[1] == 1:
            ((target, inner),) = single[0]
            if inner == 1 or e.denominator == 1:
                kept[target] = kept[target] + inner * e if target in kept else inner * e
                continue
        others.append(power(image, e))
    result = monomial(kept)
    return product_of([result, *others]) if others else result


def _alike(atom: Atom, mapping: Mapping[Ix, Ix]) -> Atom | None:
    """A sum whose free indices are renamed one to one, by names that are new in it, as it stands: nothing in it can
    become equal that was not, so that its bound indices stay where they are. None where that is not seen to be so, and
    the sum has to be put in normal form again."""
    bounds, body = atom.args
    moved = [mapping[ix] for ix in atom.free if ix in mapping]
    targets = frozenset(moved)
    if (
        len(targets) < len(moved)
        or any(isinstance(ix, Image) for ix in targets)
        or not targets.isdisjoint(atom.free)
        or not targets.isdisjoint(bounds)
        or any(bound in mapping for bound in bounds)
        or any(isinstance(ix, Image) and ix in mapping for ix in atom.free)
    ):
        return None
    renamed = rename_powers(dict(body), mapping).single()
    if renamed is None or renamed[1] != 1 or len(renamed[0]) != len(body):
        return None
    free = unbound(monomial_free(renamed[0]), bounds)
    if bounds[0].number != _first_number(free, monomial_top(renamed[0]), len(bounds)):
        return None
    if canonical_order(frozenset(bounds), dict(renamed[0])) != list(bounds):
        return None
    return Atom("sum", (bounds, renamed[0]), free, atom.top)


def _moved(ix: Ix, mapping: Mapping[Ix, Ix]) -> Ix:
    if ix in mapping:
        return mapping[ix]
    if isinstance(ix, Image):
        inner = mapping.get(ix.ix, ix.ix)
        if isinstance(inner, Image):
            raise NotComposed("permutations and lookups are not composed")
        return Image(ix.map, inner)
    return ix


def _compared(ix: Ix, mapping: Mapping[Ix, Ix]) -> Ix:
    target = _moved(ix, mapping)
    if isinstance(target, Image):
        raise NotComposed("the position to which an index is taken is not compared")
    return target


def rename_atom(atom: Atom, mapping: Mapping[Ix, Ix]) -> Poly:
    """`rename` of one atom."""
    args = atom.args
    match atom.kind:
        case "entry":
            return atom_poly(entry_atom(args[0], tuple(_moved(ix, mapping) for ix in args[1])))
        case "place":
            return atom_poly(place_atom(_compared(args[0], mapping)))
        case "delta":
            left, right = (_moved(ix, mapping) for ix in args[0])
            return delta(left, right)
        case "pred":
            moved = [(t if isinstance(t, Dim) else _compared(t, mapping), c) for t, c in args[0]]
            return predicate(make_form(moved, args[1]))
        case "exp":
            return exponential(rename_powers(dict(args[0]), mapping))
        case "fn":
            return function(args[0], rename(args[1], mapping))
        case "larger":
            return larger(rename(p, mapping) for p in args[0])
        case "pow":
            return rename(args[0], mapping)
        case "sum":
            if (alike := _alike(atom, mapping)) is not None:
                return atom_poly(alike)
            body, fresh = open_sum(atom, mapping)
            return sum_over(fresh, body)
        case "max":
            index = Index("k", args[0].dim)
            opened = {**mapping, args[0]: index}
            return max_over(index, rename(args[1], opened), rename(args[2], opened))
        case _:
            return atom_poly(atom)
