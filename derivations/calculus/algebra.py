"""The rules of the normal form: products, powers, exponentials, logarithms, sums, maxima.

Every function takes and returns polynomials in normal form, and replaces equals by equals wherever both sides are
defined. Powers of one base are merged; exponentials are split into powers of exp(monomial) and pulled out of any sum
that they do not depend on; a Kronecker delta is eliminated by substitution; an unused bound index becomes its extent;
the sum that is left is split into the connected components of its bound indices, each labelled canonically.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

import sympy

from .canonical import canonical_order
from .expr import Dim, Index
from .polynomial import (
    ONE_POLY,
    ZERO_POLY,
    Atom,
    Bound,
    Image,
    Ix,
    Monomial,
    Poly,
    atom_poly,
    const_atom,
    constant,
    entry_atom,
    is_positive,
    monomial_free,
    monomial_top,
    place_atom,
    size_atom,
    total_poly,
    unbound,
)
from .predicates import Form, holds, infeasible, make_form

MAX_EXPANSION = 20_000  # terms; a product larger than this is refused rather than left to exhaust the memory


class TooLarge(Exception):
    """The normal form of this expression is too large to compute."""


# Products and powers ------------------------------------------------------------------------------------------------


def multiply(left: Poly, right: Poly) -> Poly:
    """The product."""
    if left == ONE_POLY:
        return right
    if right == ONE_POLY:
        return left
    if len(left.terms) * len(right.terms) > MAX_EXPANSION:
        raise TooLarge(f"a product of {len(left.terms)} by {len(right.terms)} terms")
    result: dict[Monomial, Fraction] = {}
    for m1, c1 in left.terms.items():
        for m2, c2 in right.terms.items():
            if not m1 or not m2:
                _accumulate(result, Poly({m1 or m2: c1 * c2}), Fraction(1))
                continue
            powers = dict(m1)
            for atom, e in m2:
                powers[atom] = powers[atom] + e if atom in powers else e
            factor = c2 if c1 == 1 else c1 if c2 == 1 else c1 * c2
            _accumulate(result, monomial(powers), factor)
    return Poly(result)


def _accumulate(result: dict[Monomial, Fraction], addend: Poly, factor: Fraction) -> None:
    for m, c in addend.terms.items():
        value = c if factor == 1 else c * factor
        if m in result:
            value = result[m] + value
        if value:
            result[m] = value
        else:
            result.pop(m, None)


def product_of(parts: Iterable[Poly]) -> Poly:
    """The product of polynomials."""
    result = ONE_POLY
    for part in parts:
        result = multiply(result, part)
    return result


def is_boolean(atom: Atom) -> bool:
    """Whether the atom is 0 or 1, so that its positive powers are itself."""
    return atom.kind in ("delta", "pred") or (atom.kind == "entry" and atom.args[0].kind == "boolean")


def monomial(powers: Mapping[Atom, Fraction]) -> Poly:
    """A product of powers of atoms, put in order: m² = m, deltas substituted, whole powers of sums expanded."""
    kept: dict[Atom, Fraction] = {}
    coefficient = Fraction(1)
    expand: list[Poly] = []
    for atom, e in powers.items():
        if not e:
            continue
        if is_boolean(atom) and e > 0:
            kept[atom] = Fraction(1)
        elif atom.kind == "const" and abs(e) >= 1:
            whole = Fraction(int(e))
            coefficient *= Fraction(atom.args[0]) ** int(whole)
            if e != whole:
                kept[atom] = e - whole
        elif atom.kind == "pow" and e >= 1:
            expand += [atom.args[0]] * int(e)
            if e != int(e):
                kept[atom] = e - int(e)
        else:
            kept[atom] = e
    if expand:
        return product_of([Poly({frozenset(kept.items()): coefficient}), *expand])
    for atom in kept:
        if atom.kind == "delta":
            left, right = sorted(atom.args[0], key=_index_order)
            moved = any(right in other.free for other in kept if other is not atom)
            if moved:
                rest = rename_powers({a: e for a, e in kept.items() if a is not atom}, {right: left})
                return multiply(atom_poly(atom), rest).scaled(coefficient)
    forms = [atom.args for atom in kept if atom.kind == "pred"]
    if len(forms) > 1:
        if infeasible(forms):
            return ZERO_POLY
        for atom in list(kept):
            if atom.kind == "pred":
                others = [a.args for a in kept if a.kind == "pred" and a is not atom]
                if others and holds(atom.args, others):
                    del kept[atom]
    return Poly({frozenset(kept.items()): coefficient})


def _index_order(ix: Index | Bound) -> tuple[int, str]:
    # Of two equal indices the one that is bound further out, or named first, survives.
    return (1, f"{ix.number:06d}") if isinstance(ix, Bound) else (0, ix.name)


def power(base: Poly, exponent: Fraction) -> Poly:
    """A rational power. Roots are taken apart only where every part is positive."""
    if exponent == 0 or base == ONE_POLY:
        return ONE_POLY
    if exponent == 1:
        return base
    if not base:
        if exponent < 0:
            raise ZeroDivisionError("a power of zero with a negative exponent")
        return ZERO_POLY
    if exponent.denominator == 1 and exponent > 0:
        return product_of([base] * int(exponent))
    term = base.single()
    if term is not None:
        return _power_of_term(term[0], term[1], exponent)
    content, primitive = split_content(base, exponent)
    scale = power(content, exponent) if content != ONE_POLY else ONE_POLY
    if primitive.single() is not None:
        return multiply(scale, power(primitive, exponent))
    atom = Atom("pow", (primitive,), primitive.free, primitive.top)
    return multiply(scale, monomial({atom: exponent}))


def _power_of_term(factors: Monomial, coefficient: Fraction, exponent: Fraction) -> Poly:
    if exponent.denominator == 1:
        return monomial({a: e * exponent for a, e in factors}).scaled(coefficient ** int(exponent))
    safe = {a: e for a, e in factors if is_positive(a)}
    rest = {a: e for a, e in factors if not is_positive(a)}
    result = monomial({a: e * exponent for a, e in safe.items()})
    if len(rest) == 1 and coefficient > 0:
        ((atom, e),) = rest.items()
        if e == 1:
            return product_of([result, monomial({atom: exponent}), _root(coefficient, exponent)])
    if rest or coefficient < 0:
        base = Poly({frozenset(rest.items()): Fraction(1 if coefficient > 0 else -1)})
        rooted = Atom("pow", (base,), base.free, base.top)
        result = multiply(result, monomial({rooted: exponent}))
    return multiply(result, _root(abs(coefficient), exponent))


def _root(value: Fraction, exponent: Fraction) -> Poly:
    """A power of a positive rational number, split into primes."""
    return monomial({const_atom(prime): exponent * times for prime, times in _primes(value).items()})


def split_content(base: Poly, exponent: Fraction) -> tuple[Poly, Poly]:
    """A common factor of all terms and what it leaves, so that equal bases look equal.

    Under a root only positive factors are taken out.
    """
    whole = exponent.denominator == 1
    monomials = [dict(m) for m in base.terms]
    common: dict[Atom, Fraction] = {}
    for atom in {atom for m in monomials for atom in m}:
        least = min(m.get(atom, Fraction(0)) for m in monomials)
        if least and (whole or is_positive(atom)):
            common[atom] = least
    lead = min(base.terms, key=_anonymous)
    factor = base.terms[lead] if whole else abs(base.terms[lead])
    content = Poly({frozenset(common.items()): factor})
    inverse = {a: -e for a, e in common.items()}
    primitive = multiply(base, Poly({frozenset(inverse.items()): 1 / factor}))
    return content, primitive


def _anonymous(m: Monomial) -> tuple[str, str]:
    """An order of monomials that depends on the names of indices as little as possible."""
    nameless: dict[Ix, str] = {ix: ix.dim.name for ix in monomial_free(m)}
    hidden = sorted(f"{a.render(nameless)}^{e}" for a, e in m)
    shown = sorted(f"{a.render({})}^{e}" for a, e in m)
    return "·".join(hidden), "·".join(shown)


# Elementwise functions ----------------------------------------------------------------------------------------------


def exponential(argument: Poly) -> Poly:
    """exp(Σ c·m) as a product of exp(m)^c; exp(c·log X) as X^c."""
    result = ONE_POLY
    for m, c in argument.terms.items():
        single = next(iter(m)) if len(m) == 1 else None
        if single is not None and single[0].kind == "fn" and single[0].args[0] == "log" and single[1] == 1:
            result = multiply(result, power(single[0].args[1], c))
        else:
            atom = Atom("exp", (m,), monomial_free(m), monomial_top(m))
            result = multiply(result, monomial({atom: c}))
    return result


def logarithm(argument: Poly) -> Poly:
    """log of a product as a sum, as far as the factors are positive; log(exp(m)) = m."""
    if argument == ONE_POLY:
        return ZERO_POLY
    term = argument.single()
    if term is None:
        content, primitive = split_content(argument, Fraction(1, 2))
        if content == ONE_POLY:
            return _function("log", primitive)
        return logarithm(content) + logarithm(primitive)
    factors, coefficient = term
    if coefficient < 0:
        return _function("log", argument)
    rest: dict[Atom, Fraction] = {}
    parts: list[Poly] = []
    for atom, e in factors:
        if atom.kind == "exp":
            parts.append(Poly({atom.args[0]: e}))
        elif is_positive(atom):
            base = atom.args[0] if atom.kind == "pow" else atom_poly(atom)
            parts.append(_function("log", base).scaled(e))
        else:
            rest[atom] = e
    for prime, times in _primes(coefficient).items():
        parts.append(_function("log", constant(prime)).scaled(Fraction(times)))
    if rest:
        parts.append(_function("log", Poly({frozenset(rest.items()): Fraction(1)})))
    return total_poly(parts)


def _primes(value: Fraction) -> dict[int, int]:
    above = {int(p): int(t) for p, t in sympy.factorint(value.numerator).items()}
    below = {int(p): -int(t) for p, t in sympy.factorint(value.denominator).items()}
    return {**above, **below}


def _function(name: str, argument: Poly) -> Poly:
    return atom_poly(Atom("fn", (name, argument), argument.free, argument.top))


def function(name: str, argument: Poly) -> Poly:
    """An elementwise function of a polynomial."""
    if name == "exp":
        return exponential(argument)
    if name == "log":
        return logarithm(argument)
    if not argument and name in ("tanh", "erf", "sin", "sinh"):
        return ZERO_POLY
    if not argument and name in ("cos", "cosh"):
        return ONE_POLY
    return _function(name, argument)


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
            rest = part - Poly({m: Fraction(1)})
            flat |= {member + rest for member in atom.args[0]}
        else:
            flat.add(part)
    first = next(iter(flat))
    common = Poly({m: c for m, c in first.terms.items() if all(p.terms.get(m) == c for p in flat)})
    if len(flat) == 1:
        return first
    members = frozenset(p - common for p in flat)
    free = frozenset().union(*(p.free for p in members))
    return common + atom_poly(Atom("larger", (members,), free, max(p.top for p in members)))


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
    return atom_poly(Atom("delta", (pair,), pair, 0))


# Sums and maxima ----------------------------------------------------------------------------------------------------


def sum_over(indices: frozenset[Index], body: Poly) -> Poly:
    """The sum of a polynomial over the whole range of some indices."""
    result = ZERO_POLY
    for m, c in body.terms.items():
        result = result + _sum_term(indices, dict(m)).scaled(c)
    return result


def _sum_term(indices: frozenset[Index], powers: dict[Atom, Fraction]) -> Poly:
    if not indices:
        return monomial(powers)
    for atom in powers:
        if atom.kind == "delta" and not atom.free.isdisjoint(indices):
            removed = next(ix for ix in sorted(atom.args[0], key=_index_order, reverse=True) if ix in indices)
            (other,) = atom.args[0] - {removed}
            rest = rename_powers({a: e for a, e in powers.items() if a is not atom}, {removed: other})
            return sum_over(indices - {removed}, rest)
    inside = {a: e for a, e in powers.items() if not a.free.isdisjoint(indices)}
    outside = {a: e for a, e in powers.items() if a not in inside}
    opened = _open_sums(inside)
    if opened is not None:
        return multiply(monomial(outside), sum_over(indices | opened[1], opened[0]))
    for index in indices:  # Σ_j f(π(j)) = Σ_j f(j)
        images = {ix for a in inside for ix in a.free if isinstance(ix, Image) and ix.ix == index}
        if len(images) == 1:
            fresh = index.fresh()
            body = rename_powers(inside, {next(iter(images)): fresh})
            if index not in body.free:
                return multiply(monomial(outside), sum_over((indices - {index}) | {fresh}, body))
    # A part of the component may be a sum that also stands in the denominator: Σ_i Σ_j e_ij / Σ_j e_ij.
    if any(a.kind == "sum" and e < 0 for a, e in inside.items()):
        for index in indices:
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
    for component in _components(indices, inside):
        members = {a: e for a, e in inside.items() if not a.free.isdisjoint(component)}
        result = multiply(result, _component(component, members))
    return result


def _open_sums(powers: dict[Atom, Fraction]) -> tuple[Poly, frozenset[Index]] | None:
    """Positive whole powers of sums written as sums over more indices: (Σ_j a_j)² = Σ_j Σ_k a_j a_k."""
    body = ONE_POLY
    new: set[Index] = set()
    rest: dict[Atom, Fraction] = {}
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


def open_sum(atom: Atom) -> tuple[Poly, frozenset[Index]]:
    """The body of a sum with new indices for its bound ones."""
    bounds, body = atom.args
    fresh = {bound: Index("k", bound.dim) for bound in bounds}
    return rename_powers(dict(body), fresh), frozenset(fresh.values())


def _components(indices: frozenset[Index], powers: dict[Atom, Fraction]) -> list[frozenset[Index]]:
    groups = [frozenset({index}) for index in indices]
    for atom in powers:
        touched = [g for g in groups if not g.isdisjoint(atom.free)]
        if len(touched) > 1:
            groups = [g for g in groups if g not in touched] + [frozenset().union(*touched)]
    return groups


def _component(indices: frozenset[Index], powers: dict[Atom, Fraction]) -> Poly:
    """The sum of one connected product, as an atom with numbered indices."""
    if not powers:
        return monomial({size_atom(index.dim): Fraction(1) for index in indices})
    order = canonical_order(indices, powers)
    base = max(atom.top for atom in powers)
    bounds = tuple(Bound(base + k, index.dim) for k, index in enumerate(order))
    closed = rename_powers(powers, dict(zip(order, bounds, strict=True))).single()
    if closed is None:
        raise AssertionError("renaming the indices of a product gave a sum")
    body, coefficient = closed
    atom = Atom("sum", (bounds, body), unbound(monomial_free(body), bounds), base + len(bounds))
    return atom_poly(atom).scaled(coefficient)


def max_over(index: Index, body: Poly, where: Poly) -> Poly:
    """The maximum over an index; what does not depend on the index is pulled out."""
    outside = Poly({m: c for m, c in body.terms.items() if index not in monomial_free(m)})
    inside = body - outside
    if not inside:
        return outside
    base = max(inside.top, where.top)
    bound = Bound(base, index.dim)
    inner, condition = rename(inside, {index: bound}), rename(where, {index: bound})
    free = unbound(inner.free | condition.free, [bound])
    return outside + atom_poly(Atom("max", (bound, inner, condition), free, base + 1))


# Renaming -----------------------------------------------------------------------------------------------------------


def rename(poly: Poly, mapping: Mapping[Ix, Ix]) -> Poly:
    """Free indices replaced by others, and the result put in normal form again."""
    if poly.free.isdisjoint(mapping):
        return poly
    return total_poly(rename_powers(dict(m), mapping).scaled(c) for m, c in poly.terms.items())


def rename_powers(powers: Mapping[Atom, Fraction], mapping: Mapping[Ix, Ix]) -> Poly:
    """`rename` of a product of powers."""
    kept: dict[Atom, Fraction] = {}
    others: list[Poly] = []
    for atom, e in powers.items():
        if atom.free.isdisjoint(mapping):
            kept[atom] = kept[atom] + e if atom in kept else e
            continue
        image = rename_atom(atom, mapping)
        single = image.single()
        if single is not None and len(single[0]) == 1 and single[1] == 1:
            ((target, inner),) = single[0]
            power_ = e if inner == 1 else inner * e
            if inner == 1 or e.denominator == 1:
                kept[target] = kept[target] + power_ if target in kept else power_
                continue
        others.append(power(image, e))
    result = monomial(kept)
    return product_of([result, *others]) if others else result


def _moved(ix: Ix, mapping: Mapping[Ix, Ix]) -> Ix:
    if ix in mapping:
        return mapping[ix]
    if isinstance(ix, Image):
        inner = mapping.get(ix.ix, ix.ix)
        if isinstance(inner, Image):
            raise TooLarge("permutations are not composed")
        return Image(ix.permutation, inner)
    return ix


def rename_atom(atom: Atom, mapping: Mapping[Ix, Ix]) -> Poly:
    """`rename` of one atom."""
    args = atom.args
    match atom.kind:
        case "entry":
            return atom_poly(entry_atom(args[0], tuple(_moved(ix, mapping) for ix in args[1])))
        case "place":
            return atom_poly(place_atom(mapping.get(args[0], args[0])))
        case "delta":
            left, right = (mapping.get(ix, ix) for ix in args[0])
            return delta(left, right)
        case "pred":
            moved = [(t if isinstance(t, Dim) else mapping.get(t, t), c) for t, c in args[0]]
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
            body, fresh = open_sum(atom)
            return sum_over(fresh, rename(body, mapping))
        case "max":
            index = Index("k", args[0].dim)
            opened: dict[Ix, Ix] = {args[0]: index}
            return max_over(index, rename(rename(args[1], opened), mapping), rename(rename(args[2], opened), mapping))
        case _:
            return atom_poly(atom)
