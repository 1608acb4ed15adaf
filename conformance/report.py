"""The report: a verdict as a table for the terminal."""

from __future__ import annotations

from math import isfinite

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from .verdict import CheckResult, Verdict

_STYLES = {"passed": "green", "failed": "bold red", "warning": "yellow", "not run": "dim"}


def render(verdict: Verdict, console: Console) -> None:
    """Prints a verdict: the worst share of the bound per check and dtype, then each failure with its script."""
    console.print(_table(verdict))
    for line in _notes(verdict):
        console.print(line)
    for check in verdict.checks:
        if check.failure is not None and check.status == "failed":
            _print_failure(check, console)
    style = "bold green" if verdict.conforms else "bold red"
    console.print(Text(f"{verdict.target} {verdict.verdict} to {verdict.operation}", style=style))


def _table(verdict: Verdict) -> Table:
    table = Table(title=f"{verdict.operation}: {verdict.target} on {verdict.device}", title_justify="left")
    table.add_column("check")
    for dtype in verdict.dtypes:
        use = verdict.profiles.get(dtype)
        table.add_column(dtype if use is None else f"{dtype}\n{use.met or f'not {use.held_to}'}", justify="right")
    by_place = {(check.name, check.dtype): check for check in verdict.checks}
    for name in dict.fromkeys(check.name for check in verdict.checks):
        cells = [_cell(by_place[name, dtype]) for dtype in verdict.dtypes]
        table.add_row(name, *cells)
    return table


def _cell(check: CheckResult) -> Text:
    style = _STYLES[check.status]
    if check.status == "not run":
        return Text("not run", style=style)
    share = "" if check.worst is None else f" {_share(check.worst)}"
    return Text(f"{check.status}{share}\n{check.cases} cases", style=style)


def _share(worst: float) -> str:
    return f"{worst:.2f}" if isfinite(worst) else "∞"


def _notes(verdict: Verdict) -> list[Text]:
    notes = [Text("Numbers: the largest share of the derived error bound that was used.", style="dim")]
    for dtype, use in verdict.profiles.items():
        met = "met none" if use.met is None else f"met {use.met}"
        notes.append(Text(f"{dtype}: held to profile {use.held_to}, {met}", style="dim"))
    for check in verdict.checks:
        where = f"{check.name} ({check.dtype})"
        if check.status == "not run":
            notes.append(Text(f"not run: {where}: {check.reason}", style="dim"))
        if check.status == "warning" and check.failure is not None:
            notes.append(Text(f"warning: {where}: {check.failure.message}", style="yellow"))
        if check.vacuous:
            notes.append(Text(f"{where}: {check.vacuous:.1%} of the elements have no finite bound", style="dim"))
    return notes


def _print_failure(check: CheckResult, console: Console) -> None:
    assert check.failure is not None
    law = "" if check.statement is None else f" (statement {check.statement})"
    console.print()
    console.print(Text(f"{check.name}, {check.dtype}{law}: {check.failure.message}", style="bold red"))
    console.print(Syntax(check.failure.code, "python", word_wrap=True, background_color="default"))
