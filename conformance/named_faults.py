"""The explanation of a failure: where the errors are, and the named fault whose results the implementation gives.

Whatever is named has been evaluated on the failing case, and on larger ones with the same options, and agrees there
with the implementation within the bound in every result that fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .contracts import FailedTrial, Trial
from .execution import cotangent_name
from .further_cases import further_cases
from .locate import locate
from .mutants import Mutant, Part, mutants_of
from .problems import AnyArray, shown_gradient
from .profiles import Profile
from .simple_faults import NOTHING, other_calls, simple_descriptions
from .sources import Source, source_of
from .values import Array

# So many names are given; more would be a list of coincidences.
_NAMED = 3
# A wrong result may be larger than the right one that the bound is of, and its rounding errors with it.
_LARGEST_RATIO = 16.0
_GRADIENT = shown_gradient("")
# A longer program, such as that of a block, has so many faults that to make them takes a minute.
_MOST_STEPS = 12
_AXES = {0: (), 1: ("position",), 2: ("row", "col"), 3: ("batch", "row", "col"), 4: ("batch", "head", "row", "col")}
# The simplest faults first: what is left out, then what is turned round, then what stops early.
_ORDER = ("term dropped", "factor dropped", "sign", "tail", "stale", "base", "factor", "range", "index", "power")


@dataclass(frozen=True)
class Explanation:
    """What is known of a failure besides that it is one.

    Attributes:
        where: which elements of which results fail; empty if no result is there to compare, or none fails.
        named: the faults that it may be, the likeliest first, at most three.
    """

    where: str = ""
    named: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """As a report shows it."""
        lines = [f"where: {self.where}"] if self.where else []
        return [*lines, *(f"matches: {text}" for text in self.named)]


@dataclass(frozen=True)
class _Compared:
    """The results of one trial, by the names that a reader is told, with what is right and what is allowed."""

    trial: Trial
    profile: Profile

    @cached_property
    def actual(self) -> dict[str, Array]:
        return self.trial.run.results

    @cached_property
    def right(self) -> dict[str, Array]:
        return self.trial.expected.named

    @cached_property
    def allowed(self) -> dict[str, Array]:
        return self.trial.bound(self.profile).named

    @cached_property
    def wrong(self) -> dict[str, AnyArray]:
        """The elements that fail, of the results that have any."""
        found = {name: _differs(actual, self.right[name], self.allowed[name]) for name, actual in self.actual.items()}
        return {name: elements for name, elements in found.items() if elements.any()}

    def agrees(self, name: str, claimed: Array) -> bool:
        """Whether an array is what the implementation gives, and not what is right."""
        actual, right, allowed = self.actual[name], self.right[name], self.allowed[name]
        if np.shape(claimed) != right.shape:
            return False  # a fault that drops all that an axis comes from leaves none
        if not _differs(claimed, right, allowed).any():
            return False
        return not _differs(actual, claimed, _allowed_of(claimed, right, allowed, self._relative)).any()

    @cached_property
    def _relative(self) -> float:
        """The usual bound in proportion to the right result, of the result in which it is largest."""
        found = [0.0]
        for name, right in self.right.items():
            allowed = self.allowed[name]
            stated = np.isfinite(allowed) & np.isfinite(right) & (right != 0)
            found += [float(np.median(allowed[stated] / np.abs(right[stated])))] if stated.any() else []
        return max(found)

    def same(self, name: str, claimed: Array) -> bool:
        """Whether an array is what is right."""
        return (
            np.shape(claimed) == self.right[name].shape
            and not _differs(claimed, self.right[name], self.allowed[name]).any()
        )


def explain(failed: FailedTrial) -> Explanation:
    """What a failure of a check may come from.

    It calls the target on a few larger cases, and takes a second or so. A target that gives no results is explained by
    what it said.
    """
    trial, profile = failed.trial, failed.profile
    if trial.run.failure:
        return Explanation(named=(f"no results: the call {trial.run.failure}",))
    named: list[str] = []
    if trial.run.gradient_failure:
        named.append(f"no gradient: {trial.run.gradient_failure}")
    if trial.run.missing:
        named.append(f"no gradient: that of {', '.join(trial.run.missing)} is None")
    found = [_Compared(trial, profile), *_larger(trial, profile)]
    failing = [compared for compared in found if compared.wrong]
    if not failing:
        return Explanation(named=tuple(named))
    named += _named(failing)
    return Explanation(_where(failing, trial), tuple(named[:_NAMED]))


def _larger(trial: Trial, profile: Profile) -> Iterator[_Compared]:
    """The target on further cases, where it takes them."""
    for case in further_cases(trial.case):
        further = Trial(trial.operation, trial.executor, case, trial.dtype, trial.device)
        try:
            if further.run.complete:
                yield _Compared(further, profile)
        except (ValueError, KeyError, IndexError):
            continue  # sizes that its calling convention does not have


def _where(failing: Sequence[_Compared], first: Trial) -> str:
    """The failing elements of each result, in the case that shows most of it."""
    most = max(failing, key=lambda compared: sum(x.size for x in compared.wrong.values()))
    parts = []
    for name, elements in most.wrong.items():
        axes = _AXES.get(elements.ndim, tuple(f"axis {k}" for k in range(elements.ndim)))
        related = [("row", "col")] if "row" in axes else []
        shape = "×".join(map(str, elements.shape))
        parts.append(f"{name}{f' ({shape})' if shape else ''} {locate(elements, axes, related).text}")
    return f"{'' if most.trial is first else 'in a larger case, '}{'; '.join(parts)}"


# Names --------------------------------------------------------------------------------------------------------------


def _named(failing: Sequence[_Compared]) -> list[str]:
    """What results are by themselves, then other calls, faults of the program, and relations to other results."""
    results = tuple(dict.fromkeys(name for compared in failing for name in compared.wrong))
    simple = {name: _simple(name, [c for c in failing if name in c.wrong]) for name in results}
    nothing = {name: text for name, texts in simple.items() for text in texts[:1] if text in NOTHING}
    told = [
        f"{_told(names)} {text if len(names) == 1 else text.replace('is', 'are', 1)}"
        for text in NOTHING
        if (names := [n for n in results if nothing.get(n) == text])
    ]
    if len(nothing) == len(results):
        return told
    named = [*told, *(_by_other_calls(failing) or _by_mutants(failing, results))]
    return named or [f"the {name} {texts[0]}" for name, texts in simple.items() if texts]


def _simple(name: str, failing: Sequence[_Compared]) -> list[str]:
    """What the result is in every case."""
    holding: list[str] | None = None
    for compared in failing:
        problem = compared.trial.problem
        given = dict(problem.arrays) | {cotangent_name(n): x for n, x in problem.cotangents.items()}
        described = simple_descriptions(name, compared.actual[name], compared.right, given)
        here = [text for text, claimed in described if compared.agrees(name, claimed)]
        holding = here if holding is None else [text for text in holding if text in here]
    return holding or []


def _by_other_calls(failing: Sequence[_Compared]) -> list[str]:
    """The calls whose right results the implementation gives."""
    holding: dict[str, bool] = {}
    for number, compared in enumerate(failing):
        here: dict[str, bool] = {}
        for other in other_calls(compared.trial.problem):
            try:
                with np.errstate(all="ignore"):
                    claimed = other.back(compared.trial.operation.reference(other.problem).named)
            except (ValueError, TypeError, KeyError, IndexError, AssertionError):
                continue  # not a call of the operation
            if all(name in claimed and compared.agrees(name, claimed[name]) for name in compared.wrong):
                rest = [name for name in compared.actual if name not in compared.wrong and name in claimed]
                here[other.words] = all(compared.same(name, claimed[name]) for name in rest)
        holding = here if not number else {w: holding[w] and here[w] for w in here if w in holding}
    names = list(dict.fromkeys(name for compared in failing for name in compared.wrong))
    results = f"{_told(names)} {'is' if len(names) == 1 else 'are'} as"
    return [f"{results} {words}{'' if whole else ', other results being right'}" for words, whole in holding.items()]


def _by_mutants(failing: Sequence[_Compared], results: tuple[str, ...]) -> list[str]:
    """The faults of the program whose results the implementation gives: of all that fail, or else of one of them."""
    explained: list[tuple[Mutant, frozenset[str], int]] = []
    ordered = sorted(failing, key=lambda compared: sum(x.size for x in compared.actual.values()))
    source = source_of(ordered[0].trial.operation.name, ordered[0].trial.problem)
    if source is None or len(source.operation.program.steps) > _MOST_STEPS:
        return []
    # The forward pass is not what is wrong where no output is.
    wrong_outputs = any(not name.startswith(_GRADIENT) for name in results)
    parts: tuple[Part, ...] = ("forward", "backward") if wrong_outputs else ("backward",)
    for mutant in (m for part in parts for m in mutants_of(source.name, part)):
        matched, unlike = _matched(mutant, source, ordered)
        if matched:
            explained.append((mutant, matched, unlike))
    return _covering(explained, results)


def _covering(explained: Sequence[tuple[Mutant, frozenset[str], int]], results: tuple[str, ...]) -> list[str]:
    """The simplest mutants that give every failing result; or for each, in turn, that which gives most of the rest."""
    named: list[str] = []
    rest = frozenset(results)
    while rest and explained:
        most = max(len(matched & rest) for _, matched, _ in explained)
        if not most:
            break
        best = [(m, matched, unlike) for m, matched, unlike in explained if len(matched & rest) == most]
        fewest = min(unlike for _, _, unlike in best)
        best = sorted((item for item in best if item[2] == fewest), key=lambda item: _rank(item[0]))
        for mutant, matched, _ in best[: _NAMED if most == len(results) else 1]:
            names = [name for name in results if name in matched & rest]
            text = f"{_told(names)} {'equals' if len(names) == 1 else 'equal'} {_what(mutant, names)}"
            named += [] if text in named else [text]
        rest -= best[0][1]
    return named


def _what(mutant: Mutant, names: Sequence[str]) -> str:
    """The faulty definition, or what follows from it."""
    own = mutant.definition.removeprefix("d")
    direct = len(names) == 1 and mutant.definition.startswith("d") and names[0].removeprefix(_GRADIENT)[0] == own[0]
    return str(mutant) if direct and mutant.part == "backward" else f"what follows from {mutant}"


def _told(names: Sequence[str]) -> str:
    return f"the {names[0]}" if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _matched(mutant: Mutant, source: Source, failing: Sequence[_Compared]) -> tuple[frozenset[str], int]:
    """The failing results that a mutant gives in every case, and how many of the right ones it does not give."""
    holding: frozenset[str] | None = None
    unlike = 0
    for compared in failing:
        values = mutant.values(source, compared.trial.problem)
        if values is None:
            return frozenset(), 0
        claimed = values.named
        here = {name for name in compared.wrong if compared.agrees(name, claimed[name])}
        unlike += sum(not compared.same(n, claimed[n]) for n in compared.actual if n not in compared.wrong)
        missed = compared.wrong.keys() - here
        holding = frozenset(here if holding is None else (holding | here) - missed)
        if not holding:
            break
    return holding or frozenset(), unlike


def _rank(mutant: Mutant) -> tuple[int, int, int]:
    kind = mutant.fault.kind
    return (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), len(str(mutant)), mutant.part == "backward")


def _allowed_of(claimed: Array, right: Array, allowed: Array, relative: float) -> Array:
    """The bound on the right result, for a wrong one: in proportion to its size, also where the right one is 0."""
    with np.errstate(all="ignore"):
        sizes = [np.where(np.isfinite(x), np.abs(x), 0.0) for x in (claimed, right)]
        largest = [float(np.max(x, initial=0.0)) for x in sizes]
        ratio = largest[0] / largest[1] if largest[1] > 0 else _LARGEST_RATIO
        own = relative * np.maximum(sizes[0], np.mean(sizes[0]) if sizes[0].size else 0.0)
        return np.maximum(allowed * float(np.clip(ratio, 1.0, _LARGEST_RATIO)), own)


def _differs(actual: Array, expected: Array, allowed: Array) -> AnyArray:
    """The elements that are not what is expected, where anything is said of them."""
    stated = np.isfinite(allowed)
    with np.errstate(invalid="ignore"):
        near = np.abs(actual - expected) <= allowed
        same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    return np.asarray(stated & ~near & ~same)
