"""Reference implementation of kv_cache_bytes.

GENERATED from derivations/scaling.py by `lemmata generate scaling`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def kv_cache_bytes(layers: float, g: float, d_k: float, m: float, b: float, itemsize: float) -> tuple[Array, Array]:
    """The bytes of the keys and values that generation keeps.

    Args:
        layers: number of blocks.
        g: heads of keys and values; h without grouping.
        d_k: features of a head.
        m: keys, of which the cache holds one for each token so far.
        b: sequences of a batch.
        itemsize: bytes of a number.

    Returns:
        cache: bytes of all keys and values.
        cache_per_token: bytes that each token of a sequence adds.

    Source: Shazeer 2019, Fast transformer decoding.
    """
    # cache_per_token = (((2·itemsize)·layers)·g)·d_k  (S1)
    cache_per_token = 2 * itemsize * layers * g * d_k
    # cache = (b·m)·cache_per_token
    cache = b * m * cache_per_token
    return cache, cache_per_token


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
