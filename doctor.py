"""What this machine can run: versions, devices, and the verbs that they allow."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

PACKAGES = ("lemmata", "sympy", "mpmath", "numpy", "hypothesis", "torch", "triton")


def examine() -> tuple[dict[str, str], dict[str, str]]:
    """Facts by name, and abilities by name; an ability that is missing says NOT RUN and why."""
    facts = {"python": f"{platform.python_version()} on {sys.platform}", "processors": str(os.cpu_count())}
    facts |= {name: _version(name) for name in PACKAGES}
    devices = _cuda_devices()
    facts["CUDA devices"] = ", ".join(devices) or "none"
    return facts, _abilities(devices)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def has(module: str) -> bool:
    """Whether a module is installed, without importing it."""
    return importlib.util.find_spec(module) is not None


def _cuda_devices() -> list[str]:
    if not has("torch"):
        return []
    import torch

    if not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]


def _abilities(devices: list[str]) -> dict[str, str]:
    torch_missing = "NOT RUN: PyTorch is not installed; pip install 'lemmata[torch]'"
    triton_missing = "NOT RUN: Triton is not installed; pip install 'lemmata[triton]'"
    cuda_missing = "NOT RUN: no CUDA device"
    torch_there, triton_there = has("torch"), has("triton")
    return {
        "check, derive, generate": "yes",
        "conform on the CPU": "yes: float64, float32, bfloat16, float16" if torch_there else torch_missing,
        "conform on CUDA": ("yes" if devices else cuda_missing) if torch_there else torch_missing,
        "Triton kernels": (
            ("yes, compiled" if devices else "yes, interpreted: float32 and float16")
            if triton_there and torch_there
            else triton_missing
            if torch_there
            else torch_missing
        ),
        "Triton kernels in bfloat16": "yes" if devices and triton_there else "NOT RUN: needs a CUDA device and Triton",
    }


def to_json(facts: dict[str, str], abilities: dict[str, str]) -> dict[str, Any]:
    """The same as plain data."""
    return {"facts": facts, "abilities": abilities}
