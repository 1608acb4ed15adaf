"""Contracts made from derivations: of the catalogue, in the conventions of PyTorch, and of users' own files."""

from __future__ import annotations

from ..derivations.calculus.operation import Operation
from ..derivations.catalogue import Derivation, find_one
from .contracts import Operation as Contract
from .conventions import Convention
from .forms import form_of
from .generated import Generated, generated_functions
from .generic import Calls, contract
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
    convention, functions = _generated(name)
    derivation, op = derived_operation(convention.operation)
    return contract(op, functions, convention, derivation.statements(op))


def derived_calls(name: str) -> Calls:
    """The calls of a derived operation, as numbers and as arguments of its generated functions.

    Raises:
        UsageError: as `derived_contract`.
    """
    convention, functions = _generated(name)
    return Calls(form_of(derived_operation(convention.operation)[1]), functions, convention)


def _generated(name: str) -> tuple[Convention, dict[str, Generated]]:
    convention = TORCH_CONVENTIONS.get(name, Convention(name, name))
    names = (convention.operation, *convention.variants)
    return convention, {variant: generated_functions(*derived_operation(variant)) for variant in names}


def derived_operation(name: str) -> tuple[Derivation, Operation]:
    """A derivation and one of its operations: the only one, or that of the same name."""
    derivation = find_one(name)
    named = [op for op in derivation.operations if len(derivation.operations) == 1 or op.name == name]
    if not named:
        names = ", ".join(op.name for op in derivation.operations)
        raise UsageError(f"{name!r} has several operations: name one of {names}")
    return derivation, named[0]
