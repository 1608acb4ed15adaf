"""Triton, loaded for CUDA where there is a CUDA device and for Triton's interpreter where there is none.

Kernel modules take `jit` and `tl` from here. Whether a kernel is compiled or interpreted is decided when
it is decorated, and Triton decorates its own library on import, so the choice has to be made before
Triton is first imported anywhere in the process.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from .interpreter import interpret_without_cuda

interpret_without_cuda()

import triton  # noqa: E402 - the line above has to run first
import triton.language as tl  # noqa: E402 - as above

__all__ = ["INTERPRETED", "LONGEST_INTERPRETED", "check_tensors", "jit", "kernel_launch", "next_power_of_2", "tl"]

# Triton has no type information; the name gives its decorator a type.
jit: Callable[[Callable[..., Any]], Any] = triton.jit

# Triton's own library shows the mode it was imported in; the environment variable may have been set too late.
INTERPRETED: bool = not isinstance(tl.max, triton.runtime.jit.JITFunction)

# Elements of a row in a tile that is interpreted: few, so that small rows already take several tiles, and what passes
# from one to the next is tested.
LONGEST_INTERPRETED = 32


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
