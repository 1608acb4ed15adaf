"""The generated functions by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def function(operation: str, kind: str = "") -> Callable[..., Any]:
    """The function OPERATION + KIND of the references (`""`, `_vjp`, `_value_and_vjp`, `_jvp`, …)."""
    module = importlib.import_module(f"lemmata.reference.{operation}")
    found: Callable[..., Any] = getattr(module, f"{operation}{kind}")
    return found


def bound_of(operation: str, kind: str = "") -> Callable[..., Any]:
    """The bound of the function OPERATION + KIND."""
    module = importlib.import_module(f"lemmata.reference.bounds.{operation}")
    found: Callable[..., Any] = getattr(module, f"{operation}{kind}_bound")
    return found
