"""The programs of the losses, what their statements are made of, and the statements that all of them share."""

from __future__ import annotations

from collections.abc import Callable

from .calculus.differentiate import maximum_gradient
from .calculus.expr import (
    ONE,
    ZERO,
    Dim,
    Expr,
    Index,
    Replacement,
    Size,
    Subscript,
    Tensor,
    exp,
    log,
    maximum,
    total,
)
from .calculus.operation import Operation
from .calculus.program import Def, Program
from .calculus.statement import Equal, Statement
from .calculus.symmetry import pairing

n, V, d = Dim("n"), Dim("V"), Dim("d", grows=False)
i, k = Index("i", n), Index("k", n)
v, u = Index("v", V), Index("u", V)
c = Index("c", d)

x, y = Tensor("x", (n, V)), Tensor("y", (n, V))
target = Tensor("target", (n,), "index", V)
keep = Tensor("keep", (n,), "boolean")
weight = Tensor("weight", (V,))
smoothing, sharpness, zeta = Tensor("smoothing"), Tensor("sharpness"), Tensor("zeta")
h, w = Tensor("h", (n, d)), Tensor("w", (V, d))

m, a, z = Tensor("m", (n,)), Tensor("a", (n, V)), Tensor("z", (n,))
lse, logp = Tensor("lse", (n,)), Tensor("logp", (n, V))
nll, uniform, expected = Tensor("nll", (n,)), Tensor("uniform", (n,)), Tensor("expected", (n,))
loss, whole, norm, mean = Tensor("loss", (n,)), Tensor("total"), Tensor("norm"), Tensor("mean")

NLL = weight[target(i)] * (lse[i] - x[i, target(i)])
LOG_PROBABILITIES = (
    Def(m[i], maximum(v, x[i, v]), "row maximum"),
    Def(a[i, v], exp(x[i, v] - m[i]), "exponentials, the largest of them 1", "S2"),
    Def(z[i], total(v, a[i, v]), "partition function"),
    Def(lse[i], m[i] + log(z[i]), "log-sum-exp"),
)


def _reduced(row: Expr, share: Expr) -> tuple[Def, ...]:
    """The loss of each row, their sum and their mean. `share` is what a row counts in the mean."""
    return (
        Def(loss[i], keep[i] * (row + zeta[()] * lse[i] ** 2), "loss of each row, 0 where ignored"),
        Def(whole[()], total(i, loss[i]), "reduction: sum"),
        Def(norm[()], total(i, share), "what the rows count"),
        Def(mean[()], whole[()] / norm[()], "reduction: mean"),
    )


CROSS_ENTROPY_PROGRAM = Program(
    "cross_entropy",
    (x, target, weight, keep, zeta),
    (*LOG_PROBABILITIES, Def(nll[i], NLL, "negative log-likelihood"), *_reduced(nll[i], keep[i] * weight[target(i)])),
    (loss, whole, mean),
)
SMOOTHED_PROGRAM = Program(
    "smoothed_cross_entropy",
    (x, target, smoothing, weight, keep, zeta),
    (
        *LOG_PROBABILITIES,
        Def(nll[i], NLL, "negative log-likelihood"),
        Def(uniform[i], total(v, weight[v] * (lse[i] - x[i, v])) / Size(V), "the same, expected of a uniform target"),
        Def(sharpness[()], 1 - smoothing[()], "the share of the target itself"),
        *_reduced(sharpness[()] * nll[i] + smoothing[()] * uniform[i], keep[i] * weight[target(i)]),
    ),
    (loss, whole, mean),
)
SOFT_PROGRAM = Program(
    "soft_cross_entropy",
    (x, y, weight, keep, zeta),
    (
        *LOG_PROBABILITIES,
        Def(logp[i, v], x[i, v] - lse[i], "log-probabilities"),
        Def(expected[i], -total(v, weight[v] * y[i, v] * logp[i, v]), "expected negative log-likelihood"),
        *_reduced(expected[i], keep[i]),
    ),
    (loss, whole, mean),
)
LINEAR_PROGRAM = Program(
    "linear_cross_entropy",
    (h, w, target, weight, keep, zeta),
    (Def(x[i, v], total(c, h[i, c] * w[v, c]), "logits"), *CROSS_ENTROPY_PROGRAM.steps),
    (loss, whole, mean),
)

unweighted: dict[Tensor, Replacement] = {weight: lambda _: ONE}
without_z: dict[Tensor, Replacement] = {zeta: lambda: ZERO}


def probability(row: Index, column: Subscript) -> Expr:
    """softmax(x)[row, column]."""
    return exp(x[row, column]) / total(u, exp(x[row, u]))


def logsumexp(row: Index) -> Expr:
    """logsumexp(x)[row]."""
    return log(total(u, exp(x[row, u])))


def row_cotangent(op: Operation, share: Callable[[Index], Expr], row: Index = i) -> Expr:
    """g[row]: the whole cotangent of the loss of a row, which is an output and enters the sum and the mean.

    `share` is what a row counts in the mean.
    """
    dloss, dtotal, dmean = (op.cotangent(output) for output in (loss, whole, mean))
    return keep[row] * (dloss[row] + dtotal[()] + dmean[()] / total(k, share(k)))


def weighted_share(row: Index) -> Expr:
    """What a row with a class label counts in the mean."""
    return keep[row] * weight[target(row)]


def plain_share(row: Index) -> Expr:
    """What a row counts in the mean if all classes weigh the same."""
    return keep[row]


def shift_statement(op: Operation, label: str) -> Statement:
    """Adding a number to a row of logits changes nothing."""
    shift = Tensor("c", (n,))
    shifted: dict[Tensor, Replacement] = {x: lambda row, column: x[row, column] + shift[row], **without_z}
    return Statement(
        label,
        "adding a number to each row of logits changes no loss, without z-loss",
        Equal(op.value(loss[i], shifted), op.value(loss[i], without_z)),
        conjuncts=(Equal(op.value(mean[()], shifted), op.value(mean[()], without_z)),),
        law="shift",
    )


def maximum_statement(op: Operation) -> Statement:
    """The maximum is treated as a constant."""
    return Statement(
        "S2",
        "the maximum may be treated as a constant: the total derivative of the losses with respect to m is 0",
        Equal(maximum_gradient(op.program, m), ZERO),
    )


def zero_sum_statement(op: Operation, label: str, shift_label: str) -> Statement:
    """The conservation law of the shift."""
    s, t = Tensor("s", (n,)), Tensor("t")
    return Statement(
        label,
        f"Σ_v dx[i,v] = 0 without z-loss: the conservation law of {shift_label}",
        Equal(op.derived_vjp.inline(total(v, op.gradient(x)[i, v]), without_z), ZERO),
        conjuncts=(
            Equal(pairing(op, {x: lambda row, column: x[row, column] + t[()] * s[row]}, t, 0, without_z), ZERO),
        ),
        law="zero gradient sum",
    )


def ignored_statement(op: Operation, label: str, share: Callable[[Index], Expr]) -> Statement:
    """Rows whose `keep` is 0 contribute nothing; `share` is what a row counts in the mean."""
    gradient = op.derived_vjp.inline(op.gradient(x)[i, v])
    kept = total(i, keep[i] * op.value(loss[i], {keep: lambda _: ONE}))
    return Statement(
        label,
        "ignored rows contribute nothing: no loss, no gradient, and sum and mean are those of the rows that are kept",
        Equal((1 - keep[i]) * op.value(loss[i]), ZERO),
        conjuncts=(
            Equal((1 - keep[i]) * gradient, ZERO),
            Equal(op.value(whole[()]), kept),
            Equal(op.value(mean[()]), kept / total(k, share(k))),
        ),
        law="ignored rows",
    )
