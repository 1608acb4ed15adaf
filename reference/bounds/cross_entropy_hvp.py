"""Rounding-error bounds of cross_entropy.

GENERATED from derivations/loss.py by `lemmata generate loss`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def cross_entropy_hvp_bound(
    x: Array,
    target: Array,
    dloss: Array,
    tx: Array,
    dtotal: Array | None = None,
    dmean: Array | None = None,
    weight: Array | None = None,
    keep: Array | None = None,
    zeta: float = 0.0,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `cross_entropy_hvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, lse, norm,
            dtotal_total, dloss_total, dz, delta, tdx).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of tdx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i v", errors.get("x"))
    target = fl.given(target, "n")
    dloss = fl.given(dloss, "i", errors.get("dloss"))
    tx = fl.given(tx, "i v", errors.get("tx"))
    dtotal_given = fl.given(dtotal, "", errors.get("dtotal"), absent=(0.0,))
    dmean_given = fl.given(dmean, "", errors.get("dmean"), absent=(0.0,))
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
    # dtotal_total = dtotal + dmean/norm
    dtotal_total = fl.step("dtotal_total", dtotal_given + dmean_given / norm, "", row=True)
    # dloss_total[i] = dtotal_total + dloss[i]
    dloss_total = fl.step("dloss_total", dtotal_total + dloss, "i")
    # dz[i] = keep[i]·dloss_total[i]·(weight[target(i)] + 2·zeta·lse[i])/z[i]
    dz_1 = fl.lookup(weight_given.at("at"), target.at("i"), "at") + 2 * zeta * lse
    dz = fl.step("dz", fl.where(keep, 1 / z * dloss_total * dz_1), "i", row=True)
    # delta[i] = weight[target(i)]·keep[i]·dloss_total[i]·(Σ_v tx[i, v]·a[i, v])/z[i]^2 +
    # 2·zeta·keep[i]·lse[i]·dloss_total[i]·(Σ_v tx[i, v]·a[i, v])/z[i]^2 + (-2)·zeta·keep[i]·dloss_total[i]·(Σ_v tx[i,
    # v]·a[i, v])/z[i]^2
    delta_1 = fl.lookup(weight_given.at("at"), target.at("i"), "at")
    delta_2 = fl.where(keep, delta_1 / z**2 * dloss_total * fl.sum(tx * a, "v"))
    delta_3 = fl.where(keep, 2 * zeta / z**2 * lse * dloss_total * fl.sum(tx * a, "v"))
    delta_4 = fl.where(keep, 2 * zeta / z**2 * dloss_total * fl.sum(tx * a, "v"))
    delta = fl.step("delta", fl.total(delta_2, delta_3, -delta_4), "i", row=True)
    # tdx[i, v] = a[i, v]·(tx[i, v]·dz[i] − delta[i])
    tdx = fl.output("tdx", a * (tx * dz - delta), "i v")
    return tdx.total
