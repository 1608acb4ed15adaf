"""The generated functions by name."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any


def function(operation: str, kind: str = "") -> Callable[..., Any]:
    """The function OPERATION + KIND of the references (`""`, `_vjp`, `_value_and_vjp`, `_jvp`, …)."""
    return _found("lemmata.reference", operation, kind, "")


def bound_of(operation: str, kind: str = "") -> Callable[..., Any]:
    """The bound of the function OPERATION + KIND."""
    return _found("lemmata.reference.bounds", operation, kind, "_bound")


def _found(package: str, operation: str, kind: str, ending: str) -> Callable[..., Any]:
    """In the file of the function, if it has one of its own, else in that of the operation."""
    own = f"{package}.{operation}{kind}"
    place = own if importlib.util.find_spec(own) is not None else f"{package}.{operation}"
    found: Callable[..., Any] = getattr(importlib.import_module(place), f"{operation}{kind}{ending}")
    return found
