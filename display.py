"""What the verbs print: lists, verdicts on statements, expositions, what the machine can run."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .derivations.calculus.cost import shown
from .derivations.calculus.operation import Operation
from .derivations.calculus.program import Def
from .derivations.calculus.statement import Result
from .derivations.calculus.text import text
from .derivations.exposition import ClaimProof, Exposition, Line, StatementProof, detail
from .listing import Listing, Row

_STYLES = {"proved": "green", "refuted": "bold red", "open": "bold yellow"}
_LABEL_WIDTH = 5
_STATUS_WIDTH = 8
_VERDICT_WIDTH = 10


def console_for(*, to_stderr: bool) -> Console:
    """The console of a verb's words: standard error where standard output carries data."""
    console = Console(stderr=to_stderr, highlight=False)
    if not console.is_terminal:
        # A file or a pipe has no width to fit; 80 columns would break most formulas.
        console.width = max(console.width, 120)
    return console


def print_result(operation: Operation, result: Result, console: Console) -> None:
    """One line for a statement; a counterexample or a reason below it."""
    statement = result.statement
    line = Text(f"{operation.name}  {statement.label:<{_LABEL_WIDTH}}")
    line.append(f"{result.status:<{_STATUS_WIDTH}}", _STYLES[result.status])
    line.append(f" {statement.name}")
    line.append(f"  {result.seconds:.3f} s, {result.checks} points", "dim")
    _indented(line, 0, console)
    for row in detail(result):
        _indented(Text(row), 4, console)


def print_summary(results: Sequence[Result], seconds: float, console: Console) -> None:
    """How many statements were proved, refuted and left open."""
    counts = {status: sum(r.status == status for r in results) for status in _STYLES}
    points = sum(r.checks for r in results)
    parts = [f"{counts['proved']} of {len(results)} statements proved for every size"]
    parts += [f"{counts[status]} {status}" for status in ("refuted", "open") if counts[status]]
    style = "bold green" if counts["proved"] == len(results) else "bold red"
    line = Text(", ".join(parts), style)
    line.append(f"; independently evaluated at {points} points, {seconds:.1f} s", "dim")
    console.print(line)


def print_listing(listing: Listing, console: Console) -> None:
    """The tables of `lemmata list`, one for each topic, and when the verdicts were reached."""
    widest = max(len(row.operation) for row in listing.rows)
    for topic, group in itertools.groupby(listing.rows, key=lambda row: row.topic):
        console.print(Text(topic, "bold"))
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(width=widest + 2)
        table.add_column(width=_VERDICT_WIDTH)
        table.add_column(ratio=3)
        table.add_column(ratio=4)
        table.expand = True
        for row in group:
            summary = Text(row.summary, "dim")
            table.add_row(f"  {row.operation}", _verdict(row), f"{row.leading_flops} flops", summary)
        console.print(table)
    total = sum(row.statements for row in listing.rows)
    proved = sum(row.proved for row in listing.rows)
    line = Text(
        f"{proved} of {total} statements proved for every size", "bold green" if proved == total else "bold red"
    )
    moment = listing.decided.astimezone().strftime("%Y-%m-%d %H:%M")
    line.append(f", by these very sources, on {moment}; lemmata check proves them again" if listing.kept else "", "dim")
    console.print(line)


def _verdict(row: Row) -> Text:
    """`12 proved`, or what is wrong before it."""
    counts = (("refuted", row.refuted), ("open", row.open), ("proved", row.proved))
    return Text(", ").join(Text(f"{count} {status}", _STYLES[status]) for status, count in counts if count)


def print_exposition(exposition: Exposition, console: Console) -> None:
    """An operation as a reader wants it: definition, gradients, costs, statements with their proofs."""
    op = exposition.operation
    console.print(Text(op.name, "bold"))
    _paragraph(op.summary, console)
    if op.source:
        _paragraph(f"Source: {op.source}.", console)
    _heading("Inputs", console)
    for name, spec in op.inputs.items():
        default = "" if spec.default is None else f"; by default {text(spec.default)}"
        _paragraph(f"{name}  {spec.meaning}{default}", console)
    if op.conventions:
        _heading("Conventions", console)
        for name, value in op.conventions.items():
            _paragraph(f"{name}: {value}", console)
    _heading("Definition", console)
    _definitions(exposition.definition, console)
    if op.differentiable:
        _heading(f"Vector-Jacobian product: {exposition.how}", console)
        _definitions(exposition.gradient, console)
    for choice in exposition.choices:
        _paragraph(
            f"chosen for its cost: {text(choice.step.target)} as above takes {shown(choice.flops)} operations, "
            f"the equal form {text(choice.other)} takes {shown(choice.other_flops)}",
            console,
        )
    if op.differentiable:
        _heading("Jacobian-vector product", console)
        _definitions(exposition.tangent, console)
    _heading("Cost", console)
    for name, flops, elements in exposition.costs:
        _paragraph(f"{name}: {shown(flops)} operations; {shown(elements)} numbers moved", console)
    _heading("Statements", console)
    for proof in exposition.proofs:
        _statement(proof, console)


def _indented(line: Text, indent: int, console: Console) -> None:
    """A line, wrapped with all its parts indented, and without blanks at its end."""
    for part in line.wrap(console, max(console.width - indent, 20)):
        part.rstrip()
        console.print(Text(" " * indent) + part, soft_wrap=True)


def _heading(title: str, console: Console) -> None:
    console.print()
    console.print(Text(f"  {title}", "bold"))


def _paragraph(words: str, console: Console) -> None:
    _indented(Text(words), 4, console)


def _definitions(steps: Sequence[Line], console: Console) -> None:
    for step in steps:
        line = Text(str(step))
        note = ", ".join(part for part in (step.note, step.label if isinstance(step, Def) else "") if part)
        if note:
            line.append(f"    {note}", "dim")
        _indented(line, 4, console)


def _statement(proof: StatementProof, console: Console) -> None:
    result = proof.result
    head = Text(f"{result.statement.label:<{_LABEL_WIDTH}}", "bold")
    head.append(result.statement.name)
    head.append(f"  {result.status}", _STYLES[result.status])
    _indented(head, 4, console)
    for claim in proof.claims:
        _claim(claim, console)
    for row in detail(result):
        _indented(Text(row), 10, console)
    console.print()


def _claim(claim: ClaimProof, console: Console) -> None:
    for number, line in enumerate(claim.lines):
        sign = "" if number == 0 else "= " if line.follows else "≟ "
        ending = f" {claim.bound}" if claim.bound is not None and line is claim.lines[-1] else ""
        row = Text(f"{sign}{text(line.expr)}{ending}")
        if line.reason:
            row.append(f"    {line.reason}", "dim italic")
        _indented(row, 10 - len(sign), console)
    for condition in claim.given:
        _indented(Text(f"where {text(condition)}", "dim"), 10, console)
    for mark, replacements in claim.folded.where.items():
        shown = "; ".join(str(replacement) for replacement in replacements)
        _indented(Text(f"{mark} stands for {shown}", "dim"), 10, console)


def print_doctor(facts: Mapping[str, str], abilities: Mapping[str, str], console: Console) -> None:
    """Versions and devices, then what can be run."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in {**facts, "": "", **abilities}.items():
        style = "dim" if value.startswith("NOT RUN") else "green" if value.startswith("yes") else ""
        table.add_row(name, Text(value, style))
    console.print(table)
