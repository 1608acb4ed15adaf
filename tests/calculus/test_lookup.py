"""Lookups and gates: tensors of indices as subscripts, one-hot matrices, scatter-adds; derivatives that are stopped."""

from fractions import Fraction

import mpmath
import pytest
import sympy
from lemmata.derivations.calculus.blocks import CannotSplit, Split
from lemmata.derivations.calculus.cost import definition_cost
from lemmata.derivations.calculus.differentiate import NotDifferentiable, jvp, vjp
from lemmata.derivations.calculus.evaluate import Point, evaluator
from lemmata.derivations.calculus.expr import (
    ONE,
    ZERO,
    Delta,
    Dim,
    DimensionError,
    Expr,
    Gated,
    Index,
    Permutation,
    Place,
    Size,
    Tensor,
    at_least,
    dims_of,
    free_indices,
    maximum,
    position,
    rename,
    substitute,
    tensors,
    total,
)
from lemmata.derivations.calculus.fold import fold
from lemmata.derivations.calculus.latex import latex
from lemmata.derivations.calculus.mutate import faults
from lemmata.derivations.calculus.normal_form import equal, normal_form
from lemmata.derivations.calculus.program import Def, Program, ProgramError
from lemmata.derivations.calculus.prove import decide, is_nonnegative, prove
from lemmata.derivations.calculus.readback import Reader
from lemmata.derivations.calculus.simplify import simplify
from lemmata.derivations.calculus.statement import Equal, Statement

n, V, d = Dim("n"), Dim("V"), Dim("d")
i, k, l = Index("i", n), Index("k", n), Index("l", n)  # noqa: E741 - l is the third index in the usual order
v, u = Index("v", V), Index("u", V)
c = Index("c", d)
ids, other = Tensor("ids", (n,), "index", V), Tensor("t", (n,), "index", V)
f, g, w = Tensor("f", (V,)), Tensor("g", (n,)), Tensor("w", (V, d))
self_ = Tensor("self", (n,), "index", n)  # an axis into itself
trained = Tensor("trained", (V,), "boolean")
x, y = Tensor("x", (n, V)), Tensor("y", (n, d))
pi = Permutation("π", V)

TRUE: dict[str, tuple[Expr, Expr]] = {
    "a lookup is the product with a one-hot matrix": (total(v, Delta(ids(i), v) * f[v]), f[ids(i)]),
    "the order of the sides": (total(v, Delta(v, ids(i)) * f[v]), f[ids(i)]),
    "each position points once": (total(v, Delta(ids(i), v)), ONE),
    "a square": (Delta(ids(i), v) ** 2, Delta(ids(i), v)),
    "two lookups of one table": (
        total(v, Delta(ids(i), v) * Delta(ids(k), v) * f[v]),
        Delta(ids(i), ids(k)) * f[ids(k)],
    ),
    "a row that is read": (Delta(ids(i), v) * f[ids(i)], Delta(ids(i), v) * f[v]),
    "a row that is read, in a sum": (
        total(i, Delta(ids(i), v) * g[i] * f[ids(i)]),
        f[v] * total(i, Delta(ids(i), v) * g[i]),
    ),
    "at a fixed position": (Delta(ids(i), v) * Delta(ids(i), u), Delta(ids(i), v) * Delta(u, v)),
    "all that points somewhere": (total(v, total(i, Delta(ids(i), v) * g[i])), total(i, g[i])),
    "a scatter-add paired with a table": (
        total(v, f[v] * total(i, Delta(ids(i), v) * g[i])),
        total(i, f[ids(i)] * g[i]),
    ),
    "the square of a scatter-add": (
        total(v, total(i, Delta(ids(i), v) * g[i]) ** 2),
        total(i, k, Delta(ids(i), ids(k)) * g[i] * g[k]),
    ),
    "names of bound indices": (total(i, Delta(ids(i), v) * g[i]), total(l, Delta(ids(l), v) * g[l])),
    "a permutation of what is read": (total(v, f[pi(v)]), total(v, f[v])),
    "the trace of a gather": (total(i, v, Delta(ids(i), v) * x[i, v]), total(i, x[i, ids(i)])),
    "at fixed points": (total(i, Delta(self_(i), i) * g[self_(i)]), total(k, Delta(self_(k), k) * g[k])),
    "a maximum over a row": (maximum(v, x[i, v] + f[ids(i)]), f[ids(i)] + maximum(v, x[i, v])),
}  # fmt: skip

FALSE: dict[str, tuple[Expr, Expr]] = {
    "a lookup is no permutation": (total(i, f[ids(i)]), total(v, f[v])),
    "a lookup is not onto": (total(i, Delta(ids(i), v)), ONE),
    "a lookup is not one-to-one": (Delta(ids(i), ids(k)), Delta(i, k)),
    "one lookup for another": (f[ids(i)], f[other(i)]),
    "one place for another": (f[ids(i)], f[ids(k)]),
    "the wrong position": (total(v, Delta(ids(i), v) * x[i, v]), x[i, other(i)]),
    "a duplicate that overwrites": (
        total(v, total(i, Delta(ids(i), v) * g[i]) ** 2),
        total(i, g[i] ** 2),
    ),
    "a permuted position": (total(v, Delta(ids(i), v) * f[pi(v)]), f[ids(i)]),
    "the sum of a scatter-add at one position": (total(i, Delta(ids(i), v) * g[i]), total(i, g[i])),
    "a fixed point everywhere": (total(i, Delta(self_(i), i) * g[i]), total(i, g[self_(i)])),
    "a fixed point": (total(i, Delta(self_(i), i)), ONE),
    "a row that is not read": (Delta(ids(i), v) * f[ids(i)], f[v]),
}


@pytest.mark.parametrize("name", TRUE)
def test_what_holds_of_every_lookup_is_proved(name: str) -> None:
    result = prove(Statement("S1", name, Equal(*TRUE[name])))
    assert result.status == "proved", result.reason


@pytest.mark.parametrize("name", FALSE)
def test_what_holds_of_some_lookups_alone_is_refuted(name: str) -> None:
    result = prove(Statement("S1", name, Equal(*FALSE[name])))
    assert result.status == "refuted"


@pytest.mark.parametrize("name", FALSE)
def test_a_false_equality_is_not_shown_by_the_normal_form(name: str) -> None:
    assert decide(Equal(*FALSE[name]))


def test_the_counterexample_shows_positions_in_range() -> None:
    result = prove(Statement("S1", "false", Equal(f[ids(i)], f[other(i)])))
    assert result.counterexample is not None
    size = result.counterexample.sizes["V"]
    for name in ("ids", "t"):
        assert all(0 <= value < size for value in result.counterexample.values[name].values())


def test_images_are_neither_composed_nor_compared() -> None:
    """A delta stays where its elimination would need the image of an image, or a position as a number."""
    permuted = total(v, Delta(ids(i), v) * f[pi(v)])
    placed = total(v, Delta(ids(i), v) * Place(position(v)))
    later = total(v, Delta(ids(i), v) * at_least(v, 2) * f[v])
    for expr in (permuted, placed, later):
        assert equal(expr, rename(expr, {}))
        assert not equal(expr, f[ids(i)])
        assert not equal(expr, 2 * expr)
    free = Delta(ids(i), v) * Place(position(v)) * f[ids(i)]
    assert equal(free, Delta(ids(i), v) * Place(position(v)) * f[v])
    with pytest.raises(DimensionError, match="permutations and lookups are not composed"):
        rename(f[pi(v)], {v: ids(i)})
    with pytest.raises(DimensionError, match="cannot stand where positions are compared"):
        rename(Place(position(v)), {v: ids(i)})


def test_a_lookup_is_read_and_has_dimensions() -> None:
    assert tensors(f[ids(i)] * Delta(other(k), v)) == (f, ids, other)
    assert set(dims_of(f[ids(i)])) == {V, n}
    assert set(dims_of(Delta(ids(i), v))) == {V, n}
    assert free_indices(f[ids(i)] * Delta(other(k), v)) == (i, k, v)


def test_ill_formed_lookups_are_refused() -> None:
    with pytest.raises(DimensionError, match="runs over a dimension"):
        Tensor("a", (n,), "index")
    with pytest.raises(DimensionError, match="runs over a dimension"):
        Tensor("a", (n,), "real", V)
    with pytest.raises(DimensionError, match="has one axis, not 2"):
        Tensor("a", (n, n), "index", V)
    with pytest.raises(DimensionError, match="g does not hold positions"):
        g(i)
    with pytest.raises(DimensionError, match="v runs over V"):
        ids(v)
    with pytest.raises(DimensionError, match="the axes of g are"):
        g[ids(i)]
    with pytest.raises(DimensionError, match="permuted image of an index is not compared"):
        Delta(pi(v), u)


# Substitution --------------------------------------------------------------------------------------------------------


def test_another_lookup_may_stand_for_one() -> None:
    moved = substitute(f[ids(i)] * Delta(ids(k), v), {ids: lambda place: other[place]})
    assert equal(moved, f[other(i)] * Delta(other(k), v))
    assert equal(substitute(f[ids(i)], {f: lambda row: 2 * f[row] + w[row, c]}), 2 * f[ids(i)] + w[ids(i), c])


def test_nothing_else_may_stand_for_a_lookup() -> None:
    with pytest.raises(DimensionError, match=r"ids holds positions: .* cannot stand for ids\[i\]"):
        substitute(f[ids(i)], {ids: lambda place: g[place]})
    program = Program("gather", (ids, f), (Def(g[i], f[ids(i)]),), (g,))
    assert equal(program.inline(g[i], {ids: lambda place: other[place]}), f[other(i)])
    with pytest.raises(ProgramError, match="ids is index, its replacement"):
        program.inline(g[i], {ids: lambda place: 0 * x[place, v]})


# Derivatives ---------------------------------------------------------------------------------------------------------


GATHER = Program("gather", (ids, w), (Def(y[i, c], w[ids(i), c]),), (y,))


def test_the_gradient_of_a_gather_is_a_scatter_add() -> None:
    derived = vjp(GATHER)
    dy, (dw,) = derived.inputs[-1], derived.outputs
    assert [step.target.indices[0].dim for step in derived.steps if step.tensor == dw] == [V]
    assert equal(derived.inline(dw[v, c]), total(i, Delta(ids(i), v) * dy[i, c]))
    assert not equal(derived.inline(dw[v, c]), total(i, dy[i, c]))


def test_duplicates_are_summed() -> None:
    derived = vjp(GATHER)
    dy, (dw,) = derived.inputs[-1], derived.outputs
    values = {ids: {(0,): 1, (1,): 0, (2,): 1}, dy: {(0,): 3, (1,): 5, (2,): 7}}
    point = Point(
        {n: 3, V: 3, d: 1},
        {
            ids: {cell: Fraction(value) for cell, value in values[ids].items()},
            dy: {(row, 0): Fraction(value) for (row,), value in values[dy].items()},
        },
    )
    entry = evaluator(derived.inline(dw[v, c]))
    assert [entry(point, {v: row, c: 0}) for row in range(3)] == [5, 10, 0]


def test_the_tangent_of_a_gather_is_a_gather() -> None:
    forward = jvp(GATHER)
    tw, (ty,) = forward.inputs[-1], forward.outputs
    assert equal(forward.inline(ty[i, c]), tw[ids(i), c])


def test_an_entry_that_is_read_at_a_lookup_of_its_own_row() -> None:
    """x[i, t(i)]: the lookup depends on an index that the first axis takes."""
    loss = Tensor("loss", (n,))
    for expr in (x[i, other(i)], -x[i, other(i)] + total(v, x[i, v])):
        program = Program("pick", (other, x), (Def(loss[i], expr),), (loss,))
        derived = vjp(program)
        dx, dloss = derived.outputs[0], derived.inputs[-1]
        one_hot = Delta(other(i), v)
        slope = one_hot if expr is not None and expr == x[i, other(i)] else 1 - one_hot
        assert equal(derived.inline(dx[i, v]), dloss[i] * slope)


def test_a_lookup_has_no_gradient() -> None:
    with pytest.raises(NotDifferentiable, match="ids holds positions"):
        vjp(GATHER, (ids,))
    assert vjp(GATHER).outputs[0].name == "dw"
    permuted = Program("p", (f,), (Def(Tensor("z", (V,))[v], f[pi(v)]),), (Tensor("z", (V,)),))
    with pytest.raises(NotDifferentiable, match="through a permutation"):
        vjp(permuted)


def test_the_simplified_gradient_sums_each_row_once() -> None:
    program = Program("e", (ids, w, trained), (Def(y[i, c], Gated(w[ids(i), c], trained[ids(i)])),), (y,))
    step = simplify(vjp(program), program).steps[-1]
    assert str(step) == "dw[v, c] = trained[v]·(Σ_i δ[ids(i), v]·dy[i, c])"


# Gates ---------------------------------------------------------------------------------------------------------------


def test_a_gate_does_not_change_the_value() -> None:
    gated = Gated(f[v] ** 2, trained[v])
    assert equal(gated, f[v] ** 2)
    assert is_nonnegative(gated)
    point = Point({V: 1}, {f: {(0,): Fraction(3)}, trained: {(0,): Fraction(0)}})
    assert evaluator(gated)(point, {v: 0}) == mpmath.mpf(9)


def test_a_gate_stops_the_derivative_once_and_twice() -> None:
    z = Tensor("z", (V,))
    program = Program("g", (f, trained), (Def(z[v], Gated(f[v] ** 3, trained[v])),), (z,))
    reverse, forward = vjp(program), jvp(program)
    dz, (df,) = reverse.inputs[-1], reverse.outputs
    tf, (tz,) = forward.inputs[-1], forward.outputs
    assert equal(reverse.inline(df[v]), 3 * trained[v] * f[v] ** 2 * dz[v])
    assert equal(forward.inline(tz[v]), 3 * trained[v] * f[v] ** 2 * tf[v])
    second = jvp(reverse, (f,))
    assert equal(second.inline(second.outputs[0][v]), 6 * trained[v] * f[v] * dz[v] * second.inputs[-1][v])
    assert equal(substitute(reverse.inline(df[v]), {trained: lambda row: ZERO}), ZERO)


# Blocks --------------------------------------------------------------------------------------------------------------


def test_a_lookup_into_a_cut_dimension_is_a_one_hot_matrix() -> None:
    cut = Split(V, Dim("V1"), Dim("V2"))
    v1, v2 = Index("v", cut.first), Index("v", cut.second)
    t1, t2 = cut.one_hot(ids, 1), cut.one_hot(ids, 2)
    x1, x2 = cut.tensor(x, 1), cut.tensor(x, 2)
    read = cut.apply(x[i, ids(i)])
    assert equal(read, total(v1, t1[i, v1] * x1[i, v1]) + total(v2, t2[i, v2] * x2[i, v2]))
    assert equal(cut.apply(total(v, Delta(ids(i), v) * x[i, v])), read)
    assert equal(cut.apply(Delta(ids(i), v), {v: (2, v2)}), t2[i, v2])
    assert not equal(read, total(v1, t1[i, v1] * x1[i, v1]))
    for sizes in ((1, 2), (2, 1)):
        for where in range(3):
            whole = Point(
                {n: 1, V: 3},
                {ids: {(0,): Fraction(where)}, x: {(0, column): Fraction(column + 1) for column in range(3)}},
            )
            hit = [Fraction(column == where) for column in range(3)]
            parts = Point(
                {n: 1, cut.first: sizes[0], cut.second: sizes[1]},
                {
                    t1: {(0, column): hit[column] for column in range(sizes[0])},
                    t2: {(0, column): hit[sizes[0] + column] for column in range(sizes[1])},
                    x1: {(0, column): Fraction(column + 1) for column in range(sizes[0])},
                    x2: {(0, column): Fraction(sizes[0] + column + 1) for column in range(sizes[1])},
                },
            )
            assert evaluator(read)(parts, {i: 0}) == evaluator(x[i, ids(i)])(whole, {i: 0})


def test_the_axis_of_a_lookup_may_be_cut() -> None:
    cut = Split(n, Dim("n1"), Dim("n2"))
    i1, i2 = Index("i", cut.first), Index("i", cut.second)
    ids1, ids2 = cut.tensor(ids, 1), cut.tensor(ids, 2)
    assert ids1.over == V
    whole = cut.apply(total(i, f[ids(i)] * Delta(ids(i), v)))
    assert equal(whole, total(i1, f[ids1(i1)] * Delta(ids1(i1), v)) + total(i2, f[ids2(i2)] * Delta(ids2(i2), v)))


def test_two_lookups_are_not_compared_across_blocks() -> None:
    with pytest.raises(CannotSplit, match="compares two lookups"):
        Split(V, Dim("V1"), Dim("V2")).apply(Delta(ids(i), other(i)))


# Display, cost, faults -----------------------------------------------------------------------------------------------


def test_lookups_and_gates_are_shown() -> None:
    expr = Gated(w[ids(i), c], trained[ids(i)]) + Delta(ids(k), v)
    assert str(expr) == "gated(w[ids(i), c], trained[ids(i)]) + δ[ids(k), v]"
    assert latex(expr) == (
        r"\operatorname{gated}\left(w_{\mathrm{ids}(i),c}, \mathrm{trained}_{\mathrm{ids}(i)}\right) "
        r"+ \delta_{\mathrm{ids}(k),v}"
    )


@pytest.mark.parametrize("name", TRUE)
def test_a_normal_form_is_read_back_with_its_value(name: str) -> None:
    reader = Reader({n: "i", V: "v", d: "c"}, {})
    for side in TRUE[name]:
        assert equal(side, reader.poly(normal_form(side)))


def test_a_lookup_is_folded() -> None:
    row, loss = Tensor("row", (n,)), Tensor("loss", (n,))
    program = Program(
        "p", (other, x, f), (Def(row[i], total(v, x[i, v])), Def(loss[i], row[i] - 3 * x[i, other(i)])), (loss,)
    )
    assert str(fold(program, program.inline(loss[i])).exprs[0]) == "loss[i]"
    assert str(fold(program, program.inline(row[i]) * x[i, other(i)]).exprs[0]) == "row[i]·x[i, t(i)]"
    assert str(fold(program, program.inline(row[i]) * (1 + x[i, ids(i)])).exprs[0]) == "row[i]·(1 + x[i, ids(i)])"


def test_a_scatter_add_touches_each_term_once() -> None:
    size, features = sympy.Symbol("n", positive=True, integer=True), sympy.Symbol("d", positive=True, integer=True)
    dy = Tensor("dy", (n, d))
    cost = definition_cost(Def(w[v, c], total(i, Delta(ids(i), v) * dy[i, c])))
    assert sympy.expand(cost.flops - size * features) == 0


def test_faults_of_lookups_and_gates_are_planted() -> None:
    expr = total(i, Delta(ids(i), v) * Gated(f[ids(i)], trained[ids(i)])) * g[k]
    planted = {str(fault) for fault in faults(expr)}
    assert "index: f[ids(i)] became f[ids(k)]" in planted
    assert "index: f[ids(i)] became f[v]" in planted
    assert "delta: δ[ids(i), v] became δ[ids(k), v]" in planted
    assert "gate: gated(f[ids(i)], trained[ids(i)]) became f[ids(i)]" in planted


def test_sizes_of_what_is_counted() -> None:
    assert equal(total(i, v, Delta(ids(i), v)), Size(n) * 1)
    assert not equal(total(i, v, Delta(ids(i), v)), Size(V) * 1)
