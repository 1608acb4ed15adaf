"""PyTorch's attention with its backend forced, as targets of a conformance run.

    lemmata conform attention examples/sdpa_backends.py:math
    lemmata conform attention examples/sdpa_backends.py:flash

A call that a backend does not support is refused by raising NotImplementedError: the run counts it and draws another.
"""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

# How PyTorch begins the RuntimeError for a call that no allowed backend supports.
_UNSUPPORTED = "No available kernel"


def math(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """Attention as separate matrix products and a softmax."""
    with sdpa_kernel(SDPBackend.MATH):
        return scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )


def flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """FlashAttention: block by block, without the matrix of scores.

    Raises:
        NotImplementedError: the backend does not support the call.
    """
    try:
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
            return scaled_dot_product_attention(
                query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
            )
    except RuntimeError as error:
        if str(error).startswith(_UNSUPPORTED):
            raise NotImplementedError("the flash backend does not support this call") from error
        raise
