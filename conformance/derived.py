"""Contracts made from derivations: of the catalogue, in the conventions of PyTorch, and of users' own files."""

from __future__ import annotations

from ..derivations.calculus.operation import Operation
from ..derivations.catalogue import Derivation, find_one
from .contracts import Operation as Contract
from .conventions import Convention
from .generated import generated_functions
from .generic import contract
from .targets import UsageError
from .torch_conventions import TORCH_CONVENTIONS


def derived_contract(name: str) -> Contract:
    """The contract of a derived operation.

    Args:
        name: an operation of the catalogue or of a convention, `path/file.py:operation`, or a file with one operation.

    Raises:
        UsageError: there is no such thing, or a file has several operations and none is named, or no reference can be
            generated from it.
    """
    convention = TORCH_CONVENTIONS.get(name, Convention(name, name))
    derivation, op = _operation(convention.operation)
    functions = {convention.operation: generated_functions(derivation, op)}
    functions |= {variant: generated_functions(*_operation(variant)) for variant in convention.variants}
    return contract(op, functions, convention, derivation.statements(op))


def _operation(name: str) -> tuple[Derivation, Operation]:
    """A derivation and one of its operations: the only one, or that of the same name."""
    derivation = find_one(name)
    named = [op for op in derivation.operations if len(derivation.operations) == 1 or op.name == name]
    if not named:
        names = ", ".join(op.name for op in derivation.operations)
        raise UsageError(f"{name!r} has several operations: name one of {names}")
    return derivation, named[0]
