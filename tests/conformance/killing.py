"""Runs of two processes that are killed at random moments and gone on with, against one that nobody disturbs.

    python tests/conformance/killing.py [--kills N] [--seed S] [--examples N] [OPERATION TARGET]

Exits 1 if a verdict differs.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

KILLS = 50
# Cases per dtype: of a short run, and of one in which most of the time goes into cases.
EXAMPLES = 60
MANY = 800
_COMMAND = (sys.executable, "-P", "-m", "lemmata.cli", "conform")
_LEAST = 2.0  # seconds: nothing is written before PyTorch has been imported


def undisturbed(operation: str, target: str, folder: Path, examples: int = EXAMPLES) -> tuple[dict[str, Any], float]:
    """The verdict of a run that ends by itself, and how many seconds it took."""
    start = time.monotonic()
    _run(operation, target, folder / "undisturbed", [], examples)
    return _verdict(folder / "undisturbed"), time.monotonic() - start


def disturbed(
    operation: str,
    target: str,
    folder: Path,
    name: str,
    moments: Iterator[float],
    kills: int,
    examples: int = EXAMPLES,
) -> tuple[dict[str, Any], list[int]]:
    """The verdict of a run that is killed after each of some seconds, and how long its journal was each time."""
    place = folder / name
    lengths: list[int] = []
    for moment in moments:
        resume = ["--resume"] if _journal(place).exists() and _journal(place).stat().st_size else []
        if len(lengths) == kills:
            _run(operation, target, place, resume, examples)
            break
        if _killed(operation, target, place, resume, examples, moment):
            lengths.append(_lines(place))
        else:
            break  # it had ended before
    return _verdict(place), lengths


def _journal(place: Path) -> Path:
    return place.with_suffix(".journal")


def _lines(place: Path) -> int:
    return _journal(place).read_bytes().count(b"\n") if _journal(place).exists() else 0


def _arguments(operation: str, target: str, place: Path, more: list[str], examples: int) -> list[str]:
    written = ["--journal", str(_journal(place)), "--json", str(place.with_suffix(".json"))]
    asked = ["--examples", str(examples), "--dtype", "float32", "float16", "--processes", "2"]
    return [*_COMMAND, operation, target, *asked, *written, *more]


def _run(operation: str, target: str, place: Path, more: list[str], examples: int) -> None:
    done = subprocess.run(_arguments(operation, target, place, more, examples), capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr


def _killed(operation: str, target: str, place: Path, more: list[str], examples: int, moment: float) -> bool:
    """Whether the run was still going on at that moment."""
    process = subprocess.Popen(
        _arguments(operation, target, place, more, examples), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with suppress(subprocess.TimeoutExpired):
        process.wait(moment)
        return False
    process.send_signal(signal.SIGKILL)
    process.wait()
    return True


def _verdict(place: Path) -> dict[str, Any]:
    verdict: dict[str, Any] = json.loads(place.with_suffix(".json").read_text(encoding="utf-8"))
    return verdict


def main() -> int:
    """Kills runs until there have been as many kills as were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operation", nargs="?", default="softmax")
    parser.add_argument("target", nargs="?", default="lemmata.tests.conformance.targets.softmax_faults:row_sum_dropped")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=int, default=MANY)
    asked = parser.parse_args()
    rng, killed, differ = random.Random(asked.seed), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        expected, seconds = undisturbed(asked.operation, asked.target, Path(folder), asked.examples)
        number = 0
        while killed < asked.kills:
            number += 1
            moments = iter(lambda: rng.uniform(_LEAST, max(_LEAST, seconds)), None)
            kills = min(rng.randint(1, 5), asked.kills - killed)
            verdict, lengths = disturbed(
                asked.operation, asked.target, Path(folder), f"run{number}", moments, kills, asked.examples
            )
            killed += len(lengths)
            differ += verdict != expected
            same = "the same verdict" if verdict == expected else "ANOTHER VERDICT"
            print(f"killed {len(lengths)} times, after {lengths} lines of the journal: {same}", flush=True)
    print(f"{killed} kills, {differ} verdicts that differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
