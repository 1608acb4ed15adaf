"""Execution: one call of the target, forward and backward, as arrays of what came back or words for what went wrong.

It happens in the process in which the target lives. What is judged there is only what cannot be seen elsewhere:
version counters, shared memory, what the target replaced. Everything else goes back as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch

from .memory import aliases, guarded, halve_in_place, poison_free_memory, uninitialised_memory_is_nan
from .operator_count import operators_run
from .problems import DTYPES, OUTPUT, AnyArray, Problem, Values, array, shown_gradient, tensor
from .surroundings import Surroundings
from .targets import Target
from .values import Array

Mode = Literal["plain", "again", "poisoned", "unwritten", "guarded", "counted", "twice"]
"""How a call is made.

plain: as anybody calls it.
again: the same with new tensors, then a second backward pass, then a call with other numbers in the same memory.
unwritten: what the target allocates without writing to it is NaN.
guarded: NaN on both sides of every input.
poisoned: both.
counted: two calls without gradient, with other numbers than before, counting the operators of PyTorch that are called.
twice: the gradients are differentiated once more.
"""

Broken = Literal["raised", "malformed", "ended", "silent"]

# What ended a call that did not come back, in a word.
ENDINGS: Mapping[str, str] = {"ended": "crash", "silent": "hang"}


@dataclass(frozen=True)
class Run:
    """What one call gave.

    `failure` says what was wrong with an output, `gradient_failure` what was wrong with a gradient; where either is
    set, the arrays it concerns may be missing. `refusal` says instead that the target does not take such a call.

    Attributes:
        outputs: by name, as float64: all of them or, where the call failed or was refused, none.
        gradients: by input, as float64.
        refusal: the NotImplementedError that the call or its backward pass raised: nothing is wrong.
        broken: in what way `failure` or `gradient_failure` came about: an exception, a result that is no such tensor,
            the end of the process, or no answer in time.
        error: the name of the type of what the call raised.
        missing: the inputs whose gradient is None, in `gradients` 0: right if that is what it is.
        given: inputs and cotangents after a plain call.
        written: version counters before and after, of what was given and written to.
        notices: what was seen besides, by subject.
        second_gradients: those of a second backward pass through the same graph, or `second_failure`.
        reused: the outputs of a call with half of every real number, in the same memory as the first, or
            `reused_failure`.
        operators: how many operators a call dispatched, and a second one with the same numbers.
        hessian: by input, how its gradient changes where the inputs whose numbers are all finite move along themselves,
            or `hessian_refusal`, with which PyTorch or the target refuses to differentiate the gradients.
    """

    outputs: Mapping[str, Array] = field(default_factory=dict)
    gradients: Mapping[str, Array] = field(default_factory=dict)
    failure: str | None = None
    gradient_failure: str | None = None
    refusal: str | None = None
    broken: Broken | None = None
    error: str | None = None
    missing: tuple[str, ...] = ()
    given: Mapping[str, AnyArray] = field(default_factory=dict)
    written: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    notices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    second_gradients: Mapping[str, Array] = field(default_factory=dict)
    second_failure: str | None = None
    reused: Mapping[str, Array] = field(default_factory=dict)
    reused_failure: str | None = None
    operators: tuple[int, int] | None = None
    hessian: Mapping[str, Array] = field(default_factory=dict)
    hessian_refusal: str | None = None

    @property
    def complete(self) -> bool:
        """Whether each output, and each gradient that was asked for, is there and well-formed."""
        return self.failure is None and self.gradient_failure is None and self.refusal is None

    @property
    def results(self) -> dict[str, Array]:
        """Outputs and gradients by name."""
        return Values(self.outputs, self.gradients).named


def cotangent_name(output: str) -> str:
    """What the cotangent of an output is called."""
    return "cotangent" if output == OUTPUT else f"cotangent of {output}"


def execute(
    target: Target, problem: Problem, dtype: str, device: str, mode: Mode = "plain", around: Surroundings | None = None
) -> Run:
    """Calls the target with fresh tensors and, where an input requires grad, runs its backward pass.

    Whatever the target raises is a failure of the run, never of the caller; NotImplementedError is how a target
    refuses a call that it does not support.

    Args:
        around: what was there before the target was loaded; what differs from it is noticed.
    """
    if mode == "counted":
        return _Call(target, problem.without_gradient(), dtype, device, guard=False).counted()
    if mode == "twice":
        return _Call(target, problem, dtype, device, guard=False).twice()
    call = _Call(target, problem, dtype, device, guard=mode in ("poisoned", "guarded"))
    with ExitStack() as stack:
        if mode in ("poisoned", "unwritten"):
            stack.enter_context(uninitialised_memory_is_nan())
        elif mode == "again":
            call.poison()
        found = call.forward()
        if isinstance(found, Run):
            return found
        results = call.backward(found, keep_graph=mode == "again")
    notices = {"aliases": aliases(found, call.given)}
    if around is not None and mode == "again":
        notices["surroundings"] = around.changed()
    run = call.result(found, results, {name: what for name, what in notices.items() if what})
    if mode == "plain":
        run = replace(run, given=_numbers(call.given))
    if mode != "again" or not run.complete:
        return run
    return call.repeated(run, found)


def in_turn(modes: Sequence[Mode], call: Callable[[Mode], Run]) -> Iterator[Run]:
    """The runs of a call in several modes, one after the other.

    Once the target refuses the call or gives no outputs, that is the answer in all modes that follow: no check looks at
    another one then.
    """
    last: Run | None = None
    for mode in modes:
        if last is None or (last.failure is None and last.refusal is None):
            last = call(mode)
        yield last


class _Call:
    """One call: the tensors of a problem, and the target that takes them."""

    def __init__(self, target: Target, problem: Problem, dtype: str, device: str, *, guard: bool) -> None:
        element = DTYPES[dtype]
        wide = element if element == torch.float64 else torch.float32
        self.target, self.problem = target, problem
        made = {name: tensor(x, problem.layouts[name], element, device) for name, x in problem.arrays.items()}
        cotangents = {
            name: tensor(x, problem.cotangent_layouts[name], wide if name in problem.wide else element, device)
            for name, x in problem.cotangents.items()
        }
        self.inputs = {name: guarded(x) for name, x in made.items()} if guard else made
        self.cotangents = {name: guarded(x) for name, x in cotangents.items()} if guard else cotangents
        for name in problem.requires_grad:
            self.inputs[name].requires_grad_()
        self.given = dict(self.inputs) | {cotangent_name(name): x for name, x in self.cotangents.items()}
        self.versions = {name: x._version for name, x in self.given.items()}

    def poison(self) -> None:
        """Leaves NaN in memory of the sizes that the target is about to ask for."""
        poison_free_memory([*self.cotangents.values(), *(self.inputs[name] for name in self.problem.requires_grad)])

    def forward(self) -> dict[str, torch.Tensor] | Run:
        """The outputs by name, or the run that ends here."""
        arguments = self.inputs | dict(self.problem.options)
        positional = self.problem.positional
        keywords = {name: x for name, x in arguments.items() if name not in positional}
        try:
            result = self.target(*(arguments[name] for name in positional), **keywords)
        except NotImplementedError as error:
            return Run(refusal=shown_error(error), error=_kind(error))
        except (Exception, SystemExit) as error:
            return Run(failure=f"raised {shown_error(error)}", broken="raised", error=_kind(error))
        outputs = _outputs(result, self.cotangents)
        if isinstance(outputs, str):
            return Run(failure=f"returned {outputs}", broken="malformed")
        return outputs

    def backward(self, outputs: Mapping[str, torch.Tensor], *, keep_graph: bool = False) -> dict[str, Any]:
        """The gradients, or what was wrong with them."""
        problem, inputs = self.problem, self.inputs
        if not problem.requires_grad:
            return {}
        # Without an element in an output or in an argument nothing depends on anything: gradients may be left out.
        empty = not all(x.numel() for x in (*outputs.values(), *inputs.values()))
        unreached = set(problem.requires_grad) if empty else problem.unreached
        pulled_back = [name for name in problem.differentiated if outputs[name].requires_grad]
        if not pulled_back:
            zeros = {name: torch.zeros_like(inputs[name]) for name in problem.requires_grad}
            return {"gradients": zeros, "missing": tuple(name for name in zeros if name not in unreached)}
        try:
            found = torch.autograd.grad(
                [outputs[name] for name in pulled_back],
                [inputs[name] for name in problem.requires_grad],
                [self.cotangents[name] for name in pulled_back],
                allow_unused=True,
                retain_graph=keep_graph,
            )
        except NotImplementedError as error:
            return {"refusal": f"in the backward pass, {shown_error(error)}", "error": _kind(error)}
        except (Exception, SystemExit) as error:
            return {"gradient_failure": f"the backward pass raised {shown_error(error)}", "broken": "raised"}
        gradients: dict[str, torch.Tensor] = {}
        missing: list[str] = []
        for name, gradient in zip(problem.requires_grad, found, strict=True):
            if gradient is None:
                gradient = torch.zeros_like(inputs[name])
                missing += [] if name in unreached else [name]
            if malformed := _malformed(gradient, inputs[name]):
                return {"gradient_failure": f"the {shown_gradient(name)} is {malformed}", "broken": "malformed"}
            gradients[name] = gradient
        return {"gradients": gradients, "missing": tuple(missing)}

    def result(
        self, outputs: Mapping[str, torch.Tensor], backward: Mapping[str, Any], notices: Mapping[str, tuple[str, ...]]
    ) -> Run:
        """The run of outputs and of what the backward pass gave, as numbers."""
        moved = {name: (self.versions[name], x._version) for name, x in self.given.items()}
        rest = {name: what for name, what in backward.items() if name != "gradients"}
        return Run(
            outputs=_numbers(outputs),
            gradients=_numbers(backward.get("gradients", {})),
            written={name: (before, after) for name, (before, after) in moved.items() if before != after},
            notices=notices,
            **rest,
        )

    def repeated(self, run: Run, outputs: Mapping[str, torch.Tensor]) -> Run:
        """The run, with what a second backward pass gives and a call with other numbers in the same memory."""
        more: dict[str, Any] = {}
        if self.problem.requires_grad:
            second = self.backward(outputs)
            failure = second.get("gradient_failure") or second.get("refusal")
            more = {"second_failure": failure, "second_gradients": _numbers(second.get("gradients", {}))}
        with torch.no_grad():
            for x in self.inputs.values():
                halve_in_place(x)
            found = self.forward()
        more |= {"reused_failure": found.failure} if isinstance(found, Run) else {"reused": _numbers(found)}
        return replace(run, **more)

    def counted(self) -> Run:
        """A run with nothing but the numbers of operators of two equal calls, of half of every real number."""
        counts: list[int] = []
        kept: list[object] = []  # so that the second call cannot use the memory of the first one's output
        with torch.no_grad():
            for x in self.inputs.values():
                halve_in_place(x)
            for _ in range(2):
                with operators_run() as count:
                    found = self.forward()
                if isinstance(found, Run):
                    return found
                counts.append(count())
                kept.append(found)
        return Run(operators=(counts[0], counts[1]))

    def twice(self) -> Run:
        """A run with nothing but the derivatives of the gradients."""
        outputs = self.forward()
        if isinstance(outputs, Run):
            return outputs
        inputs = {name: self.inputs[name] for name in self.problem.requires_grad}
        pulled_back = [name for name in self.problem.differentiated if outputs[name].requires_grad]
        for name in pulled_back:
            self.cotangents[name].requires_grad_()
        try:
            found = torch.autograd.grad(
                [outputs[name] for name in pulled_back],
                list(inputs.values()),
                [self.cotangents[name] for name in pulled_back],
                allow_unused=True,
                create_graph=True,
            )
            gradients = {name: x for name, x in zip(inputs, found, strict=True) if x is not None}
            # Each depends on the cotangents at least, of which it is a linear function, unless none of them reaches it.
            opaque = tuple(
                name for name, x in gradients.items() if not x.requires_grad and name not in self.problem.unreached
            )
            moving = [name for name, x in gradients.items() if x.requires_grad and inputs[name].isfinite().all()]
            if moving:  # with respect to all that there is: what refuses need not be on the way to an input
                directions = [inputs[name].detach() for name in moving]
                torch.autograd.backward([gradients[name] for name in moving], directions)
        except (Exception, SystemExit) as error:
            return Run(hessian_refusal=shown_error(error))
        hessian = {name: torch.zeros_like(x) if x.grad is None else x.grad for name, x in inputs.items()}
        return Run(hessian=_numbers(hessian), notices={"opaque": opaque} if opaque else {})


def _numbers(tensors: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    # A copy: what is written to the tensor later on does not change what was seen.
    return {name: array(x).copy() for name, x in tensors.items()}


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


def _malformed(x: object, like: torch.Tensor) -> str | None:
    """What is wrong with the kind, shape, dtype or device of a result that should be like `like`."""
    if not isinstance(x, torch.Tensor):
        return f"a {type(x).__name__} instead of a tensor"
    if type(x) not in (torch.Tensor, torch.nn.Parameter):
        # What a subclass holds may not have been computed yet, or may be another thing at each look.
        return f"a {type(x).__name__}, a subclass that may compute later, instead of a plain tensor"
    for what in ("shape", "dtype", "device"):
        got, wanted = getattr(x, what), getattr(like, what)
        if got != wanted:
            shown = (tuple(got), tuple(wanted)) if what == "shape" else (got, wanted)
            return f"a tensor of {what} {shown[0]} instead of {shown[1]}"
    return None


def _kind(error: BaseException) -> str:
    """The type of an error, with what tells a missing kernel for a dtype from any other RuntimeError of PyTorch."""
    missing_kernel = isinstance(error, RuntimeError) and "not implemented for" in str(error)
    return "MissingKernel" if missing_kernel else type(error).__name__


def shown_error(error: BaseException) -> str:
    """An exception in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
