"""Rounding-error bounds of rms_norm.

GENERATED from derivations/norm.py by `lemmata generate norm`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def rms_norm_bound(
    x: Array,
    weight: Array | None = None,
    eps: float = 2.220446049250313e-16,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `rms_norm`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (ms, rstd, xhat, y).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "f", errors.get("x"))
    weight_given = fl.given(weight, "c", errors.get("weight"), absent=(1.0, x.shape[-1]))
    # ms = (Σ_f x[f]^2)/d
    ms = fl.step("ms", fl.sum(x**2, "f") / x.shape[-1], "")
    # rstd = (ms + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(ms + eps), "", row=True)
    # xhat[c] = x[c]·rstd
    xhat = fl.step("xhat", x.at("c") * rstd, "c")
    # y[c] = xhat[c]·weight[c]
    y = fl.output("y", xhat * weight_given, "c")
    return y.total


@np.errstate(all="ignore")
def rms_norm_vjp_bound(
    x: Array,
    dy: Array,
    weight: Array | None = None,
    eps: float = 2.220446049250313e-16,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, Array | None]:
    """Bound of the rounding error of `rms_norm_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (ms, rstd, xhat, dxhat, delta,
            dx, dweight).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of dx, dweight, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "f", errors.get("x"))
    dy = fl.given(dy, "c", errors.get("dy"))
    weight_given = fl.given(weight, "c", errors.get("weight"), absent=(1.0, x.shape[-1]))
    # ms = (Σ_f x[f]^2)/d
    ms = fl.step("ms", fl.sum(x**2, "f") / x.shape[-1], "")
    # rstd = (ms + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(ms + eps), "", row=True)
    # xhat[c] = x[c]·rstd
    xhat = fl.step("xhat", x.at("c") * rstd, "c")
    # dxhat[c] = weight[c]·dy[c]
    dxhat = fl.step("dxhat", weight_given * dy, "c")
    # delta = (Σ_f xhat[f]·dxhat[f])/d
    delta = fl.step("delta", 1 / x.shape[-1] * fl.sum(xhat.at("f") * dxhat.at("f"), "f"), "", row=True)
    # dx[c] = rstd·(dxhat[c] − delta·xhat[c])
    dx = fl.output("dx", rstd * (dxhat - delta * xhat), "c")
    # dweight[c] = dy[c]·xhat[c]
    dweight = fl.output("dweight", dy * xhat, "c", shared=True)
    return dx.total, None if weight is None else dweight.total


@np.errstate(all="ignore")
def rms_norm_jvp_bound(
    x: Array,
    tx: Array,
    weight: Array | None = None,
    eps: float = 2.220446049250313e-16,
    tweight: Array | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `rms_norm_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (ms, rstd, xhat, y, delta, ty).
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
    # ms = (Σ_f x[f]^2)/d
    ms = fl.step("ms", fl.sum(x**2, "f") / x.shape[-1], "")
    # rstd = (ms + eps)^(-1/2)
    rstd = fl.step("rstd", 1 / fl.sqrt(ms + eps), "", row=True)
    # xhat[c] = x[c]·rstd
    xhat = fl.step("xhat", x.at("c") * rstd, "c")
    # y[c] = xhat[c]·weight[c]
    y = fl.step("y", xhat * weight_given, "c")
    # delta = (Σ_f tx[f]·xhat[f])/d
    delta = fl.step("delta", 1 / x.shape[-1] * fl.sum(tx * xhat.at("f"), "f"), "", row=True)
    # ty[c] = tweight[c]·xhat[c] + rstd·(weight[c]·tx[c] − delta·y[c])
    ty = rstd * (weight_given * tx.at("c") - delta * y)
    if tweight is not None:
        ty = fl.plus("ty", ty, tweight * xhat)
    ty = fl.output("ty", ty, "c")
    return ty.total
