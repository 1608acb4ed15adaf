"""Rounding-error bounds of softmax.

GENERATED from derivations/softmax.py by `lemmata generate softmax`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def softmax_hvp_bound(x: Array, dp: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `softmax_hvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, p, delta, delta_2,
            tp, delta_3, tdx).

    Returns:
        absolute errors of tdx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "j")
    dp = fl.given(dp, "j")
    tx = fl.given(tx, "j")
    # m = max_{j} x[j]
    m, x = fl.largest("m", x, "j")
    # a[i] = exp(x[i] − m)
    a = fl.step("a", fl.exp(x.at("i") - m), "i")
    # z = Σ_j a[j]
    z = fl.step("z", fl.sum(a.at("j"), "j"), "", row=True)
    # p[i] = a[i]/z
    p = fl.step("p", a / z, "i", within=1)
    # delta = Σ_j dp[j]·p[j]
    delta = fl.step("delta", fl.sum(dp * p.at("j"), "j"), "", row=True)
    # delta_2 = Σ_j tx[j]·p[j]
    delta_2 = fl.step("delta_2", fl.sum(tx * p.at("j"), "j"), "", row=True)
    # tp[i] = p[i]·(tx[i] − delta_2)
    tp = fl.step("tp", p * (tx.at("i") - delta_2), "i")
    # delta_3 = Σ_j dp[j]·tp[j]
    delta_3 = fl.step("delta_3", fl.sum(dp * tp.at("j"), "j"), "", row=True)
    # tdx[i] = dp[i]·tp[i] − delta_3·p[i] − delta·tp[i]
    tdx = fl.output("tdx", fl.total(dp.at("i") * tp, -(delta_3 * p), -(delta * tp)), "i")
    return tdx.total
