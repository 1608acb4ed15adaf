"""The search for sizes and exact values at which a claim is false, and the shrinking of what it finds."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import mpmath

from .evaluate import DIGITS, Evaluator, Point, Undefined, all_indices, evaluators
from .index import Dim, Index, Mapped, Permutation
from .nodes import Expr, Tensor
from .statement import Claim, Counterexample, Equal, NonNegative, Within
from .traverse import dims_of, free_indices, subscripts, tensors, walk

AGREEMENT = mpmath.mpf(10) ** (10 - DIGITS)  # ten digits kept for the rounding of the evaluation itself
# Where terms cancel, rounding can look like a difference, or like a denominator other than 0. A difference counts if it
# is there with each of these numbers of digits, the values being the same with both.
CONFIRMING_DIGITS = (4 * DIGITS, 8 * DIGITS)
MAX_SIZE = 3  # largest size of a dimension
DRAWS = 3  # draws of values for each choice of sizes in a search
MAX_CHOICES = 100  # choices of sizes in a search, the smallest first


class NameClash(ValueError):
    """Two different tensors, dimensions or permutations of a claim have one name: no reader could tell them apart."""


@dataclass(frozen=True)
class Evidence:
    """What the independent evaluation saw: a counterexample if there is one, the number of places where the claim held,
    and the line of the proof (its number) that had no value at such a place."""

    counterexample: Counterexample | None
    agreed: int
    gap: int | None = None


def search(
    claim: Claim,
    seed: int,
    points: int | None = None,
    lines: Sequence[Expr] = (),
    suspects: Sequence[Fraction] = (),
) -> Evidence:
    """A counterexample, the smallest sizes first, and the number of places where the claim was seen to hold.

    `points` limits the evaluation to so many points of random sizes; without it the sizes are gone through in order.
    `lines` are intermediate expressions of a proof, each of which must have the value of the two sides. `suspects` are
    values of the one number that the claim is about, to be tried first.

    Raises:
        NameClash: two different things that the claim mentions have one name.
    """
    trial = _Trial(claim, lines)
    agreed = 0
    rng = random.Random(seed)
    for suspect in suspects:
        tried: Values = {tensor: {(): suspect} for tensor in trial.tensors}
        if trial.fails(Point({}, tried, {}))[0] is not None:
            return Evidence(_shrunk(trial, {}, tried, {}), agreed, trial.gap)
    sizes_list = _random_sizes(trial.dims, points, rng) if points else _growing_sizes(trial.dims)
    for number, sizes in enumerate(sizes_list):
        for turn in range(1 if points else DRAWS):
            values = {t: draw(t, sizes, rng, whole=(number + turn) % 2 == 0) for t in trial.tensors}
            moved = {p: tuple(rng.sample(range(sizes[p.dim]), sizes[p.dim])) for p in trial.permutations}
            failing, good = trial.fails(Point(sizes, values, moved))
            agreed += good
            if failing is not None:
                return Evidence(_shrunk(trial, sizes, values, moved), agreed, trial.gap)
    return Evidence(None, agreed, trial.gap)


Failure = tuple[dict[Index, int], list[mpmath.mpf]]  # where, and the values of the sides there


class _Trial:
    """A claim with all that it mentions."""

    def __init__(self, claim: Claim, lines: Sequence[Expr]) -> None:
        self.claim = claim
        sides = (claim.left, claim.right) if isinstance(claim, Equal) else (claim.expr,)
        given = claim.given if isinstance(claim, Equal) else ()
        everything = (*sides, *lines, *given)
        compiled = evaluators(everything)
        self.sides = compiled[: len(sides)]
        self.lines = compiled[len(sides) : len(sides) + len(lines)]
        self.conditions = compiled[len(sides) + len(lines) :]
        self.gap: int | None = None
        self.dims = tuple(dict.fromkeys(d for e in everything for d in dims_of(e)))
        self.tensors = tuple(dict.fromkeys(t for e in everything for t in tensors(e)))
        self.permutations = tuple(
            dict.fromkeys(
                ix.map
                for e in everything
                for node in walk(e)
                for ix in subscripts(node)
                if isinstance(ix, Mapped) and isinstance(ix.map, Permutation)
            )
        )
        self.indices = tuple(dict.fromkeys(ix for e in everything for ix in free_indices(e)))
        _require_distinct_names("dimensions", [dim.name for dim in self.dims])
        _require_distinct_names("tensors", [tensor.name for tensor in self.tensors])
        _require_distinct_names("permutations", [permutation.name for permutation in self.permutations])

    def fails(self, point: Point) -> tuple[Failure | None, int]:
        """The first place where the claim is false, with the values of its sides; and the places where it held."""
        agreed = 0
        if isinstance(self.claim, Within) and not _in_domain(self.claim, point):
            return None, 0
        for at in all_indices(self.indices, point.sizes):
            try:
                if any(condition(point, at) == 0 for condition in self.conditions):
                    continue
                values = [side(point, at) for side in self.sides]
            except Undefined:
                continue
            if self._broken(values) and (confirmed := self._confirmed(self.sides, point, at)):
                return (at, confirmed), agreed
            for number, line in enumerate(self.lines):
                try:
                    pair = [values[0], line(point, at)]
                except Undefined:
                    self.gap = number
                    continue
                if _differ(pair) and (confirmed := self._confirmed([self.sides[0], line], point, at)):
                    return (at, confirmed), agreed
            agreed += 1
        return None, agreed

    def _confirmed(self, sides: Sequence[Evaluator], point: Point, at: dict[Index, int]) -> list[mpmath.mpf]:
        """The values with more digits, if they still differ and do not depend on the number of digits; else nothing."""
        sharp = [replace(point, digits=digits, memo={}) for digits in CONFIRMING_DIGITS]
        try:
            values = [[side(where, at) for where in sharp] for side in sides]
        except Undefined:
            return []
        last = [with_digits[-1] for with_digits in values]
        wrong = self._broken(last) if len(last) == 1 else _differ(last)
        return last if wrong and not any(map(_differ, values)) else []

    def _broken(self, values: list[mpmath.mpf]) -> bool:
        """Whether the values of the sides contradict the claim."""
        match self.claim:
            case Equal():
                return _differ(values)
            case NonNegative():
                return bool(values[0] < -AGREEMENT)
            case Within(_, low, high):
                below = low is not None and _exceeds(low, values[0])
                return below or (high is not None and _exceeds(values[0], high))


def _require_distinct_names(what: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise NameClash(f"two different {what} are called {name!r}")


def _differ(values: list[mpmath.mpf]) -> bool:
    with mpmath.workdps(max(CONFIRMING_DIGITS)):
        left, right = values
        return bool(abs(left - right) > AGREEMENT * (1 + abs(left) + abs(right)))


def _exceeds(left: Fraction | mpmath.mpf, right: Fraction | mpmath.mpf) -> bool:
    with mpmath.workdps(max(CONFIRMING_DIGITS)):
        one, two = (mpmath.mpf(v.numerator) / v.denominator if isinstance(v, Fraction) else v for v in (left, right))
        return bool(one - two > AGREEMENT * (1 + abs(one) + abs(two)))


def _in_domain(claim: Within, point: Point) -> bool:
    values = [value for array in point.values.values() for value in array.values()]
    after = all(claim.start is None or claim.start <= value for value in values)
    return after and all(claim.end is None or value <= claim.end for value in values)


def _random_sizes(dims: tuple[Dim, ...], points: int, rng: random.Random) -> Iterator[dict[Dim, int]]:
    for number in range(points):
        largest = 2 if number < points // 2 else MAX_SIZE
        yield {dim: rng.randint(1, largest) for dim in dims}


def _growing_sizes(dims: tuple[Dim, ...]) -> Iterator[dict[Dim, int]]:
    choices = itertools.product(range(1, MAX_SIZE + 1), repeat=len(dims))
    for chosen in itertools.islice(sorted(choices, key=lambda sizes: (sum(sizes), sizes)), MAX_CHOICES):
        yield dict(zip(dims, chosen, strict=True))


Values = dict[Tensor, dict[tuple[int, ...], Fraction]]


def draw(
    tensor: Tensor, sizes: Mapping[Dim, int], rng: random.Random, *, whole: bool
) -> dict[tuple[int, ...], Fraction]:
    """An exact value for each entry of a tensor: a whole number or a fraction, as the tensor's kind allows."""
    indices = tuple(Index(d.name, d) for d in tensor.dims)
    cells = [tuple(at.values()) for at in all_indices(indices, sizes)]

    def one() -> Fraction:
        if tensor.kind == "boolean":
            return Fraction(rng.random() < 0.75)
        if tensor.over is not None:
            return Fraction(rng.randrange(sizes[tensor.over]))
        if whole:
            value = Fraction(rng.randint(-2, 2))
        else:
            value = Fraction(rng.randint(-24, 24), rng.choice((1, 2, 3, 4, 7, 8)) * 4)
        return abs(value) + Fraction(1, 2) if tensor.kind == "positive" else value

    return {cell: one() for cell in cells}


Moved = dict[Permutation, tuple[int, ...]]


def _shrunk(trial: _Trial, sizes: dict[Dim, int], values: Values, moved: Moved) -> Counterexample:
    """Each value replaced by 0, 1 or its whole part where the claim stays false."""
    for tensor, array in values.items():
        for cell, value in list(array.items()):
            for simpler in (Fraction(0), Fraction(1), Fraction(round(value))):
                if simpler == value or (tensor.kind == "positive" and simpler <= 0):
                    continue
                if tensor.over is not None and simpler >= sizes[tensor.over]:
                    continue
                tried = {**values, tensor: {**values[tensor], cell: simpler}}
                if trial.fails(Point(sizes, tried, moved))[0] is not None:
                    values = tried
                    break
    failing, _ = trial.fails(Point(sizes, values, moved))
    assert failing is not None
    at, sides = failing
    with mpmath.workdps(DIGITS):
        shown = [mpmath.nstr(side, 12) for side in sides]
    found = Counterexample(
        sizes={dim.name: size for dim, size in sizes.items()},
        values={
            **{t.name: array for t, array in values.items()},
            **{p.name: {(k,): Fraction(to) for k, to in enumerate(images)} for p, images in moved.items()},
        },
        at={index.name: value for index, value in at.items()},
        left=shown[0],
        right=shown[-1],
    )
    return found if len(shown) == 2 else replace(found, right=f"should be {_wanted(trial.claim)}")


def _wanted(claim: Claim) -> str:
    if isinstance(claim, Within):
        bounds = ((claim.low, "at least"), (claim.high, "at most"))
        return " and ".join(f"{words} {bound}" for bound, words in bounds if bound is not None)
    return "at least 0"
