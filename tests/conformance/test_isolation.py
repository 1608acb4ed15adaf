"""Workers of every kind, what they import, and what their ends cost a search."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from lemmata.conformance.cases import RowCase
from lemmata.conformance.checks import checks_of
from lemmata.conformance.contracts import Check
from lemmata.conformance.execution import Mode, Run, in_turn
from lemmata.conformance.isolation import executors
from lemmata.conformance.isolation.executors import InProcess, InWorker, Loading, Pending
from lemmata.conformance.isolation.processes import ForkOfJudge, FreshInterpreter, Spawner, shared_zygote
from lemmata.conformance.isolation.wire import LENGTH, pack, unpack
from lemmata.conformance.judging import Judge
from lemmata.conformance.operations import find_operation
from lemmata.conformance.problems import Problem
from lemmata.conformance.profiles import default_profiles

CASE = RowCase(shape=(3, 5), values="normal")


def softmax(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
    """A target that only this process has."""
    return torch.softmax(input, dim)


@pytest.mark.parametrize(
    ("spawner", "target"),
    [(shared_zygote(), "torch:softmax"), (FreshInterpreter(), "torch:softmax"), (ForkOfJudge(softmax), "")],
    ids=["zygote", "fresh interpreter", "fork of the judge"],
)
def test_a_worker_of_every_kind_gives_what_a_call_here_gives(spawner: Spawner, target: str) -> None:
    contract = find_operation("softmax")
    problem = contract.build(CASE, torch.float32)
    worker = InWorker(spawner, Loading(target, "softmax", ("input",), {"dim": -1}, None))
    try:
        (run,) = worker.submit(problem, "float32", "cpu", ("plain",))()
    finally:
        worker.close()
    here = torch.softmax(torch.tensor(problem.arrays["input"], dtype=torch.float32), -1)
    assert (run.outputs["output"] == here.double().numpy()).all()
    assert set(run.gradients) == {"input"}


def test_the_numbers_of_a_frame_lie_on_whole_words() -> None:
    arrays = {"mask": np.ones(3, np.bool_), "x": np.arange(5.0), "none": np.zeros((0, 2)), "y": np.arange(2.0)}
    for text in ("", "1", "12", "123", "1234567"):
        header, found = unpack(pack({"text": text}, arrays)[LENGTH:])
        assert header == {"text": text}
        assert all(found[name].flags.aligned and np.array_equal(found[name], x) for name, x in arrays.items())


def test_a_frame_grows_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length is what a target may have written: no more memory is taken than twice what has come."""
    monkeypatch.setattr(executors, "_AT_ONCE", 16)
    problem = find_operation("softmax").build(RowCase(shape=(3, 50)), torch.float32)
    worker = InWorker(shared_zygote(), Loading("torch:softmax", "softmax", ("input",), {"dim": -1}, None))
    try:
        (run,) = worker.submit(problem, "float32", "cpu", ("plain",))()
    finally:
        worker.close()
    assert (run.given["input"] == problem.arrays["input"]).all()
    with pytest.raises(ValueError, match="read-only"):
        run.outputs["output"][0] = 0.0


_WHAT_A_CASE_IMPORTS = """
import sys

import torch
from lemmata.conformance.isolation import zygote
from lemmata.conformance.cases import RowCase
from lemmata.conformance.execution import execute
from lemmata.conformance.operations import find_operation

problem = find_operation("softmax").build(RowCase(shape=(3, 5)), torch.float32)
before = set(sys.modules)
for mode in ("plain", "again", "poisoned", "twice"):
    execute(torch.softmax, problem, "float32", "cpu", mode)
print(sorted(set(sys.modules) - before), "triton" in sys.modules)
"""


def test_a_case_imports_nothing_that_the_zygote_has_not_and_no_triton() -> None:
    """Each worker would import it anew, and a target says how Triton is to run before it is imported."""
    done = subprocess.run([sys.executable, "-c", _WHAT_A_CASE_IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


_WITHOUT_ANOTHER_INTERPRETER = """
import os
import subprocess
import threading

import torch
from lemmata.conformance.isolation.processes import shared_zygote
from lemmata.conformance.runner import conform


def refused(*arguments, **options):
    raise AssertionError("another interpreter is started")


subprocess.Popen = refused
reading, opened = os.pipe()
os.set_blocking(reading, False)
shared_zygote().fork()
verdict = conform("softmax", "torch:softmax", dtypes=["float32"], examples=12)
print(verdict.conforms, verdict.acceptance["float32"].accepted)
verdict = conform("softmax", "writing:softmax", dtypes=["float32"], examples=1)
print(verdict.conforms)
try:
    print(os.read(reading, 5))
except BlockingIOError:
    print("nothing was written")
shared_zygote().close()
leave = threading.Event()
threading.Thread(target=leave.wait).start()
shared_zygote().fork()  # beside a thread it does nothing
try:
    conform("softmax", "torch:softmax", dtypes=["float32"], examples=1)
except AssertionError as error:
    print(error)
leave.set()
"""


_WRITES_TO_WHAT_IT_FINDS = """
import os
from contextlib import suppress

import torch


def softmax(input, dim=-1):
    for descriptor in range(3, 64):
        with suppress(OSError):
            os.write(descriptor, b"found")
    return torch.softmax(input, dim)
"""


def test_a_program_that_has_just_begun_forks_the_zygote_and_one_with_threads_does_not(tmp_path: Path) -> None:
    (tmp_path / "writing.py").write_text(_WRITES_TO_WHAT_IT_FINDS, encoding="utf-8")
    command = [sys.executable, "-c", _WITHOUT_ANOTHER_INTERPRETER]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    # What a target writes reaches its connection alone, and nothing that the program has open.
    assert done.stdout.splitlines() == ["True 12", "False", "nothing was written", "another interpreter is started"]


class OthersEnd:
    """Gives the calls of a case, and ends in every other one that a law makes."""

    def submit(self, problem: Problem, dtype: str, device: str, modes: Sequence[Mode]) -> Pending:
        """As the protocol has it: a case is asked for in several modes, another call in one."""
        if len(modes) > 1:
            return InProcess(softmax).submit(problem, dtype, device, modes)
        return lambda: (Run(failure="ended", broken="ended"),)

    def forget(self) -> bool:
        """There is nothing to forget."""
        return True


def laws_of_softmax(*names: str) -> tuple[Check, ...]:
    """Some checks of softmax, by name."""
    return tuple(check for check in checks_of(find_operation("softmax")) if check.name in names)


def test_the_end_of_a_call_that_a_law_makes_counts_like_that_of_the_case() -> None:
    checks = laws_of_softmax("deterministic", "rows are independent", "order of the batch is free")
    judge = Judge(find_operation("softmax"), OthersEnd(), "float32", "cpu", default_profiles("float32", "cpu"))
    assert judge.judge(CASE, checks, 0, all_of_them=True).endings == ("ended", "ended")


def test_the_end_of_a_case_counts_once_however_many_calls_were_asked_for() -> None:
    class Ends:
        def submit(self, problem: Problem, dtype: str, device: str, modes: Sequence[Mode]) -> Pending:
            return lambda: (Run(failure="ended", broken="silent"),) * len(modes)

        def forget(self) -> bool:
            return True

    checks = laws_of_softmax("forward", "deterministic", "output fully written")
    judge = Judge(find_operation("softmax"), Ends(), "float32", "cpu", default_profiles("float32", "cpu"))
    assert judge.judge(CASE, checks, 0, all_of_them=True).endings == ("silent",)


@pytest.mark.parametrize(("first", "made"), [(Run(failure="no"), 1), (Run(refusal="no"), 1), (Run(), 3)])
def test_modes_are_tried_until_there_is_nothing_to_compare(first: Run, made: int) -> None:
    calls: list[Mode] = []

    def call(mode: Mode) -> Run:
        calls.append(mode)
        return first

    assert list(in_turn(("plain", "again", "poisoned"), call)) == [first] * 3
    assert len(calls) == made
