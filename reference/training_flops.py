"""Reference implementation of training_flops.

GENERATED from derivations/scaling.py by `lemmata generate scaling`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def training_flops(
    layers: float, d: float, h: float, g: float, d_k: float, ffn_matrices: float, d_ff: float, V: float, n: float
) -> tuple[Array, Array, Array, Array]:
    """The operations of matrix products for each token, forward, backward and together.

    Args:
        layers: number of blocks.
        d: features of a token.
        h: query heads.
        g: heads of keys and values; h without grouping.
        d_k: features of a head.
        ffn_matrices: matrices of a feed-forward network: 2, or 3 if it is gated.
        d_ff: features between them.
        V: size of the vocabulary.
        n: tokens of a sequence.

    Returns:
        training: forward and backward together.
        forward: operations of the forward pass.
        backward: operations of the backward pass.
        weights: entries of all matrices that a token is multiplied by.

    Conventions:
        pairs: every query attends to all n keys.

    Source: Kaplan et al. 2020, section 2.1; Chowdhery et al. 2022, appendix B.
    """
    # matrices = (((2·d)·h)·d_k + ((2·d)·g)·d_k) + (ffn_matrices·d)·d_ff
    matrices = 2 * d * h * d_k + 2 * d * g * d_k + ffn_matrices * d * d_ff
    # weights = layers·matrices + V·d
    weights = layers * matrices + V * d
    # scores = (layers·h)·((2·n)·d_k + (2·n)·d_k)  (S3)
    scores = layers * h * (2 * n * d_k + 2 * n * d_k)
    # forward = 2·weights + scores  (S1)
    forward = 2 * weights + scores
    # backward = 2·forward  (S2)
    backward = 2 * forward
    # training = forward + backward
    training = forward + backward
    return training, forward, backward, weights


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
