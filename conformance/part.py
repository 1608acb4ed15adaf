"""The process of a part of a run.

    python -m lemmata.conformance.part FD

The request comes as one line of JSON on the descriptor; so go back how far it is, and what was found. The process ends
with the one that has started it.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from .found import Found
from .isolation.processes import shared_zygote
from .journal import Journal
from .runner import conform
from .targets import UsageError

# Seconds between two lines that say how far it is: they are read when there is time, and must not fill the connection.
_PAUSE = 0.2


def main() -> None:
    """Does what the request asks for."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    with connection.makefile("rb") as lines:
        asked = json.loads(lines.readline())
    request, kept = asked["conform"], asked["journal"]
    if request["device"].startswith("cpu"):
        shared_zygote().fork()  # before there is a second thread, or anything computed that a target could read
    torch.set_num_threads(asked["threads"])
    gc.freeze()  # what has been imported stays
    threading.Thread(target=_end_with, args=[connection], daemon=True).start()
    journal = None if kept is None else Journal.shared(Path(kept["path"]), kept["descriptor"])
    _say(connection, _answer(connection, request, journal))


def _answer(connection: socket.socket, request: dict[str, Any], journal: Journal | None) -> dict[str, Any]:
    said = 0.0

    def progress(dtype: str, done: int, total: int) -> None:
        nonlocal said
        if done == total or time.monotonic() - said > _PAUSE:
            said = time.monotonic()
            _say(connection, {"progress": [dtype, done]})

    try:
        verdict = conform(**request, journal=journal, progress=progress)
    except UsageError as error:
        return {"usage error": str(error)}
    return {"found": {dtype: Found.of(verdict, dtype).to_record() for dtype in verdict.dtypes}}


def _say(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.sendall(json.dumps(message).encode() + b"\n")


def _end_with(connection: socket.socket) -> None:
    """Ends this process at the end of the connection, which is that of the process at the other end."""
    with suppress(OSError):  # a reset, where something that was said has not been read
        while connection.recv(1 << 16):
            pass
    os._exit(1)


if __name__ == "__main__":
    main()
