"""Signs of polynomials: which are positive, which sign leads, and the unit step.

The leading sign decides between f(p) and f(−p) of an odd function. It does not look at the names of indices: two
polynomials that differ in names alone have the same one, or renaming would change a normal form.
"""

from __future__ import annotations

from fractions import Fraction

from .canonical import nameless
from .polynomial import (
    ONE_POLY,
    ZERO_POLY,
    Atom,
    Poly,
    Rational,
    atom_poly,
    is_nonnegative_power,
    is_positive,
    product_terms,
    rational,
)
from .products import greatest_factor, multiply


def leading_sign(poly: Poly) -> int:
    """1 or −1 by the first terms that are not the negatives of each other up to names; 0 if there are none.

    `leading_sign(-p) == -leading_sign(p)`.
    """
    alike: dict[str, list[Rational]] = {}
    for m, c in poly.terms.items():
        alike.setdefault(nameless(m), []).append(c)
    for key in sorted(alike):
        here, mirrored = sorted(alike[key]), sorted(-c for c in alike[key])
        if here != mirrored:
            return 1 if here > mirrored else -1
    return 0


def step(argument: Poly) -> Poly:
    """1 where the argument is greater than 0, else 0: positive factors are left out, those that are 0 or 1 leave it.

    step(b·p) = b·step(p) for b in {0, 1}, because step(0) = 0.
    """
    if not argument:
        return ZERO_POLY
    dropped: dict[Atom, Rational] = {}
    outside: dict[Atom, Rational] = {}
    for atom, e in _common(argument).items():
        if atom.boolean and e > 0:
            outside[atom] = 1
            dropped[atom] = -e
        elif is_strictly_positive(atom, e):
            dropped[atom] = -e
    inner = multiply(argument, product_terms(dropped)) if dropped else argument
    inner = inner.scaled(rational(1 / Fraction(greatest_factor(inner.terms.values()))))
    never_negative = all(all(is_nonnegative_power(a, e) for a, e in m) for m in inner.terms)
    if never_negative and all(c < 0 for c in inner.terms.values()):
        return ZERO_POLY
    strict = any(all(is_strictly_positive(a, e) for a, e in m) for m in inner.terms)
    if never_negative and strict and all(c > 0 for c in inner.terms.values()):
        stepped = ONE_POLY
    else:
        stepped = atom_poly(Atom("fn", ("step", inner), inner.free, inner.top))
    return multiply(product_terms(outside), stepped) if outside else stepped


def _common(poly: Poly) -> dict[Atom, Rational]:
    """The powers that all terms share, negative ones among them."""
    first, *others = (dict(m) for m in poly.terms)
    shared: dict[Atom, Rational] = {}
    for atom, e in first.items():
        powers = [e, *(m.get(atom, 0) for m in others)]
        if min(powers) > 0:
            shared[atom] = min(powers)
        elif max(powers) < 0:
            shared[atom] = max(powers)
    return shared


def is_strictly_positive(atom: Atom, exponent: Rational) -> bool:
    """Whether a power of an atom is greater than 0 wherever it has a value.

    `is_positive` says so of denominators alone: a sum of masks is not negative, but it may be 0.
    """
    if not is_positive(atom):
        return False
    if exponent < 0 or atom.kind not in ("sum", "pow"):
        return True
    terms = [atom.args[1]] if atom.kind == "sum" else list(atom.args[0].terms)
    return any(all(is_strictly_positive(a, e) for a, e in m) for m in terms)
