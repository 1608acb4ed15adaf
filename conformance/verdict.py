"""Verdicts: what a conformance run says, as data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import isfinite
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

Status = Literal["passed", "failed", "warning", "not run"]

CONFORMS = "conforms"
DOES_NOT_CONFORM = "does not conform"

# Elements of an array that is written to JSON in full: a failing case that could be made small is far below it, and
# one that could not does not make a file of megabytes.
_JSON_ELEMENTS = 4096


@dataclass(frozen=True)
class Compared:
    """One array of a case beside its expectation and the bound on the error of each element.

    The numbers are float64, element by element in row-major order: tuples, so that verdicts can be compared.
    """

    name: str
    shape: tuple[int, ...]
    actual: tuple[float, ...]
    expected: tuple[float, ...]
    bound: tuple[float, ...]

    @classmethod
    def of(cls, name: str, actual: Array, expected: Array, bound: Array) -> Compared:
        """Of three arrays; `expected` and `bound` may be broadcast to the shape of `actual`."""
        shape = actual.shape
        flat = (tuple(np.broadcast_to(x, shape).astype(np.float64).ravel().tolist()) for x in (actual, expected, bound))
        return cls(name, shape, *flat)

    @property
    def errors(self) -> Array:
        """|actual − expected| in its shape: 0 for equal values, NaN and infinities included; ∞ where one is NaN."""
        actual, expected = (np.array(x, np.float64).reshape(self.shape) for x in (self.actual, self.expected))
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(actual - expected)
        equal = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
        return np.where(equal, 0.0, np.where(np.isnan(error), np.inf, error))

    @property
    def bounds(self) -> Array:
        """The bound in its shape."""
        return np.array(self.bound, np.float64).reshape(self.shape)

    @property
    def shares(self) -> Array:
        """The share of the bound that each error uses, in its shape; NaN where there is no finite bound."""
        errors, bounds = self.errors, self.bounds
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            share = np.where(errors > 0.0, errors / bounds, 0.0)
        return np.where(np.isfinite(bounds), share, np.nan)


@dataclass(frozen=True)
class Failure:
    """The smallest case found in which a check failed.

    Attributes:
        message: what was wrong, with indices, values and the bound.
        case: the case, as Python code.
        code: a self-contained script that shows it.
        compared: the arrays of the case that the check compared, if it compares arrays.
        explanation: lines that name the fault and say where it is.
        cause: what ended the call, such as `crash` or `hang`, if the target did not return.
    """

    message: str
    case: str
    code: str
    compared: tuple[Compared, ...] = ()
    explanation: tuple[str, ...] = ()
    cause: str | None = None


@dataclass(frozen=True)
class CheckResult:
    """One check in one dtype.

    Attributes:
        status: `passed`; `failed`; `warning`, a convention that differs from the stricter one; or `not run`.
        decides: whether the verdict depends on it; a check that only warns does not decide.
        worst: the largest share of the bound used, infinite where nothing is allowed; None if there is no bound.
        cases: cases to which the check applied.
        vacuous: share of compared elements whose bound is infinite, so that nothing is said about them.
        statement: label of the proved statement that the check tests, if it is one.
        reason: why the check was not run.
        sizes: of a sample of the cases, how many elements each compares and the largest share of the bound.
        meaning: what it means that it passes, in one sentence.
    """

    name: str
    dtype: str
    status: Status
    decides: bool = True
    worst: float | None = None
    cases: int = 0
    vacuous: float = 0.0
    statement: str | None = None
    reason: str | None = None
    failure: Failure | None = None
    sizes: tuple[tuple[int, float], ...] = ()
    meaning: str = ""


@dataclass(frozen=True)
class ProfileUse:
    """The profile that an implementation was held to in a dtype, and the tightest one that it met (None: none).

    Attributes:
        description: of the one that it met or, if there is none, of the one that it was held to.
        next_tighter: the profile before the one that it met, if there is one.
        missed_by: the largest share of the bound of `next_tighter` that was used, more than 1.
    """

    held_to: str
    met: str | None
    description: str
    next_tighter: str | None = None
    missed_by: float | None = None


@dataclass(frozen=True)
class Acceptance:
    """How many of the cases drawn in a dtype the target accepted, what it said when it first refused one, and why no
    further one was drawn, where it was neither for their number nor for refusals."""

    accepted: int
    refused: int
    first_refusal: str | None
    stopped: str | None = None

    @property
    def drawn(self) -> int:
        """Cases drawn."""
        return self.accepted + self.refused


@dataclass(frozen=True)
class Verdict:
    """Whether a target conforms to the contract of an operation, with the evidence.

    Attributes:
        checks: one result per check and dtype.
        profiles: per dtype in which the target accepted a case.
        acceptance: per dtype in which cases were drawn.
        examples: cases asked for per dtype.
        required: dtypes without which the verdict cannot be `conforms`: those that were asked for by name.
    """

    operation: str
    target: str
    device: str
    dtypes: tuple[str, ...]
    required: tuple[str, ...]
    checks: tuple[CheckResult, ...]
    profiles: Mapping[str, ProfileUse]
    acceptance: Mapping[str, Acceptance]
    examples: int
    seed: int
    versions: Mapping[str, str]

    @property
    def conforms(self) -> bool:
        """Whether nothing stands against it."""
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """What stands against `conforms`: what failed, and what had to be run and was not.

        A dtype that the target does not take counts only if it was asked for by name. In every other one each check
        that decides must have run, on as many cases as were asked for, unless it or another check failed first.
        """
        failed = [check for check in self.checks if check.status == "failed"]
        reasons = [f"{check.name} ({check.dtype}) failed" for check in failed]
        reasons += [f"{dtype} was asked for and not run" for dtype in self.required if dtype not in self.profiles]
        if not self.profiles:
            reasons.append("no dtype was run")
        for check in self.checks:
            if check.decides and check.status == "not run" and check.dtype in self.profiles:
                reasons.append(f"{check.name} ({check.dtype}) was not run: {check.reason}")
        for dtype in self.profiles:
            taken = self.acceptance[dtype]
            if taken.refused and taken.accepted < self.examples and not any(c.dtype == dtype for c in failed):
                reasons.append(f"{dtype}: {taken.accepted:,} of {self.examples:,} cases were run")
        return tuple(reasons)

    @property
    def verdict(self) -> str:
        """`conforms` or `does not conform`."""
        return CONFORMS if self.conforms else DOES_NOT_CONFORM

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain data for `json.dumps`, as `json_schema` says; an infinite share is the text "inf"."""
        return {
            "operation": self.operation,
            "target": self.target,
            "device": self.device,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "profile": {dtype: _profile_to_json(use) for dtype, use in self.profiles.items()},
            "dtypes": list(self.dtypes),
            "checks": [_check_to_json(check) for check in self.checks],
            "acceptance": {dtype: dict(vars(taken)) for dtype, taken in self.acceptance.items()},
            "examples": self.examples,
            "seed": self.seed,
            "versions": dict(self.versions),
        }


def json_schema() -> dict[str, Any]:
    """The schema of `Verdict.to_json`, in JSON Schema 2020-12."""
    schema: dict[str, Any] = json.loads(files(__package__).joinpath("verdict.schema.json").read_text(encoding="utf-8"))
    return schema


def _profile_to_json(use: ProfileUse) -> dict[str, Any]:
    return {
        "held_to": use.held_to,
        "met": use.met,
        "next_tighter": use.next_tighter,
        "missed_by": None if use.missed_by is None else _number(use.missed_by),
    }


def _check_to_json(check: CheckResult) -> dict[str, Any]:
    return {
        "name": check.name,
        "dtype": check.dtype,
        "status": check.status,
        "decides": check.decides,
        "worst": None if check.worst is None else _number(check.worst),
        "cases": check.cases,
        "vacuous": check.vacuous,
        "statement": check.statement,
        "reason": check.reason,
        "failure": None if check.failure is None else _failure_to_json(check.failure),
        "sizes": [[elements, _number(share)] for elements, share in check.sizes],
        "meaning": check.meaning,
    }


def _failure_to_json(failure: Failure) -> dict[str, Any]:
    return {
        "message": failure.message,
        "case": failure.case,
        "code": failure.code,
        "cause": failure.cause,
        "explanation": list(failure.explanation),
        "compared": [_compared_to_json(compared) for compared in failure.compared],
    }


def _compared_to_json(compared: Compared) -> dict[str, Any]:
    written = len(compared.actual) <= _JSON_ELEMENTS
    return {
        "name": compared.name,
        "shape": list(compared.shape),
        "actual": _numbers(compared.actual) if written else None,
        "expected": _numbers(compared.expected) if written else None,
        "bound": _numbers(compared.bound) if written else None,
    }


def _numbers(values: Sequence[float]) -> list[float | str]:
    return [_number(value) for value in values]


def _number(value: float) -> float | str:
    """A finite number, or the text `inf`, `-inf` or `nan`: JSON has no such numbers."""
    return value if isfinite(value) else str(value)
