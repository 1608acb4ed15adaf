"""Reference implementation of geometric.

GENERATED from derivations/positional.py by `lemmata generate positional`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def geometric(number: Array, base: float) -> Array:
    """A geometric sequence: the frequencies of sinusoidal and rotary encodings, the slopes of ALiBi.

    Args:
        number: exponents `[..., h]`: 0, …, h − 1 for frequencies, 1, …, h for slopes.
        base: positive number: 10000 for frequencies, 256 for slopes.

    Returns:
        omega: terms of the sequence `[..., h]`: base^(−number/h).

    Conventions:
        slopes: those of the paper for a number of heads that is a power of 2, by the same formula for any other.

    Source: Vaswani et al. 2017, section 3.5; Press et al. 2022, section 3.
    """
    # omega[c] = exp(-((number[c]·log(base))/h))
    omega = _exp(-(number * float(np.log(base)) / number.shape[-1]))
    return omega


def geometric_value_and_vjp(number: Array, base: float, domega: Array) -> tuple[Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `geometric`):
        domega: cotangent of omega, of its shape.

    Returns:
        omega: as `geometric` returns.
        dnumber: gradient of number, of its shape.
        dbase: gradient of base, of its shape.
    """
    xp = _namespace(number)
    # omega[c] = exp(-((number[c]·log(base))/h))
    omega = _exp(-(number * float(np.log(base)) / number.shape[-1]))
    # dnumber[c] = -domega[c]·log(base)·exp(-number[c]·log(base)/h)/h
    dnumber = -domega * float(np.log(base)) * _exp(-number * float(np.log(base)) / number.shape[-1]) / number.shape[-1]
    # dbase = -(Σ_c number[c]·domega[c]·exp(-number[c]·log(base)/h))/h/base
    dbase = -xp.sum(number * domega * _exp(-number * float(np.log(base)) / number.shape[-1]), axis=-1)
    dbase = dbase / number.shape[-1] / base
    return omega, dnumber, dbase


def geometric_vjp(number: Array, base: float, domega: Array) -> tuple[Array, Array]:
    """As `geometric_value_and_vjp`, without the outputs."""
    _, dnumber, dbase = geometric_value_and_vjp(number, base, domega)
    return dnumber, dbase


def geometric_jvp(number: Array, base: float, tnumber: Array, tbase: float) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `geometric`):
        tnumber: tangent of number, of its shape.
        tbase: tangent of base, of its shape.

    Returns:
        tomega: tangent of omega, of its shape.
    """
    # tomega[c] = exp(-number[c]·log(base)/h)·(-tbase·number[c]/base − tnumber[c]·log(base))/h
    tomega = _exp(-number * float(np.log(base)) / number.shape[-1])
    tomega = tomega * (-(tbase * number / base) - tnumber * float(np.log(base))) / number.shape[-1]
    return tomega


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _overwritten(x: Array, *others: Array) -> bool:
    """Whether NumPy can write the result of x and others, of the shape and dtype of x, into x."""
    return (
        isinstance(x, np.ndarray)
        and x.dtype.kind == "f"
        and all(isinstance(y, float) or (isinstance(y, np.ndarray) and y.dtype == x.dtype) for y in others)
        and np.broadcast_shapes(x.shape, *(np.shape(y) for y in others)) == x.shape
    )


def _exp(x: Array) -> Array:
    """exp(x), in the memory of x, which is not read again."""
    return np.exp(x, out=x) if _overwritten(x) else _namespace(x).exp(x)
