"""Scaled dot product attention with derived gradients: in PyTorch operations, and as fused Triton kernels.

The functions follow `torch.nn.functional.scaled_dot_product_attention`. Beyond it, a key that is masked out
for a query never reaches that query, even if the key or its value is NaN or infinite, in the
output as in the gradients; and the log-sum-exp of the scores is available and differentiable.
"""

import torch

from . import attention_eager
from .attention_problem import AttentionProblem, attention_problem
from .interpreter import interpret_without_cuda

_TRITON_DTYPES = (torch.float16, torch.bfloat16, torch.float32)


@torch.library.custom_op("lemmata::triton_attention", mutates_args=(), schema=attention_eager.FORWARD_SCHEMA)
def _triton_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    is_causal: bool,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    from .triton_attention_forward import attention_forward

    return attention_forward(query, key, value, mask, is_causal, scale)


@torch.library.custom_op("lemmata::triton_attention_backward", mutates_args=(), schema=attention_eager.BACKWARD_SCHEMA)
def _triton_attention_backward(
    d_output: torch.Tensor,
    d_lse: torch.Tensor,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    output: torch.Tensor,
    lse: torch.Tensor,
    is_causal: bool,
    scale: float,
    mask_gradient: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    from .triton_attention_backward import attention_backward

    return attention_backward(d_output, d_lse, query, key, value, mask, output, lse, is_causal, scale, mask_gradient)


_triton_attention.register_fake(attention_eager.fake_forward)
_triton_attention_backward.register_fake(attention_eager.fake_backward)
attention_eager.register_gradient(_triton_attention, _triton_attention_backward)


def _restore(problem: AttentionProblem, output: torch.Tensor, lse: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    Sq, Dv = output.shape[2:]
    return output.reshape(*problem.leading, Sq, Dv), lse.reshape(*problem.leading, Sq)


def scaled_dot_product_attention_with_lse(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`scaled_dot_product_attention` and the log-sum-exp of its scores; gradients flow through both.

    Arguments and errors are those of `scaled_dot_product_attention`.

    Returns:
        The output (..., Hq, Sq, Dv), and lse (..., Hq, Sq): the natural logarithm of Σ exp(score) over the
        keys that a query sees, -inf where it sees none. lse is float32, or float64 for float64.
    """
    interpret_without_cuda()
    p = attention_problem(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    compute = torch.float64 if query.dtype is torch.float64 else torch.float32
    mask = p.mask
    if mask is not None and mask.dtype is not torch.bool:
        mask = mask.to(compute)
    output, lse = attention_eager.attention(
        p.query.to(compute), p.key.to(compute), p.value.to(compute), mask, p.is_causal, p.scale
    )
    return _restore(p, output.to(query.dtype), lse)


def scaled_dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """softmax(scale·query keyᵀ + mask) value, as `torch.nn.functional.scaled_dot_product_attention`.

    float16 and bfloat16 are computed in float32 and rounded once at the end, in the gradients too. The
    gradient is the derived one of Dao 2023, "FlashAttention-2", section 2.3.2; it has no gradient itself.

    Args:
        query: (..., Hq, Sq, D), float16, bfloat16, float32 or float64.
        key: (..., H, Sk, D), in the query's dtype.
        value: (..., H, Sk, Dv), in the query's dtype.
        attn_mask: broadcastable to (..., Hq, Sq, Sk). Boolean: True lets a query see a key. Floating (float32
            or the query's dtype): added to the scores, and -inf masks out; it may require a gradient.
        dropout_p: 0; there is no dropout.
        is_causal: query i sees the keys j ≤ i, counted from the first of each, whatever Sq and Sk.
        scale: the factor of the scores; 1/√D if None.
        enable_gqa: Hq may be a multiple of H: query head h uses the key and value head h // (Hq / H).
            Otherwise all dimensions before the last two broadcast.

    Returns:
        (..., Hq, Sq, Dv) in the query's dtype. A query that sees no key gives 0, with zero gradients.

    Raises:
        ValueError: shapes do not fit, dropout is asked for, or both `attn_mask` and `is_causal` are given.
        TypeError: dtypes differ or are not supported.
    """
    return scaled_dot_product_attention_with_lse(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)[
        0
    ]


def triton_scaled_dot_product_attention_with_lse(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`triton_scaled_dot_product_attention` and the log-sum-exp of its scores, float32 (..., Hq, Sq).

    Arguments and errors are those of `triton_scaled_dot_product_attention`.
    """
    interpret_without_cuda()
    if query.dtype is torch.float64:
        raise TypeError(
            "the Triton attention supports float16, bfloat16 and float32, not float64; "
            "scaled_dot_product_attention supports float64"
        )
    p = attention_problem(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    output, lse = _triton_attention(p.query, p.key, p.value, p.mask, p.is_causal, p.scale)
    return _restore(p, output, lse)


def triton_scaled_dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """`scaled_dot_product_attention` by fused Triton kernels (Dao 2023, "FlashAttention-2").

    The weights are never stored: memory grows with Sq + Sk, except for the gradient of a floating mask,
    which takes a float32 tensor (B, Hq, Sq, Sk). Sums and softmax are float32. float16 and bfloat16 weights
    are multiplied as TF32 numbers, which hold both dtypes exactly, and the gradients use the
    output as it was rounded. Gradients are deterministic.

    Arguments and result are those of `scaled_dot_product_attention`, without float64. Without a CUDA device
    the kernels run in Triton's interpreter.

    Raises:
        ValueError: as `scaled_dot_product_attention`.
        TypeError: as `scaled_dot_product_attention`, and for float64.
        RuntimeError: tensors are on the CPU and Triton was imported without TRITON_INTERPRET=1.
        NotImplementedError: bfloat16 in Triton's interpreter, which computes it wrongly.
    """
    return triton_scaled_dot_product_attention_with_lse(
        query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa
    )[0]
