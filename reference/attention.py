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
    s = scale * (q @ k.mT[..., None, :, :])
    if bias is not None:
        s = s + bias
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m = xp.max(_where(keep, s, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)  # a row without keys: any shift will do
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])  (S2)
    a = xp.exp(_where(keep, s - m[..., None], -xp.inf))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)  # 0/0 is 0 in a row without keys
    # p[r, i, j] = a[r, i, j]/z[r, i]  (S1)
    p = a / z_safe[..., None]
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    # lse[r, i] = m[r, i] + log(z[r, i])
    lse = m + xp.where(z > 0, xp.log(z_safe), -xp.inf)
    return o, lse


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
    xp = _namespace(q)
    if chunk is not None:
        parts = []
        dk = 0.0
        dv = 0.0
        for rows in _chunks(q.shape[-2], chunk):
            dq, dk_part, dv_part, dbias = attention_vjp(
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
            parts.append((dq, dbias))
        dq = xp.concat([part[0] for part in parts], axis=-2)
        dbias = None if bias is None else xp.concat([part[1] for part in parts], axis=-2)
        return dq, dk, dv, dbias
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c]) + bias[r, i, j]
    s = scale * (q @ k.mT[..., None, :, :])
    if bias is not None:
        s = s + bias
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m = xp.max(_where(keep, s, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)  # a row without keys: any shift will do
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])  (S2)
    a = xp.exp(_where(keep, s - m[..., None], -xp.inf))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)  # 0/0 is 0 in a row without keys
    # p[r, i, j] = a[r, i, j]/z[r, i]  (S1)
    p = a / z_safe[..., None]
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
    # dq[r, i, c] = scale·(Σ_j ds[r, i, j]·k[j, c])
    dq = scale * (ds @ k[..., None, :, :])
    # dk[j, c] = scale·(Σ_i (Σ_r ds[r, i, j]·q[r, i, c]))
    dk = scale * xp.sum(ds.mT @ q, axis=-3)
    # dv[j, e] = Σ_i (Σ_r do[r, i, e]·p[r, i, j])
    dv = xp.sum(p.mT @ do, axis=-3)
    # dbias[r, i, j] = ds[r, i, j]
    dbias = None if bias is None else ds
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
    s = scale * (q @ k.mT[..., None, :, :])
    if bias is not None:
        s = s + bias
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m = xp.max(_where(keep, s, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)  # a row without keys: any shift will do
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])  (S2)
    a = xp.exp(_where(keep, s - m[..., None], -xp.inf))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)  # 0/0 is 0 in a row without keys
    # p[r, i, j] = a[r, i, j]/z[r, i]  (S1)
    p = a / z_safe[..., None]
    # ts[r, i, j] = (Σ_c tq[r, i, c]·k[j, c])·scale + (Σ_c tk[j, c]·q[r, i, c])·scale + tbias[r, i, j]
    ts = tq @ k.mT[..., None, :, :] * scale + q @ tk.mT[..., None, :, :] * scale
    if tbias is not None:
        ts = ts + tbias
    # delta[r, i] = Σ_j p[r, i, j]·ts[r, i, j]
    delta = xp.sum(p * ts, axis=-1)
    # tp[r, i, j] = p[r, i, j]·(ts[r, i, j] − delta[r, i])
    tp = p * (ts - delta[..., None])
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
    s = scale * s_1
    s_err = _product_error(scale, None, s_1, s_1_err) + u * abs(s) + tiny
    if bias is not None:
        s = s + bias
        s_err = s_err + u * abs(s)
    s_err = _checked(s, s_err, precision["compute"])
    if "s" in precision:
        s_err = _stored(s, s_err, precision["s"])
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m = xp.max(_where(keep, s, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])
    a_1 = s - m[..., None]
    a_1_err = s_err + u * abs(a_1)
    a = xp.exp(_where(keep, a_1, -xp.inf))
    a_err = _exp_error(a, a_1_err + 2 * u * abs(a_1), u) + tiny
    a_err = _where(keep, a_err, 0.0)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_err = xp.sum(a_err, axis=-1) + k.shape[-2] * u_sum * xp.sum(abs(a), axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # p[r, i, j] = a[r, i, j]/z[r, i]
    p = a / z_safe[..., None]
    p_err = _quotient_error(p, a_err, z_safe[..., None], z_err[..., None]) + u * abs(p) + tiny
    p_err = _checked(p, p_err, precision["compute"])
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"])
    p_err = xp.where(p_err < xp.inf, xp.minimum(p_err, 1 + u), xp.inf)
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    o_err = _matmul_error(p, p_err, v[..., None, :, :], None, k.shape[-2], precision)
    o_err = _output(o, o_err, precision.get("o", precision["compute"]))
    # lse[r, i] = m[r, i] + log(z[r, i])
    lse_1 = xp.where(z > 0, xp.log(z_safe), -xp.inf)
    lse_1_err = _log_error(z_safe, z_err) + 4 * u * xp.where(lse_1 > -xp.inf, abs(lse_1), 0.0)
    lse = m + lse_1
    lse_err = lse_1_err + u * abs(lse)
    lse_err = _output(lse, lse_err, precision.get("lse", precision["compute"]))
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
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, m, a, z, p, o, dp, delta,
            ds, dq, dk, dv, dbias).

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
    s = scale * s_1
    s_err = _product_error(scale, None, s_1, s_1_err) + u * abs(s) + tiny
    if bias is not None:
        s = s + bias
        s_err = s_err + u * abs(s)
    s_err = _checked(s, s_err, precision["compute"])
    if "s" in precision:
        s_err = _stored(s, s_err, precision["s"])
    # m[r, i] = max_{j, keep[r, i, j]} s[r, i, j]
    m = xp.max(_where(keep, s, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)
    # a[r, i, j] = keep[r, i, j]·exp(s[r, i, j] − m[r, i])
    a_1 = s - m[..., None]
    a_1_err = s_err + u * abs(a_1)
    a = xp.exp(_where(keep, a_1, -xp.inf))
    a_err = _exp_error(a, a_1_err + 2 * u * abs(a_1), u) + tiny
    a_err = _where(keep, a_err, 0.0)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_err = xp.sum(a_err, axis=-1) + k.shape[-2] * u_sum * xp.sum(abs(a), axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # p[r, i, j] = a[r, i, j]/z[r, i]
    p = a / z_safe[..., None]
    p_err = _quotient_error(p, a_err, z_safe[..., None], z_err[..., None]) + u * abs(p) + tiny
    # or p = keep[r, i, j]·exp(s[r, i, j] − (m[r, i] + log(z[r, i])))
    p_alt_1 = xp.where(z > 0, xp.log(z_safe), -xp.inf)
    p_alt_1_err = _log_error(z_safe, z_err) + 4 * u * xp.where(p_alt_1 > -xp.inf, abs(p_alt_1), 0.0)
    p_alt_2 = m + p_alt_1
    p_alt_2_err = p_alt_1_err + u * abs(p_alt_2)
    p_alt_3 = s - p_alt_2[..., None]
    p_alt_3_err = s_err + p_alt_2_err[..., None] + u * abs(p_alt_3)
    p_alt = xp.exp(_where(keep, p_alt_3, -xp.inf))
    p_alt_err = _exp_error(p_alt, p_alt_3_err + 2 * u * abs(p_alt_3), u) + tiny
    p_alt_err = _where(keep, p_alt_err, 0.0)
    p_err = xp.maximum(p_err, p_alt_err)
    p_err = _checked(p, p_err, precision["compute"])
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"])
    p_err = xp.where(p_err < xp.inf, xp.minimum(p_err, 1 + u), xp.inf)
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    o_err = _matmul_error(p, p_err, v[..., None, :, :], None, k.shape[-2], precision)
    o_err = _checked(o, o_err, precision["compute"])
    if "o" in precision:
        o_err = _stored(o, o_err, precision["o"])
    # dp[r, i, j] = Σ_e do[r, i, e]·v[j, e]
    dp = do @ v.mT[..., None, :, :]
    dp_err = _matmul_error(do, None, v.mT[..., None, :, :], None, v.shape[-1], precision)
    dp_err = _checked(dp, dp_err, precision["compute"])
    if "dp" in precision:
        dp_err = _stored(dp, dp_err, precision["dp"])
    # delta[r, i] = (Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]
    delta_1 = do * o
    delta_1_err = _product_error(do, None, o, o_err) + u * abs(delta_1) + tiny
    delta = xp.sum(delta_1, axis=-1)
    delta_err = xp.sum(delta_1_err, axis=-1) + v.shape[-1] * u_sum * xp.sum(abs(delta_1), axis=-1)
    if dlse is not None:
        delta = delta - dlse
        delta_err = delta_err + u * abs(delta)
    # or delta = (Σ_j p[r, i, j]·dp[r, i, j]) − dlse[r, i]
    delta_alt_2 = p * dp
    delta_alt_2_err = _product_error(p, p_err, dp, dp_err) + u * abs(delta_alt_2) + tiny
    delta_alt = xp.sum(delta_alt_2, axis=-1)
    delta_alt_err = xp.sum(delta_alt_2_err, axis=-1) + k.shape[-2] * u_sum * xp.sum(abs(delta_alt_2), axis=-1)
    if dlse is not None:
        delta_alt = delta_alt - dlse
        delta_alt_err = delta_alt_err + u * abs(delta_alt)
    delta_err = xp.maximum(delta_err, delta_alt_err)
    delta_err = _checked(delta, delta_err, precision["compute"])
    if "delta" in precision:
        delta_err = _stored(delta, delta_err, precision["delta"])
    # ds[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])
    ds_1 = dp - delta[..., None]
    ds_1_err = dp_err + delta_err[..., None] + u * abs(ds_1)
    ds = p * ds_1
    ds_err = _product_error(p, p_err, ds_1, ds_1_err) + u * abs(ds) + tiny
    ds_err = _checked(ds, ds_err, precision["compute"])
    if "ds" in precision:
        ds_err = _stored(ds, ds_err, precision["ds"])
    # dq[r, i, c] = scale·(Σ_j ds[r, i, j]·k[j, c])
    dq_1 = ds @ k[..., None, :, :]
    dq_1_err = _matmul_error(ds, ds_err, k[..., None, :, :], None, k.shape[-2], precision)
    dq = scale * dq_1
    dq_err = _product_error(scale, None, dq_1, dq_1_err) + u * abs(dq) + tiny
    dq_err = _output(dq, dq_err, precision.get("dq", precision["compute"]))
    # dk[j, c] = scale·(Σ_i (Σ_r ds[r, i, j]·q[r, i, c]))
    dk_1 = xp.sum(ds.mT @ q, axis=-3)
    dk_1_err = xp.sum(_matmul_error(ds.mT, ds_err.mT, q, None, q.shape[-2] * q.shape[-3], precision, "dk"), axis=-3)
    dk = scale * dk_1
    dk_err = _product_error(scale, None, dk_1, dk_1_err) + u * abs(dk) + tiny
    dk_err = _output(dk, dk_err, precision.get("dk", precision["compute"]))
    # dv[j, e] = Σ_i (Σ_r do[r, i, e]·p[r, i, j])
    dv = xp.sum(p.mT @ do, axis=-3)
    dv_err = xp.sum(_matmul_error(p.mT, p_err.mT, do, None, q.shape[-2] * q.shape[-3], precision, "dv"), axis=-3)
    dv_err = _output(dv, dv_err, precision.get("dv", precision["compute"]))
    # dbias[r, i, j] = ds[r, i, j]
    dbias = ds
    dbias_err = ds_err
    dbias_err = _output(dbias, dbias_err, precision.get("dbias", precision["compute"]))
    return dq_err, dk_err, dv_err, None if bias is None else dbias_err


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
    s = scale * (q @ k.mT[..., None, :, :])
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t = cap * xp.tanh(s / cap)
    if bias is not None:
        t = t + bias
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)  # a row without keys: any shift will do
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])  (S2)
    a = xp.exp(_where(keep, t - m[..., None], -xp.inf))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)  # 0/0 is 0 in a row without keys
    # p[r, i, j] = a[r, i, j]/z[r, i]  (S1)
    p = a / z_safe[..., None]
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    # lse[r, i] = m[r, i] + log(z[r, i])
    lse = m + xp.where(z > 0, xp.log(z_safe), -xp.inf)
    return o, lse


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
    xp = _namespace(q)
    if chunk is not None:
        parts = []
        dk = 0.0
        dv = 0.0
        for rows in _chunks(q.shape[-2], chunk):
            dq, dk_part, dv_part, dbias = softcapped_attention_vjp(
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
            parts.append((dq, dbias))
        dq = xp.concat([part[0] for part in parts], axis=-2)
        dbias = None if bias is None else xp.concat([part[1] for part in parts], axis=-2)
        return dq, dk, dv, dbias
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c])
    s = scale * (q @ k.mT[..., None, :, :])
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t = cap * xp.tanh(s / cap)
    if bias is not None:
        t = t + bias
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)  # a row without keys: any shift will do
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])  (S2)
    a = xp.exp(_where(keep, t - m[..., None], -xp.inf))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)  # 0/0 is 0 in a row without keys
    # p[r, i, j] = a[r, i, j]/z[r, i]  (S1)
    p = a / z_safe[..., None]
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    # dp[r, i, j] = Σ_e do[r, i, e]·v[j, e]
    dp = do @ v.mT[..., None, :, :]
    # delta[r, i] = (Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]
    delta = xp.sum(do * o, axis=-1)
    if dlse is not None:
        delta = delta - dlse
    # dt[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])
    dt = p * (dp - delta[..., None])
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
    s = scale * (q @ k.mT[..., None, :, :])
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t = cap * xp.tanh(s / cap)
    if bias is not None:
        t = t + bias
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)  # a row without keys: any shift will do
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])  (S2)
    a = xp.exp(_where(keep, t - m[..., None], -xp.inf))
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)  # 0/0 is 0 in a row without keys
    # p[r, i, j] = a[r, i, j]/z[r, i]  (S1)
    p = a / z_safe[..., None]
    # ts[r, i, j] = (Σ_c tq[r, i, c]·k[j, c])·scale + (Σ_c tk[j, c]·q[r, i, c])·scale
    ts = tq @ k.mT[..., None, :, :] * scale + q @ tk.mT[..., None, :, :] * scale
    # tt[r, i, j] = tbias[r, i, j] + ts[r, i, j] − ts[r, i, j]·tanh(s[r, i, j]/cap)^2
    tt = ts - ts * xp.tanh(s / cap) ** 2
    if tbias is not None:
        tt = tt + tbias
    # delta[r, i] = Σ_j p[r, i, j]·tt[r, i, j]
    delta = xp.sum(p * tt, axis=-1)
    # tp[r, i, j] = p[r, i, j]·(tt[r, i, j] − delta[r, i])
    tp = p * (tt - delta[..., None])
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
    u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]
    tiny = _tiny(precision["compute"])
    scale = 1 / q.shape[-1] ** 0.5 if scale is None else scale
    # s[r, i, j] = scale·(Σ_c q[r, i, c]·k[j, c])
    s_1 = q @ k.mT[..., None, :, :]
    s_1_err = _matmul_error(q, None, k.mT[..., None, :, :], None, q.shape[-1], precision)
    s = scale * s_1
    s_err = _product_error(scale, None, s_1, s_1_err) + u * abs(s) + tiny
    s_err = _checked(s, s_err, precision["compute"])
    if "s" in precision:
        s_err = _stored(s, s_err, precision["s"])
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t_1 = s / cap
    t_1_err = _quotient_error(t_1, s_err, cap, None) + u * abs(t_1) + tiny
    t_2 = xp.tanh(t_1)
    t_2_err = t_1_err + 4 * u * abs(t_2)
    t = cap * t_2
    t_err = _product_error(cap, None, t_2, t_2_err) + u * abs(t) + tiny
    if bias is not None:
        t = t + bias
        t_err = t_err + u * abs(t)
    t_err = _checked(t, t_err, precision["compute"])
    if "t" in precision:
        t_err = _stored(t, t_err, precision["t"])
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])
    a_1 = t - m[..., None]
    a_1_err = t_err + u * abs(a_1)
    a = xp.exp(_where(keep, a_1, -xp.inf))
    a_err = _exp_error(a, a_1_err + 2 * u * abs(a_1), u) + tiny
    a_err = _where(keep, a_err, 0.0)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_err = xp.sum(a_err, axis=-1) + k.shape[-2] * u_sum * xp.sum(abs(a), axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # p[r, i, j] = a[r, i, j]/z[r, i]
    p = a / z_safe[..., None]
    p_err = _quotient_error(p, a_err, z_safe[..., None], z_err[..., None]) + u * abs(p) + tiny
    p_err = _checked(p, p_err, precision["compute"])
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"])
    p_err = xp.where(p_err < xp.inf, xp.minimum(p_err, 1 + u), xp.inf)
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    o_err = _matmul_error(p, p_err, v[..., None, :, :], None, k.shape[-2], precision)
    o_err = _output(o, o_err, precision.get("o", precision["compute"]))
    # lse[r, i] = m[r, i] + log(z[r, i])
    lse_1 = xp.where(z > 0, xp.log(z_safe), -xp.inf)
    lse_1_err = _log_error(z_safe, z_err) + 4 * u * xp.where(lse_1 > -xp.inf, abs(lse_1), 0.0)
    lse = m + lse_1
    lse_err = lse_1_err + u * abs(lse)
    lse_err = _output(lse, lse_err, precision.get("lse", precision["compute"]))
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
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, t, m, a, z, p, o, dp,
            delta, dt, ds, dq, dk, dv, dbias).

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
    s = scale * s_1
    s_err = _product_error(scale, None, s_1, s_1_err) + u * abs(s) + tiny
    s_err = _checked(s, s_err, precision["compute"])
    if "s" in precision:
        s_err = _stored(s, s_err, precision["s"])
    # t[r, i, j] = cap·tanh(s[r, i, j]/cap) + bias[r, i, j]
    t_1 = s / cap
    t_1_err = _quotient_error(t_1, s_err, cap, None) + u * abs(t_1) + tiny
    t_2 = xp.tanh(t_1)
    t_2_err = t_1_err + 4 * u * abs(t_2)
    t = cap * t_2
    t_err = _product_error(cap, None, t_2, t_2_err) + u * abs(t) + tiny
    if bias is not None:
        t = t + bias
        t_err = t_err + u * abs(t)
    t_err = _checked(t, t_err, precision["compute"])
    if "t" in precision:
        t_err = _stored(t, t_err, precision["t"])
    # m[r, i] = max_{j, keep[r, i, j]} t[r, i, j]
    m = xp.max(_where(keep, t, -xp.inf), axis=-1)
    m = xp.where(m == -xp.inf, 0.0, m)
    # a[r, i, j] = keep[r, i, j]·exp(t[r, i, j] − m[r, i])
    a_1 = t - m[..., None]
    a_1_err = t_err + u * abs(a_1)
    a = xp.exp(_where(keep, a_1, -xp.inf))
    a_err = _exp_error(a, a_1_err + 2 * u * abs(a_1), u) + tiny
    a_err = _where(keep, a_err, 0.0)
    a_err = _checked(a, a_err, precision["compute"])
    if "a" in precision:
        a_err = _stored(a, a_err, precision["a"])
    # z[r, i] = Σ_j a[r, i, j]
    z = xp.sum(a, axis=-1)
    z_err = xp.sum(a_err, axis=-1) + k.shape[-2] * u_sum * xp.sum(abs(a), axis=-1)
    z_safe = xp.where(z > 0, z, 1.0)
    z_err = _checked(z, z_err, precision["compute"])
    if "z" in precision:
        z_err = _stored(z, z_err, precision["z"])
    # p[r, i, j] = a[r, i, j]/z[r, i]
    p = a / z_safe[..., None]
    p_err = _quotient_error(p, a_err, z_safe[..., None], z_err[..., None]) + u * abs(p) + tiny
    # or p = keep[r, i, j]·exp(t[r, i, j] − (m[r, i] + log(z[r, i])))
    p_alt_1 = xp.where(z > 0, xp.log(z_safe), -xp.inf)
    p_alt_1_err = _log_error(z_safe, z_err) + 4 * u * xp.where(p_alt_1 > -xp.inf, abs(p_alt_1), 0.0)
    p_alt_2 = m + p_alt_1
    p_alt_2_err = p_alt_1_err + u * abs(p_alt_2)
    p_alt_3 = t - p_alt_2[..., None]
    p_alt_3_err = t_err + p_alt_2_err[..., None] + u * abs(p_alt_3)
    p_alt = xp.exp(_where(keep, p_alt_3, -xp.inf))
    p_alt_err = _exp_error(p_alt, p_alt_3_err + 2 * u * abs(p_alt_3), u) + tiny
    p_alt_err = _where(keep, p_alt_err, 0.0)
    p_err = xp.maximum(p_err, p_alt_err)
    p_err = _checked(p, p_err, precision["compute"])
    if "p" in precision:
        p_err = _stored(p, p_err, precision["p"])
    p_err = xp.where(p_err < xp.inf, xp.minimum(p_err, 1 + u), xp.inf)
    # o[r, i, e] = Σ_j p[r, i, j]·v[j, e]
    o = p @ v[..., None, :, :]
    o_err = _matmul_error(p, p_err, v[..., None, :, :], None, k.shape[-2], precision)
    o_err = _checked(o, o_err, precision["compute"])
    if "o" in precision:
        o_err = _stored(o, o_err, precision["o"])
    # dp[r, i, j] = Σ_e do[r, i, e]·v[j, e]
    dp = do @ v.mT[..., None, :, :]
    dp_err = _matmul_error(do, None, v.mT[..., None, :, :], None, v.shape[-1], precision)
    dp_err = _checked(dp, dp_err, precision["compute"])
    if "dp" in precision:
        dp_err = _stored(dp, dp_err, precision["dp"])
    # delta[r, i] = (Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]
    delta_1 = do * o
    delta_1_err = _product_error(do, None, o, o_err) + u * abs(delta_1) + tiny
    delta = xp.sum(delta_1, axis=-1)
    delta_err = xp.sum(delta_1_err, axis=-1) + v.shape[-1] * u_sum * xp.sum(abs(delta_1), axis=-1)
    if dlse is not None:
        delta = delta - dlse
        delta_err = delta_err + u * abs(delta)
    # or delta = (Σ_j p[r, i, j]·dp[r, i, j]) − dlse[r, i]
    delta_alt_2 = p * dp
    delta_alt_2_err = _product_error(p, p_err, dp, dp_err) + u * abs(delta_alt_2) + tiny
    delta_alt = xp.sum(delta_alt_2, axis=-1)
    delta_alt_err = xp.sum(delta_alt_2_err, axis=-1) + k.shape[-2] * u_sum * xp.sum(abs(delta_alt_2), axis=-1)
    if dlse is not None:
        delta_alt = delta_alt - dlse
        delta_alt_err = delta_alt_err + u * abs(delta_alt)
    delta_err = xp.maximum(delta_err, delta_alt_err)
    delta_err = _checked(delta, delta_err, precision["compute"])
    if "delta" in precision:
        delta_err = _stored(delta, delta_err, precision["delta"])
    # dt[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])
    dt_1 = dp - delta[..., None]
    dt_1_err = dp_err + delta_err[..., None] + u * abs(dt_1)
    dt = p * dt_1
    dt_err = _product_error(p, p_err, dt_1, dt_1_err) + u * abs(dt) + tiny
    dt_err = _checked(dt, dt_err, precision["compute"])
    if "dt" in precision:
        dt_err = _stored(dt, dt_err, precision["dt"])
    # ds[r, i, j] = dt[r, i, j]·(-tanh(s[r, i, j]/cap)^2 + 1)
    ds_1 = (1 / cap) * s
    ds_1_err = _product_error(1 / cap, None, s, s_err) + u * abs(ds_1) + tiny
    ds_2 = xp.tanh(ds_1)
    ds_2_err = ds_1_err + 4 * u * abs(ds_2)
    ds_3 = ds_2**2
    ds_3_err = (abs(ds_2) + ds_2_err) ** 2 - abs(ds_2) ** 2 + 1 * u * abs(ds_3) + tiny
    ds_4 = 1 - ds_3
    ds_4_err = ds_3_err + u * abs(ds_4)
    ds = dt * ds_4
    ds_err = _product_error(dt, dt_err, ds_4, ds_4_err) + u * abs(ds) + tiny
    ds_err = _checked(ds, ds_err, precision["compute"])
    if "ds" in precision:
        ds_err = _stored(ds, ds_err, precision["ds"])
    # dq[r, i, c] = scale·(Σ_j ds[r, i, j]·k[j, c])
    dq_1 = ds @ k[..., None, :, :]
    dq_1_err = _matmul_error(ds, ds_err, k[..., None, :, :], None, k.shape[-2], precision)
    dq = scale * dq_1
    dq_err = _product_error(scale, None, dq_1, dq_1_err) + u * abs(dq) + tiny
    dq_err = _output(dq, dq_err, precision.get("dq", precision["compute"]))
    # dk[j, c] = scale·(Σ_i (Σ_r ds[r, i, j]·q[r, i, c]))
    dk_1 = xp.sum(ds.mT @ q, axis=-3)
    dk_1_err = xp.sum(_matmul_error(ds.mT, ds_err.mT, q, None, q.shape[-2] * q.shape[-3], precision, "dk"), axis=-3)
    dk = scale * dk_1
    dk_err = _product_error(scale, None, dk_1, dk_1_err) + u * abs(dk) + tiny
    dk_err = _output(dk, dk_err, precision.get("dk", precision["compute"]))
    # dv[j, e] = Σ_i (Σ_r do[r, i, e]·p[r, i, j])
    dv = xp.sum(p.mT @ do, axis=-3)
    dv_err = xp.sum(_matmul_error(p.mT, p_err.mT, do, None, q.shape[-2] * q.shape[-3], precision, "dv"), axis=-3)
    dv_err = _output(dv, dv_err, precision.get("dv", precision["compute"]))
    # dbias[r, i, j] = dt[r, i, j]
    dbias = dt
    dbias_err = dt_err
    dbias_err = _output(dbias, dbias_err, precision.get("dbias", precision["compute"]))
    return dq_err, dk_err, dv_err, None if bias is None else dbias_err


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


def _tiny(form: Format) -> float:
    """What underflow may lose: the least normal number where it may be flushed to zero, else half a subnormal."""
    return 2.0 ** form[1] if form[1] == -126 else max(2.0 ** (form[1] - form[0]), 2.0**-1074)


def _checked(value: Array, error: Array, form: Format) -> Array:
    """The error, infinite where the format may overflow or the analysis has no number (0·∞)."""
    xp = _namespace(value)
    return xp.where(abs(value) + error < form[2], error, xp.inf)


def _stored(value: Array, error: Array, form: Format) -> Array:
    """The error after rounding to a format, whatever scaling the rounding meets: relative, zero stays zero."""
    xp = _namespace(value)
    size = abs(value) + error
    rounded = xp.where(size > 0, error + 2.0 ** -form[0] * size + _tiny(form), 0.0)
    return xp.where(size < form[2], rounded, xp.inf)


def _output(value: Array, error: Array, form: Format) -> Array:
    """The error after rounding the result to its format: half a unit in the last place of its binade."""
    xp = _namespace(value)
    size = abs(value) + error
    binade = xp.floor(xp.log2(xp.where((size > 0) & (size < xp.inf), size, 1.0) * (1 + 2.0**-40)))
    half = 2.0 ** (xp.where(binade < form[1], form[1] * 1.0, binade) - form[0])
    rounded = xp.where(size > 0, 1.05 * error + half, 0.0)
    return xp.where(size < form[2], rounded, xp.inf)


def _product_error(a: Array, a_err: Array | None, b: Array, b_err: Array | None) -> Array:
    """|a b − ã b̃| for factors with errors."""
    total = 0.0
    if a_err is not None:
        total = total + a_err * abs(b)
    if b_err is not None:
        total = total + abs(a) * b_err
    if a_err is not None and b_err is not None:
        total = total + a_err * b_err
    return total


def _quotient_error(value: Array, a_err: Array | None, b: Array, b_err: Array | None) -> Array:
    """|a/b − ã/b̃|; infinite where the divisor may be zero."""
    xp = _namespace(value)
    if b_err is None:
        return a_err / abs(b)
    room = abs(b) - b_err
    total = abs(value) * b_err if a_err is None else a_err + abs(value) * b_err
    return xp.where(room > 0, total / xp.where(room > 0, room, 1.0), xp.where(total > 0, xp.inf, 0.0))


def _log_error(b: Array, b_err: Array) -> Array:
    """|log b − log b̃| for positive b; infinite where b̃ may not be positive."""
    xp = _namespace(b)
    share = b_err / b
    return xp.where(share < 1, -xp.log1p(-xp.where(share < 1, share, 0.0)), xp.inf)


def _exp_error(value: Array, moved: Array, u: float) -> Array:
    """|exp(x) − fl(exp(x̃))| for an argument that moved; its scaling by log₂e moves it as well."""
    xp = _namespace(value)
    return xp.where(moved < 700, value * xp.expm1(xp.where(moved < 700, moved, 0.0)) + 4 * u * value, xp.inf)


def _matmul_error(
    a: Array,
    a_err: Array | None,
    b: Array,
    b_err: Array | None,
    terms: int,
    precision: Mapping[str, Format],
    name: str = "",
) -> Array:
    """|a @ b − fl(ã @ b̃)| for sums of so many terms; operands may be rounded, and scaled, before the product.

    The partial sums of a named result may be stored after each block of 32 terms, in the format `NAME_partial`.
    """
    accumulator = precision.get("accumulate", precision["compute"])
    gamma = (terms + 4) * 2.0 ** -accumulator[0]
    if "operand" in precision:
        gamma = gamma + 2 * 2.0 ** -precision["operand"][0]
    if f"{name}_partial" in precision:
        gamma = gamma + -(-terms // 32) * 2.0 ** -precision[f"{name}_partial"][0]
    size_a, size_b = abs(a), abs(b)
    total = gamma * (size_a @ size_b)
    if b_err is not None:
        total = total + (1 + gamma) * (size_a @ b_err)
    if a_err is not None:
        total = total + (1 + gamma) * (a_err @ (size_b if b_err is None else size_b + b_err))
    return total + terms * _tiny(accumulator)
