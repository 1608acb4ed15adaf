"""Reference implementation of rope.

GENERATED from derivations/positional.py by `lemmata generate positional`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def rope(x: Array, pos: Array, omega: Array, *, interleaved: bool = False, chunk: int | None = None) -> Array:
    """Each pair of features is rotated by an angle that is proportional to the position.

    Args:
        x: queries or keys `[..., n, d]`, d ≥ 2h.
        pos: positions `[..., n]`, any real numbers.
        omega: frequencies `[h]`.
        interleaved: whether the features of a pair stand side by side, or half of all apart.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        y: rotated queries or keys `[..., n, d]`.

    Conventions:
        angles: pos·omega is formed at least in binary64, and rounded to another format only within [−π, π], that is
            without its multiples of 2π.
        order: interleaved pairs (2c, 2c + 1) in the paper; half pairs (c, c + h).
        partial rotary: the first rotary_dim = 2h features are rotated, those after them pass unchanged.

    Source: Su et al. 2021, (34).
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            y = rope(_rows(x, -2, rows), _rows(pos, -1, rows), omega, interleaved=interleaved)
            parts.append((y,))
        y = xp.concat([part[0] for part in parts], axis=-2)
        return y
    x1, x2 = _halves(x, omega.shape[-1], interleaved)
    # theta[i, c] = pos[i]·omega[c]
    theta = pos[..., None] * omega[..., None, :]
    # sine[i, c] = sin(theta[i, c])
    sine = xp.sin(theta)
    # cosine[i, c] = cos(theta[i, c])
    cosine = xp.cos(theta)
    # y1[i, c] = x1[i, c]·cosine[i, c] − (x2[i, c]·sine[i, c])
    y1 = x1 * cosine - x2 * sine
    # y2[i, c] = x1[i, c]·sine[i, c] + x2[i, c]·cosine[i, c]
    y2 = x1 * sine + x2 * cosine
    y = _joined(y1, y2, x, interleaved)
    return y


def rope_value_and_vjp(
    x: Array, pos: Array, omega: Array, dy: Array, *, interleaved: bool = False, chunk: int | None = None
) -> tuple[Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `rope`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `rope` returns.
        dx: gradient of x, of its shape.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            y, dx = rope_value_and_vjp(
                _rows(x, -2, rows), _rows(pos, -1, rows), omega, _rows(dy, -2, rows), interleaved=interleaved
            )
            parts.append((y, dx))
        y = xp.concat([part[0] for part in parts], axis=-2)
        dx = xp.concat([part[1] for part in parts], axis=-2)
        return y, dx
    x1, x2 = _halves(x, omega.shape[-1], interleaved)
    dy1, dy2 = _halves(dy, omega.shape[-1], interleaved)
    # theta[i, c] = pos[i]·omega[c]
    theta = pos[..., None] * omega[..., None, :]
    # sine[i, c] = sin(theta[i, c])
    sine = xp.sin(theta)
    # cosine[i, c] = cos(theta[i, c])
    cosine = xp.cos(theta)
    # y1[i, c] = x1[i, c]·cosine[i, c] − (x2[i, c]·sine[i, c])
    y1 = x1 * cosine - x2 * sine
    # y2[i, c] = x1[i, c]·sine[i, c] + x2[i, c]·cosine[i, c]
    y2 = x1 * sine + x2 * cosine
    # dx1[i, c] = dy2[i, c]·sine[i, c] + dy1[i, c]·cosine[i, c]
    dx1 = dy2 * sine + dy1 * cosine
    # dx2[i, c] = dy2[i, c]·cosine[i, c] − dy1[i, c]·sine[i, c]
    dx2 = dy2 * cosine - dy1 * sine
    dx = _joined(dx1, dx2, dy, interleaved)
    y = _joined(y1, y2, x, interleaved)
    return y, dx


def rope_vjp(
    x: Array, pos: Array, omega: Array, dy: Array, *, interleaved: bool = False, chunk: int | None = None
) -> Array:
    """As `rope_value_and_vjp`, without the outputs."""
    _, dx = rope_value_and_vjp(x, pos, omega, dy, interleaved=interleaved, chunk=chunk)
    return dx


def rope_jvp(
    x: Array, pos: Array, omega: Array, tx: Array, *, interleaved: bool = False, chunk: int | None = None
) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `rope`):
        tx: tangent of x, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            ty = rope_jvp(_rows(x, -2, rows), _rows(pos, -1, rows), omega, _rows(tx, -2, rows), interleaved=interleaved)
            parts.append((ty,))
        ty = xp.concat([part[0] for part in parts], axis=-2)
        return ty
    tx1, tx2 = _halves(tx, omega.shape[-1], interleaved)
    # theta[i, c] = pos[i]·omega[c]
    theta = pos[..., None] * omega[..., None, :]
    # sine[i, c] = sin(theta[i, c])
    sine = xp.sin(theta)
    # cosine[i, c] = cos(theta[i, c])
    cosine = xp.cos(theta)
    # ty1[i, c] = tx1[i, c]·cosine[i, c] − tx2[i, c]·sine[i, c]
    ty1 = tx1 * cosine - tx2 * sine
    # ty2[i, c] = tx1[i, c]·sine[i, c] + tx2[i, c]·cosine[i, c]
    ty2 = tx1 * sine + tx2 * cosine
    ty = _joined(ty1, ty2, tx, interleaved)
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


def _halves(x: Array, size: int, interleaved: bool) -> tuple[Array, Array]:
    """The first and the second features of pairs: (2c, 2c + 1) if they are interleaved, else (c, c + size)."""
    if interleaved:
        return x[..., 0 : 2 * size : 2], x[..., 1 : 2 * size : 2]
    return x[..., :size], x[..., size : 2 * size]


def _joined(first: Array, second: Array, like: Array | None, interleaved: bool) -> Array:
    """The features of pairs in one array, after them those of `like` that are in no pair."""
    xp, size = _namespace(first), first.shape[-1]
    if interleaved:
        pairs = xp.reshape(xp.stack((first, second), axis=-1), (*first.shape[:-1], 2 * size))
    else:
        pairs = xp.concat((first, second), axis=-1)
    return pairs if like is None or like.shape[-1] == 2 * size else xp.concat((pairs, like[..., 2 * size :]), axis=-1)
