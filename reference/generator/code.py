"""A piece of array code with its axes, and how pieces are laid out along the axes of one another.

The array of a tensor `x[i, j]` has the axes `[..., i, j]`: any number of batch dimensions, then one axis for each
index. Scalars that are passed in (a scale) have no batch dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ...derivations.calculus.expr import Const, Delta, Dim, Entry, Expr, Index, Mul, Predicate, Tensor

ADD, MUL, UNARY, ATOM = range(4)  # how tightly a piece of code binds


class CannotGenerate(ValueError):
    """The expression has no array form that this generator knows."""


@dataclass(frozen=True)
class Code:
    """A piece of Python that gives an array with these trailing axes; a scalar has no batch dimensions either."""

    text: str
    axes: tuple[Index, ...] = ()
    level: int = ATOM
    scalar: bool = False

    def at(self, level: int) -> str:
        """The text, in parentheses if it binds less tightly than wanted."""
        return f"({self.text})" if self.level < level else self.text


@dataclass
class Context:
    """What the code around an expression provides: shapes, guarded sums, the order of axes, inputs that may be None."""

    sizes: Mapping[Dim, str]
    scalars: frozenset[Tensor]
    like: str = "x"  # an array whose dtype and device are those of the results
    guarded: frozenset[Tensor] = frozenset()
    optional: frozenset[Tensor] = frozenset()
    filled: frozenset[Tensor] = frozenset()  # optional inputs that a neutral array stands for where they are absent
    order: list[Index] = field(default_factory=list)
    reuse: bool = False  # whether memory that is not read again may be overwritten, that of these tensors among it
    spent: frozenset[Tensor] = frozenset()

    def name(self, tensor: Tensor) -> str:
        """The name of the array of a tensor."""
        return filled_name(tensor) if tensor in self.filled else tensor.name

    def sorted(self, axes: set[Index]) -> tuple[Index, ...]:
        """Axes in the order of the target, bound ones last."""
        for index in sorted(axes - set(self.order), key=lambda ix: (ix.name, ix.dim.name)):
            self.order.append(index)
        return tuple(index for index in self.order if index in axes)


def filled_name(tensor: Tensor) -> str:
    """The name of an optional input with a neutral array in its place where it is absent."""
    return f"{tensor.name}_given"


def aligned(code: Code, axes: Sequence[Index]) -> Code:
    """The code with axes in this order, those that it lacks inserted with length 1."""
    if code.scalar or tuple(axes) == code.axes:
        return code
    present = tuple(index for index in axes if index in code.axes)
    if set(present) != set(code.axes):
        raise CannotGenerate(f"{code.text} has axes that are not wanted here")
    if present != code.axes:
        if present[:-2] == code.axes[:-2]:
            code = Code(f"{code.at(ATOM)}.mT", present)
        else:
            places = ", ".join(str(code.axes.index(axis)) for axis in present)
            code = Code(f"_arranged({code.text}, {places})", present)
    if present == tuple(axes):
        return code
    marks = [":" if index in present else "None" for index in axes]
    while marks and marks[0] == ":":
        marks.pop(0)
    return Code(f"{code.at(ATOM)}[..., {', '.join(marks)}]", tuple(axes))


def number(value: Fraction) -> Code:
    """An exact number as a literal, or as a quotient of two where it has no finite binary expansion."""
    if value.denominator == 1:
        return Code(str(value.numerator), level=ATOM if value >= 0 else UNARY, scalar=True)
    if value.denominator & (value.denominator - 1) == 0:
        return Code(repr(float(value)), level=ATOM if value >= 0 else UNARY, scalar=True)
    return Code(f"{value.numerator} / {value.denominator}", level=MUL, scalar=True)


def raised(base: str, exponent: str) -> str:
    """A power as the formatter writes it: without spaces between plain names and numbers."""
    plain = (base.replace(".", "").isidentifier() or _is_literal(base)) and _is_literal(exponent.removeprefix("-"))
    return f"{base}**{exponent}" if plain else f"{base} ** {exponent}"


def negative(expr: Expr) -> bool:
    """Whether the expression starts with a negative number."""
    first = expr.factors[0] if isinstance(expr, Mul) else expr
    return isinstance(first, Const) and first.value < 0


def without_sign(expr: Expr) -> Expr:
    """The expression without the minus that it starts with."""
    if not negative(expr):
        return expr
    if isinstance(expr, Const):
        return Const(-expr.value)
    assert isinstance(expr, Mul)
    first = expr.factors[0]
    assert isinstance(first, Const)
    rest = expr.factors[1:] if first.value == -1 else (Const(-first.value), *expr.factors[1:])
    return rest[0] if len(rest) == 1 else Mul(rest)


def _is_literal(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()


def negated(code: Code) -> str:
    """The code as the operand of a minus sign; a power in parentheses, as the formatter writes it."""
    return f"({code.text})" if code.level == UNARY and "**" in code.text else code.at(UNARY)


def is_boolean(expr: Expr) -> bool:
    """Whether the expression is a boolean array."""
    return isinstance(expr, Delta | Predicate) or (isinstance(expr, Entry) and expr.tensor.kind == "boolean")
