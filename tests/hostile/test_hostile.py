"""Targets that mean harm or do it: each gets a verdict that says what it did, and the run is completed."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from lemmata.conformance.runner import conform
from lemmata.conformance.verdict import CheckResult, Verdict

TARGETS = Path(__file__).parent / "targets"
# Cases enough to meet a row that is long enough to harm.
EXAMPLES = 10
# Seconds that a call may take; those of a target that hangs cost as many.
CALL_LIMIT = 4.0

# What is said of each, and by which check.
FOUND = {
    "crashes": ("completes", "crashed with a segmentation fault (SIGSEGV)"),
    "aborts": ("completes", "aborted (SIGABRT)"),
    "ends_its_process": ("completes", "ended its process with exit code 0"),
    "exits": ("forward", "raised SystemExit: 0"),
    "interrupts": ("forward", "raised KeyboardInterrupt"),
    "hangs": ("completes", "gave no result within"),
    "asks_for_too_much": ("forward", "can't allocate memory: you tried to allocate 17592186044416 bytes"),
    "grows": ("forward", "can't allocate memory"),
    "prints_without_end": ("completes", "printed more than 1 MiB in one call"),
    "writes_everywhere": ("completes", "wrote to the connection of its judge"),
    "closes_everything": ("completes", "closed the connection of its judge"),
    "kills_its_parent": ("forward", "output: 0 instead of 1"),
    "replaces_comparisons": ("surroundings unchanged", "torch.allclose was replaced"),
    "replaces_timers": ("surroundings unchanged", "time.perf_counter was replaced"),
    "changes_modes": ("surroundings unchanged", "the default dtype was changed from torch.float32 to torch.float64"),
    "writes_to_its_input": ("inputs unchanged", "input after the call: 0 instead of"),
    "looks_for_the_reference": ("forward", "output: 0 instead of 1"),
    "keeps_by_pointer": ("keeps no results", "the earlier call"),
    "keeps_by_value": ("keeps no results", "a second call with the same numbers runs no operator of PyTorch"),
    "knows_one_shape": ("forward", "output: "),
    "computes_later": ("forward", "returned a Promise, a subclass that may compute later, instead of a plain tensor"),
    "is_filled_later": ("forward", "output: "),
    "recurses": ("forward", "raised RecursionError: maximum recursion depth exceeded"),
}
# What ends the search before all cases are tried.
COSTLY = {"crashes", "aborts", "hangs"}
# Right, and left alone.
HARMLESS = {"leaves_processes"}


def judged(name: str) -> Verdict:
    """The verdict on one of the targets."""
    target = f"{TARGETS / name}.py:softmax"
    return conform("softmax", target, dtypes=["float32"], examples=EXAMPLES, call_limit=CALL_LIMIT)


def named(verdict: Verdict, check: str) -> CheckResult:
    """The result of a check."""
    (result,) = (result for result in verdict.checks if result.name == check)
    return result


def test_every_target_is_expected_to_do_something() -> None:
    assert {path.stem for path in TARGETS.glob("*.py")} == set(FOUND) | HARMLESS


@pytest.mark.parametrize("name", FOUND)
def test_a_hostile_target_gets_its_verdict(name: str) -> None:
    verdict = judged(name)
    check, message = FOUND[name]
    result = named(verdict, check)
    assert result.failure is not None, [(c.name, c.status) for c in verdict.checks]
    assert message in result.failure.message
    assert not verdict.conforms
    # The run went on; only what costs too much time ends it.
    taken = verdict.acceptance["float32"]
    assert taken.accepted == EXAMPLES or name in COSTLY
    assert (taken.accepted < EXAMPLES) == (taken.stopped is not None)


@pytest.mark.parametrize("check", ["forward", "gradient", "rows are independent"])
def test_a_call_that_does_not_come_back_passes_no_check(check: str) -> None:
    target = f"{TARGETS / 'crashes'}.py:softmax"
    verdict = conform("softmax", target, dtypes=["float32"], examples=EXAMPLES, only=[check], explain=False)
    (found,) = verdict.checks
    assert found.status == "failed"
    assert found.failure is not None
    assert "SIGSEGV" in found.failure.message


def test_a_hang_is_told_with_the_limit_that_the_call_had() -> None:
    """The whole of what was allowed at first, or, once a call has hung, less: a second at least."""
    failure = named(judged("hangs"), "completes").failure
    assert failure is not None
    found = re.fullmatch(r"gave no result within ([\d.]+) s", failure.message)
    assert found is not None
    assert 1.0 <= float(found[1]) <= CALL_LIMIT


def test_what_a_target_leaves_behind_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = f"left behind by {os.getpid()}"
    monkeypatch.setenv("LEMMATA_LEFT_BEHIND", mark)
    assert judged("leaves_processes").conforms
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in listed.splitlines() if mark in line and "time.sleep" in line]
