"""Expressions as one line of plain text, as a person would type them."""

from __future__ import annotations

from fractions import Fraction

from .affine import Affine
from .index import Index, Mapped, Subscript
from .nodes import Add, Const, Delta, Entry, Expr, Fn, Gated, Larger, Max, Mul, Place, Pow, Predicate, Size, Sum

_SUM, _PRODUCT, _POWER, _ATOM = 0, 1, 2, 3


def text(expr: Expr) -> str:
    """One line of plain text; indices that share a name are told apart by primes."""
    return _Printer({}).show(expr, _SUM)


class _Printer:
    """Keeps the printed name of each index, so that two indices with one name get different ones."""

    def __init__(self, names: dict[Index, str]) -> None:
        self.names = names

    def name(self, index: Subscript) -> str:
        if isinstance(index, Mapped):
            return f"{index.map.name}({self.name(index.index)})"
        if index not in self.names:
            name = index.name
            while name in self.names.values():
                name += "'"
            self.names[index] = name
        return self.names[index]

    def bound(self, index: Index, *bodies: Expr) -> tuple[str, list[str]]:
        inner = _Printer(dict(self.names))
        return inner.name(index), [inner.show(body, _PRODUCT) for body in bodies]

    def show(self, expr: Expr, level: int) -> str:
        shown, own = self._node(expr)
        return f"({shown})" if own < level else shown

    def _node(self, expr: Expr) -> tuple[str, int]:
        match expr:
            case Const(value):
                return str(value), (_ATOM if value.denominator == 1 and value >= 0 else _SUM)
            case Size(dim):
                return f"{dim}", _ATOM
            case Entry(tensor, indices):
                if not indices:
                    return tensor.name, _ATOM
                return f"{tensor.name}[{', '.join(map(self.name, indices))}]", _ATOM
            case Add(terms):
                return self._sum(terms), _SUM
            case Mul(factors):
                return self._product(factors), _PRODUCT
            case Pow(base, exponent):
                if exponent == Fraction(1, 2):
                    return f"√{self.show(base, _ATOM)}", _POWER
                if exponent == -1:
                    return f"1/{self.show(base, _POWER)}", _PRODUCT
                power = str(exponent) if exponent.denominator == 1 else f"({exponent})"
                return f"{self.show(base, _ATOM)}^{power}", _POWER
            case Fn("acos", Const(value)) if value == -1:
                return "π", _ATOM
            case Fn("step", argument):
                return f"[{self.show(argument, _SUM)} > 0]", _ATOM
            case Fn(name, argument):
                return f"{name}({self.show(argument, _SUM)})", _ATOM
            case Sum(index, body):
                name, shown = self.bound(index, body)
                return f"Σ_{name} {shown[0]}", _SUM
            case Max(index, body, where):
                name, shown = self.bound(index, body, where)
                condition = "" if where == Const(Fraction(1)) else f", {shown[1]}"
                return f"max_{{{name}{condition}}} {shown[0]}", _SUM
            case Larger(left, right):
                return f"max({self.show(left, _SUM)}, {self.show(right, _SUM)})", _ATOM
            case Gated(body, gate):
                return f"gated({self.show(body, _SUM)}, {self.show(gate, _SUM)})", _ATOM
            case Delta(left, right):
                return f"δ[{self.name(left)}, {self.name(right)}]", _ATOM
            case Predicate(affine):
                return f"[{self._affine(affine)} ≥ 0]", _ATOM
            case Place(affine):
                return self._affine(affine), _SUM if len(affine.terms) + bool(affine.constant) > 1 else _ATOM
            case _:
                raise TypeError(f"{type(expr).__name__} is not an expression node")

    def _sum(self, terms: tuple[Expr, ...]) -> str:
        shown = ""
        for position, term in enumerate(terms):
            one = self.show(term, _SUM if position == len(terms) - 1 else _PRODUCT)
            if not shown:
                shown = one
            elif one.startswith("-"):
                shown += f" − {one[1:]}"
            else:
                shown += f" + {one}"
        return shown

    def _product(self, factors: tuple[Expr, ...]) -> str:
        sign = ""
        above: list[str] = []
        below: list[str] = []
        for factor in factors:
            match factor:
                case Const(value) if value == -1:
                    sign = "" if sign else "-"
                case Pow(base, exponent) if exponent == -1:
                    below.append(self.show(base, _POWER))
                case Pow(base, exponent) if exponent < 0:
                    below.append(self.show(Pow(base, -exponent), _POWER))
                case _:
                    above.append(self.show(factor, _POWER))
        shown = "·".join(above) or "1"
        for one in below:
            shown += f"/{one}"
        return sign + shown

    def _affine(self, affine: Affine) -> str:
        parts = []
        for term, coefficient in affine.terms:
            name = self.name(term) if isinstance(term, Index) else term.name
            size = "" if abs(coefficient) == 1 else f"{abs(coefficient)}·"
            parts.append((coefficient < 0, f"{size}{name}"))
        if affine.constant or not parts:
            parts.append((affine.constant < 0, str(abs(affine.constant))))
        shown = ("-" if parts[0][0] else "") + parts[0][1]
        for negative, part in parts[1:]:
            shown += f" {'−' if negative else '+'} {part}"
        return shown
