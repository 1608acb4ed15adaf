"""# Cross-entropy losses

The loss of a row is how surprised its predicted distribution is by the target. With the softmax of logits inside, its
gradient is the difference of the two distributions.

Definition
----------
    lse[i]   = logsumexp_v x[i,v]
    loss[i]  = keep[i] (weight[t(i)] (lse[i] − x[i,t(i)]) + ζ lse[i]²),   t(i) the target of row i
    total    = Σ_i loss[i]
    mean     = total / Σ_i keep[i] weight[t(i)]

`cross_entropy` is this; `linear_cross_entropy` is the same of the logits x = H Wᵀ. In `smoothed_cross_entropy` the
target of a row is the mixture (1 − ε) δ[t(i),v] + ε/V; in `soft_cross_entropy` it is any distribution y[i,v] and the
mean is over the rows that are kept:

    smoothed: (1 − ε) weight[t(i)] (lse[i] − x[i,t(i)]) + (ε/V) Σ_v weight[v] (lse[i] − x[i,v])
    soft:     Σ_v weight[v] y[i,v] (lse[i] − x[i,v])

The options are neutral elements: rows to ignore have keep[i] = 0, classes have weights, the z-loss has the
coefficient ζ. The three reductions are the three outputs.

Statements
----------
cross_entropy:
    S1   the loss is −log of the probability of the target;
    S2   the maximum may be treated as a constant;
    S3   shift invariance without z-loss;
    S4   VJP: dx = g (p − y) for one-hot y, weights and z-loss added;
    S5   JVP;
    S6   adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩;
    S7   Σ_v dx[i,v] = 0 without z-loss, the conservation law of S3;
    S8   Hessian-vector product: for unit weights that of logsumexp, diag(p) − ppᵀ, whatever the target; symmetric;
    S9   convex in the logits, for unit weights and without z-loss, as a sum of squares;
    S10  ignored rows contribute nothing, to the losses or to the gradient;
    S11  rows are independent;
    S12  it is the soft cross-entropy of a one-hot target.

smoothed_cross_entropy:
    S1   label smoothing is a mixture of targets;
    S2   the maximum may be treated as a constant;
    S3   without smoothing it is cross_entropy;
    S4   shift invariance without z-loss;
    S5   VJP: dx = g (p − y) for the mixture y;
    S6   JVP;
    S7   adjoint identity;
    S8   Σ_v dx[i,v] = 0 without z-loss;
    S9   ignored rows contribute nothing.

soft_cross_entropy:
    S1   = KL(y‖p) + H(y);
    S2   the maximum may be treated as a constant;
    S3   shift invariance without z-loss;
    S4   VJP: dx = g (p − y), and dy = −g weight log p;
    S5   JVP;
    S6   adjoint identity;
    S7   Σ_v dx[i,v] = 0 without z-loss;
    S8   linear in the target;
    S9   ignored rows contribute nothing.

linear_cross_entropy:
    S1   it is the cross-entropy of the logits;
    S2   the maximum may be treated as a constant;
    S3   VJP: dH = dX W and dW = dXᵀ H;
    S4   JVP;
    S5   adjoint identity;
    S6   Σ_v dw[v] = 0 without z-loss: adding one vector to every row of W changes nothing;
    S7   in chunks of the vocabulary: forward, with a running maximum;
    S8   in chunks of the vocabulary: dH adds over the chunks, dW stands in its own, P from the LSE;
    S9   in chunks of the rows: losses add, dW adds, dH stands in its own.

Notation
--------
x logits `[..., n, V]`; target class labels `[..., n]`, written t(i); y soft targets `[..., n, V]`; keep rows that count
`[..., n]`; weight of each class `[V]`; ζ (zeta) coefficient of the z-loss; ε (smoothing) share of the uniform target;
h hidden states `[..., n, d]`; w output table `[V, d]`; p probabilities; lse log-sum-exp. g[i] is the whole cotangent of
the loss of a row, keep[i] (dloss[i] + dtotal + dmean / norm), with the norm that the mean divides by. Gradients are `d`
+ name, tangents `t` + name; δ is the Kronecker delta.

Domain and conventions
----------------------
All statements hold for all sizes ≥ 1 and all real logits. The mean divides by the weights of the targets of the rows
that are kept (by their number for soft targets), as torch does; if every row is ignored it is NaN. The z-loss is not
weighted by class and is part of all three reductions. Labels are from 0 to V − 1, in ignored rows as well.

References
----------
Szegedy et al. 2016, Rethinking the Inception architecture for computer vision, section 7 (label smoothing).
Chowdhery et al. 2022, PaLM, section 5 (z-loss).
Blanchard, Higham & Higham 2021, Accurately computing the log-sum-exp and softmax functions.
Milakov & Gimelshein 2018, Online normalizer calculation for softmax.
Wijmans et al. 2024, Cut your losses in large-vocabulary language models.
"""

from __future__ import annotations

from fractions import Fraction

from .calculus.expr import ONE, ZERO, Delta, Expr, Replacement, Subscript, Tensor, lift, log, plain, total
from .calculus.operation import Input, Operation
from .calculus.statement import Equal, NonNegative, Statement
from .loss_chunks import linear_statements
from .loss_program import (
    CROSS_ENTROPY_PROGRAM,
    LINEAR_PROGRAM,
    SMOOTHED_PROGRAM,
    SOFT_PROGRAM,
    h,
    i,
    ignored_statement,
    k,
    keep,
    logsumexp,
    loss,
    maximum_statement,
    mean,
    plain_share,
    probability,
    row_cotangent,
    shift_statement,
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
    zero_sum_statement,
    zeta,
)
from .loss_targets import smoothed_statements, soft_statements

Inputs = dict[Tensor, Replacement]


def _statements() -> tuple[Statement, ...]:
    op = CROSS_ENTROPY
    return (
        Statement(
            "S1",
            "loss = −log p[t(i)] = logsumexp(x) − x[t(i)], for unit weights and without z-loss",
            Equal(op.value(loss[i], {**unweighted, **without_z}), -keep[i] * log(probability(i, target(i)))),
            conjuncts=(
                Equal(op.value(loss[i], {**unweighted, **without_z}), keep[i] * (logsumexp(i) - x[i, target(i)])),
            ),
        ),
        maximum_statement(op),
        shift_statement(op, "S3"),
        *_gradients(op),
        zero_sum_statement(op, "S7", "S3"),
        *_second_order(op),
        ignored_statement(op, "S10", weighted_share),
        *_relations(op),
    )


def _gradients(op: Operation) -> tuple[Statement, ...]:
    g, tx = row_cotangent(op, weighted_share), op.tangent(x)
    p, one_hot = probability(i, v), Delta(target(i), v)
    mean_of = total(u, probability(i, u) * tx[i, u])
    tangent = keep[i] * (weight[target(i)] * (mean_of - tx[i, target(i)]) + 2 * zeta[()] * logsumexp(i) * mean_of)
    moved = op.derived_jvp.inline
    return (
        Statement(
            "S4",
            "dx = g (weight[t(i)] (p[v] − δ[t(i),v]) + 2 ζ lse p[v]); with unit weights and no z-loss, g (p − y)",
            Equal(
                op.derived_vjp.inline(op.gradient(x)[i, v]),
                g * (weight[target(i)] * (p - one_hot) + 2 * zeta[()] * logsumexp(i) * p),
            ),
            conjuncts=(
                Equal(
                    op.derived_vjp.inline(op.gradient(x)[i, v], {**unweighted, **without_z}),
                    row_cotangent(op, plain_share) * (p - one_hot),
                ),
            ),
        ),
        Statement(
            "S5",
            "tloss = keep (weight[t(i)] (⟨p, tx⟩ − tx[t(i)]) + 2 ζ lse ⟨p, tx⟩); sum and mean follow",
            Equal(moved(op.tangent(loss)[i]), tangent),
            conjuncts=(
                Equal(moved(op.tangent(whole)[()]), total(i, tangent)),
                Equal(moved(op.tangent(mean)[()]), total(i, tangent) / total(k, weighted_share(k))),
            ),
        ),
        Statement("S6", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


def _second_order(op: Operation) -> tuple[Statement, ...]:
    g, tx = row_cotangent(op, weighted_share), op.tangent(x)
    p = probability(i, v)
    mean_of = total(u, probability(i, u) * tx[i, u])
    spread = p * (tx[i, v] - mean_of)
    alone: Inputs = {
        **unweighted,
        **without_z,
        op.cotangent(loss): lambda _: ONE,
        op.cotangent(whole): lambda: ZERO,
        op.cotangent(mean): lambda: ZERO,
    }
    squares = total(v, u, p * probability(i, u) * (tx[i, v] - tx[i, u]) ** 2)
    curvature = keep[i] * lift(Fraction(1, 2)) * squares
    return (
        Statement(
            "S8",
            "H tx = g ((weight[t(i)] + 2 ζ lse) p ∘ (tx − ⟨p, tx⟩) + 2 ζ p ⟨p, tx⟩): diag(p) − ppᵀ whatever the target "
            "is, for unit weights and without z-loss; ⟨s, H t⟩ = ⟨t, H s⟩",
            Equal(
                op.hvp.inline(op.second(x)[i, v]),
                g * ((weight[target(i)] + 2 * zeta[()] * logsumexp(i)) * spread + 2 * zeta[()] * p * mean_of),
            ),
            conjuncts=(Equal(*op.hessian_symmetry()),),
        ),
        Statement(
            "S9",
            "⟨tx, H tx⟩ = ½ Σ_vu p[v] p[u] (tx[v] − tx[u])² ≥ 0 for each row: convex in the logits, for unit "
            "weights and without z-loss",
            Equal(total(v, tx[i, v] * op.hvp.inline(op.second(x)[i, v], alone)), curvature),
            conjuncts=(NonNegative(curvature),),
        ),
    )


def _relations(op: Operation) -> tuple[Statement, ...]:
    change = Tensor("Δx", x.dims)

    def others(row: Subscript, column: Subscript) -> Expr:
        return x[row, column] + (1 - Delta(row, i)) * change[row, column]

    def one_hot(row: Subscript, column: Subscript) -> Expr:
        return Delta(target(plain(row)), column)

    return (
        Statement(
            "S11",
            "rows are independent: changing the logits of the others leaves the loss of a row as it is",
            Equal(op.value(loss[i], {x: others}), op.value(loss[i])),
            law="independence",
        ),
        Statement(
            "S12",
            "it is the soft cross-entropy of the one-hot target",
            Equal(op.value(loss[i]), SOFT_PROGRAM.inline(loss[i], {y: one_hot})),
        ),
    )


def _smoothed_statements() -> tuple[Statement, ...]:
    return smoothed_statements(SMOOTHED)


def _soft_statements() -> tuple[Statement, ...]:
    return soft_statements(SOFT)


def _linear_statements() -> tuple[Statement, ...]:
    return linear_statements(LINEAR, CROSS_ENTROPY)


_OPTIONS = {
    "weight": Input("weight of each class `[V]`", ONE, shared=True),
    "keep": Input("boolean mask `[..., n]`, False in rows to ignore", ONE),
    "zeta": Input("coefficient of the z-loss", ZERO),
}
_TARGET = {"target": Input("class labels `[..., n]`, whole numbers from 0 to V − 1")}
_OUTPUTS = {
    "loss": "loss of each row `[..., n]`, 0 in ignored rows",
    "total": "their sum `[...]`",
    "mean": "their weighted mean `[...]`",
}
_CONVENTIONS = {
    "mean": "divides by the weights of the targets of the rows that are kept; NaN if there are none",
    "z-loss": "not weighted by class, part of every reduction",
}
_SOURCE = "Blanchard, Higham & Higham 2021, (1.1)–(1.3); Chowdhery et al. 2022, section 5"

CROSS_ENTROPY = Operation(
    "cross_entropy",
    "How surprised the softmax of the logits is by the target, with class weights, ignored rows and z-loss.",
    CROSS_ENTROPY_PROGRAM,
    (x,),
    _statements,
    {"x": Input("logits `[..., n, V]`"), **_TARGET, **_OPTIONS},
    _OUTPUTS,
    _CONVENTIONS,
    _SOURCE,
    second_order=True,
    composable=True,
)
SMOOTHED = Operation(
    "smoothed_cross_entropy",
    "Cross-entropy with label smoothing: the target is mixed with the uniform distribution.",
    SMOOTHED_PROGRAM,
    (x,),
    _smoothed_statements,
    {
        "x": Input("logits `[..., n, V]`"),
        **_TARGET,
        "smoothing": Input("share of the uniform distribution in the target"),
        **_OPTIONS,
    },
    _OUTPUTS,
    _CONVENTIONS,
    "Szegedy et al. 2016, section 7",
)
SOFT = Operation(
    "soft_cross_entropy",
    "Cross-entropy of targets that are distributions themselves.",
    SOFT_PROGRAM,
    (x, y),
    _soft_statements,
    {"x": Input("logits `[..., n, V]`"), "y": Input("target distributions `[..., n, V]`"), **_OPTIONS},
    {**_OUTPUTS, "mean": "their mean over the rows that are kept `[...]`"},
    {**_CONVENTIONS, "mean": "divides by the number of rows that are kept; NaN if there are none"},
    _SOURCE,
)
LINEAR = Operation(
    "linear_cross_entropy",
    "Cross-entropy of the logits that a linear layer gives, which need not be held as a whole.",
    LINEAR_PROGRAM,
    (h, w),
    _linear_statements,
    {
        "h": Input("hidden states `[..., n, d]`"),
        "w": Input("output table `[V, d]`", shared=True),
        **_TARGET,
        **_OPTIONS,
    },
    _OUTPUTS,
    _CONVENTIONS,
    "Wijmans et al. 2024, section 4",
)

OPERATIONS = (CROSS_ENTROPY, SMOOTHED, SOFT, LINEAR)
