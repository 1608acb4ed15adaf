"""Sines and cosines in the normal form: polynomials in the sine and the cosine of single angles.

The argument is a sum of rational multiples p/q·m of monomials m. The addition theorems lead to sines and cosines of the
terms, those of a multiple to the single angle m/q (cos by Chebyshev polynomials of the first kind, sin by those of the
second), the symmetries cos(−x) = cos x and sin(−x) = −sin x to positive angles. In a product, `products.monomial`
replaces sin² by 1 − cos². What is left, products of cosᵏ and of sin·cosᵏ of different angles, is linearly independent:
equal trigonometric polynomials have equal normal forms, provided that all multiples of one monomial have the same
denominator q (cos x = 2 cos²(x/2) − 1 is not found) and that no sine is divided by (nor is 1/sin² = 1/(1 − cos²)).

Angles that are a multiple of π/1, π/2, π/3, π/4 or π/6 have their exact values.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

from .polynomial import ONE_POLY, ZERO_POLY, Atom, Monomial, Poly, atom_poly, constant
from .products import TooLarge, factor_inside, multiply, power

MAX_MULTIPLE = 16  # multiples of an angle that are expanded; a larger one is an angle of its own
MAX_ANGLES = 8  # terms of an argument: its sine and its cosine have 2^7 terms each then
HALF = Fraction(1, 2)
# The cosine and the sine of π/q are the square roots of these.
COSINE_SQUARED = {2: Fraction(0), 3: Fraction(1, 4), 4: HALF, 6: Fraction(3, 4)}

Turn = tuple[Poly, Poly]  # the cosine and the sine of an angle
NO_TURN: Turn = (ONE_POLY, ZERO_POLY)


def sine(argument: Poly) -> Poly:
    """The sine.

    Raises:
        TooLarge: the argument has too many terms.
    """
    return turn(argument)[1]


def cosine(argument: Poly) -> Poly:
    """The cosine.

    Raises:
        TooLarge: the argument has too many terms.
    """
    return turn(argument)[0]


def turn(argument: Poly) -> Turn:
    """The cosine and the sine of a sum of angles, by the addition theorems."""
    if len(argument.terms) > MAX_ANGLES:
        raise TooLarge(f"the sine or the cosine of a sum of {len(argument.terms)} angles")
    result = NO_TURN
    for m, c in argument.terms.items():
        result = _added(result, _of_term(m, Fraction(c)))
    return result


def _added(first: Turn, second: Turn) -> Turn:
    """cos(a + b) = cos a cos b − sin a sin b, sin(a + b) = sin a cos b + cos a sin b."""
    if first == NO_TURN:
        return second
    return (
        multiply(first[0], second[0]) - multiply(first[1], second[1]),
        multiply(first[1], second[0]) + multiply(first[0], second[1]),
    )


def _of_term(m: Monomial, coefficient: Fraction) -> Turn:
    """Of one rational multiple of a monomial."""
    if _is_pi(m):
        return _of_turns(m, coefficient.denominator, coefficient.numerator)
    times = (coefficient * factor_inside(m)).numerator
    whole = abs(times) > MAX_MULTIPLE
    cos, sin = _of_angle(m, abs(coefficient if whole else coefficient / times))
    if not whole:
        cos, sin = _multiple((cos, sin), abs(times))
    return cos, sin.scaled(1 if times > 0 else -1)


def _is_pi(m: Monomial) -> bool:
    """Whether the monomial is arccos(−1), which is how π is written."""
    if len(m) != 1:
        return False
    ((atom, e),) = m
    return atom.kind == "fn" and atom.args == ("acos", constant(-1)) and e == 1


def _of_turns(m: Monomial, parts: int, times: int) -> Turn:
    """Of times/parts·π, which is brought to an angle from 0 to π."""
    times %= 2 * parts
    if times > parts:
        cos, sin = _of_turns(m, parts, 2 * parts - times)
        return cos, -sin
    if times > MAX_MULTIPLE:
        return _of_angle(m, Fraction(times, parts))
    return _multiple(_of_part_of_pi(m, parts), times)


def _of_part_of_pi(m: Monomial, parts: int) -> Turn:
    if parts == 1:
        return -ONE_POLY, ZERO_POLY
    square = COSINE_SQUARED.get(parts)
    if square is None:
        return _of_angle(m, Fraction(1, parts))
    return power(constant(square), HALF), power(constant(1 - square), HALF)


def _of_angle(m: Monomial, coefficient: Fraction) -> Turn:
    """Of an angle that is not taken apart further."""
    angle = Poly({m: coefficient if coefficient.denominator > 1 else coefficient.numerator})
    cos, sin = (atom_poly(Atom("fn", (name, angle), angle.free, angle.top)) for name in ("cos", "sin"))
    return cos, sin


def _multiple(single: Turn, times: int) -> Turn:
    """cos nx = Tₙ(cos x), sin nx = sin x · Uₙ₋₁(cos x)."""
    if times == 0:
        return NO_TURN
    if times == 1:
        return single
    cos, sin = single
    return _at(_chebyshev(times, 1), cos), multiply(sin, _at(_chebyshev(times - 1, 2), cos))


def _at(coefficients: tuple[int, ...], x: Poly) -> Poly:
    """The polynomial with these coefficients, by Horner's rule."""
    result = ZERO_POLY
    for c in reversed(coefficients):
        result = multiply(result, x) + constant(c) if result else constant(c)
    return result


@cache
def _chebyshev(degree: int, kind: int) -> tuple[int, ...]:
    """The coefficients of Tₙ (kind 1) or Uₙ (kind 2), the constant one first: Pₙ = 2x Pₙ₋₁ − Pₙ₋₂."""
    if degree == 0:
        return (1,)
    if degree == 1:
        return (0, kind)
    doubled = (0, *(2 * c for c in _chebyshev(degree - 1, kind)))
    before = (*_chebyshev(degree - 2, kind), 0, 0)
    return tuple(a - b for a, b in zip(doubled, before, strict=True))
