"""Explanations that need no formula: a result that is nothing, another result, or right for other arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .layouts import EXPANDED
from .problems import AnyArray, Problem, shown_gradient
from .values import Array

Results = Mapping[str, Array]

# What a result is that nothing was computed for.
NOTHING = ("is NaN everywhere", "is 0 everywhere")
# A factor is named where it is a number that people write: these, and powers of two.
_FACTORS = {-1.0: "the negative of", 2.0: "twice", 0.5: "half of"}


def simple_descriptions(
    name: str, actual: Array, right: Mapping[str, Array], given: Mapping[str, AnyArray]
) -> Iterator[tuple[str, Array]]:
    """What a failing result may be, in words, and that as an array.

    Args:
        name: of the result.
        actual: what the implementation gives.
        right: the right results by name, this one among them.
        given: arguments and cotangents by name.
    """
    own = right[name]
    if not actual.size:
        return
    yield NOTHING[0], np.full(actual.shape, np.nan)
    yield NOTHING[1], np.zeros(actual.shape)
    first = float(actual.flat[0])
    if np.isfinite(first) and actual.size > 1:
        yield f"is {first:.6g} everywhere", np.full(actual.shape, first)
    for other, x in given.items():
        if x.shape == actual.shape and x.dtype.kind == "f":
            yield f"equals {other}", np.asarray(x, np.float64)
    with np.errstate(all="ignore"):
        for factor, words in _FACTORS.items():
            yield f"is {words} what is right", factor * own
    for other, x in right.items():
        if other != name and x.shape == actual.shape:
            yield f"equals the right {other}", x
    for axis in range(own.ndim):
        if own.shape[axis] > 1:
            yield f"is what is right in reverse order along axis {axis}", np.flip(own, axis)
            for step, words in ((1, "one place on"), (-1, "one place back")):
                yield f"is what is right {words} along axis {axis}", np.roll(own, step, axis)
    for a in range(own.ndim):
        for b in range(a + 1, own.ndim):
            if own.shape[a] == own.shape[b] > 1:
                yield f"is what is right with axes {a} and {b} exchanged", np.swapaxes(own, a, b)


def _as_it_is(results: Results) -> Results:
    return results


@dataclass(frozen=True)
class OtherCall:
    """A call that an implementation may have mistaken this one for.

    Attributes:
        words: what they have in common, after "as".
        back: what its results are in this call, by the names that a reader is told.
    """

    words: str
    problem: Problem
    back: Callable[[Results], Results] = _as_it_is


def other_calls(problem: Problem) -> Iterator[OtherCall]:
    """Calls that an implementation may have mistaken this one for."""
    for words, other in _with_other_arguments(problem):
        yield OtherCall(words, other)
    yield from _exchanged(problem)
    yield from _transposed(problem)


def _with_other_arguments(problem: Problem) -> Iterator[tuple[str, Problem]]:
    for name in problem.options:
        rest = {key: value for key, value in problem.options.items() if key != name}
        if name not in problem.positional:
            yield f"if {name} were not given", replace(problem, options=rest)
    for name, x in problem.arrays.items():
        if name not in problem.positional:
            arrays = {key: value for key, value in problem.arrays.items() if key != name}
            wanted = tuple(n for n in problem.requires_grad if n != name)
            yield f"if {name} were not given", replace(problem, arrays=arrays, requires_grad=wanted)
        if x.dtype == np.bool_:
            yield f"if {name} were inverted", problem.with_arrays(**{name: ~x})
            if x.ndim:
                filled = problem.with_arrays(**{name: x | ~x.any(-1, keepdims=True)})
                yield f"if a row of which {name} keeps nothing kept everything", filled
        if x.dtype.kind in "bi":
            for axis in range(max(0, x.ndim - 2), x.ndim):
                for step, words in ((1, "on"), (-1, "back")):
                    moved = problem.with_arrays(**{name: np.roll(x, step, axis)})
                    yield f"if {name} were shifted one place {words} along its axis {axis}", moved
        for axis in range(max(0, x.ndim - 2)):
            if x.shape[axis] > 1:
                alike = np.broadcast_to(x.take([0], axis), x.shape)
                yield (
                    f"if the first slice of {name} along axis {axis} stood for all",
                    problem.with_arrays(**{name: alike}),
                )
    yield from _causal(problem)
    ones = {name: np.ones(x.shape) for name, x in problem.cotangents.items()}
    yield "if the cotangent were all ones", problem.with_cotangents(ones)


def _causal(problem: Problem) -> Iterator[tuple[str, Problem]]:
    """Other alignments of a causal mask, where the call has one and can take a mask instead."""
    if not problem.options.get("is_causal") or "query" not in problem.arrays:
        return
    rows, cols = problem.arrays["query"].shape[-2], problem.arrays["key"].shape[-2]
    options = {key: value for key, value in problem.options.items() if key != "is_causal"}
    shifts = ((cols - rows, "aligned bottom-right"), (1, "key ≤ query + 1"), (-1, "key < query"))
    for shift, words in shifts:
        if shift:
            arrays = {**problem.arrays, "attn_mask": np.tri(rows, cols, shift, dtype=np.bool_)}
            layouts = {**problem.layouts, "attn_mask": "contiguous"}
            yield (
                f"if the causal mask were {words}",
                replace(problem, arrays=arrays, layouts=layouts, options=options),
            )


def _exchanged(problem: Problem) -> Iterator[OtherCall]:
    """Two inputs of one shape, and with them their gradients, unless only the values were mistaken."""
    names = _real_arrays(problem)
    for k, a in enumerate(names):
        for b in names[k + 1 :]:
            x, y = problem.arrays[a], problem.arrays[b]
            if x.shape != y.shape or EXPANDED in (problem.layouts[a], problem.layouts[b]):
                continue
            values = problem.with_arrays(**{a: y, b: x})
            roles = {a: b, b: a}
            wanted = tuple(roles.get(name, name) for name in problem.requires_grad)
            words = f"if {a} and {b} were exchanged"
            yield OtherCall(words, replace(values, requires_grad=wanted), partial(_renamed, roles))
            if roles.keys() & set(problem.requires_grad):
                yield OtherCall(f"{words}, their gradients not", values)


def _transposed(problem: Problem) -> Iterator[OtherCall]:
    """A square matrix read the wrong way round."""
    for name in _real_arrays(problem):
        x = problem.arrays[name]
        if x.ndim == 2 and x.shape[0] == x.shape[1] > 1:
            yield OtherCall(
                f"if {name} were transposed", problem.with_arrays(**{name: x.T}), partial(_transposed_back, name)
            )


def _real_arrays(problem: Problem) -> list[str]:
    return [name for name, x in problem.arrays.items() if x.dtype.kind == "f" and x.ndim and x.size]


def _renamed(roles: Mapping[str, str], results: Results) -> Results:
    names = {shown_gradient(name): shown_gradient(other) for name, other in roles.items()}
    return {names.get(name, name): x for name, x in results.items()}


def _transposed_back(name: str, results: Results) -> Results:
    own = shown_gradient(name)
    return {key: x.T if key == own else x for key, x in results.items()}
