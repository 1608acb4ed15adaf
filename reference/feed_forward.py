"""Reference implementation of feed_forward.

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


def feed_forward(x: Array, w_1: Array, b_1: Array, w_2: Array, b_2: Array, *, chunk: int | None = None) -> Array:
    """Two layers with a gelu between them, for each token.

    Args:
        x: tokens `[..., n, d]`.
        w_1: weights of the first layer `[d_f, d]`.
        b_1: bias of the first layer `[d_f]`.
        w_2: weights of the second layer `[d, d_f]`.
        b_2: bias of the second layer `[d]`.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        y: transformed tokens `[..., n, d]`.

    Conventions:
        activation: gelu, exact.
        weights: one row for each feature of the output.

    Source: Vaswani et al. 2017, (2); Hendrycks & Gimpel 2016, Gaussian error linear units.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            y = feed_forward(_rows(x, -2, rows), w_1, b_1, w_2, b_2)
            parts.append((y,))
        y = xp.concat([part[0] for part in parts], axis=-2)
        return y
    # h[i, f] = (Σ_c x[i, c]·w_1[f, c]) + b_1[f]
    h = x @ w_1.mT + b_1[..., None, :]
    # cdf[i, f] = erfc((-h[i, f])/√2)/2
    cdf = _erfc(-h / 2**0.5) / 2
    # a[i, f] = h[i, f]·cdf[i, f]
    a = h * cdf
    # y[i, e] = (Σ_f a[i, f]·w_2[e, f]) + b_2[e]
    y = a @ w_2.mT + b_2[..., None, :]
    return y


def feed_forward_value_and_vjp(
    x: Array, w_1: Array, b_1: Array, w_2: Array, b_2: Array, dy: Array, *, chunk: int | None = None
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `feed_forward`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `feed_forward` returns.
        dx, dw_1, db_1, dw_2, db_2: gradients of the inputs, each of its shape.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        dw_1 = 0.0
        db_1 = 0.0
        dw_2 = 0.0
        db_2 = 0.0
        for rows in _chunks(x.shape[-2], chunk):
            y, dx, dw_1_part, db_1_part, dw_2_part, db_2_part = feed_forward_value_and_vjp(
                _rows(x, -2, rows), w_1, b_1, w_2, b_2, _rows(dy, -2, rows)
            )
            dw_1 = dw_1 + dw_1_part
            db_1 = db_1 + db_1_part
            dw_2 = dw_2 + dw_2_part
            db_2 = db_2 + db_2_part
            parts.append((y, dx))
        y = xp.concat([part[0] for part in parts], axis=-2)
        dx = xp.concat([part[1] for part in parts], axis=-2)
        return y, dx, dw_1, db_1, dw_2, db_2
    # h[i, f] = (Σ_c x[i, c]·w_1[f, c]) + b_1[f]
    h = x @ w_1.mT + b_1[..., None, :]
    # cdf[i, f] = erfc((-h[i, f])/√2)/2
    cdf = _erfc(-h / 2**0.5) / 2
    # a[i, f] = h[i, f]·cdf[i, f]
    a = h * cdf
    # y[i, e] = (Σ_f a[i, f]·w_2[e, f]) + b_2[e]
    y = a @ w_2.mT + b_2[..., None, :]
    # da[i, f] = Σ_e dy[i, e]·w_2[e, f]
    da = dy @ w_2
    # dh[i, f] = da[i, f]·(cdf[i, f] + (1/2)·√2·h[i, f]·exp((-1/2)·h[i, f]^2)/√π)
    dh = da * (cdf + 0.5 * 2**0.5 * h * _exp(-0.5 * h**2) / np.pi**0.5)
    # dx[i, c] = Σ_f dh[i, f]·w_1[f, c]
    dx = dh @ w_1
    # dw_1[f, c] = Σ_i dh[i, f]·x[i, c]
    dw_1 = _summed(dh.mT @ x, 2)
    # db_1[f] = Σ_i dh[i, f]
    db_1 = _summed(xp.sum(dh, axis=-2), 1)
    # dw_2[e, f] = Σ_i dy[i, e]·a[i, f]
    dw_2 = _summed(dy.mT @ a, 2)
    # db_2[e] = Σ_i dy[i, e]
    db_2 = _summed(xp.sum(dy, axis=-2), 1)
    return y, dx, dw_1, db_1, dw_2, db_2


def feed_forward_vjp(
    x: Array, w_1: Array, b_1: Array, w_2: Array, b_2: Array, dy: Array, *, chunk: int | None = None
) -> tuple[Array, Array, Array, Array, Array]:
    """As `feed_forward_value_and_vjp`, without the outputs."""
    _, dx, dw_1, db_1, dw_2, db_2 = feed_forward_value_and_vjp(x, w_1, b_1, w_2, b_2, dy, chunk=chunk)
    return dx, dw_1, db_1, dw_2, db_2


def feed_forward_jvp(
    x: Array,
    w_1: Array,
    b_1: Array,
    w_2: Array,
    b_2: Array,
    tx: Array,
    tw_1: Array,
    tb_1: Array,
    tw_2: Array,
    tb_2: Array,
    *,
    chunk: int | None = None,
) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `feed_forward`):
        tx, tw_1, tb_1, tw_2, tb_2: tangents of the inputs, each of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            ty = feed_forward_jvp(_rows(x, -2, rows), w_1, b_1, w_2, b_2, _rows(tx, -2, rows), tw_1, tb_1, tw_2, tb_2)
            parts.append((ty,))
        ty = xp.concat([part[0] for part in parts], axis=-2)
        return ty
    # h[i, f] = (Σ_c x[i, c]·w_1[f, c]) + b_1[f]
    h = x @ w_1.mT + b_1[..., None, :]
    # cdf[i, f] = erfc((-h[i, f])/√2)/2
    cdf = _erfc(-h / 2**0.5) / 2
    # a[i, f] = h[i, f]·cdf[i, f]
    a = h * cdf
    # th[i, f] = (Σ_c tx[i, c]·w_1[f, c]) + (Σ_c tw_1[f, c]·x[i, c]) + tb_1[f]
    th = tx @ w_1.mT + x @ tw_1.mT + tb_1[..., None, :]
    # ta[i, f] = th[i, f]·(cdf[i, f] + (1/2)·√2·h[i, f]·exp((-1/2)·h[i, f]^2)/√π)
    ta = th * (cdf + 0.5 * 2**0.5 * h * _exp(-0.5 * h**2) / np.pi**0.5)
    # ty[i, e] = (Σ_f ta[i, f]·w_2[e, f]) + (Σ_f tw_2[e, f]·a[i, f]) + tb_2[e]
    ty = ta @ w_2.mT + a @ tw_2.mT + tb_2[..., None, :]
    return ty


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _chunks(size: int, chunk: int) -> list[slice]:
    """Slices of at most `chunk` positions that cover `size` positions."""
    return [slice(start, min(start + chunk, size)) for start in range(0, size, chunk)] or [slice(0, 0)]


def _rows(x: Array | None, axis: int, rows: slice) -> Array | None:
    """The rows of an array along an axis; an axis that broadcasts stays as it is."""
    if x is None or x.ndim < -axis or x.shape[axis] == 1:
        return x
    return x[(..., rows, *(slice(None),) * (-axis - 1))]


def _summed(x: Array, ndim: int) -> Array:
    """The sum over the batch dimensions, of which a shared parameter has none: its last `ndim` axes stay."""
    return _namespace(x).sum(x, axis=tuple(range(x.ndim - ndim))) if x.ndim > ndim else x


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
