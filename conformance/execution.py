"""Execution: one call of the target, forward and backward, with what came back or what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from .problems import DTYPES, Problem, tensor
from .targets import Target

# Freed blocks of NaN per output: an allocator tends to hand back what was freed last.
_POISONED_BLOCKS = 2


@dataclass(frozen=True)
class Run:
    """What one call gave.

    `failure` says what was wrong with the output, `gradient_failure` what was wrong with a gradient; where either is
    set, the tensors it concerns may be missing. `refusal` says instead that the target does not take such a call.
    """

    inputs: Mapping[str, torch.Tensor]
    cotangent: torch.Tensor
    versions: Mapping[str, int]
    """Version counters of inputs and cotangent before the call."""
    output: torch.Tensor | None = None
    gradients: Mapping[str, torch.Tensor] = field(default_factory=dict)
    failure: str | None = None
    gradient_failure: str | None = None
    refusal: str | None = None
    """The NotImplementedError that the call or its backward pass raised: nothing was computed, and nothing is wrong."""
    error: Exception | None = None
    """What the target raised."""

    @property
    def complete(self) -> bool:
        """Whether the output, and each gradient that was asked for, is there and well-formed."""
        return self.failure is None and self.gradient_failure is None and self.refusal is None

    @property
    def results(self) -> dict[str, torch.Tensor]:
        """Output and gradients by name."""
        output = {} if self.output is None else {"output": self.output}
        return output | {f"gradient of {name}": gradient for name, gradient in self.gradients.items()}


def execute(target: Target, problem: Problem, dtype: str, device: str) -> Run:
    """Calls the target with fresh tensors and, where an input requires grad, runs its backward pass.

    An exception that the target raises is a failure of the run, never of the caller; NotImplementedError is how a
    target refuses a call that it does not support.
    """
    element = DTYPES[dtype]
    inputs = {name: tensor(x, problem.layouts[name], element, device) for name, x in problem.arrays.items()}
    for name in problem.requires_grad:
        inputs[name].requires_grad_()
    cotangent = tensor(problem.cotangent, problem.cotangent_layout, element, device)
    versions = {name: x._version for name, x in inputs.items()} | {"cotangent": cotangent._version}
    _poison_free_memory([cotangent, *(inputs[name] for name in problem.requires_grad)])

    names = list(inputs)
    keywords = {name: inputs[name] for name in names[problem.positional :]} | dict(problem.options)

    def run(**results: Any) -> Run:
        return Run(inputs, cotangent, versions, **results)

    try:
        output = target(*(inputs[name] for name in names[: problem.positional]), **keywords)
    except NotImplementedError as error:
        return run(refusal=_shown(error), error=error)
    except Exception as error:
        return run(failure=f"raised {_shown(error)}", error=error)
    if malformed := _malformed(output, cotangent):
        return run(failure=f"returned {malformed}")
    if not problem.requires_grad:
        return run(output=output)
    # Without an element in the output or in an argument nothing depends on anything: autograd may leave gradients out.
    empty = not all(x.numel() for x in (output, *inputs.values()))
    if not output.requires_grad:
        if empty:
            return run(
                output=output, gradients={name: torch.zeros_like(inputs[name]) for name in problem.requires_grad}
            )
        return run(output=output, gradient_failure=f"no gradient, although {_listed(problem)} requires grad")
    try:
        found = torch.autograd.grad(
            output, [inputs[name] for name in problem.requires_grad], cotangent, allow_unused=True
        )
    except NotImplementedError as error:
        return run(output=output, refusal=f"in the backward pass, {_shown(error)}", error=error)
    except Exception as error:
        return run(output=output, gradient_failure=f"the backward pass raised {_shown(error)}")
    gradients: dict[str, torch.Tensor] = {}
    for name, gradient in zip(problem.requires_grad, found, strict=True):
        if gradient is None and empty:
            gradient = torch.zeros_like(inputs[name])
        malformed = "None" if gradient is None else _malformed(gradient, inputs[name])
        if malformed:
            return run(output=output, gradient_failure=f"the gradient of {name} is {malformed}")
        gradients[name] = gradient
    return run(output=output, gradients=gradients)


@contextmanager
def uninitialised_memory_is_nan() -> Iterator[None]:
    """PyTorch fills what `torch.empty` and its relatives return with NaN."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    # The fill is part of the deterministic mode; operations without a deterministic form go on as they are.
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)


def _malformed(x: object, like: torch.Tensor) -> str | None:
    """What is wrong with the kind, shape, dtype or device of a result that should be like `like`."""
    if not isinstance(x, torch.Tensor):
        return f"a {type(x).__name__} instead of a tensor"
    for what in ("shape", "dtype", "device"):
        got, wanted = getattr(x, what), getattr(like, what)
        if got != wanted:
            shown = (tuple(got), tuple(wanted)) if what == "shape" else (got, wanted)
            return f"a tensor of {what} {shown[0]} instead of {shown[1]}"
    return None


def _poison_free_memory(like: list[torch.Tensor]) -> None:
    blocks = [
        torch.full(x.shape, float("nan"), dtype=x.dtype, device=x.device)
        for x in like
        if x.is_floating_point()
        for _ in range(_POISONED_BLOCKS)
    ]
    del blocks


def _listed(problem: Problem) -> str:
    return ", ".join(problem.requires_grad)


def _shown(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
