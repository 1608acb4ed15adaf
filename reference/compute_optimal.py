"""Reference implementation of compute_optimal.

GENERATED from derivations/scaling.py by `lemmata generate scaling`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def compute_optimal(C: float, E: float, A: float, B: float, alpha: float, beta: float) -> tuple[Array, Array, Array]:
    """The parameters and tokens that make the loss least for a budget of 6ND operations.

    Args:
        C: operations of training.
        E: loss that no scale removes (the entropy of text).
        A: what a lack of parameters costs, positive.
        B: what a lack of tokens costs, positive.
        alpha: exponent of the parameters, positive.
        beta: exponent of the tokens, positive.

    Returns:
        N_opt: parameters.
        D_opt: tokens.
        loss: loss of this allocation.

    Conventions:
        constants fitted by Hoffmann et al. 2022, (10): E = 1.69, A = 406.4, B = 410.7, alpha = 0.34, beta = 0.28.
        constants fitted by Besiroglu et al. 2024, the same data fitted again: E = 1.8172, A = 482.01, B = 2085.43,
            alpha = 0.3478, beta = 0.3658.

    Source: Hoffmann et al. 2022, (4).
    """
    # N_opt = exp((log((alpha·A)/(beta·B)) + beta·log(C/6))/(alpha + beta))  (S4)
    N_opt = float(np.exp((float(np.log(alpha * A / (beta * B))) + beta * float(np.log(C / 6))) / (alpha + beta)))
    # D_opt = C/(6·N_opt)  (S1)
    D_opt = C / (6 * N_opt)
    # loss = (E + A·exp((-alpha)·log(N_opt))) + B·exp((-beta)·log(D_opt))  (S6)
    loss = E + A * float(np.exp(-alpha * float(np.log(N_opt)))) + B * float(np.exp(-beta * float(np.log(D_opt))))
    return N_opt, D_opt, loss


def compute_optimal_value_and_vjp(
    C: float,
    E: float,
    A: float,
    B: float,
    alpha: float,
    beta: float,
    dN_opt: Array,
    dD_opt: Array | None = None,
    dloss: Array | None = None,
) -> tuple[Array, Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `compute_optimal`):
        dN_opt: cotangent of N_opt, of its shape.
        dD_opt: cotangent of D_opt, of its shape.
        dloss: cotangent of loss, of its shape.

    Returns:
        N_opt, D_opt, loss: as `compute_optimal` returns.
        dC: gradient of C, of its shape.
    """
    dD_opt_given = 0.0 if dD_opt is None else dD_opt
    dloss_given = 0.0 if dloss is None else dloss
    # N_opt = exp((log((alpha·A)/(beta·B)) + beta·log(C/6))/(alpha + beta))  (S4)
    N_opt = float(np.exp((float(np.log(alpha * A / (beta * B))) + beta * float(np.log(C / 6))) / (alpha + beta)))
    # D_opt = C/(6·N_opt)  (S1)
    D_opt = C / (6 * N_opt)
    # loss = (E + A·exp((-alpha)·log(N_opt))) + B·exp((-beta)·log(D_opt))  (S6)
    loss = E + A * float(np.exp(-alpha * float(np.log(N_opt)))) + B * float(np.exp(-beta * float(np.log(D_opt))))
    # dD_opt_total = dD_opt − B·beta·dloss·exp(-beta·log(D_opt))/D_opt
    dD_opt_total = dD_opt_given - B * beta * dloss_given * float(np.exp(-beta * float(np.log(D_opt)))) / D_opt
    # dC = (1/6)·dD_opt_total/N_opt + N_opt·beta·dN_opt/C/(alpha + beta) + (-1/6)·beta·dD_opt_total/N_opt/(alpha + beta)
    # − A·alpha·beta·dloss·exp(-alpha·log(N_opt))/C/(alpha + beta)
    dC = 1 / 6 * dD_opt_total / N_opt
    dC = dC + N_opt * beta * dN_opt / C / (alpha + beta) - 1 / 6 * beta * dD_opt_total / N_opt / (alpha + beta)
    if dloss is not None:
        dC = dC - A * alpha * beta * dloss_given * float(np.exp(-alpha * float(np.log(N_opt)))) / C / (alpha + beta)
    return N_opt, D_opt, loss, dC


def compute_optimal_vjp(
    C: float,
    E: float,
    A: float,
    B: float,
    alpha: float,
    beta: float,
    dN_opt: Array,
    dD_opt: Array | None = None,
    dloss: Array | None = None,
) -> Array:
    """As `compute_optimal_value_and_vjp`, without the outputs."""
    _, _, _, dC = compute_optimal_value_and_vjp(C, E, A, B, alpha, beta, dN_opt, dD_opt, dloss)
    return dC


def compute_optimal_jvp(
    C: float, E: float, A: float, B: float, alpha: float, beta: float, tC: float
) -> tuple[Array, Array, Array]:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `compute_optimal`):
        tC: tangent of C, of its shape.

    Returns:
        tN_opt: tangent of N_opt, of its shape.
        tD_opt: tangent of D_opt, of its shape.
        tloss: tangent of loss, of its shape.
    """
    # N_opt = exp((log((alpha·A)/(beta·B)) + beta·log(C/6))/(alpha + beta))  (S4)
    N_opt = float(np.exp((float(np.log(alpha * A / (beta * B))) + beta * float(np.log(C / 6))) / (alpha + beta)))
    # D_opt = C/(6·N_opt)  (S1)
    D_opt = C / (6 * N_opt)
    # tN_opt = N_opt·beta·tC/C/(alpha + beta)
    tN_opt = N_opt * beta * tC / C / (alpha + beta)
    # tD_opt = ((1/6)·tC + (-1/6)·C·tN_opt/N_opt)/N_opt
    tD_opt = (1 / 6 * tC - 1 / 6 * C * tN_opt / N_opt) / N_opt
    # tloss = -A·alpha·tN_opt·exp(-alpha·log(N_opt))/N_opt − B·beta·tD_opt·exp(-beta·log(D_opt))/D_opt
    tloss = -(A * alpha * tN_opt * float(np.exp(-alpha * float(np.log(N_opt)))) / N_opt)
    tloss = tloss - B * beta * tD_opt * float(np.exp(-beta * float(np.log(D_opt)))) / D_opt
    return tN_opt, tD_opt, tloss


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
