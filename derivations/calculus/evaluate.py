"""Independent evaluation: sums unrolled, every number an mpmath float of 50 digits.

This is the checker of the checker. It reads the same expressions as the normal form and shares no rule with it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from operator import mul

import mpmath

from .affine import Affine
from .index import Dim, Index, Mapped, Permutation, Subscript
from .nodes import Add, Const, Delta, Entry, Expr, Fn, Gated, Larger, Max, Mul, Place, Pow, Predicate, Size, Sum, Tensor
from .traverse import children, own_indices, subscripts

DIGITS = 50
GUARD = 10  # digits kept for the rounding of an argument that decides on which side of a jump it lies
# Bits before the point of an argument: the exponential of a number with a thousand of them takes 13 ms, with four
# thousand 0.6 s, and that of one with a billion does not fit into memory.
LARGEST = 1000
ONE = mpmath.mpf(1)

Array = Mapping[tuple[int, ...], Fraction]


class Undefined(Exception):
    """The expression has no value here: a division by zero, a logarithm or root of a negative number; or one that could
    not be computed, as the exponential of an exponential of an exponential."""


class UnknownFunction(ValueError):
    """An elementwise function of this name is not known to mpmath."""


@dataclass
class Point:
    """Sizes of the dimensions, values of the tensors, and the digits with which everything is computed."""

    sizes: Mapping[Dim, int]
    values: Mapping[Tensor, Array]
    permutations: Mapping[Permutation, tuple[int, ...]] = field(default_factory=dict)
    digits: int = DIGITS
    memo: dict[tuple[Hashable, ...], mpmath.mpf] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with mpmath.workdps(self.digits):
            self.floats = {
                tensor: {cell: _float(value) for cell, value in array.items()} for tensor, array in self.values.items()
            }


Evaluator = Callable[[Point, dict[Index, int]], mpmath.mpf]


def evaluator(expr: Expr) -> Evaluator:
    """A function of a point and an assignment of the free indices that gives the value of the expression.

    The function raises `Undefined` where the expression has no value, or one that is too large to compute with.
    """
    return evaluators((expr,))[0]


def evaluators(exprs: Sequence[Expr]) -> list[Evaluator]:
    """`evaluator` of each of some expressions that are evaluated at the same points.

    What they have in common (up to the names of bound indices) is computed once a point.
    """
    compiler = _Compiler()
    return [_at_precision_of_point(compiler.compile(expr)[0]) for expr in exprs]


def _at_precision_of_point(inner: Evaluator) -> Evaluator:
    def evaluate(point: Point, at: dict[Index, int]) -> mpmath.mpf:
        with mpmath.workdps(point.digits):
            return inner(point, at)

    return evaluate


def _float(value: Fraction) -> mpmath.mpf:
    return mpmath.mpf(value.numerator) / value.denominator


class _Compiler:
    """Turns expressions into functions; two expressions that differ in the names of indices alone share a number,
    under which their values are remembered at each point."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[Hashable, ...], int] = {}

    def compile(self, expr: Expr) -> tuple[Evaluator, tuple[Index, ...], int]:
        """The evaluator of a node, its free indices in order of first appearance, and the number of its shape."""
        parts = [self.compile(part) for part in children(expr)]
        found: dict[Index, None] = dict.fromkeys(own_indices(expr))
        for _, indices, _ in parts:
            found.update(dict.fromkeys(indices))
        place = {index: k for k, index in enumerate(found)}
        shape = (
            type(expr),
            *_own(expr, place),
            *((number, tuple(place[index] for index in indices)) for _, indices, number in parts),
        )
        number = self.numbers.setdefault(shape, len(self.numbers))
        if isinstance(expr, Sum | Max):
            found.pop(expr.index, None)
        free = tuple(found)
        compute = _node(expr, [part for part, _, _ in parts])
        if isinstance(expr, Sum | Max | Fn | Pow):
            compute = self._remembered(compute, number, free)
        return compute, free, number

    def _remembered(self, compute: Evaluator, number: int, free: tuple[Index, ...]) -> Evaluator:
        def remembered(point: Point, at: dict[Index, int]) -> mpmath.mpf:
            key = (self, number, *[at[index] for index in free])
            value = point.memo.get(key)
            if value is None:
                value = point.memo[key] = compute(point, at)
            return value

        return remembered


def _own(expr: Expr, place: Mapping[Index, int]) -> tuple[Hashable, ...]:
    """What a node says besides its sub-expressions, its indices given by their places."""
    match expr:
        case Const(value):
            return (value,)
        case Size(dim):
            return (dim,)
        case Entry(tensor, _):
            return (tensor, *_where(expr, place))
        case Pow(_, exponent):
            return (exponent,)
        case Fn(name, _):
            return (name,)
        case Sum(index, _) | Max(index, _, _):
            return (index.dim, place.get(index))
        case Delta():
            return _where(expr, place)
        case Predicate(affine) | Place(affine):
            terms = ((place[t] if isinstance(t, Index) else t, c) for t, c in affine.terms)
            return (affine.constant, *terms)
        case _:
            return ()


def _where(expr: Expr, place: Mapping[Index, int]) -> tuple[Hashable, ...]:
    """The subscripts of a node, by the places of their indices."""
    return tuple((ix.map, place[ix.index]) if isinstance(ix, Mapped) else place[ix] for ix in subscripts(expr))


def _node(expr: Expr, parts: list[Evaluator]) -> Evaluator:
    """The rule of one node; every sum is unrolled."""
    match expr:
        case Const(value):
            return lambda point, at: _float(value)
        case Size(dim):
            return lambda point, at: mpmath.mpf(point.sizes[dim])
        case Entry(tensor, indices):
            return lambda point, at: point.floats[tensor][tuple(_place(index, point, at) for index in indices)]
        case Add():
            return lambda point, at: mpmath.fsum([part(point, at) for part in parts])
        case Mul():
            return lambda point, at: reduce(mul, [part(point, at) for part in parts], ONE)
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
            return lambda point, at: mpmath.mpf(_place(left, point, at) == _place(right, point, at))
        case Gated():
            return parts[0]
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
        if isinstance(index.map, Permutation):
            return point.permutations[index.map][at[index.index]]
        return int(point.values[index.map][(at[index.index],)])
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


def _step(argument: mpmath.mpf) -> mpmath.mpf:
    if 0 < abs(argument) < mpmath.mpf(10) ** (GUARD - mpmath.mp.dps):
        raise Undefined("rounding may have moved the argument across the jump of the step")
    return mpmath.mpf(argument > 0)


# Functions that mpmath does not have, by their definitions.
OWN: dict[str, Callable[[mpmath.mpf], mpmath.mpf]] = {
    "sigmoid": lambda argument: 1 / (1 + mpmath.exp(-argument)),
    "relu": lambda argument: max(argument, mpmath.mpf(0)),
    "step": _step,
}


def _apply(name: str, argument: mpmath.mpf) -> mpmath.mpf:
    if name == "log" and argument <= 0:
        raise Undefined("a logarithm of a number that is not positive")
    if mpmath.mag(argument) > LARGEST:
        raise Undefined("an argument too large to compute with")
    function = OWN.get(name) or getattr(mpmath, name, None)
    if not callable(function):
        raise UnknownFunction(f"there is no function {name!r} to evaluate")
    try:
        value = function(argument)
    except TypeError as problem:
        raise UnknownFunction(f"{name!r} is not a function of one real number: {problem}") from problem
    except (ValueError, ZeroDivisionError) as problem:
        raise Undefined(f"{name} has a pole here") from problem
    if not isinstance(value, mpmath.mpf) or not mpmath.isfinite(value):
        raise Undefined(f"{name} has no real value here")
    return value


def all_indices(indices: tuple[Index, ...], sizes: Mapping[Dim, int]) -> list[dict[Index, int]]:
    """Every assignment of some indices."""
    ranges = [range(sizes[index.dim]) for index in indices]
    return [dict(zip(indices, values, strict=True)) for values in itertools.product(*ranges)]
