"""A verdict as one HTML page that stands alone: no script, no font, nothing to fetch; plots are inline SVG.

The page is well-formed XML too, so that any parser can check it, and the same bytes for the same verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from ..derivations.exposition_style import STYLE
from ..highlighting import python_html
from .html_evidence import evidence, size_plots
from .html_plots import bar
from .html_style import REPORT_STYLE
from .summary import LEGEND, TONES, cases, headline, met, notes, result, rows, share, title
from .verdict import CheckResult, Failure, Verdict
from .xml_text import xml_text


def html_report(verdict: Verdict) -> str:
    """The page: the verdict first, then the checks by dtype, what there is to say of each dtype, failures and plots."""
    top = headline(verdict)
    name = f"{verdict.operation}: {verdict.target}"
    version = f", version {escape(verdict.versions['lemmata'])}" if "lemmata" in verdict.versions else ""
    parts = [
        f'<h1 id="verdict">{escape(verdict.operation)}</h1>',
        f'<p class="target"><code>{escape(verdict.target)}</code> on {escape(verdict.device)}</p>',
        f'<p class="headline {top.tone}">{escape(top.text)}</p>',
        _list("reasons", [f"<li>{escape(reason)}</li>" for reason in verdict.reasons]),
        _checks(verdict),
        '<h2 id="notes">By dtype</h2>',
        _list("notes", [f'<li class="{note.tone}">{escape(note.text)}</li>' for note in notes(verdict)]),
        _failures("Failures", "failures", _shown(verdict, "failed")),
        _failures("Warnings", "warnings", _shown(verdict, "warning")),
        size_plots(verdict),
        _run(verdict),
        f"<footer>Written by <code>lemmata conform --html</code>{version}.</footer>",
    ]
    page = f"""<!DOCTYPE html>
<html lang="en" xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>{escape(f"{name} {verdict.verdict}")}</title>
<style>
{STYLE}{REPORT_STYLE}</style>
</head>
<body>
<nav aria-label="Contents">
{_contents(verdict)}
</nav>
<main>
{chr(10).join(filter(None, parts))}
</main>
</body>
</html>
"""
    return xml_text(page)


def _shown(verdict: Verdict, status: str) -> list[tuple[CheckResult, Failure]]:
    return [(c, c.failure) for c in verdict.checks if c.status == status and c.failure is not None]


def _contents(verdict: Verdict) -> str:
    items = ['<li><a href="#verdict">Verdict</a></li>', '<li><a href="#checks">Checks</a></li>']
    items.append('<li><a href="#notes">By dtype</a></li>')
    for name, heading in (("failed", "Failures"), ("warning", "Warnings")):
        if shown := _shown(verdict, name):
            links = [
                f'<li><a href="#{anchor(check)}">{escape(f"{check.name}, {check.dtype}")}</a></li>'
                for check, _ in shown
            ]
            mark = ' class="bad"' if name == "failed" else ""
            items.append(f'<li><a href="#{heading.lower()}"{mark}>{heading}</a><ul>{"".join(links)}</ul></li>')
    if any(check.sizes for check in verdict.checks):
        items.append('<li><a href="#sizes">By size</a></li>')
    items.append('<li><a href="#run">The run</a></li>')
    return f"<p>{escape(verdict.operation)}</p>\n<ul>{''.join(items)}</ul>"


def anchor(check: CheckResult) -> str:
    """The id of the section of a failure: blanks as hyphens, punctuation as codes, so that no two names share one."""
    words = re.sub(r"[^\w. ]|_", lambda found: f"_{ord(found[0]):x}_", check.name).replace(" ", "-")
    return f"{check.dtype}-{words}"


def _checks(verdict: Verdict) -> str:
    heads = [f"<th>{escape(dtype)}<small>{escape(met(verdict, dtype))}</small></th>" for dtype in verdict.dtypes]
    lines = []
    for name, row in rows(verdict).items():
        statements = dict.fromkeys(check.statement for check in row if check.statement)
        label = "".join(f" <small class='label'>{escape(statement)}</small>" for statement in statements)
        cells = "".join(map(_cell, row))
        meaning = escape(row[0].meaning, quote=True)
        lines.append(f"<tr><td title='{meaning}'>{escape(name)}{label}</td><td>{cases(row)}</td>{cells}</tr>")
    return (
        f'<h2 id="checks">Checks</h2>\n<p class="note">{escape(LEGEND)}</p>\n<div class="wide"><table class="checks">'
        f"<tr><th>check</th><th>cases</th>{''.join(heads)}</tr>\n{chr(10).join(lines)}\n</table></div>"
    )


def _cell(check: CheckResult) -> str:
    words = escape(result(check))
    if check.failure is not None:
        words = f'<a href="#{anchor(check)}">{words}</a>'
    shown = bar(check.worst) if check.worst is not None and check.status != "not run" else ""
    return f'<td class="{TONES[check.status]}">{words}{shown}</td>'


def _failures(heading: str, place: str, found: Sequence[tuple[CheckResult, Failure]]) -> str:
    if not found:
        return ""
    sections = "\n".join(_failure(check, failure) for check, failure in found)
    return f'<h2 id="{place}">{heading}</h2>\n{sections}'


def _failure(check: CheckResult, failure: Failure) -> str:
    kind, opened = ("failure", ' open="open"') if check.status == "failed" else ("failure warned", "")
    facts = [("share of the bound", escape(share(check.worst)))] if check.worst is not None else []
    if failure.cause is not None:
        facts.append(("cause", escape(failure.cause)))
    if failure.explanation:
        facts.append(
            ("explanation", _list("explanation", [f"<li>{escape(line)}</li>" for line in failure.explanation]))
        )
    facts.append(("smallest case", f"<code>{escape(failure.case)}</code>"))
    terms = "".join(f"<dt>{name}</dt><dd>{words}</dd>" for name, words in facts)
    return (
        f'<section class="statement {kind}" id="{anchor(check)}">\n<h3>{escape(title(check))}</h3>\n'
        f'<p class="message">{escape(failure.message)}</p>\n<dl>{terms}</dl>\n{evidence(check, failure)}'
        f"<details{opened}><summary>The script that shows it</summary>"
        f"<pre><code>{python_html(failure.code)}</code></pre></details>\n</section>"
    )


def _run(verdict: Verdict) -> str:
    facts = {
        "operation": verdict.operation,
        "target": verdict.target,
        "device": verdict.device,
        "cases asked for per dtype": f"{verdict.examples:,}",
        "seed": str(verdict.seed),
        "versions": ", ".join(f"{name} {version}" for name, version in verdict.versions.items()),
    }
    lines = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in facts.items() if value)
    return f'<h2 id="run">The run</h2>\n<div class="wide"><table>{lines}</table></div>'


def _list(kind: str, items: Iterable[str]) -> str:
    shown = "".join(items)
    return f'<ul class="{kind}">{shown}</ul>' if shown else ""
