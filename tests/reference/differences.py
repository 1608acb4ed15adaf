"""Exact derivatives of any function of many-digit numbers, by central differences.

The derivative is that of the textbook formula that is passed in, whatever its closed form is. With steps of 10^−60 the
differences are right to far more digits than a float64 computation has; with 420 digits so are those that are as small
as the least float64 number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import mpmath as mp
import numpy as np

Array = Any
Named = Mapping[str, Array]
Function = Callable[[Named], dict[str, Array]]

DIGITS = 420
STEP = 60  # digits after the point


def exact(inputs: Named) -> dict[str, Array]:
    """Arrays and numbers as objects of many digits."""
    return {name: np.vectorize(mp.mpf, otypes=[object])(np.asarray(x)) for name, x in inputs.items()}


def mapped(function: Callable[[Any], Any], x: Array) -> Array:
    """A function of one number for each of an array."""
    return np.vectorize(function, otypes=[object])(x)


def values(function: Function, inputs: Named) -> dict[str, Array]:
    """The outputs."""
    with mp.workdps(DIGITS):
        return function(exact(inputs))


def pulled_back(function: Function, inputs: Named, cotangents: Named, wrt: tuple[str, ...]) -> dict[str, Array]:
    """Gradients of Σ cotangent · output with respect to some inputs, as `d` + name; cotangents are `d` + output."""
    at, weights = exact(inputs), exact(cotangents)

    def objective(moved: Named) -> Any:
        outputs = function({**at, **moved})
        return sum(np.sum(weight * outputs[name.removeprefix("d")]) for name, weight in weights.items())

    found = {}
    with mp.workdps(DIGITS):
        h = mp.mpf(10) ** -STEP
        for name in wrt:
            x = at[name]
            slope = np.empty(x.shape, dtype=object)
            for place in np.ndindex(x.shape):
                unit = np.full(x.shape, mp.mpf(0), dtype=object)
                unit[place] = h
                slope[place] = (objective({name: x + unit}) - objective({name: x - unit})) / (2 * h)
            found[f"d{name}"] = slope
    return found


def pushed_forward(function: Function, inputs: Named, tangents: Named) -> dict[str, Array]:
    """Derivatives of the outputs in the direction of some tangents, `t` + input: `t` + output."""
    at = exact(inputs)
    moves = {name.removeprefix("t"): x for name, x in exact(tangents).items()}
    with mp.workdps(DIGITS):
        h = mp.mpf(10) ** -STEP
        above = function({**at, **{name: at[name] + h * move for name, move in moves.items()}})
        below = function({**at, **{name: at[name] - h * move for name, move in moves.items()}})
        return {f"t{name}": (above[name] - below[name]) / (2 * h) for name in above}
