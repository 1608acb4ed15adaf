"""Elementwise functions of polynomials: exponentials and logarithms are taken apart, the others stay as they are."""

from __future__ import annotations

from fractions import Fraction

from .polynomial import (
    ONE_POLY,
    ZERO_POLY,
    Atom,
    Poly,
    Rational,
    atom_poly,
    constant,
    is_positive,
    monomial_free,
    monomial_top,
    product_terms,
    rational,
    total_poly,
)
from .products import NoValue, factor_inside, greatest_factor, monomial, multiply, power, primes, split_content
from .quotients import divided
from .signs import leading_sign, step
from .trigonometry import cosine, sine

# Values at 0, and the odd functions: f(−p) = −f(p).
AT_ZERO: dict[str, Rational] = {
    "tanh": 0, "erf": 0, "sinh": 0, "atan": 0, "asinh": 0, "relu": 0,
    "cosh": 1, "erfc": 1, "sigmoid": Fraction(1, 2),
}  # fmt: skip
ODD = frozenset({"tanh", "erf", "sinh", "atan", "asinh"})

HALF = Fraction(1, 2)  # any exponent that is not whole: only positive factors are taken out


def exponential(argument: Poly) -> Poly:
    """exp(Σ c·m) as a product of exp(m)^c; exp(c·log X) as X^c."""
    result = ONE_POLY
    for m, c in divided(argument).terms.items():
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
    if not argument:
        raise NoValue("the logarithm of zero")
    term = argument.single()
    if term is None:
        content, primitive = split_content(argument, HALF)
        if content == ONE_POLY:
            return _function("log", primitive)
        return logarithm(content) + logarithm(primitive)
    factors, coefficient = term
    if coefficient < 0:
        return _function("log", argument)
    rest: dict[Atom, Rational] = {}
    parts: list[Poly] = []
    for atom, e in factors:
        if atom.kind == "exp":
            parts.append(Poly({atom.args[0]: e}))
        elif is_positive(atom):
            base = atom.args[0] if atom.kind == "pow" else atom_poly(atom)
            taken = Fraction(greatest_factor(c * factor_inside(m) for m, c in base.terms.items()))
            parts += [
                part.scaled(e) for part in (_function("log", base.scaled(rational(1 / taken))), _logarithm_of(taken))
            ]
        else:
            rest[atom] = e
    taken = factor_inside(frozenset(rest.items()))
    parts.append(_logarithm_of(coefficient * taken))
    if rest:
        parts.append(_function("log", product_terms(rest, rational(1 / taken))))
    return total_poly(parts)


def _logarithm_of(number: Rational) -> Poly:
    """The logarithm of a positive number, by its prime factors."""
    return total_poly(_function("log", constant(prime)).scaled(times) for prime, times in primes(number).items())


def _function(name: str, argument: Poly) -> Poly:
    return atom_poly(Atom("fn", (name, argument), argument.free, argument.top))


def function(name: str, argument: Poly) -> Poly:
    """An elementwise function of a polynomial."""
    if name == "exp":
        return exponential(argument)
    if name == "log":
        return logarithm(argument)
    if name == "sin":
        return sine(argument)
    if name == "cos":
        return cosine(argument)
    if name == "step":
        return step(argument)
    if not argument and name in AT_ZERO:
        return constant(AT_ZERO[name])
    if name in ODD and leading_sign(argument) < 0:
        return -_function(name, -argument)
    return _function(name, argument)
