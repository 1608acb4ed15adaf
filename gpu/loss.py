"""Cross-entropy losses as PyTorch operators with derived gradients.

With lse the log-sum-exp of a row of logits x, p its softmax, t its target, w the weights of the classes, W their sum,
ε the label smoothing and ζ the coefficient of the z-loss, the loss of a row is

    ℓ = (1 − ε)·w_t·(lse − x_t) + ε/V·Σ_v w_v·(lse − x_v) + ζ·lse²
    dx_v = dℓ·(((1 − ε)·w_t + ε·W/V + 2ζ·lse)·p_v − (1 − ε)·w_t·[v = t] − ε/V·w_v)

and for a target y that is a distribution itself

    ℓ = Σ_v w_v·y_v·(lse − x_v) + ζ·lse²
    dx_v = dℓ·((Σ_u w_u·y_u + 2ζ·lse)·p_v − w_v·y_v)        dy_v = dℓ·w_v·(lse − x_v)

Rows that do not count have a loss and a gradient of 0, whatever their logits are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from .autocast import raised
from .interpreter import interpret_without_cuda
from .operators import Gradients, Outputs, check_floating, computed_in, differentiable, new_like, operator

IGNORED = -100
_REDUCTIONS = ("mean", "sum", "none")
Losses = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def _distances(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """lse − x of each logit, which a large maximum does not take digits from, and lse with its axis kept."""
    m = x.amax(-1, keepdim=True)
    m = m.masked_fill(m.isinf(), 0.0)
    shifted = x - m
    log_z = shifted.exp().sum(-1, keepdim=True).log()
    return log_z - shifted, m + log_z


def _of_labels(
    x: torch.Tensor,
    target: torch.Tensor,
    keep: torch.Tensor | None,
    weight: torch.Tensor | None,
    smoothing: float,
    zeta: float,
) -> torch.Tensor:
    if not x.numel():
        return x.new_zeros(target.shape)
    distance, lse = _distances(x)
    t = target.unsqueeze(-1)
    loss = distance.gather(-1, t)
    if weight is not None:
        loss = loss * weight[t]
    if smoothing:
        uniform = (distance if weight is None else distance * weight).mean(-1, keepdim=True)
        loss = (1 - smoothing) * loss + smoothing * uniform
    if zeta:
        loss = loss + zeta * lse.square()
    loss = loss.squeeze(-1)
    return loss if keep is None else loss.masked_fill(~keep, 0.0)


def gradient_of_labels(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    (dloss,), (x, target, keep, weight, smoothing, zeta) = cotangents, arguments
    none = (None,) * 5
    if not x.numel():
        return torch.zeros_like(x), *none
    distance, lse = _distances(x)
    t = target.unsqueeze(-1)
    own = torch.ones_like(lse) if weight is None else weight[t]
    share = (1 - smoothing) * own
    if smoothing:
        share = share + smoothing * (1.0 if weight is None else weight.mean())
    if zeta:
        share = share + 2 * zeta * lse
    dx = share * (-distance).exp()
    dx = dx.scatter_add(-1, t, (smoothing - 1) * own)
    if smoothing:
        dx = dx - smoothing / x.shape[-1] * (1.0 if weight is None else weight)
    dx = dloss.unsqueeze(-1) * dx
    return dx if keep is None else dx.masked_fill(~keep.unsqueeze(-1), 0.0), *none


def _of_distributions(x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
    distance, _ = _distances(x)
    return (distance * (y if weight is None else y * weight)).sum(-1)


def _gradient_of_distributions(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    x, y, weight = arguments
    dloss = cotangents[0].unsqueeze(-1)
    distance, _ = _distances(x)
    share = y if weight is None else y * weight
    dx = dloss * (share.sum(-1, keepdim=True) * (-distance).exp() - share) if needed[0] else None
    dy = dloss * (distance if weight is None else distance * weight) if needed[1] else None
    return dx, dy, None


_LABELS = differentiable(
    "cross_entropy",
    "(Tensor x, Tensor target, Tensor? keep, Tensor? weight, float smoothing, float zeta) -> Tensor",
    _of_labels,
    lambda x, target, keep, weight, smoothing, zeta: x.new_empty(target.shape),
    gradient_of_labels,
)
_DISTRIBUTIONS = differentiable(
    "soft_cross_entropy",
    "(Tensor x, Tensor y, Tensor? weight) -> Tensor",
    _of_distributions,
    lambda x, y, weight: x.new_empty(x.shape[:-1]),
    _gradient_of_distributions,
)


# Triton kernels ------------------------------------------------------------------------------------------------------


def _triton_forward(*arguments: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    from .triton_loss import cross_entropy_forward

    return cross_entropy_forward(*arguments)


def _triton_backward(*arguments: Any) -> torch.Tensor:
    from .triton_loss import cross_entropy_backward

    return cross_entropy_backward(*arguments)


_TRITON_BACKWARD = operator(
    "triton_cross_entropy_backward",
    "(Tensor dloss, Tensor x, Tensor target, Tensor? keep, Tensor? weight, Tensor shift, Tensor log_z, "
    "float smoothing, float zeta) -> Tensor",
    _triton_backward,
    lambda dloss, x, *rest: new_like(x),
)


def _triton_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    x, target, keep, weight, smoothing, zeta = arguments
    if torch.is_grad_enabled():  # to be differentiated again
        wide, scale = computed_in(x, weight)
        dx, *rest = gradient_of_labels(cotangents[:1], (wide, target, keep, scale, smoothing, zeta), (), needed)
        return None if dx is None else dx.to(x.dtype), *rest
    return _TRITON_BACKWARD(cotangents[0], x, target, keep, weight, *outputs[1:], smoothing, zeta), *(None,) * 5


_TRITON_LABELS = differentiable(
    "triton_cross_entropy",
    "(Tensor x, Tensor target, Tensor? keep, Tensor? weight, float smoothing, float zeta) -> (Tensor, Tensor, Tensor)",
    _triton_forward,
    lambda x, *rest: tuple(x.new_empty(x.shape[:1], dtype=torch.promote_types(x.dtype, torch.float32)) for _ in "123"),
    _triton_gradient,
    keeps_outputs=True,
)

# Functions -----------------------------------------------------------------------------------------------------------

OfLabels = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None, torch.Tensor | None, float, float], torch.Tensor]


def eager_labels(
    x: torch.Tensor,
    target: torch.Tensor,
    keep: torch.Tensor | None,
    weight: torch.Tensor | None,
    smoothing: float,
    zeta: float,
) -> torch.Tensor:
    """The loss of each row, in float32 at least."""
    wide, scale = computed_in(x, weight)
    loss: torch.Tensor = _LABELS(wide, target, keep, scale, smoothing, zeta)
    return loss


def _triton(
    x: torch.Tensor,
    target: torch.Tensor,
    keep: torch.Tensor | None,
    weight: torch.Tensor | None,
    smoothing: float,
    zeta: float,
) -> torch.Tensor:
    rows = None if keep is None else keep.flatten()
    loss: torch.Tensor
    loss, _, _ = _TRITON_LABELS(x.flatten(0, -2), target.flatten(), rows, weight, smoothing, zeta)
    return loss.reshape(target.shape)


def check_labels(function: str, x: torch.Tensor, target: torch.Tensor) -> None:
    if target.dtype != torch.int64 or target.shape != x.shape[:-1]:
        raise ValueError(
            f"{function} got targets of {target.dtype}, {tuple(target.shape)}, for logits of {tuple(x.shape)}: "
            f"they are int64 labels, {tuple(x.shape[:-1])}"
        )


def check_classes(function: str, weight: torch.Tensor | None, classes: int) -> None:
    if weight is not None and tuple(weight.shape) != (classes,):
        raise ValueError(f"{function} got weights of {tuple(weight.shape)} for {classes} classes")


def reduced(
    loss: torch.Tensor, target: torch.Tensor, keep: torch.Tensor | None, weight: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of the losses of the rows, and their mean, weighted as their targets are."""
    counted = torch.ones_like(loss) if weight is None else weight[target]
    if keep is not None:
        counted = counted.masked_fill(~keep, 0.0)
    total = loss.sum(-1)
    return total, total / counted.sum(-1)


def cross_entropy(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int = IGNORED,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """The cross-entropy of logits and targets, as `torch.nn.functional.cross_entropy` of rows.

    Args:
        input: logits (n, V); float16, bfloat16, float32 or float64.
        target: labels (n,), int64, 0 to V − 1 or `ignore_index`; or distributions (n, V) in the dtype of the logits,
            through which a gradient flows too.
        weight: of the classes, (V,), in the same dtype.
        reduction: "mean", weighted as the targets are, of the rows that count; "sum"; or "none".
        ignore_index: the label of rows that do not count.
        label_smoothing: the share of the uniform distribution in every target, for labels alone.

    Returns:
        A scalar, or with "none" (n,), in the dtype of the logits. The mean of no row is NaN.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: shapes do not fit, or `reduction` or `label_smoothing` is not one of those.
    """
    return _cross_entropy(
        "cross_entropy", eager_labels, input, target, weight, reduction, ignore_index, label_smoothing
    )


def triton_cross_entropy(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int = IGNORED,
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """`cross_entropy` of labels by Triton kernels, online over the vocabulary.

    Without a CUDA device the kernels run in Triton's interpreter.

    Raises:
        TypeError, ValueError: as `cross_entropy`.
        NotImplementedError: the targets are distributions; or bfloat16 in Triton's interpreter, which computes it
            wrongly.
        RuntimeError: tensors are on the CPU and Triton was imported without TRITON_INTERPRET=1.
    """
    function = "triton_cross_entropy"
    return _cross_entropy(function, _triton, input, target, weight, reduction, ignore_index, label_smoothing)


def _cross_entropy(
    function: str,
    of_labels: OfLabels,
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
) -> torch.Tensor:
    interpret_without_cuda()
    input, target, weight = raised(input, target, weight, cpu=True)
    check_floating("cross_entropy", input, weight)
    if reduction not in _REDUCTIONS:
        raise ValueError(f"reduction={reduction!r} is not one of {', '.join(_REDUCTIONS)}")
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"label_smoothing={label_smoothing} is not between 0 and 1")
    if input.ndim != 2:
        raise ValueError(f"cross_entropy got logits of shape {tuple(input.shape)}: they are (n, V)")
    check_classes("cross_entropy", weight, input.shape[-1])
    wide = computed_in(weight)[0]
    if target.is_floating_point():
        if of_labels is not eager_labels:
            raise NotImplementedError(f"{function} takes labels, and no distributions; cross_entropy takes both")
        check_floating("cross_entropy", input, target)
        if target.shape != input.shape or label_smoothing:
            raise ValueError(
                f"cross_entropy got distributions of {tuple(target.shape)} for logits of {tuple(input.shape)}, with "
                f"label_smoothing={label_smoothing}: it takes one shape, and no smoothing"
            )
        loss = _DISTRIBUTIONS(*computed_in(input, target), wide)
        total, mean = loss.sum(-1), loss.mean(-1)
    else:
        check_labels("cross_entropy", input, target)
        keep = target != ignore_index
        labels = target.masked_fill(~keep, 0)
        loss = of_labels(input, labels, keep, weight, label_smoothing, 0.0)
        total, mean = reduced(loss, labels, keep, wide)
    found: torch.Tensor = {"mean": mean, "sum": total, "none": loss}[reduction]
    return found.to(input.dtype)


def smoothed_cross_entropy(
    x: torch.Tensor,
    target: torch.Tensor,
    smoothing: float,
    *,
    weight: torch.Tensor | None = None,
    keep: torch.Tensor | None = None,
    zeta: float = 0.0,
) -> Losses:
    """Cross-entropy of labels mixed with the uniform distribution, with the z-loss of Chowdhery et al. 2022, section 5.

    Args:
        x: logits (..., n, V); float16, bfloat16, float32 or float64.
        target: labels (..., n), int64, 0 to V − 1.
        smoothing: the share of the uniform distribution.
        weight: of the classes, (V,), in the same dtype.
        keep: boolean (..., n), False in rows that do not count.
        zeta: the coefficient of lse².

    Returns:
        The loss of each row (..., n), 0 in those that do not count; their sum (...); and their mean (...), weighted as
        the targets are, NaN of no row.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: shapes do not fit.
    """
    interpret_without_cuda()
    x, weight = raised(x, weight, cpu=True)
    check_floating("smoothed_cross_entropy", x, weight)
    return tuple(y.to(x.dtype) for y in losses_of(eager_labels, x, target, smoothing, weight, keep, zeta))  # type: ignore[return-value]  # three


def triton_smoothed_cross_entropy(
    x: torch.Tensor,
    target: torch.Tensor,
    smoothing: float,
    *,
    weight: torch.Tensor | None = None,
    keep: torch.Tensor | None = None,
    zeta: float = 0.0,
) -> Losses:
    """`smoothed_cross_entropy` by the kernels of `triton_cross_entropy`, whose errors it has, too."""
    interpret_without_cuda()
    x, weight = raised(x, weight, cpu=True)
    check_floating("triton_smoothed_cross_entropy", x, weight)
    return tuple(y.to(x.dtype) for y in losses_of(_triton, x, target, smoothing, weight, keep, zeta))  # type: ignore[return-value]  # three


def losses_of(
    of_labels: OfLabels,
    x: torch.Tensor,
    target: torch.Tensor,
    smoothing: float,
    weight: torch.Tensor | None,
    keep: torch.Tensor | None,
    zeta: float,
) -> Losses:
    """The losses, in the dtype that they are computed in."""
    check_labels("the loss", x, target)
    check_classes("the loss", weight, x.shape[-1])
    if keep is not None:
        keep = keep.expand(target.shape)
    loss = of_labels(x, target, keep, weight, smoothing, zeta)
    return loss, *reduced(loss, target, keep, computed_in(weight)[0])
