"""Memory: what surrounds a tensor, what an allocation holds, and what shares memory with what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

# Freed blocks of NaN per output: an allocator tends to hand back what was freed last.
_POISONED_BLOCKS = 2
# Elements of poison on each side of a guarded tensor: a block of the usual sizes, which keeps its alignment.
_GUARD = 128
# Bytes of a buffer that is read and written as a whole.
_TOUCHED = 1 << 30


@contextmanager
def uninitialised_memory_is_nan() -> Iterator[None]:
    """PyTorch fills what `torch.empty` and its relatives return with NaN."""
    before = torch.get_deterministic_debug_mode()
    # The fill is part of the deterministic mode; operations without a deterministic form go on as they are. Its other
    # name, `use_deterministic_algorithms`, imports the compiler: a second, and Triton before the target has chosen how.
    torch.set_deterministic_debug_mode("warn")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(before)


def poison_free_memory(like: Sequence[torch.Tensor]) -> None:
    """Allocates blocks of NaN of the shapes of `like`, and frees them."""
    blocks = [
        torch.full(x.shape, float("nan"), dtype=x.dtype, device=x.device)
        for x in like
        if x.is_floating_point()
        for _ in range(_POISONED_BLOCKS)
    ]
    del blocks


def poison_for(dtype: torch.dtype) -> float | int | bool:
    """What no input holds: NaN, True, or a position far out of every range."""
    # Where there is no NaN, reading the poison as a position raises, or reaches foreign memory.
    return float("nan") if dtype.is_floating_point else dtype == torch.bool or torch.iinfo(dtype).max


def whole_storage(x: torch.Tensor) -> torch.Tensor:
    """All elements of the memory of a tensor, in one dimension."""
    storage = x.detach().untyped_storage()
    made = torch.empty(0, dtype=x.dtype, device=x.device)
    return made.set_(storage, 0, (storage.nbytes() // x.element_size(),), (1,))


def guarded(x: torch.Tensor) -> torch.Tensor:
    """The same numbers with the same strides, in the middle of a larger buffer of poison."""
    memory = whole_storage(x)
    count = memory.numel()
    if memory.numel() * x.element_size() > _TOUCHED:
        return x  # its elements lie so far apart that what surrounds it is memory that nobody has touched
    buffer = torch.full((count + 2 * _GUARD,), poison_for(x.dtype), dtype=x.dtype, device=x.device)
    buffer[_GUARD : _GUARD + count] = memory
    return buffer.as_strided(x.size(), x.stride(), x.storage_offset() + _GUARD)


def halve_in_place(x: torch.Tensor) -> None:
    """Halves every real number of a tensor where it lies, stride 0 or not."""
    if not x.is_floating_point():
        return
    memory = whole_storage(x)
    (memory if memory.numel() * x.element_size() <= _TOUCHED else x.detach()).mul_(0.5)


def aliases(outputs: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> tuple[str, ...]:
    """What shares memory that should be its own: an output with an input, or an output with itself."""
    inputs = {x.untyped_storage().data_ptr(): name for name, x in given.items() if x.numel()}
    found: list[str] = []
    for name, x in outputs.items():
        if x.numel() and (other := inputs.get(x.untyped_storage().data_ptr())) is not None:
            found.append(f"{name} shares the memory of {other}")
        if x.numel() and any(size > 1 and stride == 0 for size, stride in zip(x.shape, x.stride(), strict=True)):
            found.append(f"{name} has elements that share memory (strides {tuple(x.stride())} of {tuple(x.shape)})")
    return tuple(found)
