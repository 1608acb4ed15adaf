"""The zygote: a process that has imported PyTorch, and forks a worker within milliseconds when it is asked to.

    python -m lemmata.conformance.isolation.zygote FD THREADS

Each request carries two descriptors, the worker's end of the connection and where it prints. The zygote answers
`{"pid": …}`, and says `{"pid": …, "status": …}` when a worker has ended. At the end of its connection it ends them all.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import NoReturn

import torch
import torch.fx.experimental.symbolic_shapes  # or the first backward pass of each worker imports it

from ..surroundings import Surroundings
from . import worker

_MESSAGE = 64  # bytes of a request, at most


def main() -> None:
    """Serves on the descriptor of the command line."""
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))


def run(control: socket.socket, threads: int) -> NoReturn:
    """Serves in a process that was forked to do this, and ends it with nothing left to clean up.

    What else the process had open is closed: a target may write to whatever it finds.
    """
    code = 1
    try:
        os.closerange(3, control.fileno())
        os.closerange(control.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        serve(control, threads)
        code = 0
    finally:
        os._exit(code)


def serve(control: socket.socket, threads: int) -> None:
    """Forks a worker at each request, until the judge closes the connection."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    torch.set_num_threads(threads)  # as every worker does, so that it is part of the picture
    around = Surroundings()  # once: what it looks at has to be imported
    gc.freeze()  # what has been imported stays: no worker looks through it for garbage, or copies its pages for that
    children: set[int] = set()
    control.sendall(b'{"ready": true}\n')
    while True:
        watched: list[socket.socket | int] = [control, wake_read]
        ready, _, _ = select.select(watched, [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            _report_ended(control, children)
        if control in ready:
            message, descriptors, _, _ = socket.recv_fds(control, _MESSAGE, 2)
            if not message:
                break
            children.add(_fork(control, descriptors, threads, around))
    for child in children:
        with suppress(OSError):
            os.killpg(child, signal.SIGKILL)


def _fork(control: socket.socket, descriptors: list[int], threads: int, around: Surroundings) -> int:
    sockets, output = socket.socket(fileno=descriptors[0]), descriptors[1]
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        control.close()
        worker.settle(output, threads)
        worker.run(sockets, lambda: worker.serve(sockets, around))
    sockets.close()
    os.close(output)
    control.sendall(json.dumps({"pid": child}).encode() + b"\n")
    return child


def _report_ended(control: socket.socket, children: set[int]) -> None:
    while children:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            break
        children.discard(child)
        control.sendall(json.dumps({"pid": child, "status": os.waitstatus_to_exitcode(status)}).encode() + b"\n")


if __name__ == "__main__":
    main()
