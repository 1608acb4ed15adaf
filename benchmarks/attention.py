"""How fast and how large the generated attention is, against attention written by hand.

    python -m lemmata.benchmarks.attention [--json FILE] [--repeats N]

Speed: float64, one thread, (batch, heads, length, size) = (1, 8, 256, 64). Four hand-written functions are timed in
turn with the generated ones, and medians over the repeats are compared. The time is that of the processor, so that what
else the machine does disturbs it little (one thread does all the work):

- *forward*, the output alone, against `lemmata.reference.attention.attention`, which returns the log-sum-exp as well;
- *forward and gradients* in one go, the probabilities shared, against `attention_value_and_vjp`, which is the same;

each once as one writes it (`plain`, an array for every step) and once with every step `in place` that can be.
The ratio that has to be at most 1.1 is that to the faster of the two. `attention` followed by `attention_vjp`, which
computes the probabilities twice, is timed too, for information.

Memory: one head of 32,768 queries and keys of size 64, forward, in chunks of queries, in a process of its own. What
counts is the peak that NumPy allocates, by tracemalloc: the output included, the inputs not. It has to be under 1 GiB.

The exit status is 1 if one of the two limits is not met.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before NumPy is imported: its BLAS reads them once.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

SHAPE = (1, 8, 256, 64)
REPEATS = 41
WARM_UP = 2  # rounds that are not counted
LARGEST_RATIO = 1.1
LONG, SIZE, CHUNK = 32_768, 64, 256
MEMORY_LIMIT = 1 << 30
SEED = 0


def peer_forward_plain(q: Any, k: Any, v: Any) -> Any:
    """Attention as one writes it."""
    import numpy as np

    s = q @ k.mT * SHAPE[-1] ** -0.5
    a = np.exp(s - s.max(-1, keepdims=True))
    return a / a.sum(-1, keepdims=True) @ v


def peer_forward_in_place(q: Any, k: Any, v: Any) -> Any:
    """Attention with one array of the size of the scores."""
    import numpy as np

    p = q @ k.mT
    p *= SHAPE[-1] ** -0.5
    p -= p.max(-1, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(-1, keepdims=True)
    return p @ v


def peer_gradients_plain(q: Any, k: Any, v: Any, do: Any) -> Any:
    """Output and gradients as one writes them."""
    import numpy as np

    scale = SHAPE[-1] ** -0.5
    s = q @ k.mT * scale
    a = np.exp(s - s.max(-1, keepdims=True))
    p = a / a.sum(-1, keepdims=True)
    o = p @ v
    ds = p * (do @ v.mT - (do * o).sum(-1, keepdims=True))
    return o, scale * (ds @ k), scale * (ds.mT @ q), p.mT @ do


def peer_gradients_in_place(q: Any, k: Any, v: Any, do: Any) -> Any:
    """Output and gradients with two arrays of the size of the scores."""
    import numpy as np

    scale = SHAPE[-1] ** -0.5
    p = q @ k.mT
    p *= scale
    p -= p.max(-1, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(-1, keepdims=True)
    o = p @ v
    ds = do @ v.mT
    ds -= (do * o).sum(-1, keepdims=True)
    ds *= p
    return o, scale * (ds @ k), scale * (ds.mT @ q), p.mT @ do


def medians(functions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Milliseconds of processor time of each function, all called once a round, in an order drawn for the round: what
    memory a function finds in the allocator depends on the one before it."""
    order, draw = list(functions), random.Random(SEED)
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for round_ in range(repeats + WARM_UP):
        draw.shuffle(order)
        for name in order:
            start = time.thread_time()
            functions[name]()
            if round_ >= WARM_UP:
                seconds[name].append(time.thread_time() - start)
    return {name: 1e3 * statistics.median(values) for name, values in seconds.items()}


def _agree(q: Any, k: Any, v: Any, do: Any) -> None:
    """All functions compute the same: two of them are apart by at most twice the derived bound."""
    import numpy as np

    from ..reference import attention as reference
    from ..reference.bounds.attention import attention_bound, attention_vjp_bound

    precision = {"compute": (53, -1022, float(np.finfo(np.float64).max))}
    output, _, *gradients, _ = reference.attention_value_and_vjp(q, k, v, do)
    expected = (output, *gradients)
    bounds = (
        attention_bound(q, k, v, precision=precision)[0],
        *attention_vjp_bound(q, k, v, do, precision=precision)[:3],
    )
    flat, flat_do = q[:, :, 0], do[:, :, 0]
    for results in (
        (peer_forward_plain(flat, k, v),),
        (peer_forward_in_place(flat, k, v),),
        peer_gradients_plain(flat, k, v, flat_do),
        peer_gradients_in_place(flat, k, v, flat_do),
    ):
        for result, value, bound in zip(results, expected, bounds, strict=False):
            if not (abs(result - value.reshape(result.shape)) <= 2 * bound.reshape(result.shape)).all():
                raise AssertionError("a hand-written form computes something else")


def speed(repeats: int) -> dict[str, Any]:
    """The times, and the ratios to the faster peer; the results of all are compared within the derived bound first."""
    import numpy as np

    from ..reference import attention as reference

    rng = np.random.default_rng(SEED)
    q, k, v, do = (rng.standard_normal(SHAPE) for _ in range(4))
    # The generated functions take the query heads that share a head of keys as an axis of their own: of length 1 here.
    grouped, grouped_do = q[:, :, None], do[:, :, None]
    _agree(grouped, k, v, grouped_do)
    times = medians(
        {
            "forward, plain": lambda: peer_forward_plain(q, k, v),
            "forward, in place": lambda: peer_forward_in_place(q, k, v),
            "forward, generated": lambda: reference.attention(grouped, k, v),
            "forward and gradients, plain": lambda: peer_gradients_plain(q, k, v, do),
            "forward and gradients, in place": lambda: peer_gradients_in_place(q, k, v, do),
            "forward and gradients, generated": lambda: reference.attention_value_and_vjp(grouped, k, v, grouped_do),
            "attention, then attention_vjp": lambda: (
                reference.attention(grouped, k, v),
                reference.attention_vjp(grouped, k, v, grouped_do),
            ),
        },
        repeats,
    )
    ratios = {
        name: times[f"{name}, generated"] / min(times[f"{name}, plain"], times[f"{name}, in place"])
        for name in ("forward", "forward and gradients")
    }
    return {
        "shape": SHAPE,
        "dtype": "float64",
        "threads": 1,
        "repeats": repeats,
        "processor_milliseconds": times,
        "ratios": ratios,
    }


def memory() -> dict[str, Any]:
    """The peak of one long head in chunks, by tracemalloc; to be called in a process of its own."""
    import tracemalloc

    import numpy as np

    from ..reference import attention as reference

    rng = np.random.default_rng(SEED)
    q, k, v = (rng.standard_normal((1, LONG, SIZE)) for _ in range(3))
    tracemalloc.start()
    start = time.perf_counter()
    output, _ = reference.attention(q, k[0], v[0], chunk=CHUNK)
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.isfinite(output).all()
    return {"length": LONG, "size": SIZE, "chunk": CHUNK, "peak_bytes": peak, "seconds": seconds}


def about() -> dict[str, Any]:
    """Date, processor and versions, without the name of the machine."""
    import numpy as np

    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def _alone(part: str, repeats: int) -> Any:
    """One part in a process of its own, with one thread."""
    command = [sys.executable, "-m", "lemmata.benchmarks.attention", "--part", part, "--repeats", str(repeats)]
    done = subprocess.run(command, env={**os.environ, **THREADS}, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def show(result: dict[str, Any]) -> None:
    """The figures as text."""
    about_, speed_, memory_ = result["about"], result["speed"], result["memory"]
    print(f"{about_['processor']}, {about_['cores']} cores; Python {about_['python']}, NumPy {about_['numpy']}")
    shape = ", ".join(map(str, speed_["shape"]))
    print(f"float64, one thread, ({shape}), median processor time of {speed_['repeats']} interleaved repeats, ms:")
    for name, value in speed_["processor_milliseconds"].items():
        print(f"  {name:34} {value:8.2f}")
    for name, value in speed_["ratios"].items():
        print(f"{name}: {value:.2f} × the faster hand-written form (limit {LARGEST_RATIO})")
    peak = memory_["peak_bytes"] / 2**20
    print(
        f"one head, n = {memory_['length']}, d = {memory_['size']}, chunk = {memory_['chunk']}: peak {peak:.0f} MiB "
        f"above the inputs (limit {MEMORY_LIMIT >> 20}), {memory_['seconds']:.1f} s"
    )


def main() -> int:
    """Runs both parts; 1 if a limit is not met."""
    parser = argparse.ArgumentParser(prog="python -m lemmata.benchmarks.attention", description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures there as well")
    parser.add_argument(
        "--repeats", type=int, default=REPEATS, help=f"timed calls of each function (default {REPEATS})"
    )
    parser.add_argument("--part", choices=("speed", "memory"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part is not None:
        print(json.dumps(speed(arguments.repeats) if arguments.part == "speed" else memory()))
        return 0
    result = {"about": about(), **{part: _alone(part, arguments.repeats) for part in ("speed", "memory")}}
    show(result)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    fast = all(ratio <= LARGEST_RATIO for ratio in result["speed"]["ratios"].values())
    return 0 if fast and result["memory"]["peak_bytes"] < MEMORY_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
