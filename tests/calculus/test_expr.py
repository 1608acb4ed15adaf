"""Index notation: ranges are checked, and no index is ever captured."""

import random

import pytest
from hypothesis import given, settings
from lemmata.derivations.calculus.expr import (
    Delta,
    Dim,
    DimensionError,
    Expr,
    Index,
    Max,
    Permutation,
    Predicate,
    Sum,
    Tensor,
    at_least,
    exp,
    free_indices,
    lift,
    maximum,
    position,
    refresh,
    rename,
    substitute,
    total,
    walk,
)
from lemmata.derivations.calculus.normal_form import equal
from lemmata.derivations.calculus.program import Def, Program, ProgramError
from lemmata.tests.calculus.expressions import FREE, TENSORS, differences, expressions, i, j, n, pi, point, u

x, y = Tensor("x", (n,)), Tensor("y", (n,))


def binders(expr: Expr) -> list[Index]:
    return [node.index for node in walk(expr) if isinstance(node, Sum | Max)]


def test_an_index_of_another_dimension_is_an_error_that_names_both() -> None:
    with pytest.raises(DimensionError, match=r"x\[u\]: the indices run over \(m\), the axes of x are \(n\)"):
        x[u]
    with pytest.raises(DimensionError, match="axes of x"):
        x[i, j]
    with pytest.raises(DimensionError, match="runs over n, u over m"):
        Delta(i, u)
    with pytest.raises(DimensionError, match="permutes n, u runs over m"):
        pi(u)


def test_dimensions_of_one_name_that_grow_differently_are_different() -> None:
    with pytest.raises(DimensionError):
        x[Index("i", Dim("n", grows=False))]


def test_a_permuted_index_cannot_be_permuted_again_or_compared() -> None:
    with pytest.raises(DimensionError, match="not composed"):
        rename(x[pi(i)], {i: pi(j)})
    with pytest.raises(DimensionError, match="positions are compared"):
        rename(at_least(i, j), {i: pi(j)})


def test_numbers_are_exact() -> None:
    with pytest.raises(TypeError, match="not exact"):
        lift(0.5)  # type: ignore[arg-type]


def test_bound_indices_are_renamed_on_entry() -> None:
    sum_ = total(j, x[j] * y[i])
    assert binders(sum_) != [j]
    assert free_indices(sum_) == (i,)
    assert j not in binders(maximum(j, x[j]))
    raw = Sum(j, x[j])
    step = Def(Tensor("z")[()], raw)
    assert binders(step.value) != [j]


def test_renaming_a_free_index_to_the_name_of_a_bound_one_does_not_capture() -> None:
    outer = Sum(j, x[i] * y[j])  # a raw node: its binder is j itself
    moved = rename(outer, {i: j})
    assert free_indices(moved) == (j,)
    assert equal(moved, x[j] * total(i, y[i]))
    assert not equal(moved, total(i, x[i] * y[i]))  # what capture would give


def test_substituting_an_expression_that_mentions_a_bound_index_does_not_capture() -> None:
    outer = Sum(j, x[j])
    filled = substitute(outer, {x: lambda k: x[k] * y[j]})  # the j of y is free
    assert free_indices(filled) == (j,)
    assert equal(filled, y[j] * total(i, x[i]))
    program = Program("p", (x, y), (Def(Tensor("z")[()], Sum(j, x[j])),), (Tensor("z"),))
    inlined = program.inline(Tensor("z")[()] * 1, {x: lambda k: x[k] * y[j]})
    assert free_indices(inlined) == (j,)
    assert equal(inlined, y[j] * total(i, x[i]))


def test_inlining_twice_gives_different_bound_indices() -> None:
    z = Tensor("z")
    program = Program("p", (x,), (Def(z[()], total(j, exp(x[j]))),), (z,))
    squared = program.inline(z[()] * z[()])
    one, two = binders(squared)
    assert one is not two
    assert equal(squared, total(i, j, exp(x[i] + x[j])))


def test_one_object_used_twice_is_safe_in_a_product() -> None:
    part = total(j, x[j] * y[i])
    k = Index("k", n)
    assert equal(part * part, y[i] ** 2 * total(j, k, x[j] * x[k]))
    assert not equal(part * part, y[i] ** 2 * total(j, x[j] ** 2))


@settings(max_examples=50, deadline=None)
@given(expressions(3))
def test_a_fresh_copy_has_the_same_value_and_no_common_bound_index(expr: Expr) -> None:
    copy = refresh(expr)
    assert set(binders(copy)).isdisjoint(binders(expr))
    assert free_indices(copy) == free_indices(expr)
    _, wrong = differences(expr, copy, point(random.Random(0)))
    assert not wrong


@settings(max_examples=50, deadline=None)
@given(expressions(3))
def test_swapping_two_free_indices_twice_changes_nothing(expr: Expr) -> None:
    swap = {i: j, j: i}
    assert set(free_indices(rename(expr, swap))) == {swap.get(k, k) for k in free_indices(expr)}
    _, wrong = differences(expr, rename(rename(expr, swap), swap), point(random.Random(1)))
    assert not wrong


def test_programs_define_before_they_use_and_define_once() -> None:
    z, w = Tensor("z", (n,)), Tensor("w", (n,))
    with pytest.raises(ProgramError, match="uses w before its definition"):
        Program("p", (x,), (Def(z[i], w[i] * 1),), (z,))
    with pytest.raises(ProgramError, match="defined twice"):
        Program("p", (x,), (Def(x[i], x[i] * 2),), (x,))
    with pytest.raises(ProgramError, match="free on the right"):
        Program("p", (x,), (Def(z[i], x[j] * 1),), (z,))
    square = Tensor("q", (n, n))
    with pytest.raises(ProgramError, match="repeats an index"):
        Program("p", (x,), (Def(square[i, i], x[i] * 1),), (square,))
    with pytest.raises(ProgramError, match="is not defined"):
        Program("p", (x,), (), (z,))


def test_text_tells_indices_of_one_name_apart() -> None:
    other = Index("i", n)
    assert str(x[i] * x[other]) == "x[i]·x[i']"


def test_a_permutation_has_a_dimension_and_prints_as_a_function() -> None:
    assert str(x[Permutation("σ", n)(i)]) == "x[σ(i)]"


def test_affine_positions_collect_like_terms() -> None:
    assert position(i) - i == position(0)
    assert position(i) + n - 1 - n == position(i) - 1
    assert Predicate(position(i) - j) == at_least(i, j)


def test_the_random_expressions_use_every_kind_of_node() -> None:
    from lemmata.tests.calculus.expressions import expression

    rng = random.Random(0)
    seen = {type(node).__name__ for _ in range(300) for node in walk(expression(rng.randrange))}
    assert seen == {
        "Add", "Const", "Delta", "Entry", "Fn", "Gated", "Larger", "Max", "Mul", "Place", "Pow", "Predicate",
        "Size", "Sum",
    }  # fmt: skip
    assert {k.dim for k in FREE} == {d for t in TENSORS for d in t.dims}
