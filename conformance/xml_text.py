"""Text that may stand in XML, and be printed: what a target says may hold characters that neither has a place for."""

from __future__ import annotations

import re

# All that XML 1.0 does not count as a character: control characters, lone surrogates and two noncharacters; and the
# control characters from 7F on, which it allows and advises against.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """The text with each character that XML forbids or advises against written as a Python escape, such as `\\x00`."""
    return _FORBIDDEN.sub(lambda found: ascii(found[0])[1:-1], text)
