"""The journal of a run: one line for each case that was judged, written as it comes.

A run is determined by its request and by what its cases gave. To go on with one that was killed, the cases are drawn
again from the start; what the journal holds is read instead of being judged, so that nothing is lost or done twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .judging import Judgement
from .targets import UsageError

VERSION = 4


class Journal:
    """Judgements of each dtype in the order in which they were made. Without a path nothing is written."""

    def __init__(self, path: Path | None = None, request: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self._read: defaultdict[str, deque[dict[str, Any]]] = defaultdict(deque)
        self._file: int | None = None
        self._spent, self._since = 0.0, time.monotonic()
        if path is not None:
            self._file = _locked(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.ftruncate(self._file, 0)
            self._write({"journal": VERSION, "request": request})

    @classmethod
    def resumed(cls, path: Path, request: Mapping[str, Any]) -> Journal:
        """The journal of a run that was killed, to go on with.

        Raises:
            UsageError: there is none, or it is of another run.
        """
        try:
            whole = _whole_lines(path)
        except OSError as error:
            raise UsageError(f"there is no run to go on with: {str(path)!r}: {error.strerror}") from error
        try:
            first, *lines = [json.loads(line) for line in whole.splitlines()]
        except ValueError as error:
            raise UsageError(f"{str(path)!r} is not the journal of a run: {error}") from error
        if first.get("journal") != VERSION:
            raise UsageError(f"{str(path)!r} is not a journal of this version")
        wanted = json.loads(json.dumps(request))
        if first["request"] != wanted:
            differ = [k for k in wanted if first["request"].get(k) != wanted[k]]
            raise UsageError(f"{str(path)!r} is of another run: {', '.join(differ)} differ; run without --resume")
        journal = cls()
        journal.path = path
        journal._remember(lines)
        journal._file = _locked(path, os.O_WRONLY | os.O_APPEND)
        os.ftruncate(journal._file, len(whole))
        return journal

    @classmethod
    def shared(cls, path: Path, descriptor: int) -> Journal:
        """The journal of a run of which another process has the other dtypes, and has opened it."""
        journal = cls()
        journal.path = path
        _, *lines = [json.loads(line) for line in _whole_lines(path).splitlines()]
        journal._remember(lines)
        journal._file = descriptor
        return journal

    def fileno(self) -> int | None:
        """The descriptor that a process inherits which has a part of the run."""
        return self._file

    @property
    def spent(self) -> float:
        """Seconds that the run has taken, those before it was killed included."""
        return self._spent + time.monotonic() - self._since

    def read(self, dtype: str, case: str) -> Judgement | None:
        """The judgement that was made at this point, or None if the run did not get so far.

        Raises:
            UsageError: another case was judged then.
        """
        left = self._read[dtype]
        if not left:
            return None
        record = left.popleft()
        if record["case"] != case:
            raise UsageError("the journal is of another run: its cases are not those that are drawn now")
        self._spent, self._since = record["spent"], time.monotonic()
        return Judgement.from_json(record)

    def write(self, dtype: str, case: str, judgement: Judgement) -> None:
        """Writes a judgement down."""
        if self._file is not None:
            self._write({"dtype": dtype, "case": case, "spent": self.spent, **judgement.to_json()})

    def _remember(self, records: Iterable[dict[str, Any]]) -> None:
        for record in records:
            self._read[record["dtype"]].append(record)

    def _write(self, record: Mapping[str, Any]) -> None:
        assert self._file is not None
        # One write of a whole line, between those of others: what a killed process has written is in the file.
        # A lone surrogate in what a target says has no bytes in UTF-8; its escape is the same text in JSON.
        os.write(self._file, json.dumps(record, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _whole_lines(path: Path) -> bytes:
    """What is in the file, but for a last line that was cut off or is being written."""
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def _locked(path: Path, flags: int) -> int:
    """A descriptor of the file, to which no other run can write for as long as it is open.

    Raises:
        UsageError: another run is writing there, or nobody can.
    """
    try:
        descriptor = os.open(path, flags, 0o644)
    except OSError as error:
        raise UsageError(f"cannot write the journal {str(path)!r}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise UsageError(f"{str(path)!r} is being written by another run") from error
    return descriptor
