"""What there are derivations of: the built-in topics, and files that users write in the same form.

A derivation is a Python file that defines `OPERATIONS`, a tuple of `Operation`. Built-in ones have no privilege.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import UsageError
from ..loading import load_file, shown, suggestion
from .calculus.differentiate import NotDifferentiable
from .calculus.index import DimensionError
from .calculus.operation import Operation
from .calculus.program import ProgramError
from .calculus.statement import Statement

TOPICS = (
    "softmax",
    "attention",
    "embedding",
    "loss",
    "norm",
    "linear",
    "optimizer",
    "feedforward",
    "positional",
    "scaling",
    "multihead",
    "block",
)


@dataclass(frozen=True)
class Derivation:
    """The operations of one file, or some of them.

    Attributes:
        name: the topic, or the stem of the user's file.
        origin: where it is written, as a reader is told.
        path: the user's file; None if it is built in.
        complete: whether these are all operations of the file.
        docstring: what the file says of itself.
    """

    name: str
    origin: str
    operations: tuple[Operation, ...]
    path: Path | None = None
    complete: bool = True
    docstring: str = ""

    def statements(self, operation: Operation) -> tuple[Statement, ...]:
        """The statements of one of its operations.

        Raises:
            UsageError: the code of a user's file raised.
        """
        if self.path is None:
            return operation.statements()
        try:
            return operation.statements()
        except Exception as error:
            raise UsageError(f"{self.origin}: the statements of {operation.name!r} raised {shown(error)}") from error

    @contextmanager
    def deriving(self, operation: Operation) -> Iterator[None]:
        """Turns what the engine raises about one of its operations into the user's error.

        Raises:
            UsageError: the operation has no gradient, or its program is not well formed.
        """
        try:
            yield
        except (NotDifferentiable, ProgramError, DimensionError) as error:
            raise UsageError(f"{self.origin}: {operation.name!r} cannot be derived: {error}") from error


def topic(name: str) -> Derivation:
    """A built-in topic."""
    module = importlib.import_module(f".{name}", __package__)
    return Derivation(name, f"derivations/{name}.py", module.OPERATIONS, docstring=module.__doc__ or "")


def find(names: Sequence[str]) -> list[Derivation]:
    """The derivations that are named; all built-in topics if none is.

    Raises:
        UsageError: as `find_one`.
    """
    return [find_one(name) for name in names] if names else [topic(name) for name in TOPICS]


def find_one(name: str) -> Derivation:
    """A topic, an operation of a topic, a file, or `FILE.py:operation`.

    Raises:
        UsageError: there is no such thing, or the file is not a derivation.
    """
    place, _, chosen = name.rpartition(":")
    if place.endswith(".py"):
        return _only(_file(place, name), chosen, name)
    if name.endswith(".py"):
        return _file(name, name)
    if name in TOPICS:
        return topic(name)
    known = {op.name: derivation for derivation in map(topic, TOPICS) for op in derivation.operations}
    if name in known:
        return _only(known[name], name, name)
    names = dict.fromkeys((*TOPICS, *known))
    raise UsageError(
        f"{name!r} is neither an operation nor a file ending in .py; operations: "
        f"{', '.join(names)}{suggestion(name, names)}"
    )


def _only(derivation: Derivation, chosen: str, name: str) -> Derivation:
    operations = tuple(op for op in derivation.operations if op.name == chosen)
    if not operations:
        names = [op.name for op in derivation.operations]
        raise UsageError(
            f"{name!r}: {derivation.origin} has no operation {chosen!r}; it has {', '.join(names)}"
            f"{suggestion(chosen, names)}"
        )
    complete = len(derivation.operations) == 1
    return replace(derivation, operations=operations, complete=complete)


def _file(place: str, name: str) -> Derivation:
    module = load_file(place, f"derivation {name!r}")
    found = getattr(module, "OPERATIONS", None)
    if found is None:
        raise UsageError(f"{place!r} is no derivation: it does not define OPERATIONS, a tuple of Operation")
    if not isinstance(found, tuple | list) or not found or not all(isinstance(op, Operation) for op in found):
        raise UsageError(f"{place!r} is no derivation: OPERATIONS is {found!r}, not a tuple of Operation")
    path = Path(place)
    return Derivation(path.stem, path.name, tuple(found), path, docstring=module.__doc__ or "")
