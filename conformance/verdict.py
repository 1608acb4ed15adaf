"""Verdicts: what a conformance run says, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

Status = Literal["passed", "failed", "warning", "not run"]

CONFORMS = "conforms"
DOES_NOT_CONFORM = "does not conform"


@dataclass(frozen=True)
class Failure:
    """The smallest case found in which a check failed.

    Attributes:
        message: what was wrong, with indices, values and the bound.
        case: the case, as Python code.
        code: a self-contained script that shows it.
    """

    message: str
    case: str
    code: str


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


@dataclass(frozen=True)
class ProfileUse:
    """The profile that an implementation was held to in a dtype, and the tightest one that it met (None: none).

    `description` is of the one that it met or, if there is none, of the one that it was held to.
    """

    held_to: str
    met: str | None
    description: str


@dataclass(frozen=True)
class Acceptance:
    """How many of the cases drawn in a dtype the target accepted, and what it said when it first refused one."""

    accepted: int
    refused: int
    first_refusal: str | None

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
        """The verdict as plain data for `json.dumps`; an infinite share is the text "inf"."""
        return {
            "operation": self.operation,
            "target": self.target,
            "device": self.device,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "profile": {dtype: {"held_to": use.held_to, "met": use.met} for dtype, use in self.profiles.items()},
            "dtypes": list(self.dtypes),
            "checks": [_check_to_json(check) for check in self.checks],
            "acceptance": {
                dtype: {"accepted": x.accepted, "refused": x.refused, "first_refusal": x.first_refusal}
                for dtype, x in self.acceptance.items()
            },
            "examples": self.examples,
            "seed": self.seed,
            "versions": dict(self.versions),
        }


def _check_to_json(check: CheckResult) -> dict[str, Any]:
    worst = check.worst
    failure = check.failure
    return {
        "name": check.name,
        "dtype": check.dtype,
        "status": check.status,
        "decides": check.decides,
        "worst": worst if worst is None or isfinite(worst) else str(worst),
        "cases": check.cases,
        "vacuous": check.vacuous,
        "statement": check.statement,
        "reason": check.reason,
        "failure": None
        if failure is None
        else {"message": failure.message, "case": failure.case, "code": failure.code},
    }
