"""Calls of other operations, in the arithmetic in which the bounds of compositions are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .bounded import Bounded, Number
from .rounding import Rounding

Argument = Bounded | Number | None


def call(
    fl: Rounding,
    function: Callable[..., Any],
    bound: Callable[..., Any],
    axes: Sequence[str | None],
    **arguments: Argument,
) -> tuple[Any, ...]:
    """What a function gives for these arguments, with the errors that its bound gives for theirs.

    Args:
        function: a reference function, or one of its derivatives.
        bound: the bound of that function, which takes the errors of its inputs.
        axes: the names of the axes of each result; None for one that is not wanted.

    Returns:
        the results, None for those that are not wanted or not there.
    """
    values = {name: x.value if isinstance(x, Bounded) else x for name, x in arguments.items()}
    errors = {name: x.total for name, x in arguments.items() if isinstance(x, Bounded) and not x.exact}
    results, own = function(**values), bound(**values, precision=fl.precision, errors=errors)
    pairs = [(results, own)] if len(axes) == 1 else list(zip(results, own, strict=True))
    return tuple(
        None if names is None or value is None else fl.given(value, names, error)
        for names, (value, error) in zip(axes, pairs, strict=True)
    )


def layer(x: Bounded, place: int) -> Bounded:
    """What a stack of parameters holds at one layer."""
    error = None if x.error is None else x.error[place]
    return Bounded(x.arithmetic, x.value[place], x.axes[1:], error)


def stacked(fl: Rounding, parts: Sequence[Bounded], axis: str) -> Bounded:
    """The results of the layers, the first layer first, along a new first axis."""
    values, errors = (fl.xp.stack(list(xs)) for xs in zip(*((p.value, p.total) for p in parts), strict=True))
    return Bounded(fl, values, (axis, *parts[0].axes), errors)
