"""Reference implementation of cross_entropy.

GENERATED from derivations/loss.py by `lemmata generate loss`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def cross_entropy(
    x: Array, target: Array, weight: Array | None = None, keep: Array | None = None, zeta: float = 0.0
) -> tuple[Array, Array, Array]:
    """How surprised the softmax of the logits is by the target, with class weights, ignored rows and z-loss.

    Args:
        x: logits `[..., n, V]`.
        target: class labels `[..., n]`, whole numbers from 0 to V − 1.
        weight: weight of each class `[V]`, optional.
        keep: boolean mask `[..., n]`, False in rows to ignore, optional.
        zeta: coefficient of the z-loss, optional.

    Returns:
        loss: loss of each row `[..., n]`, 0 in ignored rows.
        total: their sum `[...]`.
        mean: their weighted mean `[...]`.

    Conventions:
        mean: divides by the weights of the targets of the rows that are kept; NaN if there are none.
        z-loss: not weighted by class, part of every reduction.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3); Chowdhery et al. 2022, section 5.
    """
    xp = _namespace(x)
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    # m[i] = max_{v} x[i, v]
    m = xp.max(x, axis=-1)
    # a[i, v] = exp(x[i, v] − m[i])  (S2)
    a = _exp(x - m[..., None])
    # z[i] = Σ_v a[i, v]
    z = xp.sum(a, axis=-1)
    # lse[i] = m[i] + log(z[i])
    lse = m + xp.log(z)
    # nll[i] = weight[target(i)]·(lse[i] − x[i, target(i)])
    nll = _rows_at(weight_given, target, -1, 1) * (lse - _one_of_each(x, target, -1))
    # loss[i] = keep[i]·(nll[i] + zeta·lse[i]^2)
    loss = _where(keep, nll + zeta * lse**2, 0.0)
    # total = Σ_i loss[i]
    total = xp.sum(loss, axis=-1)
    # norm = Σ_i keep[i]·weight[target(i)]
    norm = xp.sum(_where(keep, _rows_at(weight_given, target, -1, 1), 0.0), axis=-1)
    # mean = total/norm
    mean = total / norm
    return loss, total, mean


def cross_entropy_value_and_vjp(
    x: Array,
    target: Array,
    dloss: Array,
    dtotal: Array | None = None,
    dmean: Array | None = None,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
) -> tuple[Array, Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `cross_entropy`):
        dloss: cotangent of loss, of its shape.
        dtotal: cotangent of total, of its shape.
        dmean: cotangent of mean, of its shape.

    Returns:
        loss, total, mean: as `cross_entropy` returns.
        dx: gradient of x, of its shape.
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
    # nll[i] = weight[target(i)]·(lse[i] − x[i, target(i)])
    nll = _rows_at(weight_given, target, -1, 1) * (lse - _one_of_each(x, target, -1))
    # loss[i] = keep[i]·(nll[i] + zeta·lse[i]^2)
    loss = _where(keep, nll + zeta * lse**2, 0.0)
    # total = Σ_i loss[i]
    total = xp.sum(loss, axis=-1)
    # norm = Σ_i keep[i]·weight[target(i)]
    norm = xp.sum(_where(keep, _rows_at(weight_given, target, -1, 1), 0.0), axis=-1)
    # mean = total/norm
    mean = total / norm
    # dtotal_total = dtotal + dmean/norm
    dtotal_total = dtotal_given + dmean_given / norm
    # dloss_total[i] = dtotal_total + dloss[i]
    dloss_total = dtotal_total[..., None] + dloss
    # dz[i] = keep[i]·dloss_total[i]·(weight[target(i)] + 2·zeta·lse[i])/z[i]
    dz = _where(keep, dloss_total * (_rows_at(weight_given, target, -1, 1) + 2 * zeta * lse) / z, 0.0)
    # dx[i, v] = a[i, v]·dz[i] − δ[target(i), v]·weight[target(i)]·keep[i]·dloss_total[i]
    dx = a * dz[..., None]
    dx_next = xp.where(
        (target[..., None] == xp.arange(x.shape[-1], device=x.device)[..., None, :]),
        _where(keep, _rows_at(weight_given, target, -1, 1) * dloss_total, 0.0)[..., None],
        0.0,
    )
    dx = dx - dx_next
    return loss, total, mean, dx


def cross_entropy_vjp(
    x: Array,
    target: Array,
    dloss: Array,
    dtotal: Array | None = None,
    dmean: Array | None = None,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
) -> Array:
    """As `cross_entropy_value_and_vjp`, without the outputs."""
    _, _, _, dx = cross_entropy_value_and_vjp(x, target, dloss, dtotal, dmean, weight, keep, zeta)
    return dx


def cross_entropy_jvp(
    x: Array, target: Array, tx: Array, weight: Array | None = None, keep: Array | None = None, zeta: float = 0.0
) -> tuple[Array, Array, Array]:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `cross_entropy`):
        tx: tangent of x, of its shape.

    Returns:
        tloss: tangent of loss, of its shape.
        ttotal: tangent of total, of its shape.
        tmean: tangent of mean, of its shape.
    """
    xp = _namespace(x)
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
    # tz[i] = Σ_v tx[i, v]·a[i, v]
    tz = xp.sum(tx * a, axis=-1)
    # tloss[i] = ((tz[i]/z[i] − tx[i, target(i)])·weight[target(i)] + 2·lse[i]·tz[i]·zeta/z[i])·keep[i]
    tloss = _where(
        keep,
        (tz / z - _one_of_each(tx, target, -1)) * _rows_at(weight_given, target, -1, 1) + 2 * lse * tz * zeta / z,
        0.0,
    )
    # ttotal = Σ_i tloss[i]
    ttotal = xp.sum(tloss, axis=-1)
    # tmean = ttotal/norm
    tmean = ttotal / norm
    return tloss, ttotal, tmean


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


def _one_of_each(x: Array, places: Array, axis: int) -> Array:
    """The entry of each row of x at its place along an axis."""
    xp = _namespace(x)
    return xp.take_along_axis(xp.moveaxis(x, axis, -1), places[..., None], axis=-1)[..., 0]


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
