"""Rounding-error bounds of scaling_law.

GENERATED from derivations/scaling.py by `lemmata generate scaling`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def scaling_law_bound(
    N: float, D: float, E: float, A: float, B: float, alpha: float, beta: float, *, precision: Mapping[str, Format]
) -> Array:
    """Bound of the rounding error of `scaling_law`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (loss).

    Returns:
        absolute errors of loss, infinite where a format may overflow.
    """
    fl = Rounding(precision, N)
    # loss = (E + A·exp((-alpha)·log(N))) + B·exp((-beta)·log(D))
    loss_1 = E + A * fl.exp(-alpha * fl.log(fl.given(N, "")))
    loss_2 = B * fl.exp(-beta * fl.log(fl.given(D, "")))
    loss = fl.output("loss", loss_1 + loss_2, "")
    return loss.total


@np.errstate(all="ignore")
def scaling_law_vjp_bound(
    N: float,
    D: float,
    E: float,
    A: float,
    B: float,
    alpha: float,
    beta: float,
    dloss: Array,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, ...]:
    """Bound of the rounding error of `scaling_law_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (dN, dD, dE, dA, dB, dalpha,
            dbeta).

    Returns:
        absolute errors of dN, dD, dE, dA, dB, dalpha, dbeta, infinite where a format may overflow.
    """
    fl = Rounding(precision, N)
    dloss = fl.given(dloss, "")
    # dN = -A·alpha·dloss·exp(-alpha·log(N))/N
    dN = fl.output("dN", -A / N * alpha * dloss * fl.exp(-alpha * fl.log(fl.given(N, ""))), "")
    # dD = -B·beta·dloss·exp(-beta·log(D))/D
    dD = fl.output("dD", -B / D * beta * dloss * fl.exp(-beta * fl.log(fl.given(D, ""))), "")
    # dE = dloss
    dE = fl.output("dE", dloss, "")
    # dA = dloss·exp(-alpha·log(N))
    dA = fl.output("dA", dloss * fl.exp(-alpha * fl.log(fl.given(N, ""))), "")
    # dB = dloss·exp(-beta·log(D))
    dB = fl.output("dB", dloss * fl.exp(-beta * fl.log(fl.given(D, ""))), "")
    # dalpha = -A·dA·log(N)
    dalpha = fl.output("dalpha", -A * dA * fl.log(fl.given(N, "")), "")
    # dbeta = -B·dB·log(D)
    dbeta = fl.output("dbeta", -B * dB * fl.log(fl.given(D, "")), "")
    return dN.total, dD.total, dE.total, dA.total, dB.total, dalpha.total, dbeta.total


@np.errstate(all="ignore")
def scaling_law_jvp_bound(
    N: float,
    D: float,
    E: float,
    A: float,
    B: float,
    alpha: float,
    beta: float,
    tN: float,
    tD: float,
    tE: float,
    tA: float,
    tB: float,
    talpha: float,
    tbeta: float,
    *,
    precision: Mapping[str, Format],
) -> Array:
    """Bound of the rounding error of `scaling_law_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (tloss).

    Returns:
        absolute errors of tloss, infinite where a format may overflow.
    """
    fl = Rounding(precision, N)
    # tloss = tE + tA·exp(-alpha·log(N)) + exp(-alpha·log(N))·(-talpha·log(N) − tN·alpha/N)·A + tB·exp(-beta·log(D)) +
    # exp(-beta·log(D))·(-tbeta·log(D) − tD·beta/D)·B
    tloss_1 = fl.exp(-alpha * fl.log(fl.given(N, "")))
    tloss_2 = -(talpha * fl.log(fl.given(N, ""))) - fl.constant(1 / N * tN * alpha)
    tloss_3 = fl.exp(-beta * fl.log(fl.given(D, "")))
    tloss_4 = -(tbeta * fl.log(fl.given(D, ""))) - fl.constant(1 / D * tD * beta)
    tloss_5 = tA * fl.exp(-alpha * fl.log(fl.given(N, "")))
    tloss_6 = tB * fl.exp(-beta * fl.log(fl.given(D, "")))
    tloss = fl.output("tloss", fl.total(tE, tloss_5, tloss_1 * tloss_2 * A, tloss_6, tloss_3 * tloss_4 * B), "")
    return tloss.total
