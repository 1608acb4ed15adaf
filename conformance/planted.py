"""Planted targets: a mutant as an implementation that a run can be held against, with a backward pass of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from .contracts import Operation
from .mutants import Mutant
from .problems import Problem, Values, array
from .sources import Source


class BrokenMutant(BaseException):
    """A planted target raised what no mutant should; not an Exception, which would pass for a fault that is caught."""


@dataclass(frozen=True)
class Planted:
    """A mutant as a target for the calls of one problem: those with arguments of the same shapes."""

    operation: Operation
    mutant: Mutant
    source: Source
    problem: Problem

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The outputs of the mutant, a tensor or a tuple, which autograd can differentiate.

        Raises:
            NotImplementedError: the arguments have other shapes than those of the problem, or the mutant has no value
                for them.
        """
        positional, defaults = self.operation.signature
        given = dict(zip(positional, arguments, strict=False)) | keywords
        tensors = {name: x for name, x in given.items() if isinstance(x, torch.Tensor)}
        others = {name: x for name, x in given.items() if name not in tensors}
        # An option at its default is left out of a problem, unless its calls always pass it.
        fresh = {name for name, x in others.items() if name not in defaults or x != defaults[name]}
        options = {name: x for name, x in others.items() if name in fresh or name in self.problem.options}
        arrays = {name: _as_given(x, self.problem, name) for name, x in tensors.items()}
        call = _Call(self, replace(self.problem, arrays=arrays, options=options), tuple(tensors))
        outputs = _Function.apply(call, *tensors.values())  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        return outputs if len(outputs) > 1 else outputs[0]


def _as_given(x: torch.Tensor, problem: Problem, name: str) -> Any:
    like = problem.arrays.get(name)
    if like is None or like.shape != tuple(x.shape):
        raise NotImplementedError(f"{name} has not the shape that it has in the problem")
    return array(x) if x.is_floating_point() else x.detach().cpu().numpy()


@dataclass(frozen=True)
class _Call:
    """One call of a planted target: its problem, and the names of its tensors in order."""

    target: Planted
    problem: Problem
    names: tuple[str, ...]

    def values(self, problem: Problem) -> Values:
        try:
            found = self.target.mutant.values(self.target.source, problem)
        except Exception as error:
            raise BrokenMutant(f"{self.target.mutant}: {type(error).__name__}: {error}") from error
        if found is None:
            raise NotImplementedError("the faulty program has no value here")
        return found


class _Function(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: torch.Tensor) -> Any:
        ctx.call = call
        like = next(x for x in tensors if x.is_floating_point())
        ctx.dtype, ctx.device = like.dtype, like.device
        outputs = call.values(call.problem.without_gradient()).outputs
        return tuple(_tensor(x, like.dtype, like.device) for x in outputs.values())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *cotangents: torch.Tensor) -> Any:
        call: _Call = ctx.call
        wanted = tuple(name for name, needed in zip(call.names, _needed(ctx), strict=True) if needed)
        given = {name: array(x) for name, x in zip(call.problem.cotangents, cotangents, strict=True)}
        gradients = call.values(replace(call.problem, requires_grad=wanted, cotangents=given)).gradients
        return None, *(_tensor(gradients[n], ctx.dtype, ctx.device) if n in gradients else None for n in call.names)


def _needed(ctx: Any) -> Sequence[bool]:
    return tuple(ctx.needs_input_grad[1:])


def _tensor(x: Any, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.tensor(x, dtype=dtype, device=device)
