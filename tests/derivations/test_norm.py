"""Norms: the form of their gradients, and what is nearly right about them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from lemmata.derivations.calculus.expr import ONE, ZERO, Expr, Index, Replacement, Size, Tensor, tensors, total
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.program import Program
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Claim, Equal, Statement
from lemmata.derivations.norm import ADD_LAYER_NORM, ADD_RMS_NORM, LAYER_NORM, RMS_NORM
from lemmata.derivations.norm_program import average, bias, c, d, eps, f, mean, ms, r, rstd, s, var, weight, x, xhat, y


def own(program: Program, operation: Operation) -> list[str]:
    return [str(step) for step in program.steps if step.tensor not in operation.program.defined]


def test_layer_norm_is_differentiated_to_the_form_that_people_write() -> None:
    assert own(LAYER_NORM.vjp, LAYER_NORM) == [
        "dxhat[c] = weight[c]·dy[c]",
        "delta = (Σ_f dxhat[f])/d",
        "delta_2 = (Σ_f xhat[f]·dxhat[f])/d",
        "dx[c] = rstd·(dxhat[c] − delta − delta_2·xhat[c])",
        "dweight[c] = dy[c]·xhat[c]",
        "dbias[c] = dy[c]",
    ]
    assert own(LAYER_NORM.jvp, LAYER_NORM) == [
        "delta = (Σ_f tx[f])/d",
        "delta_2 = (Σ_f tx[f]·xhat[f])/d",
        "ty[c] = tbias[c] + tweight[c]·xhat[c] + rstd·weight[c]·(tx[c] − delta − delta_2·xhat[c])",
    ]


def test_rms_norm_is_differentiated_to_the_form_that_people_write() -> None:
    assert own(RMS_NORM.vjp, RMS_NORM) == [
        "dxhat[c] = weight[c]·dy[c]",
        "delta = (Σ_f xhat[f]·dxhat[f])/d",
        "dx[c] = rstd·(dxhat[c] − delta·xhat[c])",
        "dweight[c] = dy[c]·xhat[c]",
    ]


@pytest.mark.parametrize("operation", [ADD_LAYER_NORM, ADD_RMS_NORM], ids=lambda operation: operation.name)
def test_the_residual_path_adds_its_cotangent_once(operation: Operation) -> None:
    steps = {step.tensor.name: str(step.value) for step in operation.vjp.steps}
    assert steps["ds_total"].startswith("ds[c] + rstd·(")
    assert (steps["dx"], steps["dr"]) == ("ds_total[c]", "ds_total[c]")


@pytest.mark.parametrize("operation", [LAYER_NORM, ADD_LAYER_NORM], ids=lambda operation: operation.name)
def test_the_mean_is_subtracted_before_anything_is_squared(operation: Operation) -> None:
    """Mean(x²) − mean(x)² is right and useless where |mean| ≫ std: neither a value nor a gradient may hold a square of
    the row itself, or a product of the row with the mean."""
    row = x if operation is LAYER_NORM else s
    for program in (operation.program, operation.vjp, operation.jvp):
        readers = [step.tensor.name for step in program.steps if row in tensors(step.value)]
        assert set(readers) <= {"mean", "centred"}


def layer_gradient(middle: Expr, product: Expr, factor: Expr = ONE) -> Claim:
    """The gradient of layer norm with its two means and a factor as given."""
    dy = LAYER_NORM.cotangent(y)
    form = factor * rstd[()] * (dy[c] * weight[c] - middle - xhat[c] * product)
    return Equal(LAYER_NORM.derived_vjp.inline(LAYER_NORM.gradient(x)[c]), LAYER_NORM.program.inline(form))


def wrong() -> dict[str, Claim]:
    dy, ds = LAYER_NORM.cotangent(y), ADD_LAYER_NORM.cotangent(s)
    g = dy[f] * weight[f]
    beta, a = Tensor("beta", (), "positive"), Tensor("a")
    exact: dict[Tensor, Replacement] = {eps: lambda: ZERO}
    scaled: dict[Tensor, Replacement] = {x: lambda k: beta[()] * x[k]}
    shifted: dict[Tensor, Replacement] = {x: lambda k: x[k] + a[()]}
    value, derived = LAYER_NORM.program.inline, LAYER_NORM.derived_vjp.inline
    k = Index("k", d)
    return {
        "without the mean of the gradient": layer_gradient(ZERO, average(f, g * xhat[f])),
        "without the mean of the product": layer_gradient(average(f, g), ZERO),
        "weight forgotten in the means": layer_gradient(average(f, dy[f]), average(f, dy[f] * xhat[f])),
        "sums for means": layer_gradient(total(f, g), total(f, g * xhat[f])),
        "a second rstd": layer_gradient(average(f, g), average(f, g * xhat[f]), rstd[()]),
        "scale invariance whatever eps is": Equal(LAYER_NORM.value(y[c], scaled), LAYER_NORM.value(y[c])),
        "invariance to a scale of any sign": Equal(
            LAYER_NORM.value(y[c], {**exact, x: lambda at: a[()] * x[at]}), LAYER_NORM.value(y[c], exact)
        ),
        "unit variance whatever eps is": Equal(value(average(c, xhat[c] ** 2)), ONE),
        "variance divided by d − 1": Equal(value(var[()]), value(total(f, (x[f] - mean[()]) ** 2)) / (Size(d) - 1)),
        "variance without the square of the mean": Equal(value(var[()]), average(f, x[f] ** 2)),
        "eps outside the root": Equal(value(rstd[()]), value(1 / (var[()] ** Fraction(1, 2) + eps[()]))),
        "dbias multiplied by xhat": Equal(derived(LAYER_NORM.gradient(bias)[c]), value(dy[c] * xhat[c])),
        "RMS norm is invariant to a shift": Equal(RMS_NORM.value(y[c], shifted), RMS_NORM.value(y[c])),
        "gradients of RMS norm sum to 0": Equal(total(k, RMS_NORM.derived_vjp.inline(RMS_NORM.gradient(x)[k])), ZERO),
        "RMS norm of any row is layer norm": Equal(
            RMS_NORM.value(y[c]), LAYER_NORM.value(y[c], {bias: lambda _: ZERO})
        ),
        "residual cotangent dropped": Equal(
            ADD_LAYER_NORM.derived_vjp.inline(ADD_LAYER_NORM.gradient(x)[c]),
            LAYER_NORM.derived_vjp.inline(LAYER_NORM.gradient(x)[c], {x: lambda at: x[at] + r[at]}),
        ),
        "residual cotangent twice": Equal(
            ADD_LAYER_NORM.derived_vjp.inline(ADD_LAYER_NORM.gradient(x)[c]),
            2 * ds[c] + LAYER_NORM.derived_vjp.inline(LAYER_NORM.gradient(x)[c], {x: lambda at: x[at] + r[at]}),
        ),
        "mean square with eps": Equal(RMS_NORM.program.inline(average(c, xhat[c] ** 2)), RMS_NORM.value(ms[()])),
    }


@pytest.mark.parametrize("name", wrong())
def test_what_is_nearly_right_is_refuted(name: str) -> None:
    result = prove(Statement("S0", name, wrong()[name]))
    assert result.status == "refuted", result
