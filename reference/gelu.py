"""Reference implementation of gelu.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def gelu(x: Array) -> Array:
    """Each feature times the probability that a normal variable is below it.

    Args:
        x: features `[..., d]`.

    Returns:
        y: activated features `[..., d]`.

    Conventions:
        form: exact, by the error function (torch: approximate='none').

    Source: Hendrycks & Gimpel 2016, Gaussian error linear units, section 2.
    """
    # cdf[c] = erfc((-x[c])/√2)/2
    cdf = _erfc(-x / 2**0.5) / 2
    # y[c] = x[c]·cdf[c]
    y = x * cdf
    return y


def gelu_value_and_vjp(x: Array, dy: Array) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `gelu`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `gelu` returns.
        dx: gradient of x, of its shape.
    """
    # cdf[c] = erfc((-x[c])/√2)/2
    cdf = _erfc(-x / 2**0.5) / 2
    # y[c] = x[c]·cdf[c]
    y = x * cdf
    # dx[c] = dy[c]·(cdf[c] + (1/2)·√2·x[c]·exp((-1/2)·x[c]^2)/√π)
    dx = dy * (cdf + 0.5 * 2**0.5 * x * _exp(-0.5 * x**2) / np.pi**0.5)
    return y, dx


def gelu_vjp(x: Array, dy: Array) -> Array:
    """As `gelu_value_and_vjp`, without the outputs."""
    _, dx = gelu_value_and_vjp(x, dy)
    return dx


def gelu_jvp(x: Array, tx: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `gelu`):
        tx: tangent of x, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    # cdf[c] = erfc((-x[c])/√2)/2
    cdf = _erfc(-x / 2**0.5) / 2
    # ty[c] = tx[c]·(cdf[c] + (1/2)·√2·x[c]·exp((-1/2)·x[c]^2)/√π)
    ty = tx * (cdf + 0.5 * 2**0.5 * x * _exp(-0.5 * x**2) / np.pi**0.5)
    return ty


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _erfc(x: Array) -> Array:
    """1 − erf(x), without cancellation."""
    return _elementwise(x, "erfc", math.erfc)


def _elementwise(x: Array, name: str, function: Callable[[float], float]) -> Array:
    xp = _namespace(x)
    if hasattr(xp, name):
        return getattr(xp, name)(x)
    return xp.asarray(np.vectorize(function, otypes=[float])(np.asarray(x)), dtype=x.dtype)


def _overwritten(x: Array, *others: Array) -> bool:
    """Whether NumPy can write the result of x and others, of the shape and dtype of x, into x."""
    return (
        isinstance(x, np.ndarray)
        and x.dtype.kind == "f"
        and all(isinstance(y, float) or (isinstance(y, np.ndarray) and y.dtype == x.dtype) for y in others)
        and np.broadcast_shapes(x.shape, *(np.shape(y) for y in others)) == x.shape
    )


def _exp(x: Array) -> Array:
    """exp(x), in the memory of x, which is not read again."""
    return np.exp(x, out=x) if _overwritten(x) else _namespace(x).exp(x)
