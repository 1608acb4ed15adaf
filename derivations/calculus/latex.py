r"""Expressions as LaTeX mathematics: indices as subscripts, quotients as fractions.

`latex(Σ_j p[i, j]·v[j, e])` is `\sum_{j} p_{i,j}\, v_{j,e}`. Names of more than one letter are upright; a name that
ends in digits carries them as a superscript in parentheses (the part of a block), primes stay primes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

import sympy

from .expr import (
    Add,
    Affine,
    Const,
    Delta,
    Dim,
    Entry,
    Expr,
    Fn,
    Index,
    Larger,
    Mapped,
    Max,
    Mul,
    Place,
    Pow,
    Predicate,
    Size,
    Subscript,
    Sum,
    Tensor,
)

_SUM, _PRODUCT, _POWER, _ATOM = range(4)
# Names that are mathematics, written in words or as the letter itself.
_GREEK = {"π": r"\pi", "ρ": r"\rho"} | {n: rf"\{n}" for n in ("alpha", "beta", "gamma", "delta", "epsilon", "mu", "pi")}
_OPERATORS = frozenset({"exp", "log", "tanh", "sin", "cos", "cosh", "sinh"})
_PRIMES = "′'"


def latex(expr: Expr) -> str:
    """The expression in LaTeX, for use inside a mathematics environment."""
    return _Printer({}).show(expr, _SUM)


def latex_terms(expr: Expr) -> list[str]:
    """The terms of a sum, each with its sign, so that a long sum can be broken between them."""
    printer = _Printer({})
    return printer.terms(expr.terms) if isinstance(expr, Add) else [printer.show(expr, _SUM)]


def latex_name(name: str) -> str:
    """A name: `lse` upright, `k1` as the first part of k, `Δq` with its Delta, primes kept."""
    core = name.rstrip(_PRIMES)
    primes = r"\prime" * (len(name) - len(core))
    found = re.fullmatch(r"(.*?)(\d+)", core)
    core, part = (found[1], found[2]) if found and found[1] else (core, "")
    above = (f"({part})" if part else "") + primes
    return _core(core) + (f"^{{{above}}}" if above else "")


def _core(name: str) -> str:
    if name.startswith("Δ") and len(name) > 1:
        return rf"\Delta {_core(name[1:])}"
    if name in _GREEK:
        return _GREEK[name]
    if len(name) == 2 and name[0] == "d" and name[1].isalpha():
        return rf"\mathrm{{d}}{name[1]}"
    stem, _, index = name.partition("_")
    if len(stem) == 1 and index:
        return rf"{stem}_{{\mathrm{{{_escaped(index)}}}}}"
    return name if len(name) == 1 else rf"\mathrm{{{_escaped(name)}}}"


def _escaped(name: str) -> str:
    return name.replace("_", r"\_")


def latex_entry(tensor: Tensor, indices: Sequence[Index]) -> str:
    """An entry of a tensor; unlike `tensor[indices]` it may have indices of a part of an axis."""
    printer = _Printer({})
    return printer.entry(tensor, [printer.name(index) for index in indices])


def latex_cost(polynomial: sympy.Expr) -> str:
    """A polynomial in the sizes."""
    shown: str = sympy.latex(polynomial)
    return shown


class _Printer:
    """Keeps the printed name of each index, so that two indices with one name get different ones."""

    def __init__(self, names: dict[Index, str]) -> None:
        self.names = names

    def name(self, index: Subscript) -> str:
        if isinstance(index, Mapped):
            return f"{latex_name(index.permutation.name)}({self.name(index.index)})"
        if index not in self.names:
            name = latex_name(index.name)
            while name in self.names.values():
                name += "'"
            self.names[index] = name
        return self.names[index]

    def entry(self, tensor: Tensor, indices: Sequence[str]) -> str:
        name = latex_name(tensor.name)
        if not indices:
            return name
        # A name with a subscript of its own cannot take a second one.
        return (f"{{{name}}}" if "_{" in name else name) + f"_{{{','.join(indices)}}}"

    def bound(self, index: Index, *bodies: Expr) -> tuple[str, list[str]]:
        inner = _Printer(dict(self.names))
        # A sum sign reaches as far as a product does.
        return inner.name(index), [inner.show(body, _PRODUCT if isinstance(body, Add) else _SUM) for body in bodies]

    def show(self, expr: Expr, level: int) -> str:
        shown, own = self._node(expr)
        return rf"\left({shown}\right)" if own < level else shown

    def _node(self, expr: Expr) -> tuple[str, int]:
        match expr:
            case Const(value):
                return _number(value), (_ATOM if value >= 0 else _SUM)
            case Size(dim):
                return latex_name(dim.name), _ATOM
            case Entry(tensor, indices):
                return self.entry(tensor, [self.name(index) for index in indices]), _ATOM
            case Add(terms):
                return "".join(self.terms(terms)), _SUM
            case Mul(factors):
                return self._product(factors)
            case Pow(base, exponent):
                return self._power(base, exponent)
            case Fn("exp", argument):
                return rf"e^{{{self.show(argument, _SUM)}}}", _POWER
            case Fn(name, argument):
                head = rf"\{name}" if name in _OPERATORS else rf"\operatorname{{{name}}}"
                return rf"{head}\left({self.show(argument, _SUM)}\right)", _ATOM
            case Sum(index, body):
                name, shown = self.bound(index, body)
                return rf"\sum_{{{name}}} {shown[0]}", _SUM
            case Max(index, body, where):
                name, shown = self.bound(index, body, where)
                condition = "" if where == Const(Fraction(1)) else rf" \,:\, {shown[1]}"
                return rf"\max_{{{name}{condition}}} {shown[0]}", _SUM
            case Larger(left, right):
                return rf"\max\left({self.show(left, _SUM)}, {self.show(right, _SUM)}\right)", _ATOM
            case Delta(left, right):
                return rf"\delta_{{{self.name(left)},{self.name(right)}}}", _ATOM
            case Predicate(affine):
                return rf"[{self._affine(affine)} \ge 0]", _ATOM
            case Place(affine):
                return self._affine(affine), _SUM if len(affine.terms) + bool(affine.constant) > 1 else _ATOM
            case _:
                raise TypeError(f"{type(expr).__name__} is not an expression node")

    def _power(self, base: Expr, exponent: Fraction) -> tuple[str, int]:
        if exponent == Fraction(1, 2):
            return rf"\sqrt{{{self.show(base, _SUM)}}}", _ATOM
        if exponent < 0:
            return self._fraction([], [(base, -exponent)]), _PRODUCT
        shown = self.show(base, _ATOM)
        # A name with a superscript of its own (a prime) cannot take a second one.
        return (f"{{{shown}}}" if "^{" in shown else shown) + f"^{{{_number(exponent)}}}", _POWER

    def terms(self, terms: tuple[Expr, ...]) -> list[str]:
        """The terms of a sum, each but the first with its sign."""
        parts: list[str] = []
        for position, term in enumerate(terms):
            one = self.show(term, _SUM if position == len(terms) - 1 else _PRODUCT)
            if not parts:
                parts.append(one)
            elif one.startswith("-"):
                parts.append(f" - {one[1:]}")
            else:
                parts.append(f" + {one}")
        return parts

    def _product(self, factors: tuple[Expr, ...]) -> tuple[str, int]:
        sign = ""
        above: list[Expr] = []
        below: list[tuple[Expr, Fraction]] = []
        for factor in factors:
            match factor:
                case Const(value) if value == -1:
                    sign = "" if sign else "-"
                case Pow(base, exponent) if exponent < 0:
                    below.append((base, -exponent))
                case _:
                    above.append(factor)
        if not below and len(above) > 1 and isinstance(above[-1], Sum | Max):
            # Nothing follows the sum: it needs no parentheses of its own.
            shown = _juxtaposed([*(self.show(factor, _POWER) for factor in above[:-1]), self.show(above[-1], _SUM)])
            return sign + shown, _SUM
        if not below and len(above) == 1 and isinstance(above[0], Sum | Max):
            return sign + self.show(above[0], _SUM), _SUM
        return sign + self._fraction(above, below), _PRODUCT

    def _fraction(self, above: Sequence[Expr], below: Sequence[tuple[Expr, Fraction]]) -> str:
        top = _juxtaposed(self.show(factor, _POWER) for factor in above) or "1"
        if not below:
            return top
        alone = len(below) == 1 and below[0][1] == 1
        powers = (self.show(b if e == 1 else Pow(b, e), _SUM if alone else _POWER) for b, e in below)
        if len(above) == 1 and isinstance(above[0], Add | Sum | Max):
            top = self.show(above[0], _SUM)
        return rf"\frac{{{top}}}{{{_juxtaposed(powers)}}}"

    def _affine(self, affine: Affine) -> str:
        parts = []
        for term, coefficient in affine.terms:
            name = latex_name(term.name) if isinstance(term, Dim) else self.name(term)
            size = "" if abs(coefficient) == 1 else f"{abs(coefficient)} "
            parts.append((coefficient < 0, f"{size}{name}"))
        if affine.constant or not parts:
            parts.append((affine.constant < 0, str(abs(affine.constant))))
        shown = ("-" if parts[0][0] else "") + parts[0][1]
        return shown + "".join(f" {'-' if negative else '+'} {part}" for negative, part in parts[1:])


def _juxtaposed(factors: Iterable[str]) -> str:
    return r"\, ".join(factors)


def _number(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return rf"{sign}\tfrac{{{abs(value.numerator)}}}{{{value.denominator}}}"
