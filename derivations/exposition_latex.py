r"""An exposition as a LaTeX document that needs amsmath alone."""

from __future__ import annotations

from collections.abc import Sequence

from .calculus.expr import Expr
from .calculus.latex import latex, latex_cost, latex_entry, latex_name, latex_terms
from .calculus.match import Replacement
from .calculus.program import Def
from .calculus.typeset import GREEK
from .exposition import Bound, ClaimProof, Exposition, Line, StatementProof

# A line of the document holds about so many characters of LaTeX source; a longer sum is broken between its terms.
LINE = 150
ARGUMENTS = 12  # of a call, on one line
_SPECIAL = {"–": "--", "“": "``", "”": "''", "’": "'", "\\": r"\textbackslash{}", "~": r"\~{}", "^": r"\^{}"} | {
    c: rf"\{c}" for c in "&%$#_{}"
}
# What names of statements contain beyond the letters of LaTeX's own fonts.
_SYMBOLS = {
    "Σ": r"\sum",
    "∑": r"\sum",
    "∏": r"\prod",
    "∘": r"\circ",
    "⟨": r"\langle ",
    "⟩": r"\rangle ",
    "‖": r"\Vert ",
    "∂": r"\partial ",
    "∇": r"\nabla ",
    "Δ": r"\Delta ",
    "Φ": r"\Phi ",
    "Ω": r"\Omega ",
    "Γ": r"\Gamma ",
    "−": "-",
    "±": r"\pm ",
    "≥": r"\ge ",
    "≤": r"\le ",
    "≠": r"\ne ",
    "≈": r"\approx ",
    "∝": r"\propto ",
    "∞": r"\infty ",
    "·": r"\cdot ",
    "√": r"\surd ",
    "ᵀ": r"^{\mathsf T}",
    "½": r"\tfrac{1}{2}",
    "⅓": r"\tfrac{1}{3}",
    "¼": r"\tfrac{1}{4}",
    "↦": r"\mapsto ",
    "→": r"\to ",
    "′": "'",
    "∈": r"\in ",
    "×": r"\times ",
    "⊙": r"\odot ",
    "…": r"\ldots ",
    "⁻": "^{-}",
    "₋": "_{-}",
    "ᵅ": r"^{\alpha}",
    "ᵝ": r"^{\beta}",
    "ᵗ": "^{t}",
    "ᵢ": "_{i}",
    "ⱼ": "_{j}",
}
_SYMBOLS |= {letter: rf"\{spelled} " for spelled, letter in GREEK.items() if spelled != "eps"}
_SYMBOLS |= {digit: f"^{{{k}}}" for k, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_SYMBOLS |= {digit: f"_{{{k}}}" for k, digit in enumerate("₀₁₂₃₄₅₆₇₈₉")}
_SYMBOLS["δ"] = r"\delta "


def document(expositions: Sequence[Exposition]) -> str:
    """One document with a section for each operation."""
    body = [line for exposition in expositions for line in _section(exposition)]
    head = [
        r"\documentclass[10pt]{article}",
        r"\usepackage[a4paper,landscape,margin=15mm]{geometry}",
        r"\usepackage{amsmath}",
        r"\allowdisplaybreaks",
        r"\setlength{\parindent}{0pt}",
        r"\begin{document}",
    ]
    return "\n".join([*head, *body, r"\end{document}", ""])


def _section(exposition: Exposition) -> list[str]:
    op = exposition.operation
    lines = [rf"\section*{{{words(op.name)}}}", words(op.summary)]
    if op.source:
        lines += ["", rf"Source: {words(op.source)}."]
    lines += ["", r"\subsection*{Definition}", *_definitions(exposition.definition)]
    if op.differentiable:
        lines += [r"\subsection*{Vector-Jacobian product}", *_definitions(exposition.gradient)]
    for choice in exposition.choices:
        lines.append(
            rf"Chosen: ${latex(choice.step.target)}$, at ${latex_cost(choice.flops)}$ operations, equals "
            rf"${latex(choice.other)}$, at ${latex_cost(choice.other_flops)}$."
        )
    if op.differentiable:
        lines += [r"\subsection*{Jacobian-vector product}", *_definitions(exposition.tangent)]
    lines += [r"\subsection*{Cost}", r"\begin{itemize}"]
    lines += [
        rf"\item {words(name)}: ${latex_cost(flops)}$ operations, ${latex_cost(elements)}$ numbers moved"
        for name, flops, elements in exposition.costs
    ]
    lines += [r"\end{itemize}", r"\subsection*{Statements}"]
    for proof in exposition.proofs:
        lines += _statement(proof)
    return lines


def _definitions(steps: Sequence[Line]) -> list[str]:
    return _aligned([_row(step) for step in steps])


def _row(step: Line) -> str:
    if isinstance(step, Def):
        return rf"{latex(step.target)} &= {_broken(step.value)}"
    given = [latex_name(b) if a == b else rf"{latex_name(a)} = {latex_name(b)}" for a, b in step.arguments]
    note = rf" && \text{{{words(step.note)}}}" if step.note else ""
    results = ", ".join(map(latex_name, step.results))
    # A line may be broken after any of the arguments, of which there may be many.
    lines = [", ".join(given[k : k + ARGUMENTS]) for k in range(0, len(given), ARGUMENTS)]
    shown = ", \\\\\n&\\qquad ".join(lines)
    return rf"{results} &= \operatorname{{{words(step.function)}}}({shown}){note}"


def _statement(proof: StatementProof) -> list[str]:
    result = proof.result
    lines = [rf"\paragraph{{{words(result.statement.label)}}} {words(result.statement.name)}. \emph{{{result.status}}}"]
    for claim in proof.claims:
        lines += _claim(claim)
    return lines


def _claim(claim: ClaimProof) -> list[str]:
    rows: list[str] = []
    for number, line in enumerate(claim.lines):
        sign = "" if number == 0 else "={}" if line.follows else r"\stackrel{?}{=}{}"
        ending = _bound(claim.bound) if claim.bound is not None and line is claim.lines[-1] else ""
        reason = rf" && \text{{{words(line.reason)}}}" if line.reason else ""
        rows.append(f"{sign}&{_broken(line.expr)}{ending}{reason}")
    lines = _aligned(rows)
    notes = [rf"${latex(condition)}$" for condition in claim.given]
    if notes:
        lines.append(f"where {', '.join(notes)}. ")
    for mark, replacements in claim.folded.where.items():
        shown = ", ".join(_replacement(replacement) for replacement in replacements)
        primes = "'" * len(mark)
        lines.append(rf"A name with ${{}}{primes}$ has: {shown}. ")
    return [*lines, ""]


def _bound(bound: Bound) -> str:
    """The relation and its numbers, after a formula."""
    numbers = ", ".join(map(latex, bound.numbers))
    shown = rf"\left[{numbers}\right]" if len(bound.numbers) == 2 else numbers
    return f" {_SYMBOLS[bound.relation]}{shown}"


def _replacement(replacement: Replacement) -> str:
    return rf"${latex_entry(replacement.tensor, replacement.indices)} \mapsto {latex(replacement.value)}$"


def _broken(expr: Expr) -> str:
    """A sum too long for one line is broken between its terms."""
    lines = [""]
    for term in latex_terms(expr):
        if lines[-1] and len(lines[-1]) + len(term) > LINE:
            lines.append("")
        lines[-1] += term
    return " \\\\\n&\\qquad ".join(lines)


def _aligned(rows: Sequence[str]) -> list[str]:
    return [r"\begin{align*}", " \\\\\n".join(rows), r"\end{align*}"] if rows else []


def words(text: str) -> str:
    """Text as LaTeX: special characters escaped, mathematical ones in mathematics."""
    shown = []
    for character in text:
        if character in _SYMBOLS:
            shown.append(f"${_SYMBOLS[character]}$")
        else:
            shown.append(_SPECIAL.get(character, character))
    return "".join(shown)
