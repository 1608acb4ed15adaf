"""The words of a verdict: what the report in the terminal, the page and the test results all say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Literal, NamedTuple

from .verdict import CheckResult, Status, Verdict

Tone = Literal["good", "doubt", "bad", "plain"]

# How a status is meant to look.
TONES: dict[Status, Tone] = {"passed": "good", "failed": "bad", "warning": "doubt", "not run": "plain"}

# Shares from here on are written as a power of ten.
_COUNTABLE = 1e5

# What the checks are called that are not told one by one.
OTHERS = "checks without a bound"

LEGEND = "Numbers: the largest share of the derived error bound that was used; more than 1 fails."


class Line(NamedTuple):
    """A line of words and how it is meant."""

    text: str
    tone: Tone


def headline(verdict: Verdict) -> Line:
    """Whether it conforms and, if so, in which dtypes and with what limits."""
    if not verdict.conforms:
        return Line(f"{verdict.verdict} to {verdict.operation}", "bad")
    ran, left = list(verdict.profiles), [dtype for dtype in verdict.dtypes if dtype not in verdict.profiles]
    words = f"{verdict.verdict} to {verdict.operation} in {', '.join(ran)}"
    limits = [f"{', '.join(left)} not run"] if left else []
    if any(taken.refused and taken.accepted for taken in verdict.acceptance.values()):
        limits.append("some calls refused")
    if any(verdict.acceptance[dtype].accepted < verdict.examples for dtype in ran):
        limits.append("fewer cases than asked for")
    return Line(f"{words}; {'; '.join(limits)}", "doubt") if limits else Line(words, "good")


def rows(verdict: Verdict) -> dict[str, list[CheckResult]]:
    """By name of a check, its results in the order of the dtypes."""
    by_place = {(check.name, check.dtype): check for check in verdict.checks}
    names = dict.fromkeys(check.name for check in verdict.checks)
    return {name: [by_place[name, dtype] for dtype in verdict.dtypes] for name in names}


def without_a_word(verdict: Verdict) -> dict[str, list[CheckResult]]:
    """The rows that need none of their own: checks without a bound that passed in every dtype that was run."""
    found = {
        name: row
        for name, row in rows(verdict).items()
        if all(c.worst is None and (c.status == "passed" or c.dtype not in verdict.profiles) for c in row)
    }
    return found if len(found) > 1 and verdict.profiles else {}


def met(verdict: Verdict, dtype: str) -> str:
    """The profile met in a dtype, in two words at most."""
    use = verdict.profiles.get(dtype)
    return "not run" if use is None else use.met or f"not {use.held_to}"


def cases(row: Sequence[CheckResult]) -> str:
    """The cases of a check: a range where they differ between the dtypes that were run."""
    counts = [check.cases for check in row if check.cases]
    if not counts:
        return "0"
    least, most = min(counts), max(counts)
    return f"{most:,}" if least == most else f"{least:,}–{most:,}"


def share(worst: float) -> str:
    """A share of the bound; beyond what anyone would count, its size alone."""
    if not isfinite(worst):
        return "∞"
    return f"{worst:.2f}" if worst < _COUNTABLE else f"{worst:.1e}"


def result(check: CheckResult) -> str:
    """The status of a check and, if there is a bound, the largest share of it."""
    return check.status if check.worst is None or check.status == "not run" else f"{check.status} {share(check.worst)}"


def title(check: CheckResult) -> str:
    """Check, dtype and statement."""
    return f"{check.name}, {check.dtype}" + ("" if check.statement is None else f" (statement {check.statement})")


def notes(verdict: Verdict) -> Iterator[Line]:
    """What there is to say of the checks that have no row, of each dtype, then the warnings."""
    if silent := without_a_word(verdict):
        yield Line(f"{OTHERS}: {', '.join(silent)}", "plain")
    for dtype in verdict.dtypes:
        for line in _dtype_notes(verdict, dtype):
            yield Line(f"{dtype}: {line.text}", line.tone)
    for name, row in rows(verdict).items():
        if warned := [check for check in row if check.status == "warning"]:
            message = warned[0].failure.message if warned[0].failure is not None else ""
            yield Line(f"warning: {name} ({', '.join(check.dtype for check in warned)}): {message}", "doubt")


def _dtype_notes(verdict: Verdict, dtype: str) -> Iterator[Line]:
    checks = [check for check in verdict.checks if check.dtype == dtype]
    use, taken = verdict.profiles.get(dtype), verdict.acceptance.get(dtype)
    if use is None:
        yield Line(f"not run: {checks[0].reason}", "doubt")
        return
    stood = f"meets profile {use.met}" if use.met else f"does not meet profile {use.held_to}"
    yield Line(f"{stood} ({use.description})", "plain")
    if use.next_tighter is not None:
        by = "" if use.missed_by is None else f": {share(use.missed_by)} times its bound"
        yield Line(f"misses {use.next_tighter}, the next tighter profile{by}", "plain")
    if taken is not None and taken.refused:
        refused = f"refused {taken.refused:,} of {taken.drawn:,} cases drawn; the first: {taken.first_refusal}"
        yield Line(refused, "doubt")
    if taken is not None and taken.stopped is not None:
        yield Line(f"stopped after {taken.drawn:,} cases: {taken.stopped}", "doubt")
    if vacuous := [f"{check.name} {check.vacuous:.1%}" for check in checks if check.vacuous]:
        yield Line(f"elements without a finite bound, as a format may overflow: {', '.join(vacuous)}", "plain")
    for reason in dict.fromkeys(check.reason for check in checks if check.status == "not run"):
        names = ", ".join(check.name for check in checks if check.status == "not run" and check.reason == reason)
        yield Line(f"not run: {names}: {reason}", "doubt")
