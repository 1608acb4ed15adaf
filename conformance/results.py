"""Results: what a search has found, as the parts of a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from .cases import case_code
from .checks import FORWARD, GRADIENT
from .contracts import Check, FailedTrial
from .execution import ENDINGS
from .found import Found
from .named_faults import explain
from .problems import shown, shown_gradient
from .reproduce import reproduction
from .search import Search, Tally
from .verdict import Acceptance, CheckResult, Compared, Failure, ProfileUse, Status


def not_run(checks: Sequence[Check], dtype: str, reason: str) -> list[CheckResult]:
    """The checks in a dtype in which none was run."""
    return [
        CheckResult(
            check.name,
            dtype,
            "not run",
            check.decides,
            statement=check.statement,
            reason=reason,
            meaning=check.meaning,
        )
        for check in checks
    ]


class Telling:
    """How failures are told: with a script, the arrays, and, once for each case, an explanation."""

    def __init__(self, target: str, *, explain: bool) -> None:
        self._target, self._explains = target, explain
        self._explained: dict[str, tuple[str, ...]] = {}

    def failure(self, check: Check, found: FailedTrial) -> Failure:
        """What there is to say of a check that failed."""
        case = case_code(found.trial.case)
        ended = found.finding.broken in ENDINGS
        if self._explains and not ended and check.decides and case not in self._explained:
            self._explained[case] = tuple(explain(found).lines())
        return Failure(
            found.finding.failure or "",
            case,
            reproduction(self._target, check, found),
            compared=() if ended else _compared(check, found),
            explanation=self._explained.get(case, ()) if check.decides else (),
            cause=ENDINGS.get(found.finding.broken or ""),
        )


def _compared(check: Check, found: FailedTrial) -> tuple[Compared, ...]:
    """The arrays that the accuracy checks compare, in the case in which one of them failed."""
    trial = found.trial
    if check.name not in (FORWARD, GRADIENT) or not trial.run.complete:
        return ()
    bound = trial.bound(found.profile)
    pairs = {
        FORWARD: (trial.outputs, trial.expected.outputs, bound.outputs),
        GRADIENT: (trial.gradients, trial.expected.gradients, bound.gradients),
    }
    actual, expected, allowed = pairs[check.name]
    name = shown if check.name == FORWARD else shown_gradient
    return tuple(Compared.of(name(k), x, expected[k], allowed[k]) for k, x in actual.items())


def found_by(search: Search, telling: Telling) -> Found:
    """What a search has found, one result for each of its checks."""
    taken, checks = acceptance_of(search), [tally.check for tally in search.tallies.values()]
    if not search.done:
        reason = f"the target refused all {search.refused} cases drawn; the first: {search.first_refusal}"
        return Found(tuple(not_run(checks, search.dtype, reason)), None, taken)
    results = tuple(result_of(tally, search.dtype, telling) for tally in search.tallies.values())
    return Found(results, profile_use(search), taken)


def result_of(tally: Tally, dtype: str, telling: Telling) -> CheckResult:
    """What a check has found in a dtype."""
    check, found = tally.check, tally.failure
    failure = None if found is None else telling.failure(check, found)
    vacuous = tally.vacuous / tally.elements if tally.elements else 0.0
    reason = None
    status: Status
    if failure is not None:
        status = "failed" if check.decides else "warning"
    elif tally.cases == 0:
        status, reason = "not run", "no case that was drawn applies to it"
    elif tally.says_nothing:
        status = "not run"
        reason = "every bound is infinite: the declared formats overflow" if tally.elements else "nothing to compare"
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
        sizes=tuple(tally.sizes),
        meaning=check.meaning,
    )


def profile_use(search: Search) -> ProfileUse:
    """The profile that a dtype was held to, and the one that it met."""
    broken = any(t.failure is not None and t.check.grades for t in search.tallies.values())
    held_to, reached = search.ladder[-1], search.ladder[search.rung]
    if broken:
        return ProfileUse(held_to.name, None, held_to.description)
    tighter = search.ladder[search.rung - 1].name if search.rung else None
    missed_by = search.missed_by if tighter is not None and isfinite(search.missed_by) else None
    return ProfileUse(held_to.name, reached.name, reached.description, tighter, missed_by)


def acceptance_of(search: Search) -> Acceptance:
    """How many of the cases drawn the target took."""
    stopped = None
    if search.gave_up:
        stopped = "calls ended too many processes, or ran into their limit"
    elif search.out_of_time:
        stopped = "the time for the dtype was up"
    return Acceptance(search.done, search.refused, search.first_refusal, stopped)
