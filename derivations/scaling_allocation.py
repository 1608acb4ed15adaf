"""The loss as a function of parameters and tokens, and the allocation of compute that makes it smallest.

Hoffmann et al. 2022: the loss of a model of N parameters after D tokens is E + A/N^α + B/D^β, and training takes C =
6ND operations. Powers with exponents that are no numbers are written exp(α log N).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from .calculus.differentiate import vjp
from .calculus.expr import ONE, ZERO, Add, Expr, Replacement, Tensor, exp, log
from .calculus.operation import Input, Operation
from .calculus.program import Def, Program
from .calculus.statement import Equal, NonNegative, Statement, Step


@dataclass(frozen=True)
class Fit:
    """Constants of the loss as a paper fitted them: not derived here."""

    source: str
    E: Fraction
    A: Fraction
    B: Fraction
    alpha: Fraction
    beta: Fraction

    def __str__(self) -> str:
        numbers = (f"{name} = {float(getattr(self, name)):g}" for name in ("E", "A", "B", "alpha", "beta"))
        return ", ".join(numbers)


FITS = (
    Fit(
        "Hoffmann et al. 2022, (10)",
        *map(Fraction, ("1.69", "406.4", "410.7", "0.34", "0.28")),
    ),
    Fit(
        "Besiroglu et al. 2024, the same data fitted again",
        *map(Fraction, ("1.8172", "482.01", "2085.43", "0.3478", "0.3658")),
    ),
)
# What the papers measured, for a reader who wants numbers to start from.
PUBLISHED = {f"constants fitted by {fit.source}": str(fit) for fit in FITS}


def power(base: Expr, exponent: Expr) -> Expr:
    """base^exponent of a positive base."""
    return exp(exponent * log(base))


def _positive(name: str) -> Tensor:
    return Tensor(name, (), "positive")


N_t, D_t, C_t, A_t, B_t = (_positive(name) for name in ("N", "D", "C", "A", "B"))
alpha_t, beta_t, E_t = _positive("alpha"), _positive("beta"), Tensor("E")
N, D, C, A, B, E = (tensor[()] for tensor in (N_t, D_t, C_t, A_t, B_t, E_t))
alpha, beta = alpha_t[()], beta_t[()]
loss_t = Tensor("loss")

SCALING_LAW_PROGRAM = Program(
    "scaling_law",
    (N_t, D_t, E_t, A_t, B_t, alpha_t, beta_t),
    (Def(loss_t[()], E + A * power(N, -alpha) + B * power(D, -beta), "loss"),),
    (loss_t,),
)

N_opt, D_opt = _positive("N_opt"), _positive("D_opt")

COMPUTE_OPTIMAL_PROGRAM = Program(
    "compute_optimal",
    (C_t, E_t, A_t, B_t, alpha_t, beta_t),
    (
        Def(
            N_opt[()],
            exp((log(alpha * A / (beta * B)) + beta * log(C / 6)) / (alpha + beta)),
            "parameters: (αA/(βB))^(1/(α + β)) · (C/6)^(β/(α + β))",
            "S4",
        ),
        Def(D_opt[()], C / (6 * N_opt[()]), "tokens", "S1"),
        Def(loss_t[()], E + A * power(N_opt[()], -alpha) + B * power(D_opt[()], -beta), "the least loss", "S6"),
    ),
    (N_opt, D_opt, loss_t),
)


def _law_statements() -> tuple[Statement, ...]:
    op = SCALING_LAW
    cotangent = op.cotangent(loss_t)[()]
    tangent = {tensor: op.tangent(tensor)[()] for tensor in op.differentiable}

    def gradient(tensor: Tensor) -> Expr:
        return op.derived_vjp.inline(op.gradient(tensor)[()])

    of_N, of_D = A * power(N, -alpha), B * power(D, -beta)
    slopes: Mapping[Tensor, Expr] = {
        N_t: -alpha * of_N / N,
        D_t: -beta * of_D / D,
        E_t: ONE,
        A_t: power(N, -alpha),
        B_t: power(D, -beta),
        alpha_t: -of_N * log(N),
        beta_t: -of_D * log(D),
    }
    first, *others = (Equal(gradient(tensor), cotangent * slope) for tensor, slope in slopes.items())
    jvp = Add(tuple(slope * tangent[tensor] for tensor, slope in slopes.items()))
    scale = _positive("kappa")[()]
    return (
        Statement(
            "S1",
            "the loss is never below E: loss − E = A/N^α + B/D^β ≥ 0",
            Equal(op.value(loss_t[()]) - E, of_N + of_D),
            conjuncts=(NonNegative(of_N + of_D),),
        ),
        Statement(
            "S2",
            "VJP: dN = −αA/N^(α+1), dD = −βB/D^(β+1), dE = 1, dA = 1/N^α, dB = 1/D^β, dα = −A log N/N^α, "
            "dβ = −B log D/D^β, times dloss",
            first,
            conjuncts=tuple(others),
        ),
        Statement(
            "S3", "JVP: each slope of S2 times its tangent", Equal(op.derived_jvp.inline(op.tangent(loss_t)[()]), jvp)
        ),
        Statement("S4", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S5",
            "κ times the parameters divide A/N^α by κ^α",
            Equal(
                op.value(loss_t[()], {N_t: lambda: scale * N}) - op.value(loss_t[()]),
                (power(scale, -alpha) - 1) * of_N,
            ),
        ),
        Statement(
            "S6",
            "a fit in logarithms: ∂ log(loss − E)/∂ log N = −α where tokens are no limit (B = 0)",
            Equal(N * gradient(N_t) / (op.value(loss_t[()]) - E - of_D), -alpha * cotangent),
        ),
    )


def _on_budget() -> Program:
    """The loss of N parameters, with all tokens that the compute buys."""
    tokens = _positive("D")
    steps = (
        Def(tokens[()], C / (6 * N), "the tokens that are left to pay for"),
        Def(loss_t[()], E + A * power(N, -alpha) + B * power(tokens[()], -beta), "loss"),
    )
    return Program("on_budget", (N_t, C_t, E_t, A_t, B_t, alpha_t, beta_t), steps, (loss_t,))


def _in_logarithm() -> Program:
    """The same with u = log N as the variable: where it is convex, a stationary point is the minimum."""
    u = Tensor("u")
    budget = _on_budget()
    steps = (Def(loss_t[()], budget.inline(loss_t[()], {N_t: lambda: exp(u[()])}), "loss"),)
    return Program("in_logarithm", (u, C_t, E_t, A_t, B_t, alpha_t, beta_t), steps, (loss_t,))


def _optimal_statements() -> tuple[Statement, ...]:
    op = COMPUTE_OPTIMAL
    value = op.value
    best_N, best_D, best_loss = value(N_opt[()]), value(D_opt[()]), value(loss_t[()])
    share = beta / (alpha + beta)
    kappa = _positive("kappa")[()]
    budget = _on_budget()
    derived = vjp(budget, [N_t])
    one = derived.inputs[-1]

    def slope(at: Expr) -> Expr:
        return derived.inline(derived.outputs[0][()], {N_t: lambda: at, one: lambda: ONE})

    first = _in_logarithm()
    derivative = vjp(first, [first.inputs[0]])
    curvature = vjp(derivative, [first.inputs[0]])
    second = curvature.inline(
        curvature.outputs[0][()], {curvature.inputs[-2]: lambda: ONE, curvature.inputs[-1]: lambda: ONE}
    )
    u = first.inputs[0][()]
    ratio = alpha * A / (beta * B) * power(C / 6, beta)
    factored = (beta * B * power(6 / C, beta)) * power(N, -alpha - 1) * (power(N, alpha + beta) - ratio)
    law = SCALING_LAW
    law_slopes = [law.derived_vjp.inline(law.gradient(t)[()], {law.cotangent(loss_t): lambda: ONE}) for t in (N_t, D_t)]
    scaled = {C_t: lambda: kappa * C}
    return (
        Statement(
            "S1",
            "the whole budget is spent: 6 N* D* = C",
            Equal(6 * best_N * best_D, C),
        ),
        Statement(
            "S2",
            "on the budget D = C/(6N), dloss/dN = βB (6/C)^β N^(−α−1) (N^(α+β) − (αA/(βB)) (C/6)^β)",
            Equal(slope(N), factored),
            chain=(
                Step(
                    law.derived_vjp.inline(law.gradient(N_t)[()], _at(C / (6 * N), law))
                    - C / (6 * N**2) * law.derived_vjp.inline(law.gradient(D_t)[()], _at(C / (6 * N), law)),
                    "chain rule: dD/dN = −C/(6N²)",
                ),
                Step(
                    -alpha * A * power(N, -alpha - 1) + beta * B * power(6 / C, beta) * power(N, beta - 1),
                    "the slopes of the scaling law, with D = C/(6N)",
                ),
            ),
        ),
        Statement(
            "S3",
            "the last factor of S2 vanishes at N*: N*^(α+β) = (αA/(βB)) (C/6)^β",
            Equal(power(best_N, alpha + beta), ratio),
            chain=(
                Step(
                    exp(log(alpha * A / (beta * B)) + beta * log(C / 6)),
                    "N* is the root: (X^(1/(α+β)))^(α+β) = X",
                ),
            ),
        ),
        Statement(
            "S4",
            "N* is stationary: dloss/dN = 0 there",
            Equal(slope(best_N), ZERO),
            chain=(
                Step(
                    beta * B * power(6 / C, beta) * power(best_N, -alpha - 1) * (power(best_N, alpha + beta) - ratio),
                    "S2 at N = N*",
                ),
                Step(beta * B * power(6 / C, beta) * power(best_N, -alpha - 1) * (ratio - ratio), "S3"),
            ),
        ),
        Statement(
            "S5",
            "Lagrange: at the optimum N ∂loss/∂N = D ∂loss/∂D, so that αA/N*^α = βB/D*^β: one λ for N and D",
            Equal(_at_optimum(N * law_slopes[0], best_N, best_D), _at_optimum(D * law_slopes[1], best_N, best_D)),
            conjuncts=(Equal(alpha * A * power(best_N, -alpha), beta * B * power(best_D, -beta)),),
        ),
        Statement(
            "S6",
            "it is the minimum: in u = log N the loss is convex, d²loss/du² = α²A/N^α + β²B/D^β ≥ 0",
            Equal(
                second,
                alpha**2 * A * exp(-alpha * u) + beta**2 * B * power(6 / C, beta) * exp(beta * u),
            ),
            conjuncts=(NonNegative(alpha**2 * A * exp(-alpha * u) + beta**2 * B * power(6 / C, beta) * exp(beta * u)),),
        ),
        Statement(
            "S7",
            "N* ∝ C^(β/(α+β)): κ times the compute is worth κ^(β/(α+β)) times the parameters",
            Equal(value(N_opt[()], scaled), power(kappa, share) * best_N),
        ),
        Statement(
            "S8",
            "D* ∝ C^(α/(α+β)), and the two exponents sum to 1",
            Equal(value(D_opt[()], scaled), power(kappa, alpha / (alpha + beta)) * best_D),
            conjuncts=(Equal(share + alpha / (alpha + beta), ONE),),
        ),
        Statement(
            "S9",
            "N* = G (C/6)^(β/(α+β)) and D* = G⁻¹ (C/6)^(α/(α+β)) with G = (αA/(βB))^(1/(α+β))",
            Equal(best_N, _G() * power(C / 6, share)),
            conjuncts=(Equal(best_D, power(C / 6, alpha / (alpha + beta)) / _G()),),
        ),
        Statement(
            "S10",
            "the least loss is E + (1/α + 1/β) αA/N*^α, and loss − E ∝ C^(−αβ/(α+β))",
            Equal(best_loss, E + (1 / alpha + 1 / beta) * alpha * A * power(best_N, -alpha)),
            conjuncts=(
                Equal(value(loss_t[()], scaled) - E, power(kappa, -alpha * beta / (alpha + beta)) * (best_loss - E)),
            ),
        ),
        Statement(
            "S11",
            "for α = β the tokens a parameter do not depend on the compute: D*/N* = (B/A)^(1/α)",
            Equal(
                value(D_opt[()], {beta_t: lambda: alpha}) / value(N_opt[()], {beta_t: lambda: alpha}),
                power(B / A, 1 / alpha),
            ),
        ),
        Statement(
            "S12",
            "VJP: what is earned by one more unit of compute, −αβ/(α+β) (loss − E)/C, reaches C along the allocation: "
            "dC = (β N* dN + α D* dD − αβ (loss − E) dloss)/((α+β) C)",
            Equal(op.derived_vjp.inline(op.gradient(C_t)[()]), _budget_gradient()),
        ),
        Statement(
            "S13",
            "JVP: elasticities β/(α+β), α/(α+β) and −αβ/(α+β) of N*, D* and loss − E",
            Equal(op.derived_jvp.inline(op.tangent(N_opt)[()]), share * best_N * op.tangent(C_t)[()] / C),
            conjuncts=(
                Equal(
                    op.derived_jvp.inline(op.tangent(D_opt)[()]),
                    alpha / (alpha + beta) * best_D * op.tangent(C_t)[()] / C,
                ),
                Equal(
                    op.derived_jvp.inline(op.tangent(loss_t)[()]),
                    -alpha * beta / (alpha + beta) * (best_loss - E) * op.tangent(C_t)[()] / C,
                ),
            ),
        ),
        Statement("S14", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


def _at(tokens: Expr, law: Operation) -> Mapping[Tensor, Replacement]:
    return {D_t: lambda: tokens, law.cotangent(loss_t): lambda: ONE}


def _at_optimum(expr: Expr, parameters: Expr, tokens: Expr) -> Expr:
    return COMPUTE_OPTIMAL.program.inline(expr, {N_t: lambda: parameters, D_t: lambda: tokens})


def _G() -> Expr:
    return power(alpha * A / (beta * B), 1 / (alpha + beta))


def _budget_gradient() -> Expr:
    op = COMPUTE_OPTIMAL
    dN, dD, dloss = (op.cotangent(tensor)[()] for tensor in (N_opt, D_opt, loss_t))
    gained = beta * op.value(N_opt[()]) * dN + alpha * op.value(D_opt[()]) * dD
    spent = alpha * beta * (op.value(loss_t[()]) - E) * dloss
    return (gained - spent) / ((alpha + beta) * C)


_CONSTANTS = {
    "E": Input("loss that no scale removes (the entropy of text)"),
    "A": Input("what a lack of parameters costs, positive"),
    "B": Input("what a lack of tokens costs, positive"),
    "alpha": Input("exponent of the parameters, positive"),
    "beta": Input("exponent of the tokens, positive"),
}

SCALING_LAW = Operation(
    "scaling_law",
    "The loss of a model of N parameters that has been trained on D tokens.",
    SCALING_LAW_PROGRAM,
    (N_t, D_t, E_t, A_t, B_t, alpha_t, beta_t),
    _law_statements,
    {"N": Input("parameters"), "D": Input("tokens"), **_CONSTANTS},
    {"loss": "expected loss, in nats a token"},
    PUBLISHED,
    "Hoffmann et al. 2022, (2)",
)
COMPUTE_OPTIMAL = Operation(
    "compute_optimal",
    "The parameters and tokens that make the loss least for a budget of 6ND operations.",
    COMPUTE_OPTIMAL_PROGRAM,
    (C_t,),
    _optimal_statements,
    {"C": Input("operations of training"), **_CONSTANTS},
    {"N_opt": "parameters", "D_opt": "tokens", "loss": "loss of this allocation"},
    PUBLISHED,
    "Hoffmann et al. 2022, (4)",
)
