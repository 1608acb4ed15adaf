"""Rounding-error bounds of layer_norm.

GENERATED from derivations/norm.py by `lemmata generate norm`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def layer_norm_bound(
    x: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-05,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `layer_norm`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (mean, centred, var, rstd,
            xhat, y).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "f", errors.get("x"))
    weight_given = fl.given(weight, "c", errors.get("weight"), absent=(1.0, x.shape[-1]))
    bias = fl.given(bias, "c", errors.get("bias"))
    # mean = (Σ_f x[f])/d
    mean = fl.step("mean", fl.sum(x, "f") / x.shape[-1], "", row=True)
    # centred[c] = x[c] − mean
    centred = fl.step("centred", x.at("c") - mean, "c")
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
    return y.total


@np.errstate(all="ignore")
def layer_norm_vjp_bound(
    x: Array,
    dy: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-05,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, Array | None, Array | None]:
    """Bound of the rounding error of `layer_norm_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (mean, centred, var, rstd,
            xhat, dxhat, delta, delta_2, dx, dweight, dbias).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of dx, dweight, dbias, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "f", errors.get("x"))
    dy = fl.given(dy, "c", errors.get("dy"))
    weight_given = fl.given(weight, "c", errors.get("weight"), absent=(1.0, x.shape[-1]))
    bias = fl.given(bias, "d", errors.get("bias"))
    # mean = (Σ_f x[f])/d
    mean = fl.step("mean", fl.sum(x, "f") / x.shape[-1], "", row=True)
    # centred[c] = x[c] − mean
    centred = fl.step("centred", x.at("c") - mean, "c")
    # var = (Σ_f centred[f]^2)/d
    var = fl.step("var", fl.sum(centred.at("f") ** 2, "f") / x.shape[-1], "")
    # rstd = (var + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(var + eps), "", row=True)
    # xhat[c] = centred[c]·rstd
    xhat = fl.step("xhat", centred * rstd, "c")
    # dxhat[c] = weight[c]·dy[c]
    dxhat = fl.step("dxhat", weight_given * dy, "c")
    # delta = (Σ_f dxhat[f])/d
    delta = fl.step("delta", 1 / x.shape[-1] * fl.sum(dxhat.at("f"), "f"), "", row=True)
    # delta_2 = (Σ_f xhat[f]·dxhat[f])/d
    delta_2 = fl.step("delta_2", 1 / x.shape[-1] * fl.sum(xhat.at("f") * dxhat.at("f"), "f"), "", row=True)
    # dx[c] = rstd·(dxhat[c] − delta − delta_2·xhat[c])
    dx = fl.output("dx", rstd * fl.total(dxhat, -delta, -(delta_2 * xhat)), "c")
    # dweight[c] = dy[c]·xhat[c]
    dweight = fl.output("dweight", dy * xhat, "c", shared=True)
    # dbias[c] = dy[c]
    dbias = fl.output("dbias", dy, "c", shared=True)
    return dx.total, None if weight is None else dweight.total, None if bias is None else dbias.total


@np.errstate(all="ignore")
def layer_norm_jvp_bound(
    x: Array,
    tx: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-05,
    tweight: Array | None = None,
    tbias: Array | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `layer_norm_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (mean, centred, var, rstd,
            xhat, delta, delta_2, ty).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "f", errors.get("x"))
    tx = fl.given(tx, "f", errors.get("tx"))
    weight_given = fl.given(weight, "c", errors.get("weight"), absent=(1.0, x.shape[-1]))
    tweight = fl.given(tweight, "c", errors.get("tweight"))
    tbias = fl.given(tbias, "c", errors.get("tbias"))
    # mean = (Σ_f x[f])/d
    mean = fl.step("mean", fl.sum(x, "f") / x.shape[-1], "", row=True)
    # centred[c] = x[c] − mean
    centred = fl.step("centred", x.at("c") - mean, "c")
    # var = (Σ_f centred[f]^2)/d
    var = fl.step("var", fl.sum(centred.at("f") ** 2, "f") / x.shape[-1], "")
    # rstd = (var + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(var + eps), "", row=True)
    # xhat[c] = centred[c]·rstd
    xhat = fl.step("xhat", centred * rstd, "c")
    # delta = (Σ_f tx[f])/d
    delta = fl.step("delta", 1 / x.shape[-1] * fl.sum(tx, "f"), "", row=True)
    # delta_2 = (Σ_f tx[f]·xhat[f])/d
    delta_2 = fl.step("delta_2", 1 / x.shape[-1] * fl.sum(tx * xhat.at("f"), "f"), "", row=True)
    # ty[c] = tbias[c] + tweight[c]·xhat[c] + rstd·weight[c]·(tx[c] − delta − delta_2·xhat[c])
    ty = rstd * weight_given * fl.total(tx.at("c"), -delta, -(delta_2 * xhat))
    ty = fl.plus("ty", ty, tbias)
    if tweight is not None:
        ty = fl.plus("ty", ty, tweight * xhat)
    ty = fl.output("ty", ty, "c")
    return ty.total
