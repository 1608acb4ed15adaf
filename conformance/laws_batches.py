"""Laws of batches: entries do not know of each other, so that an entry alone, or in another order, gives the same.

Within the bound this is a law of every operation. Bit for bit it is a property of some implementations only, on which
reproducible inference rests; where it is missing, the verdict says so and does not fail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from .compare import Finding, compare, merged, same_bits
from .contracts import Check, Trial
from .problems import Problem, shown
from .profiles import Profile

BITWISE = "batch invariance, bit for bit"


@dataclass(frozen=True)
class Part:
    """Another call, of some entries of a case: its outputs are those of the case at some places.

    Attributes:
        places: of these entries in every output, as an index of NumPy.
    """

    problem: Problem
    places: Any


Taking = Callable[[Trial], Part | None]
"""The part of a trial that a law looks at; None where there is none."""


def laws_of_batches(
    independent: str, alone: Taking, reordered: Taking, statement: str | None = None
) -> tuple[Check, ...]:
    """The laws of an operation whose entries are independent.

    Args:
        independent: the name of the first law, such as `rows are independent`.
        alone: the last entry.
        reordered: all entries in another order.
    """
    return (
        Check(
            independent,
            partial(_within, alone, "alone"),
            statement,
            meaning="an entry alone gives what it gives among others",
        ),
        Check(
            "order of the batch is free",
            partial(_within, reordered, "in another order"),
            statement,
            meaning="entries in another order give the same results in that order",
        ),
        Check(
            BITWISE,
            partial(_bitwise, alone),
            bounded=False,
            severity="warning",
            meaning="an entry alone gives the bits that it gives among others",
        ),
    )


def _within(taking: Taking, what: str, trial: Trial, profile: Profile) -> Finding | None:
    if trial.run.failure or (part := taking(trial)) is None:
        return None
    outputs = trial.evaluated(what, part.problem)
    if outputs is None:
        return None
    bound = trial.bound(profile).outputs
    return merged(
        [
            compare(f"{shown(k)} of entries {what}", x, trial.outputs[k][part.places], 2 * bound[k][part.places])
            for k, x in outputs.items()
        ]
    )


def _bitwise(taking: Taking, trial: Trial, profile: Profile) -> Finding | None:
    if trial.run.failure or (part := taking(trial)) is None:
        return None
    outputs = trial.evaluated("alone", part.problem)
    if outputs is None:
        return None
    return merged(
        [same_bits(f"{shown(k)} of an entry alone", x, trial.outputs[k][part.places]) for k, x in outputs.items()]
    )
