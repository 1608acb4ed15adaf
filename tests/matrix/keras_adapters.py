"""Keras on its PyTorch backend (`KERAS_BACKEND=torch`), so that its gradients are autograd's."""

from __future__ import annotations

from typing import Any

import torch
from lemmata.tests.matrix.adapting import ones, refuse, refuse_rows_without_keys, rms_epsilon
from torch import Tensor


def softmax(input: Tensor, dim: int = -1) -> Any:
    """`keras.ops.softmax`."""
    import keras

    return keras.ops.softmax(input, axis=dim)


def log_softmax(input: Tensor, dim: int = -1) -> Any:
    """`keras.ops.log_softmax`."""
    import keras

    return keras.ops.log_softmax(input, axis=dim)


def logsumexp(input: Tensor, dim: int = -1) -> Any:
    """`keras.ops.logsumexp`."""
    import keras

    return keras.ops.logsumexp(input, axis=dim)


def gelu(input: Tensor, approximate: str = "none") -> Any:
    """`keras.ops.gelu`."""
    import keras

    return keras.ops.gelu(input, approximate=approximate == "tanh")


def silu(input: Tensor) -> Any:
    """`keras.ops.silu`."""
    import keras

    return keras.ops.silu(input)


def layer_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """`keras.ops.layer_normalization`."""
    import keras

    scale = ones(input) if weight is None else weight
    shift = torch.zeros_like(scale) if bias is None else bias
    return keras.ops.layer_normalization(input, gamma=scale, beta=shift, axis=-1, epsilon=eps)


def rms_norm(
    input: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None = None, eps: float | None = None
) -> Any:
    """`keras.ops.rms_normalization`."""
    import keras

    scale = ones(input) if weight is None else weight
    return keras.ops.rms_normalization(input, scale=scale, axis=-1, epsilon=rms_epsilon(eps, input.dtype))


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """`keras.ops.dot_product_attention`, whose heads stand after the tokens."""
    import keras

    refuse(query.shape[1] != key.shape[1], "no grouped queries")
    refuse(value.shape[-1] != key.shape[-1], "values are as wide as keys")
    refuse(not (query.numel() and key.numel()), "an argument has no elements")
    mask = bias = None
    if attn_mask is not None:
        full = attn_mask.expand(*query.shape[:-1], key.shape[-2])
        mask, bias = (full, None) if attn_mask.dtype == torch.bool else (None, full)
    tensors = [x.transpose(1, 2) for x in (query, key, value)]
    out = keras.ops.dot_product_attention(*tensors, bias=bias, mask=mask, scale=scale, is_causal=is_causal)
    return out.transpose(1, 2)


def attention_with_keys(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any
) -> Any:
    """The same, asked only where every row has a key to attend to."""
    refuse_rows_without_keys(attn_mask, key)
    return attention(query, key, value, attn_mask, **options)
