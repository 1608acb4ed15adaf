"""Rounding-error bounds of linear_cross_entropy.

GENERATED from derivations/loss.py by `lemmata generate loss`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def linear_cross_entropy_bound(
    h: Array,
    w: Array,
    target: Array,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `linear_cross_entropy`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (x, m, a, z, lse, nll, loss,
            total, norm, mean).

    Returns:
        absolute errors of loss, total, mean, infinite where a format may overflow.
    """
    fl = Rounding(precision, h)
    h = fl.given(h, "i c")
    w = fl.given(w, "v c")
    target = fl.given(target, "n")
    weight_given = fl.given(weight, "V", absent=(1.0, w.shape[-2]))
    keep = fl.given(keep, "i")
    # x[i, v] = Σ_c h[i, c]·w[v, c]
    x = fl.step("x", fl.matmul(h, w, "c"), "i v")
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
def linear_cross_entropy_vjp_bound(
    h: Array,
    w: Array,
    target: Array,
    dloss: Array,
    dtotal: Array | None = None,
    dmean: Array | None = None,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `linear_cross_entropy_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, of each stored value (x, m, a, z, lse, norm,
            dtotal_total, dloss_total, dz, dx, dh, dw), and of partial sums (dh_partial, dw_partial).

    Returns:
        absolute errors of dh, dw, infinite where a format may overflow.
    """
    fl = Rounding(precision, h)
    h = fl.given(h, "i c")
    w = fl.given(w, "v c")
    target = fl.given(target, "n")
    dloss = fl.given(dloss, "i")
    dtotal_given = fl.given(dtotal, "", absent=(0.0,))
    dmean_given = fl.given(dmean, "", absent=(0.0,))
    weight_given = fl.given(weight, "V", absent=(1.0, w.shape[-2]))
    keep_given = fl.given(keep, "i", absent=(True, h.shape[-2]))
    # x[i, v] = Σ_c h[i, c]·w[v, c]
    x = fl.step("x", fl.matmul(h, w, "c"), "i v")
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
        fl.one_hot(target.at("i"), "v", w.shape[-2]),
        fl.lookup(weight_given.at("at"), target.at("i"), "at") * dloss_total,
    )
    dx_1 = fl.where(keep_given, dx_1)
    dx = fl.step("dx", a * dz - dx_1, "i v")
    # dh[i, c] = Σ_v dx[i, v]·w[v, c]
    dh = fl.output("dh", fl.matmul(dx, w, "v"), "i c")
    # dw[v, c] = Σ_i dx[i, v]·h[i, c]
    dw = fl.output("dw", fl.matmul(dx, h, "i"), "v c", shared=True)
    return dh.total, dw.total


@np.errstate(all="ignore")
def linear_cross_entropy_jvp_bound(
    h: Array,
    w: Array,
    target: Array,
    th: Array,
    tw: Array,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `linear_cross_entropy_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (x, m, a, z, lse, norm, tx, tz,
            tloss, ttotal, tmean).

    Returns:
        absolute errors of tloss, ttotal, tmean, infinite where a format may overflow.
    """
    fl = Rounding(precision, h)
    h = fl.given(h, "i c")
    w = fl.given(w, "v c")
    target = fl.given(target, "n")
    th = fl.given(th, "i c")
    tw = fl.given(tw, "v c")
    weight_given = fl.given(weight, "V", absent=(1.0, w.shape[-2]))
    keep = fl.given(keep, "i")
    # x[i, v] = Σ_c h[i, c]·w[v, c]
    x = fl.step("x", fl.matmul(h, w, "c"), "i v")
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
    # tx[i, v] = (Σ_c th[i, c]·w[v, c]) + Σ_c tw[v, c]·h[i, c]
    tx = fl.step("tx", fl.matmul(th, w, "c") + fl.matmul(h, tw, "c"), "i v")
    # tz[i] = Σ_v a[i, v]·tx[i, v]
    tz = fl.step("tz", fl.sum(a * tx, "v"), "i")
    # tloss[i] = ((tz[i]/z[i] − tx[i, target(i)])·weight[target(i)] + 2·lse[i]·tz[i]·zeta/z[i])·keep[i]
    tloss_1 = 1 / z * tz - fl.lookup(tx.at("i at"), target.at("i"), "at")
    tloss_2 = fl.lookup(weight_given.at("at"), target.at("i"), "at")
    tloss = fl.output("tloss", fl.where(keep, tloss_1 * tloss_2 + 2 * lse / z * tz * zeta), "i")
    # ttotal = Σ_i tloss[i]
    ttotal = fl.output("ttotal", fl.sum(tloss, "i"), "")
    # tmean = ttotal/norm
    tmean = fl.output("tmean", 1 / norm * ttotal, "")
    return tloss.total, ttotal.total, tmean.total
