"""Reference implementation of cross_entropy.

GENERATED from derivations/loss.py by `lemmata generate loss`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def cross_entropy_hvp(
    x: Array,
    target: Array,
    dloss: Array,
    tx: Array,
    dtotal: Array | None = None,
    dmean: Array | None = None,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
) -> Array:
    """Hessian-vector product: how the gradients change where the inputs move along the tangents.

    Args (the others as in `cross_entropy`):
        dloss: cotangent of loss, of its shape.
        tx: tangent of x, of its shape.
        dtotal: cotangent of total, of its shape.
        dmean: cotangent of mean, of its shape.

    Returns:
        tdx: tangent of the gradient of x, of its shape.
    """
    xp = _namespace(x)
    dtotal_given = xp.zeros((), dtype=x.dtype, device=x.device) if dtotal is None else dtotal
    dmean_given = xp.zeros((), dtype=x.dtype, device=x.device) if dmean is None else dmean
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    # m[i] = max_{v} x[i, v]
    m = xp.max(x, axis=-1)
    # a[i, v] = exp(x[i, v] − m[i])  (S2)
    a = _exp(x - m[..., None])
    # z[i] = Σ_v a[i, v]
    z = xp.sum(a, axis=-1)
    # lse[i] = m[i] + log(z[i])
    lse = m + xp.log(z)
    # norm = Σ_i keep[i]·weight[target(i)]
    norm = xp.sum(_where(keep, _rows_at(weight_given, target, -1, 1), 0.0), axis=-1)
    # dtotal_total = dtotal + dmean/norm
    dtotal_total = dtotal_given + dmean_given / norm
    # dloss_total[i] = dtotal_total + dloss[i]
    dloss_total = dtotal_total[..., None] + dloss
    # dz[i] = keep[i]·dloss_total[i]·(weight[target(i)] + 2·zeta·lse[i])/z[i]
    dz = _where(keep, dloss_total * (_rows_at(weight_given, target, -1, 1) + 2 * zeta * lse) / z, 0.0)
    # delta[i] = weight[target(i)]·keep[i]·dloss_total[i]·(Σ_v tx[i, v]·a[i, v])/z[i]^2 +
    # 2·zeta·keep[i]·lse[i]·dloss_total[i]·(Σ_v tx[i, v]·a[i, v])/z[i]^2 + (-2)·zeta·keep[i]·dloss_total[i]·(Σ_v tx[i,
    # v]·a[i, v])/z[i]^2
    delta = _where(keep, _rows_at(weight_given, target, -1, 1) * dloss_total * xp.sum(tx * a, axis=-1) / z**2, 0.0)
    delta = delta + _where(keep, 2 * zeta * lse * dloss_total * xp.sum(tx * a, axis=-1) / z**2, 0.0)
    delta = delta - _where(keep, 2 * zeta * dloss_total * xp.sum(tx * a, axis=-1) / z**2, 0.0)
    # tdx[i, v] = a[i, v]·(tx[i, v]·dz[i] − delta[i])
    tdx = a * (tx * dz[..., None] - delta[..., None])
    return tdx


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


def _rows_at(x: Array, places: Array, axis: int, ndim: int) -> Array:
    """The rows of x at places along an axis, of its last `ndim`; the axis of the places comes first."""
    xp = _namespace(x)
    x = xp.moveaxis(x, axis, -ndim)
    if x.ndim == ndim:  # no batch dimensions: one table for all
        return xp.reshape(xp.take(x, xp.reshape(places, (-1,)), axis=0), (*places.shape, *x.shape[1:]))
    return xp.take_along_axis(x, xp.reshape(places, (*places.shape, *(1,) * (ndim - 1))), axis=-ndim)


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
