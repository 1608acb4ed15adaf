"""What a run has found in one dtype, which can be written down and read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .verdict import Acceptance, CheckResult, Compared, Failure, ProfileUse, Verdict


@dataclass(frozen=True)
class Found:
    """The part of a verdict that is about one dtype.

    Attributes:
        profile: None where the target accepted no case.
        acceptance: None where no case was drawn.
    """

    checks: tuple[CheckResult, ...]
    profile: ProfileUse | None = None
    acceptance: Acceptance | None = None

    @staticmethod
    def of(verdict: Verdict, dtype: str) -> Found:
        """What a verdict says of a dtype."""
        checks = tuple(check for check in verdict.checks if check.dtype == dtype)
        return Found(checks, verdict.profiles.get(dtype), verdict.acceptance.get(dtype))

    def to_record(self) -> dict[str, Any]:
        """It as plain data for `json.dumps`, with every array in full; infinities and NaN as Python writes them."""
        return asdict(self)

    @staticmethod
    def from_record(record: Mapping[str, Any]) -> Found:
        """What such data say."""
        profile, acceptance = record["profile"], record["acceptance"]
        return Found(
            tuple(map(_check, record["checks"])),
            None if profile is None else ProfileUse(**profile),
            None if acceptance is None else Acceptance(**acceptance),
        )


def _check(record: Mapping[str, Any]) -> CheckResult:
    failure = record["failure"]
    sizes = tuple((elements, share) for elements, share in record["sizes"])
    return CheckResult(**{**record, "sizes": sizes, "failure": None if failure is None else _failure(failure)})


def _failure(record: Mapping[str, Any]) -> Failure:
    compared = tuple(map(_compared, record["compared"]))
    return Failure(**{**record, "compared": compared, "explanation": tuple(record["explanation"])})


def _compared(record: Mapping[str, Any]) -> Compared:
    name = record["name"]
    return Compared(name, *(tuple(record[part]) for part in ("shape", "actual", "expected", "bound")))
