"""NaN in an input: it reaches what depends on it, and nothing else.

A kernel that drops NaN hides a broken training run; one that spreads it breaks a good one.
"""

from __future__ import annotations

import numpy as np

from .compare import Finding, broken, compare, merged
from .contracts import Check, Trial
from .problems import AnyArray, Problem, shown
from .profiles import Profile
from .values import Array

# One case in so many: it costs another call and another reference.
_TRIED = 4


def _spreads(trial: Trial, profile: Profile) -> Finding | None:
    seed: int = trial.case.seed
    # A masked NaN is a matter of its own, on which conventions differ.
    if seed % _TRIED or not trial.run.complete or _masks(trial.problem):
        return None
    rng = np.random.default_rng(seed)
    real = [name for name, x in trial.problem.arrays.items() if x.dtype == np.float64 and x.size]
    if not real:
        return None
    name = real[int(rng.integers(len(real)))]
    planted = np.array(trial.problem.arrays[name])
    place = np.unravel_index(int(rng.integers(planted.size)), planted.shape)
    planted[place] = np.nan
    problem = trial.problem.with_arrays(**{name: planted}).without_gradient()
    outputs = trial.evaluate_all(problem)
    if outputs is None:
        return None
    with np.errstate(all="ignore"):
        wanted = trial.operation.reference(problem).outputs
    where = f"with NaN in {name} at {[int(k) for k in place]}"
    bound = trial.bound(profile).outputs
    return merged(
        [
            _compared(f"{shown(k)} {where}", x, wanted[k], trial.expected.outputs[k], bound[k])
            for k, x in outputs.items()
        ]
    )


def _compared(name: str, actual: Array, wanted: Array, before: Array, bound: Array) -> Finding:
    """NaN where the reference has it and nowhere else; what it does not reach is as accurate as without it."""
    lost, found = np.isnan(wanted) & ~np.isnan(actual), np.isnan(actual) & ~np.isnan(wanted)
    for what, places in (("no NaN where it has to be", lost), ("NaN where nothing depends on it", found)):
        if places.any():
            first = [int(k) for k in np.argwhere(places)[0]]
            return broken(f"{name}: {what}, at {first} first; {np.count_nonzero(places)} of {actual.size} elements")
    untouched = wanted == before
    return compare(name, np.where(untouched, actual, before), before, bound)


def _masks(problem: Problem) -> bool:
    masks: list[AnyArray] = [x for x in problem.arrays.values() if x.dtype == np.bool_ or bool(np.isinf(x).any())]
    return bool(masks) or bool(problem.options.get("is_causal"))


NAN_LAW = Check("NaN spreads as in the reference", _spreads, meaning="NaN reaches what depends on it, and nothing else")
