"""Scaled dot product attention with derived gradients: in PyTorch operations, and as fused Triton kernels.

The functions follow `torch.nn.functional.scaled_dot_product_attention`. Beyond it, a key that is masked out
for a query never reaches that query, even if the key or its value is NaN or infinite, in the
output as in the gradients; and the log-sum-exp of the scores is available and differentiable.
"""

from collections.abc import Callable
from typing import Any

import torch

from . import attention_eager
from .attention_problem import AttentionProblem, attention_problem
from .autocast import lowered
from .interpreter import interpret_without_cuda


def _triton_forward(*arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
    from .triton_attention_forward import attention_forward

    return attention_forward(*arguments)


def _triton_backward(*arguments: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    from .triton_attention_backward import attention_backward

    return attention_backward(*arguments)


_TRITON_ATTENTION = attention_eager.attention_operator("triton_attention", _triton_forward, _triton_backward)


def _restore(problem: AttentionProblem, output: torch.Tensor, lse: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    Sq, Dv = output.shape[2:]
    return output.reshape(*problem.leading, Sq, Dv), lse.reshape(*problem.leading, Sq)


def _eager(p: AttentionProblem, softcap: float, window: int) -> tuple[torch.Tensor, torch.Tensor]:
    compute = torch.float64 if p.query.dtype is torch.float64 else torch.float32
    mask = p.mask
    if mask is not None and mask.dtype is not torch.bool:
        mask = mask.to(compute)
    wide = (p.query.to(compute), p.key.to(compute), p.value.to(compute), mask)
    output, lse = attention_eager.attention(*wide, p.is_causal, p.scale, softcap, window)
    return output.to(p.query.dtype), lse


def _triton(p: AttentionProblem, softcap: float, window: int) -> tuple[torch.Tensor, torch.Tensor]:
    if p.query.dtype is torch.float64:
        raise TypeError(
            "the Triton attention supports float16, bfloat16 and float32, not float64; "
            "scaled_dot_product_attention supports float64"
        )
    output, lse = _TRITON_ATTENTION(p.query, p.key, p.value, p.mask, p.is_causal, p.scale, softcap, window)
    return output, lse


def _options(is_causal: bool, softcap: float | None, window: int | None) -> tuple[float, int]:
    """Softcap and window as the operators take them: 0 if there is none."""
    if softcap is not None and not softcap > 0:
        raise ValueError(f"softcap={softcap} is not positive")
    if window is not None and (window < 1 or not is_causal):
        raise ValueError(f"window={window} with is_causal={is_causal}: it is at least 1, and needs is_causal=True")
    return float(softcap or 0.0), window or 0


def scaled_dot_product_attention_with_lse(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    softcap: float | None = None,
    window: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`scaled_dot_product_attention` and the log-sum-exp of its scores; gradients flow through both.

    Arguments and errors are those of `scaled_dot_product_attention`.

    Returns:
        The output (..., Hq, Sq, Dv), and lse (..., Hq, Sq): the natural logarithm of Σ exp(score) over the
        keys that a query sees, -inf where it sees none. lse is float32, or float64 for float64.
    """
    interpret_without_cuda()
    query, key, value, attn_mask = lowered(query, key, value, attn_mask)
    p = attention_problem(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    return _restore(p, *_eager(p, *_options(is_causal, softcap, window)))


def scaled_dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    softcap: float | None = None,
    window: int | None = None,
) -> torch.Tensor:
    """softmax(scale·query keyᵀ + mask) value, as `torch.nn.functional.scaled_dot_product_attention`.

    float16 and bfloat16 are computed in float32 and rounded once at the end, in the gradients too. The
    gradient is the derived one of Dao 2023, "FlashAttention-2", section 2.3.2.

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
        softcap: a scaled product s becomes softcap·tanh(s/softcap), before the mask is added.
        window: of the keys j ≤ i, a query sees the last so many, its own included; with `is_causal` alone.

    Returns:
        (..., Hq, Sq, Dv) in the query's dtype. A query that sees no key gives 0, with zero gradients.

    Raises:
        ValueError: shapes do not fit, dropout is asked for, both `attn_mask` and `is_causal` are given, `softcap` is
            not positive, or `window` is less than 1 or given without `is_causal`.
        TypeError: dtypes differ or are not supported.
    """
    return scaled_dot_product_attention_with_lse(
        query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa, softcap=softcap, window=window
    )[0]


def triton_scaled_dot_product_attention_with_lse(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    softcap: float | None = None,
    window: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`triton_scaled_dot_product_attention` and the log-sum-exp of its scores, float32 (..., Hq, Sq).

    Arguments and errors are those of `triton_scaled_dot_product_attention`.
    """
    interpret_without_cuda()
    query, key, value, attn_mask = lowered(query, key, value, attn_mask)
    p = attention_problem(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    return _restore(p, *_triton(p, *_options(is_causal, softcap, window)))


def triton_scaled_dot_product_attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    softcap: float | None = None,
    window: int | None = None,
) -> torch.Tensor:
    """`scaled_dot_product_attention` by fused Triton kernels (Dao 2023, "FlashAttention-2").

    The weights are never stored: memory grows with Sq + Sk, except for the gradient of a floating mask,
    which takes a float32 tensor (B, Hq, Sq, Sk). Sums and softmax are float32. float16 and bfloat16 weights
    are multiplied as TF32 numbers, which hold both dtypes exactly, and the gradients use the
    output as it was rounded. Gradients are deterministic; differentiated again, they are computed in PyTorch
    operations.

    Arguments and result are those of `scaled_dot_product_attention`, without float64. Without a CUDA device
    the kernels run in Triton's interpreter.

    Raises:
        ValueError: as `scaled_dot_product_attention`.
        TypeError: as `scaled_dot_product_attention`, and for float64.
        RuntimeError: tensors are on the CPU and Triton was imported without TRITON_INTERPRET=1.
        NotImplementedError: bfloat16 in Triton's interpreter, which computes it wrongly.
    """
    return triton_scaled_dot_product_attention_with_lse(
        query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa, softcap=softcap, window=window
    )[0]


def softcapped_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    cap: float,
    *,
    keep: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    scale: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention of the r query heads that share one head of keys, with capped scores (Gemma Team 2024, "Gemma 2").

    Args:
        q: queries (..., r, n, d); float16, bfloat16, float32 or float64.
        k: keys (..., m, d), in the same dtype.
        v: values (..., m, e), in the same dtype.
        cap: the largest magnitude of a capped product.
        keep: boolean (..., r, n, m), True where a key is seen.
        bias: added to the capped products, (..., r, n, m), in the same dtype.
        scale: the factor of the products; 1/√d if None.

    Returns:
        The output (..., r, n, e), 0 for a query that sees no key, and the log-sum-exp of the scores (..., r, n), both
        in the dtype of the queries.

    Raises:
        ValueError: shapes do not fit, or `cap` is not positive.
        TypeError: dtypes differ or are not supported.
    """
    return _softcapped(scaled_dot_product_attention_with_lse, q, k, v, cap, keep, bias, scale)


def triton_softcapped_attention(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    cap: float,
    *,
    keep: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    scale: float | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`softcapped_attention` by the kernels of `triton_scaled_dot_product_attention`, whose errors it has, too."""
    return _softcapped(triton_scaled_dot_product_attention_with_lse, q, k, v, cap, keep, bias, scale)


def _softcapped(
    attention: Callable[..., tuple[torch.Tensor, torch.Tensor]],
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    cap: float,
    keep: torch.Tensor | None,
    bias: torch.Tensor | None,
    scale: float | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    mask = keep
    if bias is not None:
        mask = bias if keep is None else bias.masked_fill(~keep, -torch.inf)
    output, lse = attention(q, k.unsqueeze(-3), v.unsqueeze(-3), mask, scale=scale, softcap=cap)
    return output, lse.to(q.dtype)
