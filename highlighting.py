"""Python source as HTML, for the pages of `lemmata derive` and `lemmata conform`."""

from __future__ import annotations

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer


def python_html(source: str) -> str:
    """Python source as HTML: text with `span` elements whose classes are those of Pygments, after `p-`."""
    shown: str = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True, classprefix="p-"))
    return shown
