"""NaN in an input: it reaches what depends on it, and nothing else.

A kernel that drops NaN hides a broken training run; one that spreads it breaks a good one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from .compare import Finding, broken, compare, merged
from .contracts import COSTLY, Check, Trial
from .problems import AnyArray, Problem, shown
from .profiles import Profile
from .values import Array

Examine = Callable[[str, Array, Array, Array, Array], Finding]


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
    where = f"with NaN in {name} at {[int(k) for k in place]}"
    bound = trial.bound(profile).outputs
    return merged(
        [examine(f"{shown(k)} {where}", x, wanted[k], trial.expected.outputs[k], bound[k]) for k, x in outputs.items()]
    )


def _lost(name: str, actual: Array, wanted: Array, before: Array, bound: Array) -> Finding:
    return next(_places(f"{name}: no NaN where it has to be", np.isnan(wanted) & ~np.isnan(actual)), Finding())


def _beyond(name: str, actual: Array, wanted: Array, before: Array, bound: Array) -> Finding:
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
