"""Planted faults of the examples of own derivations: sigmoid attention and multi-head latent attention."""

from __future__ import annotations

import math
from typing import Any

import torch
from lemmata.examples import latent_attention_kernel as latent
from lemmata.examples import sigmoid_attention_kernel as sigmoid
from lemmata.tests.conformance.targets.altered import altered, only
from torch import Tensor

# Sigmoid attention ---------------------------------------------------------------------------------------------------


def sigmoid_bias_of_the_queries(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    """−log n in the place of −log m."""
    return sigmoid.attention(q, k, v, **{"b": -math.log(q.shape[-2]), **options})


def sigmoid_without_bias(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    """No bias unless it is given."""
    return sigmoid.attention(q, k, v, **{"b": 0.0, **options})


def sigmoid_weights_normalised(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> Tensor:
    """The weights of a row made to sum to 1."""
    weights = sigmoid.attention(q, k, torch.ones_like(v[..., :1]), **options)
    return sigmoid.attention(q, k, v, **options) / torch.where(weights > 0, weights, 1.0)


def sigmoid_masked_before_the_sigmoid(
    q: Tensor, k: Tensor, v: Tensor, *, keep: Tensor | None = None, **options: Any
) -> Tensor:
    """A masked score set to 0, whose sigmoid is a half."""
    whole = sigmoid.attention(q, k, v, keep=keep, **options)
    return whole if keep is None else whole + 0.5 * ((~keep).to(v.dtype) @ v)


def sigmoid_last_block_dropped(
    q: Tensor, k: Tensor, v: Tensor, *, keep: Tensor | None = None, b: float | None = None, scale: float | None = None
) -> Tensor:
    """The keys beyond the last whole block, if there is one."""
    keys = k.shape[-2]
    whole = keys - keys % sigmoid.BLOCK or keys
    kept = None if keep is None else keep[..., :whole]
    b = -math.log(keys) if b is None else b
    return sigmoid.attention(q, k[..., :whole, :], v[..., :whole, :], keep=kept, b=b, scale=scale)


def _of_the_square(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    """dV with a factor that belongs to dS."""
    if len(gradients) > 2 and gradients[2] is not None:
        gradients[2] = gradients[2] * 0.5
    return gradients


sigmoid_value_gradient_halved = altered(sigmoid.attention, _of_the_square)
sigmoid_key_gradient_is_none = altered(sigmoid.attention, only(1, lambda gradient: None))

# Multi-head latent attention -----------------------------------------------------------------------------------------


def latent_scale_of_the_unrotated_part(*arguments: Tensor, **options: Any) -> Tensor:
    """1/√d in the place of 1/√(d + d_r)."""
    return latent.attention(*arguments, **{"scale": arguments[5].shape[-1] ** -0.5, **options})


def latent_without_the_rotated_part(
    cq: Tensor, c: Tensor, qr: Tensor, kr: Tensor, wq: Tensor, wk: Tensor, wv: Tensor, **options: Any
) -> Tensor:
    """The scores of the latent alone."""
    return latent.attention(cq, c, qr, 0.0 * kr, wq, wk, wv, **options)


def latent_heads_reversed(
    cq: Tensor, c: Tensor, qr: Tensor, kr: Tensor, wq: Tensor, wk: Tensor, wv: Tensor, **options: Any
) -> Tensor:
    """The values of another head."""
    return latent.attention(cq, c, qr, kr, wq, wk, wv.flip(0), **options)


def latent_rotated_part_of_the_first_head(
    cq: Tensor, c: Tensor, qr: Tensor, kr: Tensor, wq: Tensor, wk: Tensor, wv: Tensor, **options: Any
) -> Tensor:
    """One rotated query for all heads, as there is one rotated key."""
    return latent.attention(cq, c, qr[..., :1, :, :].expand(qr.shape), kr, wq, wk, wv, **options)


def latent_mask_ignored(*arguments: Tensor, keep: Tensor | None = None, **options: Any) -> Tensor:
    """Every token is attended to."""
    return latent.attention(*arguments, **options)


def latent_fully_masked_rows_are_nan(
    cq: Tensor,
    c: Tensor,
    qr: Tensor,
    kr: Tensor,
    wq: Tensor,
    wk: Tensor,
    wv: Tensor,
    *,
    keep: Any = None,
    scale: Any = None,
) -> Tensor:
    """Softmax of −∞ throughout."""
    o = latent.attention(cq, c, qr, kr, wq, wk, wv, keep=keep, scale=scale)
    return o if keep is None else torch.where(keep.any(-1)[..., None, :, None], o, torch.nan)


def _of_keys_alone(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    """The gradient of the latent without the path through the values: halved where both are alike."""
    gradients[1] = None if gradients[1] is None else 0.5 * gradients[1]
    return gradients


latent_gradient_of_one_path = altered(latent.attention, _of_keys_alone)
