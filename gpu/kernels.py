"""Which implementation a composition takes of the operations that there are fused Triton kernels of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from .attention import scaled_dot_product_attention, triton_scaled_dot_product_attention
from .embedding import embedding, triton_embedding
from .loss import smoothed_cross_entropy, triton_smoothed_cross_entropy
from .norm import layer_norm, triton_layer_norm
from .optimizer import adamw, triton_adamw


class Kernels(NamedTuple):
    """One implementation of each, with the arguments and results of the functions of these names."""

    scaled_dot_product_attention: Callable[..., torch.Tensor]
    layer_norm: Callable[..., torch.Tensor]
    embedding: Callable[..., torch.Tensor]
    smoothed_cross_entropy: Callable[..., Any]
    adamw: Callable[..., Any]


EAGER = Kernels(scaled_dot_product_attention, layer_norm, embedding, smoothed_cross_entropy, adamw)
TRITON = Kernels(
    triton_scaled_dot_product_attention,
    triton_layer_norm,
    triton_embedding,
    triton_smoothed_cross_entropy,
    triton_adamw,
)


def kernels_for(x: torch.Tensor) -> Kernels:
    """Triton on CUDA, but for float64, which its attention does not have; PyTorch operations elsewhere."""
    return TRITON if x.is_cuda and x.dtype != torch.float64 else EAGER
