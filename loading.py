"""Python files that users name on the command line: their targets and their derivations."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from .errors import UsageError


def load_file(place: str, what: str) -> ModuleType:
    """The module in a Python file; one file is one module, however often it is loaded.

    Modules beside the file can be imported by it, unless something of that name is installed.

    Args:
        place: the path of the file.
        what: what the user asked for, as the message begins: `target 'kernels.py:softmax'`.

    Raises:
        UsageError: there is no such file, or importing it raises.
    """
    path = Path(place)
    if not path.is_file():
        raise UsageError(f"{what}: there is no file {place!r}")
    name = f"lemmata_file_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{what}: {place!r} cannot be loaded as Python source")
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise UsageError(f"{what}: importing {place!r} raised {shown(error)}") from error
    return module


def shown(error: BaseException) -> str:
    """An exception in one line."""
    return f"{type(error).__name__}: {error}"


def suggestion(part: str, names: Iterable[str]) -> str:
    """`; did you mean …?` if one of the names is close, else nothing."""
    near = difflib.get_close_matches(part, list(names), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
