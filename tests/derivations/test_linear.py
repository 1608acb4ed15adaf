"""Linear layers: the form of their gradients, and what is nearly right about them."""

from __future__ import annotations

import pytest
from lemmata.derivations.calculus.expr import ZERO, Index, Replacement, Tensor, total
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Claim, Equal, Statement
from lemmata.derivations.linear import LINEAR, QKV, bias, c, d_in, d_out, e, i, weight, x, y


def gradient(operation: Operation) -> list[str]:
    return [str(step) for step in operation.vjp.steps if step.tensor not in operation.program.defined]


def test_the_gradients_are_matrix_products() -> None:
    assert gradient(LINEAR) == [
        "dx[i, c] = Σ_e dy[i, e]·weight[e, c]",
        "dweight[e, c] = Σ_i dy[i, e]·x[i, c]",
        "dbias[e] = Σ_i dy[i, e]",
    ]
    assert "dw_k[f, c] = Σ_i dk[i, f]·x[i, c]" in gradient(QKV)


@pytest.mark.parametrize("operation", [LINEAR, QKV], ids=lambda operation: operation.name)
def test_parameters_are_shared_and_a_bias_may_be_left_out(operation: Operation) -> None:
    for name, spec in operation.inputs.items():
        assert spec.shared == (name != "x")
        assert spec.default == (ZERO if name.startswith("b") else None)


def wrong() -> dict[str, Claim]:
    dy = LINEAR.cotangent(y)
    alpha, t, u = Tensor("alpha"), Index("t", i.dim), Tensor("u", x.dims)
    out = Index("f", d_in)
    derived = LINEAR.derived_vjp.inline
    w2, b2 = Tensor("weight2", (d_in, d_out)), Tensor("bias2", (d_in,))
    scaled: dict[Tensor, Replacement] = {x: lambda row, k: alpha[()] * x[row, k]}
    added: dict[Tensor, Replacement] = {x: lambda row, k: x[row, k] + u[row, k]}
    other: dict[Tensor, Replacement] = {x: lambda row, k: u[row, k]}
    Y = LINEAR.value(y[i, e])
    return {
        "linear with a bias": Equal(LINEAR.value(y[i, e], scaled), alpha[()] * Y),
        "additive with a bias": Equal(LINEAR.value(y[i, e], added), Y + LINEAR.value(y[i, e], other)),
        "one token's gradient of the weights": Equal(derived(LINEAR.gradient(weight)[e, c]), dy[i, e] * x[i, c]),
        "one token's gradient of the bias": Equal(derived(LINEAR.gradient(bias)[e]), dy[i, e]),
        "gradient of another token": Equal(derived(LINEAR.gradient(x)[i, c]), total(e, dy[t, e] * weight[e, c])),
        "the inner bias dropped by a composition": Equal(
            total(e, Y * w2[out, e]) + b2[out],
            total(c, x[i, c] * total(e, w2[out, e] * weight[e, c])) + b2[out],
        ),
        "pairing without the bias": Equal(
            total(i, c, derived(LINEAR.gradient(x)[i, c]) * x[i, c]), total(i, e, dy[i, e] * Y)
        ),
    }


@pytest.mark.parametrize("name", wrong())
def test_what_is_nearly_right_is_refuted(name: str) -> None:
    result = prove(Statement("S0", name, wrong()[name]))
    assert result.status == "refuted", result
