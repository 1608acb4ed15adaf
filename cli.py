"""The `lemmata` command."""

from __future__ import annotations


def main() -> int:
    """Print the version."""
    from . import __version__

    print(f"lemmata {__version__}")
    return 0
