"""Definitions found inside an expression: what occurs as the value of an earlier name becomes that name.

And sums of defined values that are numbers: deviations from a mean sum to 0, probabilities to 1.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from .index import Index
from .normal_form import normal_form
from .polynomial import UNIT, Atom, Image, Ix, Monomial, Poly, Rational, constant, entry_atom, magnitude
from .products import monomial, multiply, power
from .program import Def, Program
from .readback import Reader
from .sums import rename_powers, sum_over
from .traverse import tensors

HALF = Fraction(1, 2)


def with_known_sums(poly: Poly, given: Program, reader: Reader) -> Poly:
    """The polynomial with each sum of values that `given` defines replaced by a number where it is one."""
    result = Poly({})
    for m, c in poly.terms.items():
        known = {atom: number for atom, _ in m if (number := _known_sum(atom, given, reader)) is not None}
        term = Poly({frozenset((a, e) for a, e in m if a not in known): c})
        for atom, e in m:
            if atom in known:
                term = multiply(term, power(known[atom], e))
        result = result + term
    return result


def _known_sum(atom: Atom, given: Program, reader: Reader) -> Poly | None:
    """The number that a sum of defined values is, if it is one whatever the inputs are."""
    if atom.kind != "sum":
        return None
    total = reader.atom(atom, {})
    read = set(tensors(total))
    if not read <= {*given.inputs, *given.defined} or read.isdisjoint(given.defined):
        return None
    value = normal_form(given.inline(total))
    number = constant(value.terms.get(UNIT, 0))
    return number if value == number else None


def absorbed(poly: Poly, definitions: list[Def], *, with_sums: bool) -> Poly:
    """A polynomial with every definition that occurs in one of its terms replaced by its name.

    Definitions that are sums are looked for only `with_sums`.
    """
    result = Poly({})
    for m, c in poly.terms.items():
        result = result + _absorbed_in_term(m, definitions, with_sums=with_sums).scaled(c)
    return result


def _absorbed_in_term(m: Monomial, definitions: list[Def], *, with_sums: bool) -> Poly:
    """One term with every definition that occurs in it replaced by its name."""
    flat, binders = _flatten(m)
    if flat is None:
        return Poly({m: 1})
    for step in definitions:
        pattern = normal_form(step.value).single()
        if pattern is None or pattern[0] == UNIT or pattern[1] != 1:
            continue
        shape, inner = _flatten(pattern[0])
        if shape is None or (inner and not with_sums):
            continue
        if len(shape) == 1 and not inner and next(iter(shape)).kind == "entry":  # another name of the same
            continue
        if len(shape) == 1 and not inner:
            _absorb_inverse_root(step, shape, flat)
        while True:
            found = _match(list(shape.items()), flat, {}, frozenset((*step.indices, *inner)))
            if found is None or not _removable(found, inner, binders, shape, flat):
                break
            for atom, e in shape.items():
                actual = _renamed(atom, found)
                assert actual is not None, "what matched has a name"
                flat[actual] = flat[actual] - e
                if not flat[actual]:
                    del flat[actual]
            binders = binders - {found[index] for index in inner}
            name = entry_atom(step.tensor, tuple(found[index] for index in step.indices))
            flat[name] = flat.get(name, 0) + 1
    return sum_over(_indices(binders), monomial(flat))


def _absorb_inverse_root(step: Def, shape: dict[Atom, Rational], flat: dict[Atom, Rational]) -> None:
    """The inverse of a root that has a name: with r = √s, 1/√s becomes 1/r."""
    ((atom, e),) = shape.items()
    times = Fraction(flat.get(atom, 0)) / Fraction(e)
    along = set(step.indices) <= set(atom.free)  # else the name has an index that nothing here gives
    if along and e.denominator != 1 and times < 0 and times.denominator == 1:
        del flat[atom]
        name = entry_atom(step.tensor, step.indices)
        flat[name] = flat.get(name, 0) + int(times)


def _indices(binders: frozenset[Ix]) -> frozenset[Index]:
    return frozenset(ix for ix in binders if isinstance(ix, Index))


def _flatten(m: Monomial) -> tuple[dict[Atom, Rational] | None, frozenset[Ix]]:
    """A term as one product under one set of sums, in an order that does not depend on hashes: the form must not."""
    flat: dict[Atom, Rational] = {}
    names: dict[Ix, str] = {}
    for atom, e in sorted(m, key=lambda item: repr(item[0])):
        if atom.kind == "sum" and e >= 1 and e.denominator == 1:
            bounds, body = atom.args
            for _ in range(int(e)):
                fresh: dict[Ix, Ix] = {bound: Index("k", bound.dim) for bound in bounds}
                names.update((index, f"~{len(names) + place}") for place, index in enumerate(fresh.values()))
                single = rename_powers(dict(body), fresh).single()
                if single is None:
                    return None, frozenset()
                for inner, power_ in single[0]:
                    flat[inner] = flat.get(inner, 0) + power_
        else:
            flat[atom] = flat.get(atom, 0) + e
    binders = frozenset(names)
    # Factors outside the sums come first: what matches there is a name outside the sums.
    ordered = sorted(flat, key=lambda atom: (not atom.free.isdisjoint(binders), atom.render(names)))
    return {atom: flat[atom] for atom in ordered}, binders


def _match(
    pattern: list[tuple[Atom, Rational]],
    flat: dict[Atom, Rational],
    found: dict[Ix, Ix],
    variables: frozenset[Ix],
) -> dict[Ix, Ix] | None:
    """An assignment of the pattern's indices under which every atom of the pattern divides the product."""
    if not pattern:
        return found if all(v in found for v in variables) else None
    (atom, e), rest = pattern[0], pattern[1:]
    for candidate, have in flat.items():
        if candidate.kind != atom.kind or have * e < 0 or magnitude(have) < magnitude(e):
            continue
        extended = _unify(atom, candidate, found, variables)
        if extended is not None:
            # Two atoms of the pattern may fall on one factor, which must then have the powers of both.
            left = {**flat, candidate: have - e}
            solved = _match(rest, left if left[candidate] else _without(left, candidate), extended, variables)
            if solved is not None:
                return solved
    return None


def _without(flat: dict[Atom, Rational], gone: Atom) -> dict[Atom, Rational]:
    return {atom: e for atom, e in flat.items() if atom != gone}


def _unify(atom: Atom, other: Atom, found: dict[Ix, Ix], variables: frozenset[Ix]) -> dict[Ix, Ix] | None:
    if atom.kind == "entry":
        if atom.args[0] != other.args[0]:
            return None
        extended = dict(found)
        for own, actual in zip(atom.args[1], other.args[1], strict=True):
            mine, theirs = own, actual
            if isinstance(own, Image) and isinstance(actual, Image) and own.map == actual.map:
                mine, theirs = own.ix, actual.ix
            if mine in variables and extended.setdefault(mine, theirs) != theirs:
                return None
            if mine not in variables and mine != theirs:
                return None
        return extended
    if atom.kind == "exp" and len(atom.args[0]) == 1 and len(other.args[0]) == 1:
        (inner, e), (their, have) = next(iter(atom.args[0])), next(iter(other.args[0]))
        return _unify(inner, their, found, variables) if e == have and inner.kind == their.kind else None
    if atom.free & variables <= set(found):
        return found if _renamed(atom, found) == other else None
    return _unify_function(atom, other, found, variables) if atom.kind == "fn" else None


def _unify_function(atom: Atom, other: Atom, found: dict[Ix, Ix], variables: frozenset[Ix]) -> dict[Ix, Ix] | None:
    """`_unify` for functions: their arguments have few indices, so that every assignment is tried."""
    if atom.args[0] != other.args[0]:
        return None
    open_ = sorted((ix for ix in atom.free & variables if ix not in found), key=str)
    choices = [sorted((ix for ix in other.free if ix.dim == own.dim), key=str) for own in open_]
    for images in product(*choices):
        extended = {**found, **dict(zip(open_, images, strict=True))}
        if _renamed(atom, extended) == other:
            return extended
    return None


def _renamed(atom: Atom, found: dict[Ix, Ix]) -> Atom | None:
    """The atom with the pattern's indices replaced, if that leaves one atom."""
    exponent = HALF if atom.kind == "pow" else 1  # a whole power of a sum would be expanded
    single = rename_powers({atom: exponent}, {k: v for k, v in found.items() if k in atom.free}).single()
    if single is None or len(single[0]) != 1:
        return None
    return next(iter(single[0]))[0]


def _removable(
    found: dict[Ix, Ix],
    inner: frozenset[Ix],
    binders: frozenset[Ix],
    shape: dict[Atom, Rational],
    flat: dict[Atom, Rational],
) -> bool:
    """The pattern's bound indices must be bound in the product and occur nowhere else."""
    images = [found[index] for index in inner]
    if len(set(images)) != len(images) or not set(images) <= binders:
        return False
    used = {_renamed(atom, found): e for atom, e in shape.items()}
    return all(flat[atom] == used.get(atom, 0) for atom in flat if not atom.free.isdisjoint(images))
