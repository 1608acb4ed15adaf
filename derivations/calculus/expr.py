"""Index notation: dimensions, typed indices, tensors and the expressions that are built from them.

An expression stands for one real number per assignment of its free indices, for every size of its dimensions.
Expressions are immutable. Two indices are equal only if they are the same object, so that bound indices of two
expressions never clash; `refresh` copies an expression with new bound indices wherever it is used twice.

Conventions: indices run from 0 to size − 1; every dimension has size at least 1; 1/0 never occurs in a statement
(an equality of quotients is claimed where its denominators are not zero).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

Scalar = int | Fraction


class DimensionError(ValueError):
    """An index is used on an axis of another dimension, or a tensor with the wrong number of indices."""


@dataclass(frozen=True)
class Dim:
    """A dimension: a positive integer, unknown. `grows` marks the dimensions that cost comparisons let grow
    (sequence lengths, vocabularies) against those they hold fixed (head sizes)."""

    name: str
    grows: bool = True

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Index:
    """An index that runs over one dimension. Identity is equality."""

    name: str
    dim: Dim

    def __str__(self) -> str:
        return self.name

    def fresh(self) -> Index:
        """A new index with the same name and dimension."""
        return Index(self.name, self.dim)


@dataclass(frozen=True)
class Permutation:
    """An unknown permutation of the positions of a dimension."""

    name: str
    dim: Dim

    def __call__(self, index: Index) -> Mapped:
        if index.dim != self.dim:
            raise DimensionError(f"{self.name} permutes {self.dim}, {index.name} runs over {index.dim}")
        return Mapped(self, index)


@dataclass(frozen=True)
class Mapped:
    """The position to which a permutation takes an index: π(i)."""

    permutation: Permutation
    index: Index

    @property
    def dim(self) -> Dim:
        """The dimension."""
        return self.permutation.dim

    def __str__(self) -> str:
        return f"{self.permutation.name}({self.index})"


Subscript = Index | Mapped

Kind = Literal["real", "positive", "boolean"]


@dataclass(frozen=True)
class Tensor:
    """A named array with typed axes. A boolean tensor holds 0 or 1, so it equals its own square."""

    name: str
    dims: tuple[Dim, ...] = ()
    kind: Kind = "real"

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
    """1 if the two indices are equal, else 0 (Kronecker)."""

    left: Index
    right: Index

    def __post_init__(self) -> None:
        if self.left.dim != self.right.dim:
            raise DimensionError(
                f"δ[{self.left}, {self.right}]: {self.left} runs over {self.left.dim}, "
                f"{self.right} over {self.right.dim}"
            )


Term = Index | Dim


@dataclass(frozen=True, slots=True)
class Affine:
    """An integer combination of indices and sizes plus an integer: a position on an axis."""

    terms: tuple[tuple[Term, int], ...]
    constant: int = 0

    def __add__(self, other: Affine | Term | int) -> Affine:
        other = position(other)
        merged: dict[Term, int] = dict(self.terms)
        for term, coefficient in other.terms:
            merged[term] = merged.get(term, 0) + coefficient
        kept = tuple((term, c) for term, c in merged.items() if c != 0)
        return Affine(kept, self.constant + other.constant)

    def __neg__(self) -> Affine:
        return Affine(tuple((term, -c) for term, c in self.terms), -self.constant)

    def __sub__(self, other: Affine | Term | int) -> Affine:
        return self + (-position(other))


def position(value: Affine | Term | int) -> Affine:
    """An index, a size or an integer as an affine position."""
    if isinstance(value, Affine):
        return value
    if isinstance(value, int):
        return Affine((), value)
    return Affine(((value, 1),))


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


def lift(value: Expr | Scalar) -> Expr:
    """A number as an expression; an expression unchanged."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, int | Fraction):
        return Const(Fraction(value))
    raise TypeError(f"{value!r} is not exact: write an int, a Fraction or an expression")


def at_least(left: Affine | Term | int, right: Affine | Term | int) -> Expr:
    """1 where `left ≥ right`, else 0: `at_least(i, j)` is the causal mask of row i, column j."""
    return Predicate(position(left) - position(right))


def total(*args: Index | Expr) -> Expr:
    """`total(j, k, body)`: the sum of `body` over the indices before it."""
    *indices, body = args
    if not isinstance(body, Expr):
        raise TypeError("total(j, …, body): the last argument is the expression to sum")
    for index in reversed(indices):
        if not isinstance(index, Index):
            raise TypeError(f"total(j, …, body): {index!r} is not an index")
        body = Sum(index, body)
    return refresh(body)


def maximum(index: Index, body: Expr, where: Expr = ONE) -> Expr:
    """The maximum of `body` over `index`, among the entries where `where` is 1."""
    return refresh(Max(index, body, where))


def exp(argument: Expr) -> Expr:
    """The exponential function."""
    return Fn("exp", argument)


def log(argument: Expr) -> Expr:
    """The natural logarithm."""
    return Fn("log", argument)


def tanh(argument: Expr) -> Expr:
    """The hyperbolic tangent."""
    return Fn("tanh", argument)


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions."""
    match expr:
        case Add(parts) | Mul(parts):
            return parts
        case Pow(base, _):
            return (base,)
        case Fn(_, argument):
            return (argument,)
        case Sum(_, body):
            return (body,)
        case Max(_, body, where):
            return (body, where)
        case Larger(left, right):
            return (left, right)
        case _:
            return ()


def rebuild(expr: Expr, parts: tuple[Expr, ...]) -> Expr:
    """The same node with other direct sub-expressions (as many as `children` gives)."""
    match expr:
        case Add():
            return Add(parts)
        case Mul():
            return Mul(parts)
        case Pow(_, exponent):
            return Pow(parts[0], exponent)
        case Fn(name, _):
            return Fn(name, parts[0])
        case Sum(index, _):
            return Sum(index, parts[0])
        case Max(index, _, _):
            return Max(index, parts[0], parts[1])
        case Larger():
            return Larger(parts[0], parts[1])
        case _:
            return expr


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all its sub-expressions, outermost first."""
    yield expr
    for part in children(expr):
        yield from walk(part)


def own_indices(expr: Expr) -> tuple[Index, ...]:
    """The indices that the node itself mentions (not its sub-expressions, not a binder)."""
    match expr:
        case Entry(_, indices):
            return tuple(ix.index if isinstance(ix, Mapped) else ix for ix in indices)
        case Delta(left, right):
            return (left, right)
        case Predicate(affine) | Place(affine):
            return tuple(term for term, _ in affine.terms if isinstance(term, Index))
        case _:
            return ()


def free_indices(expr: Expr) -> tuple[Index, ...]:
    """The free indices, in order of first appearance."""
    found: dict[Index, None] = dict.fromkeys(own_indices(expr))
    for part in children(expr):
        found.update(dict.fromkeys(free_indices(part)))
    if isinstance(expr, Sum | Max):
        found.pop(expr.index, None)
    return tuple(found)


def _moved(ix: Subscript, mapping: Mapping[Index, Subscript]) -> Subscript:
    if isinstance(ix, Index):
        return mapping.get(ix, ix)
    target = mapping.get(ix.index, ix.index)
    if isinstance(target, Mapped):
        raise DimensionError(f"{ix} at {target}: permutations are not composed")
    return Mapped(ix.permutation, target)


def _plain(ix: Index, mapping: Mapping[Index, Subscript]) -> Index:
    target = mapping.get(ix, ix)
    if isinstance(target, Mapped):
        raise DimensionError(f"{target} cannot stand where positions are compared")
    return target


def _affine(affine: Affine, mapping: Mapping[Index, Subscript]) -> Affine:
    moved = Affine((), affine.constant)
    for term, coefficient in affine.terms:
        target = _plain(term, mapping) if isinstance(term, Index) else term
        moved = moved + Affine(((target, coefficient),))
    return moved


def rename(expr: Expr, mapping: Mapping[Index, Subscript]) -> Expr:
    """Free indices replaced, and every bound index made new: nothing can be captured."""
    match expr:
        case Entry(tensor, indices):
            return Entry(tensor, tuple(_moved(index, mapping) for index in indices))
        case Delta(left, right):
            return Delta(_plain(left, mapping), _plain(right, mapping))
        case Predicate(affine):
            return Predicate(_affine(affine, mapping))
        case Place(affine):
            return Place(_affine(affine, mapping))
        case Sum(index, body):
            new = index.fresh()
            return Sum(new, rename(body, {**mapping, index: new}))
        case Max(index, body, where):
            new = index.fresh()
            inner = {**mapping, index: new}
            return Max(new, rename(body, inner), rename(where, inner))
        case _:
            parts = children(expr)
            return rebuild(expr, tuple(rename(part, mapping) for part in parts)) if parts else expr


def refresh(expr: Expr) -> Expr:
    """A copy with new bound indices."""
    return rename(expr, {})


Replacement = Callable[..., Expr]


def substitute(expr: Expr, replacements: Mapping[Tensor, Replacement]) -> Expr:
    """Each entry `t[i, j]` of a replaced tensor becomes `replacements[t](i, j)`, with new bound indices."""
    if isinstance(expr, Entry):
        replacement = replacements.get(expr.tensor)
        return expr if replacement is None else refresh(replacement(*expr.indices))
    parts = children(expr)
    return rebuild(expr, tuple(substitute(part, replacements) for part in parts)) if parts else expr


def tensors(expr: Expr) -> tuple[Tensor, ...]:
    """The tensors that an expression reads, in order of first appearance."""
    return tuple(dict.fromkeys(node.tensor for node in walk(expr) if isinstance(node, Entry)))


def dims_of(expr: Expr) -> tuple[Dim, ...]:
    """The dimensions that an expression mentions, in order of first appearance."""
    found: dict[Dim, None] = {}
    for node in walk(expr):
        match node:
            case Entry(tensor, _):
                found.update(dict.fromkeys(tensor.dims))
            case Size(dim):
                found[dim] = None
            case Sum(index, _) | Max(index, _, _):
                found[index.dim] = None
            case Delta(left, _):
                found[left.dim] = None
            case Predicate(affine) | Place(affine):
                for term, _ in affine.terms:
                    found[term.dim if isinstance(term, Index) else term] = None
    return tuple(found)
