"""Processes: how the judge starts workers, hears from them, and ends them."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from ..surroundings import Surroundings
from ..targets import Target
from . import worker, zygote

# How long a process may take to import PyTorch, and how long one that was killed may take to be gone.
_START_LIMIT = 120.0
_END_LIMIT = 10.0
# What is kept of the end of what a worker prints: the stack of a crash.
_KEPT_OUTPUT = 8192
_CHUNK = 1 << 16


def worker_threads() -> int:
    """Threads of PyTorch in a worker: one core is the judge's."""
    return max(1, (os.cpu_count() or 1) - 1)


@dataclass
class Process:
    """A worker that is running, or has ended.

    Attributes:
        connection: the judge's end.
        output: where its prints can be read.
        ended: its exit code, negative for a signal; None while it runs or where nobody knows.
    """

    pid: int
    connection: socket.socket
    output: int
    ended: Callable[[float], int | None]

    def close(self) -> int | None:
        """Ends it and whatever it has started; returns its exit code if it had ended by itself."""
        code = self.ended(0.0)
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        self.connection.close()
        os.close(self.output)
        if code is None:
            self.ended(_END_LIMIT)
        return code


class Spawner(Protocol):
    """Something that starts workers."""

    def start(self) -> Process:
        """Starts one."""


@dataclass(frozen=True)
class _Ends:
    """The two ends of what connects the judge and a worker."""

    mine: socket.socket
    its: socket.socket
    reading: int
    printing: int

    @staticmethod
    def new() -> _Ends:
        mine, its = socket.socketpair()
        reading, printing = os.pipe()
        os.set_blocking(reading, False)
        return _Ends(mine, its, reading, printing)

    def handed_over(self) -> None:
        """Closes the worker's ends here."""
        self.its.close()
        os.close(self.printing)


def environment() -> dict[str, str]:
    """The environment of the judge, in which its modules are found."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


class FreshInterpreter:
    """Starts each worker as a new interpreter: two seconds, and nothing of a device has been touched before."""

    def start(self) -> Process:
        """Starts one."""
        ends = _Ends.new()
        descriptors = (ends.its.fileno(), ends.printing)
        command = [sys.executable, "-m", worker.__name__, *map(str, descriptors), str(worker_threads())]
        process = subprocess.Popen(command, pass_fds=descriptors, env=environment())
        ends.handed_over()
        return Process(process.pid, ends.mine, ends.reading, _interpreter(process))


def _interpreter(process: subprocess.Popen[bytes]) -> Callable[[float], int | None]:
    """The exit code of an interpreter, once it has ended within some seconds."""

    def ended(limit: float) -> int | None:
        try:
            return process.wait(limit)
        except subprocess.TimeoutExpired:
            return None

    return ended


def _child(pid: int) -> Callable[[float], int | None]:
    """The exit code of a fork of this process, once it has ended within some seconds."""
    codes: list[int] = []

    def ended(limit: float) -> int | None:
        until = time.monotonic() + limit
        while not codes:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                codes.append(os.waitstatus_to_exitcode(status))
            elif time.monotonic() >= until:
                return None
            else:
                time.sleep(0.001)
        return codes[0]

    return ended


class ForkOfJudge:
    """Forks the judge itself: for a callable that only this process has."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def start(self) -> Process:
        """Starts one."""
        ends = _Ends.new()
        pid = os.fork()
        if pid == 0:
            ends.mine.close()
            worker.settle(ends.printing, 1)  # the threads of the judge are not there after a fork
            worker.run(ends.its, lambda: worker.serve(ends.its, Surroundings(), self._target))
        ends.handed_over()
        return Process(pid, ends.mine, ends.reading, _child(pid))


class Zygote:
    """Forks workers from a process that has imported PyTorch; it is started when the first one is asked for, unless it
    was forked before."""

    def __init__(self) -> None:
        self._pid = 0
        self._gone: Callable[[float], int | None] | None = None
        self._control: socket.socket | None = None
        self._heard = b""
        self._codes: dict[int, int] = {}

    def start(self) -> Process:
        """Starts a worker, and the zygote too if it is not there any more."""
        ends = _Ends.new()
        try:
            pid = self._fork(ends)
        except (OSError, EOFError):
            self.close()
            pid = self._fork(ends)
        ends.handed_over()
        return Process(pid, ends.mine, ends.reading, lambda limit: self._ended(pid, limit))

    def fork(self) -> None:
        """Starts the zygote as a fork of this process, which saves the seconds of importing PyTorch again.

        For a program that has just begun, and is nobody else's: a target can read whatever has been computed before,
        and neither threads nor open files survive. In a process with several threads nothing is done.
        """
        if self._control is not None or threading.active_count() > 1:
            return
        self._control, its = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            self._control.close()
            zygote.run(its, worker_threads())
        its.close()
        self._gone = _child(self._pid)
        try:
            self._hear(_START_LIMIT)
        except (OSError, EOFError):
            self.close()  # the first worker asks for an interpreter

    def close(self) -> None:
        """Ends the zygote, and with it its workers."""
        if self._control is not None:
            self._control.close()
        if self._gone is not None and self._gone(_END_LIMIT) is None:
            os.kill(self._pid, signal.SIGKILL)
            self._gone(_END_LIMIT)
        self._control = self._gone = None
        self._heard = b""

    def _fork(self, ends: _Ends) -> int:
        control = self._running()
        socket.send_fds(control, [b"."], [ends.its.fileno(), ends.printing])
        while "status" in (message := self._hear(_START_LIMIT)):
            self._codes[message["pid"]] = message["status"]
        return message["pid"]

    def _running(self) -> socket.socket:
        if self._control is None:
            self._control, its = socket.socketpair()
            command = [sys.executable, "-m", zygote.__name__, str(its.fileno()), str(worker_threads())]
            process = subprocess.Popen(command, pass_fds=[its.fileno()], env=environment())
            self._pid, self._gone = process.pid, _interpreter(process)
            its.close()
            self._hear(_START_LIMIT)
        return self._control

    def _hear(self, limit: float) -> dict[str, int]:
        """The next message.

        Raises:
            EOFError: the zygote is gone, or says nothing within the limit.
        """
        if self._control is None:
            raise EOFError
        until = time.monotonic() + limit
        while b"\n" not in self._heard:
            ready, _, _ = select.select([self._control], [], [], max(0.0, until - time.monotonic()))
            more = self._control.recv(_CHUNK) if ready else b""
            if not more:
                raise EOFError
            self._heard += more
        line, _, self._heard = self._heard.partition(b"\n")
        message: dict[str, int] = json.loads(line)
        return message

    def _ended(self, pid: int, limit: float) -> int | None:
        until = time.monotonic() + limit
        while pid not in self._codes:
            try:
                message = self._hear(max(0.0, until - time.monotonic()))
            except (OSError, EOFError):
                return None
            self._codes[message["pid"]] = message["status"]
        return self._codes[pid]


@cache
def shared_zygote() -> Zygote:
    """The zygote of this process: two seconds once, for all runs. It ends with the process."""
    zygote = Zygote()
    atexit.register(zygote.close)
    return zygote


def read_output(process: Process, kept: bytes) -> tuple[bytes, int]:
    """The end of what a worker has printed, with `kept` before it, and how many bytes were read now."""
    count = 0
    with contextlib.suppress(BlockingIOError, OSError):
        while more := os.read(process.output, _CHUNK):
            count += len(more)
            kept = (kept + more)[-_KEPT_OUTPUT:]
            if count >= _CHUNK:
                break  # a process that prints without end would keep the judge here
    return kept, count
