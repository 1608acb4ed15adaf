"""Arithmetic with rounding errors, in which the generated bounds are written: all that they import.

`Rounding` is an evaluation in given formats. Its inputs are exact or have errors of their own; every further value is a
`Bounded` array, and a bound is the sequence of definitions that it bounds, written with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from . import error_rules as rules
from . import function_rules as functions
from . import positions
from .arithmetic import Precision
from .bounded import Bounded, Number, Summands, Symbol
from .definitions import Definitions
from .error_rules import Array, Format
from .positions import halves, joined

__all__ = ["Array", "Bounded", "Format", "Precision", "Rounding", "halves", "joined"]

BINARY64: Format = (53, -1022, 2.0**1023 * (2 - 2.0**-52))


class Rounding(Definitions):
    """Evaluation in given formats, by name: `compute`, and optionally `accumulate`, `operand`, `scaled` (operands that
    are stored once a factor of the product is applied to them), and of each stored value.

    `erf`: the format in which erfc(x) is computed as 1 − erf(x), if it is; `sigmoid`: that in which sigmoid(−x) is
    computed as 1 − sigmoid(x).
    """

    # Masks ---------------------------------------------------------------------------------------------------------

    def where(self, mask: Bounded | None, x: Bounded | Number) -> Any:
        """The value where the mask is True (everywhere if there is none), else 0."""
        if mask is None:
            return x
        if mask.neutral == 1 and isinstance(x, Bounded) and set(mask.axes) <= set(x.axes):
            return x
        if not isinstance(x, Bounded):
            return mask.but(value=x * self.xp.astype(mask.value, self.like.dtype), neutral=None)
        return self._masked(mask, x, x.value, 0.0)

    def _masked(self, mask: Bounded, x: Bounded, value: Array, otherwise: float) -> Bounded:
        """`value` in the place of x where the mask is True; the errors are 0 elsewhere."""
        axes = (*x.axes, *(a for a in mask.axes if a not in x.axes))
        keep = mask.laid(mask.value, axes)

        def cut(part: Array, fill: float = 0.0) -> Array:
            return self.xp.where(keep, x.laid(part, axes), fill)

        error = None if x.error is None else cut(x.error)
        terms = x.summands
        summands = None if terms is None else replace(terms, size=lambda: cut(terms.size()))
        rows = {s: cut(c) for s, c in x.rows.items()}
        return Bounded(self, cut(value, otherwise), axes, error, rows, summands=summands)

    # Positions ------------------------------------------------------------------------------------------------------

    def lookup(self, x: Bounded, places: Bounded, axis: str) -> Bounded:
        """The entries of x at places along an axis: rows, or one entry of each row that has a place of its own."""
        x = x.collapsed()
        ids, parts = places.value, [x.value] if x.error is None else [x.value, x.error]
        place = x.axes.index(axis) - len(x.axes)
        kept = tuple(a for a in x.axes if a != axis)
        if places.axes[0] in kept:
            read = [positions.one_of_each(part, places.laid(ids, kept), place) for part in parts]
            return Bounded(self, read[0], kept, *read[1:])
        read = [positions.rows_at(part, ids, place, len(x.axes)) for part in parts]
        return Bounded(self, read[0], (*places.axes, *kept), *read[1:])

    def one_hot(self, places: Bounded, axis: str, size: int) -> Bounded:
        """The mask that is True at the place of each row."""
        hot = places.value[..., None] == self.xp.arange(size, device=places.device)
        return Bounded(self, hot, (*places.axes, axis))

    def diagonal(self, size: int, row: str, column: str) -> Bounded:
        """The mask that is True where two positions are equal."""
        arange = self.xp.arange(size, device=self.like.device)
        return Bounded(self, arange[:, None] == arange, (row, column))

    def add_at(self, x: Bounded, places: Bounded, index: str, axis: str, size: int) -> Bounded:
        """The rows of x along an index added at their places along a new axis, in any order."""
        x = x.collapsed()
        rest = tuple(a for a in x.axes if a != index)
        axes = (index, *rest)

        def added(part: Array) -> Array:
            part = x.laid(part, axes)
            total = positions.added_at(part if rest else part[..., None], places.value, size)
            return total if rest else total[..., 0]

        sizes = added(abs(x.value))
        count = added(self.xp.ones_like(x.value))
        moved = 0.0 if x.error is None else added(x.error)
        terms = int(self.xp.max(count)) if 0 not in count.shape else 0
        error = rules.sum_error(sizes, moved, count, self.precision)
        kept = (axis, *rest)
        summands = Summands(terms, lambda: sizes, scattered=True)
        return self.checked(Bounded(self, added(x.value), kept, error, summands=summands))

    # Maxima ---------------------------------------------------------------------------------------------------------

    def max(self, x: Bounded, over: str, mask: Bounded | None = None, *, empty: float | None = None) -> Bounded:
        """The largest value over an index, among those where the mask is True; `empty` where there is none.

        Any number may be subtracted from a row, so that the maximum of exact values counts as exact.
        """
        value, axis = self._largest(x, over, mask)
        largest = self.xp.max(value, axis=axis)
        axes = tuple(a for a in x.axes if a != over)
        error = None if x.exact else self.xp.max(self._kept(x, x.total, mask, 0.0), axis=axis)
        return Bounded(self, self._filled(largest, empty), axes, error)

    def largest(
        self, name: str, x: Bounded, over: str, mask: Bounded | None = None, *, empty: float | None = None
    ) -> tuple[Bounded, Bounded]:
        """The maximum, and the values with the error of the entry that it is as one that the row shares with it.

        A statement says that the derivative with respect to the maximum vanishes, so that it does not matter which
        entry an evaluation finds to be the largest.
        """
        value, axis = self._largest(x, over, mask)
        largest = self._filled(self.xp.max(value, axis=axis), empty)
        axes = tuple(a for a in x.axes if a != over)
        if x.exact:
            return Bounded(self, largest, axes), x
        x = x.collapsed()
        top = rules.top(value, axis)
        shared = self.xp.where(top, x.error, 0.0)
        symbol = Symbol(name, axes)
        self.known.add(symbol)
        maximum = Bounded(self, largest, axes, None, {symbol: self.xp.sum(shared, axis=axis)})
        return maximum, x.but(error=self.xp.where(top, 0.0, x.error), rows={symbol: shared})

    def _largest(self, x: Bounded, over: str, mask: Bounded | None) -> tuple[Array, int]:
        return self._kept(x, x.value, mask, -self.xp.inf), x.axes.index(over) - len(x.axes)

    def _kept(self, x: Bounded, part: Array, mask: Bounded | None, otherwise: float) -> Array:
        return part if mask is None else self.xp.where(mask.laid(mask.value, x.axes), part, otherwise)

    def _filled(self, x: Array, empty: float | None) -> Array:
        return x if empty is None else self.xp.where(x == -self.xp.inf, empty, x)

    def larger(self, x: Bounded | Number, y: Bounded | Number) -> Bounded:
        """The larger of two values: it is off by no more than either of them."""
        left, right, axes = self._pair(x, y)
        values = [v.value if isinstance(v, Bounded) else v + 0.0 * w.value for v, w in ((left, right), (right, left))]
        value = self.xp.maximum(*values)
        if all(not isinstance(v, Bounded) or v.exact for v in (left, right)):
            return Bounded(self, value, axes)
        errors = [(v.total if isinstance(v, Bounded) else 0.0) + 0.0 * value for v in (left, right)]
        return Bounded(self, value, axes, self.xp.maximum(*errors))

    def positive(self, x: Bounded) -> Bounded:
        """A sum that is 0 only where nothing is summed: there 1, so that 0/0 is 0."""
        return x.but(value=self.xp.where(x.value > 0, x.value, 1.0))

    # Elementwise functions ------------------------------------------------------------------------------------------

    def scaled(self, x: Bounded) -> Bounded:
        """A term of an exponent that is computed on the spot: it may have been multiplied by log₂e before."""
        if x.error is None:
            return x
        return x.but(error=x.error + 2 * self.u * abs(x.value), product=None)

    def exp(self, x: Bounded, mask: Bounded | None = None) -> Bounded:
        """exp(x) where the mask is True, else 0: exp(−∞), which keeps a huge masked score from overflowing."""
        if mask is not None:
            x = self._spread(x, (*x.axes, *(axis for axis in mask.axes if axis not in x.axes)))
        value = self.xp.exp(self._kept(x, x.value, mask, -self.xp.inf))
        size = x.rows_size
        own = 0.0 if x.error is None else x.error
        error = functions.exp_error(value, x.value, self.u, self.tiny, own, *([] if size is None else [size]))
        rows = {symbol: value * c for symbol, c in x.rows.items()}
        result = Bounded(self, value, x.axes, error, rows)
        return self.checked(result if mask is None else self._masked(mask, result, value, 0.0))

    def log(self, x: Bounded, *, guarded: bool = False) -> Bounded:
        """log(x); `guarded`: −∞ for a sum of nothing, whose error counts as that of 1."""
        inside = self.positive(x).value if guarded else x.value
        value = self.xp.where(x.value > 0, self.xp.log(inside), -self.xp.inf) if guarded else self.xp.log(inside)
        rounding = 4 * self.u * self.xp.where(value > -self.xp.inf, abs(value), 0.0)
        if x.exact:
            return Bounded(self, value, x.axes, rounding)
        size = x.rows_size
        own = 0.0 if x.error is None else x.error
        error = functions.log_error(inside, own, *([] if size is None else [size])) + rounding
        return Bounded(self, value, x.axes, error, {symbol: c / inside for symbol, c in x.rows.items()})

    def power(self, x: Bounded, exponent: float) -> Bounded:
        """A power whose exponent is a whole number above 1, or a multiple of 1/2."""
        if exponent == int(exponent) and exponent > 1:
            return self._whole_power(x, int(exponent))
        value = self.xp.sqrt(x.value) if exponent == 0.5 else x.value**exponent
        size = x.rows_size
        own, rows = 0.0 if x.error is None else x.error, 0.0 if size is None else size
        error = functions.power_error(value, x.value, exponent, self.u, self.tiny, own, rows)
        positive = self.xp.where(x.value > 0, x.value, 1.0)
        slope = self.xp.where(x.value > 0, exponent * value / positive, 0.0)
        return self.checked(Bounded(self, value, x.axes, error, {s: slope * c for s, c in x.rows.items()}))

    def _whole_power(self, x: Bounded, exponent: int) -> Bounded:
        value, size = x.value**exponent, abs(x.value)
        rounding = (exponent - 1) * self.u * abs(value) + self.tiny
        if exponent != 2:
            x = x.collapsed()
            # (|x| + e)ᵏ − |x|ᵏ without its cancellation
            moved, term = 0.0, size ** (exponent - 1) * x.total
            for order in range(1, exponent + 1):
                moved = moved + math.comb(exponent, order) * term
                term = size ** max(exponent - order - 1, 0) * x.total ** (order + 1)
            return self.checked(Bounded(self, value, x.axes, moved + rounding))
        own, rows = 0.0 if x.error is None else x.error, x.rows_size
        both = own if rows is None else own + rows
        error = 2 * size * own + both * both + rounding
        return self.checked(Bounded(self, value, x.axes, error, {s: 2 * x.value * c for s, c in x.rows.items()}))

    def sqrt(self, x: Bounded) -> Bounded:
        """√x."""
        return self.power(x, 0.5)

    def tanh(self, x: Bounded) -> Bounded:
        """tanh(x)."""
        return self._applied(self.xp.tanh, x, lambda v, e: functions.tanh_error(v, self.u, e))

    def sin(self, x: Bounded) -> Bounded:
        """sin(x)."""
        return self._applied(self.xp.sin, x, lambda v, e: functions.sine_error(v, self.u, self.tiny, e))

    def cos(self, x: Bounded) -> Bounded:
        """cos(x)."""
        return self._applied(self.xp.cos, x, lambda v, e: functions.sine_error(v, self.u, self.tiny, e))

    def wide(self, x: Bounded) -> Bounded:
        """The value with arithmetic at least in binary64, whatever the format of the rest."""
        return x.but(arithmetic=Rounding({"compute": max(self.compute, BINARY64)}, x.value))

    def angle(self, name: str, x: Bounded, axes: str) -> Bounded:
        """The definition of an angle: rounded, perhaps, but not before multiples of 2π are taken off."""
        u = 2.0 ** -min(self.precision.get(name, self.compute)[0], self.compute[0])
        x = x.collapsed().aligned(axes.split()).but(arithmetic=self)
        return x.but(error=functions.angle_error(x.value, u, x.total))

    def sigmoid(self, x: Bounded) -> Bounded:
        """1/(1 + exp(−x))."""
        small = max(self.tiny, 1 / self.compute[2])  # 1/(1 + exp(−x)) is 0 where exp(−x) overflows
        form = self.precision.get("sigmoid")
        small += 0.0 if form is None else 4 * 2.0 ** -form[0]  # 1 minus a sigmoid, which is good to 4 units
        return self._applied(functions.sigmoid, x, lambda v, e: functions.sigmoid_error(v, x.value, self.u, small, e))

    def relu(self, x: Bounded) -> Bounded:
        """max(x, 0)."""
        value = self.xp.where(x.value < 0, 0.0, x.value)
        return Bounded(self, value, x.axes, None if x.exact else functions.relu_error(x.value, x.total))

    def heaviside(self, x: Bounded) -> Bounded:
        """1 where x > 0, else 0."""
        value = self.xp.where(x.value > 0, self.xp.ones_like(x.value), 0.0)
        return Bounded(self, value, x.axes, None if x.exact else functions.step_error(x.value, x.total))

    def erf(self, x: Bounded) -> Bounded:
        """The error function."""
        return self._applied(functions.erf, x, lambda v, e: functions.erf_error(v, x.value, self.u, e))

    def erfc(self, x: Bounded) -> Bounded:
        """1 − erf(x)."""
        form = self.precision.get("erf")
        absolute = 0.0 if form is None else 16 * 2.0 ** -form[0]
        return self._applied(
            functions.erfc, x, lambda v, e: functions.erfc_error(v, x.value, self.u, self.tiny, e, absolute)
        )

    def _applied(self, f: Callable[[Array], Array], x: Bounded, error: Callable[[Array, Array], Array]) -> Bounded:
        x = x.collapsed()
        value = f(x.value)
        return Bounded(self, value, x.axes, error(value, x.total))
