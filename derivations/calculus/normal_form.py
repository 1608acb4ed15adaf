"""The normal form of an expression, and equality by it.

`normal_form(a) == normal_form(b)` proves a = b for every size of every dimension. `is_zero` also clears denominators.
Both are sound; neither is complete, so a difference that is not shown to be zero proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from .elementary import elementary
from .functions import exponential, function
from .index import Dim, Index, Mapped, Subscript
from .indicators import delta, index_order, predicate
from .largest import larger
from .nodes import Add, Const, Delta, Entry, Expr, Fn, Gated, Larger, Max, Mul, Place, Pow, Predicate, Size, Sum
from .polynomial import (
    ZERO_POLY,
    Atom,
    Image,
    Ix,
    Monomial,
    Poly,
    Rational,
    atom_poly,
    constant,
    entry_atom,
    place_atom,
    size_atom,
    total_poly,
)
from .predicates import Form, holds, infeasible, make_form, reduced
from .products import NotComposed, monomial, multiply, power, product_of
from .signs import is_strictly_positive
from .sums import max_over, open_sum, rename, rename_powers, sum_over

REMEMBERED = 8_192  # normal forms of expressions and of their parts: the claims of a statement share most of them
MAX_CLEARINGS = 12  # denominators cleared one after the other before giving up


@lru_cache(maxsize=REMEMBERED)
def normal_form(expr: Expr) -> Poly:
    """The normal form of an expression.

    Raises:
        NoValue: the expression has no value anywhere.
        TooLarge: the normal form has too many terms.
    """
    match expr:
        case Const(value):
            return constant(value)
        case Size(dim):
            return atom_poly(size_atom(dim))
        case Entry(tensor, indices):
            return atom_poly(entry_atom(tensor, tuple(map(_ix, indices))))
        case Place(affine):
            parts = [
                atom_poly(size_atom(term) if isinstance(term, Dim) else place_atom(term)).scaled(c)
                for term, c in affine.terms
            ]
            return total_poly([constant(affine.constant), *parts])
        case Add(terms):
            return total_poly(normal_form(term) for term in terms)
        case Mul(factors):
            return product_of(normal_form(factor) for factor in factors)
        case Pow(base, exponent):
            return power(normal_form(base), exponent)
        case Fn(name, argument):
            return function(name, normal_form(argument))
        case Sum(index, body):
            return sum_over(frozenset({index}), normal_form(body))
        case Max(index, body, where):
            return max_over(index, normal_form(body), normal_form(where))
        case Larger(left, right):
            return larger([normal_form(left), normal_form(right)])
        case Delta(left, right):
            return delta(_ix(left), _ix(right))
        case Gated(body, _):  # the gate stops derivatives, which have been taken when values are compared
            return normal_form(body)
        case Predicate(affine):
            return predicate(make_form(affine.terms, affine.constant))
        case _:
            raise TypeError(f"{type(expr).__name__} is not an expression node")


def _ix(subscript: Subscript) -> Ix:
    return Image(subscript.map, subscript.index) if isinstance(subscript, Mapped) else subscript


def is_zero(poly: Poly, denominators: frozenset[Atom] | None = None) -> bool:
    """Whether a polynomial is zero; denominators that are sums of several terms are multiplied out.

    `denominators` are those that are known not to be 0 wherever the equality is claimed; by default all that occur,
    which is right for the normal form of what is claimed itself.
    """
    for _ in range(MAX_CLEARINGS):
        if not poly:
            return True
        denominator = _denominator(poly, denominators)
        if denominator is None:
            return False
        poly = _times_power(poly, *denominator)
    return not poly


def _times_power(poly: Poly, atom: Atom, exponent: int) -> Poly:
    """Each term times a power of an atom, merged with the powers that are there before anything is expanded."""
    terms = [(dict(m), c) for m, c in poly.terms.items()]
    return total_poly([monomial({**powers, atom: powers.get(atom, 0) + exponent}).scaled(c) for powers, c in terms])


def _denominator(poly: Poly, allowed: frozenset[Atom] | None) -> tuple[Atom, int] | None:
    """An outermost power of a sum with a negative exponent, and the whole exponent that clears it."""
    lowest: dict[Atom, Rational] = {}
    for m in poly.terms:
        for atom, e in m:
            if atom.kind == "pow" and e < 0 and (allowed is None or atom in allowed):
                lowest[atom] = min(lowest.get(atom, 0), e)
    if not lowest:
        return None
    atom = min(lowest, key=lambda a: a.render({}))
    return atom, -(lowest[atom].numerator // lowest[atom].denominator)


def equal(left: Expr, right: Expr, given: Iterable[Form] = (), ends: Iterable[Expr] | None = None) -> bool:
    """Whether the normal form shows that two expressions are equal wherever the given predicates hold.

    A denominator is multiplied out only if it is not 0 wherever `ends` (by default the two expressions) have a value.
    For a step of a chain, `ends` are the two sides of the claim: where an intermediate line has no value, the equality
    of the sides must not rest on it.
    """
    difference = normal_form(left) - normal_form(right)
    facts = tuple(given)
    if ends is None and is_zero(difference):
        return True
    claimed = [difference] if ends is None else [normal_form(end) for end in ends]
    known = frozenset().union(*(denominators(poly, ()) | denominators(poly, facts) for poly in claimed))
    if is_zero(difference, known) or is_zero(refined := refine(difference, facts), known):
        return True
    written = elementary(refined)
    if written == refined:
        return False
    for poly in map(elementary, claimed):
        known |= denominators(poly, ()) | denominators(poly, facts)
    positive = {atom for m in written.terms for atom, _ in m if atom.kind == "pow" and is_strictly_positive(atom, 1)}
    return is_zero(written, known | positive)


def denominators(poly: Poly, facts: tuple[Form, ...]) -> frozenset[Atom]:
    """The sums in the denominators of a normal form, and in the denominators inside these, where the facts hold.

    None of them is 0 where what the normal form stands for has a value. `refine` may make other denominators, inside a
    product with a predicate that is 0 just where they are: those must not be multiplied out of other terms.
    """
    found: set[Atom] = set()
    for m in poly.terms:
        for atom, e in m:
            if atom.kind == "pow":
                base = refine(atom.args[0], facts) if facts else atom.args[0]
                found |= {a for t in power(base, e).terms for a, f in t if a.kind == "pow" and f < 0}
                found |= denominators(atom.args[0], facts)
    return frozenset(found)


def refine(poly: Poly, facts: tuple[Form, ...]) -> Poly:
    """A polynomial simplified where some predicates hold: what they decide becomes 0 or 1, at any depth.

    Inside a product, the predicates that multiply it are facts for its other factors, and so is the equality of the two
    indices of a delta.
    """
    return total_poly(_refine_term(m, facts).scaled(c) for m, c in poly.terms.items())


def _refine_term(m: Monomial, facts: tuple[Form, ...]) -> Poly:
    for atom, _ in m:
        if atom.kind == "delta":
            left, right = sorted(atom.args[0], key=index_order)
            rest = {other: e for other, e in m if other is not atom}
            if any(right in other.free for other in rest):
                try:
                    product = multiply(atom_poly(atom), rename_powers(rest, {right: left}))
                except NotComposed:
                    continue
                return refine(product, facts)
    own = list(dict.fromkeys(reduced(atom.args, facts) for atom, _ in m if atom.kind == "pred"))
    if infeasible([*facts, *own]):
        return ZERO_POLY
    kept: list[Poly] = []
    forms = list(own)
    for form in own:
        others = [f for f in forms if f is not form]
        if holds(form, [*facts, *others]):
            forms = others
    kept += [predicate(form) for form in forms]
    inner = (*facts, *forms)
    kept += [power(refine_atom(atom, inner), e) for atom, e in m if atom.kind != "pred"]
    return product_of(kept)


def refine_atom(atom: Atom, facts: tuple[Form, ...]) -> Poly:
    """`refine` of one atom."""
    args = atom.args
    match atom.kind:
        case "exp":
            return exponential(_refine_term(args[0], facts))
        case "fn":
            return function(args[0], refine(args[1], facts))
        case "pow":
            return refine(args[0], facts)
        case "larger":
            return larger(refine(p, facts) for p in args[0])
        case "sum":
            body, fresh = open_sum(atom)
            return sum_over(fresh, refine(body, facts))
        case "max":
            index = Index("k", args[0].dim)
            opened: dict[Ix, Ix] = {args[0]: index}
            where = refine(rename(args[2], opened), facts)
            single = where.single()
            where_facts: tuple[Form, ...] = ()
            if single is not None:
                where_facts = tuple(a.args for a, _ in single[0] if a.kind == "pred")
            body = refine(rename(args[1], opened), (*facts, *where_facts))
            return max_over(index, body, where)
        case _:
            return atom_poly(atom)
