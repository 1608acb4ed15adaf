"""Contracts: what an operation is to a conformance run, one trial of it on a target, and a check of a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any, Literal

import numpy as np
import torch
from hypothesis import strategies as st

from .compare import Finding
from .execution import ENDINGS, Mode, Run
from .isolation.executors import Executor
from .problems import DTYPES, Problem, Values, main
from .profiles import REFERENCE_PRECISION, Ladder, Precision, Profile, default_profiles
from .values import Array


@dataclass(frozen=True)
class Operation:
    """The contract of one operation: its cases, its reference, its bound and its laws.

    Attributes:
        name: as in `lemmata conform NAME`.
        cases: the strategy of its cases.
        smallest: the case of the first, trivial call.
        signature: names passed by position, and every keyword of the calling convention with a default.
        build: a case as numbers of a dtype.
        reference: outputs and the gradients of `problem.requires_grad`, in float64.
        bound: the bound on the error of each of those at a precision.
        laws: the operation's own checks, besides those of every operation.
        profiles: the precision profiles that implementations are held to.
        differentiable: whether any input has a gradient.
        large: cases of sizes that a run meets only if it is asked to.
    """

    name: str
    cases: Callable[[], st.SearchStrategy[Any]]
    smallest: Any
    signature: tuple[tuple[str, ...], Mapping[str, Any]]
    build: Callable[[Any, torch.dtype], Problem]
    reference: Callable[[Problem], Values]
    bound: Callable[[Problem, Precision], Values]
    laws: tuple[Check, ...]
    profiles: Ladder = default_profiles
    differentiable: bool = True
    large: tuple[Any, ...] = ()


def allowance(operation: Operation, problem: Problem, profile: Profile, dtype: str) -> Values:
    """How far each element of outputs and gradients may be from the reference."""
    return with_own_error(partial(operation.bound, problem), profile, dtype)


def with_own_error(bound_at: Callable[[Precision], Values], profile: Profile, dtype: str) -> Values:
    """The bound under a profile, and the reference's own error with it where that counts.

    In float64 the reference is no more accurate than the target; for the narrower dtypes its error is below the bound's
    allowance for second-order effects.
    """
    bound = bound_at(profile.precision)
    if dtype != "float64":
        return bound
    own = bound if profile.precision == REFERENCE_PRECISION else bound_at(REFERENCE_PRECISION)
    return Values(
        {name: x + own.outputs[name] for name, x in bound.outputs.items()},
        {name: x + own.gradients[name] for name, x in bound.gradients.items()},
    )


class OtherCallFailed(Exception):
    """A law needs the output of another call than that of the case, and the target gives none."""


@dataclass(frozen=True)
class Trial:
    """One case of an operation on a target in one dtype; what is computed is computed once."""

    operation: Operation
    executor: Executor
    case: Any
    dtype: str
    device: str

    @cached_property
    def problem(self) -> Problem:
        """The case as numbers."""
        return self.operation.build(self.case, DTYPES[self.dtype])

    def is_one_in(self, count: int) -> bool:
        """Whether this is one of the cases, one in so many, that a costly check looks at; the simplest one is."""
        seed: int = self.case.seed
        return seed % count == 0

    @cached_property
    def _asked(self) -> dict[Mode, Callable[[], Run]]:
        return {}

    def begin(self, modes: Sequence[Mode], profile: Profile | None) -> None:
        """Asks for calls in several modes at once; computes meanwhile what is expected of them under a profile."""
        self._ask(modes)
        if profile is not None:
            _ = self.expected, self.bound(profile)

    def _ask(self, modes: Sequence[Mode]) -> None:
        self._heard()
        pending = cache(self.executor.submit(self.problem, self.dtype, self.device, modes))

        def answer(place: int) -> Callable[[], Run]:
            return lambda: pending()[place]

        self._asked.update({mode: answer(place) for place, mode in enumerate(modes)})

    def _heard(self) -> None:
        """Takes what was asked for: an executor wants to be listened to before it is asked again."""
        for answer in self._asked.values():
            answer()

    def run_as(self, mode: Mode) -> Run:
        """The call of the target in one mode."""
        if mode not in self._asked:
            self._ask((mode,))
        return self._asked[mode]()

    @property
    def run(self) -> Run:
        """The call of the target that the checks judge."""
        return self.run_as("plain")

    @property
    def again(self) -> Run:
        """A second call with the same arguments."""
        return self.run_as("again")

    def differentiated_twice(self) -> Run | None:
        """The call whose gradients are differentiated, or None where there are none or it is refused."""
        given = all(x.size for x in self.problem.arrays.values())
        if not (self.problem.requires_grad and self.run.complete and given):
            return None
        run = self.run_as("twice")
        return None if run.failure or run.refusal or run.hessian_refusal else run

    @property
    def outputs(self) -> Mapping[str, Array]:
        """The outputs of the call."""
        return self.run.outputs

    @property
    def gradients(self) -> Mapping[str, Array]:
        """The gradients of the call."""
        return self.run.gradients

    @property
    def output(self) -> Array:
        """The output: the only one, or the one that is called so."""
        return main(self.outputs)

    @cached_property
    def expected(self) -> Values:
        """Outputs and gradients of the reference."""
        return self.operation.reference(self.problem)

    @cached_property
    def _bounds(self) -> dict[str, Values]:
        return {}

    def bound(self, profile: Profile) -> Values:
        """The bound on the error of each element of outputs and gradients."""
        if profile.name not in self._bounds:
            self._bounds[profile.name] = self.bound_of(self.problem, profile)
        return self._bounds[profile.name]

    def bound_of(self, problem: Problem, profile: Profile) -> Values:
        """The same for another call."""
        return allowance(self.operation, problem, profile, self.dtype)

    @cached_property
    def _others(self) -> list[Run]:
        return []

    def call(self, problem: Problem) -> Run:
        """Another call of the target."""
        self._heard()
        (run,) = self.executor.submit(problem, self.dtype, self.device, ("plain",))()
        self._others.append(run)
        return run

    def first_call(self, problem: Problem) -> Run | None:
        """Another call, the first of the run in its process; None where that cannot be had."""
        self._heard()
        return self.call(problem) if self.executor.forget() else None

    @property
    def endings(self) -> tuple[str, ...]:
        """In what way calls so far have ended the process of the target, one entry for each process."""
        # The end of a process is the answer to every call that was asked for with the one that ended it.
        of_the_case = dict.fromkeys(answer().broken for answer in self._asked.values())
        found = (*of_the_case, *(run.broken for run in self._others))
        return tuple(how for how in found if how is not None and how in ENDINGS)

    def evaluate_all(self, problem: Problem) -> Mapping[str, Array] | None:
        """The target's outputs for another call, or None where it refuses that call.

        Raises:
            OtherCallFailed: the target gives no well-formed outputs for it.
        """
        run = self.call(problem.without_gradient())
        if run.failure:
            raise OtherCallFailed(run.failure)
        return None if run.refusal is not None else run.outputs

    @cached_property
    def _evaluated(self) -> dict[str, Mapping[str, Array] | None]:
        return {}

    def evaluated(self, name: str, problem: Problem) -> Mapping[str, Array] | None:
        """The same for a call that several laws look at, which is made once.

        Raises:
            OtherCallFailed: as `evaluate_all`.
        """
        if name not in self._evaluated:
            self._evaluated[name] = self.evaluate_all(problem)
        return self._evaluated[name]

    def evaluate(self, problem: Problem) -> Array | None:
        """The same, of the output alone.

        Raises:
            OtherCallFailed: as `evaluate_all`.
        """
        outputs = self.evaluate_all(problem)
        return None if outputs is None else main(outputs)


# One case in so many, for a check that costs several calls, or a call and a bound, of its own.
COSTLY = 4


@dataclass(frozen=True)
class Check:
    """One thing that is held against every case to which it applies.

    Attributes:
        name: unique within the operation.
        examine: the finding in a trial under a profile, or None where the check does not apply.
        statement: the label of the proved statement that it tests, if it is one.
        bounded: whether the finding depends on the profile.
        severity: a `failure` decides the verdict; a `warning` states a convention of the implementation.
        modes: how the call has to be made for it, besides the plain way.
        one_in: it is costly, and held against one case in so many.
        meaning: what it means that it passes, in one sentence.
    """

    name: str
    examine: Callable[[Trial, Profile], Finding | None]
    statement: str | None = None
    bounded: bool = True
    severity: Literal["failure", "warning"] = "failure"
    modes: tuple[Mode, ...] = ()
    one_in: int = 1
    meaning: str = field(kw_only=True)

    @property
    def decides(self) -> bool:
        """Whether the verdict depends on it."""
        return self.severity == "failure"

    @property
    def grades(self) -> bool:
        """Whether the profile that an implementation meets depends on it."""
        return self.bounded and self.decides

    def apply(self, trial: Trial, profile: Profile) -> Finding | None:
        """The finding in a trial, or None where the check does not apply or the target refuses what it needs."""
        if not trial.is_one_in(self.one_in):
            return None
        try:
            return self.examine(trial, profile)
        except OtherCallFailed as failure:
            return Finding(np.inf, f"another call that the check {self.name!r} makes {failure}")


@dataclass(frozen=True)
class FailedTrial:
    """A trial in which a check failed, under the loosest profile allowed."""

    trial: Trial
    profile: Profile
    finding: Finding
