"""The docstring of a derivation, taken apart: a title, a summary, and sections with underlined headings."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_UNDERLINE = re.compile(r"-{3,}")


@dataclass(frozen=True)
class Document:
    """What a derivation says of itself in words; `sections` maps headings to their text, in order."""

    title: str
    summary: str = ""
    sections: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, docstring: str, name: str) -> Document:
        """Takes a docstring apart; `name` is the title of one that has no title of its own.

        A first line that begins with `#` is the title. A line that is underlined with dashes is a heading.
        """
        lines = inspect.cleandoc(docstring).splitlines()
        title = name
        if lines and lines[0].startswith("#"):
            title = lines.pop(0).lstrip("# ")
        heading = ""
        found: dict[str, list[str]] = {heading: []}
        for line, below in itertools.zip_longest(lines, lines[1:], fillvalue=""):
            if line.strip() and _UNDERLINE.fullmatch(below.strip()):
                heading = line.strip()
                found[heading] = []
            elif not _UNDERLINE.fullmatch(line.strip()):
                found[heading].append(line)
        texts = {name: "\n".join(body).strip("\n") for name, body in found.items()}
        return cls(title, texts.pop("").strip(), {name: text for name, text in texts.items() if text})
