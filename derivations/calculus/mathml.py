"""Expressions as MathML Core, written from the expression itself: what a browser shows without a script or a font.

`mathml_terms` gives a long sum term by term, each a formula of its own, since a browser breaks a line between
formulas and never within one.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from html import escape

import sympy

from .index import Index
from .nodes import Expr, Tensor
from .typeset import Name, Term, Typesetter, entry

# A multiplication that is not written still sets its factors apart, by a sixth of the font's size.
_TIMES = '<mo lspace="0.08em" rspace="0.08em">&#x2062;</mo>'
_PRIME = '<mo lspace="0" rspace="0">′</mo>'
_APPLIED = "<mo>&#x2061;</mo>"
_ACCENTS = {"hat": "^", "bar": "¯", "tilde": "~"}


def mathml(expr: Expr) -> str:
    """The expression as a `math` element."""
    return _math(Typesetter(_MathML()).show(expr))


def mathml_terms(expr: Expr) -> list[str]:
    """The terms of a sum, each with its sign and as a `math` element of its own."""
    return _chunks(Typesetter(_MathML()).parts(expr))


def mathml_entry(tensor: Tensor, indices: Sequence[Index]) -> str:
    """An entry of a tensor, as a `math` element; unlike `tensor[indices]` it may have indices of a part of an axis."""
    return _math(entry(_MathML(), tensor.name, indices))


def mathml_name(name: str) -> str:
    """A name, as a `math` element."""
    return _math(_MathML().name(Name.of(name)))


def mathml_relation(sign: str) -> str:
    """A sign between two formulas, as a `math` element."""
    return _math(f'<mo form="infix">{escape(sign)}</mo>')


def mathml_cost(polynomial: sympy.Expr) -> str:
    """A polynomial in the sizes, a `math` element for each term, in the order in which SymPy prints them."""
    return " ".join(_chunks([_cost_term(term) for term in polynomial.as_ordered_terms()]))


def _cost_term(term: sympy.Expr) -> Term:
    own = _MathML()
    coefficient, factors = term.as_coeff_mul()
    size = Fraction(int(abs(coefficient).p), int(coefficient.q))
    shown = [] if size == 1 and factors else [own.number(size)]
    for factor in factors:
        base, exponent = factor.as_base_exp()
        shown.append(own.name(Name.of(str(base)), (), "" if exponent == 1 else own.number(Fraction(str(exponent)))))
    return Term(bool(coefficient < 0), own.product(shown))


def _math(content: str) -> str:
    return f'<math displaystyle="true">{content}</math>'


def _chunks(terms: Sequence[Term]) -> list[str]:
    """The terms as formulas of their own, between which a blank is written: the operator needs no space before it."""
    return [_math(term) for term in _signed(terms, '<mo form="infix" lspace="0">')]


def _signed(terms: Sequence[Term], operator: str = '<mo form="infix">') -> list[str]:
    first, *others = terms
    return [
        _row('<mo form="prefix">−</mo>', first.shown) if first.negative else first.shown,
        *(_row(f"{operator}{'−' if term.negative else '+'}</mo>", term.shown) for term in others),
    ]


class _MathML:
    """The notation of MathML Core; the methods are those of `Notation`, and each gives one element."""

    def number(self, value: Fraction) -> str:
        if value.denominator == 1:
            return f"<mn>{value.numerator}</mn>"
        fraction = self.fraction(f"<mn>{value.numerator}</mn>", f"<mn>{value.denominator}</mn>")
        return f'<mstyle displaystyle="false">{fraction}</mstyle>'

    def name(self, name: Name, indices: Sequence[str] = (), power: str = "") -> str:
        shown = f"<mi>{escape(name.stem)}</mi>"
        if name.accent:
            shown = f"<mover>{shown}<mo>{_ACCENTS[name.accent]}</mo></mover>"
        if name.before:
            # Differentials and the changes of names are upright.
            shown = _row(*(f'<mi mathvariant="normal">{mark}</mi>' for mark in name.before), shown)
        above = f"<mrow><mo>(</mo><mn>{name.part}</mn><mo>)</mo></mrow>" if name.part else ""
        if name.below and indices and not above:
            # One subscript below another cannot be read: w_q[c] is w with q above and c below.
            above = f'<mi mathvariant="normal">{escape(name.below)}</mi>'
        elif name.below:
            below = f"<mn>{name.below}</mn>" if name.below.isdecimal() else f"<mi>{escape(name.below)}</mi>"
            shown = f"<msub>{shown}{below}</msub>"
        if above and (power or name.primes):
            shown, above = f"<msup>{shown}{above}</msup>", ""
        if name.primes:
            # The prime of a mathematical font is small and raised already: as a superscript it would be so twice.
            shown = _row(shown, _PRIME * name.primes)
        return _scripts(shown, _row(_listed(indices)) if indices else "", power or above)

    def mapped(self, name: Name, index: str) -> str:
        return _row(self.name(name), _APPLIED, "<mo>(</mo>", index, "<mo>)</mo>")

    def terms(self, terms: Sequence[Term]) -> str:
        return _row(*_signed(terms))

    def product(self, factors: Sequence[str]) -> str:
        return factors[0] if len(factors) == 1 else _row(_TIMES.join(factors))

    def fraction(self, above: str, below: str) -> str:
        return f"<mfrac>{above}{below}</mfrac>"

    def root(self, radicand: str) -> str:
        return f"<msqrt>{radicand}</msqrt>"

    def power(self, base: str, exponent: str) -> str:
        return f"<msup>{base}{exponent}</msup>"

    def exponential(self, argument: str) -> str:
        return f"<msup><mi>e</mi>{argument}</msup>"

    def call(self, function: str, arguments: Sequence[str]) -> str:
        return _row(f"<mi>{escape(function)}</mi>", _APPLIED, self.parentheses(_listed(arguments)))

    def total(self, index: str, body: str) -> str:
        return _row(f"<munder><mo>∑</mo>{index}</munder>", body)

    def maximum(self, index: str, condition: str, body: str) -> str:
        below = _row(index, '<mo form="infix">:</mo>', condition) if condition else index
        return _row(f'<munder><mo rspace="0.17em">max</mo>{below}</munder>', body)

    def delta(self, left: str, right: str) -> str:
        return f"<msub><mi>δ</mi>{_row(_listed((left, right)))}</msub>"

    def indicator(self, left: str, relation: str, right: str) -> str:
        return _row("<mo>[</mo>", left, f"<mo>{escape(relation)}</mo>", right, "<mo>]</mo>")

    def absolute(self, argument: str) -> str:
        return _row('<mo form="prefix">|</mo>', argument, '<mo form="postfix">|</mo>')

    def parentheses(self, shown: str) -> str:
        return _row("<mo>(</mo>", shown, "<mo>)</mo>")


def _row(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _listed(parts: Sequence[str]) -> str:
    return "<mo>,</mo>".join(parts)


def _scripts(base: str, below: str, above: str) -> str:
    if below and above:
        return f"<msubsup>{base}{below}{above}</msubsup>"
    if below:
        return f"<msub>{base}{below}</msub>"
    return f"<msup>{base}{above}</msup>" if above else base
