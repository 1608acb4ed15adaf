"""Launches every Triton kernel as on CUDA, without a device: each is given all its parameters, and a grid.

    TRITON_INTERPRET=0 python -m lemmata.tests.gpu.launching

No kernel runs; what is checked is that the constants of the tuner and those of callers fit together.
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from lemmata.gpu import attention, norm, triton_runtime
from lemmata.tests.gpu.test_operators import USES, leaves, numbers
from triton.runtime import Autotuner, JITFunction

# What a launch takes besides the parameters of its kernel.
_OPTIONS = ("num_warps", "num_stages", "num_ctas", "enable_fp_fusion", "maxnreg")


def main() -> int:
    """Prints how often each kernel was launched, one a line."""
    launched: Counter[str] = Counter()

    def run(kernel: Any, *arguments: Any, grid: Any, warmup: bool, **named: Any) -> None:
        given = {name: x for name, x in named.items() if name not in _OPTIONS and not name.endswith("_hook")}
        bound = inspect.signature(kernel.fn).bind(*arguments, **given).arguments
        programs = grid(bound) if callable(grid) else grid
        assert len(bound) == len(kernel.arg_names)
        assert all(isinstance(count, int) and count > 0 for count in programs), (kernel, programs)
        launched[f"{kernel.fn.__module__.rpartition('.')[2]}.{kernel.fn.__name__}"] += 1

    def time(self: Any) -> Callable[..., list[float]]:
        def once(call: Callable[[], None], quantiles: tuple[float, ...]) -> list[float]:
            call()
            return [1.0 for _ in quantiles]

        return once

    # The kernel modules, which take what is replaced here, are imported when their functions are first called.
    with (
        patch.object(JITFunction, "run", run),
        patch.object(Autotuner, "do_bench", property(time)),
        patch.object(triton_runtime, "check_tensors", lambda *tensors: None),
        patch.object(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(multi_processor_count=2)),
    ):
        for name, use in USES.items():
            if name.startswith("triton_"):
                _both_ways(use.function, *leaves(use.tensors))
        q, k, v = (numbers(*shape).float().requires_grad_() for shape in ((1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 5, 3)))
        _both_ways(attention.triton_scaled_dot_product_attention, q, k, v, numbers(3, 5).float().requires_grad_())
        # Rows that are longer than a tile.
        long = torch.ones(2, 1 << 15, requires_grad=True)
        _both_ways(lambda x: norm.triton_layer_norm(x, x.shape[-1:], x[0]), long)
    for kernel, times in sorted(launched.items()):
        print(kernel, times)
    return 0


def _both_ways(function: Callable[..., Any], *tensors: torch.Tensor) -> None:
    outputs = function(*tensors)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    wanted = [x for x in tensors if x.requires_grad]
    torch.autograd.grad(sum(y.sum() for y in outputs), wanted, allow_unused=True)


if __name__ == "__main__":
    sys.exit(main())
