"""Executors: how a call is made, in the judge's process or in a worker that may not survive it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..execution import Mode, Run, execute, in_turn
from ..problems import Problem
from ..surroundings import Surroundings
from ..targets import Target, UsageError
from .processes import Process, Spawner, read_output
from .wire import LENGTH, Malformed, frame_length, pack, pack_problem, unpack, unpack_run
from .worker import CONNECTION_LOST

# Seconds that one call may take, and the first one, which may have to compile.
CALL_LIMIT = 60.0
FIRST_CALL_LIMIT = 600.0
# Once a call has hung, others may take this long, or so many times as long as the slowest that came back.
_LEAST_LIMIT = 1.0
_SLOWER = 50.0
# Bytes that a target may print in one call.
PRINT_LIMIT = 1 << 20
# How long a worker whose connection has closed may take to end; it has nothing left to do.
_ENDING_LIMIT = 2.0
# Bytes of a frame that there is memory for at once: its length is what a target may have written.
_AT_ONCE = 1 << 24

Pending = Callable[[], tuple[Run, ...]]
"""The runs that were asked for, once they are there."""


class Executor(Protocol):
    """Something that calls a target."""

    def submit(self, problem: Problem, dtype: str, device: str, modes: Sequence[Mode]) -> Pending:
        """Asks for one call a mode. The answer of one request is taken before the next one is made."""

    def forget(self) -> bool:
        """Sees to it that the next call is the first of the run in its process; False if that cannot be done."""


@dataclass(frozen=True)
class InProcess:
    """Calls the target in the judge's process: for targets that are known to do no harm."""

    target: Target
    around: Surroundings | None = None
    """What was there before the target was loaded."""

    def submit(self, problem: Problem, dtype: str, device: str, modes: Sequence[Mode]) -> Pending:
        """Asks for one call a mode, made when the answer is taken."""

        def call(mode: Mode) -> Run:
            return execute(self.target, problem, dtype, device, mode, self.around)

        return lambda: tuple(in_turn(modes, call))

    def forget(self) -> bool:
        """What the target keeps is kept in this process."""
        return False


@dataclass(frozen=True)
class Loading:
    """What a worker is told of its target.

    Attributes:
        target: `module:callable` or `path/file.py:callable`; empty where the worker was forked with it.
        shown: what messages call it.
        positional, keywords: of the calling convention.
        memory: bytes by which the process may grow; None: without limit.
    """

    target: str
    shown: str
    positional: tuple[str, ...]
    keywords: Mapping[str, Any]
    memory: int | None


class InWorker:
    """Calls the target in a worker. One that ends, hangs or floods is replaced; what ended it is the answer."""

    def __init__(self, spawner: Spawner, loading: Loading, call_limit: float | None = None) -> None:
        self._spawner, self._loading = spawner, loading
        self._limit = CALL_LIMIT if call_limit is None else call_limit
        self._first_limit = FIRST_CALL_LIMIT if call_limit is None else call_limit
        self._process: Process | None = None
        self._printed, self._flood = b"", 0
        self._called = False
        self._owed = 0
        self._slowest = 0.0
        self._silent = False
        self.source: str | None = None
        """A hash of the file of the target, once it has been loaded."""

    def load(self) -> None:
        """Loads the target in a worker.

        Raises:
            UsageError: it cannot be loaded, or does not take the calling convention.
        """
        if self._process is not None:
            return
        process = self._process = self._spawner.start()
        self._printed, self._flood, self._called = b"", 0, False
        loading = self._loading
        header = {
            "do": "load",
            "path": sys.path,
            "environment": dict(os.environ),
            "target": loading.target,
            "shown": loading.shown,
            "positional": loading.positional,
            "keywords": dict.fromkeys(loading.keywords),
            "memory": loading.memory,
        }
        answer: dict[str, Any] | str
        try:
            process.connection.sendall(pack(header))
            answer = self._receive(FIRST_CALL_LIMIT, lambda frame: unpack(frame)[0])
        except OSError:
            answer = self._ended_by("")
        if isinstance(answer, str):
            raise UsageError(f"target {loading.shown!r}: while it was loaded, it {answer}")
        if "usage" in answer:
            self.close()
            raise UsageError(str(answer["usage"]))
        self.source = answer.get("source")

    def close(self) -> None:
        """Ends the worker."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def forget(self) -> bool:
        """The next call is made in a new worker."""
        self.close()
        self._owed = 0
        return True

    def submit(self, problem: Problem, dtype: str, device: str, modes: Sequence[Mode]) -> Pending:
        """Asks for one call a mode; a call that ends the worker is a run that says so."""
        if self._owed:
            self._answers()  # a check has asked and not listened
        self.load()
        assert self._process is not None
        # A worker that has ended is noticed when the answer is taken.
        with contextlib.suppress(OSError):
            self._process.connection.sendall(
                pack_problem(problem, do="execute", dtype=dtype, device=device, modes=modes)
            )
        self._owed = len(modes)
        return self._answers

    def _answers(self) -> tuple[Run, ...]:
        runs: list[Run] = []
        count, self._owed = self._owed, 0
        while len(runs) < count:
            limit = self._limit if self._called else self._first_limit
            if self._silent:
                limit = min(limit, max(_LEAST_LIMIT, _SLOWER * self._slowest))
            asked = time.monotonic()
            answer = self._receive(limit, lambda frame: unpack_run(*unpack(frame)))
            if isinstance(answer, str):
                broken = Run(failure=answer, broken="silent" if self._silent else "ended")
                return (*runs, *(broken,) * (count - len(runs)))
            self._called = True
            self._slowest = max(self._slowest, time.monotonic() - asked)
            runs.append(answer)
        return tuple(runs)

    def _receive(self, limit: float, read: Callable[[memoryview], Any]) -> Any:
        """The next answer, or in words what ended the worker."""
        try:
            until = time.monotonic() + limit
            length = frame_length(self._exactly(LENGTH, until))
            answer = read(self._exactly(length, until))
        except _Silence:
            self._silent = True
            return self._ended_by(f"gave no result within {limit:g} s")
        except _Flood:
            return self._ended_by(f"printed more than {PRINT_LIMIT >> 20} MiB in one call")
        except Malformed:
            return self._ended_by("wrote to the connection of its judge")
        except (EOFError, OSError):
            return self._ended_by("")
        self._flood = 0
        return answer

    def _exactly(self, count: int, until: float) -> memoryview:
        assert self._process is not None
        connection, output = self._process.connection, self._process.output
        buffer, filled = bytearray(min(count, _AT_ONCE)), 0
        while filled < count:
            if filled == len(buffer):
                buffer.extend(bytes(min(filled, count - filled)))
            watched: list[socket.socket | int] = [connection, output] if output >= 0 else [connection]
            ready, _, _ = select.select(watched, [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise _Silence
            if output in ready:
                self._printed, read = read_output(self._process, self._printed)
                self._flood += read
                if self._flood > PRINT_LIMIT:
                    raise _Flood
                if read == 0:
                    output = -1  # closed by the target
            if connection in ready:
                with memoryview(buffer) as whole, whole[filled:] as rest:
                    part = connection.recv_into(rest)
                if not part:
                    raise EOFError
                filled += part
            if time.monotonic() > until:
                raise _Silence
        return memoryview(buffer).toreadonly()

    def _ended_by(self, cause: str) -> str:
        """What the worker did to end, with the end of what it printed; it is gone then."""
        assert self._process is not None
        process = self._process
        code = None if cause else process.ended(_ENDING_LIMIT)
        self._printed, _ = read_output(process, self._printed)
        process.close()
        self._process = None
        said = _telling(self._printed)
        return (cause or _exit(code)) + (f" ({said})" if said else "")


class _Silence(Exception):
    """Nothing came within the limit."""


class _Flood(Exception):
    """The worker prints without end."""


def _exit(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None or code == CONNECTION_LOST:
        return "closed the connection of its judge"
    if code >= 0:
        return f"ended its process with exit code {code}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    meanings = {
        "SIGSEGV": "crashed with a segmentation fault",
        "SIGBUS": "crashed with a bus error",
        "SIGABRT": "aborted",
        "SIGFPE": "crashed with an arithmetic exception",
        "SIGILL": "crashed with an illegal instruction",
        "SIGKILL": "was killed, perhaps as memory ran out",
    }
    return f"{meanings[name]} ({name})" if name in meanings else f"was ended by {name}"


# What the C library, PyTorch and CUDA say last when they end a process.
_TELLING = (
    "terminate called",
    "what():",
    "CUDA error",
    "illegal memory",
    "Assertion",
    "free():",
    "double free",
    "malloc",
)


def _telling(printed: bytes) -> str:
    """The line of what was printed that says why the process ended, if there is one."""
    lines = printed.decode("utf-8", "replace").splitlines()
    return next((line.strip()[:200] for line in lines if any(sign in line for sign in _TELLING)), "")
