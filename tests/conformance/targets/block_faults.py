"""Planted faults of transformer blocks and of losses on top of a linear layer, named after what is wrong."""

from __future__ import annotations

from typing import Any

import torch
from lemmata.tests.conformance.targets import block_kernels as correct
from lemmata.tests.conformance.targets.catalogue_kernels import widened
from torch import Tensor

# Pre-norm blocks -----------------------------------------------------------------------------------------------------


def _parts(x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    return widened(x), tuple(map(widened, parameters))


def residual_of_the_network_dropped(x: Tensor, *parameters: Tensor, keep: Tensor | None = None) -> Tensor:
    """y without h."""
    wide, p = _parts(x, parameters)
    h = wide + correct.attend(correct.norm(wide, *p[:2]), p[2:10], keep)
    return correct.transform(correct.norm(h, *p[10:12]), p[12:]).to(x.dtype)


def residual_from_the_input(x: Tensor, *parameters: Tensor, keep: Tensor | None = None) -> Tensor:
    """The second sum starts from x instead of h."""
    wide, p = _parts(x, parameters)
    h = wide + correct.attend(correct.norm(wide, *p[:2]), p[2:10], keep)
    return (wide + correct.transform(correct.norm(h, *p[10:12]), p[12:])).to(x.dtype)


def residual_of_the_normalised(x: Tensor, *parameters: Tensor, keep: Tensor | None = None) -> Tensor:
    """Attention added to what it read instead of to the stream."""
    wide, p = _parts(x, parameters)
    a = correct.norm(wide, *p[:2])
    h = a + correct.attend(a, p[2:10], keep)
    return (h + correct.transform(correct.norm(h, *p[10:12]), p[12:])).to(x.dtype)


def first_norm_used_twice(x: Tensor, *parameters: Tensor, keep: Tensor | None = None) -> Tensor:
    """The second norm with the gain and shift of the first."""
    return correct.pre_norm_block(x, *parameters[:10], *parameters[:2], *parameters[12:], keep=keep)


def block_mask_ignored(x: Tensor, *parameters: Tensor, keep: Tensor | None = None) -> Tensor:
    """Attention sees everything."""
    return correct.pre_norm_block(x, *parameters)


def residual_path_detached(x: Tensor, *parameters: Tensor, keep: Tensor | None = None) -> Tensor:
    """The gradient of x through the norm alone."""
    y = correct.pre_norm_block(x, *parameters, keep=keep)
    return y - x + x.detach()


# Losses --------------------------------------------------------------------------------------------------------------


def last_block_of_the_vocabulary_dropped(h: Tensor, w: Tensor, target: Tensor, **options: Any) -> tuple[Tensor, ...]:
    """The partition function of whole blocks of 16."""
    x = widened(h) @ widened(w).mT
    whole = x.shape[-1] // 16 * 16
    if 0 < whole < x.shape[-1]:
        tail = torch.arange(x.shape[-1]) >= whole
        hit = torch.nn.functional.one_hot(target, x.shape[-1]).bool()
        x = torch.where(tail & ~hit, x - 1e4, x)
    found = correct.losses(x, target, options.get("weight"), options.get("keep"), options.get("zeta", 0.0))
    return tuple(one.to(h.dtype) for one in found)


def table_without_a_gradient(h: Tensor, w: Tensor, target: Tensor, **options: Any) -> tuple[Tensor, ...]:
    """The gradient of w is 0."""
    found = correct.linear_cross_entropy(h, w.detach(), target, **options)
    return tuple(one + 0.0 * w.sum().to(one.dtype) for one in found)


def z_loss_of_the_shifted(h: Tensor, w: Tensor, target: Tensor, **options: Any) -> tuple[Tensor, ...]:
    """z-loss of log z instead of the log-sum-exp."""
    zeta = options.pop("zeta", 0.0)
    loss, _, _ = correct.linear_cross_entropy(h, w, target, **options)
    x = widened(h) @ widened(w).mT
    z = torch.logsumexp(x - x.amax(-1, keepdim=True), -1)
    kept = torch.ones_like(loss, dtype=torch.bool) if options.get("keep") is None else options["keep"]
    loss = torch.where(kept, loss + zeta * z.to(loss.dtype) ** 2, 0.0)
    total = loss.sum(-1)
    return loss, total, total / kept.sum(-1)


def smoothing_of_the_other_classes(x: Tensor, target: Tensor, smoothing: float, **options: Any) -> tuple[Tensor, ...]:
    """The mass spread over V − 1 classes."""
    classes = x.shape[-1]
    more = min(smoothing * classes / max(classes - 1, 1), 1.0)
    return correct.smoothed_cross_entropy(x, target, more, **options)


def every_row_the_class_of_the_first(h: Tensor, w: Tensor, target: Tensor, **options: Any) -> tuple[Tensor, ...]:
    """The first target for all rows."""
    return correct.linear_cross_entropy(h, w, target[..., :1].expand(target.shape), **options)


def kept_rows_ignored(h: Tensor, w: Tensor, target: Tensor, **options: Any) -> tuple[Tensor, ...]:
    """Every row counts."""
    return correct.linear_cross_entropy(h, w, target, **{**options, "keep": None})


def smoothing_ignored(x: Tensor, target: Tensor, smoothing: float, **options: Any) -> tuple[Tensor, ...]:
    """The target alone."""
    return correct.smoothed_cross_entropy(x, target, 0.0, **options)


def smoothing_the_other_way_round(x: Tensor, target: Tensor, smoothing: float, **options: Any) -> tuple[Tensor, ...]:
    """ε and 1 − ε exchanged."""
    return correct.smoothed_cross_entropy(x, target, 1.0 - smoothing, **options)


def mean_over_all_rows(x: Tensor, target: Tensor, smoothing: float, **options: Any) -> tuple[Tensor, ...]:
    """The sum divided by the number of rows, ignored ones included."""
    loss, total, _ = correct.smoothed_cross_entropy(x, target, smoothing, **options)
    return loss, total, total / loss.shape[-1]


def smoothed_z_loss_forgotten(x: Tensor, target: Tensor, smoothing: float, **options: Any) -> tuple[Tensor, ...]:
    """Without the z-loss."""
    return correct.smoothed_cross_entropy(x, target, smoothing, **{**options, "zeta": 0.0})
