"""Independent evaluation: sums unrolled, every number an mpmath float of 50 digits.

This is the checker of the checker. It reads the same expressions as the normal form and shares no rule with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import mpmath

from .expr import (
    Add,
    Affine,
    Const,
    Delta,
    Dim,
    Entry,
    Expr,
    Fn,
    Index,
    Larger,
    Mapped,
    Max,
    Mul,
    Permutation,
    Place,
    Pow,
    Predicate,
    Size,
    Subscript,
    Sum,
    Tensor,
    free_indices,
)

DIGITS = 50

Array = Mapping[tuple[int, ...], Fraction]


class Undefined(Exception):
    """The expression has no value here: a division by zero, a logarithm or root of a negative number."""


@dataclass
class Point:
    """Sizes of the dimensions and values of the tensors."""

    sizes: Mapping[Dim, int]
    values: Mapping[Tensor, Array]
    permutations: Mapping[Permutation, tuple[int, ...]] = field(default_factory=dict)
    _memo: dict[tuple[int, tuple[int, ...]], mpmath.mpf] = field(default_factory=dict)
    _kept: dict[int, tuple[Expr, tuple[Index, ...]]] = field(default_factory=dict)


def evaluate(expr: Expr, point: Point, at: Mapping[Index, int]) -> mpmath.mpf:
    """The value of an expression at a point, for values of its free indices.

    Raises:
        Undefined: the expression has no value there.
    """
    with mpmath.workdps(DIGITS):
        return _value(expr, point, dict(at))


def _value(expr: Expr, point: Point, at: dict[Index, int]) -> mpmath.mpf:
    if not isinstance(expr, Sum | Max | Fn | Pow):
        return _compute(expr, point, at)
    if id(expr) not in point._kept:
        point._kept[id(expr)] = (expr, free_indices(expr))
    key = (id(expr), tuple(at[index] for index in point._kept[id(expr)][1]))
    if key not in point._memo:
        point._memo[key] = _compute(expr, point, at)
    return point._memo[key]


def _compute(expr: Expr, point: Point, at: dict[Index, int]) -> mpmath.mpf:
    match expr:
        case Const(value):
            return mpmath.mpf(value.numerator) / value.denominator
        case Size(dim):
            return mpmath.mpf(point.sizes[dim])
        case Entry(tensor, indices):
            value = point.values[tensor][tuple(_place(index, point, at) for index in indices)]
            return mpmath.mpf(value.numerator) / value.denominator
        case Add(terms):
            return mpmath.fsum(_value(term, point, at) for term in terms)
        case Mul(factors):
            result = mpmath.mpf(1)
            for factor in factors:
                result *= _value(factor, point, at)
            return result
        case Pow(base, exponent):
            return _power(_value(base, point, at), exponent)
        case Fn(name, argument):
            return _apply(name, _value(argument, point, at))
        case Sum(index, body):
            return mpmath.fsum(_value(body, point, {**at, index: k}) for k in range(point.sizes[index.dim]))
        case Max(index, body, where):
            rows = [{**at, index: k} for k in range(point.sizes[index.dim])]
            seen = [_value(body, point, row) for row in rows if _value(where, point, row) != 0]
            if not seen:
                raise Undefined("the maximum of nothing")
            return max(seen)
        case Larger(left, right):
            return max(_value(left, point, at), _value(right, point, at))
        case Delta(left, right):
            return mpmath.mpf(at[left] == at[right])
        case Predicate(affine):
            return mpmath.mpf(_position(affine, point, at) >= 0)
        case Place(affine):
            return mpmath.mpf(_position(affine, point, at))
        case _:
            raise TypeError(f"{type(expr).__name__} is not an expression node")


def _place(index: Subscript, point: Point, at: dict[Index, int]) -> int:
    if isinstance(index, Mapped):
        return point.permutations[index.permutation][at[index.index]]
    return at[index]


def _position(affine: Affine, point: Point, at: dict[Index, int]) -> int:
    return affine.constant + sum(
        c * (at[term] if isinstance(term, Index) else point.sizes[term]) for term, c in affine.terms
    )


def _power(base: mpmath.mpf, exponent: Fraction) -> mpmath.mpf:
    if base == 0 and exponent < 0:
        raise Undefined("a division by zero")
    if exponent.denominator == 1:
        return base ** int(exponent)
    if base < 0:
        raise Undefined("a root of a negative number")
    return base ** (mpmath.mpf(exponent.numerator) / exponent.denominator)


def _apply(name: str, argument: mpmath.mpf) -> mpmath.mpf:
    if name == "log" and argument <= 0:
        raise Undefined("a logarithm of a number that is not positive")
    function = getattr(mpmath, name, None)
    if function is None:
        raise TypeError(f"no function named {name!r} in mpmath")
    return function(argument)


def all_indices(indices: tuple[Index, ...], sizes: Mapping[Dim, int]) -> list[dict[Index, int]]:
    """Every assignment of some indices."""
    ranges = [range(sizes[index.dim]) for index in indices]
    return [dict(zip(indices, values, strict=True)) for values in itertools.product(*ranges)]
