"""The report: a verdict as text for the terminal.

The verdict and the table come first, then a few lines per dtype, then each failure with the script that shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from rich import box
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from .verdict import CheckResult, Verdict

_STYLES = {"passed": "green", "failed": "bold red", "warning": "yellow", "not run": "dim"}
_LEGEND = "Numbers: the largest share of the derived error bound that was used; more than 1 fails."


def render(verdict: Verdict, console: Console) -> None:
    """Prints a verdict: the worst share of the bound per check and dtype, then each failure with its script."""
    failures = [check for check in verdict.checks if check.status == "failed"]
    console.print(Text(f"{verdict.operation}: {verdict.target} on {verdict.device}", style="bold"))
    console.print(_headline(verdict))
    for reason in verdict.reasons:
        console.print(Text(f"  {reason}", style="red"))
    console.print(_table(verdict))
    for note in _notes(verdict):
        console.print(note)
    for check in failures:
        _print_failure(check, console)
    if failures:
        console.print()
        console.print(_headline(verdict))


def _headline(verdict: Verdict) -> Text:
    if not verdict.conforms:
        return Text(f"{verdict.verdict} to {verdict.operation}", style="bold red")
    ran, left = list(verdict.profiles), [dtype for dtype in verdict.dtypes if dtype not in verdict.profiles]
    headline = f"{verdict.verdict} to {verdict.operation} in {', '.join(ran)}"
    limits = [f"{', '.join(left)} not run"] if left else []
    if any(taken.refused and taken.accepted for taken in verdict.acceptance.values()):
        limits.append("some calls refused")
    if not limits:
        return Text(headline, style="bold green")
    return Text(f"{headline}; {'; '.join(limits)}", style="bold yellow")


def _table(verdict: Verdict) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("check")
    table.add_column("cases", justify="right")
    for dtype in verdict.dtypes:
        use = verdict.profiles.get(dtype)
        met = "not run" if use is None else use.met or f"not {use.held_to}"
        table.add_column(f"{dtype}\n{met}", justify="right")
    by_place = {(check.name, check.dtype): check for check in verdict.checks}
    for name in dict.fromkeys(check.name for check in verdict.checks):
        row = [by_place[name, dtype] for dtype in verdict.dtypes]
        table.add_row(name, _cases(row), *map(_cell, row))
    return table


def _cases(row: list[CheckResult]) -> str:
    """The cases of a check: a range where they differ between the dtypes that were run."""
    counts = [check.cases for check in row if check.cases]
    if not counts:
        return "0"
    least, most = min(counts), max(counts)
    return f"{most:,}" if least == most else f"{least:,}–{most:,}"


def _cell(check: CheckResult) -> Text:
    share = "" if check.worst is None or check.status == "not run" else f" {_share(check.worst)}"
    return Text(f"{check.status}{share}", style=_STYLES[check.status])


def _share(worst: float) -> str:
    return f"{worst:.2f}" if isfinite(worst) else "∞"


def _notes(verdict: Verdict) -> Iterator[Text]:
    yield Text(_LEGEND, style="dim")
    for dtype in verdict.dtypes:
        checks = [check for check in verdict.checks if check.dtype == dtype]
        yield from (Text(line, style=style) for line, style in _dtype_notes(verdict, dtype, checks))
    for name in dict.fromkeys(check.name for check in verdict.checks if check.status == "warning"):
        warned = [check for check in verdict.checks if check.name == name and check.status == "warning"]
        message = warned[0].failure.message if warned[0].failure is not None else ""
        yield Text(f"warning: {name} ({', '.join(check.dtype for check in warned)}): {message}", style="yellow")


def _dtype_notes(verdict: Verdict, dtype: str, checks: list[CheckResult]) -> Iterator[tuple[str, str]]:
    """What there is to say about one dtype: lines and their styles."""
    use, taken = verdict.profiles.get(dtype), verdict.acceptance.get(dtype)
    if use is None:
        yield f"{dtype}: not run: {checks[0].reason}", "yellow"
        return
    stood = f"meets profile {use.met}" if use.met else f"does not meet profile {use.held_to}"
    yield f"{dtype}: {stood} ({use.description})", "dim"
    if taken is not None and taken.refused:
        refused = f"refused {taken.refused:,} of {taken.drawn:,} cases drawn; the first: {taken.first_refusal}"
        yield f"{dtype}: {refused}", "yellow"
    if vacuous := [f"{check.name} {check.vacuous:.1%}" for check in checks if check.vacuous]:
        yield f"{dtype}: elements without a finite bound, as a format may overflow: {', '.join(vacuous)}", "dim"
    for reason in dict.fromkeys(check.reason for check in checks if check.status == "not run"):
        names = ", ".join(check.name for check in checks if check.status == "not run" and check.reason == reason)
        yield f"{dtype}: not run: {names}: {reason}", "yellow"


def _print_failure(check: CheckResult, console: Console) -> None:
    assert check.failure is not None
    law = "" if check.statement is None else f" (statement {check.statement})"
    console.print()
    console.print(Text(f"{check.name}, {check.dtype}{law}: {check.failure.message}", style="bold red"))
    # Lines of code are never wrapped: what is copied from the terminal has to run.
    code = Syntax("", "python", background_color="default").highlight(check.failure.code)
    code.rstrip()
    console.print(code, soft_wrap=True)
