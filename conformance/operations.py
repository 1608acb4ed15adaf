"""The operations that a conformance run knows."""

from __future__ import annotations

from .attention import ATTENTION
from .contracts import Operation
from .rowwise import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX
from .targets import UsageError

OPERATIONS = (SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, ATTENTION)


def find_operation(name: str) -> Operation:
    """The operation called `name`.

    Raises:
        UsageError: there is none.
    """
    for operation in OPERATIONS:
        if operation.name == name:
            return operation
    known = ", ".join(operation.name for operation in OPERATIONS)
    raise UsageError(f"operation {name!r} is not known; there are {known}")
