"""Outputs of a verb: whether what is to be written at its end can be."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .errors import UsageError


def check_outputs(places: Mapping[str, str | None]) -> None:
    """Refuses outputs that cannot be written, before work is put into what is to go there.

    Args:
        places: by option, a file, `-` or nothing.

    Raises:
        UsageError: two options name one place, or a file cannot be written.
    """
    named: dict[str, str] = {}
    for option, place in places.items():
        if place is None:
            continue
        key = place if place == "-" else str(Path(place).resolve())
        if key in named:
            where = "standard output" if place == "-" else repr(place)
            raise UsageError(f"{named[key]} and {option} both go to {where}: name two places")
        named[key] = option
        if place != "-":
            _check_writable(Path(place))


def _check_writable(path: Path) -> None:
    """Opens a file for writing and leaves it as it was; only this says for certain whether it can be written."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        return  # a pipe or a device: to open it may have an effect
    absent = not path.exists()
    try:
        with path.open("ab"):
            pass
        if absent:
            path.resolve().unlink()
    except OSError as error:
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from error
