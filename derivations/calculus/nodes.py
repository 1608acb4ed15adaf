"""Tensors and the nodes of expressions. Expressions are immutable; each node checks its own ranges."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from .affine import Affine
from .index import Dim, DimensionError, Index, Mapped, Subscript

Scalar = int | Fraction
Kind = Literal["real", "positive", "boolean", "index"]


@dataclass(frozen=True)
class Tensor:
    """A named array with typed axes.

    A boolean tensor holds 0 or 1, so it equals its own square. One of kind `index` holds positions of the dimension
    `over` (token numbers, class labels); `ids(i)` is the position as a subscript: `w[ids(i), c]` reads a row.
    """

    name: str
    dims: tuple[Dim, ...] = ()
    kind: Kind = "real"
    over: Dim | None = None

    def __post_init__(self) -> None:
        if (self.kind == "index") != (self.over is not None):
            raise DimensionError(f"{self.name}: a tensor of kind 'index', and only such a one, runs over a dimension")
        if self.kind == "index" and len(self.dims) != 1:
            raise DimensionError(f"{self.name}: a tensor of indices has one axis, not {len(self.dims)}")

    def __hash__(self) -> int:
        return hash(self.name)

    def __call__(self, index: Index) -> Mapped:
        if self.kind != "index":
            raise DimensionError(f"{self.name}({index.name}): {self.name} does not hold positions")
        if self.dims != (index.dim,):
            raise DimensionError(f"{self.name} has the axis {self.dims[0]}, {index.name} runs over {index.dim}")
        return Mapped(self, index)

    def __getitem__(self, indices: Subscript | tuple[Subscript, ...]) -> Entry:
        return Entry(self, indices if isinstance(indices, tuple) else (indices,))

    def __str__(self) -> str:
        return self.name


class Expr:
    """Base of all expressions; holds the operators."""

    __slots__ = ()

    def __add__(self, other: Expr | Scalar) -> Expr:
        return Add((self, lift(other)))

    def __radd__(self, other: Scalar) -> Expr:
        return Add((lift(other), self))

    def __sub__(self, other: Expr | Scalar) -> Expr:
        return Add((self, -lift(other)))

    def __rsub__(self, other: Scalar) -> Expr:
        return Add((lift(other), -self))

    def __mul__(self, other: Expr | Scalar) -> Expr:
        return Mul((self, lift(other)))

    def __rmul__(self, other: Scalar) -> Expr:
        return Mul((lift(other), self))

    def __truediv__(self, other: Expr | Scalar) -> Expr:
        return Mul((self, Pow(lift(other), Fraction(-1))))

    def __rtruediv__(self, other: Scalar) -> Expr:
        return Mul((lift(other), Pow(self, Fraction(-1))))

    def __neg__(self) -> Expr:
        return Mul((Const(Fraction(-1)), self))

    def __pow__(self, exponent: Scalar) -> Expr:
        return Pow(self, Fraction(exponent))

    def __str__(self) -> str:
        from .text import text

        return text(self)


@dataclass(frozen=True, slots=True)
class Const(Expr):
    """An exact rational number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Size(Expr):
    """The size of a dimension, as a number."""

    dim: Dim


@dataclass(frozen=True, slots=True)
class Entry(Expr):
    """One entry of a tensor: x[i, j]."""

    tensor: Tensor
    indices: tuple[Subscript, ...]

    def __post_init__(self) -> None:
        dims = tuple(index.dim for index in self.indices)
        if dims != self.tensor.dims:
            raise DimensionError(
                f"{self.tensor.name}[{', '.join(map(str, self.indices))}]: the indices run over "
                f"({', '.join(map(str, dims))}), the axes of {self.tensor.name} are "
                f"({', '.join(map(str, self.tensor.dims))})"
            )


@dataclass(frozen=True, slots=True)
class Add(Expr):
    """A sum of a few terms."""

    terms: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Mul(Expr):
    """A product of a few factors."""

    factors: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Pow(Expr):
    """A rational power."""

    base: Expr
    exponent: Fraction


@dataclass(frozen=True, slots=True)
class Fn(Expr):
    """An elementwise function of one argument, named as in SymPy: exp, log, tanh, erf, sin, cos …"""

    name: str
    argument: Expr


@dataclass(frozen=True, slots=True)
class Sum(Expr):
    """A sum over the whole range of an index."""

    index: Index
    body: Expr


@dataclass(frozen=True, slots=True)
class Max(Expr):
    """The largest `body` over an index, among the values of the index where `where` (0 or 1) is 1."""

    index: Index
    body: Expr
    where: Expr = field(default_factory=lambda: ONE)


@dataclass(frozen=True, slots=True)
class Larger(Expr):
    """The larger of two expressions."""

    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Delta(Expr):
    """1 if the two indices are equal, else 0 (Kronecker). Of a lookup it is the one-hot matrix: δ[ids(i), v]."""

    left: Subscript
    right: Subscript

    def __post_init__(self) -> None:
        if any(isinstance(ix, Mapped) and ix.lookup is None for ix in (self.left, self.right)):
            raise DimensionError(f"δ[{self.left}, {self.right}]: the permuted image of an index is not compared")
        if self.left.dim != self.right.dim:
            raise DimensionError(
                f"δ[{self.left}, {self.right}]: {self.left} runs over {self.left.dim}, "
                f"{self.right} over {self.right.dim}"
            )


@dataclass(frozen=True, slots=True)
class Gated(Expr):
    """The value of `body`, whose derivative passes only where `gate` (0 or 1) is 1: a row that is not trained."""

    body: Expr
    gate: Expr


@dataclass(frozen=True, slots=True)
class Predicate(Expr):
    """1 where `affine ≥ 0`, else 0."""

    affine: Affine


@dataclass(frozen=True, slots=True)
class Place(Expr):
    """An affine position as a number: `Place(position(i))` is the value of i."""

    affine: Affine


ONE: Expr = Const(Fraction(1))
ZERO: Expr = Const(Fraction(0))
PI: Expr = Fn("acos", Const(Fraction(-1)))

POSITIVE_FUNCTIONS = frozenset({"exp", "sigmoid", "erfc"})  # greater than 0 for every real number
NONNEGATIVE_FUNCTIONS = POSITIVE_FUNCTIONS | {"relu", "step"}  # at least 0 for every real number


def lift(value: Expr | Scalar) -> Expr:
    """A number as an expression; an expression unchanged."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, int | Fraction):
        return Const(Fraction(value))
    raise TypeError(f"{value!r} is not exact: write an int, a Fraction or an expression")
