"""Quotients inside an argument: numerators are divided by their denominators, so that a·c/(a + b) + b·c/(a + b) is c.

Outside of functions `is_zero` multiplies denominators out. An exponent is taken apart into its terms at once, so what
cancels in it has to cancel before that: N^(α + β) with N = X^(1/(α + β)) is X.
"""

from __future__ import annotations

from fractions import Fraction

from .polynomial import Atom, Monomial, Poly, Rational, accumulate, rational, total_poly
from .products import monomial, multiply

MAX_DIVISIONS = 64  # steps of one division; a numerator that needs more stays as it is


def divided(poly: Poly) -> Poly:
    """The polynomial with every numerator reduced by division with remainder, wherever its denominators are not 0."""
    for atom in sorted(_denominators(poly), key=lambda a: a.render({})):
        poly = _reduced(poly, atom)
    return poly


def _denominators(poly: Poly) -> set[Atom]:
    """The sums of several terms to a negative whole power."""
    return {a for m in poly.terms for a, e in m if a.kind == "pow" and e < 0 and e.denominator == 1}


def _reduced(poly: Poly, atom: Atom) -> Poly:
    """Division by one denominator, from its highest power to its lowest."""
    numerators: dict[int, dict[Monomial, Rational]] = {}
    for m, c in poly.terms.items():
        powers = dict(m)
        e = powers.get(atom, 0)
        below = -int(e) if e < 0 and e.denominator == 1 else 0
        if below:
            del powers[atom]
        numerators.setdefault(below, {})[frozenset(powers.items())] = c
    parts = []
    for below in range(max(numerators), 0, -1):
        found = _quotient(Poly(numerators.get(below, {})), atom.args[0])
        if found is None:
            return poly
        quotient, remainder = found
        parts += [_over(m, atom, below).scaled(c) for m, c in remainder.terms.items()]
        accumulate(numerators.setdefault(below - 1, {}), quotient, 1)
    return total_poly([*parts, Poly(numerators.get(0, {}))])


def _over(numerator: Monomial, atom: Atom, below: int) -> Poly:
    return monomial({**dict(numerator), atom: -below})


def _quotient(numerator: Poly, divisor: Poly) -> tuple[Poly, Poly] | None:
    """Quotient and remainder, in the lexicographic order of the divisor's atoms; nothing if it takes too long."""
    atoms = sorted({a for m in divisor.terms for a, _ in m}, key=lambda a: a.render({}))

    def place(m: Monomial) -> tuple[Rational, ...]:
        powers = dict(m)
        return tuple(powers.get(atom, 0) for atom in atoms)

    leading = max(divisor.terms, key=place)
    if any(e < 0 for m in divisor.terms for _, e in m) or any(a.boolean for a in atoms):
        return None  # the order would not go down with every step
    quotient = Poly({})
    for _ in range(MAX_DIVISIONS):
        target = next((m for m in numerator.terms if _divides(leading, m)), None)
        if target is None:
            return quotient, numerator
        powers = dict(target)
        for atom, e in leading:
            powers[atom] = powers[atom] - e
        step = monomial(powers).scaled(rational(Fraction(numerator.terms[target]) / divisor.terms[leading]))
        quotient = quotient + step
        numerator = numerator - multiply(step, divisor)
    return None


def _divides(leading: Monomial, m: Monomial) -> bool:
    powers = dict(m)
    return all(powers.get(atom, 0) >= e for atom, e in leading)
