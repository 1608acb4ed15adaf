"""An operation: its program, its derived gradients, what is claimed about it, and its conventions as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from .differentiate import jvp, vjp
from .index import Index
from .nodes import Entry, Expr, Tensor
from .program import Program
from .simplify import simplify
from .statement import Statement
from .traverse import Replacement


@dataclass(frozen=True)
class Input:
    """How an input is passed: its role in one line, its default (None: required)."""

    meaning: str
    default: Expr | None = None


@dataclass(frozen=True)
class Operation:
    """One operation of the catalogue, or of a user.

    `differentiable` are the inputs that have gradients. `conventions` holds, as data, what the operation does where
    papers and libraries differ. `statements` is a function so that listing an operation proves nothing.
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

    @cached_property
    def derived_vjp(self) -> Program:
        """The vector-Jacobian product as reverse-mode differentiation gives it."""
        return vjp(self.program, self.differentiable)

    @cached_property
    def vjp(self) -> Program:
        """The vector-Jacobian product in factored form."""
        return simplify(self.derived_vjp, self.program)

    @cached_property
    def derived_jvp(self) -> Program:
        """The Jacobian-vector product as forward-mode differentiation gives it."""
        return jvp(self.program, self.differentiable)

    @cached_property
    def jvp(self) -> Program:
        """The Jacobian-vector product in factored form."""
        return simplify(self.derived_jvp, self.program)

    def gradient(self, tensor: Tensor) -> Tensor:
        """The gradient of a differentiable input."""
        return self.derived_vjp.outputs[self.differentiable.index(tensor)]

    def cotangent(self, tensor: Tensor) -> Tensor:
        """The cotangent of an output."""
        return self.derived_vjp.inputs[len(self.program.inputs) + self.program.outputs.index(tensor)]

    def tangent(self, tensor: Tensor) -> Tensor:
        """The tangent of a differentiable input, or of an output."""
        if tensor in self.differentiable:
            return self.derived_jvp.inputs[len(self.program.inputs) + self.differentiable.index(tensor)]
        return self.derived_jvp.outputs[self.program.outputs.index(tensor)]

    def value(self, entry: Entry, inputs: Mapping[Tensor, Replacement] | None = None) -> Expr:
        """An entry of a defined tensor in terms of the inputs, some of which may be replaced."""
        return self.program.inline(entry, inputs)

    def adjoint_identity(self) -> tuple[Expr, Expr]:
        """⟨JVP·t, c⟩ and ⟨t, VJP·c⟩, each in terms of inputs, tangents t and cotangents c."""
        left: Expr | None = None
        right: Expr | None = None
        for output in self.program.outputs:
            indices = _indices(output)
            tangent = self.jvp.inline(self.tangent(output)[indices])
            left = _plus(left, _summed(indices, tangent * self.cotangent(output)[indices]))
        for tensor in self.differentiable:
            indices = _indices(tensor)
            gradient = self.vjp.inline(self.gradient(tensor)[indices])
            right = _plus(right, _summed(indices, self.tangent(tensor)[indices] * gradient))
        assert left is not None
        assert right is not None
        return left, right


def _indices(tensor: Tensor) -> tuple[Index, ...]:
    return tuple(Index(f"{d.name}_{k}", d) for k, d in enumerate(tensor.dims))


def _summed(indices: tuple[Index, ...], body: Expr) -> Expr:
    from .expr import total

    return total(*indices, body) if indices else body


def _plus(left: Expr | None, right: Expr) -> Expr:
    return right if left is None else left + right
