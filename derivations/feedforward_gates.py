"""What holds of the gated activations swiglu and geglu: an activation of the gate times the features."""

from __future__ import annotations

from .calculus.expr import Expr, Replacement, Tensor, sigmoid, total
from .calculus.operation import Operation
from .calculus.statement import Equal, Statement
from .calculus.symmetry import pairing
from .feedforward_activations import featurewise
from .feedforward_program import c, gate, normal_cdf, normal_density, up, x, y

t = Tensor("t")


def swiglu_statements(op: Operation, silu: Operation) -> tuple[Statement, ...]:
    logistic = sigmoid(gate[c])
    return _gated(op, silu, "σ(gate) (1 + gate (1 − σ(gate)))", logistic * (1 + gate[c] * (1 - logistic)))


def geglu_statements(op: Operation, gelu: Operation) -> tuple[Statement, ...]:
    slope = normal_cdf(gate[c]) + gate[c] * normal_density(gate[c])
    return _gated(op, gelu, "(Φ(gate) + gate φ(gate))", slope)


def _gated(op: Operation, activation: Operation, formula: str, slope: Expr) -> tuple[Statement, ...]:
    """The laws of f(gate) ∘ up for an activation f with this derivative."""
    alpha, beta, other = Tensor("alpha"), Tensor("beta"), Tensor("w", up.dims)
    dy, tgate, tup = op.cotangent(y), op.tangent(gate), op.tangent(up)
    active = activation.value(y[c], {x: lambda k: gate[k]})
    blend: dict[Tensor, Replacement] = {up: lambda k: alpha[()] * up[k] + beta[()] * other[k]}
    return (
        Statement("S1", f"y = {activation.name}(gate) ∘ up", Equal(op.value(y[c]), active * up[c])),
        Statement(
            "S2",
            "linear in up: y(αU + βW) = α y(U) + β y(W)",
            Equal(
                op.value(y[c], blend),
                alpha[()] * op.value(y[c]) + beta[()] * op.value(y[c], {up: lambda k: other[k]}),
            ),
            law="linear in up",
        ),
        Statement(
            "S3",
            f"dup = dy ∘ {activation.name}(gate); dgate = dy ∘ up ∘ {formula}",
            Equal(op.derived_vjp.inline(op.gradient(up)[c]), dy[c] * active),
            conjuncts=(Equal(op.derived_vjp.inline(op.gradient(gate)[c]), dy[c] * up[c] * slope),),
        ),
        Statement(
            "S4",
            f"ty = tup ∘ {activation.name}(gate) + tgate ∘ up ∘ {formula} is the Jacobian-vector product",
            Equal(op.derived_jvp.inline(op.tangent(y)[c]), tup[c] * active + tgate[c] * up[c] * slope),
        ),
        Statement("S5", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S6",
            "⟨dup, up⟩ = ⟨dy, y⟩, the law of S2",
            Equal(
                pairing(op, {up: lambda k: t[()] * up[k]}, t, 1),
                op.program.inline(total(c, dy[c] * y[c])),
            ),
            law="pairing",
        ),
        featurewise(op, "S7", (gate, up)),
    )
