"""Reference implementation of scaling_law.

GENERATED from derivations/scaling.py by `lemmata generate scaling`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def scaling_law(N: float, D: float, E: float, A: float, B: float, alpha: float, beta: float) -> Array:
    """The loss of a model of N parameters that has been trained on D tokens.

    Args:
        N: parameters.
        D: tokens.
        E: loss that no scale removes (the entropy of text).
        A: what a lack of parameters costs, positive.
        B: what a lack of tokens costs, positive.
        alpha: exponent of the parameters, positive.
        beta: exponent of the tokens, positive.

    Returns:
        loss: expected loss, in nats a token.

    Conventions:
        constants fitted by Hoffmann et al. 2022, (10): E = 1.69, A = 406.4, B = 410.7, alpha = 0.34, beta = 0.28.
        constants fitted by Besiroglu et al. 2024, the same data fitted again: E = 1.8172, A = 482.01, B = 2085.43,
            alpha = 0.3478, beta = 0.3658.

    Source: Hoffmann et al. 2022, (2).
    """
    # loss = (E + A·exp((-alpha)·log(N))) + B·exp((-beta)·log(D))
    loss = E + A * float(np.exp(-alpha * float(np.log(N)))) + B * float(np.exp(-beta * float(np.log(D))))
    return loss


def scaling_law_value_and_vjp(
    N: float, D: float, E: float, A: float, B: float, alpha: float, beta: float, dloss: Array
) -> tuple[Array, ...]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `scaling_law`):
        dloss: cotangent of loss, of its shape.

    Returns:
        loss: as `scaling_law` returns.
        dN, dD, dE, dA, dB, dalpha, dbeta: gradients of the inputs, each of its shape.
    """
    # loss = (E + A·exp((-alpha)·log(N))) + B·exp((-beta)·log(D))
    loss = E + A * float(np.exp(-alpha * float(np.log(N)))) + B * float(np.exp(-beta * float(np.log(D))))
    # dN = -A·alpha·dloss·exp(-alpha·log(N))/N
    dN = -A * alpha * dloss * float(np.exp(-alpha * float(np.log(N)))) / N
    # dD = -B·beta·dloss·exp(-beta·log(D))/D
    dD = -B * beta * dloss * float(np.exp(-beta * float(np.log(D)))) / D
    # dE = dloss
    dE = dloss
    # dA = dloss·exp(-alpha·log(N))
    dA = dloss * float(np.exp(-alpha * float(np.log(N))))
    # dB = dloss·exp(-beta·log(D))
    dB = dloss * float(np.exp(-beta * float(np.log(D))))
    # dalpha = -A·dA·log(N)
    dalpha = -A * dA * float(np.log(N))
    # dbeta = -B·dB·log(D)
    dbeta = -B * dB * float(np.log(D))
    return loss, dN, dD, dE, dA, dB, dalpha, dbeta


def scaling_law_vjp(
    N: float, D: float, E: float, A: float, B: float, alpha: float, beta: float, dloss: Array
) -> tuple[Array, ...]:
    """As `scaling_law_value_and_vjp`, without the outputs."""
    _, *gradients = scaling_law_value_and_vjp(N, D, E, A, B, alpha, beta, dloss)
    return tuple(gradients)


def scaling_law_jvp(
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
) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `scaling_law`):
        tN, tD, tE, tA, tB, talpha, tbeta: tangents of the inputs, each of its shape.

    Returns:
        tloss: tangent of loss, of its shape.
    """
    # tloss = tE + tA·exp(-alpha·log(N)) + exp(-alpha·log(N))·(-talpha·log(N) − tN·alpha/N)·A + tB·exp(-beta·log(D)) +
    # exp(-beta·log(D))·(-tbeta·log(D) − tD·beta/D)·B
    tloss = tE
    tloss = tloss + tA * float(np.exp(-alpha * float(np.log(N))))
    tloss = tloss + float(np.exp(-alpha * float(np.log(N)))) * (-(talpha * float(np.log(N))) - tN * alpha / N) * A
    tloss = tloss + tB * float(np.exp(-beta * float(np.log(D))))
    tloss = tloss + float(np.exp(-beta * float(np.log(D)))) * (-(tbeta * float(np.log(D))) - tD * beta / D) * B
    return tloss


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
