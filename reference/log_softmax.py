"""Reference implementation of log_softmax.

GENERATED from derivations/softmax.py by `lemmata generate softmax`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def log_softmax(x: Array) -> Array:
    """Logarithms of the probabilities, without forming them.

    Args:
        x: logits `[..., n]`.

    Returns:
        y: log-probabilities `[..., n]`.

    Conventions:
        empty row: a row that is −∞ throughout gives NaN.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3).
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # y[i] = (x[i] − m) − log(z)
    y = x - m[..., None] - xp.log(z)[..., None]
    return y


def log_softmax_value_and_vjp(x: Array, dy: Array) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `log_softmax`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `log_softmax` returns.
        dx: gradient of x, of its shape.
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # y[i] = (x[i] − m) − log(z)
    y = x - m[..., None] - xp.log(z)[..., None]
    # dz = -(Σ_j dy[j])/z
    dz = -xp.sum(dy, axis=-1) / z
    # dx[i] = dy[i] + dz·a[i]
    dx = dy + dz[..., None] * a
    return y, dx


def log_softmax_vjp(x: Array, dy: Array) -> Array:
    """As `log_softmax_value_and_vjp`, without the outputs."""
    _, dx = log_softmax_value_and_vjp(x, dy)
    return dx


def log_softmax_jvp(x: Array, tx: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `log_softmax`):
        tx: tangent of x, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # delta = (Σ_j tx[j]·a[j])/z
    delta = xp.sum(tx * a, axis=-1) / z
    # ty[i] = tx[i] − delta
    ty = tx - delta[..., None]
    return ty


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


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
