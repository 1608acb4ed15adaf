"""The expositions of the catalogue, with all proofs, made once in a process."""

from __future__ import annotations

from functools import cache

from lemmata.derivations.catalogue import topic
from lemmata.derivations.exposition import Exposition, expose


@cache
def expositions(name: str) -> tuple[Exposition, ...]:
    """Those of the operations of a topic."""
    return tuple(expose(op, op.statements()) for op in topic(name).operations)
