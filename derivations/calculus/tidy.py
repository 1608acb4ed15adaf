"""Local tidying of an expression: flat products and sums, numbers collected, zeros and ones removed, factors that do
not depend on a bound index taken out of its sum. Every rule keeps the value; nothing is expanded."""

from __future__ import annotations

from fractions import Fraction

from .index import DimensionError, Mapped
from .nodes import ONE, ZERO, Add, Const, Delta, Expr, Max, Mul, Pow, Sum
from .traverse import children, free_indices, rebuild, rename


def tidy(expr: Expr) -> Expr:
    """An equal expression in tidy form."""
    match expr:
        case Add(terms):
            return _add([tidy(term) for term in terms])
        case Mul(factors):
            return _mul([tidy(factor) for factor in factors])
        case Pow(base, exponent):
            return _pow(tidy(base), exponent)
        case Sum(index, body):
            return _sum(Sum(index, tidy(body)))
        case Max(index, body, where):
            return Max(index, tidy(body), tidy(where))
        case _:
            parts = children(expr)
            return rebuild(expr, tuple(tidy(part) for part in parts)) if parts else expr


def _add(terms: list[Expr]) -> Expr:
    flat: list[Expr] = []
    number = Fraction(0)
    for term in terms:
        for part in term.terms if isinstance(term, Add) else (term,):
            if isinstance(part, Const):
                number += part.value
            else:
                flat.append(part)
    if number:
        flat.append(Const(number))
    if not flat:
        return ZERO
    return flat[0] if len(flat) == 1 else Add(tuple(flat))


def _mul(factors: list[Expr]) -> Expr:
    flat: list[Expr] = []
    number = Fraction(1)
    for factor in factors:
        for part in factor.factors if isinstance(factor, Mul) else (factor,):
            if isinstance(part, Const):
                number *= part.value
            else:
                flat.append(part)
    if not number:
        return ZERO
    powers: dict[Expr, Fraction] = {}
    for part in flat:
        base, exponent = (part.base, part.exponent) if isinstance(part, Pow) else (part, Fraction(1))
        powers[base] = powers.get(base, Fraction(0)) + exponent
    merged: list[Expr] = [_pow(base, exponent) for base, exponent in powers.items() if exponent]
    if number != 1:
        merged.insert(0, Const(number))
    if not merged:
        return ONE
    return merged[0] if len(merged) == 1 else Mul(tuple(merged))


def _pow(base: Expr, exponent: Fraction) -> Expr:
    if exponent == 1:
        return base
    if exponent == 0:
        return ONE
    if isinstance(base, Const) and exponent.denominator == 1 and base.value:
        return Const(base.value ** int(exponent))
    if isinstance(base, Pow) and exponent.denominator == 1:
        return _pow(base.base, base.exponent * exponent)
    return Pow(base, exponent)


def _sum(expr: Sum) -> Expr:
    index, body = expr.index, expr.body
    if body == ZERO:
        return ZERO
    factors = body.factors if isinstance(body, Mul) else (body,)
    for factor in factors:
        if isinstance(factor, Delta) and (factor.left is index) != (factor.right is index):
            other = factor.right if factor.left is index else factor.left
            if isinstance(other, Mapped) and other.index is index:
                continue  # δ(ids(v), v): the fixed points of a lookup
            rest = [f for f in factors if f is not factor]
            try:
                return tidy(rename(Mul(tuple(rest)) if rest else ONE, {index: other}))
            except DimensionError:  # the image of an image, or of an index where positions are compared
                continue
    outside = [f for f in factors if index not in free_indices(f)]
    inside = [f for f in factors if index in free_indices(f)]
    if not outside or not inside:
        return expr
    return _mul([*outside, tidy(Sum(index, _mul(inside)))])
