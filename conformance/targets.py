"""Targets: the implementation under test, named as `module:callable` or `path/file.py:callable`."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import UsageError as UsageError  # part of this module's interface
from ..loading import load_file, suggestion
from ..loading import shown as shown_error

Target = Callable[..., Any]


def load_target(target: str) -> Target:
    """The callable that `target` names.

    Args:
        target: `module:callable` or `path/file.py:callable`; the callable may be dotted (`module:Class.method`).

    Raises:
        UsageError: the text has no colon, or the module or file does not exist or cannot be imported, or it has no
            such attribute, or the attribute is not callable.
    """
    place, colon, name = target.rpartition(":")
    if not (place and colon and name):
        raise UsageError(f"target {target!r}: write 'module:callable' or 'path/file.py:callable'")
    found: Any = load_file(place, f"target {target!r}") if place.endswith(".py") else _load_module(place, target)
    walked = place
    for part in name.split("."):
        if not hasattr(found, part):
            near = suggestion(part, (known for known in dir(found) if not known.startswith("_")))
            raise UsageError(f"target {target!r}: {walked!r} has no attribute {part!r}{near}")
        found, walked = getattr(found, part), f"{walked}:{part}"
    if not callable(found):
        raise UsageError(f"target {target!r}: {name!r} is a {type(found).__name__}, not a callable")
    return found  # type: ignore[no-any-return]  # getattr on a module is untyped; callable() was checked


def target_name(target: Target) -> str:
    """`module:qualified.name` of a callable that was passed as an object."""
    return f"{getattr(target, '__module__', '?')}:{getattr(target, '__qualname__', repr(target))}"


def check_signature(target: Target, shown: str, positional: Sequence[str], keywords: Mapping[str, Any]) -> None:
    """Refuses a target that cannot take the arguments of the operation's calling convention.

    A callable without an inspectable signature (a builtin) passes: its first call decides.

    Raises:
        UsageError: the signature does not take these arguments.
    """
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*positional, **keywords)
    except TypeError as error:
        call = ", ".join([*positional, *(f"{name}=…" for name in keywords)])
        raise UsageError(
            f"target {shown!r} takes {signature}, but the calling convention is ({call}): {error}"
        ) from error


def _load_module(place: str, target: str) -> ModuleType:
    # As `python -m` does: a module beside the user's own files is found.
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        missing = error.name or place
        if place == missing or place.startswith(f"{missing}."):
            raise UsageError(f"target {target!r}: there is no module {missing!r}") from error
        raise UsageError(f"target {target!r}: importing {place!r} needs the missing module {missing!r}") from error
    except Exception as error:
        raise UsageError(f"target {target!r}: importing {place!r} raised {shown_error(error)}") from error


def source_hash(target: Target) -> str | None:
    """A hash of the file in which a callable is written; None if it is in none that can be read."""
    try:
        path = inspect.getsourcefile(inspect.unwrap(target))
        return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except (TypeError, ValueError, OSError):
        return None
