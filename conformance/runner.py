"""The runner: holds a target to the contract of an operation, case by case, and shrinks what fails."""

from __future__ import annotations

import os
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
from .found import Found
from .isolation.executors import Executor, InWorker
from .isolation.start import executor_for
from .journal import Journal
from .judging import Judge
from .operations import find_operation
from .parts import Part, running, split
from .problems import DTYPES
from .profiles import Profile
from .results import Telling, found_by, not_run
from .search import Search
from .targets import Target, UsageError, target_name
from .verdict import Verdict

# Cases per dtype: more than two thousand in every dtype, within a minute or two on one core.
DEFAULT_EXAMPLES = 2100
# From so many on it is worth starting another process, which takes seconds, to judge other dtypes beside this one.
_LONG = 1000

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
    processes: int | None = None,
    isolate: bool = True,
    call_limit: float | None = None,
    journal: Path | Journal | None = None,
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
        examples: cases per dtype; more are drawn, at most 300, if one of the checks that decide applied to none.
        seed: of the cases.
        only: names of checks; all of them by default.
        profile: the loosest precision profile allowed, by name; the loosest default of each dtype if not given.
        fail_fast: end a dtype at the first check that fails, once its case has been made small.
        large: try the large cases of the operation, too, after the others.
        budget: seconds after which no further case is drawn, shared out evenly among the dtypes.
        processes: that judge dtypes side by side, this one included; more than one for an operation and a target that
            are given by name, as each process finds them itself. If not given, one a core where that is so, in a run
            of a thousand cases or more per dtype on the CPU that has no budget and no large cases.
        isolate: call the target in a process of its own, which may crash or hang. Without, it is called in this one.
        call_limit: seconds that one call may take; a minute by default, and more for the first one.
        journal: the file in which what comes is written down, or one that is open.
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
    _check_numbers(examples, processes, budget, call_limit)
    named = isinstance(operation, str) and isinstance(target, str)
    if processes is None:
        long = examples >= _LONG and budget is None and not large and device.startswith("cpu") and isolate
        processes = (os.cpu_count() or 1) if named and long else 1
    if processes > 1 and not named:
        raise UsageError(f"processes {processes}: more than 1 are for an operation and a target that are given by name")
    ladders = _ladders(contract, names, device, profile)
    executing = executor_for(
        target, shown, contract.signature, device, isolate=isolate, call_limit=call_limit, limited=not large
    )
    found: dict[str, Found] = {}
    with warnings.catch_warnings(), executing as executor:
        # What an implementation warns of is not what it is judged by.
        warnings.simplefilter("ignore")
        common = {
            "target": shown,
            "device": device,
            "examples": examples,
            "seed": seed,
            "profile": profile,
            "fail_fast": fail_fast,
            "large": large,
            "budget": budget,
        }
        request = common | {
            "operation": contract.name,
            "source": executor.source if isinstance(executor, InWorker) else None,
            "dtypes": names,
            "checks": [check.name for check in checks],
            "processes": processes,
            "versions": _versions(),
        }
        for dtype, refused in _unsupported(contract, executor, names, device, shown).items():
            reason = (refused.failure or "").removeprefix("raised ")
            found[dtype] = Found(tuple(not_run(checks, dtype, reason)))
        mine, *rest = split([dtype for dtype in names if dtype not in found], processes)
        asked = common | {
            "operation": operation,
            "only": only,
            "isolate": isolate,
            "call_limit": call_limit,
            "explain": explain,
            "processes": 1,
        }
        for_others = [
            # Some dtypes do not have the profile, and are held to their own loosest one.
            asked | {"dtypes": part, "profile": profile if profile in {ladders[d][-1].name for d in part} else None}
            for part in rest
        ]
        report = None if progress is None else _reporter(progress, examples)
        with (
            _written(journal, request, resume=resume) as written,
            running(for_others, written, report) as parts,
        ):
            for place, dtype in enumerate(mine):
                ended_fails_all = COMPLETES not in {check.name for check in checks}
                judge = Judge(contract, executor, dtype, device, ladders[dtype], ended_fails_all)
                search = Search(judge, checks, written)
                until = None if budget is None else _share(budget, written.spent, len(mine) - place)
                search.run(examples, seed, _told(report, dtype, parts), fail_fast=fail_fast, until=until)
                if large and search.done and not search.out_of_time:
                    search.run_large(contract.large)
                found[dtype] = found_by(search, Telling(shown, explain=explain))
            for part in parts:
                found |= part.found()
    return Verdict(
        operation=contract.name,
        target=shown,
        device=device,
        dtypes=tuple(names),
        required=() if dtypes is None else tuple(names),
        checks=tuple(check for dtype in names for check in found[dtype].checks),
        profiles={dtype: use for dtype in names if (use := found[dtype].profile) is not None},
        acceptance={dtype: taken for dtype in names if (taken := found[dtype].acceptance) is not None},
        examples=examples,
        seed=seed,
        versions=_versions(),
    )


@contextmanager
def _written(path: Path | Journal | None, request: Mapping[str, Any], *, resume: bool) -> Iterator[Journal]:
    """The journal of a run."""
    if isinstance(path, Journal):
        yield path
        return
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


def _check_numbers(examples: int, processes: int | None, budget: float | None, call_limit: float | None) -> None:
    if examples < 1:
        raise UsageError(f"examples {examples}: at least 1 case is needed")
    if processes is not None and processes < 1:
        raise UsageError(f"processes {processes}: at least 1 is needed")
    for name, seconds in (("budget", budget), ("call limit", call_limit)):
        if seconds is not None and not seconds > 0:
            raise UsageError(f"{name} {seconds:g}: it is a positive number of seconds")


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


def _unsupported(
    operation: Operation, executor: Executor, dtypes: Sequence[str], device: str, shown: str
) -> dict[str, Run]:
    """The first calls that say that the target does not take their dtype.

    Raises:
        UsageError: a TypeError in every dtype there is: it is not about the dtype, but about the arguments.
    """
    calls = {dtype: _first_call(operation, executor, dtype, device) for dtype in dtypes}
    if all(run.error == "TypeError" for run in calls.values()):
        others = [_first_call(operation, executor, dtype, device) for dtype in DTYPES if dtype not in dtypes]
        if all(run.error == "TypeError" for run in others):
            said = (calls[dtypes[0]].failure or "").removeprefix("raised TypeError: ")
            raise UsageError(f"target {shown!r} does not take the arguments of its calling convention: {said}")
    # Any other NotImplementedError may be about this very case: the search finds out.
    return {dtype: run for dtype, run in calls.items() if run.error in ("TypeError", "MissingKernel")}


def _first_call(operation: Operation, executor: Executor, dtype: str, device: str) -> Run:
    """The call of the smallest case."""
    problem = operation.build(operation.smallest, DTYPES[dtype]).without_gradient()
    (run,) = executor.submit(problem, dtype, device, ("plain",))()
    return run


def _reporter(progress: Progress, examples: int) -> Callable[[str, int], None]:
    return lambda dtype, done: progress(dtype, done, examples)


def _told(report: Callable[[str, int], None] | None, dtype: str, parts: Sequence[Part]) -> Callable[[int], None] | None:
    """Says how many cases of a dtype are done, and lets the parts say the same of theirs."""
    if report is None:
        return None

    def tell(done: int) -> None:
        report(dtype, done)
        for part in parts:
            part.poll()

    return tell


def _versions() -> dict[str, str]:
    packages = ("lemmata", "torch", "numpy", "hypothesis")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
