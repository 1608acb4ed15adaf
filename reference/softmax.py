"""Reference implementation of softmax.

GENERATED from derivations/softmax.py by `lemmata generate softmax`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def softmax(x: Array) -> Array:
    """A row of logits as a probability distribution.

    Args:
        x: logits `[..., n]`.

    Returns:
        p: probabilities `[..., n]`.

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
    # p[i] = a[i]/z  (S3)
    p = _over(a, z[..., None])
    return p


def softmax_value_and_vjp(x: Array, dp: Array) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `softmax`):
        dp: cotangent of p, of its shape.

    Returns:
        p: as `softmax` returns.
        dx: gradient of x, of its shape.
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # p[i] = a[i]/z  (S3)
    p = _over(a, z[..., None])
    # delta = Σ_j dp[j]·p[j]
    delta = xp.sum(dp * p, axis=-1)
    # dx[i] = p[i]·(dp[i] − delta)
    dx = p * (dp - delta[..., None])
    return p, dx


def softmax_vjp(x: Array, dp: Array) -> Array:
    """As `softmax_value_and_vjp`, without the outputs."""
    _, dx = softmax_value_and_vjp(x, dp)
    return dx


def softmax_jvp(x: Array, tx: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `softmax`):
        tx: tangent of x, of its shape.

    Returns:
        tp: tangent of p, of its shape.
    """
    xp = _namespace(x)
    # m = max_{j} x[j]
    m = xp.max(x, axis=-1)
    # a[i] = exp(x[i] − m)  (S2)
    a = _exp(x - m[..., None])
    # z = Σ_j a[j]
    z = xp.sum(a, axis=-1)
    # p[i] = a[i]/z  (S3)
    p = _over(a, z[..., None])
    # delta = Σ_j tx[j]·p[j]
    delta = xp.sum(tx * p, axis=-1)
    # tp[i] = p[i]·(tx[i] − delta)
    tp = p * (tx - delta[..., None])
    return tp


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


def _over(x: Array, y: Array) -> Array:
    """x / y, in the memory of x, which is not read again."""
    return np.divide(x, y, out=x) if _overwritten(x, y) else x / y


def _exp(x: Array) -> Array:
    """exp(x), in the memory of x, which is not read again."""
    return np.exp(x, out=x) if _overwritten(x) else _namespace(x).exp(x)
