"""Execution: one call of the target, forward and backward, with what came back or what went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from .problems import DTYPES, OUTPUT, Problem, shown, tensor
from .targets import Target

# Freed blocks of NaN per output: an allocator tends to hand back what was freed last.
_POISONED_BLOCKS = 2


@dataclass(frozen=True)
class Run:
    """What one call gave.

    `failure` says what was wrong with an output, `gradient_failure` what was wrong with a gradient; where either is
    set, the tensors it concerns may be missing. `refusal` says instead that the target does not take such a call.
    """

    inputs: Mapping[str, torch.Tensor]
    cotangents: Mapping[str, torch.Tensor]
    versions: Mapping[str, int]
    """Version counters of inputs and cotangents before the call."""
    outputs: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """All of them or, where the call failed or was refused, none."""
    gradients: Mapping[str, torch.Tensor] = field(default_factory=dict)
    failure: str | None = None
    gradient_failure: str | None = None
    refusal: str | None = None
    """The NotImplementedError that the call or its backward pass raised: nothing was computed, and nothing is wrong."""
    error: Exception | None = None
    """What the target raised."""

    @property
    def complete(self) -> bool:
        """Whether each output, and each gradient that was asked for, is there and well-formed."""
        return self.failure is None and self.gradient_failure is None and self.refusal is None

    @property
    def results(self) -> dict[str, torch.Tensor]:
        """Outputs and gradients by name."""
        outputs = {shown(name): output for name, output in self.outputs.items()}
        return outputs | {f"gradient of {name}": gradient for name, gradient in self.gradients.items()}

    @property
    def given(self) -> dict[str, torch.Tensor]:
        """Everything that the target was handed, and must not write to."""
        return dict(self.inputs) | {cotangent_name(name): x for name, x in self.cotangents.items()}


def cotangent_name(output: str) -> str:
    """What the cotangent of an output is called."""
    return "cotangent" if output == OUTPUT else f"cotangent of {output}"


def execute(target: Target, problem: Problem, dtype: str, device: str) -> Run:
    """Calls the target with fresh tensors and, where an input requires grad, runs its backward pass.

    An exception that the target raises is a failure of the run, never of the caller; NotImplementedError is how a
    target refuses a call that it does not support.
    """
    element = DTYPES[dtype]
    inputs = {name: tensor(x, problem.layouts[name], element, device) for name, x in problem.arrays.items()}
    for name in problem.requires_grad:
        inputs[name].requires_grad_()
    cotangents = {
        name: tensor(x, problem.cotangent_layouts[name], element, device) for name, x in problem.cotangents.items()
    }
    versions = {name: x._version for name, x in Run(inputs, cotangents, {}).given.items()}
    _poison_free_memory([*cotangents.values(), *(inputs[name] for name in problem.requires_grad)])

    arguments = inputs | dict(problem.options)
    keywords = {name: x for name, x in arguments.items() if name not in problem.positional}

    def run(**results: Any) -> Run:
        return Run(inputs, cotangents, versions, **results)

    try:
        result = target(*(arguments[name] for name in problem.positional), **keywords)
    except NotImplementedError as error:
        return run(refusal=_shown(error), error=error)
    except Exception as error:
        return run(failure=f"raised {_shown(error)}", error=error)
    outputs = _outputs(result, cotangents)
    if isinstance(outputs, str):
        return run(failure=f"returned {outputs}")
    if not problem.requires_grad:
        return run(outputs=outputs)
    return run(outputs=outputs, **_backward(problem, inputs, outputs, cotangents))


def _backward(
    problem: Problem,
    inputs: Mapping[str, torch.Tensor],
    outputs: Mapping[str, torch.Tensor],
    cotangents: Mapping[str, torch.Tensor],
) -> dict[str, Any]:
    """The gradients, or what was wrong with them."""
    # Without an element in an output or in an argument nothing depends on anything: autograd may leave gradients out.
    empty = not all(x.numel() for x in (*outputs.values(), *inputs.values()))
    unreached = set(problem.requires_grad) if empty else problem.unreached
    pulled_back = [name for name in problem.differentiated if outputs[name].requires_grad]
    if not pulled_back:
        if unreached >= set(problem.requires_grad):
            return {"gradients": {name: torch.zeros_like(inputs[name]) for name in problem.requires_grad}}
        return {"gradient_failure": f"no gradient, although {_listed(problem)} requires grad"}
    try:
        found = torch.autograd.grad(
            [outputs[name] for name in pulled_back],
            [inputs[name] for name in problem.requires_grad],
            [cotangents[name] for name in pulled_back],
            allow_unused=True,
        )
    except NotImplementedError as error:
        return {"refusal": f"in the backward pass, {_shown(error)}", "error": error}
    except Exception as error:
        return {"gradient_failure": f"the backward pass raised {_shown(error)}"}
    gradients: dict[str, torch.Tensor] = {}
    for name, gradient in zip(problem.requires_grad, found, strict=True):
        if gradient is None and name in unreached:
            gradient = torch.zeros_like(inputs[name])
        malformed = "None" if gradient is None else _malformed(gradient, inputs[name])
        if malformed:
            return {"gradient_failure": f"the gradient of {name} is {malformed}"}
        gradients[name] = gradient
    return {"gradients": gradients}


def _outputs(result: object, like: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor] | str:
    """The outputs by name, or what is wrong with the result; one output is a tensor, several are a tuple of them."""
    results: Sequence[object] = (result,)
    if len(like) > 1:
        if not isinstance(result, tuple | list):
            return f"a {type(result).__name__} instead of a tuple of {len(like)} tensors: {', '.join(like)}"
        if len(result) != len(like):
            return f"a tuple of {len(result)} instead of {len(like)}: {', '.join(like)}"
        results = result
    outputs: dict[str, torch.Tensor] = {}
    for (name, wanted), found in zip(like.items(), results, strict=True):
        if malformed := _malformed(found, wanted):
            return malformed if len(like) == 1 else f"{malformed} for {name}"
        assert isinstance(found, torch.Tensor)
        outputs[name] = found
    return outputs


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
