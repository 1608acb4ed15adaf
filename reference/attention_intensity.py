"""Reference implementation of attention_intensity.

GENERATED from derivations/scaling.py by `lemmata generate scaling`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def attention_intensity(r: float, n: float, m: float, d_k: float, itemsize: float) -> tuple[Array, Array, Array]:
    """Operations of attention for each byte that it moves: what decides whether arithmetic or memory limits it.

    Args:
        r: query heads that share one head of keys and values.
        n: tokens of a sequence.
        m: keys, of which the cache holds one for each token so far.
        d_k: features of a head.
        itemsize: bytes of a number.

    Returns:
        intensity: operations a byte.
        flops: operations for one head of keys and values.
        moved: bytes for one head of keys and values.

    Conventions:
        traffic: queries, keys, values and outputs are moved once each, scores never (FlashAttention).

    Source: Shazeer 2019, Fast transformer decoding.
    """
    # flops = r·(((2·n)·m)·d_k + ((2·n)·m)·d_k)  (S1)
    flops = r * (2 * n * m * d_k + 2 * n * m * d_k)
    # moved = itemsize·(((2·r)·n)·d_k + (2·m)·d_k)  (S2)
    moved = itemsize * (2 * r * n * d_k + 2 * m * d_k)
    # intensity = flops/moved
    intensity = flops / moved
    return intensity, flops, moved


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
