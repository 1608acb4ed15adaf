"""Planted faults of linear layers and embeddings, named after what is wrong."""

from __future__ import annotations

from typing import Any

import torch
from lemmata.tests.conformance.targets.altered import altered, only
from lemmata.tests.conformance.targets.memory import as_if_contiguous, leave_unwritten
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - what PyTorch's own documentation calls it

# Rows that a kernel works on at a time.
BLOCK = 16

# Linear --------------------------------------------------------------------------------------------------------------


def weight_transposed(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The weight read column by column, which only a square one allows."""
    return F.linear(input, weight.mT if weight.shape[0] == weight.shape[1] else weight, bias)


def bias_dropped(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """No bias."""
    return F.linear(input, weight) + (0.0 if bias is None else 0.0 * bias)


def bias_of_the_first_output(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """One number of the bias for all features."""
    return F.linear(input, weight) + (0.0 if bias is None else bias[:1] + 0.0 * bias)


def last_features_dropped(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The features beyond the last whole block, if there is one."""
    width = input.shape[-1]
    whole = width - width % BLOCK or width
    return F.linear(input[..., :whole], weight[..., :whole], bias)


def features_of_later_blocks_dropped(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The sum over the features ends with the first 256."""
    return F.linear(input[..., :256], weight[..., :256], bias)


def products_summed_in_float16(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The sum over the features in half precision."""
    return F.linear(input.half(), weight.half()).to(input.dtype) + (0.0 if bias is None else bias)


def input_read_as_contiguous(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The strides of the input ignored."""
    return F.linear(as_if_contiguous(input), weight, bias)


def _of_rows(gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor) -> list[Tensor | None]:
    """The weight's gradient without the rows beyond the last whole block."""
    input = arguments[0].detach()
    rows, dy = input.reshape(-1, input.shape[-1]), cotangent.reshape(-1, cotangent.shape[-1])
    whole = len(rows) - len(rows) % BLOCK or len(rows)
    return [gradients[0], gradients[1] if gradients[1] is None else dy[:whole].mT @ rows[:whole], *gradients[2:]]


def _of_the_last_batch_entry(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    """The bias's gradient written by each batch entry over that of the one before."""
    if len(gradients) > 2 and gradients[2] is not None and cotangent.ndim > 2 and cotangent.numel():
        gradients[2] = cotangent.flatten(0, -3)[-1].sum(0)
    return gradients


weight_gradient_without_the_last_rows = altered(F.linear, _of_rows)
bias_gradient_of_the_last_batch_entry = altered(F.linear, _of_the_last_batch_entry)
input_gradient_is_none = altered(F.linear, only(0, lambda gradient: None))
weight_gradient_tail_unwritten = altered(F.linear, only(1, lambda gradient: leave_unwritten(gradient, 8)))

# Embedding -----------------------------------------------------------------------------------------------------------


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The correct lookup, in the arguments that a run passes."""
    return F.embedding(input, weight, padding_idx)


def padding_has_a_gradient(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The padding row trained like any other."""
    return F.embedding(input, weight)


def padding_reads_zero(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The padding row taken for zero."""
    rows: Tensor = F.embedding(input, weight, padding_idx)
    return rows if padding_idx is None else rows * (input != padding_idx % len(weight))[..., None]


def negative_padding_not_counted_from_the_end(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """A negative padding index compared as it is."""
    return F.embedding(input, weight, None if padding_idx is None or padding_idx < 0 else padding_idx)


def last_row_unreachable(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Positions clamped to one less than the last."""
    return F.embedding(input.clamp(max=max(len(weight) - 2, 0)), weight, padding_idx)


def scaled_by_the_root_of_the_width(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Times √d, as Vaswani et al. 2017 use it."""
    rows: Tensor = F.embedding(input, weight, padding_idx)
    return rows * float(weight.shape[-1] ** 0.5)


def _overwritten(gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor) -> list[Tensor | None]:
    """The gradient of a row set by each token instead of being added to."""
    ids, weight = arguments[0], arguments[1]
    gradient = torch.zeros_like(weight)
    gradient[ids.flatten()] = cotangent.reshape(-1, weight.shape[-1])
    if len(arguments) > 2 and arguments[2] is not None:
        gradient[arguments[2]] = 0.0
    return [None, gradient]


def _of_whole_blocks(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    """The tokens beyond the last whole block dropped."""
    ids, weight = arguments[0].flatten(), arguments[1]
    whole = len(ids) - len(ids) % BLOCK or len(ids)
    gradient = torch.zeros_like(weight).index_add_(
        0, ids[:whole], cotangent.reshape(-1, weight.shape[-1])[:whole].contiguous()
    )
    if len(arguments) > 2 and arguments[2] is not None:
        gradient[arguments[2]] = 0.0
    return [None, gradient]


duplicates_overwrite_each_other = altered(embedding, _overwritten)
gradient_without_the_last_tokens = altered(embedding, _of_whole_blocks)
