"""What `lemmata list` shows: every operation with its verdicts, kept between runs.

Proving everything takes seconds. The verdicts are kept in the user's cache under a hash of all that they depend on:
every source file of the derivations and of their engine, and the versions of what runs them. A changed source has
another hash, so that a verdict which is shown was reached by the very sources that are there.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .keeping import cache_folder

Report = Callable[[str, int, int], None]
_ENGINES = ("sympy", "mpmath")
_ROOT = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """One operation: how many statements it has, with which verdicts, and the cost of its forward pass.

    `leading_flops` are the terms of the highest degree of the polynomial `flops`.
    """

    operation: str
    topic: str
    summary: str
    statements: int
    proved: int
    refuted: int
    open: int
    flops: str
    leading_flops: str


@dataclass(frozen=True)
class Listing:
    """All built-in operations, and when their statements were decided; `kept` if an earlier run did that."""

    rows: tuple[Row, ...]
    decided: datetime
    kept: bool

    def to_json(self) -> dict[str, Any]:
        """The listing as plain data for `json.dumps`."""
        decided = self.decided.isoformat(timespec="seconds")
        return {"operations": [asdict(row) for row in self.rows], "decided": decided, "kept": self.kept}


def listing(report: Report) -> Listing:
    """The operations with their verdicts: those of an earlier run of the same sources, or new ones.

    The sources are hashed before `_decide` imports them and again afterwards.
    """
    key = sources_hash()
    folder = cache_folder()
    path = folder / f"verdicts-{key[:16]}.json"
    if (found := _kept(path, key)) is not None:
        return found
    new = Listing(_decide(report), datetime.now(UTC), kept=False)
    if sources_hash() != key:
        return new  # a source was written meanwhile: nobody knows which of the two was proved
    # A cache that cannot be written costs time, nothing else.
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("verdicts-*.json"):
            old.unlink(missing_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({"key": key, **new.to_json()}, ensure_ascii=False), encoding="utf-8")
        partial.replace(path)
    return new


def sources_hash() -> str:
    """A hash of everything that a verdict depends on."""
    found = hashlib.sha256()
    versions = [f"{name} {version(name)}" for name in _ENGINES]
    found.update("; ".join([f"python {platform.python_version()}", *versions]).encode())
    for path in (Path(__file__), *sorted((_ROOT / "derivations").rglob("*.py"))):
        content = path.read_bytes()
        found.update(f"\n{path.relative_to(_ROOT).as_posix()} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


def _kept(path: Path, key: str) -> Listing | None:
    """The verdicts of an earlier run; None if there are none, or the file is not what was written."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["key"] != key:
            return None
        rows = tuple(Row(**row) for row in data["operations"])
        return Listing(rows, datetime.fromisoformat(data["decided"]), kept=True)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _decide(report: Report) -> tuple[Row, ...]:
    from .derivations.calculus.cost import leading, shown, steps_cost
    from .derivations.calculus.prove import prove
    from .derivations.catalogue import find

    derivations = find(())
    rows = []
    for number, derivation in enumerate(derivations):
        report("proving", number, len(derivations))
        for operation in derivation.operations:
            status = [prove(statement).status for statement in derivation.statements(operation)]
            flops = steps_cost(operation.counted).flops
            rows.append(
                Row(
                    operation.name,
                    derivation.name,
                    operation.summary,
                    len(status),
                    status.count("proved"),
                    status.count("refuted"),
                    status.count("open"),
                    shown(flops),
                    shown(leading(flops)),
                )
            )
    return tuple(rows)
