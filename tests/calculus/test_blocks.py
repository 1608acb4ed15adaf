"""Blocks: an expression over a dimension that is cut in two has the value of the whole."""

import random
from fractions import Fraction

import mpmath
import pytest
from lemmata.derivations.calculus.blocks import CannotSplit, Part, Split
from lemmata.derivations.calculus.evaluate import Array, Point, evaluator
from lemmata.derivations.calculus.expr import (
    Delta,
    Dim,
    Expr,
    Index,
    Permutation,
    Place,
    Size,
    Tensor,
    at_least,
    exp,
    free_indices,
    maximum,
    position,
    tensors,
    total,
)
from lemmata.derivations.calculus.normal_form import equal

n, m = Dim("n"), Dim("m")
cut = Split(n, Dim("n1"), Dim("n2"))
i, j, u = Index("i", n), Index("j", n), Index("u", m)
x, A, S = Tensor("x", (n,)), Tensor("A", (m, n)), Tensor("S", (n, n))
b = Tensor("b", (n,), "boolean")

WHOLE: list[Expr] = [
    total(j, x[j]),
    total(j, A[u, j] * exp(x[j])),
    Size(n) * total(j, x[j] ** 2),
    total(j, Place(position(j)) * x[j]),
    total(j, at_least(j, u) * x[j]),
    total(i, j, at_least(i, j) * x[i] * x[j]),
    total(i, j, Delta(i, j) * x[i]),
    total(i, j, at_least(position(i) + 1, position(n) - j) * x[j]),
    maximum(j, x[j]),
    maximum(j, x[j], b[j]),
    maximum(j, x[j] * total(i, x[i] * at_least(i, j))),
]


def arrays(sizes: tuple[int, int, int], rng: random.Random) -> tuple[Point, Point]:
    """The same numbers as whole arrays and as arrays of the two parts."""
    first, second, other = sizes
    size = first + second
    ones = [Fraction(rng.randint(-9, 9), 4) for _ in range(size)]
    flags = [Fraction(k in (0, size - 1)) for k in range(size)]  # each part has a position that is kept
    table = [[Fraction(rng.randint(-9, 9), 4) for _ in range(size)] for _ in range(other)]

    def row(values: list[Fraction]) -> Array:
        return {(k,): value for k, value in enumerate(values)}

    def matrix(rows: list[list[Fraction]]) -> Array:
        return {(a, k): value for a, values in enumerate(rows) for k, value in enumerate(values)}

    whole = Point({n: size, m: other}, {x: row(ones), b: row(flags), A: matrix(table)})
    parts: dict[Tensor, Array] = {}
    positions: list[tuple[Part, slice]] = [(1, slice(0, first)), (2, slice(first, size))]
    for part, where in positions:
        parts[cut.tensor(x, part)] = row(ones[where])
        parts[cut.tensor(b, part)] = row(flags[where])
        parts[cut.tensor(A, part)] = matrix([values[where] for values in table])
    return whole, Point({cut.first: first, cut.second: second, m: other}, parts)


@pytest.mark.parametrize("expr", WHOLE, ids=range(len(WHOLE)))
def test_the_value_is_that_of_the_whole(expr: Expr) -> None:
    rng = random.Random(0)
    split = cut.apply(expr)
    assert x not in tensors(split)
    for sizes in ((1, 1, 1), (1, 2, 2), (3, 1, 1), (2, 3, 2)):
        whole, parts = arrays(sizes, rng)
        for place in range(sizes[2]):
            at = dict.fromkeys(free_indices(expr), place)
            with mpmath.workdps(50):
                difference = evaluator(expr)(whole, at) - evaluator(split)(parts, at)
                assert abs(difference) < mpmath.mpf(10) ** -40


def test_a_free_index_lies_in_the_part_that_is_said() -> None:
    i1, i2 = Index("i", cut.first), Index("i", cut.second)
    x1, x2 = cut.tensor(x, 1), cut.tensor(x, 2)
    assert equal(cut.apply(x[i], {i: (1, i1)}), x1[i1])
    assert equal(cut.apply(x[i], {i: (2, i2)}), x2[i2])
    first = cut.apply(total(j, Delta(i, j) * x[j]), {i: (1, i1)})
    assert equal(first, x1[i1])
    later = cut.apply(at_least(i, j), {i: (2, i2), j: (1, i1)})
    assert equal(later, at_least(position(cut.first) + i2, i1))
    assert equal(later, Delta(i1, i1))  # a position of the second part is after every position of the first


def test_a_sum_over_the_parts_in_the_wrong_order_is_not_shown() -> None:
    i1, i2 = Index("i", cut.first), Index("i", cut.second)
    after = total(i1, i2, at_least(position(cut.first) + i2, i1) * cut.tensor(x, 1)[i1])
    before = total(i1, i2, at_least(i1, position(cut.first) + i2) * cut.tensor(x, 1)[i1])
    assert not equal(after, before)


def test_what_has_no_block_form_is_refused() -> None:
    for free in (x[i] * 1, Delta(i, j) * 1, Place(position(i)) * 1, at_least(i, 2) * 1):
        with pytest.raises(CannotSplit, match="i is free: say in which part of n it lies"):
            cut.apply(free)
    with pytest.raises(CannotSplit, match="S has 2 axes of n"):
        cut.apply(total(i, j, S[i, j]))
    with pytest.raises(CannotSplit, match="permutes n"):
        cut.apply(total(j, x[Permutation("π", n)(j)]))


def test_a_lookup_from_the_dimension_to_itself_is_refused() -> None:
    """Its one-hot matrix has two axes of it."""
    following = Tensor("next", (n,), "index", n)
    for expr in (
        total(i, x[following(i)]),
        total(i, Delta(following(i), i)),
        total(i, j, Delta(following(i), j) * x[j]),
    ):
        with pytest.raises(CannotSplit, match="next points from n to n"):
            cut.apply(expr)


def test_a_part_of_a_lookup_does_not_take_the_name_of_another_tensor() -> None:
    u, i1 = Index("u", m), Index("i", cut.first)
    lookup, other = Tensor("z", (m,), "index", n), Tensor("z1", (m, cut.first), "boolean")
    with pytest.raises(CannotSplit, match="z1"):
        cut.apply(total(u, x[lookup(u)]) - total(u, i1, other[u, i1]))
