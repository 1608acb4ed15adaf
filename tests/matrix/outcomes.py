"""One row, run: `lemmata conform` in a process of its own, so that no library can end the run of the others."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lemmata.conformance.checks import checks_of
from lemmata.conformance.operations import find_operation
from lemmata.tests.matrix.rows import OF_VALUES, Row

CONFORMS, DOES_NOT, NOT_INSTALLED = "conforms", "does not conform", "NOT INSTALLED"
CRASHED, TIMED_OUT, REFUSED = "CRASHED", "TIMED OUT", "NOT RUN"
# The exit status of a run that gave no verdict, as the target or its arguments cannot be used.
_BAD_USAGE = 2
# Lines of a crash that are kept.
_LAST_LINES = 3


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    Attributes:
        status: `conforms`, `does not conform`, or why there is no verdict.
        version: of the library, empty where it is not installed.
        date: of the run, as YYYY-MM-DD.
        detail: what the process said last, where there is no verdict.
        verdict: the JSON of `lemmata conform`, where there is one.
    """

    status: str
    version: str
    date: str
    seconds: float
    detail: str = ""
    verdict: dict[str, Any] | None = None


def run(row: Row, examples: int | None, limit: float) -> Outcome:
    """Holds the row's target to its contract.

    Args:
        examples: cases per dtype; None: as the row says.
        limit: seconds after which the process is ended.
    """
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    try:
        installed = version(row.library)
    except PackageNotFoundError:
        return Outcome(NOT_INSTALLED, "", date, 0.0, f"there is no distribution {row.library!r}")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        result = Path(place) / "verdict.json"
        status, detail = _process(row, examples, limit, place, result)
        verdict = json.loads(result.read_text(encoding="utf-8")) if not status else None
    if verdict is not None:
        status = verdict["verdict"]
    return Outcome(status, installed, date, round(time.perf_counter() - began, 1), detail, verdict)


def _process(row: Row, examples: int | None, limit: float, place: str, result: Path) -> tuple[str, str]:
    """The status of a row without a verdict, else nothing; and what was said."""
    # -P: a directory of the caller's is not where modules are looked for.
    command = [sys.executable, "-P", "-m", "lemmata.cli", "conform", row.operation, row.target]
    command += ["--examples", str(examples or row.examples), "--json", str(result), "--dtype", *row.dtypes]
    if row.values_only or row.without:
        command += ["--only", *_checks(row)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | dict(row.environment)
    try:
        done = subprocess.run(
            command, cwd=place, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return TIMED_OUT, f"no verdict after {limit:.0f} s"
    said = "; ".join(done.stderr.strip().splitlines()[-_LAST_LINES:])
    if done.returncode == _BAD_USAGE:
        return REFUSED, said
    if not result.exists() or done.returncode not in (0, 1):
        return CRASHED, f"exit status {done.returncode}: {said}"
    return "", ""


def _checks(row: Row) -> list[str]:
    """The checks that a row is held to, where they are not all."""
    known = [check.name for check in checks_of(find_operation(row.operation))]
    return [name for name in known if name not in row.without and (name in OF_VALUES or not row.values_only)]


def load(row: Row, directory: Path) -> Outcome | None:
    """What an earlier run left of a row, if there was one."""
    path = directory / f"{row.key}.json"
    return Outcome(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def save(row: Row, outcome: Outcome, directory: Path) -> None:
    """Keeps the outcome of a row for the page."""
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(outcome), indent=1, ensure_ascii=False)
    (directory / f"{row.key}.json").write_text(text, encoding="utf-8")
