"""Where an expression has a value: what its powers, logarithms and maxima ask of their arguments.

A sign that is read off one expression is the sign of an equal one only where both have a value. The conditions of the
one must therefore be among those of the other, or hold everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from .index import Dim, Index
from .nodes import (
    NONNEGATIVE_FUNCTIONS,
    ONE,
    PI,
    POSITIVE_FUNCTIONS,
    Add,
    Const,
    Delta,
    Entry,
    Expr,
    Fn,
    Gated,
    Larger,
    Max,
    Mul,
    Pow,
    Predicate,
    Size,
    Sum,
)
from .normal_form import normal_form
from .polynomial import Poly
from .traverse import children, free_indices, rename

Demand = Literal["not zero", "not negative", "positive"]

# Functions that have a value for every real number.
TOTAL = frozenset(
    {"exp", "tanh", "sin", "cos", "sinh", "cosh", "erf", "erfc", "atan", "asinh", "sigmoid", "relu", "step"}
)
# What meets a demand, besides itself.
STRONGER: dict[Demand, frozenset[Demand]] = {
    "not zero": frozenset({"positive"}),
    "not negative": frozenset({"positive"}),
    "positive": frozenset(),
}


class Condition(NamedTuple):
    """A demand on the normal form of an argument, its bound indices named by the order of their appearance."""

    demand: Demand
    argument: Poly


def has_value_where(expr: Expr, other: Expr) -> bool:
    """Whether `expr` is shown to have a value wherever `other` has one (sound, not complete).

    Raises:
        NoValue: a part of them has no value anywhere.
        TooLarge: the normal form of a part has too many terms.
    """
    if expr is other:
        return True
    places: dict[tuple[Dim, int], Index] = {}
    bound = frozenset(free_indices(expr)) | frozenset(free_indices(other))
    known = {c for c in _conditions(other, bound, places) if c is not None}
    for condition in _conditions(expr, bound, places):
        if condition is None:
            return False
        met = {Condition(demand, condition.argument) for demand in STRONGER[condition.demand]}
        if condition not in known and met.isdisjoint(known):
            return False
    return True


def _conditions(expr: Expr, free: frozenset[Index], places: dict[tuple[Dim, int], Index]) -> Iterator[Condition | None]:
    """The conditions that do not hold everywhere; `None` for one that has no such form."""
    demand = _demand(expr)
    if demand is not None and not _holds(demand, argument := _argument(expr)):
        yield Condition(demand, _closed(argument, free, places))
    match expr:
        case Max(_, _, where) if where != ONE:
            yield None  # the maximum of nothing; and its body is not evaluated everywhere
        case Fn(name, _) if name not in TOTAL and name != "log" and expr != PI:
            yield None
        case _:
            pass
    if not (isinstance(expr, Max) and expr.where != ONE):
        for part in children(expr):
            yield from _conditions(part, free, places)


def _demand(expr: Expr) -> Demand | None:
    match expr:
        case Pow(_, exponent) if exponent.denominator == 1:
            return "not zero" if exponent < 0 else None
        case Pow(_, exponent):
            return "positive" if exponent < 0 else "not negative"
        case Fn("log", _):
            return "positive"
        case _:
            return None


def _argument(expr: Expr) -> Expr:
    (argument,) = children(expr)
    return argument


def _holds(demand: Demand, expr: Expr) -> bool:
    """Whether a demand is met wherever the argument has a value, by its form."""
    return is_positive(expr) or (demand == "not negative" and _never_negative(expr))


def _never_negative(expr: Expr) -> bool:
    """Whether an expression is at least 0 wherever it has a value: squares and sums and products of such."""
    match expr:
        case Pow(_, exponent):
            return exponent.denominator == 1 and exponent.numerator % 2 == 0
        case Add(parts) | Mul(parts):
            return all(_never_negative(part) or is_positive(part) for part in parts)
        case Sum(_, body) | Gated(body, _):
            return _never_negative(body) or is_positive(body)
        case Delta() | Predicate():
            return True
        case Fn(name, _):
            return name in NONNEGATIVE_FUNCTIONS
        case Entry(tensor, _):
            return tensor.kind == "boolean"
        case Const(value):
            return value >= 0
        case _:
            return False


def is_positive(expr: Expr) -> bool:
    """Whether an expression is greater than 0 wherever it has a value, by its form."""
    match expr:
        case Const(value):
            return value > 0
        case Size():
            return True
        case Entry(tensor, _):
            return tensor.kind == "positive"
        case Fn(name, _):
            return name in POSITIVE_FUNCTIONS or expr == PI
        case Pow(base, _):
            return is_positive(base)
        case Add(parts):
            return any(map(is_positive, parts)) and all(is_positive(part) or _never_negative(part) for part in parts)
        case Mul(parts):
            return all(map(is_positive, parts))
        case Sum(_, body) | Max(_, body, _) | Gated(body, _):
            return is_positive(body)
        case Larger(left, right):
            return is_positive(left) or is_positive(right)
        case _:
            return False


def _closed(expr: Expr, free: frozenset[Index], places: dict[tuple[Dim, int], Index]) -> Poly:
    """The normal form, the indices that are bound further out named by the order in which they appear."""
    names: dict[Index, Index] = {}
    for index in free_indices(expr):
        if index not in free:
            place = (index.dim, len(names))
            names[index] = places.setdefault(place, Index("bound", index.dim))
    return normal_form(rename(expr, names))
