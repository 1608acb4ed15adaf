"""Reference implementation of sinusoidal.

GENERATED from derivations/positional.py by `lemmata generate positional`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def sinusoidal(pos: Array, omega: Array, *, interleaved: bool = False, chunk: int | None = None) -> Array:
    """Each position becomes a point on h circles, one for each frequency.

    Args:
        pos: positions `[..., n]`, any real numbers.
        omega: frequencies `[h]`.
        interleaved: whether the features of a pair stand side by side, or half of all apart.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        pe: encodings `[..., n, 2h]`.

    Conventions:
        angles: pos·omega is formed at least in binary64, and rounded to another format only within [−π, π], that is
            without its multiples of 2π.
        order: interleaved (2c, 2c + 1) in the paper; half (c, c + h) puts all sines before all cosines.

    Source: Vaswani et al. 2017, section 3.5.
    """
    xp = _namespace(pos)
    if chunk is not None:
        parts = []
        for rows in _chunks(pos.shape[-1], chunk):
            pe = sinusoidal(_rows(pos, -1, rows), omega, interleaved=interleaved)
            parts.append((pe,))
        pe = xp.concat([part[0] for part in parts], axis=-2)
        return pe
    # theta[i, c] = pos[i]·omega[c]
    theta = pos[..., None] * omega[..., None, :]
    # sine[i, c] = sin(theta[i, c])
    sine = xp.sin(theta)
    # cosine[i, c] = cos(theta[i, c])
    cosine = xp.cos(theta)
    pe = _joined(sine, cosine, None, interleaved)
    return pe


def sinusoidal_value_and_vjp(
    pos: Array, omega: Array, dpe: Array, *, interleaved: bool = False, chunk: int | None = None
) -> tuple[Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `sinusoidal`):
        dpe: cotangent of pe, of its shape.

    Returns:
        pe: as `sinusoidal` returns.
        dpos: gradient of pos, of its shape.
        domega: gradient of omega, of its shape.
    """
    xp = _namespace(pos)
    if chunk is not None:
        parts = []
        domega = 0.0
        for rows in _chunks(pos.shape[-1], chunk):
            pe, dpos, domega_part = sinusoidal_value_and_vjp(
                _rows(pos, -1, rows), omega, _rows(dpe, -2, rows), interleaved=interleaved
            )
            domega = domega + domega_part
            parts.append((pe, dpos))
        pe = xp.concat([part[0] for part in parts], axis=-2)
        dpos = xp.concat([part[1] for part in parts], axis=-1)
        return pe, dpos, domega
    dsine, dcosine = _halves(dpe, omega.shape[-1], interleaved)
    # theta[i, c] = pos[i]·omega[c]
    theta = pos[..., None] * omega[..., None, :]
    # sine[i, c] = sin(theta[i, c])
    sine = xp.sin(theta)
    # cosine[i, c] = cos(theta[i, c])
    cosine = xp.cos(theta)
    # dtheta[i, c] = dsine[i, c]·cosine[i, c] − dcosine[i, c]·sine[i, c]
    dtheta = dsine * cosine - dcosine * sine
    # dpos[i] = Σ_c omega[c]·dtheta[i, c]
    dpos = xp.sum(omega[..., None, :] * dtheta, axis=-1)
    # domega[c] = Σ_i pos[i]·dtheta[i, c]
    domega = _summed(xp.sum(pos[..., None, :] * dtheta.mT, axis=-1), 1)
    pe = _joined(sine, cosine, None, interleaved)
    return pe, dpos, domega


def sinusoidal_vjp(
    pos: Array, omega: Array, dpe: Array, *, interleaved: bool = False, chunk: int | None = None
) -> tuple[Array, Array]:
    """As `sinusoidal_value_and_vjp`, without the outputs."""
    _, dpos, domega = sinusoidal_value_and_vjp(pos, omega, dpe, interleaved=interleaved, chunk=chunk)
    return dpos, domega


def sinusoidal_jvp(
    pos: Array, omega: Array, tpos: Array, tomega: Array, *, interleaved: bool = False, chunk: int | None = None
) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `sinusoidal`):
        tpos: tangent of pos, of its shape.
        tomega: tangent of omega, of its shape.

    Returns:
        tpe: tangent of pe, of its shape.
    """
    xp = _namespace(pos)
    if chunk is not None:
        parts = []
        for rows in _chunks(pos.shape[-1], chunk):
            tpe = sinusoidal_jvp(_rows(pos, -1, rows), omega, _rows(tpos, -1, rows), tomega, interleaved=interleaved)
            parts.append((tpe,))
        tpe = xp.concat([part[0] for part in parts], axis=-2)
        return tpe
    # theta[i, c] = pos[i]·omega[c]
    theta = pos[..., None] * omega[..., None, :]
    # sine[i, c] = sin(theta[i, c])
    sine = xp.sin(theta)
    # cosine[i, c] = cos(theta[i, c])
    cosine = xp.cos(theta)
    # ttheta[i, c] = omega[c]·tpos[i] + pos[i]·tomega[c]
    ttheta = omega[..., None, :] * tpos[..., None] + pos[..., None] * tomega[..., None, :]
    # tsine[i, c] = cosine[i, c]·ttheta[i, c]
    tsine = cosine * ttheta
    # tcosine[i, c] = -sine[i, c]·ttheta[i, c]
    tcosine = -sine * ttheta
    tpe = _joined(tsine, tcosine, None, interleaved)
    return tpe


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
