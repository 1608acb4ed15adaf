"""Losses: the forms of their gradients, and false statements that people have shipped."""

from __future__ import annotations

import pytest
from lemmata.derivations.calculus.expr import ONE, ZERO, Delta, Replacement, Size, Tensor, exp, log, total
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Equal, Statement
from lemmata.derivations.loss import CROSS_ENTROPY, LINEAR, OPERATIONS, SMOOTHED, SOFT
from lemmata.derivations.loss_program import (
    V,
    c,
    h,
    i,
    k,
    keep,
    logsumexp,
    loss,
    mean,
    n,
    plain_share,
    probability,
    row_cotangent,
    smoothing,
    target,
    u,
    unweighted,
    v,
    w,
    weight,
    weighted_share,
    whole,
    without_z,
    x,
    y,
    zeta,
)


def gradient(operation: Operation) -> list[str]:
    own = {step.tensor for step in operation.program.steps}
    return [str(step) for step in operation.vjp.steps if step.tensor not in own]


def test_the_gradients_have_the_forms_that_people_write() -> None:
    common = ["dtotal_total = dtotal + dmean/norm", "dloss_total[i] = dtotal_total + dloss[i]"]
    assert gradient(CROSS_ENTROPY) == [
        *common,
        "dz[i] = keep[i]·dloss_total[i]·(weight[target(i)] + 2·zeta·lse[i])/z[i]",
        "dx[i, v] = a[i, v]·dz[i] − δ[target(i), v]·weight[target(i)]·keep[i]·dloss_total[i]",
    ]
    assert gradient(LINEAR) == [
        *gradient(CROSS_ENTROPY),
        "dh[i, c] = Σ_v dx[i, v]·w[v, c]",
        "dw[v, c] = Σ_i dx[i, v]·h[i, c]",
    ]
    assert gradient(SOFT)[2:] == [
        "dz[i] = keep[i]·dloss_total[i]·(2·zeta·lse[i] + Σ_v y[i, v]·weight[v])/z[i]",
        "dx[i, v] = a[i, v]·dz[i] − y[i, v]·weight[v]·keep[i]·dloss_total[i]",
        "dy[i, v] = -weight[v]·keep[i]·logp[i, v]·dloss_total[i]",
    ]


def test_a_row_is_reduced_once_in_the_tangent() -> None:
    for operation in OPERATIONS:
        shown = [str(step) for step in operation.jvp.steps]
        (name,) = (text for text in shown if text.startswith("tz[i] = Σ_v "))
        assert sum("Σ_v" in text and "tx" in text and "a[i, v]" in text for text in shown) == 1, name


def cross_entropy_claims() -> dict[str, Equal]:
    op = CROSS_ENTROPY
    value, derived = op.value, op.derived_vjp.inline
    plain: dict[Tensor, Replacement] = {**unweighted, **without_z}
    p, dx = probability(i, v), op.gradient(x)[i, v]
    g, share = row_cotangent(op, weighted_share), total(k, weighted_share(k))
    shift = Tensor("c", (n,))
    row = value(loss[i], {keep: lambda _: ONE})
    return {
        "the loss of the most likely class": Equal(value(loss[i], plain), -keep[i] * log(probability(i, v))),
        "the mean over all rows": Equal(value(mean[()]), total(i, keep[i] * row) / Size(n)),
        "the mean over kept rows, weights or not": Equal(value(mean[()]), total(i, keep[i] * row) / total(k, keep[k])),
        "ignored rows count": Equal(value(whole[()]), total(i, row)),
        "p − y in ignored rows": Equal(derived(dx, plain), g * 0 + (p - Delta(target(i), v)) * op.cotangent(loss)[i]),
        "the target is not subtracted": Equal(derived(dx, plain), row_cotangent(op, plain_share) * p),
        "the gradient of the z-loss without its 2": Equal(
            derived(dx), g * (weight[target(i)] * (p - Delta(target(i), v)) + zeta[()] * logsumexp(i) * p)
        ),
        "the z-loss weighted by class": Equal(
            value(loss[i]),
            keep[i] * weight[target(i)] * (logsumexp(i) - x[i, target(i)] + zeta[()] * logsumexp(i) ** 2),
        ),
        "the mean without its norm in the gradient": Equal(
            derived(dx, without_z),
            keep[i]
            * (op.cotangent(loss)[i] + op.cotangent(whole)[()] + op.cotangent(mean)[()])
            * weight[target(i)]
            * (p - Delta(target(i), v)),
        ),
        "shift invariance with z-loss": Equal(
            value(loss[i], {x: lambda row, column: x[row, column] + shift[row]}), value(loss[i])
        ),
        "a conservation law with z-loss": Equal(derived(total(v, op.gradient(x)[i, v])), ZERO),
        "the share of a row is its own weight": Equal(
            value(mean[()]), total(i, value(loss[i]) / weighted_share(i)) * share / share
        ),
    }


def target_claims() -> dict[str, Equal]:
    smoothed, soft = SMOOTHED.value, SOFT.value
    one_hot = CROSS_ENTROPY.value(loss[i], without_z)

    hit = Delta(target(i), v)
    others = (1 - smoothing[()]) * hit + smoothing[()] * (1 - hit) / (Size(V) - 1)  # ε/(V − 1) for the other classes
    spared = keep[i] * total(v, weight[v] * others * (logsumexp(i) - x[i, v]))
    return {
        "smoothing spares the target": Equal(smoothed(loss[i], without_z), spared),
        "smoothing keeps the whole target": Equal(
            smoothed(loss[i], without_z),
            one_hot + smoothing[()] / Size(V) * keep[i] * total(v, weight[v] * (logsumexp(i) - x[i, v])),
        ),
        "smoothing without class weights": Equal(
            smoothed(loss[i], without_z),
            (1 - smoothing[()]) * one_hot + smoothing[()] / Size(V) * keep[i] * total(v, logsumexp(i) - x[i, v]),
        ),
        "p − y for targets that do not sum to 1": Equal(
            SOFT.derived_vjp.inline(SOFT.gradient(x)[i, v], {**unweighted, **without_z}),
            row_cotangent(SOFT, plain_share) * (probability(i, v) - y[i, v]),
        ),
        "the soft mean divides by all rows": Equal(soft(mean[()]), soft(whole[()]) / Size(n)),
        "the gradient of the target without its sign": Equal(
            SOFT.derived_vjp.inline(SOFT.gradient(y)[i, v]),
            row_cotangent(SOFT, plain_share) * weight[v] * log(probability(i, v)),
        ),
    }


def linear_claims() -> dict[str, Equal]:
    derived = LINEAR.derived_vjp.inline
    logit = total(c, h[i, c] * w[v, c])
    top = exp(logit) / total(u, exp(total(c, h[i, c] * w[u, c])))
    g = row_cotangent(LINEAR, weighted_share)
    dx = g * weight[target(i)] * (top - Delta(target(i), v))
    return {
        "dH of one class": Equal(derived(LINEAR.gradient(h)[i, c], without_z), dx * w[v, c]),
        "dW of one row": Equal(derived(LINEAR.gradient(w)[v, c], without_z), dx * h[i, c]),
        "dW does not see the target": Equal(
            derived(LINEAR.gradient(w)[v, c], without_z), total(i, g * weight[target(i)] * top * h[i, c])
        ),
    }


CLAIMS = {**cross_entropy_claims(), **target_claims(), **linear_claims()}


@pytest.mark.parametrize("name", CLAIMS)
def test_a_false_statement_is_refuted(name: str) -> None:
    result = prove(Statement("S1", name, CLAIMS[name]))
    assert result.status == "refuted", result.reason


def test_a_chunk_that_forgets_part_of_the_merge_is_refuted() -> None:
    """S7 and S8 of the fused loss with the maximum, the sum or the logit of one chunk alone."""
    claims = {s.label: s.claim for s in LINEAR.statements() if s.label in ("S7", "S8")}
    forward, backward = claims["S7"], claims["S8"]
    assert isinstance(forward, Equal)
    assert isinstance(backward, Equal)
    first, second = backward.right.terms  # type: ignore[attr-defined]  # a sum over two chunks, by its construction
    for chunk in (first, second):
        assert prove(Statement("S8", "one chunk", Equal(backward.left, chunk))).status == "refuted"
    assert prove(Statement("S7", "twice", Equal(forward.left, 2 * forward.right))).status == "refuted"
