"""Arrays with their rounding errors.

A `Bounded` array is an exact value (computed in float64), and how far an evaluation in given formats may be from it.
Its axes have the names of indices, and operations align by name. An error has two parts. The own part is what each
element may be off by, independently of the others. A row symbol is the error of a value that a whole row shares (a sum,
a log-sum-exp, a mean): one unknown in [−1, 1] for each assignment of its axes, which moves the elements of the row
together, each by its signed coefficient, so that a sum along the row adds the coefficients with their signs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .error_rules import Array, namespace

if TYPE_CHECKING:
    from .arithmetic import Arithmetic

Number = Any  # a float, or an array without axes


@dataclass(frozen=True)
class Symbol:
    """The error of a value shared along a row, by its name and the axes that it varies along."""

    name: str
    axes: tuple[str, ...]


@dataclass(frozen=True)
class MatrixProduct:
    """What a matrix product was made of, times a number: what bounds its partial sums, and what scaling may lose."""

    left: Array
    right: Array
    left_size: Array
    right_size: Array
    members: int
    extra: int
    factor: Number = 1.0

    def summed(self, x: Array) -> Array:
        """The sum over the axes that the product leaves to be summed, which stand before the last two."""
        xp = namespace(x)
        for _ in range(self.extra):
            x = xp.sum(x, axis=-3)
        return x


@dataclass(frozen=True)
class Summands:
    """What a value is the sum of: how many terms, and the sum of their sizes, computed where it is needed.

    `scattered`: each term is added to what memory holds, so that what is stored is rounded after each of them.
    """

    count: int
    size: Callable[[], Array]
    scattered: bool = False


def _size(coefficients: Iterable[Array]) -> Array | None:
    """The sum of the sizes; None if there is nothing to be added."""
    size = None
    for coefficient in coefficients:
        size = abs(coefficient) if size is None else size + abs(coefficient)
    return size


@dataclass(frozen=True, eq=False)
class Bounded:
    """A value, its own error (None: exact) and, by row symbol, the coefficients of the errors of its row.

    `neutral`: the number that stands for an absent array.
    """

    arithmetic: Arithmetic = field(repr=False)
    value: Array
    axes: tuple[str, ...]
    error: Array | None = None
    rows: Mapping[Symbol, Array] = field(default_factory=dict)
    product: MatrixProduct | None = None
    summands: Summands | None = None
    neutral: float | None = None

    __array_ufunc__ = None  # a NumPy number on the left leaves the operation to this class

    def but(self, **parts: Any) -> Bounded:
        """The same with some of its parts replaced: `dataclasses.replace`, of which a bound does a hundred, at a fifth
        of its time."""
        other = object.__new__(Bounded)
        other.__dict__.update(self.__dict__, **parts)
        return other

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value."""
        return tuple(self.value.shape)

    @property
    def dtype(self) -> Any:
        """The dtype of the value."""
        return self.value.dtype

    @property
    def device(self) -> Any:
        """The device of the value."""
        return self.value.device

    @property
    def exact(self) -> bool:
        """Whether the value has no error."""
        return self.error is None and not self.rows

    @property
    def rows_size(self) -> Array | None:
        """The most that the row symbols add to the error; None if there are none."""
        return _size(self.rows.values())

    @property
    def total(self) -> Array:
        """The whole error; 0 for an exact value."""
        collapsed = self.collapsed().error
        return namespace(self.value).zeros_like(self.value) if collapsed is None else collapsed

    def collapsed(self, axes: Sequence[str] | None = None) -> Bounded:
        """The value with row symbols (all of them, or those that vary along these axes) as part of its own error."""
        gone = [s for s in self.rows if axes is None or not set(axes).isdisjoint(s.axes)]
        if not gone:
            return self
        size = _size(self.rows[s] for s in gone)
        kept = {s: c for s, c in self.rows.items() if s not in gone}
        return self.but(error=size if self.error is None else self.error + size, rows=kept)

    def at(self, axes: str) -> Bounded:
        """The same array with other indices."""
        moved = dict(zip(self.axes, axes.split(), strict=True))
        rows = {Symbol(s.name, tuple(moved.get(a, a) for a in s.axes)): c for s, c in self.rows.items()}
        return self.but(axes=tuple(axes.split()), rows=rows)

    def laid(self, part: Array, axes: Sequence[str]) -> Array:
        """One part of this value with axes in this order, those that it lacks inserted with length 1."""
        if self.axes == tuple(axes) or not hasattr(part, "ndim") or part.ndim == 0:
            return part
        xp = namespace(part)
        present = [axis for axis in axes if axis in self.axes]
        if present != list(self.axes):
            batch = part.ndim - len(self.axes)
            part = xp.permute_dims(part, (*range(batch), *(batch + self.axes.index(axis) for axis in present)))
        if len(present) == len(axes):
            return part
        return part[(..., *(slice(None) if axis in self.axes else None for axis in axes))]

    def aligned(self, axes: Sequence[str]) -> Bounded:
        """The value with all its parts laid out along these axes."""
        if self.axes == tuple(axes):
            return self
        return Bounded(
            self.arithmetic,
            self.laid(self.value, axes),
            tuple(axes),
            None if self.error is None else self.laid(self.error, axes),
            {s: self.laid(c, axes) for s, c in self.rows.items()},
        )

    def __neg__(self) -> Bounded:
        return self.but(value=-self.value, rows={s: -c for s, c in self.rows.items()}, product=None, neutral=None)

    def __add__(self, other: Bounded | Number) -> Bounded:
        return self.arithmetic.total(self, other)

    def __radd__(self, other: Number) -> Bounded:
        return self.arithmetic.total(other, self)

    def __sub__(self, other: Bounded | Number) -> Bounded:
        return self.arithmetic.total(self, -other)

    def __rsub__(self, other: Number) -> Bounded:
        return self.arithmetic.total(other, -self)

    def __mul__(self, other: Bounded | Number) -> Bounded:
        return self.arithmetic.multiply(self, other)

    def __rmul__(self, other: Number) -> Bounded:
        return self.arithmetic.multiply(other, self)

    def __truediv__(self, other: Bounded | Number) -> Bounded:
        return self.arithmetic.divide(self, other)

    def __rtruediv__(self, other: Number) -> Bounded:
        return self.arithmetic.divide(other, self)

    def __pow__(self, exponent: float) -> Bounded:
        return self.arithmetic.power(self, exponent)


def union_of_axes(vals: Sequence[Bounded | Number]) -> tuple[str, ...]:
    """The axes of all values: in the order of the one that has the most, the others after them."""
    names = sorted((val.axes for val in vals if isinstance(val, Bounded)), key=len, reverse=True)
    return tuple(dict.fromkeys(axis for axes in names for axis in axes))


def plain(x: Bounded | Number) -> Array:
    return x.value if isinstance(x, Bounded) else x


def is_exact(x: Bounded | Number) -> bool:
    return not isinstance(x, Bounded) or x.exact


def own_error(x: Bounded | Number) -> Array | None:
    """The own error: 0 for a value whose errors are all those of rows, None for an exact one."""
    if not isinstance(x, Bounded) or x.exact:
        return None
    return 0.0 if x.error is None else x.error


def symbols_of(*vals: Bounded | Number) -> list[Symbol]:
    return list(dict.fromkeys(symbol for val in vals if isinstance(val, Bounded) for symbol in val.rows))
