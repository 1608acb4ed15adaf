"""Rounding-error bounds of cross_entropy.

GENERATED from derivations/loss.py by `lemmata generate loss`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def cross_entropy_bound(
    x: Array,
    target: Array,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `cross_entropy`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse, nll, loss,
            total, norm, mean).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of loss, total, mean, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i v", errors.get("x"))
    target = fl.given(target, "n")
    weight_given = fl.given(weight, "V", errors.get("weight"), absent=(1.0, x.shape[-1]))
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
    # loss[i] = keep[i]·(nll[i] + zeta·lse[i]^2)
    loss = fl.output("loss", fl.where(keep, nll + zeta * lse**2), "i")
    # total = Σ_i loss[i]
    total = fl.output("total", fl.sum(loss, "i"), "")
    # norm = Σ_i keep[i]·weight[target(i)]
    norm = fl.step("norm", fl.sum(fl.where(keep, fl.lookup(weight_given.at("at"), target.at("i"), "at")), "i"), "")
    # mean = total/norm
    mean = fl.output("mean", total / norm, "")
    return loss.total, total.total, mean.total


@np.errstate(all="ignore")
def cross_entropy_vjp_bound(
    x: Array,
    target: Array,
    dloss: Array,
    dtotal: Array | None = None,
    dmean: Array | None = None,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `cross_entropy_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse, norm,
            dtotal_total, dloss_total, dz, dx).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of dx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i v", errors.get("x"))
    target = fl.given(target, "n")
    dloss = fl.given(dloss, "i", errors.get("dloss"))
    dtotal_given = fl.given(dtotal, "", errors.get("dtotal"), absent=(0.0,))
    dmean_given = fl.given(dmean, "", errors.get("dmean"), absent=(0.0,))
    weight_given = fl.given(weight, "V", errors.get("weight"), absent=(1.0, x.shape[-1]))
    keep_given = fl.given(keep, "i", absent=(True, x.shape[-2]))
    # m[i] = max_{v} x[i, v]
    m, x = fl.largest("m", x, "v")
    # a[i, v] = exp(x[i, v] − m[i])
    a = fl.step("a", fl.exp(x - m), "i v")
    # z[i] = Σ_v a[i, v]
    z = fl.step("z", fl.sum(a, "v"), "i")
    # lse[i] = m[i] + log(z[i])
    lse = fl.step("lse", m + fl.log(z), "i")
    # norm = Σ_i keep[i]·weight[target(i)]
    norm = fl.step(
        "norm", fl.sum(fl.where(keep_given, fl.lookup(weight_given.at("at"), target.at("i"), "at")), "i"), ""
    )
    # dtotal_total = dtotal + dmean/norm
    dtotal_total = fl.step("dtotal_total", dtotal_given + dmean_given / norm, "", row=True)
    # dloss_total[i] = dtotal_total + dloss[i]
    dloss_total = fl.step("dloss_total", dtotal_total + dloss, "i", row=True)
    # dz[i] = keep[i]·dloss_total[i]·(weight[target(i)] + 2·zeta·lse[i])/z[i]
    dz_1 = fl.lookup(weight_given.at("at"), target.at("i"), "at") + 2 * zeta * lse
    dz = fl.step("dz", fl.where(keep_given, 1 / z * dloss_total * dz_1), "i", row=True)
    # dx[i, v] = a[i, v]·dz[i] − δ[target(i), v]·weight[target(i)]·keep[i]·dloss_total[i]
    dx_1 = fl.where(
        fl.one_hot(target.at("i"), "v", x.shape[-1]),
        fl.lookup(weight_given.at("at"), target.at("i"), "at") * dloss_total,
    )
    dx_1 = fl.where(keep_given, dx_1)
    dx = fl.output("dx", a * dz - dx_1, "i v")
    return dx.total


@np.errstate(all="ignore")
def cross_entropy_jvp_bound(
    x: Array,
    target: Array,
    tx: Array,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `cross_entropy_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse, norm, tz, tloss,
            ttotal, tmean).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of tloss, ttotal, tmean, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i v", errors.get("x"))
    target = fl.given(target, "n")
    tx = fl.given(tx, "i v", errors.get("tx"))
    weight_given = fl.given(weight, "V", errors.get("weight"), absent=(1.0, x.shape[-1]))
    keep = fl.given(keep, "i")
    # m[i] = max_{v} x[i, v]
    m, x = fl.largest("m", x, "v")
    # a[i, v] = exp(x[i, v] − m[i])
    a = fl.step("a", fl.exp(x - m), "i v")
    # z[i] = Σ_v a[i, v]
    z = fl.step("z", fl.sum(a, "v"), "i")
    # lse[i] = m[i] + log(z[i])
    lse = fl.step("lse", m + fl.log(z), "i")
    # norm = Σ_i keep[i]·weight[target(i)]
    norm = fl.step("norm", fl.sum(fl.where(keep, fl.lookup(weight_given.at("at"), target.at("i"), "at")), "i"), "")
    # tz[i] = Σ_v tx[i, v]·a[i, v]
    tz = fl.step("tz", fl.sum(tx * a, "v"), "i")
    # tloss[i] = ((tz[i]/z[i] − tx[i, target(i)])·weight[target(i)] + 2·lse[i]·tz[i]·zeta/z[i])·keep[i]
    tloss_1 = 1 / z * tz - fl.lookup(tx.at("i at"), target.at("i"), "at")
    tloss_2 = fl.lookup(weight_given.at("at"), target.at("i"), "at")
    tloss = fl.output("tloss", fl.where(keep, tloss_1 * tloss_2 + 2 * lse / z * tz * zeta), "i")
    # ttotal = Σ_i tloss[i]
    ttotal = fl.output("ttotal", fl.sum(tloss, "i"), "")
    # tmean = ttotal/norm
    tmean = fl.output("tmean", 1 / norm * ttotal, "")
    return tloss.total, ttotal.total, tmean.total
