"""A derivation that is not in the catalogue: the sum of the squares of a row.

lemmata check examples/square_sum.py
lemmata generate examples/square_sum.py -o square_sum_reference.py
"""

from __future__ import annotations

from lemmata.derivations.calculus.expr import Dim, Index, Tensor, total
from lemmata.derivations.calculus.operation import Input, Operation
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.statement import Equal, NonNegative, Statement

n = Dim("n")
i = Index("i", n)
x, y = Tensor("x", (n,)), Tensor("y")


def statements() -> tuple[Statement, ...]:
    op = OPERATIONS[0]
    gradient = op.derived_vjp.inline(op.gradient(x)[i])
    return (
        Statement("S1", "dx = 2 dy x", Equal(gradient, 2 * op.cotangent(y)[()] * x[i])),
        Statement("S2", "never negative", NonNegative(op.value(y[()]))),
    )


OPERATIONS = (
    Operation(
        "square_sum",
        "The sum of the squares of a row.",
        Program("square_sum", (x,), (Def(y[()], total(i, x[i] ** 2), "sum of squares"),), (y,)),
        (x,),
        statements,
        {"x": Input("numbers `[..., n]`")},
        {"y": "sum of squares `[...]`"},
        source="elementary",
    ),
)
