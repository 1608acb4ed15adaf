"""Calls: one step of a composition, which is what an operation gives for every value of some indices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from .index import Dim, Index, Subscript
from .instance import Instance
from .nodes import ZERO, Entry, Expr, Size, Sum, Tensor
from .program import Def, Program, ProgramError
from .traverse import Replacement, children, rebuild

Kind = Literal["value", "vjp", "jvp"]


@dataclass(frozen=True, eq=False)
class Part:
    """An operation as a call sees it.

    Attributes:
        arguments: its inputs.
        program: its definitions.
        vjp, jvp: the programs of its derivatives, made when they are needed.
        differentiable: the inputs that have gradients.
        defaults: the inputs that may be left out, and what they are then.
        shared: the parameters, whose gradients are summed over everything that the call runs over.
        composed: whether it is a composition itself.
    """

    name: str
    arguments: tuple[Tensor, ...]
    program: Program
    vjp: Callable[[], Program]
    jvp: Callable[[], Program]
    differentiable: tuple[Tensor, ...]
    defaults: Mapping[Tensor, Expr]
    shared: frozenset[Tensor]
    composed: bool = False

    def cotangent(self, output: Tensor) -> Tensor:
        """The cotangent of an output, an input of the vector-Jacobian product."""
        return self.vjp().inputs[len(self.arguments) + self.program.outputs.index(output)]

    def gradient(self, tensor: Tensor) -> Tensor:
        """The gradient of a differentiable input, an output of the vector-Jacobian product."""
        return self.vjp().outputs[self.differentiable.index(tensor)]

    def tangent(self, tensor: Tensor) -> Tensor:
        """The tangent of a differentiable input or of an output."""
        if tensor in self.program.outputs:
            return self.jvp().outputs[self.program.outputs.index(tensor)]
        return self.jvp().inputs[len(self.arguments) + self.differentiable.index(tensor)]


@dataclass(frozen=True, eq=False)
class Call:
    """Results of a part, for every value of the indices `over`.

    Attributes:
        kind: whether the part itself is called, or one of its derivatives.
        over: what the call runs over, the leading axes of its arguments and results.
        arguments: what the part's inputs are, as entries whose indices are some of `over` and then the part's own, or
            the last of them, if the argument is the same along the others (as arrays broadcast). An input that may be
            left out has its default; a cotangent or tangent that is left out is 0.
        results: the names of the outputs that are wanted.
        of: the call of the part itself that this is a derivative of.
        carry: for layers, one after the other: the inputs that are, from the second value of `over` on, what an output
            was at the one before (backwards for the vector-Jacobian product). Its argument is where the first starts,
            its result what the last gives.
        trace: what the input that is carried was at each layer, if that is wanted.
    """

    part: Part
    kind: Kind
    over: tuple[Index, ...]
    arguments: Mapping[Tensor, Entry]
    results: Mapping[Tensor, Tensor]
    of: Call | None = None
    carry: Mapping[Tensor, Tensor] = field(default_factory=dict)
    trace: Tensor | None = None

    @property
    def made(self) -> tuple[Tensor, ...]:
        """The tensors that the call gives a value."""
        return (*self.results.values(), *(() if self.trace is None else (self.trace,)))

    @cached_property
    def program(self) -> Program:
        """The definitions that the call stands for, in the part's own names."""
        return {"value": lambda: self.part.program, "vjp": self.part.vjp, "jvp": self.part.jvp}[self.kind]()

    @cached_property
    def dims(self) -> dict[Dim, Dim]:
        """What each dimension of the part is here.

        Raises:
            ProgramError: two arguments disagree.
        """
        found: dict[Dim, Dim] = {}
        for tensor, entry in self.arguments.items():
            if tensor.over is not None and entry.tensor.over is not None:
                found[tensor.over] = entry.tensor.over
        for tensor, entry in self.arguments.items():
            own = entry.indices[len(self._leading(entry)) :]
            for mine, index in zip(tensor.dims[len(tensor.dims) - len(own) :], own, strict=True):
                if found.setdefault(mine, index.dim) != index.dim:
                    raise ProgramError(f"{self.part.name}: {mine} is {found[mine]} and {index.dim}")
        return found

    def _leading(self, entry: Entry) -> tuple[Index, ...]:
        """The indices of an argument that the call runs over."""
        return tuple(ix for ix in entry.indices if isinstance(ix, Index) and ix in self.over)

    def at(self, entry: Entry, own: Sequence[Subscript]) -> Entry:
        """An argument at these indices of the part."""
        leading = self._leading(entry)
        return Entry(entry.tensor, (*leading, *own[len(own) - len(entry.indices) + len(leading) :]))

    def own(self, tensor: Tensor) -> tuple[Index, ...]:
        """New indices for the axes that a tensor of the part has of itself."""
        return tuple(Index(f"{d.name}_{k}", self.dims.get(d, d)) for k, d in enumerate(tensor.dims))

    def axes(self, tensor: Tensor) -> tuple[Index, ...]:
        """The indices of `over` that a result has. The gradient of a parameter has those of the parameter."""
        if tensor in self.carry.values():
            return ()
        if self.kind == "vjp":
            for given in self.part.differentiable:
                if given in self.part.shared and self.part.gradient(given) == tensor and given in self.arguments:
                    return tuple(dict.fromkeys(self._leading(self.arguments[given])))
        return self.over

    def result(self, tensor: Tensor, name: str) -> Tensor:
        """The tensor that a result is called by here."""
        return Tensor(name, tuple(ix.dim for ix in (*self.axes(tensor), *self.own(tensor))))

    def traced(self) -> dict[Tensor, Entry]:
        """The argument of a derivative at each layer for the input that is carried here.

        Raises:
            ProgramError: what it was is not kept.
        """
        if self.carry and self.trace is None:
            raise ProgramError(f"{self.part.name}: the derivative of layers needs what went into each")
        return {t: self.trace[(*self.over, *self.own(t))] for t in self.carry if self.trace is not None}

    def instance(self, names: Callable[[str], str]) -> Instance:
        """The definitions of the part with the arguments in place of its inputs."""
        replacements: dict[Tensor, Replacement] = {}
        for tensor in self.program.inputs:
            entry = self.arguments.get(tensor)
            if entry is not None:
                replacements[tensor] = self._reads(entry)
            else:
                replacements[tensor] = _constant(_sized(self.part.defaults.get(tensor, ZERO), self.dims))
        results = {t: name for t, name in self.results.items() if self.axes(t) == self.over}
        return Instance(self.program, self.dims, self.over, replacements, results, names)

    def _reads(self, entry: Entry) -> Replacement:
        return lambda *own: self.at(entry, own)

    def definitions(self, names: Callable[[str], str]) -> list[Def]:
        """The definitions of the part written out, its results under their names here."""
        instance = self.instance(names)
        steps = list(instance.steps)
        for tensor, name in self.results.items():
            if (axes := self.axes(tensor)) != self.over and tensor not in self.carry.values():
                own = self.own(tensor)
                body: Expr = instance.tensors[tensor][(*self.over, *own)]
                for index in self.over:
                    if index not in axes:
                        body = Sum(index, body)
                steps.append(Def(name[(*axes, *own)], body))
        return steps


def _constant(value: Expr) -> Replacement:
    return lambda *_: value


def _sized(default: Expr, dims: Mapping[Dim, Dim]) -> Expr:
    """A default, which is made of sizes and numbers, with the sizes that it has here."""
    if isinstance(default, Size):
        return Size(dims.get(default.dim, default.dim))
    parts = children(default)
    return rebuild(default, tuple(_sized(part, dims) for part in parts)) if parts else default
