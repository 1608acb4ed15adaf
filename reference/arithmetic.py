"""The steps of an evaluation with their errors: sums and products of bounded arrays.

A sum across rows, and a step for which no first-order rule is written, takes absolute values of the row symbols and so
makes them own errors. The errors of single steps are in `error_rules`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import error_rules as rules
from .bounded import (
    Bounded,
    MatrixProduct,
    Number,
    Summands,
    Symbol,
    is_exact,
    own_error,
    plain,
    symbols_of,
    union_of_axes,
)
from .error_rules import Array, Format, namespace

Precision = Mapping[str, Format]


class Arithmetic(ABC):
    """Evaluation in given formats, by name: `compute`, and optionally `accumulate`, `operand`, `scaled` (operands of a
    product that are stored once a factor of it is applied to them), and of each stored value."""

    def __init__(self, precision: Precision, like: Array) -> None:
        self.xp = namespace(like)
        floating = hasattr(like, "dtype") and self.xp.isdtype(like.dtype, "real floating")
        self.like = like if floating else self.xp.asarray(0.0, dtype=self.xp.float64)
        self.precision = precision
        self.compute = precision["compute"]
        self.accumulator = precision.get("accumulate", self.compute)
        self.u = 2.0 ** -self.compute[0]
        self.tiny = rules.tiny(self.compute)
        self.known: set[Symbol] = set()
        self.anonymous = 0

    # Values ---------------------------------------------------------------------------------------------------------

    def given(
        self, x: Array | None, axes: str, error: Array | None = None, *, absent: tuple[Any, ...] | None = None
    ) -> Any:
        """An input with the names of its axes, and its error if it has one. None stays None, or is an array full of one
        number if `absent` gives that number and the sizes."""
        names = tuple(axes.split())
        if x is None:
            if absent is None:
                return None
            number, *sizes = absent
            return Bounded(
                self,
                self.xp.full(
                    tuple(sizes),
                    number,
                    dtype=self.xp.bool if isinstance(number, bool) else self.like.dtype,
                    device=self.like.device,
                ),
                names,
                neutral=float(number),
            )
        if not hasattr(x, "ndim"):
            x = self.number(x)
        return Bounded(self, self._padded(x, names), names, None if error is None else self._padded(error, names))

    def number(self, x: Number) -> Array:
        """A number as an array without axes, in the dtype of the arrays."""
        return self.xp.asarray(x, dtype=self.like.dtype, device=self.like.device)

    def _padded(self, x: Array, axes: tuple[str, ...]) -> Array:
        missing = len(axes) - x.ndim
        return self.xp.reshape(x, (*(1,) * missing, *x.shape)) if missing > 0 else x

    def spread(self, x: Bounded | Number, axis: str, size: int) -> Bounded:
        """The value repeated along a new axis."""
        if not isinstance(x, Bounded):
            x = self.given(x, "")
        x = self._spread(x, (*x.axes, axis))

        def repeated(part: Array) -> Array:
            return self.xp.broadcast_to(part, (*part.shape[:-1], size))

        rows = {symbol: repeated(c) for symbol, c in x.rows.items()}
        return Bounded(self, repeated(x.value), x.axes, None if x.error is None else repeated(x.error), rows)

    def checked(self, x: Bounded) -> Bounded:
        """The value, its error infinite where it may overflow."""
        if x.error is None and not x.rows:
            return x
        size = x.rows_size
        error = 0.0 if x.error is None else x.error
        return x.but(error=rules.checked(x.value, error, self.compute, 0.0 if size is None else size))

    def stored(self, name: str, x: Bounded) -> Bounded:
        """The value after rounding to the format of this name, if there is one."""
        if name not in self.precision or x.error is None:
            return x
        size = x.rows_size
        return x.but(error=rules.stored(x.value, x.error, self.precision[name], 0.0 if size is None else size))

    def constant(self, number: Number) -> Bounded:
        """A number that the format may not hold exactly."""
        value = self.number(number)
        return Bounded(self, value, (), self.u * abs(value))

    def inexact(self, x: Bounded, numbers: int = 1) -> Bounded:
        """A product with so many numbers that the format may not hold exactly."""
        error = numbers * self.u * abs(x.value)
        return self.checked(x.but(error=error if x.error is None else x.error + error))

    # Sums and products ----------------------------------------------------------------------------------------------

    def total(self, *terms: Bounded | Number) -> Bounded:
        """A sum of a few terms."""
        axes = union_of_axes(terms)
        present = [t for t in terms if not (isinstance(t, Bounded) and t.neutral == 0)]
        if len(present) == 1 < len(terms) and isinstance(present[0], Bounded) and set(present[0].axes) == set(axes):
            return present[0]
        vals = self._together([self._spread(t, axes) for t in terms])
        value = plain(vals[0])
        for val in vals[1:]:
            value = value + plain(val)
        errors = [v.error for v in vals if isinstance(v, Bounded) and v.error is not None]
        error = errors[0] if errors else 0.0
        for more in errors[1:]:
            error = error + more
        if len(terms) > 2:  # partial sums may be larger than the result
            size = abs(plain(vals[0]))
            for val in vals[1:]:
                size = size + abs(plain(val))
            rounding = (len(terms) - 1) * self.u * size
        else:
            rounding = self.u * abs(value)
        products = [t.product for t in terms if isinstance(t, Bounded) and t.product is not None]
        if products:  # whose accumulator may start from an input that is added to it, instead of from 0
            count = max(product.left_size.shape[-1] for product in products)
            for val in vals:
                if isinstance(val, Bounded) and val.exact:
                    rounding = rounding + count * 2.0 ** -self.accumulator[0] * abs(val.value)
        rows: dict[Symbol, Array] = {}
        for val in vals:
            for symbol, c in val.rows.items() if isinstance(val, Bounded) else ():
                rows[symbol] = rows[symbol] + c if symbol in rows else c
        summands = _all_summands(vals) if all(isinstance(v, Bounded) for v in vals) else None
        return self.checked(Bounded(self, value, axes, rules.added(value, error, rounding), rows, summands=summands))

    def plus(self, name: str, x: Bounded, term: Bounded | None, *, terms: int = 0) -> Bounded:
        """`x`, with an optional term; where the definition is stored, so may be what the term is then added to.

        `terms`: of the sum that gives x, whose accumulator may start from the optional term instead of from 0.
        """
        if term is None:
            return x
        x, term = self._together([self.stored(name, x), self._spread(term, x.axes)])
        value = x.value + term.value
        rounding = self.u * abs(value)
        if terms:
            rounding = rounding + terms * 2.0 ** -self.accumulator[0] * abs(term.value)
        error = 0.0 if x.error is None else x.error
        error = error if term.error is None else error + term.error
        rows = dict(x.rows)
        for symbol, c in term.rows.items():
            rows[symbol] = rows[symbol] + c if symbol in rows else c
        summands = _all_summands([x, term])
        return Bounded(self, value, x.axes, rules.added(value, error, rounding), rows, summands=summands)

    def minus(self, name: str, x: Bounded, term: Bounded | None, *, terms: int = 0) -> Bounded:
        """`plus` with the negative of the term."""
        return self.plus(name, x, None if term is None else -term, terms=terms)

    def multiply(self, a: Bounded | Number, b: Bounded | Number) -> Bounded:
        """The product of two values, one of which may be a number."""
        for one, other in ((a, b), (b, a)):
            neutral = isinstance(one, Bounded) and one.neutral == 1
            if neutral and isinstance(other, Bounded) and set(one.axes) <= set(other.axes):
                return other
        left, right, axes = self._pair(a, b)
        value = plain(left) * plain(right)
        if is_exact(left) and is_exact(right):
            return self.checked(Bounded(self, value, axes, self.u * abs(value) + self.tiny))
        parts = (plain(left), own_error(left), plain(right), own_error(right))
        error = rules.product_error(*parts, self.tiny, *self._row_sizes(left, right))
        error = error + self.u * abs(value)
        product = None
        for number, other in ((left, right), (right, left)):
            if not isinstance(number, Bounded) and other.product is not None:
                product = replace(other.product, factor=other.product.factor * number)
                error = error + self._scaling(number, product)
        rows = {}
        for symbol in symbols_of(left, right):
            moved = []
            if isinstance(left, Bounded) and symbol in left.rows:
                moved.append(left.rows[symbol] * plain(right))
            if isinstance(right, Bounded) and symbol in right.rows:
                moved.append(plain(left) * right.rows[symbol])
            rows[symbol] = moved[0] if len(moved) == 1 else moved[0] + moved[1]
        summands = _scaled_summands(left, plain(right)) or _scaled_summands(right, plain(left))
        return self.checked(Bounded(self, value, axes, error, rows, product, summands))

    def _scaling(self, number: Number, product: MatrixProduct) -> Array:
        """What a product is off by if the number, one of its factors, is applied to an operand, or its root to both."""
        form = self.precision.get("scaled")
        smallest = self.tiny if form is None else max(self.tiny, rules.tiny(form))
        error = rules.scaling_error(number, product.left, product.right, smallest)
        if form is not None:
            error = error + 2 * 2.0 ** -form[0] * abs(product.factor) * (product.left_size @ product.right_size)
        return product.summed(error)

    def divide(self, a: Bounded | Number, b: Bounded | Number) -> Bounded:
        """The quotient of two values, one of which may be a number."""
        left, right, axes = self._pair(a, b)
        divisor = plain(right)
        value = plain(left) / divisor
        if is_exact(left) and is_exact(right):
            return self.checked(Bounded(self, value, axes, self.u * abs(value) + self.tiny))
        parts = (plain(left), own_error(left), plain(right), own_error(right))
        error = rules.quotient_error(value, *parts, self.tiny, *self._row_sizes(left, right))
        rows = {}
        for symbol in symbols_of(left, right):
            of_left = left.rows.get(symbol) if isinstance(left, Bounded) else None
            of_right = right.rows.get(symbol) if isinstance(right, Bounded) else None
            if of_right is None:
                rows[symbol] = of_left / divisor
            elif of_left is None:
                rows[symbol] = -value * of_right / divisor
            else:
                rows[symbol] = (of_left - value * of_right) / divisor
        summands = _scaled_summands(left, 1 / divisor)
        return self.checked(Bounded(self, value, axes, error + self.u * abs(value), rows, summands=summands))

    @abstractmethod
    def power(self, x: Bounded, exponent: float) -> Bounded:
        """A power, with the rules of elementwise functions."""

    def sum(self, x: Bounded, over: str) -> Bounded:
        """The sum over some axes, in any order of summation."""
        indices = over.split()
        x = x.collapsed(indices)
        axes = tuple(axis for axis in x.axes if axis not in indices)
        terms = 1
        for index in indices:
            terms *= x.shape[x.axes.index(index) - len(x.axes)]
        moved = 0.0 if x.error is None else self._summed(x, x.error, indices)
        size = self._summed(x, abs(x.value), indices)
        error = rules.sum_error(size, moved, terms, self.precision)
        rows = {symbol: self._summed(x, c, indices) for symbol, c in x.rows.items()}
        total = self._summed(x, x.value, indices)
        return self.checked(Bounded(self, total, axes, error, rows, summands=Summands(terms, lambda: size)))

    def _summed(self, x: Bounded, part: Array, indices: Sequence[str]) -> Array:
        part = part if part.shape == x.value.shape else self.xp.broadcast_to(part, x.value.shape)
        axes = x.axes
        for index in reversed(indices):
            part = self.xp.sum(part, axis=axes.index(index) - len(axes))
            axes = tuple(axis for axis in axes if axis != index)
        return part

    def matmul(self, left: Bounded, right: Bounded, over: str) -> Bounded:
        """The sum of products over the first index of `over` as a matrix product, then over its other indices.

        The last axis that the left operand alone has gives the rows of the product, that of the right its columns.
        """
        contracted, *extra = over.split()
        left, right = left.collapsed(over.split()), right.collapsed()
        shared = {*over.split()}
        *batch_left, row = (a for a in left.axes if a not in right.axes)
        *batch_right, column = (a for a in right.axes if a not in left.axes)
        batch = [a for a in left.axes if a in batch_left or (a in right.axes and a not in shared)] + batch_right
        kept = (*batch, row, column)
        of_left, of_right = (*batch, *extra, row, contracted), (*batch, *extra, contracted, column)
        a, b = left.aligned(of_left), right.aligned(of_right)
        size = a.rows_size
        members = 1
        for axis in extra:
            members *= max(x.shape[axes.index(axis) - len(axes)] for x, axes in ((a, of_left), (b, of_right)))
        rows_size = [] if size is None else [size]
        error = rules.matmul_error(
            a.value, a.error, b.value, b.error, members * a.shape[-1], self.precision, *rows_size
        )
        left_size = abs(a.value)
        for more in (a.error, size):
            left_size = left_size if more is None else left_size + more
        right_size = abs(b.value) if b.error is None else abs(b.value) + b.error
        product = MatrixProduct(a.value, b.value, left_size, right_size, members, len(extra))
        value = product.summed(a.value @ b.value)
        rows = {symbol: product.summed(c @ b.value) for symbol, c in a.rows.items()}
        summands = Summands(members * a.shape[-1], lambda: product.summed(left_size @ right_size))
        return self.checked(Bounded(self, value, kept, product.summed(error), rows, product, summands))

    # Shared errors --------------------------------------------------------------------------------------------------

    def _spread(self, x: Bounded | Number, axes: tuple[str, ...]) -> Any:
        """A value about to be used along more axes: its own error becomes that of a row."""
        if not isinstance(x, Bounded):
            return x
        if x.error is not None and set(x.axes) != set(axes):
            self.anonymous += 1
            x = x.but(error=None, rows={**x.rows, Symbol(f"row {self.anonymous}", x.axes): x.error})
        return x if x.product is not None and x.axes == axes else x.aligned(axes)

    def _together(self, vals: Sequence[Any]) -> list[Any]:
        """The values, without row symbols if two of one name belong to different rows."""
        symbols = {symbol for val in vals if isinstance(val, Bounded) for symbol in val.rows}
        if len({symbol.name for symbol in symbols}) == len(symbols):
            return list(vals)
        return [val.collapsed() if isinstance(val, Bounded) else val for val in vals]

    def _pair(self, a: Bounded | Number, b: Bounded | Number) -> tuple[Any, Any, tuple[str, ...]]:
        axes = union_of_axes((a, b))
        left, right = self._together([self._spread(a, axes), self._spread(b, axes)])
        return left, right, axes

    def _row_sizes(self, left: Bounded | Number, right: Bounded | Number) -> tuple[Array, Array]:
        sizes = [val.rows_size if isinstance(val, Bounded) else None for val in (left, right)]
        first, second = (0.0 if size is None else size for size in sizes)
        return first, second


def _all_summands(vals: Sequence[Bounded]) -> Summands | None:
    """The terms of a sum of sums; None if none of them is one."""
    if all(val.summands is None for val in vals):
        return None
    sizes = [val.summands.size if val.summands is not None else _size_of(val) for val in vals]
    counts = [val.summands.count if val.summands is not None else 1 for val in vals]

    def size() -> Array:
        total = sizes[0]()
        for more in sizes[1:]:
            total = total + more()
        return total

    return Summands(sum(counts), size)


def _size_of(val: Bounded) -> Callable[[], Array]:
    return lambda: abs(val.value)


def _scaled_summands(val: Bounded | Number, factor: Array) -> Summands | None:
    if not isinstance(val, Bounded) or val.summands is None:
        return None
    summands = val.summands
    return Summands(summands.count, lambda: summands.size() * abs(factor))
