"""The error that a user's own input causes."""

from __future__ import annotations


class UsageError(ValueError):
    """What the user asked for cannot be done; the message quotes the request and says what would be right."""
