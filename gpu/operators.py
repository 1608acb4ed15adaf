"""How an operator and its derived gradient become one differentiable `torch.library` operator.

An operator of this package takes tensors in the dtype that it computes in and keeps nothing but its arguments or, where
that is cheaper, its outputs: the gradient computes again what it needs. Gradients are made of differentiable
operations, so that they can be differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch

from .autocast import as_given

FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Outputs = tuple[torch.Tensor, ...]
Gradients = tuple[torch.Tensor | None, ...]


class Operator(Protocol):
    """What `torch.library.custom_op` makes of a function."""

    def __call__(self, *arguments: Any) -> Any: ...

    def register_fake(self, fn: Callable[..., Any], /) -> Any: ...

    def register_autograd(self, backward: Callable[..., Any], /, *, setup_context: Callable[..., None]) -> None: ...


def operator(name: str, schema: str, compute: Callable[..., Any], fake: Callable[..., Any]) -> Operator:
    """The operator `lemmata::name`, without a gradient.

    Args:
        name: of the operator.
        schema: its arguments and results, in PyTorch's notation.
        compute: what it computes; its results are new tensors.
        fake: new tensors of the shapes and dtypes of the results.
    """
    made: Operator = torch.library.custom_op(f"lemmata::{name}", compute, mutates_args=(), schema=schema)
    made.register_fake(fake)
    return made


def differentiable(
    name: str,
    schema: str,
    forward: Callable[..., Any],
    fake: Callable[..., Any],
    gradient: Callable[[Outputs, Sequence[Any], Outputs, Sequence[bool]], Gradients],
    *,
    keeps: Sequence[int] | None = None,
    keeps_outputs: bool = False,
) -> Operator:
    """The operator `lemmata::name` and its gradient.

    Args:
        name, schema, forward, fake: as in `operator`.
        gradient: of the cotangents, the arguments, the outputs (none unless `keeps_outputs`) and which arguments need
            one: the gradient of each argument, or None.
        keeps: which arguments the gradient reads, by position; other tensors are None. All of them if None.
        keeps_outputs: the gradient reads the outputs.
    """

    def compute(*arguments: Any) -> Any:
        with as_given(arguments[0].device):
            return forward(*arguments)

    made = operator(name, schema, compute, fake)

    def keep(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        outputs = output if isinstance(output, tuple) else (output,)
        kept = range(len(inputs)) if keeps is None else keeps
        tensors = tuple(x if i in kept and isinstance(x, torch.Tensor) else None for i, x in enumerate(inputs))
        ctx.save_for_backward(*tensors, *(outputs if keeps_outputs else ()))
        ctx.others = tuple(None if isinstance(x, torch.Tensor) else x for x in inputs)

    def pull_back(ctx: Any, *cotangents: torch.Tensor) -> Gradients:
        saved, count = ctx.saved_tensors, len(ctx.others)
        arguments = [other if x is None else x for x, other in zip(saved[:count], ctx.others, strict=True)]
        with as_given(cotangents[0].device):
            return gradient(cotangents, arguments, saved[count:], ctx.needs_input_grad)

    made.register_autograd(pull_back, setup_context=keep)
    return made


def computed_in(*tensors: torch.Tensor | None) -> list[Any]:
    """The tensors in the dtype that their arithmetic runs in: float32 for the 16-bit ones."""
    return [None if x is None else x.float() if x.dtype in (torch.float16, torch.bfloat16) else x for x in tensors]


def check_floating(function: str, *tensors: torch.Tensor | None) -> None:
    """Refuses what has no arithmetic here.

    Raises:
        TypeError: a dtype is not float16, bfloat16, float32 or float64, or two differ.
    """
    given = [x for x in tensors if x is not None]
    for x in given:
        if x.dtype not in FLOATING:
            raise TypeError(f"{function} supports float16, bfloat16, float32 and float64, not {x.dtype}")
        if x.dtype != given[0].dtype:
            raise TypeError(f"{function} got tensors of {given[0].dtype} and {x.dtype}: it takes one dtype")


def new_like(x: torch.Tensor) -> torch.Tensor:
    """A contiguous tensor of the shape and dtype of another."""
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def last_axes(x: torch.Tensor, kept: int) -> list[int]:
    """The axes before the last `kept` ones, over which the gradient of a parameter is summed."""
    return list(range(x.ndim - kept))
