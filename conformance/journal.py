"""The journal of a run: one line for each case that was judged, written as it comes.

A run is determined by its request and by what its cases gave. To go on with one that was killed, the cases are drawn
again from the start; what the journal holds is read instead of being judged, so that nothing is lost or done twice.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .judging import Judgement
from .targets import UsageError

VERSION = 2


class Journal:
    """Judgements in the order in which they were made. Without a path nothing is written."""

    def __init__(self, path: Path | None = None, request: Mapping[str, Any] | None = None) -> None:
        self._read: list[dict[str, Any]] = []
        self._next = 0
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
            content = path.read_bytes()
        except OSError as error:
            raise UsageError(f"there is no run to go on with: {str(path)!r}: {error.strerror}") from error
        whole = content[: content.rfind(b"\n") + 1]  # the last line may have been cut off
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
        journal._read = lines
        journal._file = _locked(path, os.O_WRONLY | os.O_APPEND)
        os.ftruncate(journal._file, len(whole))
        return journal

    @property
    def spent(self) -> float:
        """Seconds that the run has taken, those before it was killed included."""
        return self._spent + time.monotonic() - self._since

    @property
    def resuming(self) -> bool:
        """Whether there is something left to read."""
        return self._next < len(self._read)

    def read(self, key: str) -> Judgement | None:
        """The judgement that was made at this point, or None if the run did not get so far.

        Raises:
            UsageError: another case was judged then.
        """
        if not self.resuming:
            return None
        record = self._read[self._next]
        if record["case"] != key:
            raise UsageError("the journal is of another run: its cases are not those that are drawn now")
        self._next += 1
        self._spent, self._since = record["spent"], time.monotonic()
        return Judgement.from_json(record)

    def write(self, key: str, judgement: Judgement) -> None:
        """Writes a judgement down."""
        if self._file is not None:
            self._write({"case": key, "spent": self.spent, **judgement.to_json()})

    def _write(self, record: Mapping[str, Any]) -> None:
        assert self._file is not None
        # One write of a whole line: what a killed process has written is in the file.
        # A lone surrogate in what a target says has no bytes in UTF-8; its escape is the same text in JSON.
        os.write(self._file, json.dumps(record, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


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
