"""Cross-entropy of the logits h wᵀ, whole, and a chunk of tokens at a time without ever holding all logits.

With dx the gradient of the logits as for the loss of labels, dh = dx w and dw = dxᵀ h. In chunks, the logits of a chunk
are computed again in the backward pass: memory grows with the chunk and not with the number of tokens (Wijmans et al.
2024, "Cut Your Losses in Large-Vocabulary Language Models", whose kernels go further and hold no chunk either).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from .autocast import lowered, raised
from .interpreter import interpret_without_cuda
from .linear import tied_output
from .loss import Losses, check_classes, check_labels, eager_labels, gradient_of_labels, losses_of, reduced
from .operators import Gradients, Outputs, check_floating, computed_in, differentiable, operator


def _chunks(rows: int, classes: int) -> Iterator[slice]:
    """Tokens whose logits are held at once: 64 MiB of float32; few where kernels are interpreted, so that small cases
    already take several chunks."""
    from .triton_runtime import INTERPRETED

    size = 8 if INTERPRETED else max(1, (1 << 24) // classes)
    return (slice(start, start + size) for start in range(0, rows, size))


def _forward(
    h: torch.Tensor,
    w: torch.Tensor,
    target: torch.Tensor,
    keep: torch.Tensor | None,
    weight: torch.Tensor | None,
    zeta: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    from .triton_loss import cross_entropy_forward

    found = [h.new_zeros(h.shape[0]) for _ in range(3)]
    for part in _chunks(h.shape[0], w.shape[0]):
        counted = None if keep is None else keep[part]
        each = cross_entropy_forward(h[part] @ w.mT, target[part], counted, weight, 0.0, zeta)
        for whole, values in zip(found, each, strict=True):
            whole[part] = values
    loss, shift, log_z = found
    return loss, shift, log_z


def _backward(
    dloss: torch.Tensor,
    h: torch.Tensor,
    w: torch.Tensor,
    target: torch.Tensor,
    keep: torch.Tensor | None,
    weight: torch.Tensor | None,
    shift: torch.Tensor,
    log_z: torch.Tensor,
    zeta: float,
    needs_dh: bool,
    needs_dw: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    from .triton_loss import cross_entropy_backward

    dh = torch.zeros_like(h, memory_format=torch.contiguous_format) if needs_dh else h.new_empty(0)
    dw = torch.zeros_like(w, memory_format=torch.contiguous_format) if needs_dw else w.new_empty(0)
    for part in _chunks(h.shape[0], w.shape[0]):
        counted = None if keep is None else keep[part]
        kept = shift[part], log_z[part]
        dx = cross_entropy_backward(dloss[part], h[part] @ w.mT, target[part], counted, weight, *kept, 0.0, zeta)
        if needs_dh:
            dh[part] = dx @ w
        if needs_dw:
            dw.addmm_(dx.mT, h[part])
    return dh, dw


_BACKWARD = operator(
    "triton_linear_cross_entropy_backward",
    "(Tensor dloss, Tensor h, Tensor w, Tensor target, Tensor? keep, Tensor? weight, Tensor shift, Tensor log_z, "
    "float zeta, bool needs_dh, bool needs_dw) -> (Tensor, Tensor)",
    _backward,
    lambda dloss, h, w, target, keep, weight, shift, log_z, zeta, needs_dh, needs_dw: (
        h.new_empty(h.shape if needs_dh else (0,)),
        w.new_empty(w.shape if needs_dw else (0,)),
    ),
)


def _gradient(cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]) -> Gradients:
    h, w, target, keep, weight, zeta = arguments
    if torch.is_grad_enabled():  # to be differentiated again
        dx = gradient_of_labels(cotangents[:1], (h @ w.mT, target, keep, weight, 0.0, zeta), (), needed)[0]
        dh, dw = (None, None) if dx is None else (dx @ w, dx.mT @ h)
    else:
        dh, dw = _BACKWARD(cotangents[0], h, w, target, keep, weight, *outputs[1:], zeta, *needed[:2])
    return dh if needed[0] else None, dw if needed[1] else None, *(None,) * 4


_FUSED = differentiable(
    "triton_linear_cross_entropy",
    "(Tensor h, Tensor w, Tensor target, Tensor? keep, Tensor? weight, float zeta) -> (Tensor, Tensor, Tensor)",
    _forward,
    lambda h, *rest: tuple(h.new_empty(h.shape[:1]) for _ in "123"),
    _gradient,
    keeps_outputs=True,
)


def linear_cross_entropy(
    h: torch.Tensor,
    w: torch.Tensor,
    target: torch.Tensor,
    *,
    weight: torch.Tensor | None = None,
    keep: torch.Tensor | None = None,
    zeta: float = 0.0,
) -> Losses:
    """Cross-entropy of the logits h wᵀ.

    Args:
        h: hidden states (..., n, d).
        w: output table (V, d), in the same dtype.

    The other arguments, results and errors are those of `smoothed_cross_entropy`.
    """
    check_floating("linear_cross_entropy", h, w)
    wanted = raised(h, cpu=True)[0].dtype
    logits, weight = raised(tied_output(*computed_in(h, w)), weight, cpu=True)
    return tuple(y.to(wanted) for y in losses_of(eager_labels, logits, target, 0.0, weight, keep, zeta))  # type: ignore[return-value]  # three


def triton_linear_cross_entropy(
    h: torch.Tensor,
    w: torch.Tensor,
    target: torch.Tensor,
    *,
    weight: torch.Tensor | None = None,
    keep: torch.Tensor | None = None,
    zeta: float = 0.0,
) -> Losses:
    """`linear_cross_entropy` a chunk of tokens at a time, each by the kernels of `triton_cross_entropy`.

    Logits are float32 (float64 for float64) and never rounded; all of them are never held. Without a CUDA device
    the kernels run in Triton's interpreter.

    Raises:
        TypeError, ValueError: as `linear_cross_entropy`.
        RuntimeError: tensors are on the CPU and Triton was imported without TRITON_INTERPRET=1.
    """
    interpret_without_cuda()
    function = "triton_linear_cross_entropy"
    check_floating(function, h, w, weight)
    wanted = raised(h, cpu=True)[0].dtype
    if w.ndim != 2 or h.ndim < 2 or h.shape[-1] != w.shape[1]:
        raise ValueError(
            f"{function} got h of {tuple(h.shape)} and w of {tuple(w.shape)}: they are (..., n, d) and (V, d)"
        )
    check_labels(function, h, target)
    check_classes(function, weight, w.shape[0])
    if keep is not None:
        keep = keep.expand(target.shape)
    hidden, table = computed_in(*lowered(h, w))
    scale = None if weight is None else weight.to(hidden.dtype)
    rows = None if keep is None else keep.flatten()
    loss, _, _ = _FUSED(hidden.flatten(0, -2), table, target.flatten(), rows, scale, zeta)
    each = loss.reshape(target.shape)
    return tuple(y.to(wanted) for y in (each, *reduced(each, target, keep, scale)))  # type: ignore[return-value]  # three
