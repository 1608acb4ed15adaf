"""Planted faults: every way to change one node of an expression that people get wrong when they derive by hand.

A mutant keeps the dimensions right (an index is only replaced by one that runs over the same dimension), so that it
looks like a formula that could have been meant. Most mutants change the value; some do not (the maximum that softmax
subtracts may be any number), which is for the user of a mutant to find out. The order is fixed; nothing is random.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from .affine import Affine
from .index import Index, Mapped, Subscript
from .nodes import (
    ONE,
    ZERO,
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
    Tensor,
)
from .program import Def, Program
from .statement import Claim, NonNegative, Within
from .traverse import children, free_indices, rebuild, refresh, rename, tensors

Kind = Literal[
    "sign", "factor", "power", "term dropped", "factor dropped", "factor repeated", "index", "tensor", "range",
    "function", "maximum", "predicate", "delta", "gate", "hypothesis",
]  # fmt: skip

Path = tuple[int, ...]  # which child to go to, from the root down

FACTOR = Fraction(2)  # a wrong factor; any number other than 0, 1 and −1 would do


@dataclass(frozen=True)
class Fault:
    """One change of one node: `new` stands where `old` stood."""

    kind: Kind
    path: Path
    old: Expr
    new: Expr

    def plant(self, expr: Expr) -> Expr:
        """The expression with the fault in it."""
        return replaced(expr, self.path, self.new)

    def __str__(self) -> str:
        return f"{self.kind}: {self.old} became {self.new}"


Part = Literal["left side", "right side", "expression", "hypotheses"]


@dataclass(frozen=True)
class ClaimMutant:
    """A claim with one fault in one part. It is built, and described, when it is asked for."""

    original: Claim
    part: Part
    fault: Fault | HypothesisFault

    @property
    def kind(self) -> Kind:
        """The kind of fault."""
        return self.fault.kind

    @property
    def claim(self) -> Claim:
        """The claim with the fault in it."""
        original, fault = self.original, self.fault
        if isinstance(original, NonNegative | Within):
            assert isinstance(fault, Fault)
            return replace(original, expr=fault.plant(original.expr))
        if isinstance(fault, HypothesisFault):
            return replace(original, given=fault.new)
        if self.part == "left side":
            return replace(original, left=fault.plant(original.left))
        return replace(original, right=fault.plant(original.right))

    def __str__(self) -> str:
        return f"{self.part}, {self.fault}"


@dataclass(frozen=True)
class HypothesisFault:
    """Hypotheses of which one is missing or shifted by one."""

    old: tuple[Predicate, ...]
    new: tuple[Predicate, ...]
    kind: Kind = "hypothesis"

    def __str__(self) -> str:
        shown = [", ".join(map(str, given)) or "nothing" for given in (self.old, self.new)]
        return f"{self.kind}: {shown[0]} became {shown[1]}"


def replaced(expr: Expr, path: Path, new: Expr) -> Expr:
    """The expression with another node at a path."""
    if not path:
        return new
    parts = list(children(expr))
    parts[path[0]] = replaced(parts[path[0]], path[1:], new)
    return rebuild(expr, tuple(parts))


def faults(expr: Expr, scope: Sequence[Index] | None = None) -> Iterator[Fault]:
    """Every fault of an expression, from the root down. `scope` are the indices that may be used (default: the free
    indices of the expression)."""
    readable = tensors(expr)
    yield from _faults(expr, (), tuple(free_indices(expr) if scope is None else scope), readable)


def _faults(expr: Expr, path: Path, scope: tuple[Index, ...], readable: tuple[Tensor, ...]) -> Iterator[Fault]:
    for kind, new in _changes(expr, scope, readable):
        yield Fault(kind, path, expr, new)
    inner = (*scope, expr.index) if isinstance(expr, Sum | Max) else scope
    for number, part in enumerate(children(expr)):
        yield from _faults(part, (*path, number), inner, readable)


Change = tuple[Kind, Expr]


def _changes(expr: Expr, scope: tuple[Index, ...], readable: tuple[Tensor, ...]) -> Iterator[Change]:
    """The faulty nodes that may stand for one node."""
    match expr:
        case Const(value):
            if value:
                yield "sign", Const(-value)
            yield "factor", Const(value + 1)
        case Size():
            yield "factor", expr + 1
            yield "power", Pow(expr, Fraction(-1))
        case Entry():
            yield from _of_entry(expr, scope, readable)
        case Add(terms):
            for k, term in enumerate(terms):
                others = (*terms[:k], *terms[k + 1 :])
                yield "sign", Add((*terms[:k], -term, *terms[k + 1 :]))
                yield "factor", Add((*terms[:k], FACTOR * term, *terms[k + 1 :]))
                yield "term dropped", others[0] if len(others) == 1 else Add(others)
        case Mul(factors):
            for k, factor in enumerate(factors):
                others = (*factors[:k], *factors[k + 1 :])
                yield "factor dropped", others[0] if len(others) == 1 else Mul(others)
                if not is_indicator(factor):  # m² = m
                    yield "factor repeated", Mul((*factors, refresh(factor)))
        case Pow(base, exponent):
            yield "power", Pow(base, -exponent)
            yield "power", Pow(base, exponent + 1) if exponent != -1 else base
            yield "power", Pow(base, exponent / 2)
        case Fn(name, argument):
            yield "function", argument
            yield "function", Fn("exp" if name != "exp" else "tanh", argument)
            yield "sign", Fn(name, -argument)
        case Sum(index, body):
            yield from _of_sum(index, body, scope)
        case Max(index, body, where):
            yield "maximum", ZERO
            yield "maximum", Sum(index, body)
            if where != ONE:
                yield "maximum", Max(index, body)
            for other in _alike(index, scope):
                yield "maximum", rename(body, {index: other})
        case Larger(left, right):
            yield "maximum", left
            yield "maximum", right
            yield "maximum", left + right
        case Predicate(affine):
            yield "predicate", Predicate(affine + 1)
            yield "predicate", Predicate(affine - 1)
            yield "predicate", Predicate(-affine)
            yield "predicate", ONE
        case Gated(body, gate):
            yield "gate", body
            yield "gate", Gated(body, 1 - gate)
        case Delta(left_index, right_index):
            yield "delta", ONE
            yield "delta", ZERO
            yield "delta", 1 - expr
            for subscript in _others(left_index, scope):
                if subscript != right_index:
                    yield "delta", Delta(subscript, right_index)
        case _:
            yield "sign", -expr


def is_indicator(expr: Expr) -> bool:
    """Whether an expression is a 0 or a 1 by its form."""
    if isinstance(expr, Mul):
        return all(map(is_indicator, expr.factors))
    if isinstance(expr, Fn):
        return expr.name == "step"
    return isinstance(expr, Delta | Predicate) or (isinstance(expr, Entry) and expr.tensor.kind == "boolean")


def _alike(index: Subscript, scope: tuple[Index, ...]) -> list[Index]:
    return [other for other in dict.fromkeys(scope) if other.dim == index.dim and other is not index]


def _others(index: Subscript, scope: tuple[Index, ...]) -> list[Subscript]:
    """Other subscripts of the same dimension: indices in scope, and for a lookup the same one elsewhere."""
    others: list[Subscript] = list(_alike(index, scope))
    if isinstance(index, Mapped):
        others += [Mapped(index.map, place) for place in _alike(index.index, scope)]
    return others


def _of_entry(expr: Entry, scope: tuple[Index, ...], readable: tuple[Tensor, ...]) -> Iterator[Change]:
    tensor, indices = expr.tensor, expr.indices
    yield "sign", -expr
    yield "factor", FACTOR * expr
    if tensor.kind != "boolean":  # m² = m
        yield "power", Pow(expr, Fraction(2))
    for k, index in enumerate(indices):
        if isinstance(index, Index) or index.lookup is not None:
            for other in _others(index, scope):
                yield "index", Entry(tensor, (*indices[:k], other, *indices[k + 1 :]))
        for later in range(k + 1, len(indices)):
            if indices[later].dim == index.dim and indices[later] != index:
                swapped = list(indices)
                swapped[k], swapped[later] = swapped[later], swapped[k]
                yield "index", Entry(tensor, tuple(swapped))
    for other_tensor in readable:
        if other_tensor.dims == tensor.dims and other_tensor != tensor:
            yield "tensor", Entry(other_tensor, indices)


def _of_sum(index: Index, body: Expr, scope: tuple[Index, ...]) -> Iterator[Change]:
    yield "range", Size(index.dim) * Sum(index, body)
    if index not in free_indices(body):
        yield "range", body
    for other in _alike(index, scope):
        yield "range", rename(body, {index: other})  # one term instead of all
        yield "range", Sum(index, rename(body, {index: other, other: index}))  # over the other index
        yield "range", Sum(index, (1 - Delta(index, other)) * body)  # one term left out
        yield "range", Sum(index, Predicate(Affine(((index, 1), (other, -1)))) * body)  # from the other index on


def claim_mutants(claim: Claim) -> Iterator[ClaimMutant]:
    """Every claim that differs from this one by one fault, in a side or in the hypotheses."""
    if isinstance(claim, NonNegative | Within):
        yield from (ClaimMutant(claim, "expression", fault) for fault in faults(claim.expr))
        return
    scope = tuple(dict.fromkeys((*free_indices(claim.left), *free_indices(claim.right))))
    yield from (ClaimMutant(claim, "right side", fault) for fault in faults(claim.right, scope))
    yield from (ClaimMutant(claim, "left side", fault) for fault in faults(claim.left, scope))
    for k, hypothesis in enumerate(claim.given):
        before, after = claim.given[:k], claim.given[k + 1 :]
        shifted = (Predicate(hypothesis.affine + shift) for shift in (1, -1))
        for new in ((), *((one,) for one in shifted)):
            yield ClaimMutant(claim, "hypotheses", HypothesisFault(claim.given, (*before, *new, *after)))


def program_mutants(program: Program) -> Iterator[tuple[str, Program]]:
    """Every program that differs from this one by one fault in one definition, with what was changed."""
    for number, step in enumerate(program.steps):
        for fault in faults(step.value, step.indices):
            steps = (*program.steps[:number], _changed(step, fault), *program.steps[number + 1 :])
            yield f"{step.tensor.name}, {fault}", replace(program, steps=steps)


def _changed(step: Def, fault: Fault) -> Def:
    # What a statement licenses (a range, another form) is about the right definition.
    return Def(step.target, fault.plant(step.value), step.note)


def spread(mutants: Sequence[ClaimMutant], count: int, seed: int) -> list[ClaimMutant]:
    """A random selection in which all kinds of fault occur as evenly as they can."""
    rng = random.Random(seed)
    queues: dict[str, list[ClaimMutant]] = {}
    for mutant in mutants:
        queues.setdefault(mutant.kind, []).append(mutant)
    for queue in queues.values():
        rng.shuffle(queue)
    chosen: list[ClaimMutant] = []
    while len(chosen) < count and any(queues.values()):
        for queue in queues.values():
            if queue and len(chosen) < count:
                chosen.append(queue.pop())
    return chosen
