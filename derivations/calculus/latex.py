r"""Expressions as LaTeX mathematics: indices as subscripts, quotients as fractions.

`latex(Σ_j p[i, j]·v[j, e])` is `\sum_{j} p_{i,j}\, v_{j,e}`. Names of more than one letter are upright; a name that
ends in digits carries them as a superscript in parentheses (the part of a block), primes stay primes.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import sympy

from .index import Index
from .nodes import Expr, Tensor
from .typeset import GREEK, Name, Term, Typesetter, entry

_LETTERS = {shown: rf"\{spelled}" for spelled, shown in GREEK.items() if spelled != "eps"}  # one letter, two spellings
_OPERATORS = frozenset({"exp", "log", "tanh", "sin", "cos", "cosh", "sinh", "max", "min"})
_ACCENTS = {"hat": r"\hat", "bar": r"\bar", "tilde": r"\tilde"}
_RELATIONS = {"≥": r"\ge", ">": ">"}


def latex(expr: Expr) -> str:
    """The expression in LaTeX, for use inside a mathematics environment."""
    return Typesetter(_Latex()).show(expr)


def latex_terms(expr: Expr) -> list[str]:
    """The terms of a sum, each with its sign, so that a long sum can be broken between them."""
    return _signed(Typesetter(_Latex()).parts(expr))


def latex_name(name: str) -> str:
    """A name: `lse` upright, `k1` as the first part of k, `Δq` with its Delta, primes kept."""
    return _Latex().name(Name.of(name))


def latex_entry(tensor: Tensor, indices: Sequence[Index]) -> str:
    """An entry of a tensor; unlike `tensor[indices]` it may have indices of a part of an axis."""
    return entry(_Latex(), tensor.name, indices)


def latex_cost(polynomial: sympy.Expr) -> str:
    """A polynomial in the sizes."""
    shown: str = sympy.latex(polynomial)
    return shown


def _signed(terms: Sequence[Term]) -> list[str]:
    first, *others = terms
    return [
        f"-{first.shown}" if first.negative else first.shown,
        *(f" {'-' if term.negative else '+'} {term.shown}" for term in others),
    ]


class _Latex:
    """The notation of LaTeX; the methods are those of `Notation`."""

    def number(self, value: Fraction) -> str:
        if value.denominator == 1:
            return str(value.numerator)
        return rf"\tfrac{{{value.numerator}}}{{{value.denominator}}}"

    def name(self, name: Name, indices: Sequence[str] = (), power: str = "") -> str:
        core = _LETTERS.get(name.stem) or (name.stem if name.letter else rf"\mathrm{{{_escaped(name.stem)}}}")
        if name.accent:
            core = rf"{_ACCENTS[name.accent]}{{{core}}}"
        before = "".join(r"\Delta " if mark == "Δ" else rf"\mathrm{{{mark}}}" for mark in name.before)
        shown = before + core
        above = (f"({name.part})" if name.part else "") + r"\prime" * name.primes
        raised = bool(name.below and indices and not name.part)
        if raised:
            # One subscript below another cannot be read: w_q[c] is w with q above and c below.
            above = rf"\mathrm{{{_escaped(name.below)}}}" + above
        elif name.below:
            below = (
                name.below if name.below.isdecimal() or len(name.below) == 1 else rf"\mathrm{{{_escaped(name.below)}}}"
            )
            shown += f"_{{{below}}}"
        if above:
            shown += f"^{{{above}}}"
        if indices:
            # A name with a subscript of its own cannot take a second one.
            shown = (f"{{{shown}}}" if name.below and not raised else shown) + f"_{{{','.join(indices)}}}"
        return self.power(shown, power) if power else shown

    def mapped(self, name: Name, index: str) -> str:
        return f"{self.name(name)}({index})"

    def terms(self, terms: Sequence[Term]) -> str:
        return "".join(_signed(terms))

    def product(self, factors: Sequence[str]) -> str:
        return r"\, ".join(factors)

    def fraction(self, above: str, below: str) -> str:
        return rf"\frac{{{above}}}{{{below}}}"

    def root(self, radicand: str) -> str:
        return rf"\sqrt{{{radicand}}}"

    def power(self, base: str, exponent: str) -> str:
        # A name with a superscript of its own (a prime) cannot take a second one.
        return (f"{{{base}}}" if "^{" in base else base) + f"^{{{exponent}}}"

    def exponential(self, argument: str) -> str:
        return f"e^{{{argument}}}"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        head = rf"\{function}" if function in _OPERATORS else rf"\operatorname{{{_escaped(function)}}}"
        return rf"{head}\left({', '.join(arguments)}\right)"

    def total(self, index: str, body: str) -> str:
        return rf"\sum_{{{index}}} {body}"

    def maximum(self, index: str, condition: str, body: str) -> str:
        where = rf" \,:\, {condition}" if condition else ""
        return rf"\max_{{{index}{where}}} {body}"

    def delta(self, left: str, right: str) -> str:
        return rf"\delta_{{{left},{right}}}"

    def indicator(self, left: str, relation: str, right: str) -> str:
        return rf"[{left} {_RELATIONS[relation]} {right}]"

    def absolute(self, argument: str) -> str:
        return rf"\left|{argument}\right|"

    def parentheses(self, shown: str) -> str:
        return rf"\left({shown}\right)"


def _escaped(name: str) -> str:
    return name.replace("_", r"\_")
