"""Holds implementations that others wrote to the contracts, and writes docs/matrix.md.

    python tests/matrix/run.py [TEXT …] [--examples N] [--limit SECONDS] [--page]

Runs the rows whose line `library operation what target` contains each TEXT, each in a process of its own. What a run
leaves in build/matrix stays until the row is run again; the page is made of all of it. `make matrix` installs the
libraries into build/matrix-venv and runs every row.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lemmata.tests.matrix.outcomes import CONFORMS, Outcome, load, run, save
from lemmata.tests.matrix.page import document
from lemmata.tests.matrix.registry import LEFT_OUT, ROWS
from lemmata.tests.matrix.rows import Row

_ROOT = Path(__file__).parents[2]
DOCUMENT = _ROOT / "docs" / "matrix.md"
RESULTS = _ROOT / "build" / "matrix"
# Seconds for all dtypes of a row.
_LIMIT = 900.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="*", help="part of a library, operation or target")
    parser.add_argument("--examples", type=int, help="cases per dtype; as the row says by default")
    parser.add_argument("--limit", type=float, default=_LIMIT, help="seconds for a row")
    parser.add_argument("--page", action="store_true", help="run nothing, write the page only")
    asked = parser.parse_args(arguments)
    chosen = [row for row in ROWS if not asked.page and all(text in row.line for text in asked.text)]
    run_rows(chosen, asked.examples, asked.limit, RESULTS)
    write_page(ROWS, LEFT_OUT, RESULTS, DOCUMENT)
    return 0


def run_rows(rows: Sequence[Row], examples: int | None, limit: float, results: Path) -> None:
    """Runs rows one after the other, and keeps what became of each."""
    for row in rows:
        outcome = run(row, examples, limit)
        save(row, outcome, results)
        print(f"{outcome.status:16} {row.operation:20} {row.library} {row.what}: {_shown(outcome)}", flush=True)


def write_page(rows: Sequence[Row], left_out: Sequence[tuple[str, str]], results: Path, page: Path) -> None:
    """Writes the page from everything that was kept."""
    found = {row.key: outcome for row in rows if (outcome := load(row, results)) is not None}
    page.write_text(document(rows, found, left_out), encoding="utf-8")


def _shown(outcome: Outcome) -> str:
    reasons = [] if outcome.verdict is None else outcome.verdict["reasons"]
    said = outcome.detail if outcome.verdict is None else "; ".join(reasons)
    return f"{outcome.seconds:.0f} s" + (f", {said}" if said and outcome.status != CONFORMS else "")


if __name__ == "__main__":
    sys.exit(main())
