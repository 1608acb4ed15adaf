"""Adam, and Adam with decoupled weight decay: programs and statements.

The labels are those of the topic `optimizer`.
"""

from __future__ import annotations

from fractions import Fraction

from .calculus.expr import ZERO, Const, Expr, Replacement, Tensor, exp, log
from .calculus.operation import Input, Operation
from .calculus.program import Def, Program
from .calculus.statement import Equal, Statement
from .optimizer_sgd import INPUTS, NO_DECAY, K, g, grad, k, lr, p, p_new, weight_decay

HALF = Fraction(1, 2)

m, v, t = Tensor("m", (K,)), Tensor("v", (K,)), Tensor("t")
beta1, beta2, eps = Tensor("beta1", (), "positive"), Tensor("beta2", (), "positive"), Tensor("eps")
m_new, v_new, m_hat, v_hat = (Tensor(name, (K,)) for name in ("m_new", "v_new", "m_hat", "v_hat"))
root, step = Tensor("root", (K,)), Tensor("step", (K,))
c1, c2 = Tensor("c1"), Tensor("c2")

PARAMETERS = (p, g, m, v)


def _power_of(beta: Tensor, steps: Expr) -> Expr:
    """β to the number of steps."""
    return exp(steps * log(beta[()]))


def _moments(gradient: Tensor) -> tuple[Def, ...]:
    """The step of Adam along a gradient, up to the new parameters."""
    b1, b2 = beta1[()], beta2[()]
    return (
        Def(m_new[k], b1 * m[k] + (1 - b1) * gradient[k], "mean of the gradients"),
        Def(v_new[k], b2 * v[k] + (1 - b2) * gradient[k] ** 2, "mean of their squares"),
        Def(c1[()], 1 - _power_of(beta1, t[()]), "sum of the weights of the gradients so far", "S1"),
        Def(c2[()], 1 - _power_of(beta2, t[()]), "the same for their squares", "S1"),
        Def(root[k], (v_new[k] / c2[()]) ** HALF + eps[()], "root mean square, kept from 0 by eps"),
        Def(step[k], m_new[k] / c1[()] / root[k], "direction of the step"),
    )


_INPUTS = (p, g, m, v, t, lr, beta1, beta2, eps, weight_decay)
_OUTPUTS = (p_new, m_new, v_new)

ADAM_PROGRAM = Program(
    "adam",
    _INPUTS,
    (
        Def(grad[k], g[k] + weight_decay[()] * p[k], "gradient of the loss with its penalty on the squared weights"),
        *_moments(grad),
        Def(p_new[k], p[k] - lr[()] * step[k]),
    ),
    _OUTPUTS,
)
ADAMW_PROGRAM = Program(
    "adamw",
    _INPUTS,
    (*_moments(g), Def(p_new[k], p[k] - lr[()] * weight_decay[()] * p[k] - lr[()] * step[k])),
    _OUTPUTS,
)


def _unbiased(op: Operation, label: str) -> Statement:
    """Induction over the steps: what holds after t − 1 steps holds after t, and it holds after none."""

    def after(beta: Tensor, steps: Expr, value: Expr) -> Expr:
        return (1 - _power_of(beta, steps)) * value

    before = t[()] - 1
    state: dict[Tensor, Replacement] = {
        **NO_DECAY,
        m: lambda at: after(beta1, before, g[at]),
        v: lambda at: after(beta2, before, g[at] ** 2),
    }
    return Statement(
        label,
        "bias correction: if m = (1 − β₁^(t−1)) g and v = (1 − β₂^(t−1)) g², then m_new/(1 − β₁^t) = g and "
        "v_new/(1 − β₂^t) = g²; and at t − 1 = 0 both are 0",
        Equal(op.value(m_new[k], state) / op.value(c1[()]), g[k]),
        conjuncts=(
            Equal(op.value(v_new[k], state) / op.value(c2[()]), g[k] ** 2),
            Equal(after(beta1, ZERO, g[k]), ZERO),
            Equal(after(beta2, ZERO, g[k] ** 2), ZERO),
        ),
    )


def _scale_invariant(op: Operation, label: str) -> Statement:
    c = Tensor("c", (), "positive")
    plain: dict[Tensor, Replacement] = {**NO_DECAY, eps: lambda: ZERO}
    scaled: dict[Tensor, Replacement] = {
        **plain,
        g: lambda at: c[()] * g[at],
        m: lambda at: c[()] * m[at],
        v: lambda at: c[()] ** 2 * v[at],
    }
    return Statement(
        label,
        "at eps = 0 and without decay, a loss (and its history) scaled by c > 0 gives the same step",
        Equal(op.value(p_new[k], scaled), op.value(p_new[k], plain)),
    )


def _first_step(op: Operation, label: str) -> Statement:
    start: dict[Tensor, Replacement] = {
        **NO_DECAY,
        m: lambda _: ZERO,
        v: lambda _: ZERO,
        t: lambda: Const(Fraction(1)),
        eps: lambda: ZERO,
    }
    return Statement(
        label,
        "the first step at eps = 0 without decay has the length lr in every coordinate: (p_new − p)² = lr²",
        Equal((op.value(p_new[k], start) - p[k]) ** 2, lr[()] ** 2),
    )


def _gradients(op: Operation, label: str, *, coupled: bool) -> Statement:
    """The vector-Jacobian product, with M and V the gradients of m_new and v_new through all that reads them.

    What the program defines keeps its name, except the direction: the equalities hold whatever those values are.
    """
    names = frozenset(op.program.defined) - {step}

    def derived(tensor: Tensor) -> Expr:
        return op.derived_vjp.inline(op.gradient(tensor)[k], keep=names)

    dp, dm, dv = (op.cotangent(output) for output in _OUTPUTS)
    slope = 1 / (2 * root[k] * c2[()] * (v_new[k] / c2[()]) ** HALF)
    direction = op.program.inline(step[k], keep=names)
    moved = dm[k] - lr[()] * dp[k] / (c1[()] * root[k])
    squared = dv[k] + lr[()] * dp[k] * direction * slope
    gradient = grad[k] if coupled else g[k]
    dg = (1 - beta1[()]) * moved + 2 * (1 - beta2[()]) * gradient * squared
    kept = dp[k] + weight_decay[()] * dg if coupled else (1 - lr[()] * weight_decay[()]) * dp[k]
    decayed = "dp_new + λ dg" if coupled else "(1 − lr λ) dp_new"
    source = "grad" if coupled else "g"
    return Statement(
        label,
        "with r = √(v_new/c₂) + eps, M = dm_new − lr dp_new/(c₁ r) and V = dv_new + lr dp_new step/(2 r √(c₂ v_new)): "
        f"dm = β₁ M, dv = β₂ V, dg = (1 − β₁) M + 2 (1 − β₂) {source} V, dp = {decayed}",
        Equal(derived(m), beta1[()] * moved),
        conjuncts=(
            Equal(derived(v), beta2[()] * squared),
            Equal(derived(g), dg),
            Equal(derived(p), kept),
        ),
    )


def _tangents(op: Operation, label: str, *, coupled: bool) -> Statement:
    """The Jacobian-vector product; the names are those of the vector-Jacobian product."""
    names = frozenset(op.program.defined) - {step}

    def derived(tensor: Tensor) -> Expr:
        return op.derived_jvp.inline(op.tangent(tensor)[k], keep=names)

    tp, tg, tm, tv = (op.tangent(tensor) for tensor in PARAMETERS)
    source = tg[k] + weight_decay[()] * tp[k] if coupled else tg[k]
    gradient = grad[k] if coupled else g[k]
    moved = beta1[()] * tm[k] + (1 - beta1[()]) * source
    squared = beta2[()] * tv[k] + 2 * (1 - beta2[()]) * gradient * source
    slope = 1 / (2 * c2[()] * (v_new[k] / c2[()]) ** HALF)
    direction = op.program.inline(step[k], keep=names)
    stepped = (moved / c1[()] - direction * squared * slope) / root[k]
    kept = tp[k] if coupled else (1 - lr[()] * weight_decay[()]) * tp[k]
    return Statement(
        label,
        "tm_new = β₁ tm + (1 − β₁) tgrad, tv_new = β₂ tv + 2 (1 − β₂) grad tgrad, and "
        "tstep = (tm_new/c₁ − step tv_new/(2 √(c₂ v_new)))/r",
        Equal(derived(p_new), kept - lr[()] * stepped),
        conjuncts=(
            Equal(derived(m_new), moved),
            Equal(derived(v_new), squared),
        ),
    )


def _adam_statements() -> tuple[Statement, ...]:
    op = ADAM
    decay = weight_decay[()] * p[k]
    return (
        _unbiased(op, "S1"),
        _scale_invariant(op, "S2"),
        _first_step(op, "S3"),
        Statement(
            "S4",
            "the penalty enters both moments: m_new grows by (1 − β₁) λp, v_new by (1 − β₂)(2 g λp + λ²p²)",
            Equal(op.value(m_new[k]) - op.value(m_new[k], NO_DECAY), (1 - beta1[()]) * decay),
            conjuncts=(
                Equal(
                    op.value(v_new[k]) - op.value(v_new[k], NO_DECAY),
                    (1 - beta2[()]) * (2 * g[k] * decay + decay**2),
                ),
            ),
        ),
        _gradients(op, "S5", coupled=True),
        _tangents(op, "S6", coupled=True),
        Statement("S7", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


def _adamw_statements() -> tuple[Statement, ...]:
    op = ADAMW
    return (
        _unbiased(op, "S1"),
        _scale_invariant(op, "S2"),
        _first_step(op, "S3"),
        Statement(
            "S4",
            "the decay is decoupled: p_new = (Adam's without penalty) − lr λp, and the moments do not depend on λ",
            Equal(op.value(p_new[k]), ADAM.value(p_new[k], NO_DECAY) - lr[()] * weight_decay[()] * p[k]),
            conjuncts=(
                Equal(op.value(m_new[k]), ADAM.value(m_new[k], NO_DECAY)),
                Equal(op.value(v_new[k]), ADAM.value(v_new[k], NO_DECAY)),
            ),
        ),
        _gradients(op, "S5", coupled=False),
        _tangents(op, "S6", coupled=False),
        Statement("S7", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


_SPEC = {
    **INPUTS,
    "m": Input("first moment so far `[..., K]`, 0 before the first step"),
    "v": Input("second moment so far `[..., K]`, 0 before the first step"),
    "t": Input("number of this step, the first is 1"),
    "beta1": Input("decay of the first moment", Const(Fraction(9, 10))),
    "beta2": Input("decay of the second moment", Const(Fraction(999, 1000))),
    "eps": Input("added to the root of the second moment", Const(Fraction(1, 10**8))),
}
_RESULTS = {
    "p_new": "parameters after the step `[..., K]`",
    "m_new": "first moment after the step `[..., K]`",
    "v_new": "second moment after the step `[..., K]`",
}
_CONVENTIONS = {"eps": "added outside the root, after the bias correction"}

ADAM = Operation(
    "adam",
    "One step of Adam; weight decay is a penalty on the loss.",
    ADAM_PROGRAM,
    PARAMETERS,
    _adam_statements,
    _SPEC,
    _RESULTS,
    {**_CONVENTIONS, "weight decay": "added to the gradient"},
    "Kingma & Ba 2015, algorithm 1, in the form of torch.optim.Adam",
)
ADAMW = Operation(
    "adamw",
    "One step of Adam with decoupled weight decay.",
    ADAMW_PROGRAM,
    PARAMETERS,
    _adamw_statements,
    {**_SPEC, "weight_decay": Input("decay λ of the weights", Const(Fraction(1, 100)))},
    _RESULTS,
    {**_CONVENTIONS, "weight decay": "subtracted from the parameters, multiplied by lr"},
    "Loshchilov & Hutter 2019, algorithm 2, in the form of torch.optim.AdamW",
)
