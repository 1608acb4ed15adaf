"""Helper functions of generated references: those that a file calls are written at its end."""

from __future__ import annotations

import re

NAMESPACE = '''
def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
'''

_HELPERS = '''
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


def _arranged(x: Array, *order: int) -> Array:
    """The trailing axes of x in another order."""
    batch = x.ndim - len(order)
    return _namespace(x).permute_dims(x, (*range(batch), *(batch + axis for axis in order)))


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


def _one_of_each(x: Array, places: Array, axis: int) -> Array:
    """The entry of each row of x at its place along an axis."""
    xp = _namespace(x)
    return xp.take_along_axis(xp.moveaxis(x, axis, -1), places[..., None], axis=-1)[..., 0]


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


def _sigmoid(x: Array) -> Array:
    """1/(1 + exp(−x)), without overflow for any sign of x."""
    xp = _namespace(x)
    small = xp.exp(-abs(x))
    return xp.where(x < 0, small, xp.ones_like(small)) / (1 + small)


def _relu(x: Array) -> Array:
    """max(x, 0); NaN stays NaN."""
    return _namespace(x).where(x < 0, 0.0, x)


def _step(x: Array) -> Array:
    """1 where x > 0, else 0."""
    return _namespace(x).astype(x > 0, x.dtype)


def _erf(x: Array) -> Array:
    """The error function; neither NumPy nor the array-API standard has it."""
    return _elementwise(x, "erf", math.erf)


def _erfc(x: Array) -> Array:
    """1 − erf(x), without cancellation."""
    return _elementwise(x, "erfc", math.erfc)


def _elementwise(x: Array, name: str, function: Callable[[float], float]) -> Array:
    xp = _namespace(x)
    if hasattr(xp, name):
        return getattr(xp, name)(x)
    return xp.asarray(np.vectorize(function, otypes=[float])(np.asarray(x)), dtype=x.dtype)
'''


def helpers(text: str) -> list[str]:
    """The helper functions that `text` calls, and those that they call."""
    parts = [part.strip("\n") + "\n" for part in _HELPERS.split("\n\n\n")]
    used: list[str] = []
    found = [text]
    while found:
        found = [part for part in parts if part not in used and any(calls(other, part) for other in found)]
        used += found
    return [NAMESPACE.strip("\n") + "\n", *(part for part in parts if part in used)]


def calls(text: str, function: str) -> bool:
    """Whether code calls a function that is given by its source."""
    name = function.split("(")[0].removeprefix("def ")
    return re.search(rf"(?<![\w.]){name}\(", text) is not None
