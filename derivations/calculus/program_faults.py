"""Faults of a program in words: what implementations get wrong, one change each, named as their authors would.

To the changes of one node (`mutate`) this adds those that take more than the definition at hand: a sum that stops
early, a maximum that is not yet the final one, another base of exponentials and logarithms, a mean for a sum. A sum
that stops early is written with a boolean input, which says what positions count: the size of a block is a number that
belongs to an implementation, not to a program.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from .index import Dim, Index, Subscript
from .mutate import Path, faults, replaced
from .nodes import Add, Const, Entry, Expr, Fn, Max, Mul, Size, Sum, Tensor
from .program import Def, Program, unused_name
from .traverse import children, graft, rebuild, rename, tensors

CutKind = Literal["positions", "pairs"]
# Stands in the words of a fault for the positions that do not count, which are not known to the program.
POSITIONS = "⟨positions⟩"
_MINUS = Const(Fraction(-1))


@dataclass(frozen=True)
class Cut:
    """A boolean input that a faulty program takes besides those of the right one.

    Attributes:
        tensor: `[dim]`, which positions count, or `[dim, dim]`: which positions (first axis) count for which.
        index: the name of the index that runs over the positions.
        kind: which of the two it is.
    """

    tensor: Tensor
    index: str
    kind: CutKind

    @property
    def dim(self) -> Dim:
        """The dimension of the positions."""
        return self.tensor.dims[0]


@dataclass(frozen=True)
class ProgramFault:
    """A program with one fault.

    Attributes:
        kind: of the fault, as `mutate` has it or as is said here.
        step: the right definition, the first of those that are changed.
        value: what stands in its place.
        what: the change in words, such as "with the factor scale dropped"; empty if the definitions say it all.
        program: the faulty program.
        cut: the input that the faulty program takes besides.
    """

    kind: str
    step: Def
    value: Expr
    what: str
    program: Program
    cut: Cut | None = None

    @property
    def formula(self) -> str:
        """The faulty definition beside the right one."""
        return f"`{self.value}` instead of `{self.step.value}`"


def program_faults(program: Program) -> Iterator[ProgramFault]:
    """Every program that differs from this one by one fault; the simplest kinds first within a definition."""
    for number, step in enumerate(program.steps):
        yield from _of_definition(program, number, step)
        for form in step.alternatives:
            # Another way to compute the same, such as probabilities from the log-sum-exp, has faults of its own.
            yield from _of_definition(program, number, Def(step.target, form))
    yield from _cut_sums(program)
    yield from _running_maxima(program)


def _of_definition(program: Program, number: int, step: Def) -> Iterator[ProgramFault]:
    """The faults of one definition, which stands at a place of the program."""
    for fault in faults(step.value, step.indices):
        if fault.old == _MINUS or (fault.kind == "factor repeated" and _part(fault.old, fault.new) == _MINUS):
            continue  # a sign that is changed is the factor −1 dropped
        value = fault.plant(step.value)
        what = _in_words(fault.kind, fault.old, fault.new, root=not fault.path)
        yield ProgramFault(fault.kind, step, value, what, _with(program, {number: value}))
    for path, node in _nodes(step.value):
        for kind, new, what in _further_changes(node):
            value = replaced(step.value, path, new)
            yield ProgramFault(kind, step, value, what, _with(program, {number: value}))


def _with(program: Program, values: dict[int, Expr], extra: tuple[Tensor, ...] = ()) -> Program:
    """The program with other definitions. What a statement licenses is about the right one, and goes."""
    steps = tuple(
        Def(step.target, values[k], step.note) if k in values else step for k, step in enumerate(program.steps)
    )
    return replace(program, inputs=(*program.inputs, *extra), steps=steps)


def _nodes(expr: Expr, path: Path = ()) -> Iterator[tuple[Path, Expr]]:
    yield path, expr
    for number, part in enumerate(children(expr)):
        yield from _nodes(part, (*path, number))


# One definition -----------------------------------------------------------------------------------------------------


def _further_changes(node: Expr) -> Iterator[tuple[str, Expr, str]]:
    """Kind, faulty node and words."""
    two = Fn("log", Const(Fraction(2)))
    match node:
        case Fn("log", _):
            yield "base", node / two, f"with base 2 in `{node}`"
        case Fn("exp", argument):
            yield "base", Fn("exp", argument * two), f"with base 2 in `{node}`"
        case Add(terms) if any(isinstance(t, Fn) and t.name == "log" for t in terms):
            yield "base", node / two, "in base 2"
        case Sum(index, _):
            yield "range", node / Size(index.dim), f"with the mean over {index} for the sum"


def _in_words(kind: str, old: Expr, new: Expr, *, root: bool) -> str:
    """What a fault did to a node, as its author would say it."""
    if kind in ("factor dropped", "term dropped", "factor repeated") and (part := _part(old, new)) is not None:
        if part == _MINUS:
            return f"with the sign of `{new}` changed"
        word = kind.partition(" ")[0]
        return f"with the {word} `{part}` {'twice' if kind == 'factor repeated' else 'dropped'}"
    if kind in ("sign", "factor") and isinstance(old, Add) and (part := _part(old, new)) is not None:
        part = _without_minus(part)
        return f"with the term `{part}` doubled" if kind == "factor" else f"with the sign of `{part}` changed"
    if kind == "sign":
        inner = old.argument if isinstance(old, Fn) else old
        return f"with the sign of `{inner}` changed"
    if kind == "factor" and isinstance(old, Entry):
        return f"with `{old}` doubled"
    return "" if root else f"with `{new}` for `{old}`"


def _part(old: Expr, new: Expr) -> Expr | None:
    """The factor or term of a node that is not there any more, or that is there in another form or once more."""
    kind = type(old)
    if not isinstance(old, Add | Mul):
        return None
    before = old.terms if isinstance(old, Add) else old.factors
    after = (new.terms if isinstance(new, Add) else new.factors) if isinstance(new, Add | Mul) else (new,)
    if type(new) is not kind:
        after = (new,)
    if len(after) == len(before) + 1:
        return before[_same(before, after[-1])]
    if len(after) == len(before):
        return next((b for b, a in zip(before, after, strict=True) if a != b), None)
    for k, part in enumerate(before):
        if (*before[:k], *before[k + 1 :]) == after:
            return _without_minus(part)
    return None


def _same(parts: tuple[Expr, ...], repeated: Expr) -> int:
    """The place of the part that was repeated, with other bound indices."""
    return next((k for k, part in enumerate(parts) if str(part) == str(repeated)), 0)


def _without_minus(part: Expr) -> Expr:
    if isinstance(part, Mul) and part.factors[0] == _MINUS and len(part.factors) == 2:
        return part.factors[1]
    return part


# Sums that stop early -----------------------------------------------------------------------------------------------


def _cut(program: Program, dim: Dim, index: Index, kind: CutKind) -> Cut:
    taken = {t.name for t in (*program.inputs, *program.defined)}
    dims = (dim,) if kind == "positions" else (dim, dim)
    return Cut(Tensor(unused_name("counted", taken), dims, "boolean"), index.name, kind)


def _cut_sums(program: Program) -> Iterator[ProgramFault]:
    """Each sum and maximum over some positions alone, then all sums and maxima over a dimension at once."""
    summed: dict[Dim, list[Index]] = {}
    for number, step in enumerate(program.steps):
        for path, node in _nodes(step.value):
            if isinstance(node, Sum | Max):
                summed.setdefault(node.index.dim, []).append(node.index)
                cut = _cut(program, node.index.dim, node.index, "positions")
                value = replaced(step.value, path, _over(node, cut))
                word = "sum" if isinstance(node, Sum) else "maximum"
                what = f"with {POSITIONS} left out of the {word} over {node.index}"
                yield ProgramFault("tail", step, value, what, _with(program, {number: value}, (cut.tensor,)), cut)
    for dim, indices in summed.items():
        if len(indices) > 1:
            cut = _cut(program, dim, indices[0], "positions")
            values = {k: _all_over(step.value, cut) for k, step in enumerate(program.steps)}
            values = {k: value for k, value in values.items() if value is not program.steps[k].value}
            number = min(values)
            what = f"with {POSITIONS} left out of all sums over {indices[0]}"
            faulty = _with(program, values, (cut.tensor,))
            yield ProgramFault("tail", program.steps[number], values[number], what, faulty, cut)


def _all_over(expr: Expr, cut: Cut) -> Expr:
    """The expression with all sums and maxima over the dimension cut; the same object where there is none."""
    before = children(expr)
    parts = tuple(_all_over(part, cut) for part in before)
    if any(new is not old for new, old in zip(parts, before, strict=True)):
        expr = rebuild(expr, parts)
    return _over(expr, cut) if isinstance(expr, Sum | Max) and expr.index.dim == cut.dim else expr


def _over(node: Sum | Max, cut: Cut) -> Expr:
    counted = cut.tensor[node.index]
    if isinstance(node, Sum):
        return Sum(node.index, counted * node.body)
    return Max(node.index, node.body, counted * node.where)


def _running_maxima(program: Program) -> Iterator[ProgramFault]:
    """A maximum as it is when a position is reached, where that of all positions is meant: in the definition that
    subtracts it, and in one sum over what that defines, as if the sum were not rescaled when the maximum grows."""
    for step in program.steps:
        top = step.value
        if not isinstance(top, Max):
            continue
        for number, user in enumerate(program.steps):
            read = [node for _, node in _nodes(user.value) if isinstance(node, Entry) and node.tensor == step.tensor]
            rows = {ix for entry in read for ix in entry.indices}
            later = [ix for ix in user.indices if ix.dim == top.index.dim and ix not in rows]
            if not read or not later:
                continue
            cut = _cut(program, top.index.dim, later[0], "pairs")
            stale = _stale(user, step, top, later[0], cut)
            what = f"with the running maximum for the final one: {POSITIONS}"
            yield ProgramFault("stale", user, stale, what, _with(program, {number: stale}, (cut.tensor,)), cut)
            made = Def(user.target, stale)
            for place, summed, value in _sums_over(program, made):
                what = f"with `{user.tensor}` in the sum as of the running maximum: {POSITIONS}"
                yield ProgramFault("stale", summed, value, what, _with(program, {place: value}, (cut.tensor,)), cut)


def _stale(user: Def, step: Def, top: Max, at: Index, cut: Cut) -> Expr:
    """The definition of `user` with the running maximum at `at`."""

    def running(*indices: Subscript) -> Expr:
        own = top.index.fresh()
        mapping = {**dict(zip(step.indices, indices, strict=True)), top.index: own}
        return Max(own, rename(top.body, mapping), cut.tensor[own, at] * rename(top.where, mapping))

    return graft(user.value, {step.tensor: running})


def _sums_over(program: Program, made: Def) -> Iterator[tuple[int, Def, Expr]]:
    """The definitions that sum what is made otherwise, or a quotient of it, with it in their sum alone."""
    for number, step in enumerate(program.steps):
        if not isinstance(step.value, Sum):
            continue
        for inner in step.read:
            if inner == made.tensor:
                yield number, step, graft(step.value, {inner: made.at})
            elif inner in program.defined and made.tensor in tensors(program.defined[inner].value):
                own = program.defined[inner]
                between = Def(own.target, graft(own.value, {made.tensor: made.at}))
                yield number, step, graft(step.value, {inner: between.at})
