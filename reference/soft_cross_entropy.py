"""Reference implementation of soft_cross_entropy.

GENERATED from derivations/loss.py by `lemmata generate loss`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def soft_cross_entropy(
    x: Array, y: Array, weight: Array | None = None, keep: Array | None = None, zeta: float = 0.0
) -> tuple[Array, Array, Array]:
    """Cross-entropy of targets that are distributions themselves.

    Args:
        x: logits `[..., n, V]`.
        y: target distributions `[..., n, V]`.
        weight: weight of each class `[V]`, optional.
        keep: boolean mask `[..., n]`, False in rows to ignore, optional.
        zeta: coefficient of the z-loss, optional.

    Returns:
        loss: loss of each row `[..., n]`, 0 in ignored rows.
        total: their sum `[...]`.
        mean: their mean over the rows that are kept `[...]`.

    Conventions:
        mean: divides by the number of rows that are kept; NaN if there are none.
        z-loss: not weighted by class, part of every reduction.

    Source: Blanchard, Higham & Higham 2021, (1.1)–(1.3); Chowdhery et al. 2022, section 5.
    """
    xp = _namespace(x)
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    keep_given = xp.ones((x.shape[-2],), dtype=xp.bool, device=x.device) if keep is None else keep
    # m[i] = max_{v} x[i, v]
    m = xp.max(x, axis=-1)
    # a[i, v] = exp(x[i, v] − m[i])  (S2)
    a = _exp(x - m[..., None])
    # z[i] = Σ_v a[i, v]
    z = xp.sum(a, axis=-1)
    # lse[i] = m[i] + log(z[i])
    lse = m + xp.log(z)
    # logp[i, v] = x[i, v] − lse[i]
    logp = x - lse[..., None]
    # expected[i] = -(Σ_v (weight[v]·y[i, v])·logp[i, v])
    expected = -xp.sum(weight_given[..., None, :] * y * logp, axis=-1)
    # loss[i] = keep[i]·(expected[i] + zeta·lse[i]^2)
    loss = _where(None if keep is None else keep_given, expected + zeta * lse**2, 0.0)
    # total = Σ_i loss[i]
    total = xp.sum(loss, axis=-1)
    # norm = Σ_i keep[i]
    norm = xp.sum(xp.astype(keep_given, x.dtype), axis=-1)
    # mean = total/norm
    mean = total / norm
    return loss, total, mean


def soft_cross_entropy_value_and_vjp(
    x: Array,
    y: Array,
    dloss: Array,
    dtotal: Array | None = None,
    dmean: Array | None = None,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
) -> tuple[Array, Array, Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `soft_cross_entropy`):
        dloss: cotangent of loss, of its shape.
        dtotal: cotangent of total, of its shape.
        dmean: cotangent of mean, of its shape.

    Returns:
        loss, total, mean: as `soft_cross_entropy` returns.
        dx: gradient of x, of its shape.
        dy: gradient of y, of its shape.
    """
    xp = _namespace(x)
    dtotal_given = xp.zeros((), dtype=x.dtype, device=x.device) if dtotal is None else dtotal
    dmean_given = xp.zeros((), dtype=x.dtype, device=x.device) if dmean is None else dmean
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    keep_given = xp.ones((x.shape[-2],), dtype=xp.bool, device=x.device) if keep is None else keep
    # m[i] = max_{v} x[i, v]
    m = xp.max(x, axis=-1)
    # a[i, v] = exp(x[i, v] − m[i])  (S2)
    a = _exp(x - m[..., None])
    # z[i] = Σ_v a[i, v]
    z = xp.sum(a, axis=-1)
    # lse[i] = m[i] + log(z[i])
    lse = m + xp.log(z)
    # logp[i, v] = x[i, v] − lse[i]
    logp = x - lse[..., None]
    # expected[i] = -(Σ_v (weight[v]·y[i, v])·logp[i, v])
    expected = -xp.sum(weight_given[..., None, :] * y * logp, axis=-1)
    # loss[i] = keep[i]·(expected[i] + zeta·lse[i]^2)
    loss = _where(None if keep is None else keep_given, expected + zeta * lse**2, 0.0)
    # total = Σ_i loss[i]
    total = xp.sum(loss, axis=-1)
    # norm = Σ_i keep[i]
    norm = xp.sum(xp.astype(keep_given, x.dtype), axis=-1)
    # mean = total/norm
    mean = total / norm
    # dtotal_total = dtotal + dmean/norm
    dtotal_total = dtotal_given + dmean_given / norm
    # dloss_total[i] = dtotal_total + dloss[i]
    dloss_total = dtotal_total[..., None] + dloss
    # dz[i] = keep[i]·dloss_total[i]·(2·zeta·lse[i] + Σ_v y[i, v]·weight[v])/z[i]
    dz = _where(
        None if keep is None else keep_given,
        dloss_total * (2 * zeta * lse + xp.sum(y * weight_given[..., None, :], axis=-1)) / z,
        0.0,
    )
    # dx[i, v] = a[i, v]·dz[i] − y[i, v]·weight[v]·keep[i]·dloss_total[i]
    dx = a * dz[..., None]
    dx_next = _where(
        None if keep is None else keep_given[..., None], y * weight_given[..., None, :] * dloss_total[..., None], 0.0
    )
    dx = dx - dx_next
    # dy[i, v] = -weight[v]·keep[i]·logp[i, v]·dloss_total[i]
    dy = _where(
        None if keep is None else keep_given[..., None],
        -weight_given[..., None, :] * logp * dloss_total[..., None],
        0.0,
    )
    return loss, total, mean, dx, dy


def soft_cross_entropy_vjp(
    x: Array,
    y: Array,
    dloss: Array,
    dtotal: Array | None = None,
    dmean: Array | None = None,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
) -> tuple[Array, Array]:
    """As `soft_cross_entropy_value_and_vjp`, without the outputs."""
    _, _, _, dx, dy = soft_cross_entropy_value_and_vjp(x, y, dloss, dtotal, dmean, weight, keep, zeta)
    return dx, dy


def soft_cross_entropy_jvp(
    x: Array, y: Array, tx: Array, ty: Array, weight: Array | None = None, keep: Array | None = None, zeta: float = 0.0
) -> tuple[Array, Array, Array]:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `soft_cross_entropy`):
        tx: tangent of x, of its shape.
        ty: tangent of y, of its shape.

    Returns:
        tloss: tangent of loss, of its shape.
        ttotal: tangent of total, of its shape.
        tmean: tangent of mean, of its shape.
    """
    xp = _namespace(x)
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    keep_given = xp.ones((x.shape[-2],), dtype=xp.bool, device=x.device) if keep is None else keep
    # m[i] = max_{v} x[i, v]
    m = xp.max(x, axis=-1)
    # a[i, v] = exp(x[i, v] − m[i])  (S2)
    a = _exp(x - m[..., None])
    # z[i] = Σ_v a[i, v]
    z = xp.sum(a, axis=-1)
    # lse[i] = m[i] + log(z[i])
    lse = m + xp.log(z)
    # logp[i, v] = x[i, v] − lse[i]
    logp = x - lse[..., None]
    # norm = Σ_i keep[i]
    norm = xp.sum(xp.astype(keep_given, x.dtype), axis=-1)
    # tz[i] = Σ_v tx[i, v]·a[i, v]
    tz = xp.sum(tx * a, axis=-1)
    # tloss[i] = keep[i]·(2·zeta·lse[i]·tz[i]/z[i] + tz[i]·(Σ_v y[i, v]·weight[v])/z[i] − (Σ_v weight[v]·ty[i,
    # v]·logp[i, v]) − (Σ_v y[i, v]·weight[v]·tx[i, v]))
    tloss = 2 * zeta * lse * tz / z
    tloss = tloss + tz * xp.sum(y * weight_given[..., None, :], axis=-1) / z
    tloss = tloss - xp.sum(weight_given[..., None, :] * ty * logp, axis=-1)
    tloss = tloss - xp.sum(y * weight_given[..., None, :] * tx, axis=-1)
    tloss = _where(None if keep is None else keep_given, tloss, 0.0)
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
