"""What people get wrong, stated as a user would state it: each is refuted with a counterexample, none is proved."""

import pytest
from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.calculus.expr import (
    Dim,
    Expr,
    Index,
    Predicate,
    Replacement,
    Subscript,
    Tensor,
    at_least,
    exp,
    maximum,
    position,
    tanh,
    total,
)
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Claim, Equal, Statement, Step
from lemmata.derivations.softmax import SOFTMAX

q, k, v, keep, bias, scale = ATTENTION.program.inputs
o, lse = ATTENTION.program.outputs
p = ATTENTION.program.tensor("p")
do, dlse = ATTENTION.cotangent(o), ATTENTION.cotangent(lse)
r, i, j = Index("r", q.dims[0]), Index("i", q.dims[1]), Index("j", k.dims[0])
c, e = Index("c", q.dims[2]), Index("e", v.dims[1])
t = Index("t", q.dims[1])


def dp() -> Expr:
    return total(e, do[r, i, e] * v[j, e])


def ds(row_term: Expr) -> Expr:
    return p[r, i, j] * (dp() - row_term)


def right_row_term() -> Expr:
    return total(e, do[r, i, e] * o[r, i, e]) - dlse[r, i]


def gradient(of: Tensor, *indices: Index) -> Expr:
    return ATTENTION.derived_vjp.inline(ATTENTION.gradient(of)[indices])


def inline(expr: Expr) -> Expr:
    return ATTENTION.program.inline(expr)


Inputs = dict[Tensor, Replacement]


def causal(offset: int) -> Inputs:
    def mask(g: Subscript, row: Subscript, key: Subscript) -> Expr:
        assert isinstance(row, Index)
        assert isinstance(key, Index)
        return keep[g, row, key] * at_least(position(row) + offset, key)

    return {keep: mask}


def future_leaks(offset: int) -> Equal:
    """O[i], i ≤ t, unchanged when the keys and values after t change, with key j ≤ i + offset attended to."""
    dk, dv = Tensor("Δk", k.dims), Tensor("Δv", v.dims)

    def after(key: Subscript) -> Expr:
        assert isinstance(key, Index)
        return Predicate(position(key) - t - 1)

    changed: Inputs = {
        **causal(offset),
        k: lambda key, f: k[key, f] + after(key) * dk[key, f],
        v: lambda key, f: v[key, f] + after(key) * dv[key, f],
    }
    past = (Predicate(position(t) - i),)
    left, right = (ATTENTION.program.inline(o[r, i, e], inputs) for inputs in (changed, causal(offset)))
    return Equal(left, right, past)


def shifted_score(name: str) -> Equal:
    """Shift invariance of a function that divides by Σ f(x) instead of Σ exp(x)."""
    n = Dim("n")
    row, column = Index("i", n), Index("j", n)
    x, s, y, shift = Tensor("x", (n,)), Tensor("s"), Tensor("y", (n,)), Tensor("c")

    def weight(index: Subscript) -> Expr:
        if name == "tanh":
            return 2 + tanh(x[index])
        return x[index] ** 2 if name == "square" else exp(x[index])

    numerator = exp(x[row] - maximum(column, x[column])) if name == "max in one place" else weight(row)
    program = Program("own", (x,), (Def(s[()], total(column, weight(column))), Def(y[row], numerator / s[()])), (y,))
    own = Operation("own", "", program, (x,), lambda: ())
    return Equal(own.value(y[row], {x: lambda index: x[index] + shift[()]}), own.value(y[row]))


def softmax_is_linear() -> Equal:
    (x,), (y,) = SOFTMAX.program.inputs, SOFTMAX.program.outputs
    row = Index("i", x.dims[0])
    return Equal(SOFTMAX.value(y[row], {x: lambda index: 2 * x[index]}), 2 * SOFTMAX.value(y[row]))


FALSE: list[tuple[str, Claim]] = [
    ("dQ without the D term", Equal(gradient(q, r, i, c), inline(scale[()] * total(j, p[r, i, j] * dp() * k[j, c])))),
    ("dK without the D term",
     Equal(gradient(k, j, c), inline(scale[()] * total(r, i, p[r, i, j] * dp() * q[r, i, c])))),
    ("D without dLSE",
     Equal(gradient(q, r, i, c), inline(scale[()] * total(j, ds(right_row_term() + dlse[r, i]) * k[j, c])))),
    ("D with the wrong sign", Equal(gradient(bias, r, i, j), inline(ds(-right_row_term())))),
    ("dK without the scale", Equal(gradient(k, j, c), inline(total(r, i, ds(right_row_term()) * q[r, i, c])))),
    ("dK with the scale twice",
     Equal(gradient(k, j, c), inline(scale[()] ** 2 * total(r, i, ds(right_row_term()) * q[r, i, c])))),
    ("dK of one head of the group alone",
     Equal(gradient(k, j, c), inline(scale[()] * total(i, ds(right_row_term()) * q[r, i, c])))),
    ("dQ and dK exchanged",
     Equal(gradient(q, r, i, c), inline(scale[()] * total(j, ds(right_row_term()) * q[r, i, c])))),
    ("causal off by one", future_leaks(1)),
    ("a shift of a sum of tanh", shifted_score("tanh")),
    ("a shift of a sum of squares", shifted_score("square")),
    ("a shift with the maximum in one place alone", shifted_score("max in one place")),
    ("softmax is linear", softmax_is_linear()),
]  # fmt: skip


@pytest.mark.parametrize(("name", "claim"), FALSE, ids=[name for name, _ in FALSE])
def test_false_statement_is_refuted(name: str, claim: Claim) -> None:
    result = prove(Statement("S1", name, claim))
    assert result.status == "refuted"
    found = result.counterexample
    assert found is not None
    assert found.left != found.right
    assert all(size <= 3 for size in found.sizes.values())
    assert all(value.denominator <= 32 for array in found.values.values() for value in array.values())


@pytest.mark.parametrize(("name", "claim"), FALSE[:3], ids=[name for name, _ in FALSE[:3]])
def test_a_chain_does_not_help(name: str, claim: Claim) -> None:
    assert isinstance(claim, Equal)
    for step in (claim.left, claim.right, claim.left + claim.right - claim.left):
        assert prove(Statement("S1", name, claim, (Step(step, "so it is said"),))).status == "refuted"


def test_the_true_neighbours_are_proved() -> None:
    """The same claims without the mistake: it is the mistake that is refuted, not the way of stating it."""
    neighbours: list[Claim] = [
        Equal(gradient(q, r, i, c), inline(scale[()] * total(j, ds(right_row_term()) * k[j, c]))),
        Equal(gradient(k, j, c), inline(scale[()] * total(r, i, ds(right_row_term()) * q[r, i, c]))),
        future_leaks(0),
        future_leaks(-1),
    ]
    assert [prove(Statement("S1", "true", claim)).status for claim in neighbours] == ["proved"] * 4
