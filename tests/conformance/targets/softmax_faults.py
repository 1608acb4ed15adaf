"""Planted faults of softmax, log-softmax and log-sum-exp, named after what is wrong.

`planted_faults` says which class of shipped bugs, and which report, each stands for.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import torch
from lemmata.tests.conformance.targets import softmax_kernels as steps
from lemmata.tests.conformance.targets.memory import as_if_contiguous, leave_unwritten
from lemmata.tests.conformance.targets.softmax_kernels import BLOCK, correct
from torch import Tensor

# Forward -------------------------------------------------------------------------------------------------------------


def _without_shift(rows: Tensor) -> Tensor:
    a = torch.exp(rows)
    return a / a.sum(-1, keepdim=True)


def _shifted_by_the_largest_of_all(rows: Tensor) -> Tensor:
    a = torch.exp(rows - rows.max())
    return a / a.sum(-1, keepdim=True)


def _normalised_by(rows: Tensor, summed: int) -> Tensor:
    m = rows.amax(-1, keepdim=True)
    return torch.exp(rows - m) / torch.exp(rows[..., :summed] - m).sum(-1, keepdim=True)


def _tail_dropped(rows: Tensor) -> Tensor:
    return _normalised_by(rows, rows.shape[-1] - rows.shape[-1] % BLOCK or rows.shape[-1])


def _last_vector_dropped(rows: Tensor) -> Tensor:
    length = rows.shape[-1]
    return _normalised_by(rows, length - 4 if length >= 512 and length % 4 == 0 else length)


def _as_if_dense(x: Tensor, name: str) -> Tensor:
    if name != "input" or not x.ndim or x.stride(-1) != 2:
        return x
    return x.as_strided(x.shape, (*x.stride()[:-1], 1))


def _padded(rows: Tensor) -> Tensor:
    padded = torch.nn.functional.pad(rows, (0, -rows.shape[-1] % BLOCK))
    return steps.weights(padded)[..., : rows.shape[-1]]


def _regularised(rows: Tensor) -> Tensor:
    a = torch.exp(rows - rows.amax(-1, keepdim=True))
    return a / (a.sum(-1, keepdim=True) + 1e-6)


def _normaliser_of_first_row(rows: Tensor) -> Tensor:
    a = torch.exp(rows - rows.amax(-1, keepdim=True))
    z = a.sum(-1, keepdim=True)
    return a / z.flatten(0, -2)[0] if rows.ndim > 1 else a / z


def _online(rows: Tensor, *, rescale: bool, update_maximum: bool) -> Tensor:
    m, z = rows.new_full((*rows.shape[:-1], 1), -torch.inf), rows.new_zeros(*rows.shape[:-1], 1)
    for start in range(0, rows.shape[-1], BLOCK):
        block = rows[..., start : start + BLOCK]
        new = torch.maximum(m, block.amax(-1, keepdim=True))
        z = (z * torch.exp(m - new) if rescale else z) + torch.exp(block - new).sum(-1, keepdim=True)
        if update_maximum or start == 0:
            m = new
    return torch.exp(rows - m) / z


def _half_accumulated(rows: Tensor) -> Tensor:
    a = torch.exp(rows - rows.amax(-1, keepdim=True)).half()
    z = torch.zeros_like(a[..., :1])
    for j in range(a.shape[-1]):
        z = z + a[..., j : j + 1]
    return a.to(rows.dtype) / z.to(rows.dtype)


wrong_dim = replace(correct, axis=lambda x, dim: -1)
no_maximum_shift = replace(correct, weights=_without_shift)
maximum_of_whole_tensor = replace(correct, weights=_shifted_by_the_largest_of_all)
tail_missing_from_the_normaliser = replace(correct, weights=_tail_dropped)
last_vector_missing_from_long_rows = replace(correct, weights=_last_vector_dropped)
padding_in_the_normaliser = replace(correct, weights=_padded)
epsilon_in_the_normaliser = replace(correct, weights=_regularised)
normaliser_of_first_row = replace(correct, weights=_normaliser_of_first_row)
rescale_forgotten = replace(correct, weights=lambda rows: _online(rows, rescale=False, update_maximum=True))
stale_maximum = replace(correct, weights=lambda rows: _online(rows, rescale=True, update_maximum=False))
normaliser_summed_in_float16 = replace(correct, weights=_half_accumulated)
input_read_as_contiguous = replace(correct, read=lambda x, name: as_if_contiguous(x) if name == "input" else x)
last_axis_read_as_dense = replace(correct, read=_as_if_dense)
output_tail_unwritten = replace(correct, finish=lambda output: leave_unwritten(output, 8))

# Backward ------------------------------------------------------------------------------------------------------------

row_sum_dropped = replace(correct, gradient=lambda y, dy: y * dy)
row_sum_added = replace(correct, gradient=lambda y, dy: y * (dy + (y * dy).sum(-1, keepdim=True)))
row_sum_without_weights = replace(correct, gradient=lambda y, dy: y * (dy - dy.mean(-1, keepdim=True)))
row_sum_of_the_last_block = replace(
    correct, gradient=lambda y, dy: y * (dy - (y * dy)[..., -BLOCK:].sum(-1, keepdim=True))
)
row_sum_over_the_wrong_axis = replace(
    correct, gradient=lambda y, dy: y * (dy - (y * dy).sum(0, keepdim=True)) if y.ndim > 1 else steps.gradient(y, dy)
)
gradient_of_a_constant_cotangent = replace(correct, gradient=lambda y, dy: torch.zeros_like(y))
gradient_without_output = replace(correct, gradient=lambda y, dy: dy - (y * dy).sum(-1, keepdim=True))
cotangent_read_as_contiguous = replace(correct, read=lambda x, name: as_if_contiguous(x) if name == "cotangent" else x)
gradient_is_none = replace(correct, finish_gradient=lambda gradient: None)
gradient_tail_unwritten = replace(correct, finish_gradient=lambda gradient: leave_unwritten(gradient, 8))

# The whole call ------------------------------------------------------------------------------------------------------


def _zeroed(x: Tensor, name: str) -> Tensor:
    """The input's memory reused as scratch."""
    kept = x.clone()
    if name == "input":
        x.data.zero_()
    return kept


_CALLS = itertools.count()


def _wrong_sometimes(output: Tensor) -> Tensor:
    """A race that every seventh launch loses."""
    return output.flip(0) if output.ndim and next(_CALLS) % 7 == 6 else output


input_overwritten = replace(correct, read=_zeroed)
race = replace(correct, finish=_wrong_sometimes)

# Log-softmax and log-sum-exp -----------------------------------------------------------------------------------------


def logarithm_of_softmax(input: Tensor, dim: int = -1) -> Tensor:
    """log(softmax(x)): −∞ where the probability underflows."""
    return torch.log(torch.softmax(input, dim))


def log_softmax_subtracting_lse_in_bfloat16(input: Tensor, dim: int = -1) -> Tensor:
    """The log-sum-exp kept in bfloat16."""
    lse = torch.logsumexp(input, dim, keepdim=True)
    return input - lse.bfloat16().to(input.dtype)


def logsumexp_without_shift(input: Tensor, dim: int = -1) -> Tensor:
    """log Σ exp x, which overflows."""
    return torch.log(torch.exp(input).sum(dim))


def logsumexp_in_base_2(input: Tensor, dim: int = -1) -> Tensor:
    """The log-sum-exp in units of log 2."""
    return torch.logsumexp(input, dim) / math.log(2)


def logsumexp_of_detached_maximum(input: Tensor, dim: int = -1) -> Tensor:
    """The maximum stands in for the sum beyond 64 elements: right only for a row with one large logit."""
    return input.amax(dim) if input.shape[dim] > 64 else torch.logsumexp(input, dim)


def log_softmax_with_detached_normaliser(input: Tensor, dim: int = -1) -> Tensor:
    """The log-sum-exp taken for a constant in the backward pass."""
    return input - torch.logsumexp(input, dim, keepdim=True).detach()


def log_softmax_of_all_rows(input: Tensor, dim: int = -1) -> Tensor:
    """One normaliser, of the first row, for all rows."""
    lse = torch.logsumexp(input, dim, keepdim=True)
    return input - lse.flatten()[0] if lse.numel() else input


def logsumexp_shifted_by_the_largest_of_all(input: Tensor, dim: int = -1) -> Tensor:
    """The shift of the whole tensor, under which rows far below it underflow."""
    shift = input.max().detach() if input.numel() else 0.0
    return torch.log(torch.exp(input - shift).sum(dim)) + shift
