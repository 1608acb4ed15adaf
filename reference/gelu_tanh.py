"""Reference implementation of gelu_tanh.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def gelu_tanh(x: Array) -> Array:
    """The gaussian error linear unit with a tanh in place of the error function.

    Args:
        x: features `[..., d]`.

    Returns:
        y: activated features `[..., d]`.

    Conventions:
        form: approximate, by the hyperbolic tangent (torch: approximate='tanh').

    Source: Hendrycks & Gimpel 2016, Gaussian error linear units, section 2.
    """
    # u[c] = √(2/π)·(x[c] + (8943/200000)·x[c]^3)
    u = (2 / np.pi) ** 0.5 * (x + 8943 / 200000 * x**3)
    # s[c] = sigmoid(2·u[c])  (S1)
    s = _sigmoid(2 * u)
    # y[c] = x[c]·s[c]
    y = x * s
    return y


def gelu_tanh_value_and_vjp(x: Array, dy: Array) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `gelu_tanh`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `gelu_tanh` returns.
        dx: gradient of x, of its shape.
    """
    # u[c] = √(2/π)·(x[c] + (8943/200000)·x[c]^3)
    u = (2 / np.pi) ** 0.5 * (x + 8943 / 200000 * x**3)
    # s[c] = sigmoid(2·u[c])  (S1)
    s = _sigmoid(2 * u)
    # y[c] = x[c]·s[c]
    y = x * s
    # ds[c] = x[c]·dy[c]
    ds = x * dy
    # dx[c] = dy[c]·s[c] + 2·√2·s[c]·ds[c]·sigmoid((-2)·u[c])/√π +
    # (26829/100000)·√2·x[c]·y[c]·ds[c]·sigmoid((-2)·u[c])/√π
    dx = dy * s
    dx = dx + 2 * 2**0.5 * s * ds * _sigmoid(-2 * u) / np.pi**0.5
    dx = dx + 26829 / 100000 * 2**0.5 * x * y * ds * _sigmoid(-2 * u) / np.pi**0.5
    return y, dx


def gelu_tanh_vjp(x: Array, dy: Array) -> Array:
    """As `gelu_tanh_value_and_vjp`, without the outputs."""
    _, dx = gelu_tanh_value_and_vjp(x, dy)
    return dx


def gelu_tanh_jvp(x: Array, tx: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `gelu_tanh`):
        tx: tangent of x, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    # u[c] = √(2/π)·(x[c] + (8943/200000)·x[c]^3)
    u = (2 / np.pi) ** 0.5 * (x + 8943 / 200000 * x**3)
    # s[c] = sigmoid(2·u[c])  (S1)
    s = _sigmoid(2 * u)
    # ty[c] = tx[c]·s[c] + 2·sigmoid(2·u[c])·sigmoid((-2)·u[c])·(tx[c] + (26829/200000)·x[c]^2·tx[c])·√(2/π)·x[c]
    ty = tx * s + 2 * _sigmoid(2 * u) * _sigmoid(-2 * u) * (tx + 26829 / 200000 * x**2 * tx) * (2 / np.pi) ** 0.5 * x
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
