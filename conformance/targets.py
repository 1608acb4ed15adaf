"""Targets: the implementation under test, named as `module:callable` or `path/file.py:callable`."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

Target = Callable[..., Any]


class UsageError(ValueError):
    """What the user asked for cannot be done; the message quotes the request and says what would be right."""


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
    found: Any = _load_file(place, target) if place.endswith(".py") else _load_module(place, target)
    walked = place
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(f"target {target!r}: {walked!r} has no attribute {part!r}{_suggestion(found, part)}")
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
        raise UsageError(f"target {target!r}: importing {place!r} raised {_shown(error)}") from error


def _load_file(place: str, target: str) -> ModuleType:
    path = Path(place)
    if not path.is_file():
        raise UsageError(f"target {target!r}: there is no file {place!r}")
    # Two files of one name are two modules; one file loaded twice is one module.
    name = f"lemmata_target_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"target {target!r}: {place!r} cannot be loaded as Python source")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UsageError(f"target {target!r}: importing {place!r} raised {_shown(error)}") from error
    return module


def _shown(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _suggestion(found: object, part: str) -> str:
    import difflib

    near = difflib.get_close_matches(part, [name for name in dir(found) if not name.startswith("_")], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
