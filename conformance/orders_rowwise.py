"""Further orders of evaluation of the operations along one axis, with their own bounds: most start from the output.

The reference differentiates log-softmax and log-sum-exp through exp(x − m)/z. Most implementations keep the output y
instead, and take the probabilities from it again: exp(y) for log-softmax, exp(x − y) for log-sum-exp. The rounding
error of y, which is relative to y, then moves the exponent. A gradient may be off by the larger of the two bounds, and
so may the derivative of softmax's gradient. Who leaves softmax to automatic differentiation goes through its maximum.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..reference.bounds.log_softmax import log_softmax_bound
from ..reference.bounds.logsumexp import logsumexp_bound
from ..reference.error_rules import SECOND_ORDER
from ..reference.log_softmax import log_softmax
from ..reference.logsumexp import logsumexp
from ..reference.rounding import Rounding
from .profiles import Precision
from .rounding import exponential_error, half_ulp, unit_roundoff
from .values import Array

# Names of profile entries: the saved output, and the gradient that is stored.
_SAVED, _GRADIENT = "saved", "dx"


def log_softmax_gradient_error(x: Array, dy: Array, precision: Precision) -> Array:
    """Bound on the error of dx = dy − exp(y) Σ dy, the sum along the last axis; x and dy of one shape."""
    compute = precision["compute"]
    u, tiny = unit_roundoff(compute), 2.0**compute.least_exponent
    y, y_error = _saved(x, precision, "y", log_softmax, log_softmax_bound)
    p = np.exp(y)
    p_error = exponential_error(p, y_error + 2 * u * np.abs(y), compute)
    total = dy.sum(-1, keepdims=True)
    count = x.shape[-1]
    accumulate = unit_roundoff(precision.get("accumulate", compute))
    total_error = count * accumulate * np.abs(dy).sum(-1, keepdims=True)
    product = p * total
    error = np.abs(total) * p_error + p * total_error + p_error * total_error + u * np.abs(product) + tiny
    return _stored(dy - product, error + u * np.abs(dy - product), precision)


def logsumexp_gradient_error(x: Array, dy: Array, precision: Precision) -> Array:
    """Bound on the error of dx = dy·exp(x − y); dy has the shape of x without its last axis."""
    compute = precision["compute"]
    u, tiny = unit_roundoff(compute), 2.0**compute.least_exponent
    y, y_error = (v[..., None] for v in _saved(x, precision, "lse", logsumexp, logsumexp_bound))
    exponent = x - y
    p = np.exp(exponent)
    p_error = exponential_error(p, y_error + 3 * u * np.abs(exponent), compute)
    dx = dy[..., None] * p
    return _stored(dx, np.abs(dy[..., None]) * p_error + u * np.abs(dx) + tiny, precision)


@np.errstate(all="ignore")
def softmax_by_its_output(x: Array, dp: Array, tx: Array, *, precision: Precision) -> Array:
    """Bound on the error of a second order of evaluation of softmax's Hessian-vector product, along the last axis.

    The derivative of the backward pass by the output, which is then pulled back like any other cotangent: what PyTorch
    does. Where the tangent is constant it adds up terms that cancel, and the reference subtracts equal numbers first.
    """
    fl = Rounding(precision, x)
    logits, cotangent, tangent = (fl.given(given, "j") for given in (x, dp, tx))
    m, logits = fl.largest("m", logits, "j")
    a = fl.step("a", fl.exp(logits - m), "j")
    z = fl.step("z", fl.sum(a, "j"), "", row=True)
    p = fl.step("p", a / z, "j", within=1)
    delta = fl.step("delta", fl.sum(cotangent * p, "j"), "", row=True)
    mean = fl.step("delta_2", fl.sum(tangent * p, "j"), "", row=True)
    by_output = fl.step("dp", cotangent * tangent - delta * tangent - mean * cotangent, "j")
    total = fl.step("delta_3", fl.sum(p * by_output, "j"), "", row=True)
    bound: Array = fl.output("tdx", p * (by_output - total), "j").total
    return bound


@np.errstate(all="ignore")
def softmax_through_its_maximum(x: Array, dy: Array, precision: Precision) -> Array:
    """Bound on the error of dx where x − max x is differentiated as it stands, along the last axis.

    The largest entries then get the sum of the gradients of the row, which is 0 but for its rounding.
    """
    fl = Rounding(precision, x)
    logits, cotangent = fl.given(x, "j"), fl.given(dy, "j")
    m, logits = fl.largest("m", logits, "j")
    a = fl.step("a", fl.exp(logits - m), "j")
    z = fl.step("z", fl.sum(a, "j"), "", row=True)
    dz = fl.step("delta", fl.sum(cotangent * (a / z / z), "j"), "", row=True)
    shifted = a * (cotangent / z - dz)
    largest = x == x.max(axis=-1, keepdims=True)
    error = shifted.total + np.where(largest, fl.sum(shifted, "j").total[..., None], 0.0)
    return _stored(shifted.value, error, precision)


def _saved(
    x: Array, precision: Precision, name: str, forward: Callable[..., Array], forward_bound: Callable[..., Array]
) -> tuple[Array, Array]:
    """The output and its error, in the format that the backward pass finds it in."""
    form = precision.get(_SAVED, precision["compute"])
    return forward(x), forward_bound(x, precision={**precision, name: form})


def _stored(value: Array, error: Array, precision: Precision) -> Array:
    form = precision.get(_GRADIENT, precision["compute"])
    error = SECOND_ORDER * error
    return error + half_ulp(np.abs(value) + error, form)
