"""Compositions: programs whose steps are definitions and calls of other operations.

A call is one step. Its gradient is the vector-Jacobian product of the part, which is proved where the part is, so that
nothing is expanded to differentiate a composition. `expanded` writes the definitions of the parts out, for what wants
a plain program (evaluation, cost, printing); `opaque` takes the results of calls as given, for statements about the
composition that hold whatever its parts compute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .call import Call
from .differentiate import (
    Adjoints,
    Contribution,
    NotDifferentiable,
    axis_indices,
    derivative_names,
    gradient_name,
    tangent,
    tangent_name,
)
from .index import Index
from .nodes import ZERO, Add, Entry, Tensor
from .program import Def, Program, unused_name
from .simplify import spread
from .tidy import tidy

Step = Def | Call


@dataclass(frozen=True, eq=False)
class Composition:
    """Definitions and calls in order, with inputs and outputs."""

    name: str
    inputs: tuple[Tensor, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Tensor, ...]

    @cached_property
    def opaque(self) -> Program:
        """The definitions alone: the results of calls are inputs."""
        results = tuple(name for step in self.steps if isinstance(step, Call) for name in step.made)
        steps = tuple(step for step in self.steps if isinstance(step, Def))
        return Program(self.name, (*self.inputs, *results), steps, self.outputs)

    @property
    def layered(self) -> bool:
        """Whether it has layers, one after the other, which no program of definitions says."""
        return any(isinstance(step, Call) and step.carry for step in self.steps)

    @cached_property
    def visible(self) -> Program:
        """`opaque`, with what the calls take among its outputs: two that give the same are the same composition."""
        taken = [e.tensor for step in self.steps if isinstance(step, Call) for e in step.arguments.values()]
        outputs = dict.fromkeys((*self.outputs, *(t for t in taken if t in self.opaque.defined)))
        return replace(self.opaque, outputs=tuple(outputs))

    def with_definitions(self, program: Program) -> Composition:
        """The same calls with other definitions: those of a program of the same tensors, which may have more inputs."""
        further = tuple(t for t in program.inputs if t not in self.opaque.inputs)
        steps = tuple(program.defined[step.tensor] if isinstance(step, Def) else step for step in self.steps)
        return replace(self, inputs=(*self.inputs, *further), steps=steps)

    @cached_property
    def expanded(self) -> Program:
        """The definitions of the composition and of its parts, in order.

        What layers give, one after the other, has no definition in index notation: it is taken as it is, as an input.
        """
        taken = {t.name for t in (*self.opaque.inputs, *self.opaque.defined)}
        steps: list[Def] = []
        guarded: set[Tensor] = set()
        layered: list[Tensor] = []
        for step in self.steps:
            if isinstance(step, Def):
                steps.append(step)
                continue
            if step.carry:
                layered += step.made
                continue

            def unused(name: str) -> str:
                chosen = unused_name(name, taken)
                taken.add(chosen)
                return chosen

            instance = step.definitions(unused)
            steps += instance
            originals = [s.tensor for s in step.program.steps]
            guarded |= {
                d.tensor for d, t in zip(instance, originals, strict=False) if t in step.program.zero_over_empty
            }
        inputs = (*self.inputs, *layered)
        return Program(self.name, inputs, tuple(steps), self.outputs, frozenset(guarded)).pruned()

    @cached_property
    def counted(self) -> tuple[Def, ...]:
        """The definitions of the composition and of its parts, those of a layer for every layer: the work to do."""
        steps: list[Def] = []
        for number, step in enumerate(self.steps):
            steps += [step] if isinstance(step, Def) else step.definitions(_numbered(number))
        return tuple(steps)

    def moved(self, inputs: Sequence[Tensor]) -> frozenset[Tensor]:
        """What depends on some of the inputs."""
        active = set(inputs)
        for step in self.steps:
            if isinstance(step, Def):
                if active.intersection(step.read):
                    active.add(step.tensor)
            elif any(entry.tensor in active for entry in step.arguments.values()):
                active.update(step.made)
        return frozenset(active)

    def vjp(self, wrt: Sequence[Tensor]) -> Composition:
        """The vector-Jacobian product: cotangents of the outputs to gradients of the inputs in `wrt`.

        Raises:
            NotDifferentiable: no output depends on one of these inputs, or a part gives no derivative with respect to
                an input that depends on them.
        """
        return _Reverse(self, tuple(wrt)).composition()

    def jvp(self, wrt: Sequence[Tensor]) -> Composition:
        """The Jacobian-vector product: tangents of the inputs in `wrt` to tangents of the outputs.

        Raises:
            NotDifferentiable: a part gives no derivative with respect to an input that depends on these.
        """
        names = derivative_names(self.opaque, tangent_name)
        active = self.moved(wrt)
        steps: list[Step] = list(self.steps)
        for step in self.steps:
            if isinstance(step, Def):
                if step.tensor in active:
                    value = spread(tidy(tangent(step.value, active, names)))
                    steps.append(Def(names[step.tensor][step.indices], value))
            elif active.intersection(step.results.values()):
                part = step.part
                _require_gradients(step, active)
                arguments = dict(step.arguments)
                for tensor in part.differentiable:
                    entry = step.arguments.get(tensor)
                    if entry is not None and entry.tensor in active:
                        arguments[part.tangent(tensor)] = Entry(names[entry.tensor], entry.indices)
                results = {part.tangent(t): names[name] for t, name in step.results.items()}
                carry = {part.tangent(t): part.tangent(output) for t, output in step.carry.items()}
                steps.append(Call(part, "jvp", step.over, {**arguments, **step.traced()}, results, step, carry))
        still = [t for t in self.outputs if t not in active]
        steps += [Def(names[t][axis_indices(self.opaque, t)], ZERO, "depends on no input that moves") for t in still]
        tangents = tuple(names[t] for t in self.outputs)
        return Composition(f"{self.name}_jvp", (*self.inputs, *(names[t] for t in wrt)), tuple(steps), tangents)


def _numbered(number: int) -> Callable[[str], str]:
    return lambda name: f"{name}_{number}"


class _Reverse:
    """One reverse sweep over the steps of a composition."""

    def __init__(self, composition: Composition, wrt: tuple[Tensor, ...]) -> None:
        self.composition_ = composition
        self.wrt = wrt
        self.active = composition.moved(wrt)
        self.gradients = derivative_names(composition.opaque, gradient_name)
        self.adjoints = Adjoints(self.active)
        self.steps: list[Step] = []
        self.taken = {t.name for t in (*composition.opaque.inputs, *composition.opaque.defined)}
        self.taken |= {t.name for t in self.gradients.values()}
        self.reads = _reads_of(composition)

    def composition(self) -> Composition:
        """The composition of the vector-Jacobian product."""
        given = self.composition_
        cotangents = tuple(self.gradients[t] for t in given.outputs)
        for step in reversed(given.steps):
            if isinstance(step, Def):
                if step.tensor in self.active and (full := self._gathered(step.tensor, step.indices)) is not None:
                    fresh = tuple(index.fresh() for index in step.indices)
                    self.adjoints.visit(step.at(*fresh), full[fresh], fresh)
            elif self.active.intersection(step.results.values()):
                self._call(step)
        outputs = []
        for tensor in self.wrt:
            gradient = self._gathered(tensor, axis_indices(given.opaque, tensor))
            if gradient is None:
                raise NotDifferentiable(f"{given.name}: no output depends on {tensor.name}")
            outputs.append(gradient)
        steps = (*given.steps, *self.steps)
        return Composition(f"{given.name}_vjp", (*given.inputs, *cotangents), steps, tuple(outputs))

    def _gathered(self, tensor: Tensor, indices: tuple[Index, ...]) -> Tensor | None:
        """The gradient of a tensor from all that reads it, under its name; None if nothing does."""
        found = self.adjoints.found.get(tensor, [])
        parts = [contribution.at(indices) for contribution in found]
        own = self.gradients[tensor]
        if tensor in self.composition_.outputs:
            if not parts:
                return own
            full = Tensor(self._unused(f"{own.name}_total"), tensor.dims)
            parts.insert(0, own[indices])
        else:
            if not parts:
                return None
            if len(parts) == 1 and parts[0] == own[indices]:
                return own  # it is the result of a call
            full = own
        self.steps.append(Def(full[indices], tidy(Add(tuple(parts)) if len(parts) > 1 else parts[0])))
        return full

    def _call(self, step: Call) -> None:
        """The vector-Jacobian product of the part of one call."""
        part = step.part
        _require_gradients(step, self.active)
        arguments = dict(step.arguments)
        for tensor, name in step.results.items():
            leading = step.axes(tensor)
            named = axis_indices(self.composition_.opaque, name)[len(leading) :]
            indices = (*leading, *(index.fresh() for index in named))
            gradient = self._gathered(name, tuple(index.fresh() for index in indices))
            if gradient is not None:
                arguments[part.cotangent(tensor)] = gradient[indices]
        if len(arguments) == len(step.arguments):
            return
        carry = {part.cotangent(output): part.gradient(t) for t, output in step.carry.items()}
        call = Call(part, "vjp", step.over, {**arguments, **step.traced()}, {}, step, carry)
        results: dict[Tensor, Tensor] = {}
        for tensor in part.differentiable:
            entry = step.arguments.get(tensor)
            if entry is None or entry.tensor not in self.active:
                continue
            target = part.gradient(tensor)
            own = step.own(tensor)
            open_ = (*call.axes(target), *own)
            slots = step.at(entry, own).indices
            alone = self.reads[entry.tensor] == 1 and entry.tensor not in self.composition_.outputs
            own_name = self.gradients[entry.tensor].name
            shape = call.result(target, own_name)
            if not (alone and slots == open_):  # x[j, i] is not what a call over i and j has the gradient of
                several = [e.tensor for e in step.arguments.values()].count(entry.tensor) > 1
                use = tensor.name if several else part.name
                shape = call.result(target, self._unused(f"{own_name}_{use}"))
            results[target] = shape
            self.adjoints.found.setdefault(entry.tensor, []).append(Contribution(slots, shape[open_], open_))
        self.steps.append(replace(call, results=results))

    def _unused(self, name: str) -> str:
        chosen = unused_name(name, self.taken)
        self.taken.add(chosen)
        return chosen


def _require_gradients(step: Call, active: frozenset[Tensor]) -> None:
    """No argument moves with respect to which the part gives no derivative: it would count as a constant."""
    for tensor, entry in step.arguments.items():
        if entry.tensor in active and tensor not in step.part.differentiable:
            raise NotDifferentiable(f"{step.part.name} gives no derivative by {tensor.name}, which is {entry} here")


def _reads_of(composition: Composition) -> dict[Tensor, int]:
    """How many steps read each tensor (a call once for each argument)."""
    reads = dict.fromkeys((*composition.opaque.inputs, *composition.opaque.defined), 0)
    for step in composition.steps:
        read = step.read if isinstance(step, Def) else [entry.tensor for entry in step.arguments.values()]
        for tensor in read:
            reads[tensor] = reads.get(tensor, 0) + 1
    return reads
