"""A reference held to its own bounds: forward, VJP and JVP against exact values, for any operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.catalogue import find
from lemmata.tests.reference import differences, oracle
from lemmata.tests.reference.differences import Function
from lemmata.tests.reference.evaluate import worst_share
from lemmata.tests.reference.formats import IN_FLOAT64, Precision
from lemmata.tests.reference.functions import bound_of, function

Array = Any
Results = dict[str, Array]


def operation(name: str) -> Operation:
    """A built-in operation."""
    (found,) = (op for topic in find(()) for op in topic.operations if op.name == name)
    return found


def _named(prefix: str, names: list[str], found: Any) -> Results:
    parts = found if isinstance(found, tuple) else (found,)
    return {f"{prefix}{name}": part for name, part in zip(names, parts, strict=True) if part is not None}


def _all(
    make: Any,
    name: str,
    inputs: Mapping[str, Any],
    cotangents: Mapping[str, Any],
    tangents: Mapping[str, Any],
    **more: Any,
) -> Results:
    op = operation(name)
    outputs = [tensor.name for tensor in op.program.outputs]
    gradients = [tensor.name for tensor in op.differentiable]
    return {
        **_named("", outputs, make(name)(**inputs, **more)),
        **_named("d", gradients, make(name, "_vjp")(**inputs, **cotangents, **more)),
        **_named("t", outputs, make(name, "_jvp")(**inputs, **tangents, **more)),
    }


def results(
    name: str, inputs: Mapping[str, Any], cotangents: Mapping[str, Any], tangents: Mapping[str, Any]
) -> Results:
    """Outputs, gradients (`d` + input) and tangents (`t` + output) that the reference gives."""
    return _all(function, name, inputs, cotangents, tangents)


def bounds(
    name: str,
    inputs: Mapping[str, Any],
    cotangents: Mapping[str, Any],
    tangents: Mapping[str, Any],
    precision: Precision = IN_FLOAT64,
) -> Results:
    """The bounds of `results`, in float64 unless another precision is given."""
    return _all(bound_of, name, inputs, cotangents, tangents, precision=precision)


def exact(
    name: str,
    formula: Function,
    inputs: Mapping[str, Any],
    cotangents: Mapping[str, Any],
    tangents: Mapping[str, Any],
) -> Results:
    """`results` of a textbook formula, exactly."""
    wrt = tuple(tensor.name for tensor in operation(name).differentiable if tensor.name in inputs)
    return {
        **differences.values(formula, inputs),
        **differences.pulled_back(formula, inputs, cotangents, wrt),
        **differences.pushed_forward(formula, inputs, tangents),
    }


def hold(found: Results, right: Results, allowed: Results) -> None:
    """Every result is within its bound of the exact one, and the bound says something about each."""
    errors = {name: oracle.distance(value, right[name]) for name, value in found.items()}
    worst, stated = worst_share(errors, {name: allowed[name] for name in errors})
    assert worst <= 1.0, f"{worst} times the bound"
    assert stated == sum(np.size(value) for value in found.values())
