"""The contracts of softmax, log_softmax and logsumexp: operations along one axis of `input`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from hypothesis import strategies as st

from ..reference import softmax as reference
from .cases import RowCase, row_cases
from .contracts import Check, Operation
from .laws_rowwise import LOG_SOFTMAX_LAWS, LOGSUMEXP_LAWS, SOFTMAX_LAWS
from .problems import Problem, Values, laid_out
from .profiles import Precision
from .saved_output import log_softmax_gradient_error, logsumexp_gradient_error
from .values import COTANGENTS, REGIMES, Array

# The axis is moved to the end for the reference, whose axis is always the last.
_Forward = Callable[[Array], Array]
_Backward = Callable[[Array, Array], Array]


def _build(case: RowCase, dtype: torch.dtype, *, reduces: bool) -> Problem:
    rng = np.random.default_rng(case.seed)
    x = laid_out(REGIMES[case.values](rng, case.shape), case.layout, dtype)
    axis = case.dim % len(case.shape)
    shape = case.shape[:axis] + case.shape[axis + 1 :] if reduces else case.shape
    cotangent = laid_out(COTANGENTS[case.cotangent](rng, shape), case.cotangent_layout, dtype)
    return Problem(
        arrays=MappingProxyType({"input": x}),
        positional=1,
        layouts=MappingProxyType({"input": case.layout}),
        options=MappingProxyType({"dim": case.dim}),
        requires_grad=case.requires_grad,
        cotangent=cotangent,
        cotangent_layout=case.cotangent_layout,
    )


def _evaluate(problem: Problem, forward: _Forward, backward: _Backward, *, reduces: bool) -> Values:
    """Output and gradient by functions along the last axis; an empty array has no elements to compute."""
    x = problem.arrays["input"]
    dim = problem.options["dim"]
    rows = np.moveaxis(x, dim, -1)
    dy = problem.cotangent if reduces else np.moveaxis(problem.cotangent, dim, -1)
    output = forward(rows) if rows.size else np.zeros(dy.shape)
    gradients: Mapping[str, Array] = {}
    if problem.requires_grad:
        gradients = {"input": np.moveaxis(backward(rows, dy) if rows.size else np.zeros(rows.shape), -1, dim)}
    return Values(output if reduces else np.moveaxis(output, -1, dim), gradients)


def _operation(
    name: str,
    forward: _Forward,
    backward: _Backward,
    forward_bound: Callable[..., Array],
    backward_bound: Callable[..., Array],
    from_output: Callable[[Array, Array, Precision], Array] | None,
    laws: tuple[Check, ...],
    *,
    reduces: bool = False,
) -> Operation:
    def cases() -> st.SearchStrategy[RowCase]:
        # A sum of nothing has no log-sum-exp in the reference.
        return row_cases(empty_rows=not reduces)

    def build(case: RowCase, dtype: torch.dtype) -> Problem:
        return _build(case, dtype, reduces=reduces)

    def expected(problem: Problem) -> Values:
        return _evaluate(problem, forward, backward, reduces=reduces)

    def bound(problem: Problem, precision: Precision) -> Values:
        if "unnamed" in precision and from_output is not None:
            # x − m and log z are steps of these two programs that have no name of their own.
            precision = {**precision, "compute": precision["unnamed"]}

        def backward_error(x: Array, dy: Array) -> Array:
            error = backward_bound(x, dy, precision=precision)
            return error if from_output is None else np.maximum(error, from_output(x, dy, precision))

        return _evaluate(problem, lambda x: forward_bound(x, precision=precision), backward_error, reduces=reduces)

    return Operation(
        name=name,
        signature=(("input",), MappingProxyType({"dim": -1})),
        cases=cases,
        smallest=RowCase(),
        build=build,
        reference=expected,
        bound=bound,
        laws=laws,
    )


SOFTMAX = _operation(
    "softmax",
    reference.softmax,
    reference.softmax_vjp,
    reference.softmax_bound,
    reference.softmax_vjp_bound,
    None,
    SOFTMAX_LAWS,
)
LOG_SOFTMAX = _operation(
    "log_softmax",
    reference.log_softmax,
    reference.log_softmax_vjp,
    reference.log_softmax_bound,
    reference.log_softmax_vjp_bound,
    log_softmax_gradient_error,
    LOG_SOFTMAX_LAWS,
)
LOGSUMEXP = _operation(
    "logsumexp",
    reference.logsumexp,
    reference.logsumexp_vjp,
    reference.logsumexp_bound,
    reference.logsumexp_vjp_bound,
    logsumexp_gradient_error,
    LOGSUMEXP_LAWS,
    reduces=True,
)
