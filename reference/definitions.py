"""Definitions and results of an evaluation: where values are stored, capped, summed over a batch and rounded."""

from __future__ import annotations

import math
from abc import ABC

from . import error_rules as rules
from .arithmetic import Arithmetic
from .bounded import Bounded, MatrixProduct, Number, Summands, Symbol
from .error_rules import Array


class Definitions(Arithmetic, ABC):
    """Evaluation of one definition after the other, with its results."""

    def step(
        self, name: str, x: Bounded | Number, axes: str, *, within: float | None = None, row: bool = False
    ) -> Bounded:
        """A definition: capped where its values stay in a range of a known width, and rounded if it is stored.

        `row`: a later definition uses it along more axes, so that its error is one that a row shares.
        """
        if not isinstance(x, Bounded):
            return Bounded(self, self.number(x), ())
        x = x.aligned(axes.split()).but(arithmetic=self)
        if x.exact:
            return x
        if within is not None:
            x = self.within(x, within)
        x = self.stored(name, self.checked(x))
        if row and x.error is not None:
            x = x.but(error=None, rows={**x.rows, Symbol(name, x.axes): x.error}, product=None)
        self.known |= set(x.rows)
        return x

    def form(self, name: str, x: Bounded, axes: str) -> Bounded:
        """Another form of a definition."""
        return self.stored(name, self.checked(x.aligned(axes.split())))

    def within(self, x: Bounded, width: float) -> Bounded:
        """The value with its error capped: it stays in a range of this width."""
        error = 0.0 * x.value if x.error is None else x.error
        error, *rows = rules.within(width + self.u, error, *x.rows.values())
        return x.but(error=error, rows=dict(zip(x.rows, rows, strict=True)))

    def output(
        self, name: str, x: Bounded, axes: str, *, within: float | None = None, row: bool = False, shared: bool = False
    ) -> Bounded:
        """A result: rounded to its format; of a gradient also the partial sums, to that of `NAME_partial`.

        `shared`: the gradient of a parameter, summed over the batch.
        """
        product = x.product
        summands = x.summands
        x = x.collapsed().aligned(axes.split())
        error = 0.0 * x.value if x.error is None else x.error
        batch = tuple(range(x.value.ndim - len(x.axes))) if shared else ()
        partial = self.precision.get(f"{name}_partial")
        stored = None if partial is None else self._partial_sums(x, product, summands, batch)
        if batch:
            x, error = self._summed_over_batch(x, error, summands, batch)
        if partial is not None and stored is not None:
            error = error + rules.partial_error(*stored, partial)
        error = rules.output(x.value, error, self.precision.get(name, self.compute))
        x = x.but(error=error, product=None, summands=None)
        if within is not None:
            x = self.within(x, within)
        return x.but(error=None, rows={Symbol(name, x.axes): x.error}) if row else x

    def _partial_sums(
        self, x: Bounded, product: MatrixProduct | None, summands: Summands | None, batch: tuple[int, ...]
    ) -> tuple[Array, int, int] | None:
        """What bounds the partial sums of a result, the terms of each sum, and how many such sums are added up; None if
        it is no sum."""
        members = self._members(x, batch)
        if product is not None:
            size = abs(product.factor) * product.summed(product.left_size @ product.right_size)
            terms, members = product.left_size.shape[-1], members * product.members
        elif summands is not None:
            size, terms = summands.size(), summands.count
            if summands.scattered:
                terms, members = 1, members * terms
        elif batch:
            size, terms = abs(x.value), 1
        else:
            return None
        return self.xp.sum(size, axis=batch) if batch else size, terms, members

    def _members(self, x: Bounded, batch: tuple[int, ...]) -> int:
        """How many batch entries there are."""
        return math.prod(x.value.shape[axis] for axis in batch)

    def _summed_over_batch(
        self, x: Bounded, error: Array, summands: Summands | None, batch: tuple[int, ...]
    ) -> tuple[Bounded, Array]:
        """Sum over the batch, in any order of all terms: those of the sums that give its members among them."""
        members = self._members(x, batch)
        terms = 0 if summands is None else summands.count
        size = abs(x.value) if summands is None else summands.size()
        more = members * max(terms, 1) - terms
        moved, size = self.xp.sum(error, axis=batch), self.xp.sum(size, axis=batch)
        total = self.xp.sum(x.value, axis=batch)
        return Bounded(self, total, x.axes), rules.sum_error(size, moved, more, self.precision)

    def either(self, x: Bounded, other: Bounded) -> Bounded:
        """What covers two equal forms. A symbol that the other form introduces may be 0 where the first is used; what
        the coefficients of an earlier symbol differ by is an own error."""
        other = other.aligned(x.axes)
        theirs = 0.0 if other.error is None else other.error
        rows = dict(x.rows)
        for symbol, coefficient in other.rows.items():
            if symbol in rows:
                theirs = theirs + abs(coefficient - rows[symbol])
            elif symbol in self.known:
                theirs = theirs + abs(coefficient)
            else:
                rows[symbol] = coefficient
        error = 0.0 * x.value if x.error is None else x.error
        self.known |= set(rows)
        return x.but(error=self.xp.maximum(error, theirs + 0.0 * error), rows=rows, product=None)
