"""Rounding-error bounds of logsumexp.

GENERATED from derivations/softmax.py by `lemmata generate softmax`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def logsumexp_hvp_bound(x: Array, dlse: Array, tx: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `logsumexp_hvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (m, a, z, dz, dx, delta, tdx).

    Returns:
        absolute errors of tdx, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    x = fl.given(x, "j")
    dlse = fl.given(dlse, "")
    tx = fl.given(tx, "j")
    # m = max_{j} x[j]
    m, x = fl.largest("m", x, "j")
    # a[i] = exp(x[i] − m)
    a = fl.step("a", fl.exp(x.at("i") - m), "i")
    # z = Σ_j a[j]
    z = fl.step("z", fl.sum(a.at("j"), "j"), "")
    # dz = dlse/z
    dz = fl.step("dz", dlse / z, "", row=True)
    # dx[i] = dz·a[i]
    dx = fl.step("dx", dz * a, "i")
    # delta = (Σ_j tx[j]·a[j])/z
    delta = fl.step("delta", 1 / z * fl.sum(tx * a.at("j"), "j"), "", row=True)
    # tdx[i] = dx[i]·(tx[i] − delta)
    tdx = fl.output("tdx", dx * (tx.at("i") - delta), "i")
    return tdx.total
