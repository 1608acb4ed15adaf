"""The generated functions of an operation: what conformance takes for the truth, and for how far from it is allowed.

Those of the catalogue are part of the package. Those of a user's own derivation are generated when they are needed,
from the derivation itself, so that nobody has to keep a file up to date.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ..derivations.calculus.operation import Operation
from ..derivations.catalogue import Derivation
from ..reference.generator.code import CannotGenerate
from ..reference.generator.module import bounded, generate_bounds, generate_module
from .forms import form_of
from .targets import UsageError

_Function = Callable[..., Any]


@dataclass(frozen=True)
class Generated:
    """The functions of one operation, and what they return in order; without gradients `vjp` and its bound are None."""

    outputs: tuple[str, ...]
    gradients: tuple[str, ...]
    """The inputs that have gradients."""
    forward: _Function
    vjp: _Function | None
    bound: _Function
    vjp_bound: _Function | None


def generated_functions(derivation: Derivation, op: Operation) -> Generated:
    """The reference of an operation and its bounds.

    Raises:
        UsageError: no reference can be generated from a user's derivation, or the operation is a count.
    """
    if not bounded([op]):
        raise UsageError(f"{op.name!r} is a count, which has no rounding errors: no implementation is held to it")
    modules = _of_the_package(op) if derivation.path is None else _generate(derivation)

    def find(name: str) -> _Function:
        for module in modules:
            if hasattr(module, name):
                return getattr(module, name)  # type: ignore[no-any-return]  # a generated module is looked up by name
        raise AssertionError(f"{derivation.origin}: there is no generated function {name!r}")

    form = form_of(op)
    differentiable = bool(form.gradients)
    return Generated(
        tuple(form.outputs),
        form.gradients,
        find(op.name),
        find(f"{op.name}_vjp") if differentiable else None,
        find(f"{op.name}_bound"),
        find(f"{op.name}_vjp_bound") if differentiable else None,
    )


def _of_the_package(op: Operation) -> list[ModuleType]:
    """The file of the operation, and that of its bounds."""
    package = f"{__package__.rpartition('.')[0]}.reference"
    return [importlib.import_module(f"{package}{place}.{op.name}") for place in ("", ".bounds")]


def _generate(derivation: Derivation) -> list[ModuleType]:
    """The functions of a user's file and their bounds, as modules of their own."""
    for op in derivation.operations:
        with derivation.deriving(op):
            _ = op.vjp, op.jvp
    operations, origin, command = derivation.operations, derivation.origin, "lemmata conform"
    try:
        sources = (
            generate_module(operations, origin, command),
            generate_bounds(operations, origin, command, f"{__package__.rpartition('.')[0]}.reference.rounding"),
        )
    except CannotGenerate as error:
        raise UsageError(f"{origin}: no reference can be generated: {error}") from error
    return [
        imported(f"lemmata_generated_{derivation.name}{suffix}", source)
        for suffix, source in zip(("", "_bound"), sources, strict=True)
    ]


def imported(name: str, source: str) -> ModuleType:
    """A generated file as a module."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.py"
        path.write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return module
