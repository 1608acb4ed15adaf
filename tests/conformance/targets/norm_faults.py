"""Planted faults of layer norm and RMS norm, named after what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from lemmata.tests.conformance.targets.altered import Change, altered, only
from lemmata.tests.conformance.targets.memory import as_if_contiguous, leave_unwritten
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - what PyTorch's own documentation calls it

# Features, and rows, that a kernel works on at a time.
BLOCK = 16
# What kernels take of a wide row at a time.
WIDE_BLOCK = 256

Moments = Callable[[Tensor, float], tuple[Tensor, Tensor]]


def _widened(x: Tensor) -> Tensor:
    return x if x.dtype == torch.float64 else x.float()


def _scaled(xhat: Tensor, weight: Tensor | None, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    y = xhat if weight is None else xhat * weight
    return (y if bias is None else y + bias).to(dtype)


# Layer norm ----------------------------------------------------------------------------------------------------------


def _layer_norm(moments: Moments) -> Callable[..., Tensor]:
    """Layer norm with the mean and the reciprocal deviation of a fault."""

    def layer_norm(
        input: Tensor,
        normalized_shape: Sequence[int],
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        eps: float = 1e-5,
    ) -> Tensor:
        x = _widened(input)
        mean, rstd = moments(x, eps)
        return _scaled((x - mean) * rstd, weight, bias, input.dtype)

    return layer_norm


def _mean(x: Tensor) -> Tensor:
    return x.mean(-1, keepdim=True)


def _two_pass(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    mean = _mean(x)
    return mean, torch.rsqrt(((x - mean) ** 2).mean(-1, keepdim=True) + eps)


def _without_eps(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    return _two_pass(x, 1e-30)


def _unbiased(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    mean, count = _mean(x), max(x.shape[-1] - 1, 1)
    return mean, torch.rsqrt(((x - mean) ** 2).sum(-1, keepdim=True) / count + eps)


def _outside_the_root(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    mean = _mean(x)
    return mean, 1 / (torch.sqrt(((x - mean) ** 2).mean(-1, keepdim=True) + 1e-30) + eps)


def _one_pass(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    mean = _mean(x)
    return mean, torch.rsqrt((_mean(x**2) - mean**2).clamp(min=0) + eps)


def _eps_divided(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    mean, width = _mean(x), x.shape[-1]
    return mean, torch.rsqrt(((x - mean) ** 2).sum(-1, keepdim=True) / (width + eps) + 1e-30)


def _padded(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    width = x.shape[-1] + -x.shape[-1] % BLOCK
    mean = x.sum(-1, keepdim=True) / width
    return mean, torch.rsqrt(((x - mean) ** 2).sum(-1, keepdim=True) / width + eps)


def _not_merged(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    squares = [((part - _mean(part)) ** 2).sum(-1, keepdim=True) for part in torch.split(x, WIDE_BLOCK, -1)]
    return _mean(x), torch.rsqrt(torch.stack(squares).sum(0) / x.shape[-1] + eps)


def _of_the_first_row(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    mean, rstd = _two_pass(x, eps)
    return (mean, rstd.flatten(0, -2)[0]) if x.ndim > 1 and x.numel() else (mean, rstd)


correct = _layer_norm(_two_pass)
eps_dropped = _layer_norm(_without_eps)
variance_of_a_sample = _layer_norm(_unbiased)
eps_outside_the_root = _layer_norm(_outside_the_root)
variance_in_one_pass = _layer_norm(_one_pass)
eps_added_to_the_count = _layer_norm(_eps_divided)
padding_in_the_mean = _layer_norm(_padded)
deviations_of_blocks_not_merged = _layer_norm(_not_merged)
deviation_of_the_first_row = _layer_norm(_of_the_first_row)


def layer_norm_with_the_weight_from_1(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """The weight taken for what is added to 1."""
    return F.layer_norm(input, normalized_shape, None if weight is None else 1 + weight, bias, eps)


def _without(term: str) -> Change:
    """The gradient of the input without one of its terms."""

    def changed(gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor) -> list[Tensor | None]:
        input, weight = arguments[0], arguments[2] if len(arguments) > 2 else None
        if gradients[0] is None:
            return gradients
        x = _widened(input.detach())
        g = cotangent if not isinstance(weight, Tensor) else cotangent * weight
        mean, rstd = _two_pass(x, 1e-5)
        xhat = (x - mean) * rstd
        gradients[0] = rstd * (g - (_mean(g) if term != "mean" else 0.0) - (xhat * _mean(g * xhat) if term else 0.0))
        return gradients

    return changed


def _rows_of_whole_blocks(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    """The last gradient of a parameter summed over whole blocks of rows: a bias has the cotangent's sum."""
    rows = cotangent.reshape(-1, cotangent.shape[-1])
    whole = len(rows) - len(rows) % BLOCK or len(rows)
    if len(gradients) > 2 and gradients[2] is not None:
        gradients[2] = rows[:whole].sum(0)
    return gradients


layer_norm_gradient_without_the_mean = altered(F.layer_norm, _without("mean"))
bias_gradient_without_the_last_rows = altered(F.layer_norm, _rows_of_whole_blocks)
weight_gradient_is_none = altered(F.layer_norm, only(1, lambda gradient: None))

# RMS norm ------------------------------------------------------------------------------------------------------------


def _rms_norm(scale: Callable[[Tensor, float], Tensor]) -> Callable[..., Tensor]:
    """RMS norm with the factor of a fault."""

    def rms_norm(
        input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
    ) -> Tensor:
        x = _widened(input)
        return _scaled(scale(x, torch.finfo(x.dtype).eps if eps is None else eps), weight, None, input.dtype)

    return rms_norm


def _square(x: Tensor) -> Tensor:
    return _mean(x**2)


rms_correct = _rms_norm(lambda x, eps: x * torch.rsqrt(_square(x) + eps))
rms_of_what_differs_from_the_mean = _rms_norm(lambda x, eps: (x - _mean(x)) * torch.rsqrt(_square(x - _mean(x)) + eps))
rms_multiplied = _rms_norm(lambda x, eps: x * torch.sqrt(_square(x) + eps))
rms_eps_outside_the_root = _rms_norm(lambda x, eps: x / (torch.sqrt(_square(x) + 1e-30) + eps))
rms_eps_of_layer_norm = _rms_norm(lambda x, eps: x * torch.rsqrt(_square(x) + 1e-5))
rms_of_the_sum = _rms_norm(lambda x, eps: x * torch.rsqrt((x**2).sum(-1, keepdim=True) + eps))
rms_of_the_first_block = _rms_norm(
    lambda x, eps: x * torch.rsqrt((x[..., :WIDE_BLOCK] ** 2).sum(-1, keepdim=True) / x.shape[-1] + eps)
)
rms_treated_as_a_constant = _rms_norm(lambda x, eps: x * torch.rsqrt(_square(x) + eps).detach())


def rms_norm_with_the_weight_from_1(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """The weight taken for what is added to 1."""
    return F.rms_norm(input, normalized_shape, None if weight is None else 1 + weight, eps)


def _cotangent_as_contiguous(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    if len(gradients) > 1 and gradients[1] is not None:
        x = arguments[0].detach()
        xhat = F.rms_norm(x, x.shape[-1:], None, arguments[3] if len(arguments) > 3 else None)
        gradients[1] = (as_if_contiguous(cotangent) * xhat).flatten(0, -2).sum(0) if x.ndim > 1 else gradients[1]
    return gradients


rms_weight_gradient_is_none = altered(F.rms_norm, only(1, lambda gradient: None))
rms_cotangent_read_as_contiguous = altered(F.rms_norm, _cotangent_as_contiguous)
rms_gradient_tail_unwritten = altered(F.rms_norm, only(0, lambda gradient: leave_unwritten(gradient, 8)))
