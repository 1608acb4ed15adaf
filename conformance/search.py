"""The search: draws cases with Hypothesis, holds every check against each, and shrinks the cases that fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import hypothesis
from hypothesis.errors import Flaky

from .compare import Finding
from .contracts import Check, FailedTrial, Operation, Trial
from .profiles import Profile
from .targets import Target

# Calls spent on making one failing case smaller: enough to reach a case of a few numbers from most cases.
_SHRINK_CALLS = 400
# A target that refuses so many cases, and nothing else, takes none in this dtype.
_REFUSED_FROM_THE_START = 300
# Cases drawn for each case asked for, at most: a kernel for two or three head dimensions accepts one in ten or so.
_DRAWS_PER_CASE = 20
# Each further search starts from another seed, far from those that users choose.
_SEED_STEP = 1_000_003


class _CheckFailed(Exception):
    """The check in focus failed; Hypothesis shrinks towards the smallest case that raises this."""


def _fail() -> NoReturn:
    """Raises in one place: two places are two failures to Hypothesis, which then shrinks neither well."""
    raise _CheckFailed


class _Enough(BaseException):
    """Ends a search from inside; not an Exception, which Hypothesis would take for a failure."""


@dataclass
class Tally:
    """What one check has seen so far in one dtype."""

    check: Check
    cases: int = 0
    worst: float = 0.0
    elements: int = 0
    vacuous: int = 0
    failure: FailedTrial | None = None

    def count(self, finding: Finding) -> None:
        """Adds the finding of one more case."""
        self.cases += 1
        self.worst = max(self.worst, finding.share)
        self.elements += finding.elements
        self.vacuous += finding.vacuous


class Search:
    """The cases of one operation on one target in one dtype.

    A case passes a check if it does so under one of the profiles of the ladder, from the rung reached so far on.
    The rung only moves up, so that what was met on a lower one was met on every later one: profiles nest.
    """

    def __init__(
        self,
        operation: Operation,
        target: Target,
        dtype: str,
        device: str,
        ladder: Sequence[Profile],
        checks: Sequence[Check],
    ) -> None:
        self.ladder = ladder
        self.rung = 0
        self.done = 0
        """Cases that the target accepted."""
        self.refused = 0
        self.first_refusal: str | None = None
        self.tallies = {check.name: Tally(check) for check in checks}
        self._operation, self._target, self._dtype, self._device = operation, target, dtype, device
        self._active = list(checks)
        self._focus: Check | None = None
        self._calls_in_focus = 0
        self._found: FailedTrial | None = None
        self._limit = 0
        self._report: Callable[[int], None] | None = None

    def run(self, examples: int, seed: int, report: Callable[[int], None] | None, *, fail_fast: bool = False) -> None:
        """Tries cases until the target has accepted `examples` of them, or has refused too many.

        A check that fails is shrunk and set aside; the others go on, unless it decides and `fail_fast` is set.
        """
        self._report = report
        self._limit = _DRAWS_PER_CASE * examples
        attempt = 0
        while self._active and self.done < examples and not self._gives_up():
            drawn = self.drawn
            self._search(examples - self.done, seed + attempt * _SEED_STEP)
            if self._focus is not None:
                self._settle()
                if fail_fast and any(t.failure is not None and t.check.decides for t in self.tallies.values()):
                    break
            elif self.drawn == drawn:
                break  # the strategy has no more cases
            attempt += 1

    @property
    def drawn(self) -> int:
        """Cases drawn so far, accepted or refused."""
        return self.done + self.refused

    def _gives_up(self) -> bool:
        return self.drawn >= (self._limit if self.done else _REFUSED_FROM_THE_START)

    def _search(self, examples: int, seed: int) -> None:
        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
            suppress_health_check=list(hypothesis.HealthCheck),
            report_multiple_bugs=False,
            verbosity=hypothesis.Verbosity.quiet,
            print_blob=False,
        )
        @hypothesis.given(self._operation.cases())
        def example(case: Any) -> None:
            self._examine(case)

        # A flaky failure is one of a target that is not deterministic: the case that failed is kept.
        with contextlib.suppress(_CheckFailed, _Enough, Flaky):
            example()

    def _examine(self, case: Any) -> None:
        trial = Trial(self._operation, self._target, case, self._dtype, self._device)
        if self._focus is not None:
            self._calls_in_focus += 1
            if self._calls_in_focus > _SHRINK_CALLS:
                raise _Enough
            if trial.run.refusal is not None:
                return
            failed = self._judge(self._focus, trial)
            if isinstance(failed, FailedTrial):
                self._found = failed
                _fail()
            return
        if trial.run.refusal is not None:
            self.refused += 1
            self.first_refusal = self.first_refusal or trial.run.refusal
            if self._gives_up():
                raise _Enough
            return
        self.done += 1
        for check in self._active:
            judged = self._judge(check, trial)
            if judged is None:
                continue
            tally = self.tallies[check.name]
            if isinstance(judged, FailedTrial):
                tally.count(judged.finding)
                self._focus, self._found, self._calls_in_focus = check, judged, 0
                _fail()
            tally.count(judged)
        if self._report is not None:
            self._report(self.done)

    def _judge(self, check: Check, trial: Trial) -> Finding | FailedTrial | None:
        """The finding under the tightest profile that passes from the present rung on, or the last one's failure."""
        finding: Finding | None = None
        for rung in range(self.rung, len(self.ladder)):
            finding = check.apply(trial, self.ladder[rung])
            if finding is None:
                return None
            if finding.failure is None:
                self.rung = rung
                return finding
            if not check.bounded:
                break
        assert finding is not None
        return FailedTrial(trial, self.ladder[-1], finding)

    def _settle(self) -> None:
        """Records the shrunk failure, for every check that fails in that very case, and sets those checks aside."""
        assert self._focus is not None
        assert self._found is not None
        found = self._found
        for check in list(self._active):
            judged = found if check is self._focus else self._judge(check, found.trial)
            if isinstance(judged, FailedTrial):
                self.tallies[check.name].failure = judged
                self.tallies[check.name].cases += check is not self._focus
                self.tallies[check.name].worst = max(self.tallies[check.name].worst, judged.finding.share)
                self._active.remove(check)
        self._focus = self._found = None
