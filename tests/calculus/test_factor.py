"""Factored definitions: common factors, groups of terms, names for what is constant along a row."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from lemmata.derivations.calculus.expr import Dim, Expr, Index, Size, Tensor, total
from lemmata.derivations.calculus.factor import factored
from lemmata.derivations.calculus.normal_form import equal, normal_form
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.readback import Reader

n = Dim("n")
i, j = Index("i", n), Index("j", n)
x, y, u, v, w = (Tensor(name, (n,)) for name in "xyuvw")
s, t = Tensor("s"), Tensor("t")
out = Tensor("out", (n,))
PROGRAM = Program("given", (s, t, x, y, u, v, w), (), ())
READER = Reader({n: "j"}, {tensor: place for place, tensor in enumerate(PROGRAM.inputs)})


def written(value: Expr, *definitions: Def) -> list[Def]:
    return factored(Def(out[i], value), normal_form(value), list(definitions), READER, PROGRAM)


def text(value: Expr) -> list[str]:
    return [str(step) for step in written(value)]


def mean(body: Expr) -> Expr:
    return total(j, body) / Size(n)


CASES: list[tuple[Expr, list[str]]] = [
    # A factor that all terms share.
    (s[()] * x[i] * u[i] + s[()] * x[i] * v[i], ["out[i] = s·x[i]·(u[i] + v[i])"]),
    # A term that is constant along the row.
    (x[i] - mean(x[j]), ["delta = (Σ_j x[j])/n", "out[i] = x[i] − delta"]),
    # A factor that is constant along the row, with its numbers.
    (
        x[i] - y[i] * mean(x[j] * y[j]),
        ["delta = (Σ_j x[j]·y[j])/n", "out[i] = x[i] − delta·y[i]"],
    ),
    # Both.
    (
        s[()] * (x[i] - mean(x[j]) - y[i] * mean(x[j] * y[j])),
        ["delta = (Σ_j x[j])/n", "delta_2 = (Σ_j x[j]·y[j])/n", "out[i] = s·(x[i] − delta − delta_2·y[i])"],
    ),
    # A factor that some terms share, those that reduce a row among them.
    (
        u[i] + s[()] * w[i] * (x[i] - mean(x[j]) - y[i] * mean(x[j] * y[j])),
        ["delta = (Σ_j x[j])/n", "delta_2 = (Σ_j x[j]·y[j])/n", "out[i] = u[i] + s·w[i]·(x[i] − delta − delta_2·y[i])"],
    ),
    # No group without a reduction.
    (u[i] + s[()] * x[i] + s[()] * y[i], ["out[i] = s·x[i] + s·y[i] + u[i]"]),
    (u[i] - u[i], ["out[i] = 0"]),
]


@pytest.mark.parametrize(("value", "expected"), CASES, ids=lambda case: case[-1] if isinstance(case, list) else "")
def test_forms(value: Expr, expected: list[str]) -> None:
    assert text(value) == expected


@pytest.mark.parametrize("value", [value for value, _ in CASES], ids=str)
def test_the_form_has_the_value(value: Expr) -> None:
    *rows, last = written(value)
    program = Program("written", PROGRAM.inputs, (*rows, last), (out,))
    assert equal(program.inline(out[i]), value)


def test_a_name_that_is_taken_is_not_given_again() -> None:
    taken = Def(Tensor("delta")[()], total(j, y[j]))
    assert [step.tensor.name for step in written(x[i] - mean(x[j]), taken)] == ["delta_2", "out"]


def test_what_was_defined_before_is_not_computed_again() -> None:
    earlier = Def(Tensor("before", (n,))[i], x[i] - mean(x[j]))
    assert [str(step) for step in written(x[i] - mean(x[j]), earlier)] == ["out[i] = before[i]"]


SHOW = """
from lemmata.derivations.norm import OPERATIONS as norms
from lemmata.derivations.optimizer import OPERATIONS as optimizers
for operation in (*norms, *optimizers):
    print(operation.vjp, operation.jvp, sep="\\n")
"""


def test_the_form_does_not_depend_on_the_hashes_of_the_process() -> None:
    forms = {
        subprocess.run(
            [sys.executable, "-c", SHOW],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(forms) == 1
