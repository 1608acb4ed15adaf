"""Rounding-error bounds of add_rms_norm.

GENERATED from derivations/norm.py by `lemmata generate norm`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def add_rms_norm_bound(
    x: Array,
    r: Array,
    weight: Array | None = None,
    eps: float = 2.220446049250313e-16,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `add_rms_norm`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, ms, rstd, xhat, y).

    Returns:
        absolute errors of s, y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    r = fl.given(r, "c")
    weight_given = fl.given(weight, "c", absent=(1.0, x.shape[-1]))
    # s[c] = x[c] + r[c]
    s = fl.output("s", x + r, "c")
    # ms = (Σ_f s[f]^2)/d
    ms = fl.step("ms", fl.sum(s.at("f") ** 2, "f") / x.shape[-1], "")
    # rstd = (ms + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(ms + eps), "", row=True)
    # xhat[c] = s[c]·rstd
    xhat = fl.step("xhat", s * rstd, "c")
    # y[c] = xhat[c]·weight[c]
    y = fl.output("y", xhat * weight_given, "c")
    return s.total, y.total


@np.errstate(all="ignore")
def add_rms_norm_vjp_bound(
    x: Array,
    r: Array,
    ds: Array,
    dy: Array | None = None,
    weight: Array | None = None,
    eps: float = 2.220446049250313e-16,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array | None]:
    """Bound of the rounding error of `add_rms_norm_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, ms, rstd, xhat, dxhat,
            delta, ds_total, dx, dr, dweight).

    Returns:
        absolute errors of dx, dr, dweight, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "c")
    r = fl.given(r, "c")
    ds = fl.given(ds, "c")
    dy_given = fl.given(dy, "c", absent=(0.0, x.shape[-1]))
    weight_given = fl.given(weight, "c", absent=(1.0, x.shape[-1]))
    # s[c] = x[c] + r[c]
    s = fl.step("s", x + r, "c")
    # ms = (Σ_f s[f]^2)/d
    ms = fl.step("ms", fl.sum(s.at("f") ** 2, "f") / x.shape[-1], "")
    # rstd = (ms + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(ms + eps), "", row=True)
    # xhat[c] = s[c]·rstd
    xhat = fl.step("xhat", s * rstd, "c")
    # dxhat[c] = weight[c]·dy[c]
    dxhat = fl.step("dxhat", weight_given * dy_given, "c")
    # delta = (Σ_c xhat[c]·dxhat[c])/d
    delta = fl.step("delta", 1 / x.shape[-1] * fl.sum(xhat * dxhat, "c"), "", row=True)
    # ds_total[c] = ds[c] + rstd·(dxhat[c] − delta·xhat[c])
    ds_total = fl.step("ds_total", ds + rstd * (dxhat - delta * xhat), "c")
    # dx[c] = ds_total[c]
    dx = fl.output("dx", ds_total, "c")
    # dr[c] = ds_total[c]
    dr = fl.output("dr", ds_total, "c")
    # dweight[c] = dy[c]·xhat[c]
    dweight = fl.output("dweight", dy_given * xhat, "c", shared=True)
    return dx.total, dr.total, None if weight is None else dweight.total


@np.errstate(all="ignore")
def add_rms_norm_jvp_bound(
    x: Array,
    r: Array,
    tx: Array,
    tr: Array,
    weight: Array | None = None,
    eps: float = 2.220446049250313e-16,
    tweight: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `add_rms_norm_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, ms, rstd, xhat, y, ts,
            delta, ty).

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
    # s[c] = x[c] + r[c]
    s = fl.step("s", x + r, "c")
    # ms = (Σ_f s[f]^2)/d
    ms = fl.step("ms", fl.sum(s.at("f") ** 2, "f") / x.shape[-1], "")
    # rstd = (ms + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(ms + eps), "", row=True)
    # xhat[c] = s[c]·rstd
    xhat = fl.step("xhat", s * rstd, "c")
    # y[c] = xhat[c]·weight[c]
    y = fl.step("y", xhat * weight_given, "c")
    # ts[c] = tx[c] + tr[c]
    ts = fl.output("ts", tx + tr, "c")
    # delta = (Σ_c xhat[c]·ts[c])/d
    delta = fl.step("delta", 1 / x.shape[-1] * fl.sum(xhat * ts, "c"), "", row=True)
    # ty[c] = tweight[c]·xhat[c] + rstd·(weight[c]·ts[c] − delta·y[c])
    ty = rstd * (weight_given * ts - delta * y)
    if tweight is not None:
        ty = fl.plus("ty", ty, tweight * xhat)
    ty = fl.output("ty", ty, "c")
    return ts.total, ty.total
