"""Reference implementation of tied_output.

GENERATED from derivations/embedding.py by `lemmata generate embedding`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def tied_output(h: Array, w: Array, *, chunk: int | None = None) -> Array:
    """The logits of every token: products of the hidden states with the rows of the embedding table.

    Args:
        h: hidden states `[..., n, d]`.
        w: table `[V, d]`.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        logits: logits `[..., n, V]`.

    Source: Press & Wolf 2017, section 3.
    """
    xp = _namespace(h)
    if chunk is not None:
        parts = []
        for rows in _chunks(h.shape[-2], chunk):
            logits = tied_output(_rows(h, -2, rows), w)
            parts.append((logits,))
        logits = xp.concat([part[0] for part in parts], axis=-2)
        return logits
    # logits[i, v] = Σ_c h[i, c]·w[v, c]
    logits = h @ w.mT
    return logits


def tied_output_value_and_vjp(
    h: Array, w: Array, dlogits: Array, *, chunk: int | None = None
) -> tuple[Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `tied_output`):
        dlogits: cotangent of logits, of its shape.

    Returns:
        logits: as `tied_output` returns.
        dh: gradient of h, of its shape.
        dw: gradient of w, of its shape.
    """
    xp = _namespace(h)
    if chunk is not None:
        parts = []
        dw = 0.0
        for rows in _chunks(h.shape[-2], chunk):
            logits, dh, dw_part = tied_output_value_and_vjp(_rows(h, -2, rows), w, _rows(dlogits, -2, rows))
            dw = dw + dw_part
            parts.append((logits, dh))
        logits = xp.concat([part[0] for part in parts], axis=-2)
        dh = xp.concat([part[1] for part in parts], axis=-2)
        return logits, dh, dw
    # logits[i, v] = Σ_c h[i, c]·w[v, c]
    logits = h @ w.mT
    # dh[i, c] = Σ_v dlogits[i, v]·w[v, c]
    dh = dlogits @ w
    # dw[v, c] = Σ_i dlogits[i, v]·h[i, c]
    dw = _summed(dlogits.mT @ h, 2)
    return logits, dh, dw


def tied_output_vjp(h: Array, w: Array, dlogits: Array, *, chunk: int | None = None) -> tuple[Array, Array]:
    """As `tied_output_value_and_vjp`, without the outputs."""
    _, dh, dw = tied_output_value_and_vjp(h, w, dlogits, chunk=chunk)
    return dh, dw


def tied_output_jvp(h: Array, w: Array, th: Array, tw: Array, *, chunk: int | None = None) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `tied_output`):
        th: tangent of h, of its shape.
        tw: tangent of w, of its shape.

    Returns:
        tlogits: tangent of logits, of its shape.
    """
    xp = _namespace(h)
    if chunk is not None:
        parts = []
        for rows in _chunks(h.shape[-2], chunk):
            tlogits = tied_output_jvp(_rows(h, -2, rows), w, _rows(th, -2, rows), tw)
            parts.append((tlogits,))
        tlogits = xp.concat([part[0] for part in parts], axis=-2)
        return tlogits
    # tlogits[i, v] = (Σ_c th[i, c]·w[v, c]) + Σ_c tw[v, c]·h[i, c]
    tlogits = th @ w.mT + h @ tw.mT
    return tlogits


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
