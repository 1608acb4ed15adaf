"""Rounding-error bounds of smoothed_cross_entropy.

GENERATED from derivations/loss.py by `lemmata generate loss`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def smoothed_cross_entropy_bound(
    x: Array,
    target: Array,
    smoothing: float,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `smoothed_cross_entropy`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse, nll, uniform,
            sharpness, loss, total, norm, mean).

    Returns:
        absolute errors of loss, total, mean, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i v")
    target = fl.given(target, "n")
    weight_given = fl.given(weight, "v", absent=(1.0, x.shape[-1]))
    keep = fl.given(keep, "i")
    # m[i] = max_{v} x[i, v]
    m, x = fl.largest("m", x, "v")
    # a[i, v] = exp(x[i, v] − m[i])
    a = fl.step("a", fl.exp(x - m), "i v")
    # z[i] = Σ_v a[i, v]
    z = fl.step("z", fl.sum(a, "v"), "i")
    # lse[i] = m[i] + log(z[i])
    lse = fl.step("lse", m + fl.log(z), "i")
    # nll[i] = weight[target(i)]·(lse[i] − x[i, target(i)])
    nll_1 = fl.lookup(weight_given.at("at"), target.at("i"), "at")
    nll_2 = lse - fl.lookup(x.at("i at"), target.at("i"), "at")
    nll = fl.step("nll", nll_1 * nll_2, "i")
    # uniform[i] = (Σ_v weight[v]·(lse[i] − x[i, v]))/V
    uniform = fl.step("uniform", fl.sum(weight_given * (lse - x), "v") / x.shape[-1], "i")
    # sharpness = 1 − smoothing
    sharpness = fl.step("sharpness", 1 - smoothing, "", row=True)
    # loss[i] = keep[i]·((sharpness·nll[i] + smoothing·uniform[i]) + zeta·lse[i]^2)
    loss = fl.output("loss", fl.where(keep, sharpness * nll + smoothing * uniform + zeta * lse**2), "i")
    # total = Σ_i loss[i]
    total = fl.output("total", fl.sum(loss, "i"), "")
    # norm = Σ_i keep[i]·weight[target(i)]
    norm = fl.step("norm", fl.sum(fl.where(keep, fl.lookup(weight_given.at("at"), target.at("i"), "at")), "i"), "")
    # mean = total/norm
    mean = fl.output("mean", total / norm, "")
    return loss.total, total.total, mean.total


@np.errstate(all="ignore")
def smoothed_cross_entropy_vjp_bound(
    x: Array,
    target: Array,
    smoothing: float,
    dloss: Array,
    dtotal: Array | None = None,
    dmean: Array | None = None,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> Array:
    """Bound of the rounding error of `smoothed_cross_entropy_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse, sharpness, norm,
            dtotal_total, dloss_total, delta, dz, dx).

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i v")
    target = fl.given(target, "n")
    dloss = fl.given(dloss, "i")
    dtotal_given = fl.given(dtotal, "", absent=(0.0,))
    dmean_given = fl.given(dmean, "", absent=(0.0,))
    weight_given = fl.given(weight, "v", absent=(1.0, x.shape[-1]))
    keep_given = fl.given(keep, "i", absent=(True, x.shape[-2]))
    # m[i] = max_{v} x[i, v]
    m, x = fl.largest("m", x, "v")
    # a[i, v] = exp(x[i, v] − m[i])
    a = fl.step("a", fl.exp(x - m), "i v")
    # z[i] = Σ_v a[i, v]
    z = fl.step("z", fl.sum(a, "v"), "i")
    # lse[i] = m[i] + log(z[i])
    lse = fl.step("lse", m + fl.log(z), "i")
    # sharpness = 1 − smoothing
    sharpness = fl.step("sharpness", 1 - smoothing, "", row=True)
    # norm = Σ_i keep[i]·weight[target(i)]
    norm = fl.step(
        "norm", fl.sum(fl.where(keep_given, fl.lookup(weight_given.at("at"), target.at("i"), "at")), "i"), ""
    )
    # dtotal_total = dtotal + dmean/norm
    dtotal_total = fl.step("dtotal_total", dtotal_given + dmean_given / norm, "", row=True)
    # dloss_total[i] = dtotal_total + dloss[i]
    dloss_total = fl.step("dloss_total", dtotal_total + dloss, "i", row=True)
    # delta = smoothing·(Σ_v weight[v])/V
    delta = fl.step("delta", 1 / x.shape[-1] * smoothing * fl.sum(weight_given, "v"), "", row=True)
    # dz[i] = keep[i]·dloss_total[i]·(delta + sharpness·weight[target(i)] + 2·zeta·lse[i])/z[i]
    dz_1 = sharpness * fl.lookup(weight_given.at("at"), target.at("i"), "at")
    dz = fl.step("dz", fl.where(keep_given, 1 / z * dloss_total * fl.total(delta, dz_1, 2 * zeta * lse)), "i", row=True)
    # dx[i, v] = a[i, v]·dz[i] − smoothing·weight[v]·keep[i]·dloss_total[i]/V − δ[target(i),
    # v]·sharpness·weight[target(i)]·keep[i]·dloss_total[i]
    dx_1 = fl.where(keep_given, 1 / x.shape[-1] * smoothing * weight_given * dloss_total)
    dx_2 = fl.where(
        fl.one_hot(target.at("i"), "v", x.shape[-1]),
        sharpness * fl.lookup(weight_given.at("at"), target.at("i"), "at") * dloss_total,
    )
    dx_2 = fl.where(keep_given, dx_2)
    dx = fl.output("dx", fl.total(a * dz, -dx_1, -dx_2), "i v")
    return dx.total


@np.errstate(all="ignore")
def smoothed_cross_entropy_jvp_bound(
    x: Array,
    target: Array,
    smoothing: float,
    tx: Array,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `smoothed_cross_entropy_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse, sharpness, norm,
            tz, delta, tloss, ttotal, tmean).

    Returns:
        absolute errors of tloss, ttotal, tmean, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i v")
    target = fl.given(target, "n")
    tx = fl.given(tx, "i v")
    weight_given = fl.given(weight, "v", absent=(1.0, x.shape[-1]))
    keep = fl.given(keep, "i")
    # m[i] = max_{v} x[i, v]
    m, x = fl.largest("m", x, "v")
    # a[i, v] = exp(x[i, v] − m[i])
    a = fl.step("a", fl.exp(x - m), "i v")
    # z[i] = Σ_v a[i, v]
    z = fl.step("z", fl.sum(a, "v"), "i")
    # lse[i] = m[i] + log(z[i])
    lse = fl.step("lse", m + fl.log(z), "i")
    # sharpness = 1 − smoothing
    sharpness = fl.step("sharpness", 1 - smoothing, "", row=True)
    # norm = Σ_i keep[i]·weight[target(i)]
    norm = fl.step("norm", fl.sum(fl.where(keep, fl.lookup(weight_given.at("at"), target.at("i"), "at")), "i"), "")
    # tz[i] = Σ_v tx[i, v]·a[i, v]
    tz = fl.step("tz", fl.sum(tx * a, "v"), "i")
    # delta = smoothing·(Σ_v weight[v])/V
    delta = fl.step("delta", 1 / x.shape[-1] * smoothing * fl.sum(weight_given, "v"), "", row=True)
    # tloss[i] = keep[i]·(delta·tz[i]/z[i] + sharpness·weight[target(i)]·tz[i]/z[i] + 2·zeta·lse[i]·tz[i]/z[i] −
    # sharpness·weight[target(i)]·tx[i, target(i)] − smoothing·(Σ_v weight[v]·tx[i, v])/V)
    tloss_1 = fl.lookup(weight_given.at("at"), target.at("i"), "at")
    tloss_2 = fl.lookup(tx.at("i at"), target.at("i"), "at")
    tloss_3 = sharpness * fl.lookup(weight_given.at("at"), target.at("i"), "at") / z * tz
    tloss_4 = 1 / x.shape[-1] * smoothing * fl.sum(weight_given * tx, "v")
    tloss = fl.output(
        "tloss",
        fl.where(
            keep, fl.total(delta / z * tz, tloss_3, 2 * zeta / z * lse * tz, -(sharpness * tloss_1 * tloss_2), -tloss_4)
        ),
        "i",
    )
    # ttotal = Σ_i tloss[i]
    ttotal = fl.output("ttotal", fl.sum(tloss, "i"), "")
    # tmean = ttotal/norm
    tmean = fl.output("tmean", 1 / norm * ttotal, "")
    return tloss.total, ttotal.total, tmean.total
