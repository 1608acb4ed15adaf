"""Results: what a search has found, as the parts of a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from .cases import case_code
from .contracts import Check
from .reproduce import reproduction
from .search import Search, Tally
from .verdict import Acceptance, CheckResult, Failure, ProfileUse, Status


def not_run(checks: Sequence[Check], dtype: str, reason: str) -> list[CheckResult]:
    """The checks in a dtype in which none was run."""
    return [
        CheckResult(check.name, dtype, "not run", check.decides, statement=check.statement, reason=reason)
        for check in checks
    ]


def result_of(tally: Tally, dtype: str, target: str) -> CheckResult:
    """What a check has found in a dtype."""
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


def profile_use(search: Search) -> ProfileUse:
    """The profile that a dtype was held to, and the one that it met."""
    broken = any(t.failure is not None and t.check.bounded for t in search.tallies.values())
    held_to, reached = search.ladder[-1], search.ladder[search.rung]
    met = None if broken else reached.name
    return ProfileUse(held_to.name, met, held_to.description if broken else reached.description)


def acceptance_of(search: Search) -> Acceptance:
    """How many of the cases drawn the target took."""
    return Acceptance(search.done, search.refused, search.first_refusal)
