"""The Triton kernels of Liger Kernel, under Triton's interpreter (`TRITON_INTERPRET=1`) where there is no GPU."""

from __future__ import annotations

from typing import Any

import torch
from lemmata.tests.matrix.adapting import ones, refuse, rms_epsilon
from torch import Tensor


def _refuse_empty(*tensors: Tensor) -> None:
    refuse(not all(x.numel() for x in tensors), "an argument has no elements")


def rms_norm(
    input: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None = None, eps: float | None = None
) -> Any:
    """`LigerRMSNormFunction`, not in place."""
    from liger_kernel.ops import LigerRMSNormFunction

    _refuse_empty(input)
    return LigerRMSNormFunction.apply(input.contiguous(), weight, rms_epsilon(eps, input.dtype), 0.0, "llama", False)


def layer_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """`LigerLayerNormFunction`."""
    from liger_kernel.ops import LigerLayerNormFunction

    _refuse_empty(input)
    scale = ones(input) if weight is None else weight
    shift = torch.zeros_like(scale) if bias is None else bias
    return LigerLayerNormFunction.apply(input.contiguous(), scale, shift, eps)


def softmax(input: Tensor, dim: int = -1) -> Any:
    """`LigerSoftmaxFunction`, along the last axis."""
    from liger_kernel.ops import LigerSoftmaxFunction

    _refuse_empty(input)
    return LigerSoftmaxFunction.apply(input.movedim(dim, -1).contiguous()).movedim(-1, dim)


def swiglu(gate: Tensor, up: Tensor) -> Any:
    """`LigerSiLUMulFunction`."""
    from liger_kernel.ops import LigerSiLUMulFunction

    _refuse_empty(gate)
    return LigerSiLUMulFunction.apply(gate.clone(), up.clone())


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:
    """`LigerCrossEntropyFunction`, on a copy of the logits, as it stores their gradient in them."""
    from liger_kernel.ops import LigerCrossEntropyFunction

    _refuse_empty(input)
    # Its kernel calls `to` on their sum, which is a Python number in the interpreter.
    refuse(weight is not None, "class weights, in the interpreter")
    logits = input.clone(memory_format=torch.contiguous_format)
    return LigerCrossEntropyFunction.apply(
        logits, target.contiguous(), weight, ignore_index, 0.0, label_smoothing, reduction
    )[0]


def linear_cross_entropy(
    h: Tensor,
    w: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    keep: Tensor | None = None,
    zeta: float = 0.0,
) -> Any:
    """`LigerFusedLinearCrossEntropyFunction`, once for each reduction; a row that is left out has the label −100."""
    from liger_kernel.ops import LigerFusedLinearCrossEntropyFunction

    _refuse_empty(h, w)
    refuse(h.ndim > 2, "no batch dimensions")
    refuse(weight is not None, "class weights, in the interpreter")
    labels = target.contiguous() if keep is None else torch.where(keep, target, -100)
    h, w = h.contiguous(), w.contiguous()

    def loss(reduction: str) -> Any:
        return LigerFusedLinearCrossEntropyFunction.apply(h, w, labels, None, None, -100, zeta, 0.0, reduction)[0]

    return loss("none"), loss("sum"), loss("mean")


def rope(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Any:
    """`LigerRopeFunction` of queries alone; the angles in float64, rounded to the dtype."""
    from liger_kernel.ops import LigerRopeFunction

    _refuse_empty(x)
    refuse(interleaved, "pairs are a half apart")
    refuse(x.shape[-1] != 2 * omega.shape[-1], "every feature is in a pair")
    theta = pos.double()[..., None] * omega.double()
    angles = torch.cat((theta, theta), -1)
    angles = angles.reshape(-1, *angles.shape[-2:])
    flat = x.reshape(-1, 1, *x.shape[-2:])
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    return LigerRopeFunction.apply(flat, flat.clone(), cosine, sine)[0].reshape(x.shape)
