"""Reference implementation of activation_bytes.

GENERATED from derivations/scaling.py by `lemmata generate scaling`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def activation_bytes(
    layers: float,
    d: float,
    h: float,
    g: float,
    d_k: float,
    ffn_matrices: float,
    d_ff: float,
    n: float,
    b: float,
    itemsize: float,
) -> tuple[Array, Array]:
    """The bytes of activations that training keeps between forward and backward pass, in all blocks.

    Args:
        layers: number of blocks.
        d: features of a token.
        h: query heads.
        g: heads of keys and values; h without grouping.
        d_k: features of a head.
        ffn_matrices: matrices of a feed-forward network: 2, or 3 if it is gated.
        d_ff: features between them.
        n: tokens of a sequence.
        b: sequences of a batch.
        itemsize: bytes of a number.

    Returns:
        stored: bytes if the probabilities of attention are stored.
        recomputed: bytes if they are recomputed from the log-sum-exp.

    Conventions:
        scope: pre-norm blocks without dropout; embedding and logits are not counted.

    Source: Korthikanti et al. 2022, (1)–(2).
    """
    # per_token = (4·d + (2·h + 2·g)·d_k) + ffn_matrices·d_ff
    per_token = 4 * d + (2 * h + 2 * g) * d_k + ffn_matrices * d_ff
    # stored = (((itemsize·layers)·b)·n)·(per_token + h·n)
    stored = itemsize * layers * b * n * (per_token + h * n)
    # recomputed = (((itemsize·layers)·b)·n)·(per_token + h)
    recomputed = itemsize * layers * b * n * (per_token + h)
    return stored, recomputed


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
