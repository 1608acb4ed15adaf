"""Random small expressions of every kind of node, and random points at which to evaluate them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import mpmath
from hypothesis import strategies as st
from lemmata.derivations.calculus.evaluate import Array, Point, Undefined, all_indices, evaluators
from lemmata.derivations.calculus.expr import (
    Add,
    Const,
    Delta,
    Dim,
    Entry,
    Expr,
    Fn,
    Gated,
    Index,
    Larger,
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
    position,
    refresh,
)

n, m = Dim("n"), Dim("m", grows=False)
i, j, u = Index("i", n), Index("j", n), Index("u", m)
FREE = (i, j, u)
pi = Permutation("π", n)
TENSORS = (
    Tensor("x", (n,)),
    Tensor("A", (n, m)),
    Tensor("S", (n, n)),
    Tensor("p", (n,), "positive"),
    Tensor("b", (n,), "boolean"),
    Tensor("B", (n, m), "boolean"),
    Tensor("s"),
    Tensor("w", (), "positive"),
)
LOOKUPS = (Tensor("ids", (n,), "index", m), Tensor("next", (n,), "index", n), Tensor("at", (m,), "index", n))
EXPONENTS = tuple(map(Fraction, ("2", "-1", "1/2", "-1/2", "3", "-2", "3/2", "1/3", "2/3")))
CONSTANTS = tuple(map(Fraction, ("1", "-1", "2", "1/2", "-3", "0", "4", "2/3")))
FUNCTIONS = ("exp", "log", "tanh", "exp", "log", "sin")
DEPTH = 4

Choose = Callable[[int], int]  # a number from 0 to the argument − 1

# Cancellation inside an expression may cost digits, so a difference counts only if it is still there at SHARP_DIGITS.
AGREEMENT = mpmath.mpf(10) ** -30
SHARP_DIGITS = 400


def expression(choose: Choose, depth: int = DEPTH, scope: tuple[Index, ...] = FREE) -> Expr:
    """A random expression whose free indices are among `scope`."""
    if depth == 0 or choose(6) == 0:
        return _leaf(choose, scope)

    def part(inner: tuple[Index, ...] = scope) -> Expr:
        return expression(choose, depth - 1, inner)

    match choose(10):
        case 0 | 1:
            return Add(tuple(part() for _ in range(2 + choose(2))))
        case 2 | 3:
            factors = [part() for _ in range(2 + choose(2))]
            if choose(4) == 0:  # the same factor twice, or a quotient by it
                factors.append(refresh(Pow(factors[0], EXPONENTS[choose(len(EXPONENTS))])))
            return Mul(tuple(factors))
        case 4:
            return Pow(part(), EXPONENTS[choose(len(EXPONENTS))])
        case 5:
            return Fn(FUNCTIONS[choose(len(FUNCTIONS))], part())
        case 6:
            index = _index(choose)
            return Sum(index, part((*scope, index)))
        case 7:
            index = _index(choose)
            inner = (*scope, index)
            where: Expr = Const(Fraction(1)) if choose(2) else _indicator(choose, inner)
            return Max(index, part(inner), where)
        case 8:
            return Gated(part(), _indicator(choose, scope))
        case _:
            return Larger(part(), part())


def _index(choose: Choose) -> Index:
    # Names that are taken as well: capture must not depend on names.
    return Index(("i", "j", "k")[choose(3)], n) if choose(3) else Index(("u", "v")[choose(2)], m)


def _subscript(choose: Choose, dim: Dim, scope: tuple[Index, ...]) -> Subscript:
    fitting = [index for index in scope if index.dim == dim]
    index = fitting[choose(len(fitting))]
    match choose(8):
        case 0 if dim == n:
            return pi(index)
        case 1 | 2:
            return _lookup(choose, dim, scope)
        case _:
            return index


def _lookup(choose: Choose, dim: Dim, scope: tuple[Index, ...]) -> Subscript:
    fitting = [lookup(index) for lookup in LOOKUPS for index in scope if lookup.dims[0] == index.dim]
    reached = [subscript for subscript in fitting if subscript.dim == dim]
    return reached[choose(len(reached))]


def _pair(choose: Choose, scope: tuple[Index, ...]) -> tuple[Index, Index]:
    fitting = [index for index in scope if index.dim == n]
    return fitting[choose(len(fitting))], fitting[choose(len(fitting))]


def _indicator(choose: Choose, scope: tuple[Index, ...]) -> Expr:
    left, right = _pair(choose, scope)
    match choose(7):
        case 0:
            return Delta(left, right)
        case 5:
            return Delta(_lookup(choose, m, scope), next(index for index in scope if index.dim == m))
        case 6:
            return Delta(left, _lookup(choose, n, scope))
        case 1:
            return Predicate(position(left) - right + (choose(3) - 1))
        case 2:
            return Predicate(position(n) - left - right - choose(3))
        case 3:
            return TENSORS[4][_subscript(choose, n, scope)]
        case _:
            return TENSORS[5][_subscript(choose, n, scope), _subscript(choose, m, scope)]


def _leaf(choose: Choose, scope: tuple[Index, ...]) -> Expr:
    match choose(10):
        case 0:
            return Const(CONSTANTS[choose(len(CONSTANTS))])
        case 1:
            return Size((n, m)[choose(2)])
        case 2 | 3:
            return _indicator(choose, scope)
        case 4:
            left, right = _pair(choose, scope)
            return Place((position(left) - right, position(left), position(n) - left)[choose(3)])
        case _:
            tensor = TENSORS[choose(len(TENSORS))]
            return Entry(tensor, tuple(_subscript(choose, dim, scope) for dim in tensor.dims))


@st.composite
def expressions(draw: st.DrawFn, depth: int = DEPTH) -> Expr:
    """`expression`, drawn by Hypothesis."""
    return expression(lambda bound: draw(st.integers(0, bound - 1)), depth)


def point(rng: random.Random, tensors: Sequence[Tensor] = TENSORS) -> Point:
    """A random point: small sizes, small rational values with many zeros, ones and repetitions."""
    sizes = {n: rng.randint(1, 3), m: rng.randint(1, 2)}
    values = {tensor: _array(tensor, sizes, rng) for tensor in (*tensors, *LOOKUPS)}
    return Point(sizes, values, {pi: tuple(rng.sample(range(sizes[n]), sizes[n]))})


def _array(tensor: Tensor, sizes: Mapping[Dim, int], rng: random.Random) -> Array:
    def value() -> Fraction:
        if tensor.kind == "boolean":
            return Fraction(rng.randint(0, 1))
        if tensor.over is not None:
            return Fraction(rng.randrange(sizes[tensor.over]))
        if tensor.kind == "positive":
            return Fraction(rng.choice((1, 2, 3, 5)), rng.choice((1, 2)))
        return Fraction(rng.randint(-3, 3), rng.choice((1, 1, 2)))

    axes = tuple(Index(dim.name, dim) for dim in tensor.dims)
    return {tuple(at.values()): value() for at in all_indices(axes, sizes)}


def differences(left: Expr, right: Expr, where: Point) -> tuple[int, list[str]]:
    """Places where both expressions have a value, and descriptions of those where the values differ."""
    indices = tuple(dict.fromkeys((*free_indices(left), *free_indices(right))))
    one, two = evaluators((left, right))
    sharper = replace(where, digits=SHARP_DIGITS, memo={})
    compared, wrong = 0, []
    for at in all_indices(indices, where.sizes):
        try:
            a, b = one(where, at), two(where, at)
            if _differ(a, b):
                a, b = one(sharper, at), two(sharper, at)
        except Undefined:
            continue
        compared += 1
        if _differ(a, b):
            shown = ", ".join(f"{index.name} = {value}" for index, value in at.items())
            wrong.append(f"at {shown}: {mpmath.nstr(a, 12)} ≠ {mpmath.nstr(b, 12)}")
    return compared, wrong


def _differ(a: mpmath.mpf, b: mpmath.mpf) -> bool:
    with mpmath.workdps(SHARP_DIGITS):
        return bool(abs(a - b) > AGREEMENT * (1 + abs(a) + abs(b)))
