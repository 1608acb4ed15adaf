"""Compositions: calls written out, and their derivatives by the derivatives of the parts."""

from __future__ import annotations

import pytest
from lemmata.derivations.calculus.call import Call
from lemmata.derivations.calculus.composite import Composition
from lemmata.derivations.calculus.differentiate import NotDifferentiable, vjp
from lemmata.derivations.calculus.expr import Dim, Expr, Index, Size, Tensor, exp, total
from lemmata.derivations.calculus.normal_form import equal
from lemmata.derivations.calculus.operation import Input, Operation
from lemmata.derivations.calculus.program import Def, Program, ProgramError

d, n, k = Dim("d"), Dim("n"), Dim("k")
c, i, f = Index("c", d), Index("i", n), Index("f", k)

x, w, half = Tensor("x", (d,)), Tensor("w", (d,)), Tensor("half")
a, s, y = Tensor("a", (d,)), Tensor("s"), Tensor("y", (d,))
PART = Operation(
    "part",
    "A row weighted and scaled by its sum; `half` is 1/size by default.",
    Program(
        "part",
        (x, w, half),
        (
            Def(a[c], exp(x[c]) * w[c]),
            Def(s[()], half[()] * total(c, a[c])),
            Def(y[c], a[c] * s[()]),
        ),
        (y, s),
    ),
    (x, w),
    tuple,
    {"x": Input("row"), "w": Input("weights", shared=True), "half": Input("factor", 1 / Size(d))},
)

u, v, r, z = Tensor("u", (n, k)), Tensor("v", (k,)), Tensor("r", (n, k)), Tensor("z", (n, k))
CALL = Call(PART.part, "value", (i,), {x: u[i, f], w: v[f]}, {y: r})
WHOLE = Composition("whole", (u, v), (CALL, Def(z[i, f], r[i, f] * v[f] + u[i, f])), (z,))


def written_out() -> Program:
    """The same program by hand."""
    e = Tensor("e", (n, k))
    t = Tensor("t", (n,))
    g = Index("g", k)
    steps = (
        Def(e[i, f], exp(u[i, f]) * v[f]),
        Def(t[i], total(g, e[i, g]) / Size(k)),
        Def(z[i, f], e[i, f] * t[i] * v[f] + u[i, f]),
    )
    return Program("by hand", (u, v), steps, (z,))


def same(left: Program, right: Program, entry: Expr, other: Expr) -> bool:
    return equal(left.inline(entry), right.inline(other))


def test_a_call_written_out_is_its_definitions_over_the_sizes_and_defaults_of_the_place() -> None:
    assert same(WHOLE.expanded, written_out(), z[i, f], z[i, f])
    assert [step.tensor.name for step in WHOLE.expanded.steps] == ["a", "s", "r", "z"]
    assert WHOLE.expanded.defined[Tensor("s", (n,))].indices[0].dim == n


def test_another_default_is_another_program() -> None:
    wrong = Composition("wrong", (u, v), (CALL, Def(z[i, f], r[i, f] * v[f])), (z,))
    assert not same(wrong.expanded, written_out(), z[i, f], z[i, f])


def test_the_gradient_by_the_parts_is_that_of_the_whole() -> None:
    by_parts = WHOLE.vjp((u, v)).expanded
    direct = Operation("by hand", "", written_out(), (u, v), tuple).derived_vjp
    du, dv = by_parts.outputs
    assert (du.dims, dv.dims) == ((n, k), (k,))
    assert same(by_parts, direct, du[i, f], direct.outputs[0][i, f])
    assert same(by_parts, direct, dv[f], direct.outputs[1][f])


def test_the_gradient_is_a_call_of_the_gradient_of_the_part() -> None:
    calls = [step for step in WHOLE.vjp((u, v)).steps if isinstance(step, Call)]
    assert [(call.part.name, call.kind) for call in calls] == [("part", "value"), ("part", "vjp")]
    assert {name.name: name.dims for name in calls[1].results.values()} == {"du_part": (n, k), "dv_part": (k,)}


def test_the_tangent_by_the_parts_is_that_of_the_whole() -> None:
    by_parts = WHOLE.jvp((u, v)).expanded
    direct = Operation("by hand", "", written_out(), (u, v), tuple).derived_jvp
    assert same(by_parts, direct, by_parts.outputs[0][i, f], direct.outputs[0][i, f])


def test_an_input_that_is_not_asked_for_has_no_gradient_and_no_tangent() -> None:
    backward = WHOLE.vjp((u,))
    assert [t.name for t in backward.outputs] == ["du"]
    assert all("dv" not in t.name for step in backward.steps if isinstance(step, Call) for t in step.results.values())
    assert [t.name for t in WHOLE.jvp((v,)).inputs] == ["u", "v", "tv"]


def test_an_output_that_is_used_again_has_the_gradient_of_both() -> None:
    both = Composition("both", (u, v), WHOLE.steps, (r, z))
    backward = both.vjp((v,)).expanded
    hand = written_out()
    direct = Operation("by hand", "", Program("", hand.inputs, _with_r(hand), (r, z)), (u, v), tuple).derived_vjp
    assert same(backward, direct, backward.outputs[0][f], direct.outputs[1][f])


def _with_r(program: Program) -> tuple[Def, ...]:
    e, t = (step.tensor for step in program.steps[:2])
    return (*program.steps[:2], Def(r[i, f], e[i, f] * t[i]), Def(z[i, f], r[i, f] * v[f] + u[i, f]))


def test_an_argument_broadcasts_along_the_axes_that_it_lacks() -> None:
    matrix, row = Tensor("matrix", (n, k)), Tensor("row", (k,))
    out = Tensor("out", (n, k))
    program = Program("square", (matrix,), (Def(out[i, f], matrix[i, f] * matrix[i, f]),), (out,))
    part = Operation("square", "", program, (matrix,), tuple)
    result = Tensor("result", (n, k))
    whole = Composition("whole", (row, u), (Call(part.part, "value", (), {matrix: row[f]}, {out: result}),), (result,))
    gradient = whole.vjp((row,)).expanded
    cotangent = gradient.inputs[2]
    assert equal(gradient.inline(gradient.outputs[0][f]), total(i, 2 * row[f] * cotangent[i, f]))


def test_arguments_that_disagree_about_a_size_are_refused() -> None:
    call = Call(PART.part, "value", (), {x: v[f], w: Tensor("w", (n,))[i]}, {y: r})
    with pytest.raises(ProgramError, match="d is k and n"):
        _ = call.dims


def test_an_output_that_does_not_depend_on_an_input_is_refused() -> None:
    alone = Composition("alone", (u, v), (Def(z[i, f], u[i, f]),), (z,))
    with pytest.raises(NotDifferentiable, match="no output depends on v"):
        alone.vjp((v,))


def test_an_argument_that_moves_where_the_part_has_no_derivative_is_refused() -> None:
    """`half` of the part counts as a constant: the gradient of v would lack what goes through it."""
    row = Tensor("t", (n,))
    call = Call(PART.part, "value", (i,), {x: u[i, f], w: v[f], half: row[i]}, {y: r})
    whole = Composition("whole", (u, v, row), (call,), (r,))
    assert whole.vjp((u, v)).outputs
    for derivative in (whole.vjp, whole.jvp):
        with pytest.raises(NotDifferentiable, match=r"part gives no derivative by half, which is t\[i\] here"):
            derivative((u, row))


def test_an_output_that_does_not_move_has_the_tangent_zero() -> None:
    still = Tensor("still", (k,))
    both = Composition("both", (u, v), (CALL, Def(still[f], 2 * v[f])), (r, still))
    moved = both.jvp((u,)).expanded
    assert [t.name for t in moved.outputs] == ["tr", "tstill"]
    assert equal(moved.inline(moved.outputs[1][f]), 0 * v[f])


@pytest.mark.parametrize("places", [(0, 1), (1, 0), (0, 0), (1, 1)])
@pytest.mark.parametrize("parameter", ["x", "w"], ids=["an argument", "a parameter"])
def test_the_gradient_of_an_argument_with_its_axes_in_another_order_or_on_a_diagonal(
    places: tuple[int, int], parameter: str
) -> None:
    over = (i, Index("j", n))
    cube, out = Tensor("cube", (n, n, k)), Tensor("out", (n, n, k))
    entry = cube[over[places[0]], over[places[1]], f]
    arguments = {x: entry, w: v[f]} if parameter == "x" else {x: u[i, f], w: entry}
    call = Call(PART.part, "value", over, arguments, {y: out})
    whole = Composition("whole", (cube, u, v), (call,), (out,))
    by_parts, direct = whole.vjp((cube,)).expanded, vjp(whole.expanded, (cube,))
    at = (Index("a", n), Index("b", n), f)
    assert by_parts.outputs[0].dims == cube.dims
    assert same(by_parts, direct, by_parts.outputs[0][at], direct.outputs[0][at])
