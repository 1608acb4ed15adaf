"""Expressions as two-dimensional mathematics, whatever writes it down: which parts, in which order and parentheses.

The structure is decided here, once; a `Notation` (`latex`, `mathml`) says how each part is written. Indices become
subscripts, quotients fractions, and two indices that share a name are told apart by primes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

from .affine import Affine
from .index import Dim, Index, Mapped, Subscript
from .nodes import Add, Const, Delta, Entry, Expr, Fn, Larger, Max, Mul, Place, Pow, Predicate, Size, Sum
from .traverse import children, walk

# What an expression needs parentheses in: a sum sign reaches as far as a product does, so it needs none in a sum.
_SUM, _SIGN, _PRODUCT, _POWER, _ATOM = range(5)
_PRIMES = "′'"
_ACCENTS = ("hat", "bar", "tilde")
# `delta` stays a word: the letter δ is Kronecker's.
GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "eps": "ε",
    "epsilon": "ε",
    "zeta": "ζ",
    "eta": "η",
    "theta": "θ",
    "kappa": "κ",
    "lambda": "λ",
    "mu": "μ",
    "nu": "ν",
    "xi": "ξ",
    "pi": "π",
    "rho": "ρ",
    "sigma": "σ",
    "tau": "τ",
    "phi": "φ",
    "chi": "χ",
    "psi": "ψ",
    "omega": "ω",
}


@dataclass(frozen=True)
class Name:
    """A name taken apart: `Δdk_heads′` is Δ and d before k, `heads` below, one prime; `k1` is part 1.

    A Greek letter that is spelled out is a letter; `xhat` and `x_hat` are x with an accent.
    """

    stem: str
    before: str = ""
    below: str = ""
    part: str = ""
    primes: int = 0
    accent: str = ""

    @classmethod
    def of(cls, name: str) -> Name:
        """Takes a name apart."""
        core = name.rstrip(_PRIMES)
        primes, before, below, part, accent = len(name) - len(core), "", "", "", ""
        if found := re.fullmatch(r"(.*[^\d_])_(\d+)", core):
            core, below = found[1], found[2]
            if "_" in core:
                core, _, index = core.partition("_")
                below = index + below
        elif found := re.fullmatch(r"(.*?[^\d_])(\d+)", core):
            core, part = found[1], found[2]
        while len(core) > 1 and core.startswith("Δ"):
            core, before = core[1:], before + "Δ"
        for mark in _ACCENTS:
            if len(core) > len(mark) and core.endswith(mark):
                stem = core.removesuffix(mark).removesuffix("_")
                if _is_letter(stem) or (stem[0] in "dt" and _is_letter(stem[1:])):
                    core, accent = stem, mark
        if core not in GREEK and core[:1] in ("d", "t") and _is_letter(core[1:].partition("_")[0]):
            # The gradient or the tangent of a letter.
            core, before = core[1:], before + core[0]
        stem, _, index = core.partition("_")
        if index and not below and _is_letter(stem):
            core, below = stem, index
        return cls(GREEK.get(core, core), before, below, part, primes, accent)

    @property
    def letter(self) -> bool:
        """Whether the stem is one letter, which is set in italics."""
        return len(self.stem) == 1


def _is_letter(name: str) -> bool:
    return name in GREEK or (len(name) == 1 and name.isalpha())


@dataclass(frozen=True)
class Term:
    """A term of a sum, without its sign."""

    negative: bool
    shown: str


class Notation(Protocol):
    """How the parts of a formula are written; every argument that is `str` is written already."""

    def number(self, value: Fraction) -> str:
        """A number that is not negative."""

    def name(self, name: Name, indices: Sequence[str] = (), power: str = "") -> str:
        """A name, with subscripts and a power."""

    def mapped(self, name: Name, index: str) -> str:
        """A permutation or a lookup at an index."""

    def terms(self, terms: Sequence[Term]) -> str:
        """A sum."""

    def product(self, factors: Sequence[str]) -> str:
        """A product."""

    def fraction(self, above: str, below: str) -> str:
        """A quotient."""

    def root(self, radicand: str) -> str:
        """A square root."""

    def power(self, base: str, exponent: str) -> str:
        """A power."""

    def exponential(self, argument: str) -> str:
        """A power of e."""

    def call(self, function: str, arguments: Sequence[str]) -> str:
        """A function by its name."""

    def total(self, index: str, body: str) -> str:
        """A sum over an index."""

    def maximum(self, index: str, condition: str, body: str) -> str:
        """A maximum over an index, where a condition holds (if there is one)."""

    def delta(self, left: str, right: str) -> str:
        """1 where two indices are equal."""

    def indicator(self, left: str, relation: str, right: str) -> str:
        """1 where a relation holds."""

    def absolute(self, argument: str) -> str:
        """An absolute value."""

    def parentheses(self, shown: str) -> str:
        """Something in parentheses."""


@dataclass
class Typesetter:
    """Writes expressions in one notation, and keeps the written name of each index."""

    notation: Notation
    names: dict[Index, str] = field(default_factory=dict)

    def index(self, index: Subscript) -> str:
        """An index, the same each time; primes tell it from others of its name."""
        if isinstance(index, Mapped):
            return self.notation.mapped(Name.of(index.map.name), self.index(index.index))
        if index not in self.names:
            name = index.name
            while (shown := self.notation.name(Name.of(name))) in self.names.values():
                name += "′"
            self.names[index] = shown
        return self.names[index]

    def show(self, expr: Expr, level: int = _SUM) -> str:
        """An expression, in parentheses if it binds less than `level`."""
        shown, own = self._node(expr)
        return self.notation.parentheses(shown) if own < level else shown

    def parts(self, expr: Expr) -> list[Term]:
        """The terms of an expression that nothing follows; one if it is no sum."""
        match expr:
            case Const(value):
                return [Term(value < 0, self.notation.number(abs(value)))]
            case Add(terms):
                return [part for term in terms[:-1] for part in self._closed(term)] + self.parts(terms[-1])
            case Mul(factors):
                negative, shown, _ = self._product(factors)
                return [Term(negative, shown)]
            case Place(affine):
                return self._affine(affine)
            case _:
                return [Term(False, self.show(expr))]

    def _closed(self, term: Expr) -> list[Term]:
        """A term that others follow."""
        match term:
            case Const() | Place():
                return self.parts(term)
            case Add(terms):
                return [part for inner in terms for part in self._closed(inner)]
            case Mul(factors):
                negative, shown, level = self._product(factors)
                return [Term(negative, self.notation.parentheses(shown) if level < _SIGN else shown)]
            case _:
                return [Term(False, self.show(term, _SIGN))]

    def _inside(self, index: Index) -> tuple[str, Typesetter]:
        inner = Typesetter(self.notation, dict(self.names))
        return inner.index(index), inner

    def _node(self, expr: Expr) -> tuple[str, int]:
        own = self.notation
        match expr:
            case Size(dim):
                return own.name(Name.of(dim.name)), _ATOM
            case Entry(tensor, indices):
                return own.name(Name.of(tensor.name), list(map(self.index, indices))), _ATOM
            case Const() | Add() | Mul() | Place():
                parts = self.parts(expr)
                if len(parts) > 1 or parts[0].negative:
                    return own.terms(parts), _SUM
                return parts[0].shown, self._product(expr.factors)[2] if isinstance(expr, Mul) else _ATOM
            case Pow(base, exponent):
                return self._power(base, exponent)
            case Fn(name, argument):
                return self._function(name, argument)
            case Sum(index, body):
                name, inner = self._inside(index)
                return own.total(name, inner.show(body, _SIGN)), _SIGN
            case Max(index, body, where):
                name, inner = self._inside(index)
                condition = "" if where == Const(Fraction(1)) else inner.show(where)
                return own.maximum(name, condition, inner.show(body, _SIGN)), _SIGN
            case Larger(left, right):
                return own.call("max", [self.show(left), self.show(right)]), _ATOM
            case Delta(left, right):
                return own.delta(self.index(left), self.index(right)), _ATOM
            case Predicate(affine):
                return own.indicator(own.terms(self._affine(affine)), "≥", own.number(Fraction(0))), _ATOM
            case _:
                return own.call(type(expr).__name__.lower(), [self.show(part) for part in children(expr)]), _ATOM

    def _function(self, name: str, argument: Expr) -> tuple[str, int]:
        own = self.notation
        if name == "exp" and not _is_tall(argument):
            return own.exponential(self.show(argument)), _POWER
        if name == "acos" and argument == Const(Fraction(-1)):
            return own.name(Name("π")), _ATOM
        if name == "step":
            return own.indicator(self.show(argument), ">", own.number(Fraction(0))), _ATOM
        if name == "abs":
            return own.absolute(self.show(argument)), _ATOM
        return own.call(name, [self.show(argument)]), _ATOM

    def _power(self, base: Expr, exponent: Fraction) -> tuple[str, int]:
        own = self.notation
        if exponent == Fraction(1, 2):
            return own.root(self.show(base)), _ATOM
        if exponent < 0:
            return self._fraction([], [(base, -exponent)]), _PRODUCT
        above = own.number(exponent)
        if isinstance(base, Entry):
            return own.name(Name.of(base.tensor.name), list(map(self.index, base.indices)), above), _POWER
        return own.power(self.show(base, _ATOM), above), _POWER

    def _product(self, factors: tuple[Expr, ...]) -> tuple[bool, str, int]:
        """Whether a product is negative, what it is without its sign, and how tightly that binds."""
        negative = False
        above: list[Expr] = []
        below: list[tuple[Expr, Fraction]] = []
        for factor in _flat(factors):
            match factor:
                case Const(value) if value < 0:
                    negative = not negative
                    above += [Const(-value)] if value != -1 else []
                case Pow(base, exponent) if exponent < 0:
                    below.append((base, -exponent))
                case _:
                    above.append(factor)
        if not below and above and isinstance(above[-1], Sum | Max):
            # Nothing follows the sum: it needs no parentheses of its own.
            shown = [*(self.show(factor, _POWER) for factor in above[:-1]), self.show(above[-1])]
            return negative, self.notation.product(shown), _SIGN
        return negative, self._fraction(above, below), _PRODUCT

    def _fraction(self, above: Sequence[Expr], below: Sequence[tuple[Expr, Fraction]]) -> str:
        own = self.notation
        if not below:
            return own.product([self.show(factor, _POWER) for factor in above]) if above else own.number(Fraction(1))
        alone = len(below) == 1 and below[0][1] == 1
        bottom = [self.show(b if e == 1 else Pow(b, e), _SUM if alone else _POWER) for b, e in below]
        if len(above) == 1:
            top = self.show(above[0])
        else:
            top = own.product([self.show(f, _POWER) for f in above]) if above else own.number(Fraction(1))
        return own.fraction(top, own.product(bottom))

    def _affine(self, affine: Affine) -> list[Term]:
        own = self.notation
        parts = []
        for term, coefficient in affine.terms:
            name = own.name(Name.of(term.name)) if isinstance(term, Dim) else self.index(term)
            size = abs(coefficient)
            shown = name if size == 1 else own.product([own.number(Fraction(size)), name])
            parts.append(Term(coefficient < 0, shown))
        if affine.constant or not parts:
            parts.append(Term(affine.constant < 0, own.number(Fraction(abs(affine.constant)))))
        return parts


def _is_tall(expr: Expr) -> bool:
    """Whether an expression has fractions or sums, which cannot be read as a superscript."""
    return any(isinstance(node, Sum | Max) or (isinstance(node, Pow) and node.exponent < 0) for node in walk(expr))


def _flat(factors: Iterable[Expr]) -> Iterator[Expr]:
    """The factors of a product of products."""
    for factor in factors:
        if isinstance(factor, Mul):
            yield from _flat(factor.factors)
        else:
            yield factor


def entry(notation: Notation, tensor: str, indices: Iterable[Index]) -> str:
    """An entry of a tensor; unlike `tensor[indices]` it may have indices of a part of an axis."""
    setter = Typesetter(notation)
    return notation.name(Name.of(tensor), [setter.index(index) for index in indices])
