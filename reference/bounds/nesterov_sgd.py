"""Rounding-error bounds of nesterov_sgd.

GENERATED from derivations/optimizer.py by `lemmata generate optimizer`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def nesterov_sgd_bound(
    p: Array,
    g: Array,
    lr: float,
    momentum: float,
    buf: Array | None = None,
    weight_decay: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `nesterov_sgd`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (grad, buf_new, p_new).

    Returns:
        absolute errors of p_new, buf_new, infinite where a format may overflow.
    """
    fl = Rounding(precision, p)
    p = fl.given(p, "k")
    g = fl.given(g, "k")
    buf = fl.given(buf, "k")
    # grad[k] = g[k] + weight_decay·p[k]
    grad = fl.step("grad", g + weight_decay * p, "k")
    # buf_new[k] = momentum·buf[k] + grad[k]
    buf_new = grad
    if buf is not None:
        buf_new = fl.plus("buf_new", buf_new, momentum * buf)
    buf_new = fl.output("buf_new", buf_new, "k")
    # p_new[k] = p[k] − (lr·(grad[k] + momentum·buf_new[k]))
    p_new = fl.output("p_new", p - lr * (grad + momentum * buf_new), "k")
    return p_new.total, buf_new.total


@np.errstate(all="ignore")
def nesterov_sgd_vjp_bound(
    p: Array,
    g: Array,
    lr: float,
    momentum: float,
    dp_new: Array,
    dbuf_new: Array | None = None,
    buf: Array | None = None,
    weight_decay: float = 0.0,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array | None]:
    """Bound of the rounding error of `nesterov_sgd_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (dbuf_new_total, dgrad, dp, dg,
            dbuf).

    Returns:
        absolute errors of dp, dg, dbuf, infinite where a format may overflow.
    """
    fl = Rounding(precision, p)
    dp_new = fl.given(dp_new, "k")
    dbuf_new = fl.given(dbuf_new, "k")
    buf = fl.given(buf, "K")
    # dbuf_new_total[k] = dbuf_new[k] − lr·momentum·dp_new[k]
    dbuf_new_total = -lr * momentum * dp_new
    dbuf_new_total = fl.plus("dbuf_new_total", dbuf_new_total, dbuf_new)
    dbuf_new_total = fl.step("dbuf_new_total", dbuf_new_total, "k")
    # dgrad[k] = dbuf_new_total[k] − lr·dp_new[k]
    dgrad = fl.step("dgrad", dbuf_new_total - lr * dp_new, "k")
    # dp[k] = dp_new[k] + weight_decay·dgrad[k]
    dp = fl.output("dp", dp_new + weight_decay * dgrad, "k")
    # dg[k] = dgrad[k]
    dg = fl.output("dg", dgrad, "k")
    # dbuf[k] = momentum·dbuf_new_total[k]
    dbuf = fl.output("dbuf", momentum * dbuf_new_total, "k")
    return dp.total, dg.total, None if buf is None else dbuf.total


@np.errstate(all="ignore")
def nesterov_sgd_jvp_bound(
    p: Array,
    g: Array,
    lr: float,
    momentum: float,
    tp: Array,
    tg: Array,
    buf: Array | None = None,
    weight_decay: float = 0.0,
    tbuf: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array]:
    """Bound of the rounding error of `nesterov_sgd_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (tgrad, tbuf_new, tp_new).

    Returns:
        absolute errors of tp_new, tbuf_new, infinite where a format may overflow.
    """
    fl = Rounding(precision, p)
    tp = fl.given(tp, "k")
    tg = fl.given(tg, "k")
    tbuf = fl.given(tbuf, "k")
    # tgrad[k] = weight_decay·tp[k] + tg[k]
    tgrad = fl.step("tgrad", weight_decay * tp + tg, "k")
    # tbuf_new[k] = momentum·tbuf[k] + tgrad[k]
    tbuf_new = tgrad
    if tbuf is not None:
        tbuf_new = fl.plus("tbuf_new", tbuf_new, momentum * tbuf)
    tbuf_new = fl.output("tbuf_new", tbuf_new, "k")
    # tp_new[k] = tp[k] − (tgrad[k] + tbuf_new[k]·momentum)·lr
    tp_new = fl.output("tp_new", tp - (tgrad + tbuf_new * momentum) * lr, "k")
    return tp_new.total, tbuf_new.total
