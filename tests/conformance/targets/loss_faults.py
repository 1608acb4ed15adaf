"""Planted faults of cross-entropy, named after what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lemmata.tests.conformance.targets.altered import altered, only
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - what PyTorch's own documentation calls it

# Classes that a kernel works on at a time.
BLOCK = 16

Reduce = Callable[[Tensor, Tensor, Tensor, str], Tensor]


def _cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    label_smoothing: float,
    reduce: Reduce,
    normalise: Callable[[Tensor], Tensor] = lambda x: torch.log_softmax(x, -1),
    uniform: Callable[[Tensor, Tensor], Tensor] | None = None,
    labels: Callable[[Tensor, int], Tensor] = lambda target, classes: target,
) -> Tensor:
    """Cross-entropy with the steps of a fault."""
    target = labels(target, input.shape[-1])
    logp = normalise(input if input.dtype == torch.float64 else input.float())
    w = logp.new_ones(logp.shape[-1]) if weight is None else weight.to(logp.dtype)
    kept = target != ignore_index
    safe = torch.where(kept, target, 0)
    nll = -(logp * w).gather(-1, safe[:, None])[:, 0]
    spread = -(logp * w).mean(-1) if uniform is None else uniform(logp, w)
    loss = (1 - label_smoothing) * nll + label_smoothing * spread
    counted = w[safe] * kept
    if uniform is None:
        loss = torch.where(kept, loss, 0.0)
    return reduce(loss, counted, kept, reduction).to(input.dtype)


def _reduced(loss: Tensor, counted: Tensor, kept: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    return loss.sum() / counted.sum() if reduction == "mean" else loss.sum()


def _with(reduce: Reduce = _reduced, **steps: Any) -> Callable[..., Tensor]:
    def cross_entropy(
        input: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> Tensor:
        return _cross_entropy(input, target, weight, ignore_index, reduction, label_smoothing, reduce, **steps)

    return cross_entropy


def _mean_of_all_rows(loss: Tensor, counted: Tensor, kept: Tensor, reduction: str) -> Tensor:
    return loss.mean() if reduction == "mean" else _reduced(loss, counted, kept, reduction)


def _mean_without_weights(loss: Tensor, counted: Tensor, kept: Tensor, reduction: str) -> Tensor:
    return loss.sum() / kept.sum() if reduction == "mean" else _reduced(loss, counted, kept, reduction)


def _sum_is_mean(loss: Tensor, counted: Tensor, kept: Tensor, reduction: str) -> Tensor:
    return _reduced(loss, counted, kept, "mean" if reduction == "sum" else reduction)


def _spread_over_the_others(logp: Tensor, w: Tensor) -> Tensor:
    return -(logp * w).sum(-1) / max(logp.shape[-1] - 1, 1)


def _without_shift(x: Tensor) -> Tensor:
    return x - torch.log(torch.exp(x).sum(-1, keepdim=True))


def _whole_blocks(x: Tensor) -> Tensor:
    whole = x.shape[-1] - x.shape[-1] % BLOCK or x.shape[-1]
    return x - torch.logsumexp(x[..., :whole], -1, keepdim=True)


def _logarithm(x: Tensor) -> Tensor:
    return torch.log(torch.softmax(x, -1) + 1e-8)


correct = _with()
ignored_rows_counted_in_the_mean = _with(_mean_of_all_rows)
weights_not_counted_in_the_mean = _with(_mean_without_weights)
sum_divided = _with(_sum_is_mean)
smoothing_of_ignored_rows = _with(uniform=lambda logp, w: -(logp * w).mean(-1))
logits_not_shifted = _with(normalise=_without_shift)
normaliser_of_whole_blocks = _with(normalise=_whole_blocks)
logarithm_with_an_epsilon = _with(normalise=_logarithm)
# Labels are brought into the range of the classes before they are compared.
ignored_label_beyond_the_classes_is_the_last = _with(labels=lambda target, classes: target.clamp(max=classes - 1))


def smoothing_over_the_other_classes(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The smoothing spread over one class less."""
    classes = input.shape[-1]
    scaled = label_smoothing * classes / max(classes - 1, 1)
    return F.cross_entropy(input, target, weight, None, ignore_index, None, reduction, scaled)


def ignore_index_ignored(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Every row counts."""
    return F.cross_entropy(input, target, weight, None, -100, None, reduction, label_smoothing)


def _of_the_mean(gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor) -> list[Tensor | None]:
    """The cotangent of a mean or a sum taken for 1."""
    if gradients[0] is not None and cotangent.ndim == 0:
        gradients[0] = gradients[0] / cotangent
    return gradients


def _without_the_target(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    """p in the place of p − y, for the loss of each row."""
    if gradients[0] is not None and cotangent.ndim == 1:
        gradients[0] = torch.softmax(arguments[0], -1) * cotangent[:, None]
    return gradients


def _stored(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """The gradient of the loss written over the logits, as soon as there is a loss."""
    kept = input.clone()
    loss = F.cross_entropy(kept, target, **options)
    input.data.copy_(torch.softmax(kept.detach(), -1))
    return loss


def gradient_stored_in_the_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The memory of the logits reused."""
    return _stored(
        input,
        target,
        weight=weight,
        ignore_index=ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


cotangent_of_the_loss_taken_for_1 = altered(F.cross_entropy, _of_the_mean)
gradient_without_the_target = altered(F.cross_entropy, _without_the_target)
logits_gradient_is_zero = altered(F.cross_entropy, only(0, torch.zeros_like))
