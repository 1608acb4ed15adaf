"""Reference implementation of relu.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def relu(x: Array) -> Array:
    """The positive part of each feature.

    Args:
        x: features `[..., d]`.

    Returns:
        y: activated features `[..., d]`.

    Conventions:
        derivative at 0: 0.

    Source: Vaswani et al. 2017, (2).
    """
    # y[c] = relu(x[c])
    y = _relu(x)
    return y


def relu_value_and_vjp(x: Array, dy: Array) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `relu`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `relu` returns.
        dx: gradient of x, of its shape.
    """
    # y[c] = relu(x[c])
    y = _relu(x)
    # dx[c] = dy[c]·[x[c] > 0]
    dx = dy * _step(x)
    return y, dx


def relu_vjp(x: Array, dy: Array) -> Array:
    """As `relu_value_and_vjp`, without the outputs."""
    _, dx = relu_value_and_vjp(x, dy)
    return dx


def relu_jvp(x: Array, tx: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `relu`):
        tx: tangent of x, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    # ty[c] = tx[c]·[x[c] > 0]
    ty = tx * _step(x)
    return ty


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _relu(x: Array) -> Array:
    """max(x, 0); NaN stays NaN."""
    return _namespace(x).where(x < 0, 0.0, x)


def _step(x: Array) -> Array:
    """1 where x > 0, else 0."""
    return _namespace(x).astype(x > 0, x.dtype)
