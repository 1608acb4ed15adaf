"""The runner: holds a target to the contract of an operation, case by case, and shrinks what fails."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version

import torch

from .cases import case_code
from .checks import checks_of
from .contracts import Check, Operation
from .execution import execute
from .operations import find_operation
from .problems import DTYPES
from .profiles import Profile
from .reproduce import reproduction
from .search import Search, Tally
from .targets import Target, UsageError, check_signature, load_target, target_name
from .verdict import Acceptance, CheckResult, Failure, ProfileUse, Status, Verdict

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
        progress: called with a dtype, the number of its cases done, and their total.

    Returns:
        The verdict. A target that fails is a verdict, not an exception.

    Raises:
        UsageError: an argument is not what it should be; the message quotes it and says what would be right.
    """
    contract = find_operation(operation) if isinstance(operation, str) else operation
    function = load_target(target) if isinstance(target, str) else target
    shown = target if isinstance(target, str) else target_name(target)
    checks = _chosen_checks(contract, only)
    names = _chosen_dtypes(dtypes)
    _check_device(device)
    if examples < 1:
        raise UsageError(f"examples {examples}: at least 1 case is needed")
    check_signature(function, shown, *contract.signature)
    ladders = _ladders(contract, names, device, profile)

    with warnings.catch_warnings():
        # What an implementation warns of is not what it is judged by.
        warnings.simplefilter("ignore")
        unsupported = {dtype: _dtype_error(contract, function, dtype, device) for dtype in names}
        _check_first_calls(shown, unsupported)
        results: list[CheckResult] = []
        profiles: dict[str, ProfileUse] = {}
        acceptance: dict[str, Acceptance] = {}
        for dtype in names:
            if error := unsupported[dtype]:
                results += _not_run(checks, dtype, f"{type(error).__name__}: {error}")
                continue
            search = Search(contract, function, dtype, device, ladders[dtype], checks)
            report = None if progress is None else _reporter(progress, dtype, examples)
            search.run(examples, seed, report, fail_fast=fail_fast)
            acceptance[dtype] = Acceptance(search.done, search.refused, search.first_refusal)
            if not search.done:
                reason = f"the target refused all {search.refused} cases drawn; the first: {search.first_refusal}"
                results += _not_run(checks, dtype, reason)
                continue
            results += [_result(search.tallies[check.name], dtype, shown) for check in checks]
            profiles[dtype] = _profile_use(search)
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


def _dtype_error(operation: Operation, target: Target, dtype: str, device: str) -> Exception | None:
    """What the target raises for the smallest case if that says that it does not take the dtype.

    Any other NotImplementedError may be about this very case: the search finds out.
    """
    problem = operation.build(operation.smallest, DTYPES[dtype]).without_gradient()
    error = execute(target, problem, dtype, device).error
    # PyTorch's wording for an operator without a kernel for a dtype.
    missing_kernel = isinstance(error, RuntimeError) and "not implemented for" in str(error)
    return error if isinstance(error, TypeError) or missing_kernel else None


def _not_run(checks: Sequence[Check], dtype: str, reason: str) -> list[CheckResult]:
    return [
        CheckResult(check.name, dtype, "not run", check.decides, statement=check.statement, reason=reason)
        for check in checks
    ]


def _check_first_calls(shown: str, unsupported: dict[str, Exception | None]) -> None:
    """A TypeError in every dtype is not about the dtype, but about the arguments."""
    errors = list(unsupported.values())
    if errors and all(isinstance(error, TypeError) for error in errors):
        raise UsageError(f"target {shown!r} does not take the arguments of its calling convention: {errors[0]}")


def _reporter(progress: Progress, dtype: str, examples: int) -> Callable[[int], None]:
    return lambda done: progress(dtype, done, examples)


def _result(tally: Tally, dtype: str, target: str) -> CheckResult:
    check, found = tally.check, tally.failure
    failure = None
    if found is not None:
        code = reproduction(target, check, found)
        failure = Failure(found.finding.failure or "", case_code(found.trial.case), code)
    vacuous = tally.vacuous / tally.elements if tally.elements else 0.0
    reason = None
    status: Status
    if failure is not None:
        status = "failed" if check.decides else "warning"
    elif tally.cases == 0:
        status, reason = "not run", "no case that was drawn applies to it"
    elif vacuous == 1.0:
        status, reason = "not run", "every bound is infinite: the declared formats overflow"
    else:
        status = "passed"
    return CheckResult(
        name=check.name,
        dtype=dtype,
        status=status,
        decides=check.decides,
        worst=tally.worst if check.bounded else None,
        cases=tally.cases,
        vacuous=vacuous,
        statement=check.statement,
        reason=reason,
        failure=failure,
    )


def _profile_use(search: Search) -> ProfileUse:
    broken = any(t.failure is not None and t.check.bounded for t in search.tallies.values())
    held_to, reached = search.ladder[-1], search.ladder[search.rung]
    met = None if broken else reached.name
    return ProfileUse(held_to.name, met, held_to.description if broken else reached.description)


def _versions() -> dict[str, str]:
    packages = ("lemmata", "torch", "numpy", "hypothesis")
    return {"python": platform.python_version()} | {name: version(name) for name in packages}
