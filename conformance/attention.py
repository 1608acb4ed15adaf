"""The contract of attention, in the calling convention of `torch.nn.functional.scaled_dot_product_attention`.

Query `[B, H·r, n, d]`, key `[B, H, m, d]`, value `[B, H, m, e]`; query head h reads the keys of head h // r. A boolean
mask keeps where it is true, an additive one is added to the scores, both broadcast to `[B, H·r, n, m]`. `is_causal` is
aligned top-left. A row whose keys are all masked is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from ..reference import attention as reference
from ..reference.attention_hvp import attention_hvp
from ..reference.bounds.attention import attention_bound, attention_vjp_bound
from ..reference.bounds.attention_hvp import attention_hvp_bound
from .cases import LARGE_ATTENTION, AttentionCase, attention_cases
from .contracts import Operation
from .laws_attention import ATTENTION_LAWS, KEY_GRADIENT_SUM
from .laws_second_order import hessian_law
from .overflow import overflowing_sums, spoiled_rows, without_bound
from .problems import OUTPUT, AnyArray, Problem, Values, laid_out
from .profiles import Precision
from .rounding import sum_error
from .values import COTANGENTS, EMPTIED, KEPT, REGIMES, Array

# What an additive mask writes where a boolean one is false: far below every score, and finite in float16.
_BLOCKED = -1e4
# The log-sum-exp of the scores `[B, H·r, n]`, base e, float32 at least; −∞ for a row without keys.
LSE = "lse"
_PULLED_BACK = ((OUTPUT, LSE), (OUTPUT,), (LSE,))


def build(case: AttentionCase, dtype: torch.dtype) -> Problem:
    """The case as numbers of `dtype`."""
    rng = np.random.default_rng(case.seed)
    shapes = _shapes(case)
    arrays: dict[str, AnyArray] = {}
    layouts: dict[str, str] = {}
    for name, values, layout in zip(("query", "key", "value"), case.values, case.layouts, strict=True):
        arrays[name] = laid_out(REGIMES[values](rng, shapes[name]), layout, dtype)
        layouts[name] = layout
    if case.mask != "none":
        arrays["attn_mask"] = _mask(case, rng, dtype)
        layouts["attn_mask"] = case.mask_layout
    cotangents = {OUTPUT: laid_out(COTANGENTS[case.cotangent](rng, shapes[OUTPUT]), case.cotangent_layout, dtype)}
    options: dict[str, Any] = {}
    if case.causal:
        options["is_causal"] = True
    if case.scale is not None:
        options["scale"] = case.scale
    if case.group > 1:
        options["enable_gqa"] = True
    return Problem(
        arrays=MappingProxyType(arrays),
        positional=("query", "key", "value"),
        layouts=MappingProxyType(layouts),
        options=MappingProxyType(options),
        requires_grad=case.requires_grad,
        cotangents=MappingProxyType(cotangents),
        cotangent_layouts=MappingProxyType({OUTPUT: case.cotangent_layout}),
    )


def build_with_lse(case: AttentionCase, dtype: torch.dtype) -> Problem:
    """The same for a call that returns the log-sum-exp of the scores too, on which the loss depends or not."""
    problem = build(case, dtype)
    rng = np.random.default_rng((case.seed, len(LSE)))
    lse = laid_out(COTANGENTS[case.cotangent](rng, _shapes(case)[OUTPUT][:-1]), case.cotangent_layout, dtype)
    pulled_back = _PULLED_BACK[case.seed % len(_PULLED_BACK)]
    cotangents = {
        name: x if name in pulled_back else np.zeros(x.shape) for name, x in ((OUTPUT, problem.cotangent), (LSE, lse))
    }
    unreached = {"value"} if pulled_back == (LSE,) else set()
    return replace(
        problem,
        cotangents=MappingProxyType(cotangents),
        cotangent_layouts=MappingProxyType(dict.fromkeys(cotangents, case.cotangent_layout)),
        pulled_back=pulled_back,
        unreached=frozenset(unreached & set(problem.requires_grad)),
        wide=frozenset({LSE}),
    )


def _shapes(case: AttentionCase) -> dict[str, tuple[int, ...]]:
    heads = case.kv_heads * case.group
    return {
        "query": (case.batch, heads, case.queries, case.head_dim),
        "key": (case.batch, case.kv_heads, case.keys, case.head_dim),
        "value": (case.batch, case.kv_heads, case.keys, case.value_dim),
        "output": (case.batch, heads, case.queries, case.value_dim),
    }


def _mask(case: AttentionCase, rng: np.random.Generator, dtype: torch.dtype) -> AnyArray:
    full = (case.batch, case.kv_heads * case.group, case.queries, case.keys)
    shape = tuple(size if axis in case.mask_span else 1 for axis, size in zip("bhqk", full, strict=True))
    keep = np.ones(shape, np.bool_)
    if case.mask_pattern in ("random", "some rows"):
        keep = rng.random(shape) < KEPT
    if case.mask_pattern == "some rows":
        keep &= rng.random((*shape[:-1], 1)) >= EMPTIED
    if case.mask_pattern == "padding":
        keep = np.broadcast_to(np.arange(shape[-1]) < rng.integers(shape[-1] + 1, size=(*shape[:-2], 1, 1)), shape)
    if case.mask_pattern == "all":
        keep = np.zeros(shape, np.bool_)
    if "b" not in case.mask_span and "h" not in case.mask_span:
        keep = keep[0, 0]
    if case.mask == "boolean":
        if case.mask_layout == "expanded":
            keep = np.broadcast_to(keep[:1], keep.shape)
        return np.ascontiguousarray(keep)
    blocked = -np.inf if case.mask == "additive with -inf" else _BLOCKED
    return laid_out(np.where(keep, rng.standard_normal(keep.shape), blocked), case.mask_layout, dtype)


def _grouped(x: AnyArray, kv_heads: int) -> AnyArray:
    """[B, H·r, …] as [B, H, r, …]; one head that stands for all stays one."""
    batch, heads, *rest = x.shape
    return x.reshape(batch, 1, 1, *rest) if heads == 1 else x.reshape(batch, kv_heads, heads // kv_heads, *rest)


def reference_arguments(problem: Problem) -> dict[str, Any]:
    """The arguments of the reference for a problem: grouped heads, `keep`, `bias` and `scale`."""
    query, key, value = (problem.arrays[name] for name in ("query", "key", "value"))
    kv_heads = key.shape[1]
    keep: AnyArray | None = None
    bias: Array | None = None
    mask = problem.arrays.get("attn_mask")
    if mask is not None:
        mask = _grouped(mask.reshape((1,) * (4 - mask.ndim) + mask.shape), kv_heads)
        if mask.dtype == np.bool_:
            keep = mask
        else:
            # A bias of -inf is a mask, and has no gradient.
            keep = mask != -np.inf
            bias = np.where(keep, mask, 0.0)
    if problem.options.get("is_causal"):
        keep = np.tri(query.shape[2], key.shape[2], dtype=np.bool_)
    return {
        "q": query.reshape(query.shape[0], kv_heads, -1, *query.shape[2:]),
        "k": key,
        "v": value,
        "keep": keep,
        "bias": bias,
        "scale": problem.options.get("scale"),
    }


def _is_empty(problem: Problem) -> bool:
    """Whether there is no score at all: the output, if it has elements, is of fully masked rows."""
    return not (problem.arrays["query"].size and problem.arrays["key"].size)


def _nothing(problem: Problem, lse: float) -> Values:
    """Zeros, and for the log-sum-exp of no score −∞ or, as a bound, 0."""
    gradients = {name: np.zeros(problem.arrays[name].shape) for name in problem.requires_grad}
    return Values({k: np.full(x.shape, lse if k == LSE else 0.0) for k, x in problem.cotangents.items()}, gradients)


def _outputs(problem: Problem, results: tuple[Array, Array]) -> dict[str, Array]:
    """Of output and log-sum-exp those that the call returns."""
    return {
        k: x.reshape(problem.cotangents[k].shape)
        for k, x in zip((OUTPUT, LSE), results, strict=True)
        if k in problem.cotangents
    }


def _chosen(problem: Problem, gradients: dict[str, Array]) -> dict[str, Array]:
    return {name: gradients[name].reshape(problem.arrays[name].shape) for name in problem.requires_grad}


def _broadcast_axes(problem: Problem, like: Array) -> tuple[int, ...]:
    """The axes of a [B, H·r, n, m] array along which the mask was broadcast."""
    shape = problem.arrays["attn_mask"].shape
    padded = (1,) * (4 - len(shape)) + shape
    return tuple(axis for axis in range(4) if padded[axis] == 1 < like.shape[axis])


def _scores_shape(problem: Problem) -> tuple[int, ...]:
    return (*problem.arrays["query"].shape[:3], problem.arrays["key"].shape[2])


def expected(problem: Problem) -> Values:
    """Output and the gradients that the problem asks for, by the reference."""
    return evaluated(problem, reference.attention, reference.attention_vjp)


def evaluated(problem: Problem, forward: Callable[..., Any], backward: Callable[..., Any]) -> Values:
    """The same by other functions with the arguments and results of those of the reference."""
    if _is_empty(problem):
        return _nothing(problem, -np.inf)
    arguments = reference_arguments(problem)
    outputs = _outputs(problem, forward(**arguments))
    if not problem.requires_grad:
        return Values(outputs, {})
    dq, dk, dv, dbias = backward(**_grouped_cotangents(problem), **arguments)
    gradients = {"query": dq, "key": dk, "value": dv}
    if "attn_mask" in problem.requires_grad and dbias is not None:
        terms = dbias.reshape(_scores_shape(problem))
        gradients["attn_mask"] = terms.sum(_broadcast_axes(problem, terms))
    return Values(outputs, _chosen(problem, gradients))


def bound(problem: Problem, precision: Precision) -> Values:
    """The bound on the error of each element of `expected`."""
    if _is_empty(problem):
        return overflowing_sums(problem, precision, _nothing(problem, 0.0))
    if LSE in problem.cotangents:  # it is returned, and saved, in float32 at least
        precision = {name: form for name, form in precision.items() if name != LSE}
    rows = spoiled_rows(problem, precision)
    stated = _stated_bound(problem, precision)
    return stated if rows is None else without_bound(stated, problem, rows)


def _stated_bound(problem: Problem, precision: Precision) -> Values:
    """The bound by the reference, for which a masked score does not exist."""
    arguments = reference_arguments(problem)
    outputs = _outputs(problem, attention_bound(**arguments, precision=precision))
    if not problem.requires_grad:
        return Values(outputs, {})
    cotangents = _grouped_cotangents(problem)
    dq, dk, dv, dbias = attention_vjp_bound(**cotangents, **arguments, precision=precision)
    gradients = {"query": dq, "key": dk, "value": dv}
    if "attn_mask" in problem.requires_grad and dbias is not None:
        errors = dbias.reshape(_scores_shape(problem))
        axes = _broadcast_axes(problem, errors)
        terms = reference.attention_vjp(**cotangents, **arguments)[3] if axes else None
        if terms is not None:
            terms = terms.reshape(errors.shape)
            compute = precision["compute"]
            errors = sum_error(
                terms, errors, axes, precision.get("accumulate", compute), precision.get("dbias", compute)
            )
        gradients["attn_mask"] = errors
    return Values(outputs, _chosen(problem, gradients))


def _hessian(problem: Problem, hvp: Callable[..., tuple[Any, ...]]) -> Values:
    """How the gradients of queries, keys and values change where inputs move along themselves, or a bound of that."""
    if _is_empty(problem):
        return Values({}, {})
    arguments = reference_arguments(problem)
    moving = [name for name in problem.requires_grad if np.isfinite(problem.arrays[name]).all()]
    names = {"query": "q", "key": "k", "value": "v", "attn_mask": "bias"}
    tangents = {
        f"t{short}": arguments[short] if name in moving else None if short == "bias" else 0.0 * arguments[short]
        for name, short in names.items()
    }
    changes = hvp(**arguments, **_grouped_cotangents(problem), **tangents)
    named = dict(zip(("query", "key", "value"), changes[:3], strict=True))
    asked = {name: x for name, x in named.items() if name in problem.requires_grad}
    return Values({}, {name: x.reshape(problem.arrays[name].shape) for name, x in asked.items()})


def _grouped_cotangents(problem: Problem) -> dict[str, Any]:
    """What is pulled back, as the reference calls it, with grouped heads."""
    kv_heads = problem.arrays["key"].shape[1]
    names = {OUTPUT: "do", LSE: "dlse"}
    return {names[k]: x.reshape(x.shape[0], kv_heads, -1, *x.shape[2:]) for k, x in problem.cotangents.items()}


_SIGNATURE = {"attn_mask": None, "is_causal": False, "scale": None, "enable_gqa": False}

_LAWS = (
    *ATTENTION_LAWS,
    hessian_law(
        lambda problem: _hessian(problem, attention_hvp),
        lambda problem, precision: _hessian(problem, partial(attention_hvp_bound, precision=precision)),
    ),
)

ATTENTION = Operation(
    name="attention",
    signature=(("query", "key", "value"), MappingProxyType(_SIGNATURE)),
    cases=attention_cases,
    smallest=AttentionCase(queries=2, keys=2, head_dim=2, value_dim=2),
    build=build,
    reference=expected,
    bound=bound,
    laws=_LAWS,
    large=LARGE_ATTENTION,
)
ATTENTION_WITH_LSE = replace(
    ATTENTION,
    name="attention_with_lse",
    build=build_with_lse,
    # Where the loss depends on the log-sum-exp, the gradient of the keys does not add up to 0.
    laws=tuple(law for law in _LAWS if law.name != KEY_GRADIENT_SUM),
)
