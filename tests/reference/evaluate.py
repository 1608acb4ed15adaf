"""Running the references: every operation as one list of named results, with its bounds and its exact values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from lemmata.tests.reference import oracle
from lemmata.tests.reference.formats import IN_FLOAT64, Precision
from lemmata.tests.reference.functions import bound_of, function
from lemmata.tests.reference.problems import AttentionProblem, RowProblem

Array = Any
Results = dict[str, Array]
Convert = Callable[[Any], Any]

ROW_OPERATIONS = ("softmax", "log_softmax", "logsumexp")
ATTENTION_OPERATIONS = ("attention", "softcapped_attention")
_JACOBIANS = {
    "softmax": (oracle.softmax, oracle.softmax_jacobian),
    "log_softmax": (oracle.log_softmax, oracle.log_softmax_jacobian),
    "logsumexp": (oracle.logsumexp, oracle.logsumexp_jacobian),
}


def as_is(x: Any) -> Any:
    """No conversion."""
    return x


def _cotangent(operation: str, problem: RowProblem) -> Array:
    return problem.row_cotangent if operation == "logsumexp" else problem.cotangent


def row_results(operation: str, problem: RowProblem, convert: Convert = as_is) -> Results:
    """Forward, VJP and JVP of an operation on rows, on arrays that `convert` makes."""
    x, dy, tx = convert(problem.x), convert(_cotangent(operation, problem)), convert(problem.cotangent)
    return {
        "forward": function(operation)(x),
        "vjp": function(operation, "_vjp")(x, dy),
        "jvp": function(operation, "_jvp")(x, tx),
    }


def row_bounds(
    operation: str, problem: RowProblem, convert: Convert = as_is, precision: Precision = IN_FLOAT64
) -> Results:
    """The bounds of `row_results`."""
    x, dy, tx = convert(problem.x), convert(_cotangent(operation, problem)), convert(problem.cotangent)
    return {
        "forward": bound_of(operation)(x, precision=precision),
        "vjp": bound_of(operation, "_vjp")(x, dy, precision=precision),
        "jvp": bound_of(operation, "_jvp")(x, tx, precision=precision),
    }


def row_exact(operation: str, problem: RowProblem) -> Results:
    """`row_results` at 50 digits."""
    value, jacobian = _JACOBIANS[operation]
    dy = _cotangent(operation, problem)
    jacobians = [jacobian(row) for row in problem.x]
    jvp = [oracle.pushed_forward(J, row) for J, row in zip(jacobians, problem.cotangent, strict=True)]
    return {
        "forward": np.array([value(row) for row in problem.x], dtype=object),
        "vjp": np.array([oracle.pulled_back(J, c) for J, c in zip(jacobians, dy, strict=True)], dtype=object),
        "jvp": np.array([t[0] if operation == "logsumexp" else t for t in jvp], dtype=object),
    }


def _arguments(operation: str, problem: AttentionProblem, convert: Convert) -> dict[str, Any]:
    inputs = {name: x if name == "scale" else convert(x) for name, x in problem.inputs.items()}
    return inputs | ({"cap": problem.cap} if operation == "softcapped_attention" else {})


def _named(prefix: str, names: tuple[str, ...], values: tuple[Any, ...]) -> Results:
    return {f"{prefix}{name}": x for name, x in zip(names, values, strict=True) if x is not None}


def attention_results(
    operation: str, problem: AttentionProblem, convert: Convert = as_is, chunk: int | None = None
) -> Results:
    """Forward, VJP and JVP of an attention, on arrays that `convert` makes."""
    arguments = _arguments(operation, problem, convert)
    cotangents = {name: convert(x) for name, x in problem.cotangents.items()}
    tangents = {name: convert(x) for name, x in problem.tangents.items()}
    forward = function(operation)(**arguments, chunk=chunk)
    vjp = function(operation, "_vjp")(**arguments, **cotangents, chunk=chunk)
    jvp = function(operation, "_jvp")(**arguments, **tangents, chunk=chunk)
    return {
        **_named("", ("o", "lse"), forward),
        **_named("d", ("q", "k", "v", "bias"), vjp),
        **_named("t", ("o", "lse"), jvp),
    }


def attention_bounds(
    operation: str, problem: AttentionProblem, convert: Convert = as_is, precision: Precision = IN_FLOAT64
) -> Results:
    """The bounds of `attention_results`."""
    arguments = _arguments(operation, problem, convert)
    cotangents = {name: convert(x) for name, x in problem.cotangents.items()}
    tangents = {name: convert(x) for name, x in problem.tangents.items()}
    forward = bound_of(operation)(**arguments, precision=precision)
    vjp = bound_of(operation, "_vjp")(**arguments, **cotangents, precision=precision)
    jvp = bound_of(operation, "_jvp")(**arguments, **tangents, precision=precision)
    return {
        **_named("", ("o", "lse"), forward),
        **_named("d", ("q", "k", "v", "bias"), vjp),
        **_named("t", ("o", "lse"), jvp),
    }


def attention_exact(operation: str, problem: AttentionProblem) -> Results:
    """`attention_results` of a problem without batch dimensions at 50 digits."""
    cap = problem.cap if operation == "softcapped_attention" else None
    exact = oracle.Attention(**problem.inputs, cap=cap)
    names = ("q", "k", "v", "bias") if "bias" in problem.inputs else ("q", "k", "v")
    vjp = exact.vjp(**problem.cotangents)[: len(names)]
    jvp = exact.jvp(**problem.tangents)
    return {
        "o": exact.o,
        "lse": exact.lse,
        **_named("d", names, vjp),
        **_named("t", ("o", "lse"), jvp),
    }


def worst_share(errors: Mapping[str, Array], bounds: Mapping[str, Array]) -> tuple[float, int]:
    """The largest error / bound over all results, infinite for an error where none is allowed or a NaN where the bound
    is finite; and the number of elements about which the bound says something."""
    assert errors.keys() == bounds.keys()
    worst, stated = 0.0, 0
    for name, error in errors.items():
        error, bound = np.asarray(error), np.asarray(bounds[name])
        assert error.shape == bound.shape, name
        finite = np.isfinite(bound)
        stated += int(finite.sum())
        with np.errstate(all="ignore"):
            share = np.where(error == 0, 0.0, error / bound)
        share = np.where(np.isnan(error), np.inf, share)
        worst = max(worst, float(share[finite].max(initial=0.0)))
    return worst, stated
