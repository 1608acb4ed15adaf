"""What adapters share: modules called with given weights, refused calls, tensors of other libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor


def without_gradient(*tensors: Tensor | None) -> tuple[Any, ...]:
    """The tensors, cut off from autograd: for what a library offers without a gradient."""
    return tuple(None if x is None else x.detach() for x in tensors)


def refuse(condition: bool, reason: str) -> None:
    """Refuses a call that a library does not offer.

    Raises:
        NotImplementedError: the condition holds; the message is the reason.
    """
    if condition:
        raise NotImplementedError(reason)


def refuse_rows_without_keys(attn_mask: Tensor | None, key: Tensor) -> None:
    """Refuses a call in which a query has no key to attend to.

    Raises:
        NotImplementedError: there is such a row.
    """
    refuse(not key.shape[-2], "no keys")
    if attn_mask is not None:
        keep = attn_mask if attn_mask.dtype == torch.bool else attn_mask > -torch.inf
        refuse(not bool(keep.any(-1).all()), "a row without keys")


def rms_epsilon(eps: float | None, dtype: torch.dtype) -> float:
    """The epsilon of `torch.nn.functional.rms_norm`, where none is given."""
    return torch.finfo(torch.promote_types(dtype, torch.float32)).eps if eps is None else eps


def with_weights(module: torch.nn.Module, weights: Mapping[str, Tensor | None], *arguments: Any, **options: Any) -> Any:
    """The module called with these tensors, those that are None left as they are, in place of its own parameters."""
    given = {name: x for name, x in weights.items() if x is not None}
    return torch.func.functional_call(module, given, arguments, options)


def ones(like: Tensor) -> Tensor:
    """The scale that changes nothing, for the last axis of a tensor."""
    return like.new_ones(like.shape[-1])


def to_numpy(x: Tensor) -> Any:
    """A copy as a NumPy array; bfloat16 is that of ml_dtypes."""
    x = x.detach().contiguous()
    if x.dtype == torch.bfloat16:
        import ml_dtypes

        return x.view(torch.int16).numpy().copy().view(ml_dtypes.bfloat16)
    return x.numpy().copy()


def to_torch(x: Any) -> Tensor:
    """A copy of a NumPy array as a tensor."""
    import numpy as np

    x = np.array(x, order="C")
    if x.dtype.name == "bfloat16":
        return torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(x)


class Bridge(torch.autograd.Function):
    """A function of another library, whose arguments and results are NumPy arrays, as one of tensors.

    Arguments:
        forward: of the arrays, the results as a tuple.
        backward: of the arrays and of the cotangents of the results, the gradients of the arrays.
        tensors: the arguments.
    """

    @staticmethod
    def forward(
        ctx: Any,
        forward: Callable[..., tuple[Any, ...]],
        backward: Callable[..., tuple[Any, ...]],
        *tensors: Tensor,
    ) -> Any:
        """The results; one alone is a tensor."""
        ctx.arrays, ctx.pull_back = tuple(map(to_numpy, tensors)), backward
        results = tuple(to_torch(x) for x in forward(*ctx.arrays))
        return results if len(results) > 1 else results[0]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *cotangents: Tensor) -> Any:
        """The gradients, none for the two functions."""
        found = ctx.pull_back(ctx.arrays, tuple(map(to_numpy, cotangents)))
        return (None, None, *map(to_torch, found))
