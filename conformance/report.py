"""The report: a verdict as text for the terminal.

The verdict and the table come first, then a few lines per dtype, then each failure with what explains it and the script
that shows it.
"""

from __future__ import annotations

from io import StringIO

from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from .summary import LEGEND, OTHERS, TONES, Tone, cases, headline, met, notes, result, rows, title, without_a_word
from .verdict import CheckResult, Failure, Status, Verdict
from .xml_text import xml_text

_STYLES: dict[Tone, str] = {"good": "green", "bad": "bold red", "doubt": "yellow", "plain": "dim"}
# Of a report that is not for a terminal: the table has room, and sentences are not too long to read.
_TEXT_WIDTH = 120


def render(verdict: Verdict, console: Console) -> None:
    """Prints a verdict: the worst share of the bound per check and dtype, then each failure with its script."""
    failures = [(check, check.failure) for check in verdict.checks if check.status == "failed"]
    console.print(_words(f"{verdict.operation}: {verdict.target} on {verdict.device}", "bold"))
    console.print(_headline(verdict))
    for reason in verdict.reasons:
        console.print(_words(f"  {reason}", "red"))
    console.print(_table(verdict))
    console.print(Text(LEGEND, style="dim"))
    for note in notes(verdict):
        console.print(_words(note.text, _STYLES[note.tone]))
    for check, failure in failures:
        assert failure is not None
        _print_failure(check, failure, console)
    if failures:
        console.print()
        console.print(_headline(verdict))


def as_text(verdict: Verdict) -> str:
    """The same without colours, as one text."""
    file = StringIO()
    render(verdict, Console(file=file, width=_TEXT_WIDTH, color_system=None))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _words(text: str, style: str = "") -> Text:
    """Words that may be a target's: control characters, which a terminal would obey, are written as escapes."""
    return Text(xml_text(text), style=style)


def _headline(verdict: Verdict) -> Text:
    line = headline(verdict)
    style = _STYLES[line.tone]
    return _words(line.text, style if style.startswith("bold") else f"bold {style}")


def _table(verdict: Verdict) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("check")
    table.add_column("cases", justify="right")
    for dtype in verdict.dtypes:
        table.add_column(f"{dtype}\n{met(verdict, dtype)}", justify="right")
    silent = without_a_word(verdict)
    for name, row in rows(verdict).items():
        if name in silent:
            continue
        table.add_row(name, cases(row), *(Text(result(check), style=_STYLES[TONES[check.status]]) for check in row))
    if silent:
        counted = [check for row in silent.values() for check in row]
        table.add_row(f"{len(silent)} {OTHERS}", cases(counted), *_passed(verdict))
    return table


def _passed(verdict: Verdict) -> list[Text]:
    """A cell for each dtype: passed, where it was run."""
    statuses: list[Status] = ["passed" if dtype in verdict.profiles else "not run" for dtype in verdict.dtypes]
    return [Text(status, style=_STYLES[TONES[status]]) for status in statuses]


def _print_failure(check: CheckResult, failure: Failure, console: Console) -> None:
    console.print()
    console.print(_words(f"{title(check)}: {failure.message}", "bold red"))
    if failure.cause is not None:
        console.print(_words(f"cause: {failure.cause}", "red"))
    for line in failure.explanation:
        console.print(_words(line))
    # Lines of code are never wrapped: what is copied from the terminal has to run.
    code = Syntax("", "python", background_color="default").highlight(xml_text(failure.code))
    code.rstrip()
    console.print(code, soft_wrap=True)
