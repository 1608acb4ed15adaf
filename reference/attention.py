"""Reference implementation of attention.

GENERATED from derivations/attention.py by `lemmata generate attention`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def attention(
    q: Array,
    k: Array,
    v: Array,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array]:
    """Each query blends the values by the softmax of its products with the keys.

    Args:
        q: queries `[..., r, n, d]`: r heads share one head of keys and values.
        k: keys `[..., m, d]`.
        v: values `[..., m, d_v]`.
        keep: boolean mask `[..., r, n, m]`, True where a key may be attended to, optional.
        bias: additive mask `[..., r, n, m]`, optional.
        scale: factor of the products, by default d^(-1/2).
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        o: output `[..., r, n, d_v]`.
        lse: log-sum-exp of the scores `[..., r, n]`, base e.

    Conventions:
        causal alignment: top-left: key j ≤ query i.
        fully masked row: output 0, LSE −∞, gradients 0.
        LSE base: e.
        window: w keys, the query's own included.

    Source: Vaswani et al. 2017, (1); Dao 2023, algorithms 1 and 2.
    """
    xp = _namespace(q)
    if chunk is not None:
        parts = []
        for rows in _chunks(q.shape[-2], chunk):
            o, lse = attention(
                _rows(q, -2, rows), k, v, keep=_rows(keep, -2, rows), bias=_rows(bias, -2, rows), scale=scale
            )
            parts.append((o, lse))
        o = xp.concat([part[0] for part in parts], axis=-2)
        lse = xp.concat([part[1] for part in parts], axis=-1)
        return o, lse
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
    # lse[r, i] = m[r, i] + log(z[r, i])
    lse = m + xp.where(z > 0, xp.log(z_safe), -xp.inf)
    return o, lse


def attention_value_and_vjp(
    q: Array,
    k: Array,
    v: Array,
    do: Array,
    dlse: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array, Array, Array, Array | None]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `attention`):
        do: cotangent of o, of its shape.
        dlse: cotangent of lse, of its shape.

    Returns:
        o, lse: as `attention` returns.
        dq: gradient of q, of its shape.
        dk: gradient of k, of its shape.
        dv: gradient of v, of its shape.
        dbias: gradient of bias, of its shape, None if there is no bias.
    """
    xp = _namespace(q)
    if chunk is not None:
        parts = []
        dk = 0.0
        dv = 0.0
        for rows in _chunks(q.shape[-2], chunk):
            o, lse, dq, dk_part, dv_part, dbias = attention_value_and_vjp(
                _rows(q, -2, rows),
                k,
                v,
                _rows(do, -2, rows),
                dlse=_rows(dlse, -1, rows),
                keep=_rows(keep, -2, rows),
                bias=_rows(bias, -2, rows),
                scale=scale,
            )
            dk = dk + dk_part
            dv = dv + dv_part
            parts.append((o, lse, dq, dbias))
        o = xp.concat([part[0] for part in parts], axis=-2)
        lse = xp.concat([part[1] for part in parts], axis=-1)
        dq = xp.concat([part[2] for part in parts], axis=-2)
        dbias = None if bias is None else xp.concat([part[3] for part in parts], axis=-2)
        return o, lse, dq, dk, dv, dbias
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
    # lse[r, i] = m[r, i] + log(z[r, i])
    lse = m + xp.where(z > 0, xp.log(z_safe), -xp.inf)
    # dp[r, i, j] = Σ_e do[r, i, e]·v[j, e]
    dp = do @ v.mT[..., None, :, :]
    # delta[r, i] = (Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]
    delta = xp.sum(do * o, axis=-1)
    if dlse is not None:
        delta = delta - dlse
    # ds[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])
    ds = _times(_minus(dp, delta[..., None]), p)
    # dq[r, i, c] = scale·(Σ_j ds[r, i, j]·k[j, c])
    dq = scale * (ds @ k[..., None, :, :])
    # dk[j, c] = scale·(Σ_i (Σ_r ds[r, i, j]·q[r, i, c]))
    dk = scale * xp.sum(ds.mT @ q, axis=-3)
    # dv[j, e] = Σ_i (Σ_r do[r, i, e]·p[r, i, j])
    dv = xp.sum(p.mT @ do, axis=-3)
    # dbias[r, i, j] = ds[r, i, j]
    dbias = None if bias is None else ds
    return o, lse, dq, dk, dv, dbias


def attention_vjp(
    q: Array,
    k: Array,
    v: Array,
    do: Array,
    dlse: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array, Array | None]:
    """As `attention_value_and_vjp`, without the outputs."""
    _, _, dq, dk, dv, dbias = attention_value_and_vjp(q, k, v, do, dlse, keep, bias, scale, chunk=chunk)
    return dq, dk, dv, dbias


def attention_jvp(
    q: Array,
    k: Array,
    v: Array,
    tq: Array,
    tk: Array,
    tv: Array,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    tbias: Array | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array]:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `attention`):
        tq: tangent of q, of its shape.
        tk: tangent of k, of its shape.
        tv: tangent of v, of its shape.
        tbias: tangent of bias, of its shape.

    Returns:
        to: tangent of o, of its shape.
        tlse: tangent of lse, of its shape.
    """
    xp = _namespace(q)
    if chunk is not None:
        parts = []
        for rows in _chunks(q.shape[-2], chunk):
            to, tlse = attention_jvp(
                _rows(q, -2, rows),
                k,
                v,
                _rows(tq, -2, rows),
                tk,
                tv,
                keep=_rows(keep, -2, rows),
                bias=_rows(bias, -2, rows),
                scale=scale,
                tbias=_rows(tbias, -2, rows),
            )
            parts.append((to, tlse))
        to = xp.concat([part[0] for part in parts], axis=-2)
        tlse = xp.concat([part[1] for part in parts], axis=-1)
        return to, tlse
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
    # ts[r, i, j] = (Σ_c tq[r, i, c]·k[j, c])·scale + (Σ_c tk[j, c]·q[r, i, c])·scale + tbias[r, i, j]
    ts = (scale * tq) @ k.mT[..., None, :, :] + (scale * q) @ tk.mT[..., None, :, :]
    if tbias is not None:
        ts = ts + tbias
    # delta[r, i] = Σ_j p[r, i, j]·ts[r, i, j]
    delta = xp.sum(p * ts, axis=-1)
    # tp[r, i, j] = p[r, i, j]·(ts[r, i, j] − delta[r, i])
    tp = _times(_minus(ts, delta[..., None]), p)
    # to[r, i, e] = (Σ_j tp[r, i, j]·v[j, e]) + Σ_j tv[j, e]·p[r, i, j]
    to = tp @ v[..., None, :, :] + p @ tv[..., None, :, :]
    # tlse[r, i] = delta[r, i]
    tlse = delta
    return to, tlse


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
