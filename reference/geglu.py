"""Reference implementation of geglu.

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


def geglu(gate: Array, up: Array) -> Array:
    """Features gated by the gelu of others.

    Args:
        gate: features `[..., d]` that are activated.
        up: features `[..., d]` that they multiply.

    Returns:
        y: activated features `[..., d]`.

    Conventions:
        gate: the first argument is activated.
        form: exact, by the error function.

    Source: Shazeer 2020, (5).
    """
    # cdf[c] = erfc((-gate[c])/√2)/2
    cdf = _erfc(-gate / 2**0.5) / 2
    # a[c] = gate[c]·cdf[c]
    a = gate * cdf
    # y[c] = a[c]·up[c]
    y = a * up
    return y


def geglu_value_and_vjp(gate: Array, up: Array, dy: Array) -> tuple[Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `geglu`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `geglu` returns.
        dgate: gradient of gate, of its shape.
        dup: gradient of up, of its shape.
    """
    # cdf[c] = erfc((-gate[c])/√2)/2
    cdf = _erfc(-gate / 2**0.5) / 2
    # a[c] = gate[c]·cdf[c]
    a = gate * cdf
    # y[c] = a[c]·up[c]
    y = a * up
    # da[c] = up[c]·dy[c]
    da = up * dy
    # dgate[c] = da[c]·(cdf[c] + (1/2)·√2·gate[c]·exp((-1/2)·gate[c]^2)/√π)
    dgate = da * (cdf + 0.5 * 2**0.5 * gate * _exp(-0.5 * gate**2) / np.pi**0.5)
    # dup[c] = dy[c]·a[c]
    dup = dy * a
    return y, dgate, dup


def geglu_vjp(gate: Array, up: Array, dy: Array) -> tuple[Array, Array]:
    """As `geglu_value_and_vjp`, without the outputs."""
    _, dgate, dup = geglu_value_and_vjp(gate, up, dy)
    return dgate, dup


def geglu_jvp(gate: Array, up: Array, tgate: Array, tup: Array) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `geglu`):
        tgate: tangent of gate, of its shape.
        tup: tangent of up, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    # cdf[c] = erfc((-gate[c])/√2)/2
    cdf = _erfc(-gate / 2**0.5) / 2
    # a[c] = gate[c]·cdf[c]
    a = gate * cdf
    # ty[c] = (tgate[c]·cdf[c] + exp(-(-gate[c]/√2)^2)·tgate[c]·gate[c]/√π/√2)·up[c] + tup[c]·a[c]
    ty = (tgate * cdf + _exp(-((-gate / 2**0.5) ** 2)) * tgate * gate / np.pi**0.5 / 2**0.5) * up + tup * a
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
