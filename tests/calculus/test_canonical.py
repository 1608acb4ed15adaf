"""Canonical labelling: neither names of bound indices nor the order of factors and sums shows in the normal form."""

import itertools
import random
from collections.abc import Mapping
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lemmata.derivations.calculus import canonical, sums
from lemmata.derivations.calculus.expr import (
    Add,
    Dim,
    Expr,
    Index,
    Mul,
    Sum,
    Tensor,
    children,
    exp,
    rebuild,
    rename,
    total,
)
from lemmata.derivations.calculus.normal_form import equal, normal_form
from lemmata.derivations.calculus.polynomial import Atom, Bound, Ix, Poly
from lemmata.derivations.calculus.products import NoValue, TooLarge
from lemmata.tests.calculus.conftest import Plant
from lemmata.tests.calculus.expressions import expression, i, j

n = Dim("n")
NAMES = ("a", "b", "c", "d", "e")
S, T, x = Tensor("S", (n, n)), Tensor("T", (n, n)), Tensor("x", (n,))

edges = st.lists(
    st.tuples(st.sampled_from((S, T)), st.integers(0, 3), st.integers(0, 3)),
    min_size=1,
    max_size=5,
)


def graph(edges_: list[tuple[Tensor, int, int]], order: tuple[int, ...], names: tuple[str, ...]) -> Expr:
    """Σ over four indices of a product of matrix entries; `order` is the order of the sums and `names` their names."""
    indices = [Index(name, n) for name in names[:4]]
    body: Expr = Mul(tuple(tensor[indices[p], indices[q]] for tensor, p, q in edges_))
    for position in order:
        body = Sum(indices[position], body)
    return body


@settings(max_examples=60, deadline=None)
@given(edges, st.permutations(range(4)), st.permutations(NAMES), st.randoms(use_true_random=False))
def test_names_and_orders_do_not_show(
    edges_: list[tuple[Tensor, int, int]], order: list[int], names: list[str], rng: random.Random
) -> None:
    shuffled = list(edges_)
    rng.shuffle(shuffled)
    plain = graph(edges_, (0, 1, 2, 3), NAMES)
    other = graph(shuffled, tuple(order), tuple(names))
    assert normal_form(plain) == normal_form(other)
    assert normal_form(plain).render({}) == normal_form(other).render({})


@settings(max_examples=60, deadline=None)
@given(edges, st.permutations(range(4)))
def test_relabelling_the_vertices_does_not_show(edges_: list[tuple[Tensor, int, int]], to: list[int]) -> None:
    moved = [(tensor, to[p], to[q]) for tensor, p, q in edges_]
    assert equal(graph(edges_, (0, 1, 2, 3), NAMES), graph(moved, (0, 1, 2, 3), NAMES))


def test_different_graphs_stay_different() -> None:
    path, star, cycle = [(S, 0, 1), (S, 1, 2)], [(S, 0, 1), (S, 0, 2)], [(S, 0, 1), (S, 1, 0)]
    forms = [normal_form(graph(edges_, (0, 1, 2, 3), NAMES)) for edges_ in (path, star, cycle)]
    assert all(a != b for a, b in itertools.combinations(forms, 2))


def shuffle(expr: Expr, rng: random.Random) -> Expr:
    """The same expression with terms, factors and neighbouring sums in another order."""
    parts = [shuffle(part, rng) for part in children(expr)]
    if isinstance(expr, Add | Mul):
        rng.shuffle(parts)
    if isinstance(expr, Sum) and isinstance(parts[0], Sum) and rng.random() < 0.5:
        inner = parts[0]
        return Sum(inner.index, Sum(expr.index, inner.body))
    return rebuild(expr, tuple(parts)) if parts else expr


@pytest.mark.parametrize("seed", range(20))
def test_orders_do_not_show_in_attention(seed: int) -> None:
    from lemmata.derivations.attention import ATTENTION

    rng = random.Random(seed)
    tensor = ATTENTION.vjp.outputs[seed % 4]
    entry = tensor[tuple(Index(dim.name, dim) for dim in tensor.dims)]
    expr = ATTENTION.derived_vjp.inline(entry)
    other = rename(shuffle(expr, rng), {})
    assert normal_form(expr) == normal_form(other)


def test_indices_that_look_alike_are_told_apart() -> None:
    """A cycle of four: every index has the same surroundings, so colours alone do not decide."""
    cycle = [(S, 0, 1), (S, 1, 2), (S, 2, 3), (S, 3, 0)]
    two = [(S, 0, 1), (S, 1, 0), (S, 2, 3), (S, 3, 2)]
    turned = [(S, 2, 0), (S, 0, 3), (S, 3, 1), (S, 1, 2)]
    one, other = (graph(edges_, (0, 1, 2, 3), NAMES) for edges_ in (cycle, turned))
    assert equal(one, other)
    assert not equal(one, graph(two, (0, 1, 2, 3), NAMES))
    nested = total(Index("a", n), exp(one) * x[Index("b", n)])
    assert not equal(nested, exp(other))


def test_giving_up_early_only_makes_equal_things_look_different(plant: Plant) -> None:
    """Fewer labellings than needed: still nothing false is shown."""
    plant(canonical, "MAX_LEAVES", 1)
    two = [(S, 0, 1), (S, 1, 0), (S, 2, 3), (S, 3, 2)]
    cycle = [(S, 0, 1), (S, 1, 2), (S, 2, 3), (S, 3, 0)]
    assert not equal(graph(two, (0, 1, 2, 3), NAMES), graph(cycle, (0, 1, 2, 3), NAMES))


def renamed(form: Poly, mapping: Mapping[Ix, Ix]) -> Poly | None:
    """The form with other free indices; None where that has no form."""
    try:
        return sums.rename(form, mapping)
    except (NoValue, TooLarge):
        return None


def renamed_otherwise(plant: Plant, mapping: Mapping[Ix, Ix]) -> tuple[int, int]:
    """How many of some random normal forms are renamed otherwise if every sum is taken apart and put together again,
    and how often a sum is left as it stands."""
    short, left = sums._alike, 0

    def counted(atom: Atom, names: Mapping[Ix, Ix]) -> Atom | None:
        nonlocal left
        found = short(atom, names)
        left += found is not None
        return found

    rng = random.Random(5)
    forms = []
    for _ in range(400):
        with suppress(NoValue, TooLarge):
            forms.append(normal_form(expression(rng.randrange, 4)))
    plant(sums, "_alike", counted)
    ways = [renamed(form, mapping) for form in forms]
    plant(sums, "_alike", lambda atom, names: None)
    return sum(way != renamed(form, mapping) for way, form in zip(ways, forms, strict=True)), left


@pytest.mark.parametrize(
    ("mapping", "any_left"),
    [
        ({i: Index("new", n)}, True),
        ({i: j}, True),
        ({i: j, j: i}, True),
        ({i: Bound(7, n)}, True),
        ({i: Bound(0, n)}, False),  # a number that the innermost sums have: they would capture it
    ],
)
def test_a_sum_that_is_left_as_it_stands_is_the_one_put_together_again(
    plant: Plant, mapping: dict[Ix, Ix], any_left: bool
) -> None:
    different, left = renamed_otherwise(plant, mapping)
    assert different == 0
    assert (left > 0) == any_left


def test_a_sum_that_keeps_its_old_names_is_seen(plant: Plant) -> None:
    plant(sums, "_alike", lambda atom, names: atom)
    assert renamed_otherwise(plant, {i: Index("new", n)})[0] > 0
