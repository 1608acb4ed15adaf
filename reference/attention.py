"""Reference implementation of attention, softcapped_attention.

GENERATED from derivations/attention.py by `lemmata generate attention`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard
Format = tuple[int, int, float]  # significand bits, exponent of the least normal number, largest number


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

    Args:
        q: queries `[..., r, n, d]`: r heads share one head of keys and values.
        k: keys `[..., m, d]`.
        v: values `[..., m, d_v]`.
        do: cotangent of o, of its shape.
        dlse: cotangent of lse, of its shape.
        keep: boolean mask `[..., r, n, m]`, True where a key may be attended to, optional.
        bias: additive mask `[..., r, n, m]`, optional.
        scale: factor of the products, by default d^(-1/2).
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        o: output `[..., r, n, d_v]`.
        lse: log-sum-exp of the scores `[..., r, n]`, base e.
        dq: gradient of q, of its shape.
        dk: gradient of k, of its shape.
        dv: gradient of v, of its shape.
        dbias: gradient of bias, of its shape, None if there is no bias.

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
    """Vector-Jacobian product: cotangents of the outputs to gradients of the inputs.

    Args:
        q: queries `[..., r, n, d]`: r heads share one head of keys and values.
        k: keys `[..., m, d]`.
        v: values `[..., m, d_v]`.
        do: cotangent of o, of its shape.
        dlse: cotangent of lse, of its shape.
        keep: boolean mask `[..., r, n, m]`, True where a key may be attended to, optional.
        bias: additive mask `[..., r, n, m]`, optional.
        scale: factor of the products, by default d^(-1/2).
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        dq: gradient of q, of its shape.
        dk: gradient of k, of its shape.
        dv: gradient of v, of its shape.
        dbias: gradient of bias, of its shape, None if there is no bias.

    Conventions:
        causal alignment: top-left: key j ≤ query i.
        fully masked row: output 0, LSE −∞, gradients 0.
        LSE base: e.
        window: w keys, the query's own included.

    Source: Vaswani et al. 2017, (1); Dao 2023, algorithms 1 and 2.
    """
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

    Args:
        q: queries `[..., r, n, d]`: r heads share one head of keys and values.
        k: keys `[..., m, d]`.
        v: values `[..., m, d_v]`.
        tq: tangent of q, of its shape.
        tk: tangent of k, of its shape.
        tv: tangent of v, of its shape.
        keep: boolean mask `[..., r, n, m]`, True where a key may be attended to, optional.
        bias: additive mask `[..., r, n, m]`, optional.
        scale: factor of the products, by default d^(-1/2).
        tbias: tangent of bias, of its shape.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        to: tangent of o, of its shape.
        tlse: tangent of lse, of its shape.

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


@np.errstate(all="ignore")
def attention_bound(
    q: Array,
    k: Array,
    v: Array,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `attention`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, m, a, z, p, o, lse).

    Returns:
        absolute errors of o, lse, infinite where a format may overflow.
    """
    xp = _namespace(q)
    u = 2.0 ** -precision["compute"][0]
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c]) + bias[r, i, j]
    s_1 = q @ k.mT[..., None, :, :]
    s_1_err = _matmul_error(q, None, k.mT[..., None, :, :], None, q.shape[-1], precision)
    s_1_err = _checked(s_1, s_1_err, precision["compute"])
    s = scale * s_1
    s_err = _product_error(scale, None, s_1, s_1_err, tiny)
    s_err = s_err + u * abs(s)
    s_err = s_err + _scaling_error(scale, q, k.mT[..., None, :, :], tiny)
    if bias is not None:
        if "s" in precision:
            s_err = _stored(s, s_err, precision["s"])
        s = s + bias
        s_err = _added(s, s_err, u * abs(s) + q.shape[-1] * u_sum * abs(bias))
    s_err = _checked(s, s_err, precision["compute"])
    if "s" in precision:
        s_err = _stored(s, s_err, precision["s"])
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m = xp.max(_where(keep, s, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)
    s_top = _top(_where(keep, s, -xp.inf), -1)
    s_m = xp.where(s_top, s_err, 0.0)
    s_err = xp.where(s_top, 0.0, s_err)
    m_err = xp.sum(s_m, axis=-1)
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])
    a_1 = s - m[..., None]
    a_1_err = _added(a_1, s_err, u * abs(a_1))
    a_1_m = s_m - m_err[..., None]
    a_1_err = _checked(a_1, a_1_err, precision["compute"], abs(a_1_m))
    a = xp.exp(_where(keep, a_1, -xp.inf))
    a_err = _exp_error(a, a_1, u, tiny, a_1_err, abs(a_1_m))
    a_m = a * a_1_m
    a_err = _where(keep, a_err, 0.0)
    a_m = _where(keep, a_m, 0.0)
    a_err = _checked(a, a_err, precision["compute"], abs(a_m))
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"], abs(a_m))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), k.shape[-2], precision)
    z_m = xp.sum(a_m, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)
    z_err = _checked(z, z_err, precision["compute"], abs(z_m))
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"], abs(z_m))
    # p[r, i, j] = a[r, i, j]/z[r, i]
    z_safe_rows = abs(z_m) + z_err
    p = a / z_safe[..., None]
    p_err = _quotient_error(p, a, a_err, z_safe[..., None], 0.0, tiny, abs(a_m), z_safe_rows[..., None]) + u * abs(p)
    p_m = (a_m - p * z_m[..., None]) / z_safe[..., None]
    p_z = -p * z_err[..., None] / z_safe[..., None]
    p_err, p_m, p_z = _within(1 + u, p_err, p_m, p_z)
    p_rows = abs(p_m) + abs(p_z)
    p_err = _checked(p, p_err, precision["compute"], p_rows)
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"], p_rows)
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    o_err = _matmul_error(p, p_err, v[..., None, :, :], None, k.shape[-2], precision, p_rows)
    o_m = p_m @ v[..., None, :, :]
    o_z = p_z @ v[..., None, :, :]
    o_rows = abs(o_m) + abs(o_z)
    o_err = _output(o, o_err + o_rows, precision.get("o", precision["compute"]))
    # lse[r, i] = m[r, i] + log(z[r, i])
    z_rows = abs(z_m) + z_err
    lse_1 = xp.where(z > 0, xp.log(z_safe), -xp.inf)
    lse_1_err = _log_error(z_safe, 0.0, z_rows) + 4 * u * xp.where(lse_1 > -xp.inf, abs(lse_1), 0.0)
    lse_1_m = z_m / z_safe
    lse_1_z = z_err / z_safe
    lse = m + lse_1
    lse_err = _added(lse, lse_1_err, u * abs(lse))
    lse_m = m_err + lse_1_m
    lse_z = lse_1_z
    lse_rows = abs(lse_m) + abs(lse_z)
    lse_err = _output(lse, lse_err + lse_rows, precision.get("lse", precision["compute"]))
    return o_err, lse_err


@np.errstate(all="ignore")
def attention_vjp_bound(
    q: Array,
    k: Array,
    v: Array,
    do: Array,
    dlse: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array, Array | None]:
    """Bound of the rounding error of `attention_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, of each stored value (s, m, a, z, p, o, dp, delta, ds,
            dq, dk, dv, dbias), and of partial sums (dq_partial, dk_partial, dv_partial).

    Returns:
        absolute errors of dq, dk, dv, dbias, infinite where a format may overflow.
    """
    xp = _namespace(q)
    u = 2.0 ** -precision["compute"][0]
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c]) + bias[r, i, j]
    s_1 = q @ k.mT[..., None, :, :]
    s_1_err = _matmul_error(q, None, k.mT[..., None, :, :], None, q.shape[-1], precision)
    s_1_err = _checked(s_1, s_1_err, precision["compute"])
    s = scale * s_1
    s_err = _product_error(scale, None, s_1, s_1_err, tiny)
    s_err = s_err + u * abs(s)
    s_err = s_err + _scaling_error(scale, q, k.mT[..., None, :, :], tiny)
    if bias is not None:
        if "s" in precision:
            s_err = _stored(s, s_err, precision["s"])
        s = s + bias
        s_err = _added(s, s_err, u * abs(s) + q.shape[-1] * u_sum * abs(bias))
    s_err = _checked(s, s_err, precision["compute"])
    if "s" in precision:
        s_err = _stored(s, s_err, precision["s"])
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m = xp.max(_where(keep, s, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)
    s_top = _top(_where(keep, s, -xp.inf), -1)
    s_m = xp.where(s_top, s_err, 0.0)
    s_err = xp.where(s_top, 0.0, s_err)
    m_err = xp.sum(s_m, axis=-1)
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])
    a_1 = s - m[..., None]
    a_1_err = _added(a_1, s_err, u * abs(a_1))
    a_1_m = s_m - m_err[..., None]
    a_1_err = _checked(a_1, a_1_err, precision["compute"], abs(a_1_m))
    a = xp.exp(_where(keep, a_1, -xp.inf))
    a_err = _exp_error(a, a_1, u, tiny, a_1_err, abs(a_1_m))
    a_m = a * a_1_m
    a_err = _where(keep, a_err, 0.0)
    a_m = _where(keep, a_m, 0.0)
    a_err = _checked(a, a_err, precision["compute"], abs(a_m))
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"], abs(a_m))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), k.shape[-2], precision)
    z_m = xp.sum(a_m, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)
    z_err = _checked(z, z_err, precision["compute"], abs(z_m))
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"], abs(z_m))
    # p[r, i, j] = a[r, i, j]/z[r, i]
    z_safe_rows = abs(z_m) + z_err
    p = a / z_safe[..., None]
    p_err = _quotient_error(p, a, a_err, z_safe[..., None], 0.0, tiny, abs(a_m), z_safe_rows[..., None]) + u * abs(p)
    p_m = (a_m - p * z_m[..., None]) / z_safe[..., None]
    p_z = -p * z_err[..., None] / z_safe[..., None]
    p_err, p_m, p_z = _within(1 + u, p_err, p_m, p_z)
    p_rows = abs(p_m) + abs(p_z)
    p_err = _checked(p, p_err, precision["compute"], p_rows)
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"], p_rows)
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    o_err = _matmul_error(p, p_err, v[..., None, :, :], None, k.shape[-2], precision, p_rows)
    o_m = p_m @ v[..., None, :, :]
    o_z = p_z @ v[..., None, :, :]
    o_rows = abs(o_m) + abs(o_z)
    o_err = _checked(o, o_err, precision["compute"], o_rows)
    if "o" in precision:
        o_err = _stored(o, o_err, precision["o"], o_rows)
    s_total = s_err + abs(s_m)
    # or p[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − (m[r, i] + log(z[r, i])))
    z_rows = abs(z_m) + z_err
    p_alt_1 = xp.log(z_safe)
    p_alt_1_err = _log_error(z_safe, 0.0, z_rows) + 4 * u * xp.where(p_alt_1 > -xp.inf, abs(p_alt_1), 0.0)
    p_alt_1_m = z_m / z_safe
    p_alt_1_z = z_err / z_safe
    p_alt_2 = m + p_alt_1
    p_alt_2_err = _added(p_alt_2, p_alt_1_err, u * abs(p_alt_2))
    p_alt_2_m = m_err + p_alt_1_m
    p_alt_2_z = p_alt_1_z
    p_alt_2_rows = abs(p_alt_2_m) + abs(p_alt_2_z)
    p_alt_2_err = _checked(p_alt_2, p_alt_2_err, precision["compute"], p_alt_2_rows)
    p_alt_2_err = p_alt_2_err + 2 * u * abs(p_alt_2)
    p_alt_3 = s - p_alt_2[..., None]
    p_alt_3_err = _added(p_alt_3, s_total, u * abs(p_alt_3))
    p_alt_3_m = -p_alt_2_m[..., None]
    p_alt_3_z = -p_alt_2_z[..., None]
    p_alt_3_row = -p_alt_2_err[..., None]
    p_alt_3_rows = abs(p_alt_3_m) + abs(p_alt_3_z) + abs(p_alt_3_row)
    p_alt_3_err = _checked(p_alt_3, p_alt_3_err, precision["compute"], p_alt_3_rows)
    p_alt = xp.exp(_where(keep, p_alt_3, -xp.inf))
    p_alt_err = _exp_error(p_alt, p_alt_3, u, tiny, p_alt_3_err, p_alt_3_rows)
    p_alt_m = p_alt * p_alt_3_m
    p_alt_z = p_alt * p_alt_3_z
    p_alt_row = p_alt * p_alt_3_row
    p_alt_err = _where(keep, p_alt_err, 0.0)
    p_alt_m = _where(keep, p_alt_m, 0.0)
    p_alt_z = _where(keep, p_alt_z, 0.0)
    p_alt_row = _where(keep, p_alt_row, 0.0)
    p_alt_rows = abs(p_alt_m) + abs(p_alt_z) + abs(p_alt_row)
    p_alt_err = _checked(p_alt, p_alt_err, precision["compute"], p_alt_rows)
    if "p" in precision:
        p_alt_err = _stored(p_alt, p_alt_err, precision["p"], p_alt_rows)
    p_err = xp.maximum(p_err, p_alt_err + abs(p_alt_m - p_m) + abs(p_alt_z - p_z))
    p_row = p_alt_row
    # dp[r, i, j] = Σ_e do[r, i, e]·v[j, e]
    dp = do @ v.mT[..., None, :, :]
    dp_err = _matmul_error(do, None, v.mT[..., None, :, :], None, v.shape[-1], precision)
    dp_err = _checked(dp, dp_err, precision["compute"])
    if "dp" in precision:
        dp_err = _stored(dp, dp_err, precision["dp"])
    # delta[r, i] = (Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]
    delta_1 = do * o
    delta_1_err = _product_error(do, None, o, o_err, tiny, 0.0, o_rows) + u * abs(delta_1)
    delta_1_m = do * o_m
    delta_1_z = do * o_z
    delta_1_rows = abs(delta_1_m) + abs(delta_1_z)
    delta_1_err = _checked(delta_1, delta_1_err, precision["compute"], delta_1_rows)
    delta = xp.sum(delta_1, axis=-1)
    delta_err = _sum_error(xp.sum(abs(delta_1), axis=-1), xp.sum(delta_1_err, axis=-1), v.shape[-1], precision)
    delta_m = xp.sum(delta_1_m, axis=-1)
    delta_z = xp.sum(delta_1_z, axis=-1)
    if dlse is not None:
        if "delta" in precision:
            delta_err = _stored(delta, delta_err, precision["delta"])
        delta = delta - dlse
        delta_err = _added(delta, delta_err, u * abs(delta) + v.shape[-1] * u_sum * abs(dlse))
    # or delta[r, i] = (Σ_j p[r, i, j]·dp[r, i, j]) − dlse[r, i]
    p_rows = abs(p_m) + abs(p_z) + abs(p_row)
    delta_alt_1 = p * dp
    delta_alt_1_err = _product_error(p, p_err, dp, dp_err, tiny, p_rows, 0.0) + u * abs(delta_alt_1)
    delta_alt_1_m = p_m * dp
    delta_alt_1_z = p_z * dp
    delta_alt_1_row = p_row * dp
    delta_alt_1_rows = abs(delta_alt_1_m) + abs(delta_alt_1_z) + abs(delta_alt_1_row)
    delta_alt_1_err = _checked(delta_alt_1, delta_alt_1_err, precision["compute"], delta_alt_1_rows)
    delta_alt = xp.sum(delta_alt_1, axis=-1)
    delta_alt_err = _sum_error(
        xp.sum(abs(delta_alt_1), axis=-1), xp.sum(delta_alt_1_err, axis=-1), k.shape[-2], precision
    )
    delta_alt_m = xp.sum(delta_alt_1_m, axis=-1)
    delta_alt_z = xp.sum(delta_alt_1_z, axis=-1)
    delta_alt_row = xp.sum(delta_alt_1_row, axis=-1)
    if dlse is not None:
        if "delta" in precision:
            delta_alt_err = _stored(delta_alt, delta_alt_err, precision["delta"])
        delta_alt = delta_alt - dlse
        delta_alt_err = _added(delta_alt, delta_alt_err, u * abs(delta_alt) + k.shape[-2] * u_sum * abs(dlse))
    delta_err = xp.maximum(
        delta_err, delta_alt_err + abs(delta_alt_m - delta_m) + abs(delta_alt_z - delta_z) + abs(delta_alt_row)
    )
    delta_rows = abs(delta_m) + abs(delta_z)
    delta_err = _checked(delta, delta_err, precision["compute"], delta_rows)
    if "delta" in precision:
        delta_err = _stored(delta, delta_err, precision["delta"], delta_rows)
    # ds[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])
    ds_1 = dp - delta[..., None]
    ds_1_err = _added(ds_1, dp_err, u * abs(ds_1))
    ds_1_m = -delta_m[..., None]
    ds_1_z = -delta_z[..., None]
    ds_1_delta = -delta_err[..., None]
    ds_1_rows = abs(ds_1_m) + abs(ds_1_z) + abs(ds_1_delta)
    ds_1_err = _checked(ds_1, ds_1_err, precision["compute"], ds_1_rows)
    ds = p * ds_1
    ds_err = _product_error(p, p_err, ds_1, ds_1_err, tiny, p_rows, ds_1_rows) + u * abs(ds)
    ds_m = p_m * ds_1 + p * ds_1_m
    ds_z = p_z * ds_1 + p * ds_1_z
    ds_row = p_row * ds_1
    ds_delta = p * ds_1_delta
    ds_rows = abs(ds_m) + abs(ds_z) + abs(ds_row) + abs(ds_delta)
    ds_err = _checked(ds, ds_err, precision["compute"], ds_rows)
    if "ds" in precision:
        ds_err = _stored(ds, ds_err, precision["ds"], ds_rows)
    # dq[r, i, c] = scale·(Σ_j ds[r, i, j]·k[j, c])
    dq_1 = ds @ k[..., None, :, :]
    dq_1_err = _matmul_error(ds, ds_err, k[..., None, :, :], None, k.shape[-2], precision, ds_rows)
    dq_1_m = ds_m @ k[..., None, :, :]
    dq_1_z = ds_z @ k[..., None, :, :]
    dq_1_row = ds_row @ k[..., None, :, :]
    dq_1_delta = ds_delta @ k[..., None, :, :]
    dq_1_rows = abs(dq_1_m) + abs(dq_1_z) + abs(dq_1_row) + abs(dq_1_delta)
    dq_1_err = _checked(dq_1, dq_1_err, precision["compute"], dq_1_rows)
    dq_1_total = dq_1_err + dq_1_rows
    dq = scale * dq_1
    dq_err = _product_error(scale, None, dq_1, dq_1_total, tiny)
    dq_err = dq_err + u * abs(dq)
    dq_err = dq_err + _scaling_error(scale, ds, k[..., None, :, :], tiny)
    if "dq_partial" in precision:
        dq_size = abs(scale) * ((abs(ds) + ds_err + ds_rows) @ abs(k[..., None, :, :]))
        dq_err = dq_err + _partial_error(dq_size, k.shape[-2], 1, precision["dq_partial"])
    dq_err = _output(dq, dq_err, precision.get("dq", precision["compute"]))
    # dk[j, c] = scale·(Σ_i (Σ_r ds[r, i, j]·q[r, i, c]))
    ds_total = ds_err + ds_rows
    dk_1 = xp.sum(ds.mT @ q, axis=-3)
    dk_1_err = xp.sum(_matmul_error(ds.mT, ds_total.mT, q, None, q.shape[-2] * q.shape[-3], precision), axis=-3)
    dk_1_err = _checked(dk_1, dk_1_err, precision["compute"])
    dk = scale * dk_1
    dk_err = _product_error(scale, None, dk_1, dk_1_err, tiny)
    dk_err = dk_err + u * abs(dk)
    dk_err = dk_err + xp.sum(_scaling_error(scale, ds.mT, q, tiny), axis=-3)
    if "dk_partial" in precision:
        dk_size = abs(scale) * xp.sum((abs(ds.mT) + ds_total.mT) @ abs(q), axis=-3)
        dk_err = dk_err + _partial_error(dk_size, q.shape[-2], q.shape[-3], precision["dk_partial"])
    dk_err = _output(dk, dk_err, precision.get("dk", precision["compute"]))
    # dv[j, e] = Σ_i (Σ_r do[r, i, e]·p[r, i, j])
    p_total = p_err + p_rows
    dv = xp.sum(p.mT @ do, axis=-3)
    dv_err = xp.sum(_matmul_error(p.mT, p_total.mT, do, None, q.shape[-2] * q.shape[-3], precision), axis=-3)
    if "dv_partial" in precision:
        dv_size = xp.sum((abs(p.mT) + p_total.mT) @ abs(do), axis=-3)
        dv_err = dv_err + _partial_error(dv_size, q.shape[-2], q.shape[-3], precision["dv_partial"])
    dv_err = _output(dv, dv_err, precision.get("dv", precision["compute"]))
    # dbias[r, i, j] = ds[r, i, j]
    dbias = ds
    dbias_err = ds_total
    dbias_err = None if bias is None else _output(dbias, dbias_err, precision.get("dbias", precision["compute"]))
    return dq_err, dk_err, dv_err, dbias_err


@np.errstate(all="ignore")
def attention_jvp_bound(
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
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `attention_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, m, a, z, p, ts, delta, tp,
            to, tlse).

    Returns:
        absolute errors of to, tlse, infinite where a format may overflow.
    """
    xp = _namespace(q)
    u = 2.0 ** -precision["compute"][0]
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c]) + bias[r, i, j]
    s_1 = q @ k.mT[..., None, :, :]
    s_1_err = _matmul_error(q, None, k.mT[..., None, :, :], None, q.shape[-1], precision)
    s_1_err = _checked(s_1, s_1_err, precision["compute"])
    s = scale * s_1
    s_err = _product_error(scale, None, s_1, s_1_err, tiny)
    s_err = s_err + u * abs(s)
    s_err = s_err + _scaling_error(scale, q, k.mT[..., None, :, :], tiny)
    if bias is not None:
        if "s" in precision:
            s_err = _stored(s, s_err, precision["s"])
        s = s + bias
        s_err = _added(s, s_err, u * abs(s) + q.shape[-1] * u_sum * abs(bias))
    s_err = _checked(s, s_err, precision["compute"])
    if "s" in precision:
        s_err = _stored(s, s_err, precision["s"])
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m = xp.max(_where(keep, s, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)
    s_top = _top(_where(keep, s, -xp.inf), -1)
    s_m = xp.where(s_top, s_err, 0.0)
    s_err = xp.where(s_top, 0.0, s_err)
    m_err = xp.sum(s_m, axis=-1)
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])
    a_1 = s - m[..., None]
    a_1_err = _added(a_1, s_err, u * abs(a_1))
    a_1_m = s_m - m_err[..., None]
    a_1_err = _checked(a_1, a_1_err, precision["compute"], abs(a_1_m))
    a = xp.exp(_where(keep, a_1, -xp.inf))
    a_err = _exp_error(a, a_1, u, tiny, a_1_err, abs(a_1_m))
    a_m = a * a_1_m
    a_err = _where(keep, a_err, 0.0)
    a_m = _where(keep, a_m, 0.0)
    a_err = _checked(a, a_err, precision["compute"], abs(a_m))
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"], abs(a_m))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), k.shape[-2], precision)
    z_m = xp.sum(a_m, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)
    z_err = _checked(z, z_err, precision["compute"], abs(z_m))
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"], abs(z_m))
    # p[r, i, j] = a[r, i, j]/z[r, i]
    z_safe_rows = abs(z_m) + z_err
    p = a / z_safe[..., None]
    p_err = _quotient_error(p, a, a_err, z_safe[..., None], 0.0, tiny, abs(a_m), z_safe_rows[..., None]) + u * abs(p)
    p_m = (a_m - p * z_m[..., None]) / z_safe[..., None]
    p_z = -p * z_err[..., None] / z_safe[..., None]
    p_err, p_m, p_z = _within(1 + u, p_err, p_m, p_z)
    p_rows = abs(p_m) + abs(p_z)
    p_err = _checked(p, p_err, precision["compute"], p_rows)
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"], p_rows)
    # ts[r, i, j] = (Σ_c tq[r, i, c]·k[j, c])·scale + (Σ_c tk[j, c]·q[r, i, c])·scale + tbias[r, i, j]
    ts_1 = tq @ k.mT[..., None, :, :]
    ts_1_err = _matmul_error(tq, None, k.mT[..., None, :, :], None, q.shape[-1], precision)
    ts_1_err = _checked(ts_1, ts_1_err, precision["compute"])
    ts_2 = ts_1 * scale
    ts_2_err = _product_error(ts_1, ts_1_err, scale, None, tiny)
    ts_2_err = ts_2_err + u * abs(ts_2)
    ts_2_err = ts_2_err + _scaling_error(scale, tq, k.mT[..., None, :, :], tiny)
    ts_2_err = _checked(ts_2, ts_2_err, precision["compute"])
    ts_3 = q @ tk.mT[..., None, :, :]
    ts_3_err = _matmul_error(q, None, tk.mT[..., None, :, :], None, q.shape[-1], precision)
    ts_3_err = _checked(ts_3, ts_3_err, precision["compute"])
    ts_4 = ts_3 * scale
    ts_4_err = _product_error(ts_3, ts_3_err, scale, None, tiny)
    ts_4_err = ts_4_err + u * abs(ts_4)
    ts_4_err = ts_4_err + _scaling_error(scale, q, tk.mT[..., None, :, :], tiny)
    ts_4_err = _checked(ts_4, ts_4_err, precision["compute"])
    ts = ts_2 + ts_4
    ts_err = _added(ts, ts_2_err + ts_4_err, u * abs(ts))
    if tbias is not None:
        if "ts" in precision:
            ts_err = _stored(ts, ts_err, precision["ts"])
        ts = ts + tbias
        ts_err = _added(ts, ts_err, u * abs(ts))
    ts_err = _checked(ts, ts_err, precision["compute"])
    if "ts" in precision:
        ts_err = _stored(ts, ts_err, precision["ts"])
    # delta[r, i] = Σ_j p[r, i, j]·ts[r, i, j]
    delta_1 = p * ts
    delta_1_err = _product_error(p, p_err, ts, ts_err, tiny, p_rows, 0.0) + u * abs(delta_1)
    delta_1_m = p_m * ts
    delta_1_z = p_z * ts
    delta_1_rows = abs(delta_1_m) + abs(delta_1_z)
    delta_1_err = _checked(delta_1, delta_1_err, precision["compute"], delta_1_rows)
    delta = xp.sum(delta_1, axis=-1)
    delta_err = _sum_error(xp.sum(abs(delta_1), axis=-1), xp.sum(delta_1_err, axis=-1), k.shape[-2], precision)
    delta_m = xp.sum(delta_1_m, axis=-1)
    delta_z = xp.sum(delta_1_z, axis=-1)
    delta_rows = abs(delta_m) + abs(delta_z)
    delta_err = _checked(delta, delta_err, precision["compute"], delta_rows)
    if "delta" in precision:
        delta_err = _stored(delta, delta_err, precision["delta"], delta_rows)
    # tp[r, i, j] = p[r, i, j]·(ts[r, i, j] − delta[r, i])
    tp_1 = ts - delta[..., None]
    tp_1_err = _added(tp_1, ts_err, u * abs(tp_1))
    tp_1_m = -delta_m[..., None]
    tp_1_z = -delta_z[..., None]
    tp_1_delta = -delta_err[..., None]
    tp_1_rows = abs(tp_1_m) + abs(tp_1_z) + abs(tp_1_delta)
    tp_1_err = _checked(tp_1, tp_1_err, precision["compute"], tp_1_rows)
    tp = p * tp_1
    tp_err = _product_error(p, p_err, tp_1, tp_1_err, tiny, p_rows, tp_1_rows) + u * abs(tp)
    tp_m = p_m * tp_1 + p * tp_1_m
    tp_z = p_z * tp_1 + p * tp_1_z
    tp_delta = p * tp_1_delta
    tp_rows = abs(tp_m) + abs(tp_z) + abs(tp_delta)
    tp_err = _checked(tp, tp_err, precision["compute"], tp_rows)
    if "tp" in precision:
        tp_err = _stored(tp, tp_err, precision["tp"], tp_rows)
    # to[r, i, e] = (Σ_j tp[r, i, j]·v[j, e]) + Σ_j tv[j, e]·p[r, i, j]
    to_1 = tp @ v[..., None, :, :]
    to_1_err = _matmul_error(tp, tp_err, v[..., None, :, :], None, k.shape[-2], precision, tp_rows)
    to_1_m = tp_m @ v[..., None, :, :]
    to_1_z = tp_z @ v[..., None, :, :]
    to_1_delta = tp_delta @ v[..., None, :, :]
    to_1_rows = abs(to_1_m) + abs(to_1_z) + abs(to_1_delta)
    to_1_err = _checked(to_1, to_1_err, precision["compute"], to_1_rows)
    to_2 = p @ tv[..., None, :, :]
    to_2_err = _matmul_error(p, p_err, tv[..., None, :, :], None, k.shape[-2], precision, p_rows)
    to_2_m = p_m @ tv[..., None, :, :]
    to_2_z = p_z @ tv[..., None, :, :]
    to_2_rows = abs(to_2_m) + abs(to_2_z)
    to_2_err = _checked(to_2, to_2_err, precision["compute"], to_2_rows)
    to = to_1 + to_2
    to_err = _added(to, to_1_err + to_2_err, u * abs(to))
    to_m = to_1_m + to_2_m
    to_z = to_1_z + to_2_z
    to_delta = to_1_delta
    to_rows = abs(to_m) + abs(to_z) + abs(to_delta)
    to_err = _output(to, to_err + to_rows, precision.get("to", precision["compute"]))
    # tlse[r, i] = delta[r, i]
    delta_rows = abs(delta_m) + abs(delta_z) + delta_err
    tlse = delta
    tlse_err = delta_rows
    tlse_err = _output(tlse, tlse_err, precision.get("tlse", precision["compute"]))
    return to_err, tlse_err


def softcapped_attention(
    q: Array,
    k: Array,
    v: Array,
    cap: float,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array]:
    """Attention whose products are capped: t = cap · tanh(s / cap) + bias.

    Args:
        q: queries `[..., r, n, d]`: r heads share one head of keys and values.
        k: keys `[..., m, d]`.
        v: values `[..., m, d_v]`.
        cap: largest magnitude of a capped product, positive.
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

    Source: Vaswani et al. 2017, (1); Gemma Team 2024, logit soft-capping.
    """
    xp = _namespace(q)
    if chunk is not None:
        parts = []
        for rows in _chunks(q.shape[-2], chunk):
            o, lse = softcapped_attention(
                _rows(q, -2, rows), k, v, cap, keep=_rows(keep, -2, rows), bias=_rows(bias, -2, rows), scale=scale
            )
            parts.append((o, lse))
        o = xp.concat([part[0] for part in parts], axis=-2)
        lse = xp.concat([part[1] for part in parts], axis=-1)
        return o, lse
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c])
    s = (scale * q) @ k.mT[..., None, :, :]
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t = cap * xp.tanh(_over(s, cap))
    if bias is not None:
        t = t + bias
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)  # a row without keys: any shift will do
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])  (S2)
    a = _exp(_where(keep, _minus(t, m[..., None]), -xp.inf))
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


def softcapped_attention_value_and_vjp(
    q: Array,
    k: Array,
    v: Array,
    cap: float,
    do: Array,
    dlse: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array, Array, Array, Array | None]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args:
        q: queries `[..., r, n, d]`: r heads share one head of keys and values.
        k: keys `[..., m, d]`.
        v: values `[..., m, d_v]`.
        cap: largest magnitude of a capped product, positive.
        do: cotangent of o, of its shape.
        dlse: cotangent of lse, of its shape.
        keep: boolean mask `[..., r, n, m]`, True where a key may be attended to, optional.
        bias: additive mask `[..., r, n, m]`, optional.
        scale: factor of the products, by default d^(-1/2).
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        o: output `[..., r, n, d_v]`.
        lse: log-sum-exp of the scores `[..., r, n]`, base e.
        dq: gradient of q, of its shape.
        dk: gradient of k, of its shape.
        dv: gradient of v, of its shape.
        dbias: gradient of bias, of its shape, None if there is no bias.

    Conventions:
        causal alignment: top-left: key j ≤ query i.
        fully masked row: output 0, LSE −∞, gradients 0.
        LSE base: e.
        window: w keys, the query's own included.

    Source: Vaswani et al. 2017, (1); Gemma Team 2024, logit soft-capping.
    """
    xp = _namespace(q)
    if chunk is not None:
        parts = []
        dk = 0.0
        dv = 0.0
        for rows in _chunks(q.shape[-2], chunk):
            o, lse, dq, dk_part, dv_part, dbias = softcapped_attention_value_and_vjp(
                _rows(q, -2, rows),
                k,
                v,
                cap,
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
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c])
    s = (scale * q) @ k.mT[..., None, :, :]
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t = cap * xp.tanh(s / cap)
    if bias is not None:
        t = t + bias
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)  # a row without keys: any shift will do
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])  (S2)
    a = _exp(_where(keep, _minus(t, m[..., None]), -xp.inf))
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
    # dt[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])
    dt = _times(_minus(dp, delta[..., None]), p)
    # ds[r, i, j] = dt[r, i, j]·(-tanh(s[r, i, j]/cap)^2 + 1)
    ds = dt * (1 - xp.tanh(s / cap) ** 2)
    # dq[r, i, c] = scale·(Σ_j ds[r, i, j]·k[j, c])
    dq = scale * (ds @ k[..., None, :, :])
    # dk[j, c] = scale·(Σ_i (Σ_r ds[r, i, j]·q[r, i, c]))
    dk = scale * xp.sum(ds.mT @ q, axis=-3)
    # dv[j, e] = Σ_i (Σ_r do[r, i, e]·p[r, i, j])
    dv = xp.sum(p.mT @ do, axis=-3)
    # dbias[r, i, j] = dt[r, i, j]
    dbias = None if bias is None else dt
    return o, lse, dq, dk, dv, dbias


def softcapped_attention_vjp(
    q: Array,
    k: Array,
    v: Array,
    cap: float,
    do: Array,
    dlse: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array, Array | None]:
    """Vector-Jacobian product: cotangents of the outputs to gradients of the inputs.

    Args:
        q: queries `[..., r, n, d]`: r heads share one head of keys and values.
        k: keys `[..., m, d]`.
        v: values `[..., m, d_v]`.
        cap: largest magnitude of a capped product, positive.
        do: cotangent of o, of its shape.
        dlse: cotangent of lse, of its shape.
        keep: boolean mask `[..., r, n, m]`, True where a key may be attended to, optional.
        bias: additive mask `[..., r, n, m]`, optional.
        scale: factor of the products, by default d^(-1/2).
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        dq: gradient of q, of its shape.
        dk: gradient of k, of its shape.
        dv: gradient of v, of its shape.
        dbias: gradient of bias, of its shape, None if there is no bias.

    Conventions:
        causal alignment: top-left: key j ≤ query i.
        fully masked row: output 0, LSE −∞, gradients 0.
        LSE base: e.
        window: w keys, the query's own included.

    Source: Vaswani et al. 2017, (1); Gemma Team 2024, logit soft-capping.
    """
    _, _, dq, dk, dv, dbias = softcapped_attention_value_and_vjp(q, k, v, cap, do, dlse, keep, bias, scale, chunk=chunk)
    return dq, dk, dv, dbias


def softcapped_attention_jvp(
    q: Array,
    k: Array,
    v: Array,
    cap: float,
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

    Args:
        q: queries `[..., r, n, d]`: r heads share one head of keys and values.
        k: keys `[..., m, d]`.
        v: values `[..., m, d_v]`.
        cap: largest magnitude of a capped product, positive.
        tq: tangent of q, of its shape.
        tk: tangent of k, of its shape.
        tv: tangent of v, of its shape.
        keep: boolean mask `[..., r, n, m]`, True where a key may be attended to, optional.
        bias: additive mask `[..., r, n, m]`, optional.
        scale: factor of the products, by default d^(-1/2).
        tbias: tangent of bias, of its shape.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        to: tangent of o, of its shape.
        tlse: tangent of lse, of its shape.

    Conventions:
        causal alignment: top-left: key j ≤ query i.
        fully masked row: output 0, LSE −∞, gradients 0.
        LSE base: e.
        window: w keys, the query's own included.

    Source: Vaswani et al. 2017, (1); Gemma Team 2024, logit soft-capping.
    """
    xp = _namespace(q)
    if chunk is not None:
        parts = []
        for rows in _chunks(q.shape[-2], chunk):
            to, tlse = softcapped_attention_jvp(
                _rows(q, -2, rows),
                k,
                v,
                cap,
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
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c])
    s = (scale * q) @ k.mT[..., None, :, :]
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t = cap * xp.tanh(s / cap)
    if bias is not None:
        t = t + bias
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)  # a row without keys: any shift will do
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])  (S2)
    a = _exp(_where(keep, _minus(t, m[..., None]), -xp.inf))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)  # 0/0 is 0 in a row without keys
    # p[r, i, j] = a[r, i, j]/z[r, i]  (S1)
    p = _over(a, z_safe[..., None])
    # ts[r, i, j] = (Σ_c tq[r, i, c]·k[j, c])·scale + (Σ_c tk[j, c]·q[r, i, c])·scale
    ts = (scale * tq) @ k.mT[..., None, :, :] + (scale * q) @ tk.mT[..., None, :, :]
    # tt[r, i, j] = tbias[r, i, j] + ts[r, i, j] − ts[r, i, j]·tanh(s[r, i, j]/cap)^2
    tt = ts - ts * xp.tanh(s / cap) ** 2
    if tbias is not None:
        tt = tt + tbias
    # delta[r, i] = Σ_j p[r, i, j]·tt[r, i, j]
    delta = xp.sum(p * tt, axis=-1)
    # tp[r, i, j] = p[r, i, j]·(tt[r, i, j] − delta[r, i])
    tp = _times(_minus(tt, delta[..., None]), p)
    # to[r, i, e] = (Σ_j tp[r, i, j]·v[j, e]) + Σ_j tv[j, e]·p[r, i, j]
    to = tp @ v[..., None, :, :] + p @ tv[..., None, :, :]
    # tlse[r, i] = delta[r, i]
    tlse = delta
    return to, tlse


@np.errstate(all="ignore")
def softcapped_attention_bound(
    q: Array,
    k: Array,
    v: Array,
    cap: float,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `softcapped_attention`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, t, m, a, z, p, o, lse).

    Returns:
        absolute errors of o, lse, infinite where a format may overflow.
    """
    xp = _namespace(q)
    u = 2.0 ** -precision["compute"][0]
    tiny = _tiny(precision["compute"])
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c])
    s_1 = q @ k.mT[..., None, :, :]
    s_1_err = _matmul_error(q, None, k.mT[..., None, :, :], None, q.shape[-1], precision)
    s_1_err = _checked(s_1, s_1_err, precision["compute"])
    s = scale * s_1
    s_err = _product_error(scale, None, s_1, s_1_err, tiny)
    s_err = s_err + u * abs(s)
    s_err = s_err + _scaling_error(scale, q, k.mT[..., None, :, :], tiny)
    s_err = _checked(s, s_err, precision["compute"])
    if "s" in precision:
        s_err = _stored(s, s_err, precision["s"])
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t_1 = s / cap
    t_1_err = _quotient_error(t_1, s, s_err, cap, None, tiny) + u * abs(t_1)
    t_1_err = _checked(t_1, t_1_err, precision["compute"])
    t_2 = xp.tanh(t_1)
    t_2_err = t_1_err + 4 * u * abs(t_2)
    t = cap * t_2
    t_err = _product_error(cap, None, t_2, t_2_err, tiny) + u * abs(t)
    if bias is not None:
        if "t" in precision:
            t_err = _stored(t, t_err, precision["t"])
        t = t + bias
        t_err = _added(t, t_err, u * abs(t))
    t_err = _checked(t, t_err, precision["compute"])
    if "t" in precision:
        t_err = _stored(t, t_err, precision["t"])
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)
    t_top = _top(_where(keep, t, -xp.inf), -1)
    t_m = xp.where(t_top, t_err, 0.0)
    t_err = xp.where(t_top, 0.0, t_err)
    m_err = xp.sum(t_m, axis=-1)
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])
    a_1 = t - m[..., None]
    a_1_err = _added(a_1, t_err, u * abs(a_1))
    a_1_m = t_m - m_err[..., None]
    a_1_err = _checked(a_1, a_1_err, precision["compute"], abs(a_1_m))
    a = xp.exp(_where(keep, a_1, -xp.inf))
    a_err = _exp_error(a, a_1, u, tiny, a_1_err, abs(a_1_m))
    a_m = a * a_1_m
    a_err = _where(keep, a_err, 0.0)
    a_m = _where(keep, a_m, 0.0)
    a_err = _checked(a, a_err, precision["compute"], abs(a_m))
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"], abs(a_m))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), k.shape[-2], precision)
    z_m = xp.sum(a_m, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)
    z_err = _checked(z, z_err, precision["compute"], abs(z_m))
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"], abs(z_m))
    # p[r, i, j] = a[r, i, j]/z[r, i]
    z_safe_rows = abs(z_m) + z_err
    p = a / z_safe[..., None]
    p_err = _quotient_error(p, a, a_err, z_safe[..., None], 0.0, tiny, abs(a_m), z_safe_rows[..., None]) + u * abs(p)
    p_m = (a_m - p * z_m[..., None]) / z_safe[..., None]
    p_z = -p * z_err[..., None] / z_safe[..., None]
    p_err, p_m, p_z = _within(1 + u, p_err, p_m, p_z)
    p_rows = abs(p_m) + abs(p_z)
    p_err = _checked(p, p_err, precision["compute"], p_rows)
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"], p_rows)
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    o_err = _matmul_error(p, p_err, v[..., None, :, :], None, k.shape[-2], precision, p_rows)
    o_m = p_m @ v[..., None, :, :]
    o_z = p_z @ v[..., None, :, :]
    o_rows = abs(o_m) + abs(o_z)
    o_err = _output(o, o_err + o_rows, precision.get("o", precision["compute"]))
    # lse[r, i] = m[r, i] + log(z[r, i])
    z_rows = abs(z_m) + z_err
    lse_1 = xp.where(z > 0, xp.log(z_safe), -xp.inf)
    lse_1_err = _log_error(z_safe, 0.0, z_rows) + 4 * u * xp.where(lse_1 > -xp.inf, abs(lse_1), 0.0)
    lse_1_m = z_m / z_safe
    lse_1_z = z_err / z_safe
    lse = m + lse_1
    lse_err = _added(lse, lse_1_err, u * abs(lse))
    lse_m = m_err + lse_1_m
    lse_z = lse_1_z
    lse_rows = abs(lse_m) + abs(lse_z)
    lse_err = _output(lse, lse_err + lse_rows, precision.get("lse", precision["compute"]))
    return o_err, lse_err


@np.errstate(all="ignore")
def softcapped_attention_vjp_bound(
    q: Array,
    k: Array,
    v: Array,
    cap: float,
    do: Array,
    dlse: Array | None = None,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array, Array | None]:
    """Bound of the rounding error of `softcapped_attention_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, of each stored value (s, t, m, a, z, p, o, dp, delta,
            dt, ds, dq, dk, dv, dbias), and of partial sums (dq_partial, dk_partial, dv_partial).

    Returns:
        absolute errors of dq, dk, dv, dbias, infinite where a format may overflow.
    """
    xp = _namespace(q)
    u = 2.0 ** -precision["compute"][0]
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c])
    s_1 = q @ k.mT[..., None, :, :]
    s_1_err = _matmul_error(q, None, k.mT[..., None, :, :], None, q.shape[-1], precision)
    s_1_err = _checked(s_1, s_1_err, precision["compute"])
    s = scale * s_1
    s_err = _product_error(scale, None, s_1, s_1_err, tiny)
    s_err = s_err + u * abs(s)
    s_err = s_err + _scaling_error(scale, q, k.mT[..., None, :, :], tiny)
    s_err = _checked(s, s_err, precision["compute"])
    if "s" in precision:
        s_err = _stored(s, s_err, precision["s"])
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t_1 = s / cap
    t_1_err = _quotient_error(t_1, s, s_err, cap, None, tiny) + u * abs(t_1)
    t_1_err = _checked(t_1, t_1_err, precision["compute"])
    t_2 = xp.tanh(t_1)
    t_2_err = t_1_err + 4 * u * abs(t_2)
    t = cap * t_2
    t_err = _product_error(cap, None, t_2, t_2_err, tiny) + u * abs(t)
    if bias is not None:
        if "t" in precision:
            t_err = _stored(t, t_err, precision["t"])
        t = t + bias
        t_err = _added(t, t_err, u * abs(t))
    t_err = _checked(t, t_err, precision["compute"])
    if "t" in precision:
        t_err = _stored(t, t_err, precision["t"])
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)
    t_top = _top(_where(keep, t, -xp.inf), -1)
    t_m = xp.where(t_top, t_err, 0.0)
    t_err = xp.where(t_top, 0.0, t_err)
    m_err = xp.sum(t_m, axis=-1)
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])
    a_1 = t - m[..., None]
    a_1_err = _added(a_1, t_err, u * abs(a_1))
    a_1_m = t_m - m_err[..., None]
    a_1_err = _checked(a_1, a_1_err, precision["compute"], abs(a_1_m))
    a = xp.exp(_where(keep, a_1, -xp.inf))
    a_err = _exp_error(a, a_1, u, tiny, a_1_err, abs(a_1_m))
    a_m = a * a_1_m
    a_err = _where(keep, a_err, 0.0)
    a_m = _where(keep, a_m, 0.0)
    a_err = _checked(a, a_err, precision["compute"], abs(a_m))
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"], abs(a_m))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), k.shape[-2], precision)
    z_m = xp.sum(a_m, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)
    z_err = _checked(z, z_err, precision["compute"], abs(z_m))
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"], abs(z_m))
    # p[r, i, j] = a[r, i, j]/z[r, i]
    z_safe_rows = abs(z_m) + z_err
    p = a / z_safe[..., None]
    p_err = _quotient_error(p, a, a_err, z_safe[..., None], 0.0, tiny, abs(a_m), z_safe_rows[..., None]) + u * abs(p)
    p_m = (a_m - p * z_m[..., None]) / z_safe[..., None]
    p_z = -p * z_err[..., None] / z_safe[..., None]
    p_err, p_m, p_z = _within(1 + u, p_err, p_m, p_z)
    p_rows = abs(p_m) + abs(p_z)
    p_err = _checked(p, p_err, precision["compute"], p_rows)
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"], p_rows)
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    o_err = _matmul_error(p, p_err, v[..., None, :, :], None, k.shape[-2], precision, p_rows)
    o_m = p_m @ v[..., None, :, :]
    o_z = p_z @ v[..., None, :, :]
    o_rows = abs(o_m) + abs(o_z)
    o_err = _checked(o, o_err, precision["compute"], o_rows)
    if "o" in precision:
        o_err = _stored(o, o_err, precision["o"], o_rows)
    t_total = t_err + abs(t_m)
    # or p[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − (m[r, i] + log(z[r, i])))
    z_rows = abs(z_m) + z_err
    p_alt_1 = xp.log(z_safe)
    p_alt_1_err = _log_error(z_safe, 0.0, z_rows) + 4 * u * xp.where(p_alt_1 > -xp.inf, abs(p_alt_1), 0.0)
    p_alt_1_m = z_m / z_safe
    p_alt_1_z = z_err / z_safe
    p_alt_2 = m + p_alt_1
    p_alt_2_err = _added(p_alt_2, p_alt_1_err, u * abs(p_alt_2))
    p_alt_2_m = m_err + p_alt_1_m
    p_alt_2_z = p_alt_1_z
    p_alt_2_rows = abs(p_alt_2_m) + abs(p_alt_2_z)
    p_alt_2_err = _checked(p_alt_2, p_alt_2_err, precision["compute"], p_alt_2_rows)
    p_alt_2_err = p_alt_2_err + 2 * u * abs(p_alt_2)
    p_alt_3 = t - p_alt_2[..., None]
    p_alt_3_err = _added(p_alt_3, t_total, u * abs(p_alt_3))
    p_alt_3_m = -p_alt_2_m[..., None]
    p_alt_3_z = -p_alt_2_z[..., None]
    p_alt_3_row = -p_alt_2_err[..., None]
    p_alt_3_rows = abs(p_alt_3_m) + abs(p_alt_3_z) + abs(p_alt_3_row)
    p_alt_3_err = _checked(p_alt_3, p_alt_3_err, precision["compute"], p_alt_3_rows)
    p_alt = xp.exp(_where(keep, p_alt_3, -xp.inf))
    p_alt_err = _exp_error(p_alt, p_alt_3, u, tiny, p_alt_3_err, p_alt_3_rows)
    p_alt_m = p_alt * p_alt_3_m
    p_alt_z = p_alt * p_alt_3_z
    p_alt_row = p_alt * p_alt_3_row
    p_alt_err = _where(keep, p_alt_err, 0.0)
    p_alt_m = _where(keep, p_alt_m, 0.0)
    p_alt_z = _where(keep, p_alt_z, 0.0)
    p_alt_row = _where(keep, p_alt_row, 0.0)
    p_alt_rows = abs(p_alt_m) + abs(p_alt_z) + abs(p_alt_row)
    p_alt_err = _checked(p_alt, p_alt_err, precision["compute"], p_alt_rows)
    if "p" in precision:
        p_alt_err = _stored(p_alt, p_alt_err, precision["p"], p_alt_rows)
    p_err = xp.maximum(p_err, p_alt_err + abs(p_alt_m - p_m) + abs(p_alt_z - p_z))
    p_row = p_alt_row
    # dp[r, i, j] = Σ_e do[r, i, e]·v[j, e]
    dp = do @ v.mT[..., None, :, :]
    dp_err = _matmul_error(do, None, v.mT[..., None, :, :], None, v.shape[-1], precision)
    dp_err = _checked(dp, dp_err, precision["compute"])
    if "dp" in precision:
        dp_err = _stored(dp, dp_err, precision["dp"])
    # delta[r, i] = (Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]
    delta_1 = do * o
    delta_1_err = _product_error(do, None, o, o_err, tiny, 0.0, o_rows) + u * abs(delta_1)
    delta_1_m = do * o_m
    delta_1_z = do * o_z
    delta_1_rows = abs(delta_1_m) + abs(delta_1_z)
    delta_1_err = _checked(delta_1, delta_1_err, precision["compute"], delta_1_rows)
    delta = xp.sum(delta_1, axis=-1)
    delta_err = _sum_error(xp.sum(abs(delta_1), axis=-1), xp.sum(delta_1_err, axis=-1), v.shape[-1], precision)
    delta_m = xp.sum(delta_1_m, axis=-1)
    delta_z = xp.sum(delta_1_z, axis=-1)
    if dlse is not None:
        if "delta" in precision:
            delta_err = _stored(delta, delta_err, precision["delta"])
        delta = delta - dlse
        delta_err = _added(delta, delta_err, u * abs(delta) + v.shape[-1] * u_sum * abs(dlse))
    # or delta[r, i] = (Σ_j p[r, i, j]·dp[r, i, j]) − dlse[r, i]
    p_rows = abs(p_m) + abs(p_z) + abs(p_row)
    delta_alt_1 = p * dp
    delta_alt_1_err = _product_error(p, p_err, dp, dp_err, tiny, p_rows, 0.0) + u * abs(delta_alt_1)
    delta_alt_1_m = p_m * dp
    delta_alt_1_z = p_z * dp
    delta_alt_1_row = p_row * dp
    delta_alt_1_rows = abs(delta_alt_1_m) + abs(delta_alt_1_z) + abs(delta_alt_1_row)
    delta_alt_1_err = _checked(delta_alt_1, delta_alt_1_err, precision["compute"], delta_alt_1_rows)
    delta_alt = xp.sum(delta_alt_1, axis=-1)
    delta_alt_err = _sum_error(
        xp.sum(abs(delta_alt_1), axis=-1), xp.sum(delta_alt_1_err, axis=-1), k.shape[-2], precision
    )
    delta_alt_m = xp.sum(delta_alt_1_m, axis=-1)
    delta_alt_z = xp.sum(delta_alt_1_z, axis=-1)
    delta_alt_row = xp.sum(delta_alt_1_row, axis=-1)
    if dlse is not None:
        if "delta" in precision:
            delta_alt_err = _stored(delta_alt, delta_alt_err, precision["delta"])
        delta_alt = delta_alt - dlse
        delta_alt_err = _added(delta_alt, delta_alt_err, u * abs(delta_alt) + k.shape[-2] * u_sum * abs(dlse))
    delta_err = xp.maximum(
        delta_err, delta_alt_err + abs(delta_alt_m - delta_m) + abs(delta_alt_z - delta_z) + abs(delta_alt_row)
    )
    delta_rows = abs(delta_m) + abs(delta_z)
    delta_err = _checked(delta, delta_err, precision["compute"], delta_rows)
    if "delta" in precision:
        delta_err = _stored(delta, delta_err, precision["delta"], delta_rows)
    # dt[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])
    dt_1 = dp - delta[..., None]
    dt_1_err = _added(dt_1, dp_err, u * abs(dt_1))
    dt_1_m = -delta_m[..., None]
    dt_1_z = -delta_z[..., None]
    dt_1_delta = -delta_err[..., None]
    dt_1_rows = abs(dt_1_m) + abs(dt_1_z) + abs(dt_1_delta)
    dt_1_err = _checked(dt_1, dt_1_err, precision["compute"], dt_1_rows)
    dt = p * dt_1
    dt_err = _product_error(p, p_err, dt_1, dt_1_err, tiny, p_rows, dt_1_rows) + u * abs(dt)
    dt_m = p_m * dt_1 + p * dt_1_m
    dt_z = p_z * dt_1 + p * dt_1_z
    dt_row = p_row * dt_1
    dt_delta = p * dt_1_delta
    dt_rows = abs(dt_m) + abs(dt_z) + abs(dt_row) + abs(dt_delta)
    dt_err = _checked(dt, dt_err, precision["compute"], dt_rows)
    if "dt" in precision:
        dt_err = _stored(dt, dt_err, precision["dt"], dt_rows)
    # ds[r, i, j] = dt[r, i, j]·(-tanh(s[r, i, j]/cap)^2 + 1)
    ds_1 = (1 / cap) * s
    ds_1_err = _product_error(1 / cap, None, s, s_err, tiny) + u * abs(ds_1)
    ds_1_err = _checked(ds_1, ds_1_err, precision["compute"])
    ds_2 = xp.tanh(ds_1)
    ds_2_err = ds_1_err + 4 * u * abs(ds_2)
    ds_3 = ds_2**2
    ds_3_err = (abs(ds_2) + ds_2_err) ** 2 - abs(ds_2) ** 2 + 1 * u * abs(ds_3) + tiny
    ds_3_err = _checked(ds_3, ds_3_err, precision["compute"])
    ds_4 = 1 - ds_3
    ds_4_err = _added(ds_4, ds_3_err, u * abs(ds_4))
    ds_4_err = _checked(ds_4, ds_4_err, precision["compute"])
    ds = dt * ds_4
    ds_err = _product_error(dt, dt_err, ds_4, ds_4_err, tiny, dt_rows, 0.0) + u * abs(ds)
    ds_m = dt_m * ds_4
    ds_z = dt_z * ds_4
    ds_row = dt_row * ds_4
    ds_delta = dt_delta * ds_4
    ds_rows = abs(ds_m) + abs(ds_z) + abs(ds_row) + abs(ds_delta)
    ds_err = _checked(ds, ds_err, precision["compute"], ds_rows)
    if "ds" in precision:
        ds_err = _stored(ds, ds_err, precision["ds"], ds_rows)
    # dq[r, i, c] = scale·(Σ_j ds[r, i, j]·k[j, c])
    dq_1 = ds @ k[..., None, :, :]
    dq_1_err = _matmul_error(ds, ds_err, k[..., None, :, :], None, k.shape[-2], precision, ds_rows)
    dq_1_m = ds_m @ k[..., None, :, :]
    dq_1_z = ds_z @ k[..., None, :, :]
    dq_1_row = ds_row @ k[..., None, :, :]
    dq_1_delta = ds_delta @ k[..., None, :, :]
    dq_1_rows = abs(dq_1_m) + abs(dq_1_z) + abs(dq_1_row) + abs(dq_1_delta)
    dq_1_err = _checked(dq_1, dq_1_err, precision["compute"], dq_1_rows)
    dq_1_total = dq_1_err + dq_1_rows
    dq = scale * dq_1
    dq_err = _product_error(scale, None, dq_1, dq_1_total, tiny)
    dq_err = dq_err + u * abs(dq)
    dq_err = dq_err + _scaling_error(scale, ds, k[..., None, :, :], tiny)
    if "dq_partial" in precision:
        dq_size = abs(scale) * ((abs(ds) + ds_err + ds_rows) @ abs(k[..., None, :, :]))
        dq_err = dq_err + _partial_error(dq_size, k.shape[-2], 1, precision["dq_partial"])
    dq_err = _output(dq, dq_err, precision.get("dq", precision["compute"]))
    # dk[j, c] = scale·(Σ_i (Σ_r ds[r, i, j]·q[r, i, c]))
    ds_total = ds_err + ds_rows
    dk_1 = xp.sum(ds.mT @ q, axis=-3)
    dk_1_err = xp.sum(_matmul_error(ds.mT, ds_total.mT, q, None, q.shape[-2] * q.shape[-3], precision), axis=-3)
    dk_1_err = _checked(dk_1, dk_1_err, precision["compute"])
    dk = scale * dk_1
    dk_err = _product_error(scale, None, dk_1, dk_1_err, tiny)
    dk_err = dk_err + u * abs(dk)
    dk_err = dk_err + xp.sum(_scaling_error(scale, ds.mT, q, tiny), axis=-3)
    if "dk_partial" in precision:
        dk_size = abs(scale) * xp.sum((abs(ds.mT) + ds_total.mT) @ abs(q), axis=-3)
        dk_err = dk_err + _partial_error(dk_size, q.shape[-2], q.shape[-3], precision["dk_partial"])
    dk_err = _output(dk, dk_err, precision.get("dk", precision["compute"]))
    # dv[j, e] = Σ_i (Σ_r do[r, i, e]·p[r, i, j])
    p_total = p_err + p_rows
    dv = xp.sum(p.mT @ do, axis=-3)
    dv_err = xp.sum(_matmul_error(p.mT, p_total.mT, do, None, q.shape[-2] * q.shape[-3], precision), axis=-3)
    if "dv_partial" in precision:
        dv_size = xp.sum((abs(p.mT) + p_total.mT) @ abs(do), axis=-3)
        dv_err = dv_err + _partial_error(dv_size, q.shape[-2], q.shape[-3], precision["dv_partial"])
    dv_err = _output(dv, dv_err, precision.get("dv", precision["compute"]))
    # dbias[r, i, j] = dt[r, i, j]
    dt_total = dt_err + dt_rows
    dbias = dt
    dbias_err = dt_total
    dbias_err = None if bias is None else _output(dbias, dbias_err, precision.get("dbias", precision["compute"]))
    return dq_err, dk_err, dv_err, dbias_err


@np.errstate(all="ignore")
def softcapped_attention_jvp_bound(
    q: Array,
    k: Array,
    v: Array,
    cap: float,
    tq: Array,
    tk: Array,
    tv: Array,
    keep: Array | None = None,
    bias: Array | None = None,
    scale: float | None = None,
    tbias: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `softcapped_attention_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, t, m, a, z, p, ts, tt,
            delta, tp, to, tlse).

    Returns:
        absolute errors of to, tlse, infinite where a format may overflow.
    """
    xp = _namespace(q)
    u = 2.0 ** -precision["compute"][0]
    tiny = _tiny(precision["compute"])
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c])
    s_1 = q @ k.mT[..., None, :, :]
    s_1_err = _matmul_error(q, None, k.mT[..., None, :, :], None, q.shape[-1], precision)
    s_1_err = _checked(s_1, s_1_err, precision["compute"])
    s = scale * s_1
    s_err = _product_error(scale, None, s_1, s_1_err, tiny)
    s_err = s_err + u * abs(s)
    s_err = s_err + _scaling_error(scale, q, k.mT[..., None, :, :], tiny)
    s_err = _checked(s, s_err, precision["compute"])
    if "s" in precision:
        s_err = _stored(s, s_err, precision["s"])
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t_1 = s / cap
    t_1_err = _quotient_error(t_1, s, s_err, cap, None, tiny) + u * abs(t_1)
    t_1_err = _checked(t_1, t_1_err, precision["compute"])
    t_2 = xp.tanh(t_1)
    t_2_err = t_1_err + 4 * u * abs(t_2)
    t = cap * t_2
    t_err = _product_error(cap, None, t_2, t_2_err, tiny) + u * abs(t)
    if bias is not None:
        if "t" in precision:
            t_err = _stored(t, t_err, precision["t"])
        t = t + bias
        t_err = _added(t, t_err, u * abs(t))
    t_err = _checked(t, t_err, precision["compute"])
    if "t" in precision:
        t_err = _stored(t, t_err, precision["t"])
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)
    t_top = _top(_where(keep, t, -xp.inf), -1)
    t_m = xp.where(t_top, t_err, 0.0)
    t_err = xp.where(t_top, 0.0, t_err)
    m_err = xp.sum(t_m, axis=-1)
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])
    a_1 = t - m[..., None]
    a_1_err = _added(a_1, t_err, u * abs(a_1))
    a_1_m = t_m - m_err[..., None]
    a_1_err = _checked(a_1, a_1_err, precision["compute"], abs(a_1_m))
    a = xp.exp(_where(keep, a_1, -xp.inf))
    a_err = _exp_error(a, a_1, u, tiny, a_1_err, abs(a_1_m))
    a_m = a * a_1_m
    a_err = _where(keep, a_err, 0.0)
    a_m = _where(keep, a_m, 0.0)
    a_err = _checked(a, a_err, precision["compute"], abs(a_m))
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"], abs(a_m))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_err = _sum_error(xp.sum(abs(a), axis=-1), xp.sum(a_err, axis=-1), k.shape[-2], precision)
    z_m = xp.sum(a_m, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)
    z_err = _checked(z, z_err, precision["compute"], abs(z_m))
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"], abs(z_m))
    # p[r, i, j] = a[r, i, j]/z[r, i]
    z_safe_rows = abs(z_m) + z_err
    p = a / z_safe[..., None]
    p_err = _quotient_error(p, a, a_err, z_safe[..., None], 0.0, tiny, abs(a_m), z_safe_rows[..., None]) + u * abs(p)
    p_m = (a_m - p * z_m[..., None]) / z_safe[..., None]
    p_z = -p * z_err[..., None] / z_safe[..., None]
    p_err, p_m, p_z = _within(1 + u, p_err, p_m, p_z)
    p_rows = abs(p_m) + abs(p_z)
    p_err = _checked(p, p_err, precision["compute"], p_rows)
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"], p_rows)
    # ts[r, i, j] = (Σ_c tq[r, i, c]·k[j, c])·scale + (Σ_c tk[j, c]·q[r, i, c])·scale
    ts_1 = tq @ k.mT[..., None, :, :]
    ts_1_err = _matmul_error(tq, None, k.mT[..., None, :, :], None, q.shape[-1], precision)
    ts_1_err = _checked(ts_1, ts_1_err, precision["compute"])
    ts_2 = ts_1 * scale
    ts_2_err = _product_error(ts_1, ts_1_err, scale, None, tiny)
    ts_2_err = ts_2_err + u * abs(ts_2)
    ts_2_err = ts_2_err + _scaling_error(scale, tq, k.mT[..., None, :, :], tiny)
    ts_2_err = _checked(ts_2, ts_2_err, precision["compute"])
    ts_3 = q @ tk.mT[..., None, :, :]
    ts_3_err = _matmul_error(q, None, tk.mT[..., None, :, :], None, q.shape[-1], precision)
    ts_3_err = _checked(ts_3, ts_3_err, precision["compute"])
    ts_4 = ts_3 * scale
    ts_4_err = _product_error(ts_3, ts_3_err, scale, None, tiny)
    ts_4_err = ts_4_err + u * abs(ts_4)
    ts_4_err = ts_4_err + _scaling_error(scale, q, tk.mT[..., None, :, :], tiny)
    ts_4_err = _checked(ts_4, ts_4_err, precision["compute"])
    ts = ts_2 + ts_4
    ts_err = _added(ts, ts_2_err + ts_4_err, u * abs(ts))
    ts_err = _checked(ts, ts_err, precision["compute"])
    if "ts" in precision:
        ts_err = _stored(ts, ts_err, precision["ts"])
    # tt[r, i, j] = tbias[r, i, j] + ts[r, i, j] − ts[r, i, j]·tanh(s[r, i, j]/cap)^2
    tt_1 = (1 / cap) * s
    tt_1_err = _product_error(1 / cap, None, s, s_err, tiny) + u * abs(tt_1)
    tt_1_err = _checked(tt_1, tt_1_err, precision["compute"])
    tt_2 = xp.tanh(tt_1)
    tt_2_err = tt_1_err + 4 * u * abs(tt_2)
    tt_3 = tt_2**2
    tt_3_err = (abs(tt_2) + tt_2_err) ** 2 - abs(tt_2) ** 2 + 1 * u * abs(tt_3) + tiny
    tt_3_err = _checked(tt_3, tt_3_err, precision["compute"])
    tt_4 = ts * tt_3
    tt_4_err = _product_error(ts, ts_err, tt_3, tt_3_err, tiny) + u * abs(tt_4)
    tt_4_err = _checked(tt_4, tt_4_err, precision["compute"])
    tt = ts - tt_4
    tt_err = _added(tt, ts_err + tt_4_err, u * abs(tt))
    if tbias is not None:
        if "tt" in precision:
            tt_err = _stored(tt, tt_err, precision["tt"])
        tt = tt + tbias
        tt_err = _added(tt, tt_err, u * abs(tt))
    tt_err = _checked(tt, tt_err, precision["compute"])
    if "tt" in precision:
        tt_err = _stored(tt, tt_err, precision["tt"])
    # delta[r, i] = Σ_j p[r, i, j]·tt[r, i, j]
    delta_1 = p * tt
    delta_1_err = _product_error(p, p_err, tt, tt_err, tiny, p_rows, 0.0) + u * abs(delta_1)
    delta_1_m = p_m * tt
    delta_1_z = p_z * tt
    delta_1_rows = abs(delta_1_m) + abs(delta_1_z)
    delta_1_err = _checked(delta_1, delta_1_err, precision["compute"], delta_1_rows)
    delta = xp.sum(delta_1, axis=-1)
    delta_err = _sum_error(xp.sum(abs(delta_1), axis=-1), xp.sum(delta_1_err, axis=-1), k.shape[-2], precision)
    delta_m = xp.sum(delta_1_m, axis=-1)
    delta_z = xp.sum(delta_1_z, axis=-1)
    delta_rows = abs(delta_m) + abs(delta_z)
    delta_err = _checked(delta, delta_err, precision["compute"], delta_rows)
    if "delta" in precision:
        delta_err = _stored(delta, delta_err, precision["delta"], delta_rows)
    # tp[r, i, j] = p[r, i, j]·(tt[r, i, j] − delta[r, i])
    tp_1 = tt - delta[..., None]
    tp_1_err = _added(tp_1, tt_err, u * abs(tp_1))
    tp_1_m = -delta_m[..., None]
    tp_1_z = -delta_z[..., None]
    tp_1_delta = -delta_err[..., None]
    tp_1_rows = abs(tp_1_m) + abs(tp_1_z) + abs(tp_1_delta)
    tp_1_err = _checked(tp_1, tp_1_err, precision["compute"], tp_1_rows)
    tp = p * tp_1
    tp_err = _product_error(p, p_err, tp_1, tp_1_err, tiny, p_rows, tp_1_rows) + u * abs(tp)
    tp_m = p_m * tp_1 + p * tp_1_m
    tp_z = p_z * tp_1 + p * tp_1_z
    tp_delta = p * tp_1_delta
    tp_rows = abs(tp_m) + abs(tp_z) + abs(tp_delta)
    tp_err = _checked(tp, tp_err, precision["compute"], tp_rows)
    if "tp" in precision:
        tp_err = _stored(tp, tp_err, precision["tp"], tp_rows)
    # to[r, i, e] = (Σ_j tp[r, i, j]·v[j, e]) + Σ_j tv[j, e]·p[r, i, j]
    to_1 = tp @ v[..., None, :, :]
    to_1_err = _matmul_error(tp, tp_err, v[..., None, :, :], None, k.shape[-2], precision, tp_rows)
    to_1_m = tp_m @ v[..., None, :, :]
    to_1_z = tp_z @ v[..., None, :, :]
    to_1_delta = tp_delta @ v[..., None, :, :]
    to_1_rows = abs(to_1_m) + abs(to_1_z) + abs(to_1_delta)
    to_1_err = _checked(to_1, to_1_err, precision["compute"], to_1_rows)
    to_2 = p @ tv[..., None, :, :]
    to_2_err = _matmul_error(p, p_err, tv[..., None, :, :], None, k.shape[-2], precision, p_rows)
    to_2_m = p_m @ tv[..., None, :, :]
    to_2_z = p_z @ tv[..., None, :, :]
    to_2_rows = abs(to_2_m) + abs(to_2_z)
    to_2_err = _checked(to_2, to_2_err, precision["compute"], to_2_rows)
    to = to_1 + to_2
    to_err = _added(to, to_1_err + to_2_err, u * abs(to))
    to_m = to_1_m + to_2_m
    to_z = to_1_z + to_2_z
    to_delta = to_1_delta
    to_rows = abs(to_m) + abs(to_z) + abs(to_delta)
    to_err = _output(to, to_err + to_rows, precision.get("to", precision["compute"]))
    # tlse[r, i] = delta[r, i]
    delta_rows = abs(delta_m) + abs(delta_z) + delta_err
    tlse = delta
    tlse_err = delta_rows
    tlse_err = _output(tlse, tlse_err, precision.get("tlse", precision["compute"]))
    return to_err, tlse_err


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


def _tiny(form: Format) -> float:
    """What underflow may lose: the least normal number where it may be flushed to zero, else half a subnormal."""
    return 2.0 ** form[1] if form[1] == -126 else max(2.0 ** (form[1] - form[0]), 2.0**-1074)


def _exact_infinity(value: Array, error: Array) -> Array:
    """Whether the value is −∞ with a finite error: a mask, not an overflow."""
    return (value == -np.inf) & (error < np.inf)


def _top(x: Array, axis: int) -> Array:
    """One place of the largest element along an axis; none where all are −∞."""
    xp = _namespace(x)
    positions = xp.reshape(xp.arange(x.shape[axis], device=x.device), (-1, *(1,) * (-axis - 1)))
    return (positions == xp.argmax(x, axis=axis, keepdims=True)) & (x > -xp.inf)


def _checked(value: Array, error: Array, form: Format, rows: Array = 0.0) -> Array:
    """The error of a value, infinite where the format may overflow or the analysis has no number (0·∞)."""
    xp = _namespace(value)
    fits = abs(value) + error + rows < form[2]
    if xp.all(fits):
        return error
    return xp.where(fits | _exact_infinity(value, error), error, xp.inf)


def _stored(value: Array, error: Array, form: Format, rows: Array = 0.0) -> Array:
    """The error after rounding to a format, whatever scaling the rounding meets: relative, zero stays zero."""
    xp = _namespace(value)
    size = abs(value) + error + rows
    rounded = xp.where((size > 0) & (size < xp.inf), error + 2.0 ** -form[0] * size + _tiny(form), 0.0)
    return xp.where((size < form[2]) | _exact_infinity(value, error), rounded, xp.inf)


def _output(value: Array, error: Array, form: Format) -> Array:
    """The error after rounding the result to its format: half a unit in the last place of its binade."""
    xp = _namespace(value)
    size = abs(value) + error
    binade = xp.floor(xp.log2(xp.where((size > 0) & (size < xp.inf), size, 1.0) * (1 + 2.0**-40)))
    half = 2.0 ** (xp.where(binade < form[1], form[1] * 1.0, binade) - form[0])
    rounded = xp.where((size > 0) & (size < xp.inf), 1.05 * error + half, 0.0)
    return xp.where((size < form[2]) | _exact_infinity(value, error), rounded, xp.inf)


def _added(value: Array, error: Array, rounding: Array) -> Array:
    """The error of a sum; an infinite term leaves none, unless its own is infinite."""
    xp = _namespace(value)
    finite = abs(value) < xp.inf
    return error + rounding if xp.all(finite) else xp.where(finite, error + rounding, 0.0 * error)


def _product_error(
    a: Array, a_err: Array | None, b: Array, b_err: Array | None, tiny: float, a_rows: Array = 0.0, b_rows: Array = 0.0
) -> Array:
    """|a b − ã b̃| for factors with errors, without the first-order part of the rows; a factor 0 leaves no error
    (0·∞ one that is not a number)."""
    xp = _namespace(b if b_err is not None else a)
    size_a, size_b = abs(a) + a_rows, abs(b) + b_rows
    if a_err is None:
        nothing, error = size_b + b_err == 0, size_a * b_err + tiny
    elif b_err is None:
        nothing, error = size_a + a_err == 0, a_err * size_b + tiny
    else:
        nothing = (size_a + a_err == 0) | (size_b + b_err == 0)
        error = a_err * size_b + size_a * b_err + a_err * b_err + a_rows * b_rows + tiny
    return xp.where(nothing, 0.0 * error, error) if xp.any(nothing) else error


def _quotient_error(
    value: Array,
    a: Array,
    a_err: Array | None,
    b: Array,
    b_err: Array | None,
    tiny: float,
    a_rows: Array = 0.0,
    b_rows: Array = 0.0,
) -> Array:
    """|a/b − ã/b̃|, without the first-order part of the rows; infinite where the divisor may be zero."""
    xp = _namespace(value)
    if b_err is None:
        return a_err / abs(b) + tiny
    above = a_rows if a_err is None else a_err + a_rows
    rows = a_rows + abs(value) * b_rows
    room = abs(b) - b_err - b_rows
    moved = (above + abs(value) * (b_err + b_rows)) / xp.where(room > 0, room, 1.0) - rows / abs(b) + tiny
    nothing = (value == 0) & (abs(a) + above == 0)
    return xp.where(nothing, 0.0 * moved, xp.where(room > 0, moved, xp.inf))


def _log_error(b: Array, b_err: Array, b_rows: Array = 0.0) -> Array:
    """|log b − log b̃| for positive b, without the first-order part of the rows; infinite where b̃ may be zero."""
    xp = _namespace(b)
    share = (b_err + b_rows) / b
    return xp.where(share < 1, -xp.log1p(-xp.where(share < 1, share, 0.0)) - b_rows / b, xp.inf)


def _exp_error(value: Array, x: Array, u: float, tiny: float, x_err: Array, x_rows: Array = 0.0) -> Array:
    """|exp(x) − fl(exp(x̃))|, without the first-order part of the rows; scaling x by log₂e moves it as well."""
    xp = _namespace(value)
    size = abs(x)
    moved = x_err + x_rows + 2 * u * xp.where(size < xp.inf, size, 0.0)
    small = moved < 700
    if xp.all(small):
        error = value * (xp.expm1(moved) - x_rows + 4 * u) + tiny
    else:
        error = value * (xp.expm1(xp.where(small, moved, 0.0)) - x_rows + 4 * u) + tiny
        error = xp.where(small, error, xp.inf)
    return xp.where((x > -xp.inf) | (error == xp.inf), error, 0.0)


def _matmul_error(
    a: Array,
    a_err: Array | None,
    b: Array,
    b_err: Array | None,
    terms: int,
    precision: Mapping[str, Format],
    rows: Array = 0.0,
) -> Array:
    """|a @ b − fl(ã @ b̃)| for sums of so many terms, without the first-order part of the rows of a.

    Operands may be rounded, and scaled, before the product.
    """
    accumulator = precision.get("accumulate", precision["compute"])
    gamma = (terms + 4) * 2.0 ** -accumulator[0]
    if "operand" in precision:
        gamma = gamma + 2 * 2.0 ** -precision["operand"][0]
    xp = _namespace(a)
    moved, size = gamma * (abs(a) + rows), abs(a) + rows
    if a_err is not None:
        moved, size = moved + (1 + gamma) * a_err, size + a_err
    total = moved @ abs(b)
    if b_err is not None:
        total = total + (1 + gamma) * (size @ b_err)
    total = total + xp.where(xp.any(size > 0, axis=-1, keepdims=True), terms * _tiny(accumulator), 0.0 * total)
    return xp.where(total < gamma * accumulator[2], total, xp.inf)  # a partial sum is at most total / gamma


def _scaling_error(factor: float, a: Array, b: Array, tiny: float) -> Array:
    """What underflows where a factor of a @ b is applied to an operand, or its root to both, before the product."""
    xp = _namespace(a)
    size = xp.sum(abs(a), axis=-1, keepdims=True) + xp.sum(abs(b), axis=-2, keepdims=True)
    return xp.where(xp.any(a != 0, axis=-1, keepdims=True), (1 + abs(factor)) * tiny * size, 0.0)


def _sum_error(size: Array, moved: Array, terms: int, precision: Mapping[str, Format]) -> Array:
    """The error of a sum of so many terms whose sizes and errors add up to this, in any order of summation."""
    xp = _namespace(size)
    accumulator = precision.get("accumulate", precision["compute"])
    return xp.where(size + moved < accumulator[2], moved + terms * 2.0 ** -accumulator[0] * size, xp.inf)


def _partial_error(size: Array, terms: int, members: int, form: Format) -> Array:
    """What rounding a running sum to a format adds, after each block of 32 terms of each member of a group.

    `size` bounds every partial sum, so a partial sum that may overflow makes the error infinite.
    """
    xp = _namespace(size)
    stores = members * -(-terms // 32)
    rounded = xp.where(size > 0, stores * (2.0 ** -form[0] * size + _tiny(form)), 0.0)
    return xp.where(size < form[2], rounded, xp.inf)


def _within(width: float, error: Array, *rows: Array) -> tuple[Array, ...]:
    """Error and rows of a value that stays in a range of this width; an infinite error stays infinite."""
    xp = _namespace(error)
    total = error
    for row in rows:
        total = total + abs(row)
    over = (total > width) & (total < xp.inf)
    return xp.where(over, width, error), *(xp.where(over, 0.0, row) for row in rows)
