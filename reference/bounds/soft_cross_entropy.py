"""Rounding-error bounds of soft_cross_entropy.

GENERATED from derivations/loss.py by `lemmata generate loss`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def soft_cross_entropy_bound(
    x: Array,
    y: Array,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `soft_cross_entropy`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse, logp, expected,
            loss, total, norm, mean).

    Returns:
        absolute errors of loss, total, mean, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i v")
    y = fl.given(y, "i v")
    weight_given = fl.given(weight, "v", absent=(1.0, x.shape[-1]))
    keep_given = fl.given(keep, "i", absent=(True, x.shape[-2]))
    # m[i] = max_{v} x[i, v]
    m, x = fl.largest("m", x, "v")
    # a[i, v] = exp(x[i, v] − m[i])
    a = fl.step("a", fl.exp(x - m), "i v")
    # z[i] = Σ_v a[i, v]
    z = fl.step("z", fl.sum(a, "v"), "i")
    # lse[i] = m[i] + log(z[i])
    lse = fl.step("lse", m + fl.log(z), "i", row=True)
    # logp[i, v] = x[i, v] − lse[i]
    logp = fl.step("logp", x - lse, "i v")
    # expected[i] = -(Σ_v (weight[v]·y[i, v])·logp[i, v])
    expected = fl.step("expected", -fl.sum(weight_given * y * logp, "v"), "i")
    # loss[i] = keep[i]·(expected[i] + zeta·lse[i]^2)
    loss = fl.output("loss", fl.where(keep_given, expected + zeta * lse**2), "i")
    # total = Σ_i loss[i]
    total = fl.output("total", fl.sum(loss, "i"), "")
    # norm = Σ_i keep[i]
    norm = fl.step("norm", fl.sum(fl.where(keep_given, 1.0), "i"), "")
    # mean = total/norm
    mean = fl.output("mean", total / norm, "")
    return loss.total, total.total, mean.total


@np.errstate(all="ignore")
def soft_cross_entropy_vjp_bound(
    x: Array,
    y: Array,
    dloss: Array,
    dtotal: Array | None = None,
    dmean: Array | None = None,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `soft_cross_entropy_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse, logp, norm,
            dtotal_total, dloss_total, dz, dx, dy).

    Returns:
        absolute errors of dx, dy, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i v")
    y = fl.given(y, "i v")
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
    lse = fl.step("lse", m + fl.log(z), "i", row=True)
    # logp[i, v] = x[i, v] − lse[i]
    logp = fl.step("logp", x - lse, "i v")
    # norm = Σ_i keep[i]
    norm = fl.step("norm", fl.sum(fl.where(keep_given, 1.0), "i"), "")
    # dtotal_total = dtotal + dmean/norm
    dtotal_total = fl.step("dtotal_total", dtotal_given + dmean_given / norm, "", row=True)
    # dloss_total[i] = dtotal_total + dloss[i]
    dloss_total = fl.step("dloss_total", dtotal_total + dloss, "i", row=True)
    # dz[i] = keep[i]·dloss_total[i]·(2·zeta·lse[i] + Σ_v y[i, v]·weight[v])/z[i]
    dz = fl.step(
        "dz",
        fl.where(keep_given, 1 / z * dloss_total * (2 * zeta * lse + fl.sum(y * weight_given, "v"))),
        "i",
        row=True,
    )
    # dx[i, v] = a[i, v]·dz[i] − y[i, v]·weight[v]·keep[i]·dloss_total[i]
    dx = fl.output("dx", a * dz - fl.where(keep_given, y * weight_given * dloss_total), "i v")
    # dy[i, v] = -weight[v]·keep[i]·logp[i, v]·dloss_total[i]
    dy = fl.output("dy", fl.where(keep_given, -weight_given * logp * dloss_total), "i v")
    return dx.total, dy.total


@np.errstate(all="ignore")
def soft_cross_entropy_jvp_bound(
    x: Array,
    y: Array,
    tx: Array,
    ty: Array,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `soft_cross_entropy_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse, logp, norm, tz,
            tloss, ttotal, tmean).

    Returns:
        absolute errors of tloss, ttotal, tmean, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "i v")
    y = fl.given(y, "i v")
    tx = fl.given(tx, "i v")
    ty = fl.given(ty, "i v")
    weight_given = fl.given(weight, "v", absent=(1.0, x.shape[-1]))
    keep_given = fl.given(keep, "i", absent=(True, x.shape[-2]))
    # m[i] = max_{v} x[i, v]
    m, x = fl.largest("m", x, "v")
    # a[i, v] = exp(x[i, v] − m[i])
    a = fl.step("a", fl.exp(x - m), "i v")
    # z[i] = Σ_v a[i, v]
    z = fl.step("z", fl.sum(a, "v"), "i")
    # lse[i] = m[i] + log(z[i])
    lse = fl.step("lse", m + fl.log(z), "i", row=True)
    # logp[i, v] = x[i, v] − lse[i]
    logp = fl.step("logp", x - lse, "i v")
    # norm = Σ_i keep[i]
    norm = fl.step("norm", fl.sum(fl.where(keep_given, 1.0), "i"), "")
    # tz[i] = Σ_v tx[i, v]·a[i, v]
    tz = fl.step("tz", fl.sum(tx * a, "v"), "i")
    # tloss[i] = keep[i]·(2·zeta·lse[i]·tz[i]/z[i] + tz[i]·(Σ_v y[i, v]·weight[v])/z[i] − (Σ_v weight[v]·ty[i,
    # v]·logp[i, v]) − (Σ_v y[i, v]·weight[v]·tx[i, v]))
    tloss_1 = 1 / z * tz * fl.sum(y * weight_given, "v")
    tloss_2 = fl.sum(weight_given * ty * logp, "v")
    tloss_3 = fl.sum(y * weight_given * tx, "v")
    tloss = fl.output(
        "tloss", fl.where(keep_given, fl.total(2 * zeta / z * lse * tz, tloss_1, -tloss_2, -tloss_3)), "i"
    )
    # ttotal = Σ_i tloss[i]
    ttotal = fl.output("ttotal", fl.sum(tloss, "i"), "")
    # tmean = ttotal/norm
    tmean = fl.output("tmean", 1 / norm * ttotal, "")
    return tloss.total, ttotal.total, tmean.total
