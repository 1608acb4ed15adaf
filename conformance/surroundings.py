"""Surroundings: what a target must leave as it found it, because others measure and compare with it.

A kernel that replaces a timer looks fast, and one that replaces a comparison looks right. The judge does not rely on
any of these in the target's process; it says what was replaced.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

# What measures, compares, copies or seeds.
_WATCHED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("time", ("time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "process_time", "sleep")),
    ("timeit", ("default_timer", "timeit")),
    ("builtins", ("abs", "all", "any", "isinstance", "len", "max", "min", "print", "sum", "type")),
    ("gc", ("collect", "get_objects")),
    ("math", ("isfinite", "isnan", "isclose")),
    ("random", ("random", "seed")),
    ("numpy", ("abs", "allclose", "array_equal", "asarray", "isclose", "isfinite", "isnan", "max", "sum")),
    ("numpy.testing", ("assert_allclose", "assert_array_equal")),
    ("torch", ("abs", "allclose", "empty", "empty_like", "equal", "isclose", "isfinite", "isnan")),
    ("torch.testing", ("assert_close",)),
    ("torch.autograd", ("backward", "grad", "gradcheck")),
    ("torch.cuda", ("synchronize", "Event", "Stream", "current_stream")),
    ("torch.utils.benchmark", ("Timer",)),
)  # fmt: skip
_METHODS = ("backward", "clone", "cpu", "detach", "double", "float", "numpy", "to", "__sub__", "__eq__", "__le__")
_MODES: tuple[tuple[str, Callable[[], Any]], ...] = (
    ("the default dtype", torch.get_default_dtype),
    ("whether gradients are recorded", torch.is_grad_enabled),
    ("inference mode", torch.is_inference_mode_enabled),
    ("the precision of float32 matrix products", torch.get_float32_matmul_precision),
    ("the deterministic mode", torch.are_deterministic_algorithms_enabled),
    ("the number of threads", torch.get_num_threads),
    ("NumPy's handling of floating-point errors", lambda: tuple(sorted(np.geterr().items()))),
)


class Surroundings:
    """A picture of what is watched, taken before the target is loaded."""

    def __init__(self) -> None:
        self._places = list(_places())
        self._before = [getattr(place, name) for place, name, _ in self._places]
        self._modes = [state() for _, state in _MODES]

    def changed(self) -> tuple[str, ...]:
        """What is not as it was."""
        replaced = [
            f"{shown} was replaced"
            for (place, name, shown), before in zip(self._places, self._before, strict=True)
            if getattr(place, name, None) is not before
        ]
        modes = [
            f"{what} was changed from {before} to {now}"
            for (what, state), before in zip(_MODES, self._modes, strict=True)
            if (now := state()) != before
        ]
        return tuple(replaced + modes)


def _places() -> Iterator[tuple[Any, str, str]]:
    for module, names in _WATCHED:
        place = importlib.import_module(module)
        yield from ((place, name, f"{module}.{name}") for name in names)
    yield from ((torch.Tensor, name, f"torch.Tensor.{name}") for name in _METHODS)
