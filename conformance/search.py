"""The search: draws cases with Hypothesis, holds every check against each, and shrinks the cases that fail."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import hypothesis
from hypothesis.errors import Flaky, Unsatisfiable

from .cases import case_code
from .compare import Finding
from .contracts import Check, FailedTrial, Trial
from .draws import drawing
from .journal import Journal
from .judging import Judge, Judged, Judgement

# Calls spent on making one failing case smaller: enough to reach a case of a few numbers from most cases.
_SHRINK_CALLS = 400
# The same for a check that only warns: many correct implementations meet one, and a convention needs no smallest case.
_SHRINK_CALLS_OF_A_WARNING = 40
# A target that refuses so many cases, and nothing else, takes none in this dtype.
_REFUSED_FROM_THE_START = 300
# Cases drawn for each case asked for, at most: a kernel for two or three head dimensions accepts one in ten or so.
_DRAWS_PER_CASE = 20
# One case of so many is simple, and so many at most: they come first, and what fails in one is soon made small.
_SIMPLE_SHARE = 10
_SIMPLE = 50
# A search begins with the simplest case; one that only had a few cases left would draw nothing else.
_LEAST_DRAWN = 40
# Cases drawn beyond those asked for, at most, for the checks that decide and of which those say nothing.
_FURTHER = 300
# Each further search starts from another seed, far from those that users choose.
_SEED_STEP = 1_000_003
# What a target may cost in one dtype before the search gives up on it: the end of a process costs another start, and a
# hang its limit.
_PATIENCE = 30
_COSTS = {"ended": 1, "silent": 8}
# Sizes and shares kept of a check, for a plot.
_SIZES = 400


class _CheckFailed(Exception):
    """The check in focus failed; Hypothesis shrinks towards the smallest case that raises this."""


def _fail() -> NoReturn:
    """Raises in one place: two places are two failures to Hypothesis, which then shrinks neither well."""
    raise _CheckFailed


class _Enough(BaseException):
    """Ends a search from inside; not an Exception, which Hypothesis would take for a failure."""


@dataclass
class Tally:
    """What one check has seen so far in one dtype.

    Attributes:
        worst: the largest share of the bound used, each case under the tightest profile that it met.
        sizes: numbers in the outputs of a case, and the share of the bound used there, for the first cases.
    """

    check: Check
    cases: int = 0
    worst: float = 0.0
    elements: int = 0
    vacuous: int = 0
    failure: FailedTrial | None = None
    sizes: list[tuple[int, float]] = field(default_factory=list)

    @property
    def says_nothing(self) -> bool:
        """Whether no case applied to it, or none of the elements that it compared had a finite bound."""
        return not self.cases or (self.check.bounded and self.vacuous == self.elements)

    def count(self, finding: Finding, elements: int) -> None:
        """Adds the finding of one more case."""
        self.cases += 1
        self.worst = max(self.worst, finding.share)
        self.elements += finding.elements
        self.vacuous += finding.vacuous
        if len(self.sizes) < _SIZES and self.check.bounded:
            self.sizes.append((elements, finding.share))


class Search:
    """The cases of one operation on one target in one dtype.

    A case passes a check if it does so under one of the profiles of the ladder, from the rung reached so far on.
    The rung only moves up, so that what was met on a lower one was met on every later one: profiles nest.
    """

    def __init__(self, judge: Judge, checks: Sequence[Check], journal: Journal | None = None) -> None:
        self.dtype, self.ladder = judge.dtype, judge.ladder
        self.rung = 0
        self.missed_by = 0.0
        """By how much the profile below the rung was missed: the largest share of its bound."""
        self.done = 0
        """Cases that the target accepted, of those that were asked for."""
        self.refused = 0
        self.first_refusal: str | None = None
        self.cost = 0
        """Of the processes that the target has ended."""
        self.out_of_time = False
        self.tallies = {check.name: Tally(check) for check in checks}
        self._judge, self._journal = judge, journal or Journal()
        self._active = list(checks)
        self._focus: Check | None = None
        self._calls_in_focus = 0
        self._found: tuple[Any, Judged] | None = None
        self._limit = self._examples = self._further = 0
        self._until: float | None = None
        self._report: Callable[[int], None] | None = None

    def run(
        self,
        examples: int,
        seed: int,
        report: Callable[[int], None] | None,
        *,
        fail_fast: bool = False,
        until: float | None = None,
    ) -> None:
        """Tries cases until the target has accepted `examples` of them, or has refused too many.

        A check that fails is shrunk and set aside; the others go on, unless it decides and `fail_fast` is set. Then,
        unless a check that decides has failed, further cases are drawn until each of these checks says something.

        Args:
            until: seconds of the whole run after which no further case is drawn.
        """
        self._report, self._until = report, until
        self._examples, self._limit = examples, _DRAWS_PER_CASE * examples
        few = min(examples // _SIMPLE_SHARE, _SIMPLE)
        attempt = 0
        while self._goes_on and not self._gives_up():
            drawn = self.drawn + self._further
            # The first of a search is the simplest case: a search for one simple case more would draw that again.
            simple = few - self.drawn > 1
            left = max(_LEAST_DRAWN, examples - self.done or _FURTHER - self._further)
            self._search(few - self.drawn if simple else left, seed + attempt * _SEED_STEP, simple=simple)
            if self._focus is not None:
                self._settle()
                if fail_fast and self._fails:
                    break
            elif self.drawn + self._further == drawn:
                if not simple:
                    break  # the strategy has no more cases
                few = 0  # it has no simple ones
            attempt += 1

    def run_large(self, cases: Sequence[Any]) -> None:
        """Holds the checks that have not failed against cases of given sizes, none of which is made smaller."""
        for case in cases:
            trial, judgement = self._judge.trial(case), self._judged(case, self._active, all_of_them=True)
            if judgement.refusal is not None:
                self.first_refusal = self.first_refusal or judgement.refusal
                self.refused += 1
                continue
            for judged in judgement.judged:
                if judged.finding is None:
                    continue
                self.tallies[judged.check].count(judged.finding, judgement.elements)
                if _failed(judged):
                    self._set_aside(trial, judged)
                else:
                    self._climb(judged)

    @property
    def _goes_on(self) -> bool:
        """Whether there is anything that another case is drawn for."""
        if self.done < self._examples:
            return bool(self._active)
        if self._further >= _FURTHER or self._fails:
            return False
        return any(check.decides and self.tallies[check.name].says_nothing for check in self._active)

    @property
    def _fails(self) -> bool:
        """Whether a check that decides has failed."""
        return any(tally.failure is not None and tally.check.decides for tally in self.tallies.values())

    @property
    def drawn(self) -> int:
        """Cases drawn so far, accepted or refused, further ones left out."""
        return self.done + self.refused

    @property
    def gave_up(self) -> bool:
        """Whether the target has ended so many processes that no further case was tried."""
        return self.cost >= _PATIENCE

    def _gives_up(self) -> bool:
        refused = self.drawn >= (self._limit if self.done else _REFUSED_FROM_THE_START)
        return refused or self.gave_up or self.out_of_time

    def _search(self, examples: int, seed: int, *, simple: bool) -> None:
        @hypothesis.seed(seed)
        @drawing(examples, shrink=True, simple=simple)
        @hypothesis.given(self._judge.operation.cases())
        def example(case: Any) -> None:
            self._examine(case)

        # A flaky failure is one of a target that is not deterministic: the case that failed is kept. A strategy may
        # leave out all that is simple.
        with contextlib.suppress(_CheckFailed, _Enough, Flaky, *([Unsatisfiable] if simple else [])):
            example()

    def _judged(self, case: Any, checks: Sequence[Check], *, all_of_them: bool = False) -> Judgement:
        """What the journal says of the case, or what it gives now."""
        dtype, code = self._judge.dtype, case_code(case)
        judgement = self._journal.read(dtype, code)
        if judgement is None:
            judgement = self._judge.judge(case, checks, self.rung, all_of_them=all_of_them)
            self._journal.write(dtype, code, judgement)
        self.cost += sum(_COSTS[how] for how in judgement.endings)
        return judgement

    def _examine(self, case: Any) -> None:
        if self._focus is not None:
            self._calls_in_focus += 1
            limit = _SHRINK_CALLS if self._focus.decides else _SHRINK_CALLS_OF_A_WARNING
            if self._calls_in_focus > limit or self.gave_up:
                raise _Enough
            judgement = self._judged(case, [self._focus])
            if judgement.judged and _failed(judgement.judged[0]):
                self._found = (case, judgement.judged[0])
                _fail()
            return
        if not self._goes_on or self._gives_up():
            raise _Enough
        further = self.done >= self._examples
        judgement = self._judged(case, self._active)
        if further:
            self._further += 1
        elif judgement.refusal is not None:
            self.refused += 1
            self.first_refusal = self.first_refusal or judgement.refusal
        else:
            self.done += 1
            if self._report is not None:
                self._report(self.done)
        for judged in judgement.judged:
            if judged.finding is None:
                continue
            tally = self.tallies[judged.check]
            tally.count(judged.finding, judgement.elements)
            if _failed(judged):
                self._focus, self._found, self._calls_in_focus = tally.check, (case, judged), 0
                _fail()
            self._climb(judged)
        late = self._until is not None and self._journal.spent > self._until
        if late and further:
            self._further = _FURTHER  # no run was cut short: the cases that were asked for have been run
        elif late:
            self.out_of_time = True

    def _climb(self, judged: Judged) -> None:
        """Moves up to the profile that a case has met."""
        if judged.rung > self.rung:
            self.rung, self.missed_by = judged.rung, 0.0
        if judged.missed is not None and judged.rung == self.rung:
            self.missed_by = max(self.missed_by, judged.missed)

    def _settle(self) -> None:
        """Records the shrunk failure, for every check that fails in that very case, and sets those checks aside."""
        assert self._focus is not None
        assert self._found is not None
        focus, (case, found) = self._focus, self._found
        others = [check for check in self._active if check is not focus]
        judgement = self._judged(case, others, all_of_them=True)
        trial = self._judge.trial(case)  # one for all: what is told of each failure is computed once
        for judged in (found, *judgement.judged):
            if judged.finding is None or not _failed(judged):
                continue
            tally = self.tallies[judged.check]
            tally.cases += judged is not found
            tally.worst = max(tally.worst, judged.finding.share)
            self._set_aside(trial, judged)
        self._focus = self._found = None

    def _set_aside(self, trial: Trial, judged: Judged) -> None:
        """Records the failure of a check, which is not tried again."""
        assert judged.finding is not None
        tally = self.tallies[judged.check]
        tally.failure = FailedTrial(trial, self.ladder[-1], judged.finding)
        self._active.remove(tally.check)


def _failed(judged: Judged) -> bool:
    return judged.finding is not None and judged.finding.failure is not None
