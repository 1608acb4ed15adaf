"""How many cases a second a conformance run judges on small shapes, with all checks on, and what the harness costs.

    python -m lemmata.benchmarks.conformance [--examples N]

The rate is that of a run as users have it: four dtypes, one process a core that judges some of them, each with the
target in a worker. The share of the harness is what is left of the processor time of a run of float32 in one process
after the calls of the target, forward and backward, and those of the reference and its bounds. What Hypothesis takes to
draw as many cases, of which nothing is done, is a part of it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch

from ..conformance.adequacy import drawn_cases
from ..conformance.cases import attention_cases, row_cases
from ..conformance.contracts import Operation
from ..conformance.operations import find_operation
from ..conformance.parts import split
from ..conformance.problems import DTYPES
from ..conformance.runner import DEFAULT_EXAMPLES, conform
from ..conformance.targets import load_target

SUBJECTS = {"softmax": "torch:softmax", "attention": "torch.nn.functional:scaled_dot_product_attention"}


class _Clock:
    """Processor time spent inside of some functions, those that they call included."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._depth = 0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            start = time.process_time()
            self._depth += 1
            try:
                return function(*arguments, **keywords)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += time.process_time() - start

        return call


def small(operation: Operation) -> Operation:
    """The contract with small cases alone."""
    cases: Callable[..., Any] = row_cases if operation.name == "softmax" else attention_cases
    return replace(operation, cases=lambda: cases(small=True))


def rate(name: str, examples: int) -> tuple[float, float]:
    """Cases a second of wall time, of all dtypes and cores, and processor seconds of a judge a case."""
    command = [sys.executable, "-m", f"{__package__}.conformance", "--examples", str(examples), "--judge", name]
    judges = [
        subprocess.Popen([*command, *dtypes], stdout=subprocess.PIPE)
        for dtypes in split(list(DTYPES), os.cpu_count() or 1)
    ]
    told = [json.loads(judge.communicate()[0]) for judge in judges]
    seconds = max(one["end"] for one in told) - min(one["start"] for one in told)
    cases = len(DTYPES) * examples
    return cases / seconds, sum(one["processor"] for one in told) / cases


def judge(name: str, dtypes: Sequence[str], examples: int) -> dict[str, float]:
    """When a run of some dtypes started and ended, and its processor time."""
    contract, target = small(find_operation(name)), SUBJECTS[name]
    conform(contract, target, dtypes=dtypes, examples=10)  # the zygote is there from now on
    gc.freeze()  # as the command line does
    start, begun = time.time(), time.process_time()
    verdict = conform(contract, target, dtypes=dtypes, examples=examples)
    assert all(taken.accepted == examples for taken in verdict.acceptance.values())
    return {"start": start, "end": time.time(), "processor": time.process_time() - begun}


def shares(name: str, target: str, examples: int) -> dict[str, float]:
    """Of the processor time of a run in one process: the target, the reference with its bounds, and the harness."""
    theirs, ours = _Clock(), _Clock()
    contract = small(find_operation(name))
    contract = replace(contract, reference=ours.timed(contract.reference), bound=ours.timed(contract.bound))
    called = theirs.timed(load_target(target))
    grad = torch.autograd.grad
    torch.autograd.grad = theirs.timed(grad)
    try:
        start = time.process_time()
        conform(contract, called, dtypes=["float32"], examples=examples, isolate=False)
        total = time.process_time() - start
    finally:
        torch.autograd.grad = grad
    harness = total - theirs.seconds - ours.seconds
    seconds = {
        "target": theirs.seconds,
        "reference": ours.seconds,
        "harness": harness,
        "drawing": drawing(name, examples),
    }
    return {part: spent / total for part, spent in seconds.items()}


def drawing(name: str, examples: int) -> float:
    """Processor time that Hypothesis takes to draw cases, in seconds."""
    start = time.process_time()
    drawn_cases(small(find_operation(name)), examples, seed=0)
    return time.process_time() - start


def main() -> int:
    """Measures every subject."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=DEFAULT_EXAMPLES)
    parser.add_argument("--judge", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.judge:
        name, *dtypes = asked.judge
        print(json.dumps(judge(name, dtypes, asked.examples)))
        return 0
    print(f"python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores, small cases")
    for name, target in SUBJECTS.items():
        cases, seconds = rate(name, asked.examples)
        *parts, (_, drawn) = ((part, f"{share:.0%}") for part, share in shares(name, target, asked.examples).items())
        print(
            f"{name:10} {cases:6.0f} cases a second ({1 / seconds:.0f} by processor time of a judge); "
            + ", ".join(map(" ".join, parts))
            + f", of which {drawn} to draw the cases"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
