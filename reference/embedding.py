"""Reference implementation of embedding.

GENERATED from derivations/embedding.py by `lemmata generate embedding`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def embedding(ids: Array, w: Array, trained: Array | None = None, *, chunk: int | None = None) -> Array:
    """A row of a table for each token number.

    Args:
        ids: token numbers `[..., n]`, whole numbers from 0 to V − 1.
        w: table `[V, d]`.
        trained: boolean `[V]`, False for a row whose gradient is 0 (`padding_idx`), optional.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        y: rows of the table `[..., n, d]`.

    Conventions:
        padding row: read as it is, gradient 0.

    Source: Vaswani et al. 2017, section 3.4.
    """
    xp = _namespace(ids)
    if chunk is not None:
        parts = []
        for rows in _chunks(ids.shape[-1], chunk):
            y = embedding(_rows(ids, -1, rows), w, trained=trained)
            parts.append((y,))
        y = xp.concat([part[0] for part in parts], axis=-2)
        return y
    # y[i, c] = gated(w[ids(i), c], trained[ids(i)])  (S1)
    y = _rows_at(w, ids, -2, 2)
    return y


def embedding_value_and_vjp(
    ids: Array, w: Array, dy: Array, trained: Array | None = None, *, chunk: int | None = None
) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `embedding`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `embedding` returns.
        dw: gradient of w, of its shape.
    """
    xp = _namespace(ids)
    if chunk is not None:
        parts = []
        dw = 0.0
        for rows in _chunks(ids.shape[-1], chunk):
            y, dw_part = embedding_value_and_vjp(_rows(ids, -1, rows), w, _rows(dy, -2, rows), trained=trained)
            dw = dw + dw_part
            parts.append((y,))
        y = xp.concat([part[0] for part in parts], axis=-2)
        return y, dw
    # y[i, c] = gated(w[ids(i), c], trained[ids(i)])  (S1)
    y = _rows_at(w, ids, -2, 2)
    # dw[v, c] = trained[v]·(Σ_i δ[ids(i), v]·dy[i, c])
    dw = _summed(_where(None if trained is None else trained[..., None], _added_at(dy, ids, w.shape[-2]), 0.0), 2)
    return y, dw


def embedding_vjp(ids: Array, w: Array, dy: Array, trained: Array | None = None, *, chunk: int | None = None) -> Array:
    """As `embedding_value_and_vjp`, without the outputs."""
    _, dw = embedding_value_and_vjp(ids, w, dy, trained, chunk=chunk)
    return dw


def embedding_jvp(ids: Array, w: Array, tw: Array, trained: Array | None = None, *, chunk: int | None = None) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `embedding`):
        tw: tangent of w, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    xp = _namespace(ids)
    if chunk is not None:
        parts = []
        for rows in _chunks(ids.shape[-1], chunk):
            ty = embedding_jvp(_rows(ids, -1, rows), w, tw, trained=trained)
            parts.append((ty,))
        ty = xp.concat([part[0] for part in parts], axis=-2)
        return ty
    # ty[i, c] = trained[ids(i)]·tw[ids(i), c]
    ty = _where(None if trained is None else _rows_at(trained, ids, -1, 1)[..., None], _rows_at(tw, ids, -2, 2), 0.0)
    return ty


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _where(mask: Array | None, values: Array, otherwise: float) -> Array:
    """`values` where the mask is True (everywhere if there is no mask), else `otherwise`."""
    return values if mask is None else _namespace(values).where(mask, values, otherwise)


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


def _rows_at(x: Array, places: Array, axis: int, ndim: int) -> Array:
    """The rows of x at places along an axis, of its last `ndim`; the axis of the places comes first."""
    xp = _namespace(x)
    x = xp.moveaxis(x, axis, -ndim)
    if x.ndim == ndim:  # no batch dimensions: one table for all
        return xp.reshape(xp.take(x, xp.reshape(places, (-1,)), axis=0), (*places.shape, *x.shape[1:]))
    return xp.take_along_axis(x, xp.reshape(places, (*places.shape, *(1,) * (ndim - 1))), axis=-ndim)


def _added_at(rows: Array, places: Array, size: int) -> Array:
    """Zeros `[..., size, c]` with each of the rows `[..., i, c]` added at its place."""
    xp = _namespace(rows)
    if xp is np:
        batch = np.broadcast_shapes(rows.shape[:-2], places.shape[:-1])
        members = int(np.prod(batch))
        rows = np.broadcast_to(rows, (*batch, *rows.shape[-2:])).reshape((members, *rows.shape[-2:]))
        places = np.broadcast_to(places, (*batch, places.shape[-1])).reshape((members, places.shape[-1]))
        total = np.zeros((rows.shape[0], size, rows.shape[-1]), rows.dtype)
        np.add.at(total, (np.arange(rows.shape[0])[:, None], places), rows)
        return total.reshape((*batch, size, rows.shape[-1]))
    chosen = places[..., None, :] == xp.arange(size, device=rows.device)[:, None]
    return xp.astype(chosen, rows.dtype) @ rows
