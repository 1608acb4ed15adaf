"""The runner: holds a target to the contract of an operation, case by case, and shrinks what fails."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from .checks import COMPLETES, checks_of
from .contracts import Check, Operation
from .execution import Run
from .isolation.executors import Executor, InWorker
from .isolation.start import executor_for
from .journal import Journal
from .judging import Judge
from .operations import find_operation
from .problems import DTYPES
from .profiles import Profile
from .results import Telling, acceptance_of, not_run, profile_use, result_of
from .search import Search
from .targets import Target, UsageError, target_name
from .verdict import Acceptance, CheckResult, ProfileUse, Verdict

# Cases per dtype: more than two thousand in every dtype, within a minute or two on one core.
DEFAULT_EXAMPLES = 2100

Progress = Callable[[str, int, int], None]


def conform(
    operation: str | Operation,
    target: str | Target,
    *,
    device: str = "cpu",
    dtypes: Sequence[str] | None = None,
    examples: int = DEFAULT_EXAMPLES,
    seed: int = 0,
    only: Sequence[str] | None = None,
    profile: str | None = None,
    fail_fast: bool = False,
    large: bool = False,
    budget: float | None = None,
    isolate: bool = True,
    call_limit: float | None = None,
    journal: Path | None = None,
    resume: bool = False,
    explain: bool = True,
    progress: Progress | None = None,
) -> Verdict:
    """Holds `target` to the reference, the error bound and the laws of `operation`.

    Args:
        operation: the name of an operation of the catalogue, `path/file.py:operation`, or a contract.
        target: `module:callable`, `path/file.py:callable`, or the callable.
        device: where the tensors are put, in PyTorch's notation.
        dtypes: of `float64`, `float32`, `bfloat16`, `float16`; all of them by default, those that the target does not
            support being reported as not run.
        examples: cases per dtype.
        seed: of the cases.
        only: names of checks; all of them by default.
        profile: the loosest precision profile allowed, by name; the loosest default of each dtype if not given.
        fail_fast: end a dtype at the first check that fails, once its case has been made small.
        large: try the large cases of the operation, too, after the others.
        budget: seconds after which no further case is drawn, shared out evenly among the dtypes.
        isolate: call the target in a process of its own, which may crash or hang. Without, it is called in this one.
        call_limit: seconds that one call may take; a minute by default, and more for the first one.
        journal: the file in which what comes is written down.
        resume: go on with the run of which `journal` holds a part.
        explain: say of each failure where its errors are and which named fault it matches.
        progress: called with a dtype, the number of its cases done, and their total.

    Returns:
        The verdict. A target that fails is a verdict, not an exception.

    Raises:
        UsageError: an argument is not what it should be; the message quotes it and says what would be right.
    """
    contract = find_operation(operation) if isinstance(operation, str) else operation
    shown = target if isinstance(target, str) else target_name(target)
    checks = _chosen_checks(contract, only)
    names = _chosen_dtypes(dtypes)
    _check_device(device)
    if examples < 1:
        raise UsageError(f"examples {examples}: at least 1 case is needed")
    for name, seconds in (("budget", budget), ("call limit", call_limit)):
        if seconds is not None and not seconds > 0:
            raise UsageError(f"{name} {seconds:g}: it is a positive number of seconds")
    ladders = _ladders(contract, names, device, profile)
    results: list[CheckResult] = []
    profiles: dict[str, ProfileUse] = {}
    acceptance: dict[str, Acceptance] = {}
    executing = executor_for(
        target, shown, contract.signature, device, isolate=isolate, call_limit=call_limit, limited=not large
    )
    with warnings.catch_warnings(), executing as executor:
        # What an implementation warns of is not what it is judged by.
        warnings.simplefilter("ignore")
        request = {
            "operation": contract.name,
            "target": shown,
            "source": executor.source if isinstance(executor, InWorker) else None,
            "device": device,
            "dtypes": names,
            "examples": examples,
            "seed": seed,
            "checks": [check.name for check in checks],
            "profile": profile,
            "fail_fast": fail_fast,
            "large": large,
            "budget": budget,
            "versions": _versions(),
        }
        unsupported = {dtype: _unsupported(contract, executor, dtype, device) for dtype in names}
        if all(run is not None and run.error == "TypeError" for run in unsupported.values()):
            # Is it about the dtypes, or about the arguments? Others tell.
            others = [_unsupported(contract, executor, dtype, device) for dtype in DTYPES if dtype not in names]
            _check_first_calls(shown, [*unsupported.values(), *others])
        with _written(journal, request, resume=resume) as written:
            for place, dtype in enumerate(names):
                if refused := unsupported[dtype]:
                    results += not_run(checks, dtype, (refused.failure or "").removeprefix("raised "))
                    continue
                ended_fails_all = COMPLETES not in {check.name for check in checks}
                judge = Judge(contract, executor, dtype, device, ladders[dtype], ended_fails_all)
                search = Search(judge, checks, written)
                report = None if progress is None else _reporter(progress, dtype, examples)
                until = None if budget is None else _share(budget, written.spent, len(names) - place)
                search.run(examples, seed, report, fail_fast=fail_fast, until=until)
                if large and search.done and not search.out_of_time:
                    search.run_large(contract.large)
                acceptance[dtype] = acceptance_of(search)
                if not search.done:
                    reason = f"the target refused all {search.refused} cases drawn; the first: {search.first_refusal}"
                    results += not_run(checks, dtype, reason)
                    continue
                telling = Telling(shown, explain=explain)
                results += [result_of(search.tallies[check.name], dtype, telling) for check in checks]
                profiles[dtype] = profile_use(search)
    return Verdict(
        operation=contract.name,
        target=shown,
        device=device,
        dtypes=tuple(names),
        required=() if dtypes is None else tuple(names),
        checks=tuple(results),
        profiles=profiles,
        acceptance=acceptance,
        examples=examples,
        seed=seed,
        versions=_versions(),
    )


@contextmanager
def _written(path: Path | None, request: Mapping[str, Any], *, resume: bool) -> Iterator[Journal]:
    """The journal of a run."""
    if resume and path is None:
        raise UsageError("to go on with a run, its journal is needed")
    journal = Journal.resumed(path, request) if resume and path is not None else Journal(path, request)
    try:
        yield journal
    finally:
        journal.close()


def _share(budget: float, spent: float, dtypes_left: int) -> float:
    """The seconds of the run at which a dtype has had its part of what is left."""
    return spent + (budget - spent) / dtypes_left


def _chosen_checks(operation: Operation, only: Sequence[str] | None) -> tuple[Check, ...]:
    checks = checks_of(operation)
    if only is None:
        return checks
    known = [check.name for check in checks]
    for name in only:
        if name not in known:
            raise UsageError(f"check {name!r} is not one of {operation.name}: {', '.join(known)}")
    if not only:
        raise UsageError(f"only=(): name at least one check of {operation.name}: {', '.join(known)}")
    return tuple(check for check in checks if check.name in only)


def _chosen_dtypes(dtypes: Sequence[str] | None) -> list[str]:
    names = list(DTYPES) if dtypes is None else list(dict.fromkeys(dtypes))
    for name in names:
        if name not in DTYPES:
            raise UsageError(f"dtype {name!r} is not one of {', '.join(DTYPES)}")
    if not names:
        raise UsageError(f"dtypes=(): name at least one of {', '.join(DTYPES)}")
    return names


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except Exception as error:
        first = str(error).strip().splitlines()[0]
        raise UsageError(f"device {device!r} cannot be used: {first}") from error


def _ladders(
    operation: Operation, dtypes: Sequence[str], device: str, profile: str | None
) -> dict[str, tuple[Profile, ...]]:
    """Per dtype, the profiles to try, from the tightest to the loosest allowed."""
    ladders = {dtype: operation.profiles(dtype, device) for dtype in dtypes}
    if profile is None:
        return ladders
    named = {dtype: [p.name for p in ladder] for dtype, ladder in ladders.items()}
    if not any(profile in names for names in named.values()):
        known = sorted({name for names in named.values() for name in names})
        raise UsageError(f"profile {profile!r} is not one of {', '.join(known)}")
    return {
        dtype: ladder[: named[dtype].index(profile) + 1] if profile in named[dtype] else ladder
        for dtype, ladder in ladders.items()
    }


def _unsupported(operation: Operation, executor: Executor, dtype: str, device: str) -> Run | None:
    """The call of the smallest case if it says that the target does not take the dtype.

    Any other NotImplementedError may be about this very case: the search finds out.
    """
    problem = operation.build(operation.smallest, DTYPES[dtype]).without_gradient()
    (run,) = executor.submit(problem, dtype, device, ("plain",))()
    return run if run.error in ("TypeError", "MissingKernel") else None


def _check_first_calls(shown: str, runs: Sequence[Run | None]) -> None:
    """A TypeError in every dtype is not about the dtype, but about the arguments."""
    if runs and all(run is not None and run.error == "TypeError" for run in runs):
        said = (runs[0].failure or "").removeprefix("raised TypeError: ") if runs[0] is not None else ""
        raise UsageError(f"target {shown!r} does not take the arguments of its calling convention: {said}")


def _reporter(progress: Progress, dtype: str, examples: int) -> Callable[[int], None]:
    return lambda done: progress(dtype, done, examples)


def _versions() -> dict[str, str]:
    packages = ("lemmata", "torch", "numpy", "hypothesis")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
