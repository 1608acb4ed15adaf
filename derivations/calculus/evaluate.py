"""Independent evaluation: sums unrolled, every number an mpmath float of 50 digits.

This is the checker of the checker. It reads the same expressions as the normal form and shares no rule with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
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
    children,
    own_indices,
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
    memo: dict[tuple[int, ...], mpmath.mpf] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with mpmath.workdps(DIGITS):
            self.floats = {
                tensor: {cell: _float(value) for cell, value in array.items()} for tensor, array in self.values.items()
            }


Evaluator = Callable[[Point, dict[Index, int]], mpmath.mpf]


def evaluator(expr: Expr) -> Evaluator:
    """A function of a point and an assignment of the free indices that gives the value of the expression.

    The function raises `Undefined` where the expression has no value.
    """
    counter = itertools.count()
    with mpmath.workdps(DIGITS):
        inner = _compile(expr, counter)[0]

    def evaluate(point: Point, at: dict[Index, int]) -> mpmath.mpf:
        with mpmath.workdps(DIGITS):
            return inner(point, at)

    point_free: Evaluator = evaluate
    return point_free


def _float(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


def _compile(expr: Expr, counter: Iterator[int]) -> tuple[Evaluator, tuple[Index, ...]]:
    """The evaluator of a node with its free indices; what costs a sum or a function is remembered for each point."""
    parts = [_compile(part, counter) for part in children(expr)]
    free: dict[Index, None] = dict.fromkeys(own_indices(expr))
    for _, indices in parts:
        free.update(dict.fromkeys(indices))
    if isinstance(expr, Sum | Max):
        free.pop(expr.index, None)
    compute = _node(expr, [part for part, _ in parts])
    indices = tuple(free)
    if not isinstance(expr, Sum | Max | Fn | Pow):
        return compute, indices
    number = next(counter)

    def remembered(point: Point, at: dict[Index, int]) -> mpmath.mpf:
        key = (id(compute), number, *(at[index] for index in indices))
        value = point.memo.get(key)
        if value is None:
            value = point.memo[key] = compute(point, at)
        return value

    return remembered, indices


def _node(expr: Expr, parts: list[Evaluator]) -> Evaluator:
    """The rule of one node; every sum is unrolled."""
    match expr:
        case Const(value):
            number = _float(value)
            return lambda point, at: number
        case Size(dim):
            return lambda point, at: mpmath.mpf(point.sizes[dim])
        case Entry(tensor, indices):
            return lambda point, at: point.floats[tensor][tuple(_place(index, point, at) for index in indices)]
        case Add():
            return lambda point, at: mpmath.fsum([part(point, at) for part in parts])
        case Mul():
            return lambda point, at: mpmath.fprod([part(point, at) for part in parts])
        case Pow(_, exponent):
            return lambda point, at: _power(parts[0](point, at), exponent)
        case Fn(name, _):
            return lambda point, at: _apply(name, parts[0](point, at))
        case Sum(index, _):
            return lambda point, at: mpmath.fsum(
                [parts[0](point, {**at, index: place}) for place in range(point.sizes[index.dim])]
            )
        case Max(index, _, _):
            return lambda point, at: _largest(index, parts, point, at)
        case Larger():
            return lambda point, at: max(part(point, at) for part in parts)
        case Delta(left, right):
            return lambda point, at: mpmath.mpf(at[left] == at[right])
        case Predicate(affine):
            return lambda point, at: mpmath.mpf(_position(affine, point, at) >= 0)
        case Place(affine):
            return lambda point, at: mpmath.mpf(_position(affine, point, at))
        case _:
            raise TypeError(f"{type(expr).__name__} is not an expression node")


def _largest(index: Index, parts: list[Evaluator], point: Point, at: dict[Index, int]) -> mpmath.mpf:
    body, where = parts
    rows = [{**at, index: place} for place in range(point.sizes[index.dim])]
    seen = [body(point, row) for row in rows if where(point, row) != 0]
    if not seen:
        raise Undefined("the maximum of nothing")
    return max(seen)


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
