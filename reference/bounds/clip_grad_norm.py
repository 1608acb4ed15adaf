"""Rounding-error bounds of clip_grad_norm.

GENERATED from derivations/optimizer.py by `lemmata generate optimizer`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def clip_grad_norm_bound(
    g: Array, max_norm: float, eps: float = 1e-06, *, precision: Mapping[str, Format]
) -> tuple[Array, Array]:
    """Bound of the rounding error of `clip_grad_norm`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (norm, excess, coef, y).

    Returns:
        absolute errors of y, norm, infinite where a format may overflow.
    """
    fl = Rounding(precision, g)
    g = fl.given(g, "j")
    # norm = √(Σ_j g[j]^2)
    norm = fl.output("norm", fl.sqrt(fl.sum(g**2, "j")), "")
    # excess = relu((norm + eps) − max_norm)
    excess = fl.step("excess", fl.relu(norm + eps - max_norm), "")
    # coef = max_norm/(max_norm + excess)
    coef = fl.step("coef", max_norm / (max_norm + excess), "", within=1, row=True)
    # y[k] = coef·g[k]
    y = fl.output("y", coef * g.at("k"), "k")
    return y.total, norm.total


@np.errstate(all="ignore")
def clip_grad_norm_vjp_bound(
    g: Array,
    max_norm: float,
    dy: Array,
    dnorm: Array | None = None,
    eps: float = 1e-06,
    *,
    precision: Mapping[str, Format],
) -> Array:
    """Bound of the rounding error of `clip_grad_norm_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (norm, excess, coef, y, delta,
            dg).

    Returns:
        absolute errors of dg, infinite where a format may overflow.
    """
    fl = Rounding(precision, g)
    g = fl.given(g, "j")
    dy = fl.given(dy, "j")
    dnorm = fl.given(dnorm, "")
    # norm = √(Σ_j g[j]^2)
    norm = fl.step("norm", fl.sqrt(fl.sum(g**2, "j")), "", row=True)
    # excess = relu((norm + eps) − max_norm)
    excess = fl.step("excess", fl.relu(norm + eps - max_norm), "")
    # coef = max_norm/(max_norm + excess)
    coef = fl.step("coef", max_norm / (max_norm + excess), "", within=1, row=True)
    # y[k] = coef·g[k]
    y = fl.step("y", coef * g.at("k"), "k")
    # delta = [eps + norm − max_norm > 0]·(Σ_j g[j]·dy[j])/norm/(excess + max_norm)
    delta_1 = fl.heaviside(fl.total(eps, norm, -max_norm))
    delta = fl.step("delta", 1 / norm / (excess + max_norm) * delta_1 * fl.sum(g * dy, "j"), "", row=True)
    # dg[k] = dnorm·g[k]/norm + coef·dy[k] − delta·y[k]
    dg = coef * dy.at("k") - delta * y
    if dnorm is not None:
        dg = fl.plus("dg", dg, dnorm / norm * g.at("k"))
    dg = fl.output("dg", dg, "k")
    return dg.total


@np.errstate(all="ignore")
def clip_grad_norm_jvp_bound(
    g: Array, max_norm: float, tg: Array, eps: float = 1e-06, *, precision: Mapping[str, Format]
) -> tuple[Array, Array]:
    """Bound of the rounding error of `clip_grad_norm_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (norm, excess, coef, y, tnorm,
            ty).

    Returns:
        absolute errors of ty, tnorm, infinite where a format may overflow.
    """
    fl = Rounding(precision, g)
    g = fl.given(g, "j")
    tg = fl.given(tg, "j")
    # norm = √(Σ_j g[j]^2)
    norm = fl.step("norm", fl.sqrt(fl.sum(g**2, "j")), "", row=True)
    # excess = relu((norm + eps) − max_norm)
    excess = fl.step("excess", fl.relu(norm + eps - max_norm), "", row=True)
    # coef = max_norm/(max_norm + excess)
    coef = fl.step("coef", max_norm / (max_norm + excess), "", within=1, row=True)
    # y[k] = coef·g[k]
    y = fl.step("y", coef * g.at("k"), "k")
    # tnorm = (Σ_j g[j]·tg[j])/norm
    tnorm = fl.output("tnorm", 1 / norm * fl.sum(g * tg, "j"), "", row=True)
    # ty[k] = coef·tg[k] − tnorm·y[k]·[eps + norm − max_norm > 0]/(excess + max_norm)
    ty_1 = tnorm * y / (excess + max_norm) * fl.heaviside(fl.total(eps, norm, -max_norm))
    ty = fl.output("ty", coef * tg.at("k") - ty_1, "k")
    return ty.total, tnorm.total
