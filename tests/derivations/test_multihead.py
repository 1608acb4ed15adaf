"""Multi-head attention as a composition: its gradients are calls and products, and wrong ones are refuted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lemmata.derivations import multihead as heads
from lemmata.derivations.calculus.call import Call
from lemmata.derivations.calculus.differentiate import vjp
from lemmata.derivations.calculus.expr import Expr, Tensor, total
from lemmata.derivations.calculus.program import Def
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Equal, Statement
from lemmata.derivations.multihead import COMPOSITION, DIFFERENTIABLE, cq, e, g, i, r, u, w_o, w_q, x_q

BACKWARD = COMPOSITION.vjp(DIFFERENTIABLE)


def test_the_gradient_calls_that_of_attention_once_and_expands_nothing() -> None:
    new = BACKWARD.steps[len(COMPOSITION.steps) :]
    (call,) = [step for step in new if isinstance(step, Call)]
    assert (call.part.name, call.kind) == ("attention", "vjp")
    assert [name.name for name in call.results.values()] == ["dq", "dk", "dv", "dbias"]
    assert str(new[0]) == "do[g, r, i, u] = Σ_f dy[i, f]·w_o[g, r, f, u]"
    shown = [str(step) for step in new if isinstance(step, Def)]
    assert "dw_q[g, r, e, c] = Σ_i dq[g, r, i, e]·x_q[i, c]" in shown
    assert "dw_o[g, r, f, u] = Σ_i dy[i, f]·o[g, r, i, u]" in shown
    assert "db_k[g, e] = Σ_j dk[g, j, e]" in shown


def test_the_scale_is_that_of_a_head() -> None:
    scores = heads.MULTI_HEAD_ATTENTION.program.defined[heads.MULTI_HEAD_ATTENTION.program.tensor("s")]
    assert "√d_h" in str(scores)


def test_written_out_the_gradient_of_a_value_bias_is_what_differentiation_of_everything_gives() -> None:
    direct = heads.MULTI_HEAD_ATTENTION.program
    whole, parts = vjp(direct, [heads.b_o]), COMPOSITION.vjp([heads.b_o]).expanded
    f = heads.f
    claim = Equal(parts.inline(parts.outputs[0][f]), whole.inline(whole.outputs[0][f]))
    assert prove(Statement("S1", "the same gradient", claim)).status == "proved"


def gradient(tensor_name: str) -> Expr:
    derived = BACKWARD.opaque
    outputs = dict(zip((t.name for t in DIFFERENTIABLE), BACKWARD.outputs, strict=True))
    at = {"w_q": (g, r, e, cq), "x_q": (i, cq)}[tensor_name]
    keep = frozenset(derived.tensor(name) for name in ("dq", "dk", "dv"))
    return derived.inline(outputs[tensor_name][at], {}, keep)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("w_q", lambda dq: total(i, dq[g, r, i, e] * x_q[i, cq]) * 2),
        ("x_q", lambda dq: total(r, e, dq[g, r, i, e] * w_q[g, r, e, cq])),  # one group alone
    ],
)
def test_a_wrong_gradient_is_refuted(name: str, wrong: Callable[[Tensor], Expr]) -> None:
    claim = Equal(gradient(name), wrong(BACKWARD.opaque.tensor("dq")))
    assert prove(Statement("S1", "wrong", claim)).status == "refuted"


def test_one_head_without_the_others_is_not_the_output() -> None:
    o, y, b_o, f = heads.o, heads.y, heads.b_o, heads.f
    one = total(u, o[g, r, i, u] * w_o[g, r, f, u]) + b_o[f]
    claim = Equal(COMPOSITION.opaque.inline(y[i, f]), one)
    assert prove(Statement("S1", "wrong", claim)).status == "refuted"
