"""An operation: its program, its derived gradients, what is claimed about it, and its conventions as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from .call import Part
from .composite import Composition
from .differentiate import jvp, vjp
from .expr import total
from .nodes import Add, Entry, Expr, Tensor
from .program import Def, Program
from .simplify import simplify
from .statement import Statement
from .traverse import Replacement, axes_of


@dataclass(frozen=True)
class Input:
    """How an input is passed: its role in one line, its default (None: required).

    `shared` marks a parameter (a weight, a bias): it has no batch dimensions, one array serves every member of a batch,
    and its gradient is the sum over the batch.
    """

    meaning: str
    default: Expr | None = None
    shared: bool = False


@dataclass(frozen=True)
class Operation:
    """One operation of the catalogue, or of a user.

    `differentiable` are the inputs that have gradients. `conventions` holds, as data, what the operation does where
    papers and libraries differ. `statements` is a function so that listing an operation proves nothing.

    `composable`: its generated bounds also take the absolute errors of the inputs, so that a composition can carry
    errors through it. `pairs` names two tensors of h features that the generated functions take or give as one array of
    2h features, as `{"x": ("x1", "x2")}`; the keyword `interleaved` says whether feature c pairs up as (2c, 2c + 1) or
    as (c, c + h). `composition`: what `program` is the expansion of, if the operation is made of others.
    `second_order`: its Hessian-vector product is generated as well.
    """

    name: str
    summary: str
    program: Program
    differentiable: tuple[Tensor, ...]
    statements: Callable[[], tuple[Statement, ...]]
    inputs: Mapping[str, Input] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    conventions: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    composable: bool = False
    pairs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    composition: Composition | None = None
    second_order: bool = False

    @property
    def arguments(self) -> tuple[Tensor, ...]:
        """The inputs. (The expansion of a composition also takes as given what its layers make.)"""
        return self.program.inputs if self.composition is None else self.composition.inputs

    @property
    def counted(self) -> tuple[Def, ...]:
        """The definitions, those of the parts and of every layer among them: the work of the forward function."""
        return self.program.pruned().steps if self.composition is None else self.composition.counted

    @cached_property
    def composed_vjp(self) -> Composition | None:
        """The vector-Jacobian product of the composition, if the operation is made of others."""
        return None if self.composition is None else self.composition.vjp(self.differentiable)

    @cached_property
    def derived_vjp(self) -> Program:
        """The vector-Jacobian product as reverse-mode differentiation gives it, or as that of the parts does."""
        if self.composed_vjp is not None:
            return self.composed_vjp.expanded
        return vjp(self.program, self.differentiable)

    @cached_property
    def vjp(self) -> Program:
        """The vector-Jacobian product in factored form."""
        if self.composition is not None:
            return self.derived_vjp
        return simplify(self.derived_vjp, self.program)

    @cached_property
    def derived_jvp(self) -> Program:
        """The Jacobian-vector product as forward-mode differentiation gives it, or as that of the parts does."""
        if self.composition is not None:
            return self.composition.jvp(self.differentiable).expanded
        return jvp(self.program, self.differentiable)

    @cached_property
    def jvp(self) -> Program:
        """The Jacobian-vector product in factored form."""
        if self.composition is not None:
            return self.derived_jvp
        return simplify(self.derived_jvp, self.program)

    @cached_property
    def part(self) -> Part:
        """The operation as a composition calls it."""
        named = {t: spec for t in self.arguments if (spec := self.inputs.get(t.name)) is not None}
        return Part(
            self.name,
            self.arguments,
            self.program,
            lambda: self.vjp,
            lambda: self.jvp,
            self.differentiable,
            {t: spec.default for t, spec in named.items() if spec.default is not None},
            frozenset(t for t, spec in named.items() if spec.shared),
            self.composition is not None,
        )

    @cached_property
    def hvp(self) -> Program:
        """The Hessian-vector product: how the gradients change when the differentiable inputs move.

        Its inputs are those of the operation, the cotangents (which do not move) and the tangents; its outputs are the
        tangents of the gradients. ⟨outputs, cotangents⟩ is one number, whose Hessian this applies to the tangents.
        """
        derived = jvp(self.vjp, self.differentiable)
        return simplify(replace(derived, name=f"{self.name}_hvp"), self.vjp)

    def second(self, tensor: Tensor) -> Tensor:
        """The tangent of the gradient of a differentiable input, an output of the Hessian-vector product."""
        return self.hvp.outputs[self.differentiable.index(tensor)]

    def gradient(self, tensor: Tensor) -> Tensor:
        """The gradient of a differentiable input."""
        return self.derived_vjp.outputs[self.differentiable.index(tensor)]

    def cotangent(self, tensor: Tensor) -> Tensor:
        """The cotangent of an output."""
        return self.derived_vjp.inputs[len(self.arguments) + self.program.outputs.index(tensor)]

    def tangent(self, tensor: Tensor) -> Tensor:
        """The tangent of a differentiable input, or of an output."""
        if tensor in self.differentiable:
            return self.derived_jvp.inputs[len(self.arguments) + self.differentiable.index(tensor)]
        return self.derived_jvp.outputs[self.program.outputs.index(tensor)]

    def value(self, entry: Entry, inputs: Mapping[Tensor, Replacement] | None = None) -> Expr:
        """An entry of a defined tensor in terms of the inputs, some of which may be replaced."""
        return self.program.inline(entry, inputs)

    def adjoint_identity(self) -> tuple[Expr, Expr]:
        """⟨JVP·t, c⟩ and ⟨t, VJP·c⟩, each in terms of inputs, tangents t and cotangents c."""
        left: list[Expr] = []
        right: list[Expr] = []
        for output in self.program.outputs:
            indices = axes_of(output)
            tangent = self.jvp.inline(self.tangent(output)[indices])
            left.append(total(*indices, tangent * self.cotangent(output)[indices]))
        for tensor in self.differentiable:
            indices = axes_of(tensor)
            gradient = self.vjp.inline(self.gradient(tensor)[indices])
            right.append(total(*indices, self.tangent(tensor)[indices] * gradient))
        return Add(tuple(left)), Add(tuple(right))

    def hessian_symmetry(self) -> tuple[Expr, Expr]:
        """⟨s, H·t⟩ and ⟨t, H·s⟩ for the Hessian-vector product H, each in terms of inputs, cotangents and tangents."""
        tangents = {tensor: self.tangent(tensor) for tensor in self.differentiable}
        others = {tensor: Tensor(f"s{tensor.name}", tensor.dims) for tensor in self.differentiable}
        swapped: dict[Tensor, Replacement] = {
            tangents[t]: (lambda *at, other=others[t]: other[at]) for t in self.differentiable
        }
        left: list[Expr] = []
        right: list[Expr] = []
        for tensor in self.differentiable:
            indices = axes_of(tensor)
            entry = self.second(tensor)[indices]
            left.append(total(*indices, others[tensor][indices] * self.hvp.inline(entry)))
            right.append(total(*indices, tangents[tensor][indices] * self.hvp.inline(entry, swapped)))
        return Add(tuple(left)), Add(tuple(right))
