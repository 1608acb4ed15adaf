"""Targets of derived operations that break one thing each, where no planted fault does so on its own."""

from __future__ import annotations

from typing import Any

import torch
from lemmata.tests.conformance.targets import catalogue_kernels as correct
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - what PyTorch's own documentation calls it

# Results that are not what the outputs are ----------------------------------------------------------------------------


def one_output_of_two(*arguments: Any, **options: Any) -> object:
    """The output alone, without the log-sum-exp."""
    return correct.softcapped_attention(*arguments, **options)[0]


def three_outputs(*arguments: Any, **options: Any) -> object:
    """One output too many."""
    o, lse = correct.softcapped_attention(*arguments, **options)
    return o, lse, lse


def lse_with_an_axis_too_many(*arguments: Any, **options: Any) -> object:
    """The second output of another shape."""
    o, lse = correct.softcapped_attention(*arguments, **options)
    return o, lse[..., None]


def outputs_as_a_list(*arguments: Any, **options: Any) -> object:
    """A list, which is as good as a tuple."""
    return list(correct.softcapped_attention(*arguments, **options))


# Gradients of several outputs -----------------------------------------------------------------------------------------


def lse_detached(*arguments: Any, **options: Any) -> object:
    """The gradient through the log-sum-exp ignored."""
    o, lse = correct.softcapped_attention(*arguments, **options)
    return o, lse.detach()


class _Both(torch.autograd.Function):
    """Outputs that each require grad whenever an input does, whatever they depend on."""

    @staticmethod
    def forward(ctx: Any, options: Any, cap: float, q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None) -> Any:
        ctx.options, ctx.cap, ctx.inputs = options, cap, (q, k, v, bias)
        return tuple(x.clone() for x in correct.softcapped_attention(q, k, v, cap, bias=bias, **options))

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        with torch.enable_grad():
            copies = [None if x is None else x.detach().requires_grad_() for x in ctx.inputs]
            q, k, v, bias = copies
            outputs = correct.softcapped_attention(q, k, v, ctx.cap, bias=bias, **ctx.options)  # type: ignore[arg-type]  # the required inputs are there
            wanted = [x for x in copies if x is not None]
            found = iter(torch.autograd.grad(outputs, wanted, cotangents, allow_unused=True))
        return None, None, *(None if x is None else next(found) for x in copies)


def outputs_of_one_function(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cap: float,
    *,
    keep: Tensor | None = None,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> object:
    """Correct: one function of autograd, whose gradient of the values is zero where the output has no cotangent."""
    options = {name: x for name, x in (("keep", keep), ("scale", scale)) if x is not None}
    return _Both.apply(options, cap, q, k, v, bias)  # type: ignore[no-untyped-call]  # PyTorch gives it no types


# Laws -----------------------------------------------------------------------------------------------------------------


def batch_entry_reads_another(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Each batch entry sees a little of the first one."""
    return F.linear(input, weight, bias) + (1e-3 * input[:1].sum() if input.ndim > 2 else 0.0)


def up_is_squashed(gate: Tensor, up: Tensor) -> Tensor:
    """Not linear in the features that are gated."""
    return F.silu(gate) * up / (1.0 + 0.01 * up.abs())


def positions_overwritten(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The token numbers used as scratch."""
    found = F.embedding(input, weight, padding_idx)
    input.fill_(0)
    return found


def raises_on_numbers(p: Tensor, g: Tensor, lr: float, **options: Any) -> object:
    """Wants its numbers as tensors."""
    raise TypeError(f"lr must be a tensor, not {type(lr).__name__}")


def input_is_squashed(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The features of a linear layer through tanh."""
    return F.linear(torch.tanh(input), weight, bias)


def table_is_squashed(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """The rows of the table through tanh."""
    return torch.tanh(F.embedding(input, weight, padding_idx))


def targets_are_sharpened(input: Tensor, target: Tensor, **options: Any) -> Tensor:
    """The squares of the soft targets."""
    return F.cross_entropy(input, target**2, **options)
