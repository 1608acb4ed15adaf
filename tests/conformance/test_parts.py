"""Runs whose dtypes are judged side by side: the verdict is that of one process."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lemmata.conformance.found import Found
from lemmata.conformance.journal import Journal
from lemmata.conformance.parts import Part, split
from lemmata.conformance.runner import conform
from lemmata.conformance.targets import UsageError
from lemmata.conformance.verdict import Acceptance, CheckResult, Compared, Failure, ProfileUse, Verdict

CORRECT = "torch:softmax"
FAULTY = "lemmata.tests.conformance.targets.softmax_faults:row_sum_dropped"
REQUEST: dict[str, Any] = {"operation": "softmax", "target": CORRECT, "device": "cpu", "dtypes": ["float32"]}


def test_the_dtypes_are_shared_out() -> None:
    four = ["float64", "float32", "bfloat16", "float16"]
    assert split(four, 1) == [four]
    assert split(four, 2) == [["float64", "bfloat16"], ["float32", "float16"]]
    assert split(four, 9) == [[dtype] for dtype in four]
    assert split([], 3) == [[]]


def test_what_was_found_can_be_written_and_read() -> None:
    values = np.array([[1.0, -np.inf], [np.inf, 0.1]])
    failure = Failure("wrong", "case(1)", "print()", (Compared.of("y", values, values, values),), ("a", "b"), "crash")
    results = (
        CheckResult("forward", "float32", "failed", worst=np.inf, cases=3, failure=failure, sizes=((4, np.inf),)),
        CheckResult("gradient", "float32", "not run", decides=False, reason="no gradient", statement="s", meaning="m"),
    )
    use = ProfileUse("fp32", "fp32", "as it says", "tighter", 2.5)
    for found in (Found(results, use, Acceptance(3, 1, "no", "time")), Found(results)):
        assert Found.from_record(json.loads(json.dumps(found.to_record()))) == found


def run(target: str, **more: Any) -> Verdict:
    """The verdict on softmax after a few cases, by checks that nothing else can sway."""
    only = ["completes", "forward", "gradient", "rows sum to 1"]
    return conform("softmax", target, examples=25, only=only, explain=False, isolate=False, **more)


def said(verdict: Verdict) -> Any:
    """What a verdict says but for shares of bounds: PyTorch's bits depend on what a process did before."""
    checks = [
        (check.name, check.dtype, check.status, check.cases, None if check.failure is None else check.failure.case)
        for check in verdict.checks
    ]
    held = {dtype: (use.held_to, use.met) for dtype, use in verdict.profiles.items()}
    return checks, held, dict(verdict.acceptance), verdict.reasons


@pytest.mark.parametrize("target", [CORRECT, FAULTY])
def test_two_processes_say_what_one_says(target: str) -> None:
    told: set[str] = set()

    def progress(dtype: str, done: int, total: int) -> None:
        assert 0 < done <= total == 25
        told.add(dtype)

    assert said(run(target, processes=2, progress=progress)) == said(run(target, processes=1))
    assert told == {"float64", "float32", "bfloat16", "float16"}


def test_a_profile_that_some_dtypes_do_not_have_is_asked_of_the_others() -> None:
    alone = run(CORRECT, dtypes=["float32", "float16"], profile="fused", processes=1)
    assert {dtype: use.held_to for dtype, use in alone.profiles.items()} == {"float32": "fp32", "float16": "fused"}
    assert said(run(CORRECT, dtypes=["float32", "float16"], profile="fused", processes=2)) == said(alone)


def test_more_processes_need_names() -> None:
    with pytest.raises(UsageError, match="processes 2: more than 1 are for an operation and a target that are given"):
        conform("softmax", lambda x, dim: x, processes=2)
    with pytest.raises(UsageError, match="processes 0: at least 1"):
        conform("softmax", CORRECT, processes=0)


def test_what_is_wrong_with_the_request_of_a_part_is_said() -> None:
    part = Part({**REQUEST, "examples": 0}, Journal(), None)
    with pytest.raises(UsageError, match="examples 0: at least 1 case is needed"):
        part.found()
    part.close()


def test_a_part_that_ends_without_an_answer_is_not_a_verdict() -> None:
    part = Part({**REQUEST, "examples": 1000}, Journal(), None)
    os.kill(part.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="the process that judged float32 ended with -9"):
        part.found()
    part.close()


# That a run of two processes that is killed goes on in both: see test_journal.


def test_a_part_ends_with_the_run_that_has_started_it(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    command = [sys.executable, "-m", "lemmata.cli", "conform", "softmax", CORRECT, "--processes", "2", "--journal"]
    with subprocess.Popen([*command, str(journal)], stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while not _written_by_part(journal) and time.monotonic() < until:
            time.sleep(0.1)
        process.kill()
    assert _written_by_part(journal)
    until = time.monotonic() + 20
    while _is_open(journal) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _is_open(journal)


def _is_open(journal: Path) -> bool:
    """Whether a process may still write to it."""
    with journal.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _written_by_part(journal: Path) -> bool:
    with suppress(FileNotFoundError):
        return b'"dtype": "float32"' in journal.read_bytes()
    return False
