"""Mutants: the faults of an operation's own program as functions that can be called in place of the reference."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Literal

import numpy as np

from ..derivations.calculus.composite import Composition
from ..derivations.calculus.differentiate import NotDifferentiable, vjp
from ..derivations.calculus.expr import Dim, Entry, Tensor
from ..derivations.calculus.operation import Operation as Derived
from ..derivations.calculus.program import Def, Program
from ..derivations.calculus.program_faults import POSITIONS, Cut, ProgramFault, program_faults
from ..derivations.calculus.traverse import Replacement, graft
from ..reference.generator.functions import forward_signature, vjp_signature
from ..reference.generator.variants import Variant, variants_module
from .derived import derived_operation
from .generated import Generated, generated_functions, imported
from .problems import Problem, Values
from .sources import Function, Source
from .values import AnyArray

# The blocks that kernels work in; a sum over a last block that is not full is what they forget.
BLOCKS = (8, 16, 32, 64, 128, 256)

Part = Literal["forward", "backward"]


@dataclass(frozen=True)
class Cutting:
    """One way in which a sum stops early: the positions, in words, and which of `size` count."""

    words: str
    counted: Callable[[int], AnyArray]


@dataclass(frozen=True)
class Mutant:
    """One fault as functions.

    Attributes:
        part: `forward`, with the gradients of the faulty program, or `backward`, with the right output.
        fault: what was changed.
        words: the change in words.
        forward, backward: in place of the generated functions.
        consistent: whether the gradients are those of the faulty program; of one without, they are the right ones.
        saved: whether the backward pass mixes right and faulty values: it reads faulty ones that the forward pass
            saved, or right outputs beside faulty values that it computes again.
        recomputed: whether what is changed in the backward pass is what the forward one defines, too.
    """

    part: Part
    fault: ProgramFault
    words: str
    forward: Function
    backward: Function
    consistent: bool = True
    recomputed: bool = False
    saved: bool = False

    @property
    def definition(self) -> str:
        """The tensor whose definition is changed."""
        return self.fault.step.tensor.name

    def __str__(self) -> str:
        where = " recomputed in the backward pass" if self.recomputed else ""
        what = f" {self.words}" if self.words else ""
        return f"`{self.definition}`{where}{what}: {self.fault.formula}"

    def values(self, source: Source, problem: Problem) -> Values | None:
        """Outputs and gradients of a problem; None where the faulty program has none."""
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return source.evaluate(problem, self.forward, self.backward)
        except (TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError, OverflowError):
            # Such as a power of an argument that is absent: no implementation could have it.
            return None


@cache
def mutants_of(name: str, part: Part) -> tuple[Mutant, ...]:
    """The mutants of a part of a derived operation, by the name under which `derived_operation` finds it.

    To make them takes some seconds; they are kept.
    """
    derivation, op = derived_operation(name)
    right = generated_functions(derivation, op)
    if part == "forward":
        return tuple(_forward_mutants(op, right))
    return () if right.vjp is None else tuple(_backward_mutants(op, right))


def right_program(op: Derived, part: Part) -> Program:
    """What the faults of a part are planted in.

    An operation that runs layers has the definitions that stand around its calls; faults of what it calls are faults of
    that.
    """
    if (layers := _layers(op, part)) is not None:
        return layers.visible
    return op.program.pruned() if part == "forward" else op.vjp


def _layers(op: Derived, part: Part) -> Composition | None:
    """The composition of a part, if it runs layers."""
    if op.composition is None or not op.composition.layered:
        return None
    return op.composition if part == "forward" else op.composed_vjp


def _forward_mutants(op: Derived, right: Generated) -> Iterator[Mutant]:
    layers = _layers(op, "forward")
    faults = list(_distinct(program_faults(right_program(op, "forward"))))
    variants: list[Variant] = []
    for number, fault in enumerate(faults):
        faulty = fault.program.pruned() if layers is None else layers.with_definitions(fault.program)
        variants.append(Variant(f"forward_{number}", faulty, False, _extra(fault)))
        if right.vjp is not None:
            if layers is None and (program_saved := _saved(op.vjp, fault)) is not None:
                variants.append(Variant(f"saved_{number}", program_saved, True, _extra(fault)))
            try:
                gradient = _gradient(faulty, op.differentiable)
            except NotDifferentiable:
                continue  # the maximum that it subtracts would have a gradient of its own
            variants.append(Variant(f"gradient_{number}", gradient, True, _extra(fault)))
    made = _made(op, variants, "forward")
    for number, fault in enumerate(faults):
        if f"forward_{number}" not in made:
            continue
        gradient_function, saved = made.get(f"gradient_{number}"), made.get(f"saved_{number}")
        for cutting in _cuttings(fault.cut):
            words, forward = _words(fault, cutting), _cut(made[f"forward_{number}"], op, fault.cut, cutting)
            if gradient_function is None:
                yield Mutant("forward", fault, words, forward, right.vjp or _without_gradient, consistent=False)
            else:
                yield Mutant("forward", fault, words, forward, _cut(gradient_function, op, fault.cut, cutting))
            if saved is not None:
                backward = _cut(saved, op, fault.cut, cutting)
                yield Mutant("forward", fault, words, forward, backward, consistent=False, saved=True)


def _gradient(faulty: Program | Composition, wrt: Sequence[Tensor]) -> Program | Composition:
    return faulty.vjp(wrt) if isinstance(faulty, Composition) else vjp(faulty, wrt).pruned()


def _backward_mutants(op: Derived, right: Generated) -> Iterator[Mutant]:
    layers = _layers(op, "backward")
    faults = list(_distinct(program_faults(right_program(op, "backward"))))
    variants: list[Variant] = []
    for number, fault in enumerate(faults):
        program = fault.program if layers is None else layers.with_definitions(fault.program)
        variants.append(Variant(f"backward_{number}", program, True, _extra(fault)))
        if layers is None and fault.cut is None and (kept := _outputs_saved(op, fault)) is not None:
            variants.append(Variant(f"kept_{number}", kept, True))
    made = _made(op, variants, "backward")
    for number, fault in enumerate(faults):
        recomputed = fault.step.tensor in op.program.defined
        if (function := made.get(f"backward_{number}")) is not None:
            for cutting in _cuttings(fault.cut):
                words, faulty = _words(fault, cutting), _cut(function, op, fault.cut, cutting)
                yield Mutant("backward", fault, words, right.forward, faulty, recomputed=recomputed)
        if (function := made.get(f"kept_{number}")) is not None:
            yield Mutant("backward", fault, fault.what, right.forward, function, recomputed=True, saved=True)


def _extra(fault: ProgramFault) -> tuple[Tensor, ...]:
    return () if fault.cut is None else (fault.cut.tensor,)


def _made(op: Derived, variants: Sequence[Variant], part: Part) -> dict[str, Function]:
    """The functions that could be generated, by name."""
    source, names = variants_module(op, variants)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # a number where an array was: it fails when it is called
        module = imported(f"lemmata_mutants_{op.name}_{part}", source)
    return {name: getattr(module, name) for name in names}


def _saved(backward: Program, fault: ProgramFault) -> Program | None:
    """The gradient program with the faulty values of the forward pass; None if it does not use them."""
    faulty = {step.tensor: step for step in fault.program.steps}
    steps = tuple(faulty.get(step.tensor, step) for step in backward.steps)
    if fault.step.tensor not in backward.defined:
        return None
    return replace(backward, inputs=(*backward.inputs, *_extra(fault)), steps=steps)


def _outputs_saved(op: Derived, fault: ProgramFault) -> Program | None:
    """The gradient program whose own definitions read faulty values, the outputs of the forward pass being right.

    None if there is no such difference: if no output that the gradients read depends on what is faulty.
    """
    defined, outputs = op.program.defined, set(op.program.outputs)
    faulty: dict[Tensor, Tensor] = {}
    copies: list[Def] = []
    spoiled: set[Tensor] = set()
    for step in fault.program.steps:
        value = graft(step.value, {t: _entry_of(new) for t, new in faulty.items()})
        changed = step.tensor == fault.step.tensor or bool(set(step.read) & (faulty.keys() | spoiled))
        if step.tensor not in defined or not changed:
            continue
        if step.tensor in outputs:
            spoiled.add(step.tensor)
        else:
            faulty[step.tensor] = replace(step.tensor, name=f"{step.tensor.name}_faulty")
            copies.append(Def(Entry(faulty[step.tensor], step.target.indices), value))
    if not (spoiled and faulty):
        return None
    right = [step for step in op.vjp.steps if step.tensor in defined]
    renamed = {t: _entry_of(new) for t, new in faulty.items()}
    own = [Def(s.target, graft(s.value, renamed)) for s in op.vjp.steps if s.tensor not in defined]
    guarded = op.vjp.zero_over_empty | {new for t, new in faulty.items() if t in op.vjp.zero_over_empty}
    return replace(op.vjp, steps=(*right, *copies, *own), zero_over_empty=guarded).pruned()


def _entry_of(tensor: Tensor) -> Replacement:
    return lambda *indices: Entry(tensor, indices)


def _without_gradient(**_: Any) -> Any:
    raise AssertionError("the operation has no gradient")


def _distinct(faults: Iterator[ProgramFault]) -> Iterator[ProgramFault]:
    """Faults that read alike are one: −1 dropped, and −1 twice."""
    seen: set[tuple[str, str, str]] = set()
    for fault in faults:
        key = (fault.step.tensor.name, str(fault.value), fault.what if fault.cut else "")
        if key not in seen:
            seen.add(key)
            yield fault


def _words(fault: ProgramFault, cutting: Cutting | None) -> str:
    return fault.what if cutting is None else fault.what.replace(POSITIONS, cutting.words)


# Sums that stop early -----------------------------------------------------------------------------------------------


def _cuttings(cut: Cut | None) -> list[Cutting | None]:
    if cut is None:
        return [None]
    if cut.kind == "pairs":
        return [Cutting(f"blocks of {block} before are not rescaled", partial(_reached, block)) for block in BLOCKS]
    whole = [Cutting(f"the last {cut.index} beyond whole blocks of {b}", partial(_whole_blocks, b)) for b in BLOCKS]
    return [Cutting(f"the last {cut.index}", _all_but_last), *whole]


def _reached(block: int, size: int) -> AnyArray:
    """`[seen, at]`: whether a position is in the block of another one, or before it."""
    blocks = np.arange(size) // block
    return np.asarray(blocks[:, None] <= blocks)


def _whole_blocks(block: int, size: int) -> AnyArray:
    return np.arange(size) < size // block * block


def _all_but_last(size: int) -> AnyArray:
    return np.arange(size) < size - 1


def _cut(function: Function, op: Derived, cut: Cut | None, cutting: Cutting | None) -> Function:
    """The function with the positions that count, for the sizes of the arguments of each call."""
    if cut is None or cutting is None:
        return function

    def call(*arguments: Any, **named: Any) -> Any:
        given = dict(zip(_names(op, gradient=len(arguments) > len(op.arguments)), arguments, strict=False)) | named
        sizes: dict[Dim, int] = {}
        for tensor in _arrays(op):
            if (array := given.get(tensor.name)) is not None and tensor.dims:
                sizes |= dict(zip(tensor.dims, np.shape(array)[-len(tensor.dims) :], strict=True))
        # A mask that is absent leaves nothing out, and takes part in the one that says what counts.
        masks = {t.name: np.ones([sizes[d] for d in t.dims], np.bool_) for t in op.arguments if t.kind == "boolean"}
        absent = {name: mask for name, mask in masks.items() if given.get(name) is None}
        return function(**{**given, **absent}, **{cut.tensor.name: cutting.counted(sizes[cut.dim])})

    return call


def _arrays(op: Derived) -> list[Tensor]:
    """The inputs whose shapes are those of arguments: not the halves of a pair."""
    halves = {half for pair in op.pairs.values() for half in pair}
    cotangents = [op.cotangent(t) for t in op.program.outputs] if op.differentiable else []
    return [t for t in (*op.arguments, *cotangents) if t.name not in halves]


def _names(op: Derived, *, gradient: bool) -> list[str]:
    signature = vjp_signature(op) if gradient else forward_signature(op)
    return [t.name for t in signature.inputs]
