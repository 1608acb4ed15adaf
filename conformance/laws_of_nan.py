"""NaN in an input: it reaches what depends on it, and nothing else.

A kernel that drops NaN hides a broken training run; one that spreads it breaks a good one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from .compare import Finding, broken, compare, merged
from .contracts import COSTLY, Check, Trial
from .problems import AnyArray, Problem, shown
from .profiles import Profile
from .values import Array

Examine = Callable[[str, Array, Array, Array, Array, Callable[[], AnyArray]], Finding]


def nan_laws(*, may_be_lost: bool = False) -> tuple[Check, ...]:
    """The laws of an operation.

    Args:
        may_be_lost: an implementation that drops NaN is warned of, and conforms.
    """
    return (
        Check(
            "NaN is not lost",
            partial(_examined, _lost),
            bounded=False,
            severity="warning" if may_be_lost else "failure",
            one_in=COSTLY,
            meaning="NaN in an input reaches what depends on it",
        ),
        Check(
            "NaN reaches nothing else",
            partial(_examined, _beyond),
            one_in=COSTLY,
            meaning="what does not depend on an input that is NaN is as accurate as without it",
        ),
    )


def _examined(examine: Examine, trial: Trial, profile: Profile) -> Finding | None:
    # A masked NaN is a matter of its own, on which conventions differ.
    if not trial.run.complete or _masks(trial.problem):
        return None
    if not all(x.size for x in (*trial.problem.arrays.values(), *trial.run.outputs.values())):
        return None  # without an element somewhere nothing depends on anything, and implementations differ
    rng = np.random.default_rng(trial.case.seed)
    real = [name for name, x in trial.problem.arrays.items() if x.dtype == np.float64 and x.size]
    if not real:
        return None
    name = real[int(rng.integers(len(real)))]
    planted = np.array(trial.problem.arrays[name])
    place = np.unravel_index(int(rng.integers(planted.size)), planted.shape)
    planted[place] = np.nan
    problem = trial.problem.with_arrays(**{name: planted}).without_gradient()
    outputs = trial.evaluated("NaN", problem)
    if outputs is None:
        return None
    with np.errstate(all="ignore"):
        wanted = trial.operation.reference(problem).outputs
    given = trial.problem.arrays[name]

    def depends(k: str) -> AnyArray:
        """Where a larger or a smaller number in the place of NaN changes an output; an option, such as a weight decay
        of 0, may cut off what it formally depends on."""
        moved = [_moved(given, place, by * (8.0 + 2.0 * abs(given[place]))) for by in (1.0, -1.0)]
        with np.errstate(all="ignore"):
            others = [trial.operation.reference(problem.with_arrays(**{name: x})).outputs[k] for x in moved]
        before = trial.expected.outputs[k]
        return np.asarray((others[0] != before) | (others[1] != before))

    where = f"with NaN in {name} at {[int(k) for k in place]}"
    bound = trial.bound(profile).outputs
    return merged(
        [
            examine(f"{shown(k)} {where}", x, wanted[k], trial.expected.outputs[k], bound[k], partial(depends, k))
            for k, x in outputs.items()
        ]
    )


def _moved(x: Array, place: tuple[Any, ...], by: float) -> Array:
    other = np.array(x)
    other[place] += by
    return other


def _lost(
    name: str, actual: Array, wanted: Array, before: Array, bound: Array, depends: Callable[[], AnyArray]
) -> Finding:
    # The mean of nothing is NaN without the one that was planted, and implementations differ.
    lost = np.isnan(wanted) & ~np.isnan(actual) & ~np.isnan(before)
    if lost.any():
        lost &= depends()
    return next(_places(f"{name}: no NaN where it has to be", lost), Finding())


def _beyond(
    name: str, actual: Array, wanted: Array, before: Array, bound: Array, depends: Callable[[], AnyArray]
) -> Finding:
    # Where nothing bounds the error the format may overflow, and its NaN is not the one that was planted.
    spread = np.isnan(actual) & ~np.isnan(wanted) & (bound < np.inf)
    for finding in _places(f"{name}: NaN where nothing depends on it", spread):
        return finding
    return compare(name, np.where(wanted == before, actual, before), before, bound)


def _places(what: str, places: AnyArray) -> Iterator[Finding]:
    if places.any():
        first = [int(k) for k in np.argwhere(places)[0]]
        yield broken(f"{what}, at {first} first; {np.count_nonzero(places)} of {places.size} elements")


def _masks(problem: Problem) -> bool:
    masks: list[AnyArray] = [x for x in problem.arrays.values() if x.dtype == np.bool_ or bool(np.isinf(x).any())]
    return bool(masks) or bool(problem.options.get("is_causal"))
