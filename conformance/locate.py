"""Where in an array the errors are: the simplest predicates on its indices that describe the failing elements.

A predicate is stated only if it holds for every failing element and says something: if naming it, and then the failing
elements among those that it holds for, takes fewer bits than naming them among all. On errors that lie anywhere no
predicate saves that much, by counting (minimum description length; Rissanen 1978).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import gcd, lgamma, log, log2, prod

import numpy as np

from .values import AnyArray

# Bits that a description must save: errors at random places are described by chance once in 2¹⁰ times at most.
_MARGIN = 10.0
# What is right in so few places may be so by chance.
_NEARLY = 0.95
# Bits that say which of the forms of a predicate is meant: there are eight.
_FORM = 3.0


@dataclass(frozen=True)
class Predicate:
    """A condition on one index, or on two.

    Attributes:
        text: as a reader is told, such as `row ≥ 64`.
        axes: the axes that it is about.
        holds: where it holds, of a shape that broadcasts to that of the array.
        bits: what it takes to name it.
    """

    text: str
    axes: tuple[int, ...]
    holds: AnyArray
    bits: float


@dataclass(frozen=True)
class Location:
    """Where the failing elements of an array are.

    Attributes:
        text: in words, with the share of those elements that fail.
        predicates: up to two, which hold for every failing element; none if all fail, or if nothing describes them.
        failing: how many elements fail.
        described: how many elements all predicates hold for.
        elements: how many there are.
    """

    text: str
    predicates: tuple[str, ...]
    failing: int
    described: int
    elements: int

    @property
    def exact(self) -> bool:
        """Whether the elements described are those that fail."""
        return self.failing == self.described


def locate(failing: AnyArray, axes: Sequence[str], related: Sequence[tuple[str, str]] = ()) -> Location:
    """Where the failing elements are.

    Args:
        failing: true where an element fails.
        axes: the name of each axis.
        related: pairs of axes whose indices are positions of one kind, and may be compared.

    Raises:
        ValueError: there is not one name for each axis.
    """
    if len(axes) != failing.ndim:
        raise ValueError(f"{len(axes)} names for the {failing.ndim} axes of an array")
    count, size = int(np.count_nonzero(failing)), failing.size
    if count in (0, size):
        return Location("everywhere" if count else "nowhere", (), count, size if count else 0, size)
    if count == 1:
        at = (f"{name} = {int(k)}" for name, k in zip(axes, np.argwhere(failing)[0], strict=True))
        return Location(f"1 of {size} elements, at {', '.join(at)}", (), 1, size, size)
    found = _best(failing, [*_of_axes(failing, axes), *_of_pairs(failing, axes, related)])
    if not found and count > _NEARLY * size:
        return Location(f"nearly everywhere ({count} of {size} elements)", (), count, size, size)
    if not found:
        return Location(f"no simple pattern: {count} of {size} elements", (), count, size, size)
    described, names = _count(found, failing.shape), tuple(predicate.text for predicate in found)
    shown = " and ".join(names)
    if described == count:
        text = f"exactly where {shown}"
    else:
        text = f"only where {shown} ({count} of {described} of those elements)"
    return Location(text, names, count, described, size)


def _best(failing: AnyArray, predicates: Sequence[Predicate]) -> tuple[Predicate, ...]:
    """The predicate, or the two, that save most bits; none if none saves enough."""
    count, size = int(np.count_nonzero(failing)), failing.size
    # Along these axes all slices are alike: an error that covers them is one error, not many in the same place.
    alike = prod(n for axis, n in enumerate(failing.shape) if (failing == failing.take([0], axis)).all())
    best: tuple[Predicate, ...] = ()
    most = _MARGIN
    for chosen in [*((p,) for p in predicates), *combinations(predicates, 2)]:
        described = _count(chosen, failing.shape)
        unit = 1 if described == count else alike
        saved = _bits(size // unit, count // unit) - _bits(described // unit, count // unit)
        saved -= sum(predicate.bits for predicate in chosen)
        if saved > most:
            best, most = chosen, saved
    return best


def _bits(size: int, count: int) -> float:
    """What it takes to say which of some elements fail."""
    return (lgamma(size + 1) - lgamma(count + 1) - lgamma(size - count + 1)) / log(2)


def _count(predicates: Sequence[Predicate], shape: tuple[int, ...]) -> int:
    holds: AnyArray = np.ones(shape, np.bool_)
    for predicate in predicates:
        holds = holds & predicate.holds
    return int(np.count_nonzero(holds))


# Predicates ---------------------------------------------------------------------------------------------------------


def _of_axes(failing: AnyArray, axes: Sequence[str]) -> Iterator[Predicate]:
    """The predicates on one index that hold for every failing element, one of each form at most."""
    for axis, (name, size) in enumerate(zip(axes, failing.shape, strict=True)):
        others = tuple(other for other in range(failing.ndim) if other != axis)
        places = np.flatnonzero(failing.any(others))
        index = _index(axis, failing.shape)
        choice = _FORM + log2(len(axes))

        def made(
            text: str, holds: AnyArray, numbers: int, axis: int = axis, size: int = size, choice: float = choice
        ) -> Predicate:
            return Predicate(text, (axis,), holds, choice + numbers * log2(size))

        first, last = int(places[0]), int(places[-1])
        if first == last:
            if size > 1:
                yield made(f"{name} = {'last' if first == size - 1 else first}", index == first, 1)
            continue
        if first > 0:
            yield made(f"{name} > 0" if first == 1 else f"{name} ≥ {first}", index >= first, 1)
        if last < size - 1:
            yield made(f"{name} < {last + 1}", index <= last, 1)
        if first > 0 and last < size - 1:
            yield made(f"{name} in {first}…{last}", (index >= first) & (index <= last), 2)
        if len(places) == size - 1 and first == 0 and last == size - 1:
            missing = int(np.setdiff1d(np.arange(size), places)[0])
            yield made(f"{name} ≠ {missing}", index != missing, 1)
        step = gcd(*(int(place) - first for place in places))
        if 1 < step <= len(places) + 1:
            yield made(f"{name} ≡ {first % step} mod {step}", index % step == first % step, 2)


_RELATIONS: tuple[tuple[str, Callable[[int, int], int | None], Callable[[AnyArray, int], AnyArray]], ...] = (
    ("=", lambda least, largest: least if least == largest else None, lambda gap, c: gap == c),
    ("≥", lambda least, largest: least, lambda gap, c: gap >= c),
    ("≤", lambda least, largest: largest, lambda gap, c: gap <= c),
)


def _of_pairs(failing: AnyArray, axes: Sequence[str], related: Sequence[tuple[str, str]]) -> Iterator[Predicate]:
    """The comparisons of two indices that hold for every failing element."""
    for left, right in related:
        a, b = axes.index(left), axes.index(right)
        gap = _index(a, failing.shape) - _index(b, failing.shape)
        found = np.broadcast_to(gap, failing.shape)[failing]
        least, largest = int(found.min()), int(found.max())
        bits = _FORM + log2(len(related) + len(axes)) + log2(failing.shape[a] + failing.shape[b])
        for sign, limit, holds in _RELATIONS:
            if (c := limit(least, largest)) is not None:
                yield Predicate(_comparison(left, sign, right, c), (a, b), holds(gap, c), bits)


def _comparison(left: str, sign: str, right: str, c: int) -> str:
    """`left − right` compared with c, without a 1 that a strict sign says."""
    if (sign, c) in (("≥", 1), ("≤", -1)):
        return f"{left} {'>' if c > 0 else '<'} {right}"
    shift = "" if c == 0 else f" {'+' if c > 0 else '−'} {abs(c)}"
    return f"{left} {sign} {right}{shift}"


def _index(axis: int, shape: tuple[int, ...]) -> AnyArray:
    """The index along an axis, laid out along that axis."""
    return np.arange(shape[axis]).reshape([-1 if k == axis else 1 for k in range(len(shape))])
