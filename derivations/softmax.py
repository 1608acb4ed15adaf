"""# Softmax, log-softmax and log-sum-exp

A row of logits becomes a probability distribution. Log-sum-exp is its potential: softmax is the gradient.

Definition
----------
    p[i] = exp(x[i] − m) / Σ_j exp(x[j] − m),   m = max_j x[j]
    log_softmax(x)[i] = x[i] − logsumexp(x),     logsumexp(x) = m + log Σ_j exp(x[j] − m)

Statements
----------
softmax:
    S1   shift invariance: softmax(x + c) = softmax(x);
    S2   the maximum may be treated as a constant;
    S3   the probabilities sum to 1 and none is negative;
    S4   Jacobian: ∂p[i]/∂x[j] = p[i] (δ[i,j] − p[j]);
    S5   VJP: dx = p ∘ (dp − ⟨p, dp⟩);
    S6   JVP: tp = p ∘ (tx − ⟨p, tx⟩);
    S7   adjoint identity: ⟨JVP·t, c⟩ = ⟨t, VJP·c⟩;
    S8   Σ_i dx[i] = 0, the conservation law of S1;
    S9   inverse temperature: softmax(βx) = softmax(x)^β, normalised;
    S10  online merge of two blocks;
    S11  the merge is associative;
    S12  a block with z = 0 is its identity;
    S13  Hessian-vector product of ⟨p, dp⟩; it is symmetric.

log_softmax:
    S1   shift invariance;
    S2   the maximum may be treated as a constant;
    S3   exp(log_softmax(x)) = softmax(x);
    S4   VJP: dx = dy − p Σ_j dy[j];
    S5   JVP: ty = tx − ⟨p, tx⟩;
    S6   adjoint identity;
    S7   Σ_i dx[i] = 0, the conservation law of S1.

logsumexp:
    S1   shift equivariance: logsumexp(x + c) = logsumexp(x) + c;
    S2   the maximum may be treated as a constant;
    S3   VJP: its gradient is softmax;
    S4   JVP: tlse = ⟨p, tx⟩;
    S5   adjoint identity;
    S6   Σ_i dx[i] = dlse, the conservation law of S1;
    S7   Hessian: diag(p) − ppᵀ;
    S8   the Hessian is positive semidefinite, as a sum of squares;
    S9   two blocks merge into one;
    S10  Hessian-vector product: p ∘ (t − ⟨p, t⟩); it is symmetric.

Notation
--------
x logits `[..., n]`; p probabilities; m row maximum; a exponentials; z their sum (the partition function); y
log-probabilities; lse log-sum-exp. Gradients are `d` + name, tangents `t` + name.

Domain and conventions
----------------------
All statements hold for every n ≥ 1 and all real logits. A row that is −∞ throughout has no softmax and no log-softmax
(NaN, as in torch); its log-sum-exp is −∞.

References
----------
Milakov & Gimelshein 2018, Online normalizer calculation for softmax.
Blanchard, Higham & Higham 2021, Accurately computing the log-sum-exp and softmax functions.
"""

from __future__ import annotations

from fractions import Fraction

from .calculus.blocks import Split
from .calculus.differentiate import maximum_gradient
from .calculus.expr import (
    ONE,
    ZERO,
    Delta,
    Dim,
    Expr,
    Index,
    Tensor,
    exp,
    lift,
    log,
    maximum,
    total,
)
from .calculus.operation import Input, Operation
from .calculus.program import Def, Program
from .calculus.statement import Equal, NonNegative, Statement, Step
from .calculus.symmetry import pairing
from .softmax_blocks import Halves, association, merge, scalar, weight

n = Dim("n")
i, j, l = Index("i", n), Index("j", n), Index("l", n)  # noqa: E741 - l is the third index in the usual order

x = Tensor("x", (n,))
m, z, lse = Tensor("m"), Tensor("z"), Tensor("lse")
a, p, y = Tensor("a", (n,)), Tensor("p", (n,)), Tensor("y", (n,))

_MAX = Def(m[()], maximum(j, x[j]), "row maximum")
_EXP = Def(a[i], exp(x[i] - m[()]), "exponentials, the largest of them 1", "S2")
_SUM = Def(z[()], total(j, a[j]), "partition function")
_LOGITS = {"x": Input("logits `[..., n]`")}

SOFTMAX_PROGRAM = Program(
    "softmax", (x,), (_MAX, _EXP, _SUM, Def(p[i], a[i] / z[()], "probabilities", "S3", (0, 1))), (p,)
)
LOG_SOFTMAX_PROGRAM = Program(
    "log_softmax",
    (x,),
    (_MAX, _EXP, _SUM, Def(y[i], x[i] - m[()] - log(z[()]), "log-probabilities")),
    (y,),
)
LOGSUMEXP_PROGRAM = Program(
    "logsumexp", (x,), (_MAX, _EXP, _SUM, Def(lse[()], m[()] + log(z[()]), "log of the sum of exponentials")), (lse,)
)


def _softmax_statements() -> tuple[Statement, ...]:
    op = SOFTMAX
    shift, t, beta = Tensor("c"), Tensor("t"), Tensor("beta", (), "positive")
    dp, tx = op.cotangent(p), op.tangent(x)
    P = op.value(p[i])
    halves = Halves(x, Split(n, Dim("n1"), Dim("n2")))
    one, two = ((scalar(f"m{k}"), scalar(f"z{k}")) for k in (1, 2))
    i1 = Index("i", halves.split.first)
    m1, m2 = (halves.split.apply(op.value(m[()])) for _ in range(2))

    def tangent(k: Index) -> Expr:
        return op.value(p[k]) * (tx[k] - total(l, op.value(p[l]) * tx[l]))

    return (
        Statement(
            "S1",
            "softmax(x + c) = softmax(x) for every number c",
            Equal(op.value(p[i], {x: lambda k: x[k] + shift[()]}), P),
            law="shift",
        ),
        Statement(
            "S2",
            "the maximum may be treated as a constant: the total derivative of ⟨p, dp⟩ with respect to m is 0",
            Equal(maximum_gradient(op.program, m), ZERO),
        ),
        Statement(
            "S3",
            "the probabilities sum to 1 and none is negative",
            Equal(total(i, op.value(p[i])), ONE),
            conjuncts=(NonNegative(P),),
            law="normalised",
        ),
        Statement(
            "S4",
            "∂p[i]/∂x[j] = p[i] (δ[i,j] − p[j])",
            Equal(
                op.derived_jvp.inline(op.tangent(p)[i], {tx: lambda k: Delta(k, j)}),
                P * (Delta(i, j) - op.value(p[j])),
            ),
        ),
        Statement(
            "S5",
            "dx = p ∘ (dp − Σ_j p[j] dp[j]) is the vector-Jacobian product",
            Equal(
                op.derived_vjp.inline(op.gradient(x)[i]),
                P * (dp[i] - total(j, op.value(p[j]) * dp[j])),
            ),
            chain=(
                Step(
                    total(l, dp[l] * op.value(p[l]) * (Delta(l, i) - P)),
                    "the transposed Jacobian (S4) applied to the cotangent",
                ),
            ),
        ),
        Statement(
            "S6",
            "tp = p ∘ (tx − Σ_j p[j] tx[j]) is the Jacobian-vector product",
            Equal(op.derived_jvp.inline(op.tangent(p)[i]), P * (tx[i] - total(j, op.value(p[j]) * tx[j]))),
        ),
        Statement("S7", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S8",
            "Σ_i dx[i] = 0: the conservation law of the shift invariance S1",
            Equal(pairing(op, {x: lambda k: x[k] + t[()]}, t, 0), ZERO),
            chain=(Step(op.vjp.inline(total(i, op.gradient(x)[i])), "d(x + t)/dt = 1 at t = 0"),),
            law="zero gradient sum",
        ),
        Statement(
            "S9",
            "at inverse temperature β: softmax(βx) = softmax(x)^β / Σ_j softmax(x)[j]^β",
            Equal(
                op.value(p[i], {x: lambda k: beta[()] * x[k]}),
                exp(beta[()] * log(P)) / total(j, exp(beta[()] * log(op.value(p[j])))),
            ),
        ),
        Statement(
            "S10",
            "online merge: with m = max(m₁, m₂) and z = z₁ e^(m₁−m) + z₂ e^(m₂−m), the first block is a₁ e^(m₁−m)/z",
            Equal(
                halves.split.apply(P, {i: (1, i1)}),
                exp(halves.part(1)[i1] - halves.maximum(1)) * exp(halves.maximum(1) - m1) / halves.merged(m2),
            ),
        ),
        Statement(
            "S11",
            "the merge is associative: three blocks in either order give one maximum and one partition function",
            Equal(*association(0)),
            conjuncts=(Equal(*association(1)),),
        ),
        Statement(
            "S12",
            "a block with z = 0 is the identity of the merge: the total z e^m is unchanged",
            Equal(weight(merge(one, (two[0], ZERO))), weight(one)),
            conjuncts=(Equal(weight(merge((one[0], ZERO), two)), weight(two)),),
        ),
        Statement(
            "S13",
            "H tx = tp ∘ (dp − ⟨p, dp⟩) − p ⟨tp, dp⟩ for the Hessian H of ⟨p, dp⟩, with tp of S6; ⟨s, H t⟩ = ⟨t, H s⟩",
            Equal(
                op.hvp.inline(op.second(x)[i]),
                tangent(i) * (dp[i] - total(j, op.value(p[j]) * dp[j])) - P * total(j, tangent(j) * dp[j]),
            ),
            conjuncts=(Equal(*op.hessian_symmetry()),),
        ),
    )


def _log_softmax_statements() -> tuple[Statement, ...]:
    op = LOG_SOFTMAX
    shift, t = Tensor("c"), Tensor("t")
    dy, tx = op.cotangent(y), op.tangent(x)
    return (
        Statement(
            "S1",
            "log_softmax(x + c) = log_softmax(x)",
            Equal(op.value(y[i], {x: lambda k: x[k] + shift[()]}), op.value(y[i])),
            law="shift",
        ),
        Statement(
            "S2",
            "the maximum may be treated as a constant: the total derivative of ⟨y, dy⟩ with respect to m is 0",
            Equal(maximum_gradient(op.program, m), ZERO),
        ),
        Statement(
            "S3",
            "exp(log_softmax(x)) = softmax(x)",
            Equal(exp(op.value(y[i])), SOFTMAX.value(p[i])),
            law="normalised",
        ),
        Statement(
            "S4",
            "dx = dy − softmax(x) Σ_j dy[j] is the vector-Jacobian product",
            Equal(op.derived_vjp.inline(op.gradient(x)[i]), dy[i] - SOFTMAX.value(p[i]) * total(j, dy[j])),
        ),
        Statement(
            "S5",
            "ty = tx − Σ_j softmax(x)[j] tx[j] is the Jacobian-vector product",
            Equal(op.derived_jvp.inline(op.tangent(y)[i]), tx[i] - total(j, SOFTMAX.value(p[j]) * tx[j])),
        ),
        Statement("S6", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S7",
            "Σ_i dx[i] = 0: the conservation law of the shift invariance S1",
            Equal(pairing(op, {x: lambda k: x[k] + t[()]}, t, 0), ZERO),
            law="zero gradient sum",
        ),
    )


def _logsumexp_statements() -> tuple[Statement, ...]:
    op = LOGSUMEXP
    shift, t, v = Tensor("c"), Tensor("t"), Tensor("v", (n,))
    dlse, tx = op.cotangent(lse), op.tangent(x)
    halves = Halves(x, Split(n, Dim("n1"), Dim("n2")))
    P = SOFTMAX.value

    def hessian(row: Index, column: Index) -> Expr:
        return SOFTMAX.derived_jvp.inline(SOFTMAX.tangent(p)[row], {SOFTMAX.tangent(x): lambda k: Delta(k, column)})

    return (
        Statement(
            "S1",
            "logsumexp(x + c) = logsumexp(x) + c",
            Equal(op.value(lse[()], {x: lambda k: x[k] + shift[()]}), op.value(lse[()]) + shift[()]),
            law="shift",
        ),
        Statement(
            "S2",
            "the maximum may be treated as a constant: the total derivative of lse with respect to m is 0",
            Equal(maximum_gradient(op.program, m), ZERO),
        ),
        Statement(
            "S3",
            "softmax is the gradient of logsumexp: dx = dlse · softmax(x)",
            Equal(op.derived_vjp.inline(op.gradient(x)[i]), dlse[()] * P(p[i])),
        ),
        Statement(
            "S4",
            "tlse = Σ_j softmax(x)[j] tx[j] is the Jacobian-vector product",
            Equal(op.derived_jvp.inline(op.tangent(lse)[()]), total(j, P(p[j]) * tx[j])),
        ),
        Statement("S5", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S6",
            "Σ_i dx[i] = dlse: the conservation law of the shift equivariance S1",
            Equal(pairing(op, {x: lambda k: x[k] + t[()]}, t, 0), dlse[()]),
            law="gradient sum",
        ),
        Statement(
            "S7",
            "the Hessian is diag(p) − p pᵀ (the derivative of S3, in the direction of one logit)",
            Equal(hessian(i, j), P(p[i]) * Delta(i, j) - P(p[i]) * P(p[j])),
        ),
        Statement(
            "S8",
            "vᵀHv = ½ Σ_ij p[i] p[j] (v[i] − v[j])² ≥ 0: the Hessian is positive semidefinite",
            Equal(
                total(i, j, v[i] * hessian(i, j) * v[j]),
                lift(Fraction(1, 2)) * total(i, j, P(p[i]) * P(p[j]) * (v[i] - v[j]) ** 2),
            ),
            conjuncts=(NonNegative(lift(Fraction(1, 2)) * total(i, j, P(p[i]) * P(p[j]) * (v[i] - v[j]) ** 2)),),
        ),
        Statement(
            "S9",
            "logsumexp of two blocks is the logsumexp of their logsumexps",
            Equal(
                halves.split.apply(op.value(lse[()])),
                log(exp(halves.maximum(1)) * halves.partition(1) + exp(halves.maximum(2)) * halves.partition(2)),
            ),
        ),
        Statement(
            "S10",
            "H tx = dlse · p ∘ (tx − ⟨p, tx⟩) for the Hessian H of dlse · logsumexp; ⟨s, H t⟩ = ⟨t, H s⟩",
            Equal(
                op.hvp.inline(op.second(x)[i]),
                dlse[()] * P(p[i]) * (tx[i] - total(j, P(p[j]) * tx[j])),
            ),
            conjuncts=(Equal(*op.hessian_symmetry()),),
        ),
    )


_SOURCE = "Blanchard, Higham & Higham 2021, (1.1)–(1.3)"
_NAN = {"empty row": "a row that is −∞ throughout gives NaN"}

SOFTMAX = Operation(
    "softmax",
    "A row of logits as a probability distribution.",
    SOFTMAX_PROGRAM,
    (x,),
    _softmax_statements,
    _LOGITS,
    {"p": "probabilities `[..., n]`"},
    _NAN,
    _SOURCE,
    second_order=True,
)
LOG_SOFTMAX = Operation(
    "log_softmax",
    "Logarithms of the probabilities, without forming them.",
    LOG_SOFTMAX_PROGRAM,
    (x,),
    _log_softmax_statements,
    _LOGITS,
    {"y": "log-probabilities `[..., n]`"},
    _NAN,
    _SOURCE,
)
LOGSUMEXP = Operation(
    "logsumexp",
    "The logarithm of a sum of exponentials, whose gradient is softmax.",
    LOGSUMEXP_PROGRAM,
    (x,),
    _logsumexp_statements,
    _LOGITS,
    {"lse": "log of the sum of exponentials `[...]`"},
    {"empty row": "a row that is −∞ throughout gives −∞"},
    _SOURCE,
    second_order=True,
)

OPERATIONS = (SOFTMAX, LOG_SOFTMAX, LOGSUMEXP)
