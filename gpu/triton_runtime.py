"""Triton, loaded for CUDA where there is a CUDA device and for Triton's interpreter where there is none.

Kernel modules take `jit` and `tl` from here. Whether a kernel is compiled or interpreted is decided when
it is decorated, and Triton decorates its own library on import, so the choice has to be made before
Triton is first imported anywhere in the process.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch

from .interpreter import interpret_without_cuda

interpret_without_cuda()

import triton  # noqa: E402 - the line above has to run first
import triton.language as tl  # noqa: E402 - as above

__all__ = [
    "INTERPRETED",
    "LONGEST_INTERPRETED",
    "Launch",
    "check_tensors",
    "jit",
    "kernel_launch",
    "next_power_of_2",
    "tl",
    "tuned",
]

# Triton has no type information; the name gives its decorator a type.
jit: Callable[[Callable[..., Any]], Any] = triton.jit

# Triton's own library shows the mode it was imported in; the environment variable may have been set too late.
INTERPRETED: bool = not isinstance(tl.max, triton.runtime.jit.JITFunction)

# Elements of a row in a tile that is interpreted: few, so that small rows already take several tiles, and what passes
# from one to the next is tested.
LONGEST_INTERPRETED = 32


class Launch(NamedTuple):
    """One way to launch a kernel: constants that are free, warps in a program, and loads that are under way at once."""

    constants: dict[str, int]
    warps: int
    stages: int


# For kernels whose tiles follow from the shapes.
BY_WARPS = tuple(Launch({}, warps, 2) for warps in (16, 8, 2, 4))


def tuned(*key: str, launches: Sequence[Launch] = BY_WARPS) -> Callable[[Any], Any]:
    """Decorates a kernel to be launched, on CUDA, in the fastest of some ways, found anew for each value of `key`.

    A tuned kernel writes no memory that it reads, as it is run many times to be timed. Interpreted, it is launched as
    it is, with constants that the caller gives.

    Args:
        key: the parameters on which the choice depends, besides the dtypes: sizes rounded up, as it takes a second.
        launches: the ways; one that the device has no room for counts as slow.
    """

    def decorate(kernel: Any) -> Any:
        if INTERPRETED:
            return kernel
        configs = [triton.Config(way.constants, num_warps=way.warps, num_stages=way.stages) for way in launches]
        return triton.autotune(configs, key=list(key))(kernel)

    return decorate


def check_tensors(*tensors: torch.Tensor | None) -> None:
    """Refuse tensors that the kernels of this process cannot work on.

    Raises:
        RuntimeError: a tensor is on the CPU and Triton was imported outside its interpreter.
        NotImplementedError: a tensor is bfloat16 and the kernels are interpreted; Triton's interpreter
            keeps bfloat16 as 16-bit integers, so its arithmetic on them is wrong.
    """
    for tensor in tensors:
        if tensor is None:
            continue
        if not INTERPRETED and not tensor.is_cuda:
            raise RuntimeError(
                f"a Triton kernel was given a tensor on {tensor.device}: use CUDA tensors, or set the "
                "environment variable TRITON_INTERPRET=1 before anything imports triton"
            )
        if INTERPRETED and tensor.dtype is torch.bfloat16:
            raise NotImplementedError(
                "Triton's interpreter does not compute bfloat16 correctly; use float16 or float32, or a CUDA device"
            )


@contextmanager
def kernel_launch(tensor: torch.Tensor) -> Iterator[None]:
    """Launch on the device of `tensor`; interpreted kernels follow IEEE arithmetic without NumPy's warnings."""
    with torch.cuda.device(tensor.device if tensor.is_cuda else -1), warnings.catch_warnings():
        if INTERPRETED:
            # inf - inf and the like are the wanted NaN; on CUDA the same operations are silent.
            warnings.simplefilter("ignore", RuntimeWarning)
        yield


def next_power_of_2(n: int) -> int:
    """The smallest power of two that is at least `n` and at least 1."""
    return 1 << max(n - 1, 0).bit_length()
