"""Parts of a run: some of its dtypes, judged by a process of their own beside this one."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch

from .found import Found
from .isolation.processes import environment
from .journal import Journal
from .targets import UsageError

_CHUNK = 1 << 16


def split(dtypes: Sequence[str], processes: int) -> list[list[str]]:
    """The dtypes of each process, the first of which is this one: neighbours cost much the same, and are parted."""
    return [list(dtypes[place::processes]) for place in range(min(processes, max(1, len(dtypes))))]


class Part:
    """Some dtypes of a run in a process of their own.

    Args:
        request: the arguments of `conform`, as plain data.
        journal: of the whole run, to which the part writes what it has judged.
        progress: called with a dtype and the number of its cases done, when what the part says is read.
    """

    def __init__(
        self, request: Mapping[str, Any], journal: Journal, progress: Callable[[str, int], None] | None
    ) -> None:
        self._dtypes = ", ".join(request["dtypes"])
        self._progress = progress
        self._heard = b""
        self._answer: dict[str, Any] | None = None
        self._connection, its = socket.socketpair()
        descriptors = [its.fileno()]
        kept: dict[str, Any] | None = None
        if journal.path is not None and (descriptor := journal.fileno()) is not None:
            descriptors.append(descriptor)
            kept = {"path": str(journal.path), "descriptor": descriptor}
        # A terminal's interrupt is for the run, which ends its parts.
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.part", str(its.fileno())],
            pass_fds=descriptors,
            env=environment(),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        its.close()
        asked = {"conform": request, "journal": kept, "threads": torch.get_num_threads()}
        self._connection.sendall(json.dumps(asked).encode() + b"\n")

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def poll(self) -> None:
        """Reads what the part has said so far."""
        while self._answer is None and select.select([self._connection], [], [], 0.0)[0]:
            self._listen()

    def found(self) -> dict[str, Found]:
        """What was found in each dtype, once the part has ended.

        Raises:
            UsageError: an argument is not what it should be.
            RuntimeError: the process of the part has ended without an answer.
        """
        while self._answer is None:
            self._listen()
        if "usage error" in self._answer:
            raise UsageError(self._answer["usage error"])
        return {dtype: Found.from_record(record) for dtype, record in self._answer["found"].items()}

    def close(self) -> None:
        """Ends the process."""
        self._connection.close()
        self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        more = b""
        with suppress(ConnectionResetError):
            more = self._connection.recv(_CHUNK)
        if not more:
            raise RuntimeError(f"the process that judged {self._dtypes} ended with {self._process.wait()}")
        *lines, self._heard = (self._heard + more).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "progress" not in message:
                self._answer = message
            elif self._progress is not None:
                self._progress(*message["progress"])


@contextmanager
def running(
    requests: Sequence[Mapping[str, Any]], journal: Journal, progress: Callable[[str, int], None] | None
) -> Iterator[list[Part]]:
    """A part for each request, for as long as the block lasts."""
    with ExitStack() as stack:
        parts = []
        for request in requests:
            parts.append(Part(request, journal, progress))
            stack.callback(parts[-1].close)
        yield parts
