"""Products and rational powers of polynomials.

Powers of one base are merged, positive whole powers of sums are expanded, and a root is taken apart only where every
part is positive. Every function replaces equals by equals wherever both sides are defined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import gcd, lcm

import sympy

from .canonical import anonymous
from .polynomial import (
    ONE_POLY,
    UNIT,
    ZERO_POLY,
    Atom,
    Monomial,
    Poly,
    Rational,
    accumulate,
    const_atom,
    is_positive,
    magnitude,
    product_terms,
    rational,
    total_poly,
)
from .predicates import holds, infeasible

MAX_POWER = 256  # whole powers of sums that are expanded; derivations have powers up to 4
MAX_BITS = 100_000  # of a whole power of a number
MAX_PRIME = 100_000  # prime factors looked for in a number under a root or a logarithm; what is left stays whole
MAX_EXPANSION = 20_000  # terms; a product larger than this is refused rather than left to exhaust the memory


class TooLarge(Exception):
    """The normal form of this expression is too large to compute."""


class NotComposed(TooLarge):
    """The normal form would need the image of an image, or the image of an index where positions are compared."""


class NoValue(ArithmeticError):
    """The expression has no value anywhere: it divides by zero or takes the logarithm of zero."""


def multiply(left: Poly, right: Poly) -> Poly:
    """The product."""
    if left == ONE_POLY:
        return right
    if right == ONE_POLY:
        return left
    if len(left.terms) * len(right.terms) > MAX_EXPANSION:
        raise TooLarge(f"a product of {len(left.terms)} by {len(right.terms)} terms")
    result: dict[Monomial, Rational] = {}
    for m1, c1 in left.terms.items():
        for m2, c2 in right.terms.items():
            if not m1 or not m2:
                accumulate(result, Poly({m1 or m2: c1}), c2)
                continue
            powers = dict(m1)
            for atom, e in m2:
                powers[atom] = powers[atom] + e if atom in powers else e
            accumulate(result, monomial(powers), c1 * c2)
    return Poly(result)


def product_of(parts: Iterable[Poly]) -> Poly:
    """The product of polynomials."""
    result = ONE_POLY
    for part in parts:
        result = multiply(result, part)
    return result


def monomial(powers: Mapping[Atom, Rational]) -> Poly:
    """A product of powers of atoms, put in order: m² = m, sin² = 1 − cos², whole powers of sums expanded, predicates
    reduced."""
    kept: dict[Atom, Rational] = {}
    coefficient: Rational = 1
    expand: list[Poly] = []
    predicates = False
    for atom, e in powers.items():
        if not e:
            continue
        if atom.plain:
            kept[atom] = rational(e)
        elif atom.boolean:
            kept[atom] = 1 if e > 0 else rational(e)
            predicates = predicates or atom.kind == "pred"
        elif atom.kind == "const":  # the exponent is brought into [0, 1)
            whole = e.numerator // e.denominator
            coefficient *= _whole_power(atom.args[0], whole)
            if e != whole:
                kept[atom] = e - whole
        elif atom.kind == "fn":  # a sine
            if e >= 2:
                expand += _repeated(_square_of_sine(atom), int(e) // 2)
                e = e % 2
            if e:
                kept[atom] = rational(e)
        elif e >= 1:
            expand += _repeated(atom.args[0], int(e))
            if e != int(e):
                kept[atom] = e - int(e)
        else:
            kept[atom] = e
    if expand:
        return product_of([product_terms(kept, rational(coefficient)), *expand])
    if predicates:
        return _with_predicates(kept).scaled(rational(coefficient))
    return product_terms(kept, rational(coefficient))


def _square_of_sine(atom: Atom) -> Poly:
    """sin² = 1 − cos²."""
    cosine = Atom("fn", ("cos", atom.args[1]), atom.free, atom.top)
    return Poly({UNIT: 1, frozenset(((cosine, 2),)): -1})


def _with_predicates(kept: dict[Atom, Rational]) -> Poly:
    """A product with predicates: 0 if they contradict each other, without those that follow from the others."""
    forms = [atom.args for atom in kept if atom.kind == "pred"]
    if len(forms) > 1:
        if infeasible(forms):
            return ZERO_POLY
        for atom in list(kept):
            if atom.kind == "pred":
                others = [a.args for a in kept if a.kind == "pred" and a is not atom]
                if others and holds(atom.args, others):
                    del kept[atom]
    return product_terms(kept)


def power(base: Poly, exponent: Rational) -> Poly:
    """A rational power. Roots are taken apart only where every part is positive."""
    if exponent == 0 or base == ONE_POLY:
        return ONE_POLY
    if exponent == 1:
        return base
    if not base:
        if exponent < 0:
            raise NoValue("a power of zero with a negative exponent")
        return ZERO_POLY
    term = base.single()
    if term is not None:
        return _power_of_term(term[0], term[1], exponent)
    if exponent.denominator == 1 and exponent > 0:
        return product_of(_repeated(base, int(exponent)))
    content, primitive = split_content(base, exponent)
    scale = power(content, exponent) if content != ONE_POLY else ONE_POLY
    if primitive.single() is not None:
        return multiply(scale, power(primitive, exponent))
    atom = Atom("pow", (primitive,), primitive.free, primitive.top)
    return multiply(scale, monomial({atom: exponent}))


def _power_of_term(factors: Monomial, coefficient: Rational, exponent: Rational) -> Poly:
    if exponent.denominator == 1:
        return monomial({a: e * exponent for a, e in factors}).scaled(
            rational(_whole_power(coefficient, int(exponent)))
        )
    safe = {a: e for a, e in factors if is_positive(a)}
    rest = {a: e for a, e in factors if not is_positive(a)}
    result = monomial({a: e * exponent for a, e in safe.items()})
    if len(rest) == 1 and coefficient > 0:
        ((atom, e),) = rest.items()
        if e == 1:
            return product_of([result, monomial({atom: exponent}), _root(coefficient, exponent)])
    if rest or coefficient < 0:
        base = product_terms(rest, 1 if coefficient > 0 else -1)
        rooted = Atom("pow", (base,), base.free, base.top)
        result = multiply(result, monomial({rooted: exponent}))
    return multiply(result, _root(magnitude(coefficient), exponent))


def _repeated(base: Poly, times: int) -> list[Poly]:
    if times > MAX_POWER:
        raise TooLarge(f"a sum of {len(base.terms)} terms to the power {times}")
    return [base] * times


def _whole_power(value: Rational, exponent: int) -> Fraction:
    bits = max(abs(value.numerator), value.denominator).bit_length() - 1
    if bits * abs(exponent) > MAX_BITS:
        raise TooLarge(f"a number to the power {exponent}")
    return Fraction(value) ** exponent


def _root(value: Rational, exponent: Rational) -> Poly:
    """A power of a positive rational number, split into primes."""
    return monomial({const_atom(prime): exponent * times for prime, times in primes(value).items()})


def split_content(base: Poly, exponent: Rational) -> tuple[Poly, Poly]:
    """A common factor of all terms and what it leaves, so that equal bases look equal.

    Under a root only positive factors are taken out.
    """
    whole = exponent.denominator == 1
    monomials = [dict(m) for m in base.terms]
    common: dict[Atom, Rational] = {}
    for atom in {atom for m in monomials for atom in m}:
        least = min(m.get(atom, 0) for m in monomials)
        if least and (whole or is_positive(atom)):
            common[atom] = least
    # Under a root or a logarithm the factor must not depend on the names of indices: log(2a + 3b) stays one term.
    factor = base.terms[min(base.terms, key=anonymous)] if whole else greatest_factor(base.terms.values())
    content = product_terms(common, factor)
    # Term by term, so that the powers merge before a sum among the common factors is expanded.
    rests = ({**powers, **{a: powers.get(a, 0) - e for a, e in common.items()}} for powers in monomials)
    parts = [monomial(rest).scaled(c) for rest, c in zip(rests, base.terms.values(), strict=True)]
    return content, total_poly(parts).scaled(rational(1 / Fraction(factor)))


def greatest_factor(values: Iterable[Rational]) -> Rational:
    """The greatest positive rational number of which all are whole multiples."""
    fractions = [Fraction(value) for value in values]
    above, below = gcd(*(f.numerator for f in fractions)), lcm(*(f.denominator for f in fractions))
    return rational(Fraction(above, below))


def factor_inside(m: Monomial) -> Fraction:
    """The positive number that has been taken out of the monomial by an order which depends on the names of indices:
    1/(2a + 3b) is 1/2·1/(a + 3/2·b) or 1/3·1/(2/3·a + b). A rule for a multiple of it must put the number back."""
    factor = Fraction(1)
    for atom, e in m:
        if e.denominator == 1 and atom.kind == "pow":
            inner = [c * factor_inside(t) for t, c in atom.args[0].terms.items()]
            factor *= Fraction(greatest_factor(inner)) ** int(e)
        elif e.denominator == 1 and atom.kind == "sum":
            factor *= factor_inside(atom.args[1]) ** int(e)
    return factor


def primes(value: Rational) -> dict[int, int]:
    """The prime numbers in a positive rational number, with their exponents; a product of large ones may stay whole."""
    below = {prime: -times for prime, times in _factors(value.denominator).items()}
    return {**_factors(value.numerator), **below}


def _factors(value: int) -> dict[int, int]:
    found = sympy.factorint(value, limit=MAX_PRIME, use_rho=False, use_pm1=False, use_ecm=False)
    return {int(p): int(t) for p, t in found.items()}
