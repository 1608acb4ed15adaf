"""Reference implementation of parameter_count.

GENERATED from derivations/scaling.py by `lemmata generate scaling`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def parameter_count(
    layers: float,
    d: float,
    h: float,
    g: float,
    d_k: float,
    ffn_matrices: float,
    d_ff: float,
    V: float,
    positions: float,
    biases: float,
    untied: float,
) -> tuple[Array, Array, Array]:
    """The parameters of a decoder-only transformer.

    Args:
        layers: number of blocks.
        d: features of a token.
        h: query heads.
        g: heads of keys and values; h without grouping.
        d_k: features of a head.
        ffn_matrices: matrices of a feed-forward network: 2, or 3 if it is gated.
        d_ff: features between them.
        V: size of the vocabulary.
        positions: rows of a learned table of positions; 0 if there is none.
        biases: 1 if linear layers and norms have a bias, 0 if none has.
        untied: 1 if the output projection has weights of its own, 0 if it is the embedding.

    Returns:
        total: all parameters.
        block: those of one block.
        embedding: those of the tables of embeddings.

    Source: Kaplan et al. 2020, (2.1).
    """
    # attention = (((2·d)·h)·d_k + ((2·d)·g)·d_k) + biases·((h + 2·g)·d_k + d)  (S1)
    attention = 2 * d * h * d_k + 2 * d * g * d_k + biases * ((h + 2 * g) * d_k + d)
    # ffn = (ffn_matrices·d)·d_ff + biases·((ffn_matrices − 1)·d_ff + d)
    ffn = ffn_matrices * d * d_ff + biases * ((ffn_matrices - 1) * d_ff + d)
    # norm = (1 + biases)·d
    norm = (1 + biases) * d
    # block = (attention + ffn) + 2·norm
    block = attention + ffn + 2 * norm
    # embedding = (V + positions)·d
    embedding = (V + positions) * d
    # total = ((embedding + layers·block) + norm) + (untied·V)·d
    total = embedding + layers * block + norm + untied * V * d
    return total, block, embedding


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
