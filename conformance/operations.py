"""The operations that a conformance run knows: those of the catalogue, and those that users derive."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis.strategies import SearchStrategy

from .attention import ATTENTION, ATTENTION_WITH_LSE
from .contracts import Operation
from .rowwise import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX

# Written by hand, in the calling conventions of PyTorch; every other contract is made from its derivation.
OPERATIONS = (SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, ATTENTION, ATTENTION_WITH_LSE)


@cache
def find_operation(name: str) -> Operation:
    """The operation called `name`: one of the catalogue, or `path/file.py:operation`.

    Raises:
        UsageError: there is none, or a file has several operations and none is named.
    """
    for operation in OPERATIONS:
        if operation.name == name:
            return operation
    # The engine is imported for those that need it.
    from .derived import derived_contract

    return derived_contract(name)


def cases_of(operation: str) -> SearchStrategy[Any]:
    """The Hypothesis strategy of the cases of an operation, for tests of one's own.

    A case says what one call is made of; `find_operation(operation).build(case, torch.float32)` turns it into numbers.

    Raises:
        UsageError: as `find_operation`.
    """
    return find_operation(operation).cases()
