"""The loop in the target's process: loads the target, then answers each request with the runs that it asks for.

    python -m lemmata.conformance.isolation.worker FD OUTPUT THREADS

serves on an inherited socket.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import torch

from ..execution import Mode, Run, execute, in_turn, shown_error
from ..problems import Problem
from ..surroundings import Surroundings
from ..targets import Target, UsageError, check_signature, load_target, source_hash
from .wire import LENGTH, Malformed, frame_length, pack, pack_run, unpack, unpack_problem

# The exit code of a worker that has lost its judge.
CONNECTION_LOST = 97


def receive(connection: socket.socket) -> memoryview | None:
    """The next frame, or None at the end."""
    prefix = _exactly(connection, LENGTH)
    return None if prefix is None else _exactly(connection, frame_length(prefix))


def _exactly(connection: socket.socket, count: int) -> memoryview | None:
    buffer = bytearray(count)
    view, filled = memoryview(buffer), 0
    while filled < count:
        read = connection.recv_into(view[filled:])
        if read == 0:
            return None
        filled += read
    return view.toreadonly()


def serve(connection: socket.socket, around: Surroundings, target: Target | None = None) -> None:
    """Answers requests until the judge closes the connection.

    Args:
        around: what there is before the target is loaded.
        target: the callable, where it was passed as an object; otherwise the first request names it.
    """
    warnings.simplefilter("ignore")  # what an implementation warns of is not what it is judged by
    while (frame := receive(connection)) is not None:
        header, arrays = unpack(frame)
        if header["do"] == "load":
            sys.path[:] = header["path"]
            os.environ.update(header["environment"])
            _limit_memory(header["memory"])
            answer, target = _loaded(header, target)
            connection.sendall(pack(answer))
            continue
        assert target is not None
        call = partial(_called, target, unpack_problem(header, arrays), header["dtype"], header["device"], around)
        for run in in_turn(header["modes"], call):
            connection.sendall(pack_run(run))


def _called(target: Target, problem: Problem, dtype: str, device: str, around: Surroundings, mode: Mode) -> Run:
    try:
        return execute(target, problem, dtype, device, mode, around)
    except BaseException as error:
        # Here nobody but the target interrupts anything.
        return Run(failure=f"raised {shown_error(error)}", broken="raised")


def _loaded(header: dict[str, Any], target: Target | None) -> tuple[dict[str, Any], Target | None]:
    """What to answer to a request to load the target, and the target."""
    try:
        found = target or load_target(header["target"])
        check_signature(found, header["shown"], header["positional"], header["keywords"])
    except UsageError as error:
        return {"usage": str(error)}, None
    return {"loaded": True, "source": source_hash(found)}, found


def _limit_memory(more: int | None) -> None:
    """Lets the process grow by so many bytes; None: by as many as there are."""
    if more is not None:
        with open("/proc/self/statm") as file:
            present = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (present + more, resource.RLIM_INFINITY))


def settle(output: int, threads: int) -> None:
    """Makes a fresh process one that a target may do anything to.

    Args:
        output: the descriptor that takes the place of standard output and error.
        threads: how many threads PyTorch uses for one operator.
    """
    os.setsid()  # so that what the target starts can be ended with it
    os.dup2(output, 1)
    os.dup2(output, 2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the judge, which ends its workers
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    faulthandler.enable(file=2)
    torch.set_num_threads(threads)


def run(connection: socket.socket, body: Callable[[], None]) -> None:
    """Ends the process when `body` returns, at once and with nothing left to clean up."""
    code = 0
    try:
        body()
    except (OSError, Malformed):
        code = CONNECTION_LOST  # the judge is gone, or the target has closed or used the connection
    finally:
        with suppress(OSError):
            connection.close()
        os._exit(code)


def main() -> None:
    """Serves on the descriptors of the command line."""
    descriptor, output, threads = map(int, sys.argv[1:4])
    connection = socket.socket(fileno=descriptor)
    settle(output, threads)
    run(connection, lambda: serve(connection, Surroundings()))


if __name__ == "__main__":
    main()
