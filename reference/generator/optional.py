"""Optional inputs: terms that are left out, masks that are not applied, neutral arrays for what is absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from ...derivations.calculus.expr import (
    Add,
    Const,
    Entry,
    Expr,
    Gated,
    Index,
    Max,
    Mul,
    Sum,
    Tensor,
    children,
    free_indices,
    tensors,
    walk,
)
from ...derivations.calculus.program import Program
from .code import is_boolean, negative, without_sign

Neutral = Mapping[Tensor, Fraction]  # the value of every entry of an optional array that is absent


@dataclass(frozen=True)
class Extra:
    """A term that is there if some inputs are given."""

    needed: tuple[Tensor, ...]
    minus: bool
    term: Expr


def split_optional(value: Expr, neutral: Neutral) -> tuple[Expr, list[Extra]]:
    """The terms that are always there, and those that are 0 where an optional input is absent."""
    if not isinstance(value, Add):
        return value, []
    main: list[Expr] = []
    extras: list[Extra] = []
    for term in value.terms:
        needed = tuple(t for t in _factors_of(term) if neutral.get(t) == 0)
        if needed:
            extras.append(Extra(tuple(dict.fromkeys(needed)), negative(term), without_sign(term)))
        else:
            main.append(term)
    if not main:
        return value, []
    return (main[0] if len(main) == 1 else Add(tuple(main))), extras


def _factors_of(term: Expr) -> list[Tensor]:
    """The tensors without which a term vanishes: factors, and those of sums."""
    match term:
        case Entry(tensor, indices) if all(isinstance(ix, Index) for ix in indices):
            return [tensor]
        case Mul(factors):
            return [tensor for factor in factors for tensor in _factors_of(factor)]
        case Sum(_, body):
            return _factors_of(body)
        case _:
            return []


def filled(program: Program, neutral: Neutral) -> frozenset[Tensor]:
    """The optional arrays that are needed even where they are absent: not every use is a term that can be left out, or
    (for what takes masks as they are) a mask of the shape of what it masks."""
    found: set[Tensor] = set()
    for step in program.steps:
        for form in (step.value, *step.alternatives):
            main, extras = split_optional(form, neutral)
            for part in (main, *(extra.term for extra in extras)):
                given = {t for extra in extras if extra.term is part for t in extra.needed}
                found |= {t for t in tensors(part) if t in neutral and t not in given and not _is_mask(t, part)}
    return frozenset(found)


def filled_masks(program: Program, neutral: Neutral) -> frozenset[Tensor]:
    """The optional masks that are needed as numbers somewhere: neither multiplied with numbers nor restricting a
    maximum."""
    return frozenset(
        tensor
        for tensor in neutral
        if tensor.kind == "boolean" and any(_as_number(tensor, step.value) for step in program.steps)
    )


def _as_number(tensor: Tensor, expr: Expr) -> bool:
    if isinstance(expr, Entry):
        return expr.tensor == tensor
    if isinstance(expr, Gated):
        return _as_number(tensor, expr.body)
    if isinstance(expr, Max):
        return _as_number(tensor, expr.body)
    parts = children(expr)
    if isinstance(expr, Mul) and not all(is_boolean(part) for part in parts):
        parts = tuple(part for part in parts if not is_boolean(part))
    return any(_as_number(tensor, part) for part in parts)


def _is_mask(tensor: Tensor, expr: Expr) -> bool:
    """Whether every use of a boolean tensor is as a mask of the shape of what it masks."""
    if tensor.kind != "boolean":
        return False
    uses = sum(isinstance(node, Entry) and node.tensor == tensor for node in walk(expr))
    plain = 0
    for node in walk(expr):
        for part in children(node) if isinstance(node, Mul | Max) else ():
            if isinstance(part, Entry) and part.tensor == tensor:
                inside = node.body if isinstance(node, Max) else node
                plain += set(part.indices) == set(free_indices(inside))
    return uses == plain


def neutral_values(inputs: Mapping[Tensor, Expr | None], others: tuple[Tensor, ...]) -> dict[Tensor, Fraction]:
    """Of the optional arrays: the defaults of inputs that are numbers, and 0 for tangents and cotangents."""
    found = {t: value.value for t, value in inputs.items() if isinstance(value, Const) and t.dims}
    return found | {t: Fraction(0) for t in others}
