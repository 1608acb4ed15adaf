"""Reference implementation of attention.

GENERATED from derivations/attention.py by `lemmata generate attention`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def attention_hvp(
    q: Array,
    k: Array,
    v: Array,
    do: Array,
    tq: Array,
    tk: Array,
    tv: Array,
    dlse: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    tbias: Array | None = None,
) -> tuple[Array, Array, Array, Array | None]:
    """Hessian-vector product: how the gradients change where the inputs move along the tangents.

    Args (the others as in `attention`):
        do: cotangent of o, of its shape.
        tq: tangent of q, of its shape.
        tk: tangent of k, of its shape.
        tv: tangent of v, of its shape.
        dlse: cotangent of lse, of its shape.
        tbias: tangent of bias, of its shape.

    Returns:
        tdq: tangent of the gradient of q, of its shape.
        tdk: tangent of the gradient of k, of its shape.
        tdv: tangent of the gradient of v, of its shape.
        tdbias: tangent of the gradient of bias, of its shape, None if there is no bias.
    """
    xp = _namespace(q)
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c]) + bias[r, i, j]
    s = (scale * q) @ k.mT[..., None, :, :]
    if bias is not None:
        s = s + bias
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m = xp.max(_where(keep, s, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)  # a row without keys: any shift will do
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])  (S2)
    a = _exp(_where(keep, _minus(s, m[..., None]), -xp.inf))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)  # 0/0 is 0 in a row without keys
    # p[r, i, j] = a[r, i, j]/z[r, i]  (S1)
    p = _over(a, z_safe[..., None])
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    # dp[r, i, j] = Σ_e do[r, i, e]·v[j, e]
    dp = do @ v.mT[..., None, :, :]
    # delta[r, i] = (Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]
    delta = xp.sum(do * o, axis=-1)
    if dlse is not None:
        delta = delta - dlse
    # ds[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])
    ds = p * (dp - delta[..., None])
    # ts[r, i, j] = (Σ_c tq[r, i, c]·k[j, c])·scale + (Σ_c tk[j, c]·q[r, i, c])·scale + tbias[r, i, j]
    ts = (scale * tq) @ k.mT[..., None, :, :] + (scale * q) @ tk.mT[..., None, :, :]
    if tbias is not None:
        ts = ts + tbias
    # delta_2[r, i] = Σ_j p[r, i, j]·ts[r, i, j]
    delta_2 = xp.sum(p * ts, axis=-1)
    # tp[r, i, j] = p[r, i, j]·(ts[r, i, j] − delta_2[r, i])
    tp = _times(_minus(ts, delta_2[..., None]), p)
    # to[r, i, e] = (Σ_j tp[r, i, j]·v[j, e]) + Σ_j tv[j, e]·p[r, i, j]
    to = tp @ v[..., None, :, :] + p @ tv[..., None, :, :]
    # tdp[r, i, j] = Σ_e tv[j, e]·do[r, i, e]
    tdp = do @ tv.mT[..., None, :, :]
    # delta_3[r, i] = Σ_e do[r, i, e]·to[r, i, e]
    delta_3 = xp.sum(do * to, axis=-1)
    # tds[r, i, j] = dp[r, i, j]·tp[r, i, j] − delta[r, i]·tp[r, i, j] + p[r, i, j]·(tdp[r, i, j] − delta_3[r, i])
    tds = dp * tp + _times(_minus(tdp, delta_3[..., None]), p) - delta[..., None] * tp
    # tdq[r, i, c] = (Σ_j tds[r, i, j]·k[j, c])·scale + (Σ_j tk[j, c]·ds[r, i, j])·scale
    tdq = tds @ k[..., None, :, :] * scale + ds @ tk[..., None, :, :] * scale
    # tdk[j, c] = (Σ_i (Σ_r tds[r, i, j]·q[r, i, c]))·scale + (Σ_i (Σ_r tq[r, i, c]·ds[r, i, j]))·scale
    tdk = xp.sum(tds.mT @ q, axis=-3) * scale + xp.sum(ds.mT @ tq, axis=-3) * scale
    # tdv[j, e] = Σ_i (Σ_r tp[r, i, j]·do[r, i, e])
    tdv = xp.sum(tp.mT @ do, axis=-3)
    # tdbias[r, i, j] = tds[r, i, j]
    tdbias = None if bias is None else tds
    return tdq, tdk, tdv, tdbias


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


def _minus(x: Array, y: Array) -> Array:
    """x − y, in the memory of x, which is not read again."""
    return np.subtract(x, y, out=x) if _overwritten(x, y) else x - y


def _times(x: Array, y: Array) -> Array:
    """x · y, in the memory of x, which is not read again."""
    return np.multiply(x, y, out=x) if _overwritten(x, y) else x * y


def _over(x: Array, y: Array) -> Array:
    """x / y, in the memory of x, which is not read again."""
    return np.divide(x, y, out=x) if _overwritten(x, y) else x / y


def _exp(x: Array) -> Array:
    """exp(x), in the memory of x, which is not read again."""
    return np.exp(x, out=x) if _overwritten(x) else _namespace(x).exp(x)
