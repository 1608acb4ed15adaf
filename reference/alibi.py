"""Reference implementation of alibi.

GENERATED from derivations/positional.py by `lemmata generate positional`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def alibi(slope: Array, pos_q: Array, pos_k: Array, *, chunk: int | None = None) -> Array:
    """An additive mask that grows more negative the further the key lies behind the query.

    Args:
        slope: slopes `[r]`, one for each head.
        pos_q: positions of the queries `[..., n]`.
        pos_k: positions of the keys `[..., m]`.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        bias: additive mask `[..., r, n, m]`.

    Conventions:
        future keys: the formula holds on both sides of the query, so keys after it get a bonus: use a causal mask.

    Source: Press et al. 2022, section 3.
    """
    xp = _namespace(slope)
    if chunk is not None:
        parts = []
        for rows in _chunks(pos_q.shape[-1], chunk):
            bias = alibi(slope, _rows(pos_q, -1, rows), pos_k)
            parts.append((bias,))
        bias = xp.concat([part[0] for part in parts], axis=-2)
        return bias
    # distance[i, j] = pos_q[i] − pos_k[j]
    distance = pos_q[..., None] - pos_k[..., None, :]
    # bias[r, i, j] = -(slope[r]·distance[i, j])
    bias = -(slope[..., None, None] * distance[..., None, :, :])
    return bias


def alibi_value_and_vjp(
    slope: Array, pos_q: Array, pos_k: Array, dbias: Array, *, chunk: int | None = None
) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `alibi`):
        dbias: cotangent of bias, of its shape.

    Returns:
        bias: as `alibi` returns.
        dslope: gradient of slope, of its shape.
    """
    xp = _namespace(slope)
    if chunk is not None:
        parts = []
        dslope = 0.0
        for rows in _chunks(pos_q.shape[-1], chunk):
            bias, dslope_part = alibi_value_and_vjp(slope, _rows(pos_q, -1, rows), pos_k, _rows(dbias, -2, rows))
            dslope = dslope + dslope_part
            parts.append((bias,))
        bias = xp.concat([part[0] for part in parts], axis=-2)
        return bias, dslope
    # distance[i, j] = pos_q[i] − pos_k[j]
    distance = pos_q[..., None] - pos_k[..., None, :]
    # bias[r, i, j] = -(slope[r]·distance[i, j])
    bias = -(slope[..., None, None] * distance[..., None, :, :])
    # dslope[r] = -(Σ_i (Σ_j dbias[r, i, j]·distance[i, j]))
    dslope = _summed(-xp.sum(xp.sum(dbias * distance[..., None, :, :], axis=-1), axis=-1), 1)
    return bias, dslope


def alibi_vjp(slope: Array, pos_q: Array, pos_k: Array, dbias: Array, *, chunk: int | None = None) -> Array:
    """As `alibi_value_and_vjp`, without the outputs."""
    _, dslope = alibi_value_and_vjp(slope, pos_q, pos_k, dbias, chunk=chunk)
    return dslope


def alibi_jvp(slope: Array, pos_q: Array, pos_k: Array, tslope: Array, *, chunk: int | None = None) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `alibi`):
        tslope: tangent of slope, of its shape.

    Returns:
        tbias: tangent of bias, of its shape.
    """
    xp = _namespace(slope)
    if chunk is not None:
        parts = []
        for rows in _chunks(pos_q.shape[-1], chunk):
            tbias = alibi_jvp(slope, _rows(pos_q, -1, rows), pos_k, tslope)
            parts.append((tbias,))
        tbias = xp.concat([part[0] for part in parts], axis=-2)
        return tbias
    # distance[i, j] = pos_q[i] − pos_k[j]
    distance = pos_q[..., None] - pos_k[..., None, :]
    # tbias[r, i, j] = -tslope[r]·distance[i, j]
    tbias = -tslope[..., None, None] * distance[..., None, :, :]
    return tbias


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
