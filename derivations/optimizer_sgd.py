"""Stochastic gradient descent with momentum, classical and Nesterov's: programs and statements.

The labels are those of the topic `optimizer`.
"""

from __future__ import annotations

from collections.abc import Callable

from .calculus.expr import ZERO, Dim, Expr, Index, Replacement, Tensor
from .calculus.operation import Input, Operation
from .calculus.program import Def, Program
from .calculus.statement import Equal, Statement

K = Dim("K")
k = Index("k", K)

p, g, buf = Tensor("p", (K,)), Tensor("g", (K,)), Tensor("buf", (K,))
lr, momentum, dampening, weight_decay = (Tensor(name) for name in ("lr", "momentum", "dampening", "weight_decay"))
grad, buf_new, p_new = Tensor("grad", (K,)), Tensor("buf_new", (K,)), Tensor("p_new", (K,))

NO_DECAY: dict[Tensor, Replacement] = {weight_decay: lambda: ZERO}

_DECAYED = Def(grad[k], g[k] + weight_decay[()] * p[k], "gradient of the loss with its penalty on the squared weights")

SGD_PROGRAM = Program(
    "sgd",
    (p, g, buf, lr, momentum, dampening, weight_decay),
    (
        _DECAYED,
        Def(buf_new[k], momentum[()] * buf[k] + (1 - dampening[()]) * grad[k], "velocity"),
        Def(p_new[k], p[k] - lr[()] * buf_new[k]),
    ),
    (p_new, buf_new),
)
NESTEROV_PROGRAM = Program(
    "nesterov_sgd",
    (p, g, buf, lr, momentum, weight_decay),
    (
        _DECAYED,
        Def(buf_new[k], momentum[()] * buf[k] + grad[k], "velocity"),
        Def(p_new[k], p[k] - lr[()] * (grad[k] + momentum[()] * buf_new[k]), "a step ahead along the new velocity"),
    ),
    (p_new, buf_new),
)


def _own(tensor: Tensor) -> Replacement:
    return lambda at: tensor[at]


def _second_step(op: Operation, first: Tensor, second: Tensor) -> Expr:
    """The buffer after a step with one gradient and then a step with another, without decay."""
    once = {**NO_DECAY, g: _own(first)}
    return op.value(buf_new[k], {**NO_DECAY, g: _own(second), buf: lambda at: op.value(buf_new[at], once)})


def _linear_in_state(op: Operation, label: str) -> Statement:
    """The step is linear in (p, g, buf): it is its own derivative, so that the JVP is the step of the tangents."""
    tangents: dict[Tensor, Replacement] = {tensor: _own(op.tangent(tensor)) for tensor in (p, g, buf)}
    return Statement(
        label,
        "the step is linear in (p, g, buf), so the Jacobian-vector product is the step of the tangents",
        Equal(op.derived_jvp.inline(op.tangent(p_new)[k]), op.value(p_new[k], tangents)),
        conjuncts=(Equal(op.derived_jvp.inline(op.tangent(buf_new)[k]), op.value(buf_new[k], tangents)),),
    )


def _sgd_statements() -> tuple[Statement, ...]:
    op = SGD
    g1, g2, power = Tensor("g1", (K,)), Tensor("g2", (K,)), Tensor("a")
    mu, kept = momentum[()], 1 - dampening[()]
    first: dict[Tensor, Replacement] = {buf: lambda _: ZERO, dampening: lambda: ZERO}
    dp, db = op.cotangent(p_new), op.cotangent(buf_new)
    dbuf = db[k] - lr[()] * dp[k]
    geometric: dict[Tensor, Replacement] = {
        **NO_DECAY,
        dampening: lambda: ZERO,
        buf: lambda at: (1 - power[()]) / (1 - mu) * g[at],
    }
    derived = op.derived_vjp.inline
    return (
        Statement(
            "S1",
            "the first step, from buf = 0 without dampening: buf_new = g + λp and p_new = p − lr (g + λp)",
            Equal(op.value(buf_new[k], first), g[k] + weight_decay[()] * p[k]),
            conjuncts=(Equal(op.value(p_new[k], first), p[k] - lr[()] * (g[k] + weight_decay[()] * p[k])),),
        ),
        Statement(
            "S2",
            "two steps unrolled: buf_new = μ² buf + (1 − τ)(μ g₁ + g₂)",
            Equal(_second_step(op, g1, g2), mu**2 * buf[k] + kept * (mu * g1[k] + g2[k])),
        ),
        Statement(
            "S3",
            "a constant gradient takes buf = (1 − a)/(1 − μ) g to buf_new = (1 − μa)/(1 − μ) g (a = μ^t after t steps)",
            Equal(op.value(buf_new[k], geometric), (1 - mu * power[()]) / (1 - mu) * g[k]),
        ),
        Statement(
            "S4",
            "without momentum and dampening the decay shrinks the weights: p_new = (1 − lr λ) p − lr g",
            Equal(
                op.value(p_new[k], {momentum: lambda: ZERO, dampening: lambda: ZERO}),
                (1 - lr[()] * weight_decay[()]) * p[k] - lr[()] * g[k],
            ),
        ),
        Statement(
            "S5",
            "with b = dbuf_new − lr dp_new: dbuf = μ b, dg = (1 − τ) b, dp = dp_new + λ dg",
            Equal(derived(op.gradient(buf)[k]), mu * dbuf),
            conjuncts=(
                Equal(derived(op.gradient(g)[k]), kept * dbuf),
                Equal(derived(op.gradient(p)[k]), dp[k] + weight_decay[()] * kept * dbuf),
            ),
        ),
        _linear_in_state(op, "S6"),
        Statement("S7", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


def _nesterov_statements() -> tuple[Statement, ...]:
    op = NESTEROV
    g1, g2 = Tensor("g1", (K,)), Tensor("g2", (K,))
    mu = momentum[()]
    dp, db = op.cotangent(p_new), op.cotangent(buf_new)
    dbuf = db[k] - lr[()] * mu * dp[k]
    dg = dbuf - lr[()] * dp[k]
    derived = op.derived_vjp.inline
    ahead: dict[Tensor, Replacement] = {buf: lambda at: SGD.value(buf_new[at], {dampening: lambda: ZERO})}
    return (
        Statement(
            "S1",
            "it is the step of classical momentum taken twice along the same gradient",
            Equal(
                op.value(p_new[k]),
                SGD.value(p_new[k], {dampening: lambda: ZERO, **ahead}),
            ),
            conjuncts=(Equal(op.value(buf_new[k]), SGD.value(buf_new[k], {dampening: lambda: ZERO})),),
        ),
        Statement(
            "S2",
            "two steps unrolled: buf_new = μ² buf + μ g₁ + g₂",
            Equal(_second_step(op, g1, g2), mu**2 * buf[k] + mu * g1[k] + g2[k]),
        ),
        Statement(
            "S3",
            "with b = dbuf_new − lr μ dp_new: dbuf = μ b, dg = b − lr dp_new, dp = dp_new + λ dg",
            Equal(derived(op.gradient(buf)[k]), mu * dbuf),
            conjuncts=(
                Equal(derived(op.gradient(g)[k]), dg),
                Equal(derived(op.gradient(p)[k]), dp[k] + weight_decay[()] * dg),
            ),
        ),
        _linear_in_state(op, "S4"),
        Statement("S5", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


INPUTS = {
    "p": Input("parameters `[..., K]`"),
    "g": Input("gradient of the loss `[..., K]`"),
    "lr": Input("learning rate"),
    "weight_decay": Input("weight λ of the penalty", ZERO),
}
_BUFFER = Input("velocity so far `[..., K]`, 0 before the first step", ZERO)
_OUTPUTS = {"p_new": "parameters after the step `[..., K]`", "buf_new": "velocity after the step `[..., K]`"}
_SOURCE = "Sutskever et al. 2013, (1)–(4), in the form of torch.optim.SGD"


def _operation(
    name: str,
    summary: str,
    program: Program,
    statements: Callable[[], tuple[Statement, ...]],
    scalars: dict[str, Input],
    first: str,
) -> Operation:
    inputs = {**INPUTS, "buf": _BUFFER, **scalars}
    return Operation(name, summary, program, (p, g, buf), statements, inputs, _OUTPUTS, {"first step": first}, _SOURCE)


SGD = _operation(
    "sgd",
    "One step of gradient descent with momentum.",
    SGD_PROGRAM,
    _sgd_statements,
    {
        "momentum": Input("factor μ of the velocity", ZERO),
        "dampening": Input("part τ of the gradient that the velocity leaves out", ZERO),
    },
    "the velocity becomes the gradient: pass buf = 0 and dampening = 0",
)
NESTEROV = _operation(
    "nesterov_sgd",
    "One step of gradient descent with Nesterov's momentum.",
    NESTEROV_PROGRAM,
    _nesterov_statements,
    {"momentum": Input("factor μ of the velocity, greater than 0")},
    "the velocity becomes the gradient: pass buf = 0",
)
