"""Planted faults of rotary positions and of multi-head attention, named after what is wrong."""

from __future__ import annotations

from typing import Any

import torch
from lemmata.tests.conformance.targets import catalogue_kernels as correct
from lemmata.tests.conformance.targets.altered import altered, only
from torch import Tensor

# Rotary positions ----------------------------------------------------------------------------------------------------


def pairs_of_the_other_order(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Tensor:
    """Interleaved pairs where halves are asked for, and the other way round."""
    return correct.rope(x, pos, omega, interleaved=not interleaved)


def interleaving_ignored(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Tensor:
    """Halves whatever is asked for."""
    return correct.rope(x, pos, omega)


def turned_the_other_way(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Tensor:
    """The sign of the sine."""
    return correct.rope(x, -pos, omega, interleaved=interleaved)


def positions_from_1(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Tensor:
    """Every token one place further."""
    return correct.rope(x, pos + 1, omega, interleaved=interleaved)


def angles_in_the_dtype(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Tensor:
    """The product of position and frequency rounded to the dtype."""
    return _rotated(x, pos[..., None] * omega, interleaved)


def _rotated(x: Tensor, angle: Tensor, interleaved: bool) -> Tensor:
    pairs = angle.shape[-1]
    x1 = x[..., 0 : 2 * pairs : 2] if interleaved else x[..., :pairs]
    x2 = x[..., 1 : 2 * pairs : 2] if interleaved else x[..., pairs : 2 * pairs]
    y1, y2 = x1 * angle.cos() - x2 * angle.sin(), x1 * angle.sin() + x2 * angle.cos()
    rotated = torch.stack((y1, y2), -1).flatten(-2) if interleaved else torch.cat((y1, y2), -1)
    return torch.cat((rotated, x[..., 2 * pairs :]), -1)


def unpaired_features_dropped(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Tensor:
    """Features after the pairs set to zero."""
    y = correct.rope(x, pos, omega, interleaved=interleaved)
    return torch.cat((y[..., : 2 * omega.shape[-1]], 0.0 * y[..., 2 * omega.shape[-1] :]), -1)


def _turned_forward(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    """The gradient rotated by the angle instead of by its inverse."""
    _, pos, omega, *rest = arguments
    gradients[0] = correct.rope(cotangent, pos, omega, interleaved=bool(rest and rest[0]))
    return gradients


gradient_turned_forward = altered(correct.rope, _turned_forward)

# Multi-head attention ------------------------------------------------------------------------------------------------


def scale_of_the_model_width(
    x_q: Tensor, x_k: Tensor, x_v: Tensor, w_q: Tensor, *weights: Tensor, **options: Any
) -> Tensor:
    """1/√(g r d_h) in the place of 1/√d_h."""
    heads = w_q.shape[0] * w_q.shape[1]
    if options.get("b_q") is not None:
        options["b_q"] = options["b_q"] * heads**-0.5
    return correct.multi_head_attention(x_q, x_k, x_v, w_q * heads**-0.5, *weights, **options)


def heads_merged_in_reverse(
    x_q: Tensor, x_k: Tensor, x_v: Tensor, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_o: Tensor, **options: Any
) -> Tensor:
    """The output projection reads the heads the other way round."""
    return correct.multi_head_attention(x_q, x_k, x_v, w_q, w_k, w_v, w_o.flip(0, 1), **options)


def value_bias_dropped(
    *arguments: Tensor, b_k: Tensor | None = None, b_v: Tensor | None = None, **options: Any
) -> Tensor:
    """The bias of the values dropped, as that of the keys may be in a softmax."""
    dropped = 0.0 if b_v is None else 0.0 * b_v.sum()
    return correct.multi_head_attention(*arguments, b_k=b_k, **options) + dropped


def mask_of_the_first_head(*arguments: Tensor, keep: Tensor | None = None, **options: Any) -> Tensor:
    """One mask for all heads."""
    first = None if keep is None else keep[..., :1, :1, :, :].expand(keep.shape)
    return correct.multi_head_attention(*arguments, keep=first, **options)


def values_from_the_keys(x_q: Tensor, x_k: Tensor, x_v: Tensor, *weights: Tensor, **options: Any) -> Tensor:
    """The values projected from the source of the keys, where it fits."""
    source = x_k if x_k.shape == x_v.shape else x_v
    return correct.multi_head_attention(x_q, x_k, source + 0.0 * x_v, *weights, **options)


output_weight_gradient_is_none = altered(correct.multi_head_attention, only(6, lambda gradient: None))
