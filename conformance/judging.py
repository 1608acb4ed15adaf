"""Judging: checks held against one case of a target, as a record that can be written down and read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .compare import Finding, broken
from .contracts import Check, Operation, Trial
from .execution import ENDINGS, Mode
from .isolation.executors import Executor
from .profiles import Profile


@dataclass(frozen=True)
class Judged:
    """One check on one case.

    Attributes:
        finding: under the tightest profile that passes, or under the loosest allowed if none does; None where the check
            does not apply.
        rung: the place of that profile on the ladder.
        missed: the share of the bound under the next tighter profile, which the case exceeds; None if none was tried.
    """

    check: str
    finding: Finding | None
    rung: int
    missed: float | None = None


@dataclass(frozen=True)
class Judgement:
    """What a case gave: a refusal, or the checks that were held against it, up to the first that failed.

    Attributes:
        endings: in what way calls have ended the process of the target, one entry for each process.
        elements: how many numbers the outputs have.
    """

    refusal: str | None = None
    judged: tuple[Judged, ...] = ()
    endings: tuple[str, ...] = ()
    elements: int = 0

    def to_json(self) -> dict[str, Any]:
        """The judgement as plain data."""
        return {
            "refusal": self.refusal,
            "endings": self.endings,
            "elements": self.elements,
            "judged": [
                [j.check, None if j.finding is None else list(vars(j.finding).values()), j.rung, j.missed]
                for j in self.judged
            ],
        }

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Judgement:
        """The judgement of such data."""
        judged = tuple(
            Judged(check, None if finding is None else Finding(*finding), rung, missed)
            for check, finding, rung, missed in data["judged"]
        )
        return Judgement(data["refusal"], judged, tuple(data["endings"]), data["elements"])


@dataclass(frozen=True)
class Judge:
    """The checks of an operation on one target in one dtype.

    Attributes:
        ended_fails_all: a call that does not come back fails every check, as where none is for that.
    """

    operation: Operation
    executor: Executor
    dtype: str
    device: str
    ladder: Sequence[Profile]
    ended_fails_all: bool = False

    def trial(self, case: Any) -> Trial:
        """A case, to be tried."""
        return Trial(self.operation, self.executor, case, self.dtype, self.device)

    def judge(self, case: Any, checks: Sequence[Check], rung: int, *, all_of_them: bool = False) -> Judgement:
        """Holds the checks against a case, from a rung of the ladder on.

        Args:
            all_of_them: go on after one that failed.
        """
        trial = self.trial(case)
        modes: tuple[Mode, ...] = tuple(dict.fromkeys(("plain", *(mode for check in checks for mode in check.modes))))
        trial.begin(modes, self.ladder[rung] if any(check.bounded for check in checks) else None)
        run = trial.run
        if run.refusal is not None:
            return Judgement(refusal=run.refusal)
        judged: list[Judged] = []
        for check in checks:
            judged.append(found := self._judged(check, trial, rung))
            rung = max(rung, found.rung)
            if found.finding is not None and found.finding.failure is not None and not all_of_them:
                break
        return Judgement(None, tuple(judged), trial.endings, sum(x.size for x in run.outputs.values()))

    def _judged(self, check: Check, trial: Trial, start: int) -> Judged:
        if self.ended_fails_all and trial.run.broken in ENDINGS:
            return Judged(check.name, broken(trial.run.failure or "", trial.run.broken), start)
        missed: float | None = None
        for rung in range(start, len(self.ladder)):
            finding = check.apply(trial, self.ladder[rung])
            if finding is None:
                return Judged(check.name, None, start)
            if finding.failure is None:
                return Judged(check.name, finding, rung, missed) if check.grades else Judged(check.name, finding, start)
            if not check.bounded or finding.broken is not None:
                break
            missed = finding.share
        return Judged(check.name, finding, start)
