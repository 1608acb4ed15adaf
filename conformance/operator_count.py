"""How many operators of PyTorch a call makes: work that a second call with the same numbers has to do again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.overrides import TorchFunctionMode

# What looks at a tensor, compares it with another, or hands out a result that is there already: no arithmetic.
_NO_WORK = frozenset(
    {
        "__contains__", "__get__", "__getitem__", "__hash__", "__len__", "__setitem__", "all", "allclose", "any",
        "as_strided", "as_tensor", "clone", "contiguous", "copy_", "cpu", "data_ptr", "detach", "device", "dim",
        "double", "element_size", "empty", "empty_like", "eq", "equal", "expand", "float", "from_numpy", "half",
        "is_contiguous", "is_floating_point", "item", "mT", "mark_dirty", "ndim", "new_empty", "new_zeros", "numel",
        "numpy", "permute", "requires_grad_", "reshape", "resize_", "set_", "shape", "size", "squeeze",
        "storage_offset", "stride", "t", "tensor", "to", "tolist", "transpose", "type", "unsqueeze",
        "untyped_storage", "view", "zeros", "zeros_like",
    }
)  # fmt: skip


class _Counting(TorchFunctionMode):
    """Counts the functions of PyTorch that compute something."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += getattr(func, "__name__", "") not in _NO_WORK
        return func(*args, **(kwargs or {}))


@contextmanager
def operators_run() -> Iterator[Callable[[], int]]:
    """A function that gives the number of operators called inside of the block so far, copies and views aside.

    Triton kernels are not operators; what a compiled extension computes by itself counts as the one call that it is.
    """
    with _Counting() as counting:
        yield lambda: counting.count
