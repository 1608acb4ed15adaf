"""Rounding-error bounds of compute_optimal.

GENERATED from derivations/scaling.py by `lemmata generate scaling`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def compute_optimal_bound(
    C: float, E: float, A: float, B: float, alpha: float, beta: float, *, precision: Mapping[str, Format]
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `compute_optimal`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (N_opt, D_opt, loss).

    Returns:
        absolute errors of N_opt, D_opt, loss, infinite where a format may overflow.
    """
    fl = Rounding(precision, C)
    # N_opt = exp((log((alpha·A)/(beta·B)) + beta·log(C/6))/(alpha + beta))
    N_opt_1 = fl.log(fl.constant(alpha * A / (beta * B))) + beta * fl.log(fl.constant(C / 6))
    N_opt = fl.output("N_opt", fl.exp(fl.inexact(N_opt_1 / (alpha + beta))), "")
    # D_opt = C/(6·N_opt)
    D_opt = fl.output("D_opt", C / (6 * N_opt), "")
    # loss = (E + A·exp((-alpha)·log(N_opt))) + B·exp((-beta)·log(D_opt))
    loss = fl.output("loss", E + A * fl.exp(-alpha * fl.log(N_opt)) + B * fl.exp(-beta * fl.log(D_opt)), "")
    return N_opt.total, D_opt.total, loss.total


@np.errstate(all="ignore")
def compute_optimal_vjp_bound(
    C: float,
    E: float,
    A: float,
    B: float,
    alpha: float,
    beta: float,
    dN_opt: Array,
    dD_opt: Array | None = None,
    dloss: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> Array:
    """Bound of the rounding error of `compute_optimal_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (N_opt, D_opt, dD_opt_total,
            dC).

    Returns:
        absolute errors of dC, infinite where a format may overflow.
    """
    fl = Rounding(precision, C)
    dN_opt = fl.given(dN_opt, "")
    dD_opt_given = fl.given(dD_opt, "", absent=(0.0,))
    dloss_given = fl.given(dloss, "", absent=(0.0,))
    # N_opt = exp((log((alpha·A)/(beta·B)) + beta·log(C/6))/(alpha + beta))
    N_opt_1 = fl.log(fl.constant(alpha * A / (beta * B))) + beta * fl.log(fl.constant(C / 6))
    N_opt = fl.step("N_opt", fl.exp(fl.inexact(N_opt_1 / (alpha + beta))), "")
    # D_opt = C/(6·N_opt)
    D_opt = fl.step("D_opt", C / (6 * N_opt), "")
    # dD_opt_total = dD_opt − B·beta·dloss·exp(-beta·log(D_opt))/D_opt
    dD_opt_total = fl.step(
        "dD_opt_total", dD_opt_given - B / D_opt * beta * dloss_given * fl.exp(-beta * fl.log(D_opt)), ""
    )
    # dC = (1/6)·dD_opt_total/N_opt + N_opt·beta·dN_opt/C/(alpha + beta) + (-1/6)·beta·dD_opt_total/N_opt/(alpha + beta)
    # − A·alpha·beta·dloss·exp(-alpha·log(N_opt))/C/(alpha + beta)
    dC_1 = fl.inexact(1 / 6 / N_opt * dD_opt_total)
    dC_2 = fl.inexact(1 / C * N_opt * beta * dN_opt / (alpha + beta))
    dC_3 = fl.inexact(1 / 6 / N_opt * beta * dD_opt_total / (alpha + beta), 2)
    dC = fl.total(dC_1, dC_2, -dC_3)
    if dloss is not None:
        dC = fl.minus(
            "dC", dC, fl.inexact(A / C * alpha * beta * dloss_given / (alpha + beta) * fl.exp(-alpha * fl.log(N_opt)))
        )
    dC = fl.output("dC", dC, "")
    return dC.total


@np.errstate(all="ignore")
def compute_optimal_jvp_bound(
    C: float, E: float, A: float, B: float, alpha: float, beta: float, tC: float, *, precision: Mapping[str, Format]
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `compute_optimal_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (N_opt, D_opt, tN_opt, tD_opt,
            tloss).

    Returns:
        absolute errors of tN_opt, tD_opt, tloss, infinite where a format may overflow.
    """
    fl = Rounding(precision, C)
    # N_opt = exp((log((alpha·A)/(beta·B)) + beta·log(C/6))/(alpha + beta))
    N_opt_1 = fl.log(fl.constant(alpha * A / (beta * B))) + beta * fl.log(fl.constant(C / 6))
    N_opt = fl.step("N_opt", fl.exp(fl.inexact(N_opt_1 / (alpha + beta))), "")
    # D_opt = C/(6·N_opt)
    D_opt = fl.step("D_opt", C / (6 * N_opt), "")
    # tN_opt = N_opt·beta·tC/C/(alpha + beta)
    tN_opt = fl.output("tN_opt", fl.inexact(1 / C * N_opt * beta * tC / (alpha + beta)), "")
    # tD_opt = ((1/6)·tC + (-1/6)·C·tN_opt/N_opt)/N_opt
    tD_opt = fl.output("tD_opt", 1 / N_opt * (fl.constant(1 / 6 * tC) - fl.inexact(1 / 6 * C / N_opt * tN_opt)), "")
    # tloss = -A·alpha·tN_opt·exp(-alpha·log(N_opt))/N_opt − B·beta·tD_opt·exp(-beta·log(D_opt))/D_opt
    tloss_1 = A / N_opt * alpha * tN_opt * fl.exp(-alpha * fl.log(N_opt))
    tloss_2 = B / D_opt * beta * tD_opt * fl.exp(-beta * fl.log(D_opt))
    tloss = fl.output("tloss", -tloss_1 - tloss_2, "")
    return tN_opt.total, tD_opt.total, tloss.total
