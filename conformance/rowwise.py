"""The contracts of softmax, log_softmax and logsumexp: operations along one axis of `input`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
import torch
from hypothesis import strategies as st

from ..reference.bounds.log_softmax import log_softmax_bound, log_softmax_vjp_bound
from ..reference.bounds.logsumexp import logsumexp_bound, logsumexp_vjp_bound
from ..reference.bounds.softmax import softmax_bound, softmax_vjp_bound
from ..reference.bounds.softmax_hvp import softmax_hvp_bound
from ..reference.log_softmax import log_softmax, log_softmax_vjp
from ..reference.logsumexp import logsumexp, logsumexp_vjp
from ..reference.softmax import softmax, softmax_vjp
from ..reference.softmax_hvp import softmax_hvp
from .cases import LARGE_ROWS, RowCase, row_cases
from .contracts import Check, Operation
from .laws_rowwise import LOG_SOFTMAX_LAWS, LOGSUMEXP_LAWS, SOFTMAX_LAWS
from .laws_second_order import hessian_law
from .orders_rowwise import (
    log_softmax_gradient_error,
    logsumexp_gradient_error,
    softmax_by_its_output,
    softmax_through_its_maximum,
)
from .problems import OUTPUT, Problem, Values, laid_out, only
from .profiles import Precision
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
        positional=("input",),
        layouts=MappingProxyType({"input": case.layout}),
        options=MappingProxyType({"dim": case.dim}),
        requires_grad=case.requires_grad,
        cotangents=MappingProxyType({OUTPUT: cotangent}),
        cotangent_layouts=MappingProxyType({OUTPUT: case.cotangent_layout}),
    )


def evaluated(problem: Problem, forward: _Forward, backward: _Backward, *, reduces: bool) -> Values:
    """Output and gradient by functions along the last axis; an empty array has no elements to compute."""
    x = problem.arrays["input"]
    dim = problem.options["dim"]
    rows = np.moveaxis(x, dim, -1)
    dy = problem.cotangent if reduces else np.moveaxis(problem.cotangent, dim, -1)
    output = forward(rows) if rows.size else np.zeros(dy.shape)
    gradients: Mapping[str, Array] = {}
    if problem.requires_grad:
        gradients = {"input": np.moveaxis(backward(rows, dy) if rows.size else np.zeros(rows.shape), -1, dim)}
    return only(output if reduces else np.moveaxis(output, -1, dim), gradients)


def _operation(
    name: str,
    forward: _Forward,
    backward: _Backward,
    forward_bound: Callable[..., Array],
    backward_bound: Callable[..., Array],
    other_order: Callable[[Array, Array, Precision], Array],
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
        return evaluated(problem, forward, backward, reduces=reduces)

    def bound(problem: Problem, precision: Precision) -> Values:
        if "unnamed" in precision:
            # x − m and log z are steps of these programs that have no name of their own.
            precision = {**precision, "compute": precision["unnamed"]}

        def backward_error(x: Array, dy: Array) -> Array:
            return np.maximum(backward_bound(x, dy, precision=precision), other_order(x, dy, precision))

        return evaluated(problem, lambda x: forward_bound(x, precision=precision), backward_error, reduces=reduces)

    return Operation(
        name=name,
        signature=(("input",), MappingProxyType({"dim": -1})),
        cases=cases,
        smallest=RowCase(),
        build=build,
        reference=expected,
        bound=bound,
        laws=laws,
        large=LARGE_ROWS,
    )


def _hessian(problem: Problem, hvp: Callable[..., Array]) -> Values:
    """How the gradient changes where the input moves along itself, or a bound of that."""
    dim = problem.options["dim"]
    rows, dy = (np.moveaxis(x, dim, -1) for x in (problem.arrays["input"], problem.cotangent))
    return Values({}, {"input": np.moveaxis(hvp(rows, dy, rows), -1, dim)})


def _either_order(x: Array, dp: Array, tx: Array, *, precision: Precision) -> Array:
    return np.maximum(*(bound(x, dp, tx, precision=precision) for bound in (softmax_hvp_bound, softmax_by_its_output)))


SOFTMAX = _operation(
    "softmax",
    softmax,
    softmax_vjp,
    softmax_bound,
    softmax_vjp_bound,
    softmax_through_its_maximum,
    # Of the other two, PyTorch differentiates a backward pass that starts from the saved output.
    (
        *SOFTMAX_LAWS,
        hessian_law(
            lambda problem: _hessian(problem, softmax_hvp),
            lambda problem, precision: _hessian(problem, partial(_either_order, precision=precision)),
        ),
    ),
)
LOG_SOFTMAX = _operation(
    "log_softmax",
    log_softmax,
    log_softmax_vjp,
    log_softmax_bound,
    log_softmax_vjp_bound,
    log_softmax_gradient_error,
    LOG_SOFTMAX_LAWS,
)
LOGSUMEXP = _operation(
    "logsumexp",
    logsumexp,
    logsumexp_vjp,
    logsumexp_bound,
    logsumexp_vjp_bound,
    logsumexp_gradient_error,
    LOGSUMEXP_LAWS,
    reduces=True,
)
