"""How fast this package's kernels are on CUDA, against PyTorch and against what the device can do.

    python -m lemmata.benchmarks.gpu [--json FILE] [--plot FILE] [--only TEXT]

Two ceilings are measured in the same run: bytes a second of a large copy, and operations a second of a large bfloat16
product. Operations whose time is that of memory are timed against PyTorch's own, eager and compiled, and say what share
of the copy's rate they reach with the bytes that they have to move. Attention is timed against every backend of
PyTorch's, `flex_attention`, and attention as one writes it, eager and compiled, over lengths, head dimensions, causal
or not. What an implementation refuses is printed with its reason. Times are medians by Triton's `do_bench`, which
empties the cache before each call. Without a CUDA device every line says NOT RUN.

That the results are right is what `tests/gpu` shows.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch

from .gpu_subjects import ATTENTION, FULL, OURS, SUBJECTS, Setting, attention_flops

Timer = Callable[[Callable[[], object]], float]
_COMPILED, _EAGER = "compiled", "eager"


class Timed(NamedTuple):
    """A line of the result.

    Attributes:
        subject: the operation; of attention with length, head dimension and mask.
        direction: forward or backward.
        implementation: `lemmata`, or that of PyTorch.
        milliseconds: None if it was not run.
        rate: bytes, or operations of attention, a second.
        share: of the ceiling.
        why: the reason why it was not run.
    """

    subject: str
    direction: str
    implementation: str
    milliseconds: float | None = None
    rate: float | None = None
    share: float | None = None
    why: str | None = None


class Ceilings(NamedTuple):
    """Bytes a second of a copy, read and written, and operations a second of a product."""

    copy: float
    multiply: float


def ceilings(setting: Setting, timer: Timer) -> Ceilings:
    """What the device can do, measured."""
    source = torch.empty(setting.copied, dtype=torch.uint8, device=setting.device)
    target = torch.empty_like(source)
    copy = 2 * source.nbytes / _seconds(timer, lambda: target.copy_(source))
    a, b = (setting.numbers(setting.squared, setting.squared) for _ in range(2))
    multiply = 2.0 * setting.squared**3 / _seconds(timer, lambda: a @ b)
    return Ceilings(copy, multiply)


def memory_bound(setting: Setting, limits: Ceilings, timer: Timer, only: str = "") -> Iterator[Timed]:
    """Every operation whose time is that of memory."""
    for name, subject in SUBJECTS.items():
        if only not in name:
            continue
        tensors = subject.tensors(setting)
        peers = {OURS: subject.ours, _EAGER: subject.theirs, _COMPILED: torch.compile(subject.theirs)}
        for implementation, function in peers.items():
            moved = subject.forward(setting, tensors), subject.backward(setting, tensors) if subject.backward else 0
            yield from _both_ways(name, implementation, function, tensors, moved, limits.copy, timer)


def attention(setting: Setting, limits: Ceilings, timer: Timer, only: str = "") -> Iterator[Timed]:
    """Every implementation of attention over lengths and head dimensions."""
    for length, head, causal in product(setting.lengths, setting.heads, (False, True)):
        name = _named(length, head, causal)
        if only not in name:
            continue
        batch, heads = max(1, setting.tokens // length), setting.features // head
        tensors = [setting.numbers(batch, heads, length, head) for _ in range(3)]
        work = tuple(attention_flops(batch, heads, length, head, causal, back) for back in (False, True))
        for implementation, function in ATTENTION.items():
            call = _with_mask(function, causal)
            yield from _both_ways(name, implementation, call, tensors, work, limits.multiply, timer)


def _named(length: int, head: int, causal: bool) -> str:
    return f"attention, n = {length}, d = {head}{', causal' if causal else ''}"


def _with_mask(function: Callable[..., Any], causal: bool) -> Callable[..., Any]:
    return lambda q, k, v: function(q, k, v, causal)


def _both_ways(
    name: str,
    implementation: str,
    function: Callable[..., Any],
    tensors: list[torch.Tensor],
    work: tuple[float, ...],
    ceiling: float,
    timer: Timer,
) -> Iterator[Timed]:
    """Forward and backward, each with its work, bytes or operations; a pass without work is left out."""
    inputs = [x.detach().requires_grad_(x.is_floating_point()) for x in tensors]
    wanted = [x for x in inputs if x.requires_grad]

    def forward() -> Any:
        with torch.no_grad():
            return function(*inputs)

    def backward() -> Callable[[], object]:
        outputs = function(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        cotangents = [torch.randn_like(y) for y in outputs]
        return lambda: torch.autograd.grad(outputs, wanted, cotangents, retain_graph=True)

    for direction, amount in zip(("forward", "backward"), work, strict=True):
        if not amount:
            continue
        try:
            seconds = _seconds(timer, forward if direction == "forward" else backward())
        except (RuntimeError, NotImplementedError, TypeError, ValueError) as reason:  # a refusal, or no memory
            first = next(iter(str(reason).splitlines()), type(reason).__name__)
            yield Timed(name, direction, implementation, why=first)
        else:
            rate = amount / seconds
            yield Timed(name, direction, implementation, 1e3 * seconds, rate, rate / ceiling)


def _seconds(timer: Timer, call: Callable[[], object]) -> float:
    return 1e-3 * timer(call)


def not_run(setting: Setting, why: str) -> Iterator[Timed]:
    """The lines of this package in a run, none of which is measured."""
    names = [*SUBJECTS, *(_named(*one) for one in product(setting.lengths, setting.heads, (False, True)))]
    for name, direction in product(names, ("forward", "backward")):
        if name not in SUBJECTS or SUBJECTS[name].backward or direction == "forward":
            yield Timed(name, direction, OURS, why=why)


def line(row: Timed) -> str:
    """A row as it is printed."""
    head = f"{row.subject:36} {row.direction:8} {row.implementation:14}"
    if row.milliseconds is None or row.rate is None or row.share is None:
        return f"{head} NOT RUN: {row.why}"
    unit, scale = ("TFLOP/s", 1e12) if row.subject.startswith("attention") else ("GB/s", 1e9)
    return f"{head} {row.milliseconds:9.3f} ms {row.rate / scale:8.1f} {unit:7} {row.share:6.1%} of the ceiling"


def plot(rows: list[Timed], path: Path) -> None:
    """Attention over lengths, a panel for each head dimension, mask and direction.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    curves: dict[tuple[str, str], dict[str, list[tuple[int, float]]]] = {}
    for row in rows:
        if row.subject.startswith("attention") and row.rate is not None:
            _, length, rest = row.subject.split(", ", 2)
            panel = curves.setdefault((rest, row.direction), {})
            panel.setdefault(row.implementation, []).append((int(length.removeprefix("n = ")), row.rate / 1e12))
    figure = Figure(figsize=(5 * max(1, (len(curves) + 1) // 2), 8), layout="constrained")
    for number, (title, implementations) in enumerate(sorted(curves.items()), 1):
        axes = figure.add_subplot(2, (len(curves) + 1) // 2, number)
        for name, points in implementations.items():
            axes.plot(*zip(*sorted(points), strict=True), marker="o", label=name, linewidth=2.5 if name == OURS else 1)
        axes.set(xscale="log", xlabel="length", ylabel="TFLOP/s", title=", ".join(title))
        axes.legend(fontsize="small")
    figure.savefig(path)


def main(arguments: list[str] | None = None) -> int:
    """Measures everything, or says what is not run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the result there")
    parser.add_argument("--plot", type=Path, help="also draw attention over lengths there; needs matplotlib")
    parser.add_argument("--only", default="", help="part of the name of what is timed")
    asked = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        for row in not_run(FULL, "needs CUDA"):
            print(line(row))
        return 0
    from triton.testing import do_bench

    def timer(call: Callable[[], object]) -> float:
        median: float = do_bench(call, return_mode="median")
        return median

    limits = ceilings(FULL, timer)
    about = {"date": datetime.date.today().isoformat(), "device": torch.cuda.get_device_name()}
    about |= {"torch": torch.__version__, "cuda": str(torch.version.cuda)}
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(f"ceilings: copy {limits.copy / 1e9:.0f} GB/s, bfloat16 product {limits.multiply / 1e12:.0f} TFLOP/s")
    rows = []
    for part in (memory_bound, attention):
        for row in part(FULL, limits, timer, asked.only):
            rows.append(row)
            print(line(row), flush=True)
    if asked.json:
        document: dict[str, Any] = {"about": about, "ceilings": limits._asdict(), "rows": [r._asdict() for r in rows]}
        asked.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if asked.plot:
        plot(rows, asked.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
