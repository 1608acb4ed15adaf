"""Adequacy: how many of the faults of an operation's own program its checks catch.

    from lemmata.conformance.adequacy import adequacy

    print(adequacy("softmax").rate)

Every mutant of the forward program, with the gradients of the faulty program, and every mutant of the derived gradient,
with the right output, is held against the checks, on cases that are drawn once: numbers, reference and bounds are the
same for all mutants. A mutant that survives is held against more cases, and then needs an argument.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from .cases import case_code
from .checks import FORWARD, GRADIENT, checks_of
from .contracts import Check, Operation, Trial
from .draws import drawing, drawn
from .equivalence import Argument, argument_for
from .isolation.executors import InProcess
from .mutants import Mutant, mutants_of
from .operations import find_operation
from .planted import Planted
from .problems import DTYPES, Problem, Values
from .profiles import Precision, Profile
from .sources import Source, source_of
from .targets import UsageError

# Cases for every mutant: nearly all die on the first few.
CASES = 40
# Further cases for those that survive: all in all half of those of a run, which catches what shows on few of them.
MORE_CASES = 1160
# Fewer numbers than this tell few mutants apart, and are tried last.
_FEW = 24

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Killed:
    """A mutant that was caught: the checks that fail in the first case in which one does, and how many it took."""

    mutant: str
    part: str
    checks: tuple[str, ...]
    cases: int


@dataclass(frozen=True)
class Survivor:
    """A mutant that no check caught, with the argument why, or that there is none."""

    mutant: str
    part: str
    cases: int
    argument: Argument


@dataclass(frozen=True)
class Adequacy:
    """What the checks of an operation are worth against the faults of its program.

    Attributes:
        checks: those that were held against the mutants.
        undefined: mutants that have no value in any case, which no implementation could have.
    """

    operation: str
    dtype: str
    seed: int
    checks: tuple[str, ...]
    killed: tuple[Killed, ...]
    survivors: tuple[Survivor, ...]
    undefined: int
    seconds: float

    @property
    def gaps(self) -> tuple[Survivor, ...]:
        """The survivors that are not shown to be the right program."""
        return tuple(survivor for survivor in self.survivors if survivor.argument.kind == "gap")

    @property
    def rate(self) -> float:
        """The share of the mutants that are not equivalent which were caught."""
        faulty = len(self.killed) + len(self.gaps)
        return len(self.killed) / faulty if faulty else 1.0

    @property
    def kills(self) -> dict[str, int]:
        """How many mutants each check catches in the case in which they are caught, all checks in order."""
        found = Counter(name for killed in self.killed for name in killed.checks)
        return {name: found[name] for name in self.checks}

    def lines(self) -> list[str]:
        """As the command prints it."""
        faulty = len(self.killed) + len(self.gaps)
        lines = [f"{self.operation}, {self.dtype}: {len(self.killed)} of {faulty} faults caught, {self.rate:.1%}"]
        lines.append(
            f"{len(self.survivors) - len(self.gaps)} more are equivalent, {self.undefined} have no value; "
            f"{self.seconds:.1f} s"
        )
        lines += [f"  {count:>5}  {name}" for name, count in self.kills.items() if count]
        idle = [name for name, count in self.kills.items() if not count]
        lines += [f"  no fault: {', '.join(idle)}"] if idle else []
        for survivor in self.gaps:
            lines += [f"gap: {survivor.mutant}", f"    {survivor.argument.reason}"]
        equivalent = [survivor for survivor in self.survivors if survivor.argument.kind == "equivalent"]
        for reason in dict.fromkeys(survivor.argument.reason for survivor in equivalent):
            lines.append(f"equivalent: {reason}")
            lines += [f"    {survivor.mutant}" for survivor in equivalent if survivor.argument.reason == reason]
        return lines

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "operation": self.operation,
            "dtype": self.dtype,
            "seed": self.seed,
            "rate": self.rate,
            "killed": len(self.killed),
            "gaps": len(self.gaps),
            "equivalent": len(self.survivors) - len(self.gaps),
            "undefined": self.undefined,
            "seconds": self.seconds,
            "checks": self.kills,
            "mutants": [
                {"mutant": k.mutant, "part": k.part, "status": "killed", "checks": list(k.checks), "cases": k.cases}
                for k in self.killed
            ]
            + [
                {"mutant": s.mutant, "part": s.part, "status": s.argument.kind, "reason": s.argument.reason}
                for s in self.survivors
            ],
        }


def adequacy(
    operation: str,
    *,
    dtype: str = "float64",
    only: Sequence[str] | None = None,
    seed: int = 0,
    cases: int = CASES,
    more_cases: int = MORE_CASES,
    progress: Progress | None = None,
) -> Adequacy:
    """Holds every mutant of an operation against its checks.

    Args:
        operation: as `conform` takes it.
        dtype: of the calls; float64 has the tightest bounds.
        only: names of checks; all that decide by default.
        seed: of the cases.
        cases, more_cases: for every mutant, evenly chosen by size from all of them, and the others for those that
            survive.
        progress: called with the dtype, the number of mutants done, and their total.

    Raises:
        UsageError: there is no such operation, dtype or check, or the operation is not derived.
    """
    began = perf_counter()
    if dtype not in DTYPES:
        raise UsageError(f"dtype {dtype!r} is not one of {', '.join(DTYPES)}")
    contract = find_operation(operation)
    checks = _chosen(contract, only)
    profile = contract.profiles(dtype, "cpu")[-1]
    bench = _Bench(_remembering(contract), dtype, profile, checks)
    every = bench.ready(drawn_cases(contract, cases + more_cases, seed))
    first = _spread(every, cases)
    further = [ready for ready in every if ready not in first]
    mutants = _mutants(first)
    if not mutants:
        raise UsageError(f"operation {operation!r} has no program of its own to plant faults in")
    killed: list[Killed] = []
    survivors: list[Survivor] = []
    undefined = 0
    for number, (name, mutant) in enumerate(mutants):
        own = [ready for ready in first if ready.source.name == name]
        outcome = bench.hold(mutant, own, _quick(checks))
        if outcome and not isinstance(outcome, Killed) and bench.identical(mutant, own):
            argument = argument_for(mutant, [ready.source for ready in own])
            if argument.kind == "equivalent":
                survivors.append(Survivor(str(mutant), mutant.part, outcome, argument))
                continue
        if not isinstance(outcome, Killed):
            more = [ready for ready in further if ready.source.name == name]
            later = bench.hold(mutant, more, _quick(checks))
            outcome = replace(later, cases=outcome + later.cases) if isinstance(later, Killed) else outcome + later
        if not isinstance(outcome, Killed):
            argument = argument_for(mutant, [ready.source for ready in own])
            caught = bench.hold(mutant, own, checks) if argument.kind == "gap" else outcome
            if isinstance(caught, Killed):
                outcome = caught
            elif outcome:
                if argument.kind == "gap":
                    share = bench.worst(mutant, [*own, *more], _quick(checks))
                    argument = replace(argument, reason=f"off by at most {share:.1g} of the bound; {argument.reason}")
                survivors.append(Survivor(str(mutant), mutant.part, outcome, argument))
            else:
                undefined += 1
        if isinstance(outcome, Killed):
            killed.append(outcome)
        if progress is not None:
            progress(dtype, number + 1, len(mutants))
    names = tuple(check.name for check in checks)
    seconds = perf_counter() - began
    return Adequacy(contract.name, dtype, seed, names, tuple(killed), tuple(survivors), undefined, seconds)


def _chosen(operation: Operation, only: Sequence[str] | None) -> tuple[Check, ...]:
    checks = tuple(check for check in checks_of(operation) if check.decides)
    known = [check.name for check in checks]
    for name in only or ():
        if name not in known:
            raise UsageError(f"check {name!r} is not one of {operation.name} that decide: {', '.join(known)}")
    return checks if only is None else tuple(check for check in checks if check.name in only)


def _mutants(cases: Sequence[_Ready]) -> list[tuple[str, Mutant]]:
    """The mutants of each derived operation that the cases are calls of; those of mixed values explain, no more."""
    names = dict.fromkeys(ready.source.name for ready in cases)
    return [
        (name, mutant)
        for name in names
        for part in ("forward", "backward")
        for mutant in mutants_of(name, part)
        if not mutant.saved
    ]


# Cases --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Ready:
    """A case with its numbers and what they are a call of."""

    case: Any
    problem: Problem
    source: Source


@dataclass(frozen=True)
class _Bench:
    """What every mutant is held against."""

    operation: Operation
    dtype: str
    profile: Profile
    checks: tuple[Check, ...]

    def ready(self, cases: Sequence[Any]) -> list[_Ready]:
        """The cases as numbers, each once, the most telling first."""
        found: list[_Ready] = []
        for case in cases:
            problem = self.operation.build(case, DTYPES[self.dtype])
            source = source_of(self.operation.name, problem)
            found += [] if source is None else [_Ready(case, problem, source)]
        return sorted(found, key=lambda ready: _telling(ready.problem))

    def hold(self, mutant: Mutant, cases: Sequence[_Ready], first: Sequence[Check]) -> Killed | int:
        """The checks that catch a mutant, or how many cases it survives.

        `first` are the checks that decide whether it is caught; in the case in which one does, all are held against it.
        """
        survived = 0
        for ready in cases:
            trial = self._trial(mutant, ready)
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if trial.run.refusal is not None:
                    continue
                survived += _shows(ready.problem, mutant)
                if any(self._fails(check, trial) for check in first):
                    failed = tuple(check.name for check in self.checks if self._fails(check, trial))
                    return Killed(str(mutant), mutant.part, failed, max(survived, 1))
        return survived

    def worst(self, mutant: Mutant, cases: Sequence[_Ready], checks: Sequence[Check]) -> float:
        """The largest share of a bound that a mutant takes up: a small one says that no case has what it would take."""
        shares = [0.0]
        for ready in cases:
            trial = self._trial(mutant, ready)
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                findings = [check.apply(trial, self.profile) for check in checks if trial.run.refusal is None]
            shares += [finding.share for finding in findings if finding is not None]
        return max(shares)

    def _trial(self, mutant: Mutant, ready: _Ready) -> Trial:
        executor = InProcess(Planted(self.operation, mutant, ready.source, ready.problem))
        return Trial(self.operation, executor, ready.case, self.dtype, "cpu")

    def identical(self, mutant: Mutant, cases: Sequence[_Ready]) -> bool:
        """Whether a mutant gives the very bits of the reference: more cases would not tell them apart by rounding."""
        for ready in cases:
            values, right = mutant.values(ready.source, ready.problem), self.operation.reference(ready.problem)
            pairs = [] if values is None else [(values.outputs, right.outputs), (values.gradients, right.gradients)]
            if not all(np.array_equal(a[k], b[k], equal_nan=True) for a, b in pairs for k in b):
                return False
        return True

    def _fails(self, check: Check, trial: Trial) -> bool:
        finding = check.apply(trial, self.profile)
        return finding is not None and finding.failure is not None


def _quick(checks: Sequence[Check]) -> tuple[Check, ...]:
    """The checks that cost one call; all, if there are none of these."""
    return tuple(check for check in checks if check.name in (FORWARD, GRADIENT)) or tuple(checks)


def _shows(problem: Problem, mutant: Mutant) -> bool:
    """Whether a case has anything that the part of a mutant computes."""
    if not all(x.size for x in problem.arrays.values()):
        return False
    return mutant.part == "forward" or bool(set(problem.requires_grad) - problem.unreached)


def _telling(problem: Problem) -> tuple[bool, bool, int]:
    floats = [x for x in problem.arrays.values() if x.dtype.kind == "f"]
    elements = sum(x.size for x in floats)
    poor = not problem.requires_grad or not all(x.size for x in floats)
    return poor, elements < _FEW, elements


def drawn_cases(operation: Operation, count: int, seed: int) -> list[Any]:
    """So many cases of the operation's own strategy."""
    found = drawn(operation.cases(), drawing(count, shrink=False), seed)
    return list({case_code(case): case for case in found}.values())


def _spread(cases: Sequence[_Ready], count: int) -> list[_Ready]:
    """So many of the cases, evenly chosen from the smallest to the largest, in their order."""
    if len(cases) <= count:
        return list(cases)
    return [cases[k * (len(cases) - 1) // max(1, count - 1)] for k in range(count)]


def _remembering(operation: Operation) -> Operation:
    """The contract with numbers, reference and bounds of a case computed once, for all mutants."""
    problems: dict[tuple[int, Any], tuple[Any, Problem]] = {}
    kept: dict[int, Problem] = {}
    expected: dict[int, Values] = {}
    bounds: dict[tuple[int, tuple[tuple[str, Any], ...]], Values] = {}

    def build(case: Any, dtype: Any) -> Problem:
        key = (id(case), dtype)
        if key not in problems:
            problem = operation.build(case, dtype)
            problems[key], kept[id(problem)] = (case, problem), problem  # what is kept keeps its id
        return problems[key][1]

    def reference(problem: Problem) -> Values:
        if id(problem) not in kept:
            return operation.reference(problem)
        if id(problem) not in expected:
            expected[id(problem)] = operation.reference(problem)
        return expected[id(problem)]

    def bound(problem: Problem, precision: Precision) -> Values:
        if id(problem) not in kept:
            return operation.bound(problem, precision)
        key = (id(problem), _named(precision))
        if key not in bounds:
            bounds[key] = operation.bound(problem, precision)
        return bounds[key]

    return replace(operation, build=build, reference=reference, bound=bound)


def _named(precision: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(precision.items(), key=lambda item: item[0]))
