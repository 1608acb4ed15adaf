"""Arguments for mutants that no check kills: the mutant is the same function, or there is a gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from ..derivations.calculus.expr import Tensor, tensors, walk
from ..derivations.calculus.nodes import ZERO, Const, Expr
from ..derivations.calculus.operation import Operation as Derived
from ..derivations.calculus.program import Def, Program, ProgramError
from ..derivations.calculus.prove import Contradiction, decide, prove
from ..derivations.calculus.statement import Equal, Result, Statement
from ..derivations.calculus.traverse import Replacement, axes_of
from .mutants import Mutant, right_program
from .sources import Source

# Definitions that are unfolded at once to see that a later one is the same.
_UNFOLDED = 6
# How far what has a name is unfolded: that the gradient of the bias of the keys is 0 takes four levels.
_LEVELS = 4
# Nodes of what is then compared: the gradient with respect to the queries has 660, and to decide a thousand takes long.
_MOST_NODES = 800
# The results of an operation of more definitions, and its gradients, are not written out down to the inputs: to decide
# that two of a block are equal takes more than ten minutes.
_MOST_STEPS = 20


@dataclass(frozen=True)
class Argument:
    """Whether a mutant is `equivalent` to the right program or `a gap` in the checks, and why."""

    kind: Literal["equivalent", "gap"]
    reason: str


def argument_for(mutant: Mutant, sources: Sequence[Source]) -> Argument:
    """The argument for a mutant that survives the calls of some sources, all of one operation."""
    op = sources[0].operation
    returned = {name for source in sources for name in source.returned}
    right = right_program(op, mutant.part)
    unreturned = {t for t in op.program.outputs if t.name not in returned} if mutant.part == "forward" else set()
    outputs = tuple(t for t in right.outputs if t not in unreturned)
    unseen = [op.cotangent(t) for t in op.program.outputs if t.name not in returned] if op.differentiable else []
    if mutant.part == "forward" and mutant.definition not in {s.tensor.name for s in _reaching(right, outputs).steps}:
        return Argument("equivalent", f"nothing that a call returns depends on {mutant.definition}")
    absent: dict[Tensor, Replacement] = {t: _nothing for t in unseen if t in right.inputs}
    absent |= {t: partial(_default, value) for t, value in _defaults(op, sources).items()}
    faulty = mutant.fault.program
    shown = _same_step_by_step(right, faulty, outputs, absent)
    if not shown and len(op.program.pruned().steps) > _MOST_STEPS:
        return Argument("gap", "not shown to be equal, one definition after the other")
    results = [] if shown else list(_proofs(right, faulty, outputs, absent))
    if all(isinstance(result, Result) and result.status == "proved" for result in results):
        names = [t.name for t in absent if t in right.inputs]
        given = f", as no call has {' or '.join(names)}" if names else ""
        return Argument("equivalent", f"the normal form proves for every size that the results are equal{given}")
    for result in results:
        if isinstance(result, Result) and result.counterexample is not None:
            return Argument("gap", f"they differ: {'; '.join(result.counterexample.lines())}")
    reasons = [result if isinstance(result, str) else result.reason for result in results]
    return Argument("gap", f"not shown to be equal: {next((r for r in reasons if r), '')}")


def _reaching(program: Program, outputs: tuple[Tensor, ...]) -> Program:
    return Program(program.name, program.inputs, program.steps, outputs, program.zero_over_empty).pruned()


def _defaults(op: Derived, sources: Sequence[Source]) -> dict[Tensor, Expr]:
    """The constants that stand for inputs which no call passes."""
    if any(source.given is None for source in sources):
        return {}
    given = {name for source in sources for name in source.given or ()}
    specs = {t: op.inputs[t.name].default for t in op.arguments if t.name in op.inputs and t.name not in given}
    return {t: value for t, value in specs.items() if isinstance(value, Const)}


def _default(value: Expr, *_: object) -> Expr:
    return value


def _nothing(*_: object) -> Expr:
    return ZERO


def _same_step_by_step(
    right: Program, faulty: Program, outputs: tuple[Tensor, ...], absent: dict[Tensor, Replacement]
) -> bool:
    """Whether the definitions after the fault are shown to be the same, until nothing that differs is read.

    What is the same has a name in both programs, and what is not shown to be is unfolded where it is read.
    """
    same: set[Tensor] = set()
    unlike: set[Tensor] = set()
    for one, other in zip(right.steps, faulty.steps, strict=True):
        if one is other and unlike.isdisjoint(one.read):
            same.add(one.tensor)
            continue
        levels = _LEVELS if len(unlike) < _UNFOLDED else 0  # at the last that may be unlike it is given up soon
        if _same_step(right, faulty, one, absent, frozenset(same), levels):
            same.add(one.tensor)
            continue
        unlike.add(one.tensor)
        if len(unlike) > _UNFOLDED:
            return False
    return unlike.isdisjoint(outputs)


def _same_step(
    right: Program,
    faulty: Program,
    step: Def,
    absent: dict[Tensor, Replacement],
    named: frozenset[Tensor],
    levels: int,
) -> bool:
    """Whether a definition is the same in both programs, or the faulty one is another form of it; what has a name is
    unfolded, level by level, if that is what it takes."""
    programs = (right, *(_with_value(right, step, form) for form in step.alternatives), faulty)
    entry = step.tensor[axes_of(step.tensor)]
    with suppress(Contradiction, ProgramError, ValueError):
        for level in range(levels + 1):
            *forms, value = [program.inline(entry, absent, named) for program in programs]
            if level and sum(1 for side in (*forms, value) for _ in walk(side)) > _MOST_NODES:
                break
            if any(_shown(Equal(form, value)) for form in forms):
                return True
            read = {t for side in (*forms, value) for t in tensors(side)}
            if read.isdisjoint(named):
                break
            named -= read
    return False


def _with_value(program: Program, step: Def, value: Expr) -> Program:
    steps = tuple(replace(one, value=value) if one is step else one for one in program.steps)
    return replace(program, steps=steps)


def _shown(claim: Equal) -> bool:
    """Whether an equality is proved; where it is not, no difference is looked for."""
    return decide(claim) == "" and prove(Statement("equivalence", "", claim)).status == "proved"


def _proofs(
    right: Program, faulty: Program, outputs: tuple[Tensor, ...], absent: dict[Tensor, Replacement]
) -> Iterator[Result | str]:
    """Whether each output is the same in both programs, or why that cannot be asked."""
    for tensor in outputs:
        entry = tensor[axes_of(tensor)]
        try:
            claim = Equal(right.inline(entry, absent), faulty.inline(entry, absent))
            yield prove(Statement("equivalence", tensor.name, claim))
        except (Contradiction, ProgramError, ValueError) as error:
            yield str(error)
