"""The precision profiles of a derived operation: which of its values a kernel of each kind stores in the dtype.

The same ladder as that of attention, its names found in the programs of the operation instead of being listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..derivations.calculus.expr import Entry, Expr, Fn, Mul, Sum, Tensor, free_indices, walk
from ..derivations.calculus.operation import Operation
from ..derivations.calculus.program import Program
from .profiles import FLOAT32, FORMATS, HALVES, Format, Ladder, Precision, Profile, default_profiles


@dataclass(frozen=True)
class Rung:
    """A profile of known implementations, between `split` and `eager` or after that of float32 or float64.

    Attributes:
        stored: what such an implementation stores in the dtype, besides outputs and gradients.
        computed: what it does in the format that it computes in, where others need not.
    """

    name: str
    description: str
    stored: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()


# Functions whose value near 0 may be computed as 1 minus one that is almost 1, and the entries that say so.
_COMPLEMENTS = frozenset({"sigmoid", "erfc"})
ERF, SIGMOID = "erf", "sigmoid"
# The entry for an output, or what it is made of, that the backward pass starts from.
SAVED = "saved"
_ONE_MINUS = Rung(
    "one minus",
    "a factor near 0 computed as 1 minus one near 1, such as 1 − erf, 1 + tanh or, in gradients, 1 − sigmoid, and so "
    "without digits of its own",
    computed=(ERF, SIGMOID),
)


def ladder_of(op: Operation, rungs: Sequence[Rung] = ()) -> Ladder:
    """The profiles of an operation by dtype and device; without rungs, those of float32 and float64 are the default."""
    functions = {node.name for step in op.counted for node in walk(step.value) if isinstance(node, Fn)}
    rungs = (*([_ONE_MINUS] if functions & _COMPLEMENTS else []), *rungs)
    half = {dtype: tuple(_half(op, FORMATS[dtype], rungs)) for dtype in HALVES}

    def ladder(dtype: str, device: str) -> tuple[Profile, ...]:
        return half[dtype] if dtype in half else tuple(_with(rungs, default_profiles(dtype, device)))

    return ladder


def _with(rungs: Sequence[Rung], profiles: Sequence[Profile]) -> Iterator[Profile]:
    """The profiles, the first of them followed by what implementations in its formats are known to do otherwise."""
    more: dict[str, Format] = {}
    for profile in profiles:
        yield replace(profile, precision={**profile.precision, **more})
        if not more:
            for rung in rungs:
                if rung.computed:
                    more |= _stored(rung.computed, profile.precision["compute"])
                    yield Profile(rung.name, {**profile.precision, **more}, rung.description)


def _half(op: Operation, form: Format, rungs: Sequence[Rung]) -> Iterator[Profile]:
    programs = [op.program.pruned(), *([op.vjp] if op.differentiable else [])]
    outputs = {t.name for program in programs for t in program.outputs} | set(op.pairs)
    outputs |= {f"d{name}" for name in op.pairs}
    operands = {t.name for program in programs for t in _operands(program)}
    partials = {f"{t.name}_partial" for t in (op.vjp.outputs if op.differentiable else ())}
    named = {step.tensor.name for program in programs for step in program.steps} | {SAVED}
    precision: dict[str, Format] = {"compute": FLOAT32, "accumulate": FLOAT32} | _stored(outputs | operands, form)
    yield Profile("fused", dict(precision), _FUSED if operands else _FUSED_WITHOUT_OPERANDS)
    if partials:
        precision |= _stored(partials, form)
        yield Profile("split", dict(precision), _SPLIT)
    for rung in rungs:
        precision |= _stored(rung.stored, form) | _stored(rung.computed, FLOAT32)
        yield Profile(rung.name, dict(precision), rung.description)
    yield Profile("eager", eager(precision, named, form), _EAGER)


_FUSED_WITHOUT_OPERANDS = "float32 inside; outputs and gradients rounded to the dtype"
_FUSED = "float32 inside; outputs, gradients and the operands of further products rounded to the dtype"
_SPLIT = "as fused, with gradients added up in the dtype, part by part"
_EAGER = "every intermediate and partial sum rounded to the dtype, float32 inside a product or sum"


def eager(precision: Precision, named: set[str], form: Format) -> Precision:
    """Every value in the dtype, those without a name too; sums are added up in float32 and then rounded."""
    return {**precision, **_stored({*named, "scaled"}, form), "compute": form, "accumulate": FLOAT32}


def _stored(names: Sequence[str] | set[str], form: Format) -> dict[str, Format]:
    return dict.fromkeys(sorted(names), form)


def _operands(program: Program) -> set[Tensor]:
    """The intermediates that a matrix product takes: summed with a factor that has an axis which they lack, and that
    lacks one of theirs."""
    found: set[Tensor] = set()
    for step in program.steps:
        for node in walk(step.value):
            if not isinstance(node, Sum):
                continue
            factors = _factors(node)
            for mine in factors:
                if isinstance(mine, Entry) and mine.tensor in program.defined and mine.tensor not in program.outputs:
                    own = set(free_indices(mine))
                    others = [set(free_indices(f)) for f in factors if f is not mine]
                    if any(own - other and other - own and own & other for other in others):
                        found.add(mine.tensor)
    return found


def _factors(total: Sum) -> tuple[Expr, ...]:
    body: Expr = total
    while isinstance(body, Sum):
        body = body.body
    return body.factors if isinstance(body, Mul) else (body,)
