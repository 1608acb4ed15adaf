"""Reference implementation of linear.

GENERATED from derivations/linear.py by `lemmata generate linear`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def linear(x: Array, weight: Array, bias: Array | None = None, *, chunk: int | None = None) -> Array:
    """Each token times one matrix of weights, plus a bias.

    Args:
        x: tokens `[..., n, d_in]`.
        weight: weights `[d_out, d_in]`.
        bias: bias `[d_out]`, optional.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        y: output `[..., n, d_out]`.

    Conventions:
        weight layout: one row for each feature of the output, as in torch.

    Source: torch.nn.functional.linear.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            y = linear(_rows(x, -2, rows), weight, bias=bias)
            parts.append((y,))
        y = xp.concat([part[0] for part in parts], axis=-2)
        return y
    # y[i, e] = (Σ_c x[i, c]·weight[e, c]) + bias[e]
    y = x @ weight.mT
    if bias is not None:
        y = y + bias[..., None, :]
    return y


def linear_value_and_vjp(
    x: Array, weight: Array, dy: Array, bias: Array | None = None, *, chunk: int | None = None
) -> tuple[Array, Array, Array, Array | None]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `linear`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `linear` returns.
        dx: gradient of x, of its shape.
        dweight: gradient of weight, of its shape.
        dbias: gradient of bias, of its shape, None if there is no bias.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        dweight = 0.0
        dbias: Array | None = None if bias is None else 0.0
        for rows in _chunks(x.shape[-2], chunk):
            y, dx, dweight_part, dbias_part = linear_value_and_vjp(
                _rows(x, -2, rows), weight, _rows(dy, -2, rows), bias=bias
            )
            dweight = dweight + dweight_part
            if dbias is not None:
                dbias = dbias + dbias_part
            parts.append((y, dx))
        y = xp.concat([part[0] for part in parts], axis=-2)
        dx = xp.concat([part[1] for part in parts], axis=-2)
        return y, dx, dweight, dbias
    # y[i, e] = (Σ_c x[i, c]·weight[e, c]) + bias[e]
    y = x @ weight.mT
    if bias is not None:
        y = y + bias[..., None, :]
    # dx[i, c] = Σ_e dy[i, e]·weight[e, c]
    dx = dy @ weight
    # dweight[e, c] = Σ_i dy[i, e]·x[i, c]
    dweight = _summed(dy.mT @ x, 2)
    # dbias[e] = Σ_i dy[i, e]
    dbias = None if bias is None else _summed(xp.sum(dy, axis=-2), 1)
    return y, dx, dweight, dbias


def linear_vjp(
    x: Array, weight: Array, dy: Array, bias: Array | None = None, *, chunk: int | None = None
) -> tuple[Array, Array, Array | None]:
    """As `linear_value_and_vjp`, without the outputs."""
    _, dx, dweight, dbias = linear_value_and_vjp(x, weight, dy, bias, chunk=chunk)
    return dx, dweight, dbias


def linear_jvp(
    x: Array,
    weight: Array,
    tx: Array,
    tweight: Array,
    bias: Array | None = None,
    tbias: Array | None = None,
    *,
    chunk: int | None = None,
) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `linear`):
        tx: tangent of x, of its shape.
        tweight: tangent of weight, of its shape.
        tbias: tangent of bias, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            ty = linear_jvp(_rows(x, -2, rows), weight, _rows(tx, -2, rows), tweight, bias=bias, tbias=tbias)
            parts.append((ty,))
        ty = xp.concat([part[0] for part in parts], axis=-2)
        return ty
    # ty[i, e] = (Σ_c tx[i, c]·weight[e, c]) + (Σ_c tweight[e, c]·x[i, c]) + tbias[e]
    ty = tx @ weight.mT + x @ tweight.mT
    if tbias is not None:
        ty = ty + tbias[..., None, :]
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
