"""Reference implementation of silu.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def silu(x: Array) -> Array:
    """Each feature times its logistic function, also called swish.

    Args:
        x: features `[..., d]`.

    Returns:
        y: activated features `[..., d]`.

    Conventions:
        slope: 1: x σ(βx) with β = 1.

    Source: Elfwing, Uchibe & Doya 2018, Sigmoid-weighted linear units.
    """
    # s[c] = sigmoid(x[c])
    s = _sigmoid(x)
    # y[c] = x[c]·s[c]
    y = x * s
    return y


def silu_value_and_vjp(x: Array, dy: Array) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `silu`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `silu` returns.
        dx: gradient of x, of its shape.
    """
    # s[c] = sigmoid(x[c])
    s = _sigmoid(x)
    # y[c] = x[c]·s[c]
    y = x * s
    # dx[c] = dy[c]·(s[c] + y[c]·sigmoid(-x[c]))
    dx = dy * (s + y * _sigmoid(-x))
    return y, dx


def silu_vjp(x: Array, dy: Array) -> Array:
    """As `silu_value_and_vjp`, without the outputs."""
    _, dx = silu_value_and_vjp(x, dy)
    return dx


def silu_jvp(x: Array, tx: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `silu`):
        tx: tangent of x, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    # s[c] = sigmoid(x[c])
    s = _sigmoid(x)
    # y[c] = x[c]·s[c]
    y = x * s
    # ty[c] = tx[c]·(s[c] + y[c]·sigmoid(-x[c]))
    ty = tx * (s + y * _sigmoid(-x))
    return ty


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _sigmoid(x: Array) -> Array:
    """1/(1 + exp(−x)), without overflow for any sign of x."""
    xp = _namespace(x)
    small = xp.exp(-abs(x))
    return xp.where(x < 0, small, xp.ones_like(small)) / (1 + small)
