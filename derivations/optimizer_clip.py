"""Clipping of a gradient by its norm: program and statements. The labels are those of the topic `optimizer`."""

from __future__ import annotations

from fractions import Fraction

from .calculus.expr import ZERO, Const, Expr, Index, Replacement, Tensor, relu, step, total
from .calculus.operation import Input, Operation
from .calculus.program import Def, Program
from .calculus.statement import Equal, NonNegative, Statement, Step
from .calculus.symmetry import pairing
from .optimizer_sgd import K, g, k

j = Index("j", K)

max_norm, eps = Tensor("max_norm"), Tensor("eps")
norm, excess, coef, y = Tensor("norm"), Tensor("excess"), Tensor("coef"), Tensor("y", (K,))

CLIP_PROGRAM = Program(
    "clip_grad_norm",
    (g, max_norm, eps),
    (
        Def(norm[()], total(j, g[j] ** 2) ** Fraction(1, 2), "norm of the whole gradient"),
        Def(excess[()], relu(norm[()] + eps[()] - max_norm[()]), "by how much it is too long"),
        Def(coef[()], max_norm[()] / (max_norm[()] + excess[()]), "min(1, max_norm/(norm + eps))", "S4", (0, 1)),
        Def(y[k], coef[()] * g[k], "clipped gradient"),
    ),
    (y, norm),
)

# The statements about signs are about positive numbers max_norm and eps.
_TOP, _EPS = Tensor("max_norm_", (), "positive"), Tensor("eps_", (), "positive")
_POSITIVE: dict[Tensor, Replacement] = {max_norm: lambda: _TOP[()], eps: lambda: _EPS[()]}


def _positive(expr: Expr) -> Expr:
    return CLIP_PROGRAM.inline(expr, _POSITIVE)


def _without_eps(expr: Expr) -> Expr:
    return CLIP_PROGRAM.inline(expr, {**_POSITIVE, eps: lambda: ZERO})


def _signs() -> tuple[Statement, ...]:
    top, shrunk = _TOP[()], _TOP[()] + excess[()]
    square = total(k, g[k] ** 2)
    short = relu(top - _EPS[()] - norm[()])
    room = top / shrunk * relu(top - norm[()])  # what is left of max_norm at eps = 0
    return (
        Statement(
            "S1",
            "clipping never raises the norm: ‖g‖² − ‖y‖² = ‖g‖² excess (2 max_norm + excess)/(max_norm + excess)² ≥ 0",
            NonNegative(_positive(square - total(k, y[k] ** 2))),
            chain=(
                Step(
                    _positive(square * excess[()] * (2 * top + excess[()]) * shrunk**-2),
                    "a difference of squares",
                ),
            ),
            law="norm",
        ),
        Statement(
            "S2",
            "the clipped norm is at most max_norm: ‖y‖ = coef ‖g‖ and "
            "max_norm − coef ‖g‖ = coef (eps + relu(max_norm − eps − ‖g‖)) ≥ 0, for eps > 0 and for eps = 0",
            NonNegative(_positive(top - coef[()] * norm[()])),
            chain=(Step(_positive(top / shrunk * (_EPS[()] + short)), "relu(−a) = relu(a) − a"),),
            conjuncts=(
                Equal(_positive(total(k, y[k] ** 2)), _positive(coef[()] ** 2 * norm[()] ** 2)),
                Equal(_without_eps(top - coef[()] * norm[()]), _without_eps(room)),
                NonNegative(_without_eps(room)),
            ),
        ),
    )


def _unchanged() -> tuple[Statement, ...]:
    slack = Tensor("a", (), "positive")
    value = CLIP_PROGRAM.inline
    longest = value(norm[()] + eps[()])
    return (
        Statement(
            "S3",
            "a gradient with ‖g‖ + eps ≤ max_norm is unchanged; with S2: at eps = 0 clipping twice is clipping once",
            Equal(value(y[k], {max_norm: lambda: longest + slack[()]}), g[k]),
            conjuncts=(Equal(value(y[k], {max_norm: lambda: longest}), g[k]),),
        ),
        Statement(
            "S4",
            "the factor is at most 1 and not negative, and the direction is kept: y[k] g[j] = y[j] g[k]",
            NonNegative(_positive(1 - coef[()])),
            chain=(Step(_positive(excess[()] / (_TOP[()] + excess[()])), "1 − a/(a + b) = b/(a + b)"),),
            conjuncts=(NonNegative(_positive(coef[()])), Equal(value(y[k] * g[j]), value(y[j] * g[k]))),
            law="direction",
        ),
    )


def _derivatives() -> tuple[Statement, ...]:
    op, t = CLIP, Tensor("t")
    dy, dnorm, tg = op.cotangent(y), op.cotangent(norm), op.tangent(g)
    value = op.program.inline
    clipped = step(norm[()] + eps[()] - max_norm[()])
    shrinks = coef[()] * clipped / (max_norm[()] + excess[()])  # −∂coef/∂norm
    reached = total(j, dy[j] * g[j])
    along = total(j, g[j] * tg[j]) / norm[()]
    return (
        Statement(
            "S5",
            "dg = coef dy + (dnorm − coef [‖g‖ + eps > max_norm] ⟨dy, g⟩/(max_norm + excess)) g/‖g‖",
            Equal(
                op.derived_vjp.inline(op.gradient(g)[k]),
                value(coef[()] * dy[k] + (dnorm[()] - shrinks * reached) * g[k] / norm[()]),
            ),
        ),
        Statement(
            "S6",
            "tnorm = ⟨g, tg⟩/‖g‖ and ty = coef tg − coef [‖g‖ + eps > max_norm] tnorm g/(max_norm + excess)",
            Equal(op.derived_jvp.inline(op.tangent(y)[k]), value(coef[()] * tg[k] - shrinks * along * g[k])),
            conjuncts=(Equal(op.derived_jvp.inline(op.tangent(norm)[()]), value(along)),),
        ),
        Statement("S7", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S8",
            "⟨dg, g⟩ = ⟨dy, y⟩ (1 − [‖g‖ + eps > max_norm] ‖g‖/(max_norm + excess)) + dnorm ‖g‖: what is clipped "
            "does not depend on the length of g at eps = 0",
            Equal(
                pairing(op, {g: lambda at: t[()] * g[at]}, t, 1),
                value(
                    total(j, dy[j] * y[j]) * (1 - clipped * norm[()] / (max_norm[()] + excess[()]))
                    + dnorm[()] * norm[()]
                ),
            ),
        ),
    )


def _statements() -> tuple[Statement, ...]:
    return (*_signs(), *_unchanged(), *_derivatives())


CLIP = Operation(
    "clip_grad_norm",
    "A gradient shortened to a given norm if it is longer.",
    CLIP_PROGRAM,
    (g,),
    _statements,
    {
        "g": Input("gradient of all parameters `[..., K]`"),
        "max_norm": Input("largest norm, positive"),
        "eps": Input("added to the norm", Const(Fraction(1, 10**6))),
    },
    {"y": "clipped gradient `[..., K]`", "norm": "norm before clipping `[...]`"},
    {
        "eps": "added to the norm in the denominator, so that what is clipped ends a little below max_norm",
        "kink": "where ‖g‖ + eps = max_norm the derivative is that of a gradient that is not clipped",
    },
    "Pascanu, Mikolov & Bengio 2013, algorithm 1, in the form of torch.nn.utils.clip_grad_norm_",
)
