"""Embedding and tied output: the forms of their gradients, their cost, and false statements about them."""

from __future__ import annotations

import pytest
import sympy
from lemmata.derivations.calculus.cost import definition_cost
from lemmata.derivations.calculus.expr import Delta, Expr, Index, Tensor, total
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Equal, Statement
from lemmata.derivations.embedding import EMBEDDING, TIED_OUTPUT, V, c, h, i, ids, logits, trained, v, w, y


def gradient(operation: Operation) -> list[str]:
    own = set(operation.program.steps)
    return [str(step) for step in operation.vjp.steps if step not in own]


def test_the_gradients_have_the_forms_that_people_write() -> None:
    assert gradient(EMBEDDING) == ["dw[v, c] = trained[v]·(Σ_i δ[ids(i), v]·dy[i, c])"]
    assert gradient(TIED_OUTPUT) == [
        "dh[i, c] = Σ_v dlogits[i, v]·w[v, c]",
        "dw[v, c] = Σ_i dlogits[i, v]·h[i, c]",
    ]


def test_a_lookup_costs_nothing_and_its_gradient_one_addition_for_each_entry_read() -> None:
    assert definition_cost(EMBEDDING.program.steps[0]).flops == 0
    n, d, rows = (sympy.Symbol(name, positive=True, integer=True) for name in ("n", "d", "V"))
    (step,) = (s for s in EMBEDDING.vjp.steps if s.tensor.name == "dw")
    assert sympy.expand(definition_cost(step).flops - n * d - rows * d) == 0  # and one product for each entry of it


def derived(entry: Expr, operation: Operation = EMBEDDING) -> Expr:
    return operation.derived_vjp.inline(entry)


def false_claims() -> dict[str, Equal]:
    dy, tw = EMBEDDING.cotangent(y), EMBEDDING.tangent(w)
    dw = EMBEDDING.gradient(w)
    padding = Index("padding", V)
    other = Tensor("u", w.dims)
    dl = TIED_OUTPUT.cotangent(logits)
    return {
        "the padding row has a gradient": Equal(derived(dw[v, c]), total(i, Delta(ids(i), v) * dy[i, c])),
        "the padding row has the value 0": Equal(
            EMBEDDING.value(y[i, c], {trained: lambda row: 1 - Delta(row, padding)}),
            (1 - Delta(ids(i), padding)) * w[ids(i), c],
        ),
        "every row has the gradient of every token": Equal(derived(dw[v, c]), trained[v] * total(i, dy[i, c])),
        "the tangent of an untrained row moves": Equal(
            EMBEDDING.derived_jvp.inline(EMBEDDING.tangent(y)[i, c]), tw[ids(i), c]
        ),
        "affine instead of linear": Equal(
            EMBEDDING.value(y[i, c], {w: lambda row, f: w[row, f] + other[row, f]}), w[ids(i), c]
        ),
        "the rows sum to the cotangents although some are not trained": Equal(
            derived(total(v, dw[v, c])), total(i, dy[i, c])
        ),
        "the table is used once": Equal(derived(TIED_OUTPUT.gradient(w)[v, c], TIED_OUTPUT), dl[i, v] * h[i, c]),
    }


@pytest.mark.parametrize("name", false_claims())
def test_a_false_statement_is_refuted(name: str) -> None:
    assert prove(Statement("S1", name, false_claims()[name])).status == "refuted"


def test_a_tied_table_needs_both_uses() -> None:
    """S6 with either of its two terms left out is false."""
    (statement,) = (s for s in TIED_OUTPUT.statements() if s.label == "S6")
    claim = statement.claim
    assert isinstance(claim, Equal)
    as_input, as_output = claim.right.terms  # type: ignore[attr-defined]  # a sum of two, by its construction
    for half in (as_input, as_output):
        assert prove(Statement("S6", "half of it", Equal(claim.left, half))).status == "refuted"
