"""The long campaign against false alarms: correct implementations, at the default number of cases per dtype.

    python tests/conformance/soak.py [TEXT …] [--without TEXT] [--examples N] [--seed S] [--only CHECK]

All checks are run unless `--only` names some. Triton's interpreter takes a second for a case of attention.
Runs the targets whose line `operation target dtype` contains each TEXT, prints one line for each target and dtype, and
exits 1 if one that is correct does not conform.
"""

from __future__ import annotations

import argparse
import sys
import time

from lemmata.conformance.runner import DEFAULT_EXAMPLES, conform
from lemmata.conformance.verdict import Verdict
from lemmata.gpu.interpreter import interpret_without_cuda
from lemmata.tests.conformance.correct_targets import CORRECT_TARGETS


def main() -> int:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="*", help="part of an operation, target or dtype")
    parser.add_argument("--examples", type=int, default=DEFAULT_EXAMPLES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--without", action="append", default=[], help="part of what is left out")
    parser.add_argument("--only", action="append", help="a check; all of them by default")
    asked = parser.parse_args()
    alarms = 0
    interpret_without_cuda()
    for operation, target, dtypes in CORRECT_TARGETS:
        for dtype in dtypes:
            line = f"{operation} {target} {dtype}"
            if not all(text in line for text in asked.text) or any(text in line for text in asked.without):
                continue
            began = time.perf_counter()
            verdict = conform(
                operation, target, dtypes=[dtype], examples=asked.examples, seed=asked.seed, only=asked.only
            )
            alarms += not verdict.conforms
            print(_line(verdict, dtype, time.perf_counter() - began), flush=True)
            for check in verdict.checks:
                if check.failure is not None and check.status == "failed":
                    print(f"    {check.name}: {check.failure.message}\n    {check.failure.case}", flush=True)
    return 1 if alarms else 0


def _line(verdict: Verdict, dtype: str, seconds: float) -> str:
    taken, use = verdict.acceptance[dtype], verdict.profiles.get(dtype)
    worst = {check.name: check.worst for check in verdict.checks if check.worst is not None}
    name = max(worst, key=lambda check: worst[check], default="")
    share = f"worst share {worst[name]:.2f} ({name})" if name else "nothing compared"
    met = "no profile" if use is None or use.met is None else f"profile {use.met}"
    return (
        f"{verdict.operation:12} {verdict.target:60} {dtype:9} {verdict.verdict}: {taken.accepted} cases, "
        f"{taken.refused} refused, {share}, {met}, {seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
