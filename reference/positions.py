"""Lookups of arrays: rows at places, one entry of each row, rows added at places; features in pairs."""

from __future__ import annotations

import numpy as np

from .error_rules import Array, namespace


def rows_at(x: Array, places: Array, axis: int, ndim: int) -> Array:
    """The rows of x at places along an axis, of its last `ndim`; the axis of the places comes first."""
    xp = namespace(x)
    x = xp.moveaxis(x, axis, -ndim)
    if x.ndim == ndim:  # no batch dimensions: one table for all
        return xp.reshape(xp.take(x, xp.reshape(places, (-1,)), axis=0), (*places.shape, *x.shape[1:]))
    return xp.take_along_axis(x, xp.reshape(places, (*places.shape, *(1,) * (ndim - 1))), axis=-ndim)


def one_of_each(x: Array, places: Array, axis: int) -> Array:
    """The entry of each row of x at its place along an axis."""
    xp = namespace(x)
    return xp.take_along_axis(xp.moveaxis(x, axis, -1), places[..., None], axis=-1)[..., 0]


def added_at(rows: Array, places: Array, size: int) -> Array:
    """Zeros `[..., size, c]` with each of the rows `[..., i, c]` added at its place."""
    xp = namespace(rows)
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


def halves(x: Array, size: int, interleaved: bool) -> tuple[Array, Array]:
    """The first and the second features of pairs: (2c, 2c + 1) if they are interleaved, else (c, c + size)."""
    if interleaved:
        return x[..., 0 : 2 * size : 2], x[..., 1 : 2 * size : 2]
    return x[..., :size], x[..., size : 2 * size]


def joined(first: Array, second: Array, like: Array | None, interleaved: bool) -> Array:
    """The features of pairs in one array, after them those of `like` that are in no pair."""
    xp, size = namespace(first), first.shape[-1]
    if interleaved:
        pairs = xp.reshape(xp.stack((first, second), axis=-1), (*first.shape[:-1], 2 * size))
    else:
        pairs = xp.concat((first, second), axis=-1)
    return pairs if like is None or like.shape[-1] == 2 * size else xp.concat((pairs, like[..., 2 * size :]), axis=-1)
