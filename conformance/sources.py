"""What an operation under test is derived from, and how to evaluate a problem by other functions than the reference's.

Faults are planted in the derivation, and evaluated on the very problems that the target is given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from ..derivations.calculus.operation import Operation as Derived
from . import attention, rowwise
from .derived import derived_calls, derived_operation
from .problems import Problem, Values
from .targets import UsageError

Function = Callable[..., Any]

_BY_HAND: dict[str, Callable[[Problem, Function, Function], Values]] = {
    "attention": attention.evaluated,
    "softmax": partial(rowwise.evaluated, reduces=False),
    "log_softmax": partial(rowwise.evaluated, reduces=False),
    "logsumexp": partial(rowwise.evaluated, reduces=True),
}


@dataclass(frozen=True)
class Source:
    """The derived operation behind the problems of a contract.

    Attributes:
        name: of the derived operation, as `derived_operation` takes it.
        evaluate: a problem by a forward function and a vector-Jacobian product in place of the generated ones.
    """

    name: str
    evaluate: Callable[[Problem, Function, Function], Values]

    @property
    def operation(self) -> Derived:
        """The derived operation."""
        return derived_operation(self.name)[1]


@cache
def _calls(name: str) -> Any:
    return derived_calls(name)


def source_of(name: str, problem: Problem) -> Source | None:
    """The source of a problem of the operation that a run calls `name`; None of a contract that is not derived."""
    if name in _BY_HAND:
        return Source(name, _BY_HAND[name])
    try:
        calls = _calls(name)
    except UsageError:
        return None
    return Source(calls.operation_of(problem), calls.values_by)
