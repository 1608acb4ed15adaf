"""Reference implementation of swiglu.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def swiglu(gate: Array, up: Array) -> Array:
    """Features gated by the silu of others.

    Args:
        gate: features `[..., d]` that are activated.
        up: features `[..., d]` that they multiply.

    Returns:
        y: activated features `[..., d]`.

    Conventions:
        gate: the first argument is activated.

    Source: Shazeer 2020, (5).
    """
    # s[c] = sigmoid(gate[c])
    s = _sigmoid(gate)
    # a[c] = gate[c]·s[c]
    a = gate * s
    # y[c] = a[c]·up[c]
    y = a * up
    return y


def swiglu_value_and_vjp(gate: Array, up: Array, dy: Array) -> tuple[Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `swiglu`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `swiglu` returns.
        dgate: gradient of gate, of its shape.
        dup: gradient of up, of its shape.
    """
    # s[c] = sigmoid(gate[c])
    s = _sigmoid(gate)
    # a[c] = gate[c]·s[c]
    a = gate * s
    # y[c] = a[c]·up[c]
    y = a * up
    # da[c] = up[c]·dy[c]
    da = up * dy
    # dgate[c] = da[c]·(s[c] + a[c]·sigmoid(-gate[c]))
    dgate = da * (s + a * _sigmoid(-gate))
    # dup[c] = dy[c]·a[c]
    dup = dy * a
    return y, dgate, dup


def swiglu_vjp(gate: Array, up: Array, dy: Array) -> tuple[Array, Array]:
    """As `swiglu_value_and_vjp`, without the outputs."""
    _, dgate, dup = swiglu_value_and_vjp(gate, up, dy)
    return dgate, dup


def swiglu_jvp(gate: Array, up: Array, tgate: Array, tup: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `swiglu`):
        tgate: tangent of gate, of its shape.
        tup: tangent of up, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    # s[c] = sigmoid(gate[c])
    s = _sigmoid(gate)
    # a[c] = gate[c]·s[c]
    a = gate * s
    # y[c] = a[c]·up[c]
    y = a * up
    # ty[c] = up[c]·tgate[c]·s[c] + tup[c]·a[c] + tgate[c]·y[c]·sigmoid(-gate[c])
    ty = up * tgate * s + tup * a + tgate * y * _sigmoid(-gate)
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
