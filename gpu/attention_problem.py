"""The arguments of scaled dot product attention, checked and brought to one four-dimensional form."""

import math
from typing import NamedTuple

import torch

from .operators import FLOATING


class AttentionProblem(NamedTuple):
    """B batches, Hq query heads over Hkv heads of keys and values; Hq is a multiple of Hkv.

    Attributes:
        query: (B, Hq, Sq, D).
        key: (B, Hkv, Sk, D).
        value: (B, Hkv, Sk, Dv).
        mask: None, or boolean or floating with shape (B or 1, Hq or 1, Sq or 1, Sk or 1).
        is_causal: query i sees the keys j ≤ i only.
        scale: the factor of the scores.
        leading: the dimensions before (Sq, Dv) that the caller's output has.
    """

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    mask: torch.Tensor | None
    is_causal: bool
    scale: float
    leading: tuple[int, ...]


def _shapes(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> str:
    return f"query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"


def _broadcast(shapes: str, *parts: torch.Size) -> tuple[int, ...]:
    try:
        return tuple(torch.broadcast_shapes(*parts))  # type: ignore[no-untyped-call]  # PyTorch gives it no types
    except RuntimeError as error:
        raise ValueError(f"the leading dimensions do not broadcast together: {shapes}") from error


def _check_dtypes(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> None:
    if not query.dtype == key.dtype == value.dtype:
        raise TypeError(f"query, key and value have to share one dtype, not {query.dtype}, {key.dtype}, {value.dtype}")
    if query.dtype not in FLOATING:
        raise TypeError(f"attention supports float16, bfloat16, float32 and float64, not {query.dtype}")


def _mask_in_four_dimensions(mask: torch.Tensor, dtype: torch.dtype, weights_shape: tuple[int, ...]) -> torch.Tensor:
    if mask.dtype not in (torch.bool, torch.float32, dtype):
        raise TypeError(f"attn_mask has to be bool, float32 or the query's {dtype}, not {mask.dtype}")
    rank = len(weights_shape)
    padded = (1,) * (rank - mask.ndim) + tuple(mask.shape)
    if len(padded) != rank or any(m not in (1, w) for m, w in zip(padded, weights_shape, strict=True)):
        raise ValueError(
            f"attn_mask of shape {tuple(mask.shape)} does not broadcast to the attention weights, {weights_shape}"
        )
    # Sizes of one stay: the gradient is then summed, and the kernels step over them with stride zero.
    tail = (1, 1, *padded)[-3:]
    batch = padded[:-3]
    if all(size == 1 for size in batch):
        return mask.reshape(1, *tail)
    return mask.reshape(padded).expand(*weights_shape[:-3], *tail).reshape(math.prod(weights_shape[:-3]), *tail)


def attention_problem(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None,
    dropout_p: float,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
) -> AttentionProblem:
    """Check the arguments of `torch.nn.functional.scaled_dot_product_attention` and reduce them to one form.

    Every step is differentiable, so gradients of broadcast dimensions are summed by autograd.

    Raises:
        ValueError: dropout is asked for, a mask is given together with `is_causal`, or shapes do not fit.
        TypeError: dtypes differ or are not supported.
    """
    if dropout_p != 0:
        raise ValueError(f"dropout is not supported: dropout_p has to be 0, not {dropout_p}")
    if attn_mask is not None and is_causal:
        raise ValueError("attn_mask and is_causal=True exclude each other; put the causal mask into attn_mask")
    _check_dtypes(query, key, value)
    shapes = _shapes(query, key, value)
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ValueError(f"query, key and value need at least two dimensions: {shapes}")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"query and key differ in their last dimension: {shapes}")
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(f"key and value differ in their number of positions: {shapes}")
    if enable_gqa:
        if min(query.ndim, key.ndim, value.ndim) < 3:
            raise ValueError(f"enable_gqa=True needs a head dimension, the third from last: {shapes}")
        query_heads, key_heads, value_heads = query.shape[-3], key.shape[-3], value.shape[-3]
        if any(h != query_heads and (h == 0 or query_heads % h) for h in (key_heads, value_heads)):
            raise ValueError(f"the query heads are not a multiple of the key and value heads: {shapes}")
        if key_heads != value_heads:
            key = key.repeat_interleave(query_heads // max(key_heads, 1), -3)
            value = value.repeat_interleave(query_heads // max(value_heads, 1), -3)
        batch = _broadcast(shapes, query.shape[:-3], key.shape[:-3], value.shape[:-3])
        kv_heads = key.shape[-3]
        leading = (*batch, query_heads)
    else:
        leading = _broadcast(shapes, query.shape[:-2], key.shape[:-2], value.shape[:-2])
        batch = leading[:-1]
        query_heads = kv_heads = leading[-1] if leading else 1

    B, Sq, Sk, D = math.prod(batch), query.shape[-2], key.shape[-2], query.shape[-1]
    kv_leading = (*batch, kv_heads) if leading else ()
    mask = attn_mask
    if mask is not None:
        mask = _mask_in_four_dimensions(mask, query.dtype, (*leading, Sq, Sk))
    if scale is None:
        # With no head dimension every score is an empty sum, zero whatever its scale.
        scale = 1.0 / math.sqrt(D) if D else 1.0
    return AttentionProblem(
        query.expand(*leading, Sq, D).reshape(B, query_heads, Sq, D),
        key.expand(*kv_leading, Sk, D).reshape(B, kv_heads, Sk, D),
        value.expand(*kv_leading, Sk, value.shape[-1]).reshape(B, kv_heads, Sk, value.shape[-1]),
        mask,
        is_causal,
        float(scale),
        leading,
    )
