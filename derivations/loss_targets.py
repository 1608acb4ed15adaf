"""What holds of cross-entropy with targets that are distributions: label smoothing and soft targets."""

from __future__ import annotations

from .calculus.expr import ONE, ZERO, Delta, Expr, Replacement, Size, Subscript, Tensor, exp, log, plain, total
from .calculus.operation import Operation
from .calculus.statement import Equal, Statement
from .loss_program import (
    CROSS_ENTROPY_PROGRAM,
    SOFT_PROGRAM,
    V,
    i,
    ignored_statement,
    keep,
    logsumexp,
    loss,
    maximum_statement,
    mean,
    plain_share,
    probability,
    row_cotangent,
    shift_statement,
    smoothing,
    target,
    u,
    unweighted,
    v,
    weight,
    weighted_share,
    whole,
    without_z,
    x,
    y,
    zero_sum_statement,
    zeta,
)


def mixture(row: Subscript, column: Subscript) -> Expr:
    """The smoothed target: (1 − ε) δ[t(i),v] + ε/V."""
    return (1 - smoothing[()]) * Delta(target(plain(row)), column) + smoothing[()] / Size(V)


def smoothed_statements(op: Operation) -> tuple[Statement, ...]:
    """What holds of label smoothing."""
    mixed: dict[Tensor, Replacement] = {y: mixture}
    simple: dict[Tensor, Replacement] = {**unweighted, **without_z}
    even: dict[Tensor, Replacement] = {y: lambda row, column: ONE / Size(V)}
    one_hot = CROSS_ENTROPY_PROGRAM.inline(loss[i], without_z)
    uniform = SOFT_PROGRAM.inline(loss[i], {**even, **without_z})
    spread = total(u, weight[u] * mixture(i, u))
    g = row_cotangent(op, weighted_share)
    tx = op.tangent(x)
    mean_of = total(u, probability(i, u) * tx[i, u])
    tangent = keep[i] * (
        spread * mean_of - total(v, weight[v] * mixture(i, v) * tx[i, v]) + 2 * zeta[()] * logsumexp(i) * mean_of
    )
    return (
        Statement(
            "S1",
            "label smoothing is a mixture of targets: the loss of the target (1 − ε) δ[t(i),v] + ε/V",
            Equal(op.value(loss[i]), SOFT_PROGRAM.inline(loss[i], mixed)),
            conjuncts=(Equal(op.value(loss[i], without_z), (1 - smoothing[()]) * one_hot + smoothing[()] * uniform),),
            law="mixture",
        ),
        maximum_statement(op),
        Statement(
            "S3",
            "without smoothing it is cross_entropy, in all reductions",
            Equal(op.value(loss[i], {smoothing: lambda: ZERO}), CROSS_ENTROPY_PROGRAM.inline(loss[i])),
            conjuncts=tuple(
                Equal(op.value(reduced[()], {smoothing: lambda: ZERO}), CROSS_ENTROPY_PROGRAM.inline(reduced[()]))
                for reduced in (whole, mean)
            ),
        ),
        shift_statement(op, "S4"),
        Statement(
            "S5",
            "dx = g (p[v] Σ_u weight[u] y[u] − weight[v] y[v] + 2 ζ lse p[v]) for the mixture y; with unit weights and "
            "no z-loss, g (p − y)",
            Equal(
                op.derived_vjp.inline(op.gradient(x)[i, v]),
                g * ((spread + 2 * zeta[()] * logsumexp(i)) * probability(i, v) - weight[v] * mixture(i, v)),
            ),
            conjuncts=(
                Equal(
                    op.derived_vjp.inline(op.gradient(x)[i, v], simple),
                    row_cotangent(op, plain_share) * (probability(i, v) - mixture(i, v)),
                ),
            ),
        ),
        Statement(
            "S6",
            "tloss = keep (⟨p, tx⟩ Σ_u weight[u] y[u] − Σ_v weight[v] y[v] tx[v] + 2 ζ lse ⟨p, tx⟩)",
            Equal(op.derived_jvp.inline(op.tangent(loss)[i]), tangent),
        ),
        Statement("S7", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        zero_sum_statement(op, "S8", "S4"),
        ignored_statement(op, "S9", weighted_share),
    )


def soft_statements(op: Operation) -> tuple[Statement, ...]:
    """What holds of soft targets."""
    positive = Tensor("q", y.dims, "positive")
    other, alpha, beta = Tensor("s", y.dims), Tensor("alpha"), Tensor("beta")
    teacher = Tensor("b", y.dims)
    simple: dict[Tensor, Replacement] = {**unweighted, **without_z}
    entropy = -total(v, positive[i, v] * log(positive[i, v]))
    divergence = total(v, positive[i, v] * (log(positive[i, v]) - log(probability(i, v))))
    g = row_cotangent(op, plain_share)
    tx, ty = op.tangent(x), op.tangent(y)
    mass = total(u, weight[u] * y[i, u])
    mean_of = total(u, probability(i, u) * tx[i, u])
    log_p = log(probability(i, v))

    def distribution(row: Subscript, column: Subscript) -> Expr:
        """Any distribution without zeros: the softmax of some logits."""
        return exp(teacher[row, column]) / total(u, exp(teacher[row, u]))

    def of(targets: Tensor) -> Expr:
        return op.value(loss[i], {y: lambda row, column: targets[row, column], **without_z})

    return (
        Statement(
            "S1",
            "loss = KL(y‖p) + H(y), for unit weights and without z-loss",
            Equal(
                op.value(loss[i], {y: lambda row, column: positive[row, column], **simple}),
                keep[i] * (divergence + entropy),
            ),
        ),
        maximum_statement(op),
        shift_statement(op, "S3"),
        Statement(
            "S4",
            "dx = g (p[v] Σ_u weight[u] y[u] − weight[v] y[v] + 2 ζ lse p[v]), that is g (p − y) for a distribution y, "
            "unit weights and no z-loss; dy = −g weight[v] log p[v]",
            Equal(
                op.derived_vjp.inline(op.gradient(x)[i, v]),
                g * ((mass + 2 * zeta[()] * logsumexp(i)) * probability(i, v) - weight[v] * y[i, v]),
            ),
            conjuncts=(
                Equal(
                    op.derived_vjp.inline(op.gradient(x)[i, v], {**simple, y: distribution}),
                    g * (probability(i, v) - distribution(i, v)),
                ),
                Equal(op.derived_vjp.inline(op.gradient(y)[i, v]), -g * weight[v] * log_p),
            ),
        ),
        Statement(
            "S5",
            "tloss = keep (⟨p, tx⟩ Σ_u weight[u] y[u] − Σ_v weight[v] (y[v] tx[v] + ty[v] log p[v]) + 2 ζ lse ⟨p, tx⟩)",
            Equal(
                op.derived_jvp.inline(op.tangent(loss)[i]),
                keep[i]
                * (
                    (mass + 2 * zeta[()] * logsumexp(i)) * mean_of
                    - total(v, weight[v] * (y[i, v] * tx[i, v] + ty[i, v] * log_p))
                ),
            ),
        ),
        Statement("S6", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        zero_sum_statement(op, "S7", "S3"),
        Statement(
            "S8",
            "linear in the target, without z-loss",
            Equal(
                op.value(
                    loss[i],
                    {y: lambda row, column: alpha[()] * y[row, column] + beta[()] * other[row, column], **without_z},
                ),
                alpha[()] * of(y) + beta[()] * of(other),
            ),
            law="linear in y",
        ),
        ignored_statement(op, "S9", plain_share),
    )
