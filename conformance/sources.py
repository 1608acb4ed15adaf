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
from .generic import Calls
from .problems import Problem, Values
from .targets import UsageError

Function = Callable[..., Any]


@dataclass(frozen=True)
class _ByHand:
    """What a contract that is written by hand is derived from, how its problems are evaluated, what calls return."""

    operation: str
    evaluate: Callable[[Problem, Function, Function], Values]
    returned: tuple[str, ...]


_BY_HAND: dict[str, _ByHand] = {
    "attention": _ByHand("attention", attention.evaluated, ("o",)),
    "attention_with_lse": _ByHand("attention", attention.evaluated, ("o", "lse")),
    "softmax": _ByHand("softmax", partial(rowwise.evaluated, reduces=False), ("p",)),
    "log_softmax": _ByHand("log_softmax", partial(rowwise.evaluated, reduces=False), ("y",)),
    "logsumexp": _ByHand("logsumexp", partial(rowwise.evaluated, reduces=True), ("lse",)),
}


@dataclass(frozen=True)
class Source:
    """The derived operation behind the problems of a contract.

    Attributes:
        name: of the derived operation, as `derived_operation` takes it.
        evaluate: a problem by a forward function and a vector-Jacobian product in place of the generated ones.
        returned: the outputs of the derived operation that the call returns.
        given: the inputs that the call passes or stands for; None: any of them.
    """

    name: str
    evaluate: Callable[[Problem, Function, Function], Values]
    returned: tuple[str, ...]
    given: frozenset[str] | None = None

    @property
    def operation(self) -> Derived:
        """The derived operation."""
        return derived_operation(self.name)[1]


@cache
def _calls(name: str) -> Calls:
    return derived_calls(name)


def source_of(name: str, problem: Problem) -> Source | None:
    """The source of a problem of the operation that a run calls `name`; None of a contract that is not derived."""
    if (by_hand := _BY_HAND.get(name)) is not None:
        return Source(by_hand.operation, by_hand.evaluate, by_hand.returned)
    try:
        calls = _calls(name)
    except UsageError:
        return None
    return Source(calls.operation_of(problem), calls.values_by, calls.returned(problem.context), calls.given(problem))
