"""Rounding-error bounds of adam.

GENERATED from derivations/optimizer.py by `lemmata generate optimizer`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def adam_bound(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: float,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `adam`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (grad, m_new, v_new, c1, c2,
            root, step, p_new).

    Returns:
        absolute errors of p_new, m_new, v_new, infinite where a format may overflow.
    """
    fl = Rounding(precision, p)
    p = fl.given(p, "k")
    g = fl.given(g, "k")
    m = fl.given(m, "k")
    v = fl.given(v, "k")
    # grad[k] = g[k] + weight_decay·p[k]
    grad = fl.step("grad", g + weight_decay * p, "k")
    # m_new[k] = beta1·m[k] + (1 − beta1)·grad[k]
    m_new = fl.output("m_new", beta1 * m + fl.inexact((1 - beta1) * grad), "k")
    # v_new[k] = beta2·v[k] + (1 − beta2)·grad[k]^2
    v_new = fl.output("v_new", beta2 * v + fl.inexact((1 - beta2) * grad**2), "k")
    # c1 = 1 − exp(t·log(beta1))
    c1 = fl.step("c1", 1 - fl.exp(t * fl.log(fl.given(beta1, ""))), "", row=True)
    # c2 = 1 − exp(t·log(beta2))
    c2 = fl.step("c2", 1 - fl.exp(t * fl.log(fl.given(beta2, ""))), "", row=True)
    # root[k] = √(v_new[k]/c2) + eps
    root = fl.step("root", fl.sqrt(v_new / c2) + eps, "k")
    # step[k] = (m_new[k]/c1)/root[k]
    step = fl.step("step", m_new / c1 / root, "k")
    # p_new[k] = p[k] − (lr·step[k])
    p_new = fl.output("p_new", p - lr * step, "k")
    return p_new.total, m_new.total, v_new.total


@np.errstate(all="ignore")
def adam_vjp_bound(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: float,
    lr: float,
    dp_new: Array,
    dm_new: Array | None = None,
    dv_new: Array | None = None,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array, Array]:
    """Bound of the rounding error of `adam_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (grad, m_new, v_new, c1, c2,
            root, step, dstep, dv_new_total, dm_new_total, dgrad, dp, dg, dm, dv).

    Returns:
        absolute errors of dp, dg, dm, dv, infinite where a format may overflow.
    """
    fl = Rounding(precision, p)
    p = fl.given(p, "k")
    g = fl.given(g, "k")
    m = fl.given(m, "k")
    v = fl.given(v, "k")
    dp_new = fl.given(dp_new, "k")
    dm_new = fl.given(dm_new, "k")
    dv_new = fl.given(dv_new, "k")
    # grad[k] = g[k] + weight_decay·p[k]
    grad = fl.step("grad", g + weight_decay * p, "k")
    # m_new[k] = beta1·m[k] + (1 − beta1)·grad[k]
    m_new = fl.step("m_new", beta1 * m + fl.inexact((1 - beta1) * grad), "k")
    # v_new[k] = beta2·v[k] + (1 − beta2)·grad[k]^2
    v_new = fl.step("v_new", beta2 * v + fl.inexact((1 - beta2) * grad**2), "k")
    # c1 = 1 − exp(t·log(beta1))
    c1 = fl.step("c1", 1 - fl.exp(t * fl.log(fl.given(beta1, ""))), "", row=True)
    # c2 = 1 − exp(t·log(beta2))
    c2 = fl.step("c2", 1 - fl.exp(t * fl.log(fl.given(beta2, ""))), "", row=True)
    # root[k] = √(v_new[k]/c2) + eps
    root = fl.step("root", fl.sqrt(v_new / c2) + eps, "k")
    # step[k] = (m_new[k]/c1)/root[k]
    step = fl.step("step", m_new / c1 / root, "k")
    # dstep[k] = -lr·dp_new[k]
    dstep = fl.step("dstep", -lr * dp_new, "k")
    # dv_new_total[k] = dv_new[k] + (-1/2)·step[k]·dstep[k]/c2/root[k]/√(v_new[k]/c2)
    dv_new_total = -0.5 / c2 / root * step * dstep / fl.sqrt(1 / c2 * v_new)
    dv_new_total = fl.plus("dv_new_total", dv_new_total, dv_new)
    dv_new_total = fl.step("dv_new_total", dv_new_total, "k")
    # dm_new_total[k] = dm_new[k] + dstep[k]/c1/root[k]
    dm_new_total = 1 / c1 / root * dstep
    dm_new_total = fl.plus("dm_new_total", dm_new_total, dm_new)
    dm_new_total = fl.step("dm_new_total", dm_new_total, "k")
    # dgrad[k] = 2·dv_new_total[k]·(-beta2 + 1)·grad[k] + dm_new_total[k]·(-beta1 + 1)
    dgrad_1 = fl.inexact(2 * dv_new_total * (1 - beta2) * grad)
    dgrad_2 = fl.inexact(dm_new_total * (1 - beta1))
    dgrad = fl.step("dgrad", dgrad_1 + dgrad_2, "k")
    # dp[k] = dp_new[k] + weight_decay·dgrad[k]
    dp = fl.output("dp", dp_new + weight_decay * dgrad, "k")
    # dg[k] = dgrad[k]
    dg = fl.output("dg", dgrad, "k")
    # dm[k] = beta1·dm_new_total[k]
    dm = fl.output("dm", beta1 * dm_new_total, "k")
    # dv[k] = beta2·dv_new_total[k]
    dv = fl.output("dv", beta2 * dv_new_total, "k")
    return dp.total, dg.total, dm.total, dv.total


@np.errstate(all="ignore")
def adam_jvp_bound(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: float,
    lr: float,
    tp: Array,
    tg: Array,
    tm: Array,
    tv: Array,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `adam_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (grad, m_new, v_new, c1, c2,
            root, step, tgrad, tm_new, tv_new, tp_new).

    Returns:
        absolute errors of tp_new, tm_new, tv_new, infinite where a format may overflow.
    """
    fl = Rounding(precision, p)
    p = fl.given(p, "k")
    g = fl.given(g, "k")
    m = fl.given(m, "k")
    v = fl.given(v, "k")
    tp = fl.given(tp, "k")
    tg = fl.given(tg, "k")
    tm = fl.given(tm, "k")
    tv = fl.given(tv, "k")
    # grad[k] = g[k] + weight_decay·p[k]
    grad = fl.step("grad", g + weight_decay * p, "k")
    # m_new[k] = beta1·m[k] + (1 − beta1)·grad[k]
    m_new = fl.step("m_new", beta1 * m + fl.inexact((1 - beta1) * grad), "k")
    # v_new[k] = beta2·v[k] + (1 − beta2)·grad[k]^2
    v_new = fl.step("v_new", beta2 * v + fl.inexact((1 - beta2) * grad**2), "k")
    # c1 = 1 − exp(t·log(beta1))
    c1 = fl.step("c1", 1 - fl.exp(t * fl.log(fl.given(beta1, ""))), "", row=True)
    # c2 = 1 − exp(t·log(beta2))
    c2 = fl.step("c2", 1 - fl.exp(t * fl.log(fl.given(beta2, ""))), "", row=True)
    # root[k] = √(v_new[k]/c2) + eps
    root = fl.step("root", fl.sqrt(v_new / c2) + eps, "k")
    # step[k] = (m_new[k]/c1)/root[k]
    step = fl.step("step", m_new / c1 / root, "k")
    # tgrad[k] = weight_decay·tp[k] + tg[k]
    tgrad = fl.step("tgrad", weight_decay * tp + tg, "k")
    # tm_new[k] = tm[k]·beta1 + tgrad[k]·(-beta1 + 1)
    tm_new = fl.output("tm_new", tm * beta1 + fl.inexact(tgrad * (1 - beta1)), "k")
    # tv_new[k] = tv[k]·beta2 + 2·grad[k]·tgrad[k]·(-beta2 + 1)
    tv_new = fl.output("tv_new", tv * beta2 + fl.inexact(2 * grad * tgrad * (1 - beta2)), "k")
    # tp_new[k] = tp[k] + (1/2)·lr·step[k]·tv_new[k]/c2/root[k]/√(v_new[k]/c2) − lr·tm_new[k]/c1/root[k]
    tp_new_1 = 0.5 / c2 * lr / root * step * tv_new / fl.sqrt(1 / c2 * v_new)
    tp_new = fl.output("tp_new", fl.total(tp, tp_new_1, -(1 / c1 * lr / root * tm_new)), "k")
    return tp_new.total, tm_new.total, tv_new.total
