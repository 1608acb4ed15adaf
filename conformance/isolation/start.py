"""Which executor a target gets: a worker of its own, unless somebody asks for the judge's process."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ..surroundings import Surroundings
from ..targets import Target, check_signature, load_target
from .executors import Executor, InProcess, InWorker, Loading
from .processes import ForkOfJudge, FreshInterpreter, shared_zygote

# The share of the machine's memory by which a worker may grow.
_MEMORY_SHARE = 0.25


@contextmanager
def executor_for(
    target: str | Target,
    shown: str,
    signature: tuple[Sequence[str], Mapping[str, Any]],
    device: str,
    *,
    isolate: bool,
    call_limit: float | None,
    limited: bool = True,
) -> Iterator[Executor]:
    """Something that calls the target, for as long as the block lasts.

    A target that is named is loaded in a worker: forked from a process that has imported PyTorch or, on another device
    than the CPU, started afresh. A callable exists in this process alone: the worker is a fork of it or, on another
    device, which does not survive a fork, the callable is called here.

    Args:
        limited: the worker may grow by a share of the machine's memory, and no further.

    Raises:
        UsageError: the target cannot be loaded, or does not take the calling convention.
    """
    on_cpu = device.startswith("cpu")
    if not isolate or (callable(target) and not on_cpu):
        around = Surroundings()
        function = load_target(target) if isinstance(target, str) else target
        check_signature(function, shown, *signature)
        yield InProcess(function, around)
        return
    spawner = ForkOfJudge(target) if callable(target) else shared_zygote() if on_cpu else FreshInterpreter()
    loading = Loading(
        target=target if isinstance(target, str) else "",
        shown=shown,
        positional=tuple(signature[0]),
        keywords=signature[1],
        # A device maps far more addresses than it has memory.
        memory=_memory() if on_cpu and limited else None,
    )
    executor = InWorker(spawner, loading, call_limit)
    try:
        executor.load()
        yield executor
    finally:
        executor.close()


def _memory() -> int:
    return int(_MEMORY_SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
