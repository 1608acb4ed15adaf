"""Rounding-error bounds of add_layer_norm.

GENERATED from derivations/norm.py by `lemmata generate norm`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def add_layer_norm_bound(
    x: Array,
    r: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-05,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `add_layer_norm`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, mean, centred, var, rstd,
            xhat, y).

    Returns:
        absolute errors of s, y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    r = fl.given(r, "c")
    weight_given = fl.given(weight, "c", absent=(1.0, x.shape[-1]))
    bias = fl.given(bias, "c")
    # s[c] = x[c] + r[c]
    s = fl.output("s", x + r, "c")
    # mean = (Σ_f s[f])/d
    mean = fl.step("mean", fl.sum(s.at("f"), "f") / x.shape[-1], "", row=True)
    # centred[c] = s[c] − mean
    centred = fl.step("centred", s - mean, "c")
    # var = (Σ_f centred[f]^2)/d
    var = fl.step("var", fl.sum(centred.at("f") ** 2, "f") / x.shape[-1], "")
    # rstd = (var + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(var + eps), "", row=True)
    # xhat[c] = centred[c]·rstd
    xhat = fl.step("xhat", centred * rstd, "c")
    # y[c] = xhat[c]·weight[c] + bias[c]
    y = xhat * weight_given
    y = fl.plus("y", y, bias)
    y = fl.output("y", y, "c")
    return s.total, y.total


@np.errstate(all="ignore")
def add_layer_norm_vjp_bound(
    x: Array,
    r: Array,
    ds: Array,
    dy: Array | None = None,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-05,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array | None, Array | None]:
    """Bound of the rounding error of `add_layer_norm_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, mean, centred, var, rstd,
            xhat, dxhat, delta, delta_2, ds_total, dx, dr, dweight, dbias).

    Returns:
        absolute errors of dx, dr, dweight, dbias, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    r = fl.given(r, "c")
    ds = fl.given(ds, "c")
    dy_given = fl.given(dy, "c", absent=(0.0, x.shape[-1]))
    weight_given = fl.given(weight, "c", absent=(1.0, x.shape[-1]))
    bias = fl.given(bias, "d")
    # s[c] = x[c] + r[c]
    s = fl.step("s", x + r, "c")
    # mean = (Σ_f s[f])/d
    mean = fl.step("mean", fl.sum(s.at("f"), "f") / x.shape[-1], "", row=True)
    # centred[c] = s[c] − mean
    centred = fl.step("centred", s - mean, "c")
    # var = (Σ_f centred[f]^2)/d
    var = fl.step("var", fl.sum(centred.at("f") ** 2, "f") / x.shape[-1], "")
    # rstd = (var + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(var + eps), "", row=True)
    # xhat[c] = centred[c]·rstd
    xhat = fl.step("xhat", centred * rstd, "c")
    # dxhat[c] = weight[c]·dy[c]
    dxhat = fl.step("dxhat", weight_given * dy_given, "c")
    # delta = (Σ_c dxhat[c])/d
    delta = fl.step("delta", 1 / x.shape[-1] * fl.sum(dxhat, "c"), "", row=True)
    # delta_2 = (Σ_c xhat[c]·dxhat[c])/d
    delta_2 = fl.step("delta_2", 1 / x.shape[-1] * fl.sum(xhat * dxhat, "c"), "", row=True)
    # ds_total[c] = ds[c] + rstd·(dxhat[c] − delta − delta_2·xhat[c])
    ds_total = fl.step("ds_total", ds + rstd * fl.total(dxhat, -delta, -(delta_2 * xhat)), "c")
    # dx[c] = ds_total[c]
    dx = fl.output("dx", ds_total, "c")
    # dr[c] = ds_total[c]
    dr = fl.output("dr", ds_total, "c")
    # dweight[c] = dy[c]·xhat[c]
    dweight = fl.output("dweight", dy_given * xhat, "c", shared=True)
    # dbias[c] = dy[c]
    dbias = fl.output("dbias", dy_given, "c", shared=True)
    return dx.total, dr.total, None if weight is None else dweight.total, None if bias is None else dbias.total


@np.errstate(all="ignore")
def add_layer_norm_jvp_bound(
    x: Array,
    r: Array,
    tx: Array,
    tr: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-05,
    tweight: Array | None = None,
    tbias: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `add_layer_norm_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, mean, centred, var, rstd,
            xhat, ts, delta, delta_2, ty).

    Returns:
        absolute errors of ts, ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    r = fl.given(r, "c")
    tx = fl.given(tx, "c")
    tr = fl.given(tr, "c")
    weight_given = fl.given(weight, "c", absent=(1.0, x.shape[-1]))
    tweight = fl.given(tweight, "c")
    tbias = fl.given(tbias, "c")
    # s[c] = x[c] + r[c]
    s = fl.step("s", x + r, "c")
    # mean = (Σ_f s[f])/d
    mean = fl.step("mean", fl.sum(s.at("f"), "f") / x.shape[-1], "", row=True)
    # centred[c] = s[c] − mean
    centred = fl.step("centred", s - mean, "c")
    # var = (Σ_f centred[f]^2)/d
    var = fl.step("var", fl.sum(centred.at("f") ** 2, "f") / x.shape[-1], "")
    # rstd = (var + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(var + eps), "", row=True)
    # xhat[c] = centred[c]·rstd
    xhat = fl.step("xhat", centred * rstd, "c")
    # ts[c] = tx[c] + tr[c]
    ts = fl.output("ts", tx + tr, "c")
    # delta = (Σ_c ts[c])/d
    delta = fl.step("delta", 1 / x.shape[-1] * fl.sum(ts, "c"), "", row=True)
    # delta_2 = (Σ_c xhat[c]·ts[c])/d
    delta_2 = fl.step("delta_2", 1 / x.shape[-1] * fl.sum(xhat * ts, "c"), "", row=True)
    # ty[c] = tbias[c] + tweight[c]·xhat[c] + rstd·weight[c]·(ts[c] − delta − delta_2·xhat[c])
    ty = rstd * weight_given * fl.total(ts, -delta, -(delta_2 * xhat))
    ty = fl.plus("ty", ty, tbias)
    if tweight is not None:
        ty = fl.plus("ty", ty, tweight * xhat)
    ty = fl.output("ty", ty, "c")
    return ts.total, ty.total
