"""Expositions as one HTML page that stands alone: MathML for the formulas, no script, no font, nothing to fetch.

The page is well-formed XML too, so that any parser can check it.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from .calculus.expr import Expr
from .calculus.match import Replacement
from .calculus.mathml import (
    mathml,
    mathml_cost,
    mathml_entry,
    mathml_name,
    mathml_relation,
    mathml_terms,
)
from .calculus.program import Def
from .docstring import Document
from .exposition import Bound, Called, ClaimProof, Exposition, Line, StatementProof, detail
from .exposition_style import STYLE

LONG_PROOF = 4  # lines; a longer proof is folded away until it is asked for
_STATUS = {
    "proved": "proved for every size",
    "refuted": "refuted",
    "open": "open: neither proved nor refuted",
}


@dataclass(frozen=True)
class Article:
    """What a page shows of one derivation.

    `code` is its generated reference as HTML (spans of `pygments`' classes, or escaped text), empty if there is none;
    `origin` says where the derivation is written.
    """

    document: Document
    origin: str
    expositions: tuple[Exposition, ...]
    code: str = ""


def page(articles: Sequence[Article], footer: str) -> str:
    """A page with a part for each derivation; the same bytes for the same derivations."""
    title = ", ".join(article.document.title for article in articles)
    body = "\n".join(_article(article) for article in articles)
    return f"""<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>{escape(title)}</title>
<style>
{STYLE}</style>
</head>
<body>
<nav aria-label="Contents">
{_contents(articles)}
</nav>
<main>
{body}
<footer>{_words(footer)}</footer>
</main>
</body>
</html>
"""


def _contents(articles: Sequence[Article]) -> str:
    parts = []
    for article in articles:
        items = "".join(_operation_contents(exposition) for exposition in article.expositions)
        if article.code:
            items += f'<li><a href="#{_anchor("code", article.document.title)}">Reference code</a></li>'
        title = article.document.title
        parts.append(f'<p><a href="#{_anchor("topic", title)}">{escape(title)}</a></p>\n<ul>{items}</ul>')
    return "\n".join(parts)


def _operation_contents(exposition: Exposition) -> str:
    name = exposition.operation.name
    parts = [
        f'<li><a href="#{_anchor(name, what)}">{title}</a></li>'
        for what, title in (("definition", "Definition"), ("gradients", "Gradients"), ("cost", "Cost"))
        if what != "gradients" or exposition.operation.differentiable
    ]
    for proof in exposition.proofs:
        statement = proof.statement
        mark = "" if proof.result.status == "proved" else ' class="bad"'
        shown = f'<span class="label">{escape(statement.label)}</span> {escape(statement.name)}'
        parts.append(f'<li{mark}><a href="#{_anchor(name, statement.label)}">{shown}</a></li>')
    return f'<li><a href="#{_anchor(name)}"><b>{escape(name)}</b></a>\n<ul>{"".join(parts)}</ul></li>\n'


def _article(article: Article) -> str:
    document = article.document
    proofs = [proof for exposition in article.expositions for proof in exposition.proofs]
    parts = [
        f'<h1 id="{_anchor("topic", document.title)}">{escape(document.title)}</h1>',
        _paragraphs(document.summary),
    ]
    parts.append(_verdict(proofs))
    for name, content in document.sections.items():
        if name != "Statements":
            parts.append(f'<section class="prose"><h3>{escape(name)}</h3>{_prose(name, content)}</section>')
    parts += [_operation(exposition) for exposition in article.expositions]
    if article.code:
        anchor = _anchor("code", document.title)
        parts.append(
            f'<section id="{anchor}"><h2>Reference code</h2>\n'
            f"<p>Generated from {_words(f'`{article.origin}`')}; NumPy alone, to be copied as one file.</p>\n"
            f"<details><summary>Show the code</summary><pre><code>{article.code}</code></pre></details></section>"
        )
    return f"<article>\n{chr(10).join(parts)}\n</article>"


def _verdict(proofs: Sequence[StatementProof]) -> str:
    proved = sum(proof.result.status == "proved" for proof in proofs)
    points = sum(proof.result.checks for proof in proofs)
    mark = "proved" if proved == len(proofs) else "refuted"
    return (
        f'<p class="verdict {mark}">{proved} of {len(proofs)} statements proved for every size; '
        f"independently evaluated at {points} points.</p>"
    )


def _prose(name: str, content: str) -> str:
    """A section of a docstring: references a line each, the rest as paragraphs."""
    if name == "References":
        return "<ul>" + "".join(f"<li>{_words(line)}</li>" for line in content.splitlines() if line.strip()) + "</ul>"
    return _paragraphs(content)


def _paragraphs(content: str) -> str:
    """Paragraphs; indented ones, such as formulas, are laid out as they are written."""
    parts = []
    for block in re.split(r"\n\s*\n", content):
        for indented, lines in itertools.groupby(block.splitlines(), lambda line: line.startswith("    ")):
            shown = "\n".join(lines)
            parts.append(f"<pre>{escape(textwrap.dedent(shown))}</pre>" if indented else f"<p>{_words(shown)}</p>")
    return "".join(parts)


def _operation(exposition: Exposition) -> str:
    op = exposition.operation
    name = op.name
    parts = [f"<h2>{escape(name)}</h2>", f"<p>{_words(op.summary)}</p>"]
    if op.source:
        parts.append(f'<p class="source">Source: {_words(op.source)}.</p>')
    rows = [
        (
            mathml_name(key),
            _words(spec.meaning) + ("" if spec.default is None else f"; by default {mathml(spec.default)}"),
        )
        for key, spec in op.inputs.items()
    ]
    parts.append(_table("Inputs", rows))
    parts.append(_table("Outputs", [(mathml_name(key), _words(meaning)) for key, meaning in op.outputs.items()]))
    parts.append(_table("Conventions", [(escape(key), _words(value)) for key, value in op.conventions.items()]))
    parts += [f'<h3 id="{_anchor(name, "definition")}">Definition</h3>', _definitions(exposition.definition, name)]
    if op.differentiable:
        parts.append(f'<h3 id="{_anchor(name, "gradients")}">Vector-Jacobian product</h3>')
        parts.append(f"<p>{exposition.how.capitalize()}.</p>")
        parts.append(_definitions(exposition.gradient, name))
    for choice in exposition.choices:
        parts.append(
            f'<p class="note">{mathml(choice.step.target)} is chosen for its cost: '
            f"{mathml_cost(choice.flops)} operations as above; the equal form {mathml(choice.other)} takes "
            f"{mathml_cost(choice.other_flops)}.</p>"
        )
    if op.differentiable:
        parts += ["<h3>Jacobian-vector product</h3>", _definitions(exposition.tangent, name)]
    costs = [
        f"<tr><td>{escape(what)}</td><td>{mathml_cost(flops)}</td><td>{mathml_cost(elements)}</td></tr>"
        for what, flops, elements in exposition.costs
    ]
    parts.append(
        f'<h3 id="{_anchor(name, "cost")}">Cost</h3>\n<div class="wide"><table>'
        f"<tr><th></th><th>operations</th><th>numbers moved</th></tr>{''.join(costs)}</table></div>"
    )
    parts.append(f"<h3>Statements</h3>\n{chr(10).join(_statement(name, proof) for proof in exposition.proofs)}")
    return f'<section class="operation" id="{_anchor(name)}">\n' + "\n".join(filter(None, parts)) + "\n</section>"


def _table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    if not rows:
        return ""
    shown = "".join(f"<tr><th>{left}</th><td>{right}</td></tr>" for left, right in rows)
    return f'<h3>{title}</h3>\n<div class="wide"><table>{shown}</table></div>'


def _definitions(steps: Sequence[Line], operation: str) -> str:
    lines = []
    for step in steps:
        if not isinstance(step, Def):
            lines.append(_line(_call(step), _words(step.note)))
            continue
        note = _words(step.note)
        if step.label:
            note += f' <a href="#{_anchor(operation, step.label)}">{escape(step.label)}</a>'
        head = f"{mathml(step.target)} {mathml_relation('=')} "
        lines.append(_line(_terms(step.value, head), note.strip()))
    return _lines(lines)


def _call(step: Called) -> str:
    """A call; its arguments are formulas of their own, between which the line may be broken."""
    given = [
        mathml_name(b) if a == b else f"{mathml_name(a)}&#160;{mathml_relation('=')}&#160;{mathml_name(b)}"
        for a, b in step.arguments
    ]
    results = ", ".join(map(mathml_name, step.results))
    head = f"{results} {mathml_relation('=')} <b>{escape(step.function)}</b>"
    return f'<span class="head">{head}</span>({", ".join(given)})'


def _statement(operation: str, proof: StatementProof) -> str:
    result = proof.result
    status = result.status
    lines = sum(len(claim.lines) for claim in proof.claims)
    shown = "\n".join(_claim(claim) for claim in proof.claims)
    if lines > LONG_PROOF and status == "proved":
        shown = f"<details><summary>Proof in {lines} lines</summary>\n{shown}\n</details>"
    if found := detail(result):
        shown += f"\n<pre>{escape(chr(10).join(found))}</pre>"
    return (
        f'<section class="statement" id="{_anchor(operation, proof.statement.label)}">\n'
        f'<h4><span class="label">{escape(proof.statement.label)}</span> {_words(proof.statement.name)} '
        f'<span class="status {status}" title="{_STATUS[status]}">{status}</span></h4>\n{shown}\n</section>'
    )


def _claim(claim: ClaimProof) -> str:
    lines = []
    for number, line in enumerate(claim.lines):
        relation = mathml_relation("=" if line.follows else "≟")
        sign = "" if number == 0 else f'<span class="sign">{relation}</span> '
        ending = _bound(claim.bound) if claim.bound is not None and line is claim.lines[-1] else ""
        lines.append(_line(_terms(line.expr, sign) + ending, _words(line.reason), follows=line.follows))
    notes = []
    if claim.given:
        notes.append("where " + ", ".join(mathml(condition) for condition in claim.given))
    for mark, replacements in claim.folded.where.items():
        shown = ", ".join(_replacement(replacement) for replacement in replacements)
        notes.append(f"names with {mathml_relation(mark)} are those for {shown}")
    return _lines(lines) + "".join(f'<p class="note">{note}</p>' for note in notes)


def _bound(bound: Bound) -> str:
    """The relation and its numbers, after a formula."""
    numbers = ", ".join(map(mathml, bound.numbers))
    return f" {mathml_relation(bound.relation)} " + (f"[{numbers}]" if len(bound.numbers) == 2 else numbers)


def _replacement(replacement: Replacement) -> str:
    left = mathml_entry(replacement.tensor, replacement.indices)
    return f"{left} {mathml_relation('↦')} {mathml(replacement.value)}"


def _terms(expr: Expr, head: str = "") -> str:
    """The terms of a sum; what comes before them stays with the first when the line is broken."""
    first, *others = mathml_terms(expr)
    return " ".join([f'<span class="head">{head}{first}</span>', *others])


def _line(formula: str, reason: str, *, follows: bool = True) -> str:
    mark = "" if follows else " bad"
    why = f'<div class="reason">{reason}</div>' if reason else ""
    return f'<div class="line{mark}"><div class="formula">{formula}</div>{why}</div>'


def _lines(lines: Iterable[str]) -> str:
    return '<div class="lines">\n' + "\n".join(lines) + "\n</div>"


def _words(text: str) -> str:
    """Text for people, in which `backquotes` mark code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text))


def _anchor(*names: str) -> str:
    return "-".join(re.sub(r"[^\w]+", "-", name).strip("-") for name in names)
