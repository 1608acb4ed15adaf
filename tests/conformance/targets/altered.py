"""A correct function with altered gradients: how a fault of a backward pass is planted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

# Gradients by place of the argument, and the arguments themselves, to gradients.
Change = Callable[[list[Tensor | None], tuple[Any, ...], Tensor], list[Tensor | None]]


def altered(function: Callable[..., Tensor], change: Change) -> Callable[..., Tensor]:
    """The function with what `change` makes of its gradients: (gradients, arguments, cotangent) to gradients.

    The gradients are in the order of the tensors among the arguments, positional ones first; that of a tensor that does
    not require grad is None.
    """

    def call(*arguments: Any, **keywords: Any) -> Tensor:
        tensors = [x for x in (*arguments, *keywords.values()) if isinstance(x, Tensor)]
        return _Altered.apply(function, change, arguments, keywords, *tensors)  # type: ignore[no-any-return, no-untyped-call]  # PyTorch gives it no types

    return call


class _Altered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, function: Any, change: Change, arguments: Any, keywords: Any, *tensors: Tensor) -> Tensor:
        ctx.function, ctx.change, ctx.arguments, ctx.keywords = function, change, arguments, keywords
        ctx.save_for_backward(*tensors)
        output: Tensor = function(*_plain(arguments), **{name: _detached(x) for name, x in keywords.items()})
        return output.clone()

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        with torch.enable_grad():
            copies: dict[int, Tensor] = {}

            def copied(x: Any) -> Any:
                if not isinstance(x, Tensor):
                    return x
                copies[len(copies)] = x.detach().requires_grad_(x.is_floating_point() and x.requires_grad)
                return copies[len(copies) - 1]

            arguments = tuple(copied(x) for x in ctx.arguments)
            keywords: Mapping[str, Any] = {name: copied(x) for name, x in ctx.keywords.items()}
            output = ctx.function(*arguments, **keywords)
            wanted = [x for x in copies.values() if x.requires_grad]
            found = iter(torch.autograd.grad(output, wanted, cotangents[0], allow_unused=True))
        gradients = [next(found) if x.requires_grad else None for x in copies.values()]
        with torch.no_grad():
            changed = ctx.change(gradients, (*ctx.arguments, *ctx.keywords.values()), cotangents[0])
        return None, None, None, None, *changed


def _plain(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_detached(x) for x in arguments)


def _detached(x: Any) -> Any:
    return x.detach() if isinstance(x, Tensor) else x


def only(place: int, change: Callable[[Tensor], Tensor | None]) -> Change:
    """The change of one gradient, the others as they are."""

    def changed(gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor) -> list[Tensor | None]:
        gradient = gradients[place] if place < len(gradients) else None
        if gradient is not None:
            gradients[place] = change(gradient)
        return gradients

    return changed
