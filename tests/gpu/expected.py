"""What the operators are held to: the generated references, within the generated bounds on rounding errors.

In float64 the reference is no more accurate than what it is compared with, so its own error is allowed as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from lemmata.conformance.profiles import FLOAT32, FORMATS, Format
from lemmata.conformance.rounding import sum_error
from lemmata.reference import attention as attention_reference
from lemmata.reference.bounds.attention import attention_bound, attention_vjp_bound
from lemmata.reference.bounds.log_softmax import log_softmax_bound, log_softmax_vjp_bound
from lemmata.reference.bounds.logsumexp import logsumexp_bound, logsumexp_vjp_bound
from lemmata.reference.bounds.softmax import softmax_bound, softmax_vjp_bound
from lemmata.reference.log_softmax import log_softmax, log_softmax_vjp
from lemmata.reference.logsumexp import logsumexp, logsumexp_vjp
from lemmata.reference.softmax import softmax, softmax_vjp

Array = Any
# The tensor cores may truncate an operand to TF32 instead of rounding it: one bit less of accuracy than TF32 has.
TRUNCATED_TF32 = Format(10, -126, FLOAT32.largest)


def precision(dtype: torch.dtype, stored: tuple[str, ...]) -> dict[str, Format]:
    """float32 inside for the 16-bit dtypes, with what is stored rounded to the dtype."""
    form = FORMATS[str(dtype).removeprefix("torch.")]
    if dtype in (torch.float32, torch.float64):
        return {"compute": form, "accumulate": form}
    return {"compute": FLOAT32, "accumulate": FLOAT32} | dict.fromkeys(stored, form)


def evaluations(dtype: torch.dtype) -> int:
    """How many of the two that are compared have an error to speak of."""
    return 2 if dtype is torch.float64 else 1


def assert_within(actual: torch.Tensor, expected: Array, bound: Array, name: str) -> None:
    """|actual − expected| ≤ bound everywhere, with equal shapes and infinities, and no NaN."""
    values = actual.detach().double().cpu().numpy()
    assert values.shape == expected.shape, name
    same = values == expected  # infinities of one sign
    with np.errstate(invalid="ignore"):
        within = np.abs(values - expected) <= bound
    assert (np.isfinite(bound) | same).all(), f"{name}: the bound says nothing"
    assert (same | within).all(), f"{name}: {values[~(same | within)][:3]} for {expected[~(same | within)][:3]}"


def _array(x: torch.Tensor) -> Array:
    return x.detach().double().cpu().numpy()


class Rows(NamedTuple):
    """A row operation of the reference: forward and gradient with their bounds, along the last axis."""

    forward: Callable[..., Array]
    forward_bound: Callable[..., Array]
    gradient: Callable[..., Array]
    gradient_bound: Callable[..., Array]
    reduces: bool = False


SOFTMAX = Rows(
    softmax,
    softmax_bound,
    softmax_vjp,
    softmax_vjp_bound,
)
LOG_SOFTMAX = Rows(
    log_softmax,
    log_softmax_bound,
    log_softmax_vjp,
    log_softmax_vjp_bound,
)
LOGSUMEXP = Rows(
    logsumexp,
    logsumexp_bound,
    logsumexp_vjp,
    logsumexp_vjp_bound,
    reduces=True,
)


def check_rows(rows: Rows, y: torch.Tensor, dx: torch.Tensor, x: torch.Tensor, dy: torch.Tensor, dim: int) -> None:
    """Values and gradient of a row operation along `dim`; `dy` keeps a reduced dimension."""
    assert y.dtype == dx.dtype == x.dtype
    if x.numel() == 0:
        assert dx.shape == x.shape
        return
    shape = x.shape or (1,)
    axis = dim % len(shape)
    along = np.moveaxis(_array(x).reshape(shape), axis, -1)
    kept = (*shape[:axis], 1 if rows.reduces else shape[axis], *shape[axis + 1 :])
    cotangent = np.moveaxis(_array(dy).reshape(kept), axis, -1)
    form = precision(x.dtype, ("p", "y", "lse", "dx"))
    count = evaluations(x.dtype)
    values, allowed = rows.forward(along), count * rows.forward_bound(along, precision=form)
    if rows.reduces:
        cotangent, values, allowed = cotangent[..., 0], values[..., None], allowed[..., None]
    gradient = rows.gradient(along, cotangent)
    error = count * rows.gradient_bound(along, cotangent, precision=form)

    def back(z: Array, like: torch.Tensor) -> Array:
        return np.moveaxis(z, -1, axis).reshape(like.shape)

    assert_within(y, back(values, y), back(allowed, y), "values")
    assert_within(dx, back(gradient, x), back(error, x), "gradients")


class Attention(NamedTuple):
    """The output, lse and gradients of attention, or the bounds on their errors."""

    output: Array
    lse: Array
    query: Array
    key: Array
    value: Array
    scores: Array


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: torch.Tensor,
    d_output: torch.Tensor,
    d_lse: torch.Tensor,
    scale: float,
    truncated_operands: bool = False,
) -> tuple[Attention, Attention]:
    """Results and their error bounds, for (B, Hq, Sq, D), (B, Hkv, Sk, D), (B, Hkv, Sk, Dv).

    `bias` (B, Hq, Sq, Sk) is added to the scores and -inf where masked out. `truncated_operands`: the weights and
    their gradients are TF32 operands, and the gradient uses the output as it was rounded.
    """
    B, Hq, Sq, D = query.shape
    Hkv, Sk, Dv = value.shape[1:]
    shapes = ((B, Hq, Sq, Dv), (B, Hq, Sq), query.shape, key.shape, value.shape, (B, Hq, Sq, Sk))
    if B * Hq * Sq * Sk == 0:
        zeros = [np.zeros(shape) for shape in shapes]
        exact = Attention(zeros[0], np.full(shapes[1], -np.inf), *zeros[2:])
        return exact, Attention(*zeros)
    grouped = (B, Hkv, Hq // Hkv, Sq)
    added = _array(bias).reshape(*grouped, Sk)
    keep = added > -np.inf
    arguments = {
        "q": _array(query).reshape(*grouped, D),
        "k": _array(key),
        "v": _array(value),
        "keep": keep,
        "bias": np.where(keep, added, 0.0),
        "scale": scale,
    }
    cotangents = {"do": _array(d_output).reshape(*grouped, Dv), "dlse": _array(d_lse).reshape(grouped)}
    form = precision(query.dtype, ("o",))
    gradient_form = precision(query.dtype, ("dq", "dk", "dv", "dbias") + (("o",) if truncated_operands else ()))
    if truncated_operands:
        form |= {"p": TRUNCATED_TF32}
        gradient_form |= {"p": TRUNCATED_TF32, "ds": TRUNCATED_TF32}
    count = evaluations(query.dtype)
    reference = attention_reference
    exact_parts = (*reference.attention(**arguments), *reference.attention_vjp(**arguments, **cotangents))
    errors = (
        *attention_bound(**arguments, precision=form),
        *attention_vjp_bound(**arguments, **cotangents, precision=gradient_form),
    )
    exact = Attention(*(x.reshape(shape) for x, shape in zip(exact_parts, shapes, strict=True)))
    return exact, Attention(*(count * x.reshape(shape) for x, shape in zip(errors, shapes, strict=True)))


def summed_to(shape: torch.Size, terms: Array, errors: Array, forms: Mapping[str, Format]) -> tuple[Array, Array]:
    """The gradient of a mask of this shape, which was broadcast to the scores, and the bound on its error."""
    padded = (1,) * (terms.ndim - len(shape)) + tuple(shape)
    axes = tuple(axis for axis, size in enumerate(padded) if size == 1 != terms.shape[axis])
    if not axes:
        return terms.reshape(shape), errors.reshape(shape)
    compute = forms["compute"]
    bound = sum_error(terms, errors, axes, forms["accumulate"], forms.get("dbias", compute))
    return terms.sum(axes, keepdims=True).reshape(shape), bound.reshape(shape)
