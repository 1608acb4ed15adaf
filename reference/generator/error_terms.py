"""A value with its error, as code: the own error of each element, and the signed coefficients of row symbols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...derivations.calculus.expr import Index
from .arrays import UNARY, Code, aligned
from .functions import WIDTH

INDENT = 4  # of the body of a function


@dataclass(frozen=True)
class Symbol:
    """The error of a value shared along a row: one unknown in [−1, 1] for each assignment of its axes."""

    name: str
    axes: tuple[Index, ...]


@dataclass(frozen=True)
class Val:
    """A value, its own error (None: exact) and, by row symbol, the coefficients of the errors of its row."""

    code: Code
    error: Code | None = None
    rows: dict[Symbol, Code] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether the value has no error."""
        return self.error is None and not self.rows


@dataclass(frozen=True)
class PartialSums:
    """What bounds the partial sums of a matrix product, the terms of one member of a group, and the members."""

    size: str
    terms: str
    members: str


def statement(target: str, terms: list[str]) -> list[str]:
    """`target = sum of terms` on one line, or on one line a term; a call that is too long has its arguments on their
    own, as the formatter writes it."""
    one = f"{target} = {' + '.join(terms)}"
    if len(one) <= WIDTH - INDENT:
        return [one]
    if len(terms) > 1:
        return [*statement(target, terms[:1]), *(f"{target} = {target} + {term}" for term in terms[1:])]
    function, _, arguments = terms[0].partition("(")
    return [f"{target} = {function}(", f"    {arguments.removesuffix(')')}", ")"]


def all_symbols(vals: Sequence[Val]) -> list[Symbol]:
    """The row symbols of some values, each once, in order."""
    return list(dict.fromkeys(symbol for val in vals for symbol in val.rows))


def own(val: Val, axes: Sequence[Index]) -> str:
    """The own error as an argument: 0 for a value whose errors are all those of rows."""
    if val.error is None:
        return "0.0" if val.rows else "None"
    return aligned(val.error, axes).text


def signed_sum(pieces: Sequence[tuple[bool, Code]]) -> str:
    """Terms with their signs (True: minus), a positive one first if there is one first."""
    text = "".join(f" {'-' if minus else '+'} {piece.at(UNARY)}" for minus, piece in pieces)
    return text.removeprefix(" + ") if text.startswith(" + ") else f"-{text.removeprefix(' - ')}"


def product_row(left: Val, right: Val, symbol: Symbol, axes: Sequence[Index], divides: bool) -> str:
    """The first-order coefficient of a symbol in a product or quotient {v}."""
    a, b = aligned(left.code, axes).at(UNARY), aligned(right.code, axes).at(UNARY)
    c_a = aligned(left.rows[symbol], axes).at(UNARY) if symbol in left.rows else ""
    c_b = aligned(right.rows[symbol], axes).at(UNARY) if symbol in right.rows else ""
    if not divides:
        return " + ".join([*([f"{c_a} * {b}"] if c_a else []), *([f"{a} * {c_b}"] if c_b else [])])
    if not c_b:
        return f"{c_a} / {b}"
    return f"({c_a} - {{v}} * {c_b}) / {b}" if c_a else f"-{{v}} * {c_b} / {b}"


def laid(val: Val, part: Code | None, operand: Code) -> str:
    """A part of the error of an operand, laid out as the operand is."""
    return "None" if part is None else operand.text.replace(val.code.text, part.text, 1)
