"""A function that is not invariant to a shift: a sigmoid of each logit, divided by the sum."""

from __future__ import annotations

from lemmata.derivations.calculus.expr import Dim, Index, Tensor, exp, total
from lemmata.derivations.calculus.operation import Input, Operation
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.statement import Equal, Statement

n = Dim("n")
i, j = Index("i", n), Index("j", n)
x, a, y = Tensor("x", (n,)), Tensor("a", (n,)), Tensor("y", (n,))
shift = Tensor("c")


def statements() -> tuple[Statement, ...]:
    op = OPERATIONS[0]
    moved = op.value(y[i], {x: lambda k: x[k] + shift[()]})
    return (Statement("S1", "y(x + c) = y(x) for every number c", Equal(moved, op.value(y[i]))),)


OPERATIONS = (
    Operation(
        "normalised_sigmoid",
        "Sigmoids of a row, divided by their sum.",
        Program(
            "normalised_sigmoid",
            (x,),
            (Def(a[i], 1 / (1 + exp(-x[i])), "sigmoids"), Def(y[i], a[i] / total(j, a[j]), "shares")),
            (y,),
        ),
        (x,),
        statements,
        {"x": Input("logits `[..., n]`")},
        {"y": "shares `[..., n]`"},
    ),
)
