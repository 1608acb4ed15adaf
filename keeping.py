"""What is kept between runs, in the user's cache: verdicts of statements, and journals of runs that have not ended."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """The folder of the user's caches that is this program's, by the XDG convention."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "lemmata"


def journal_of(request: Mapping[str, Any]) -> Path:
    """Where a run that is asked for in these words keeps its journal; never where another one is writing."""
    key = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:16]
    for number in count():
        path = cache_folder() / f"run-{key}{f'-{number}' if number else ''}.jsonl"
        if not _being_written(path):
            return path
    raise AssertionError


def _being_written(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
