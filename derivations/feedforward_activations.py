"""What holds of the activations: relu, gelu in both forms, silu."""

from __future__ import annotations

from fractions import Fraction

from .calculus.expr import (
    ONE,
    ZERO,
    Delta,
    Expr,
    Index,
    Replacement,
    Tensor,
    erf,
    exp,
    sigmoid,
    step,
    tanh,
    total,
)
from .calculus.operation import Operation
from .calculus.statement import Claim, Equal, NonNegative, Statement, Step, Within
from .calculus.symmetry import pairing
from .feedforward_program import HALF, ROOT_2, c, d, inner, inner_slope, normal_cdf, normal_density, x, y

# The least values of gelu and silu and the distance of the two forms of gelu, rounded away from 0.
GELU_LEAST, SILU_LEAST = Fraction(-170, 1000), Fraction(-2785, 10**4)
FORMS_APART = Fraction(474, 10**6)

t = Tensor("t")  # one real number, wherever a statement is about a function of one


def of_number(op: Operation) -> Expr:
    """The activation of the number t."""
    return op.value(y[c], {x: lambda _: t[()]})


def slopes(op: Operation, labels: tuple[str, str, str], formula: str, slope: Expr) -> tuple[Statement, ...]:
    """VJP, JVP and the adjoint identity of an activation with this derivative."""
    vjp, jvp, adjoint = labels
    return (
        Statement(
            vjp,
            f"dx = dy ∘ {formula} is the vector-Jacobian product",
            Equal(op.derived_vjp.inline(op.gradient(x)[c]), op.cotangent(y)[c] * slope),
        ),
        Statement(
            jvp,
            f"ty = tx ∘ {formula} is the Jacobian-vector product",
            Equal(op.derived_jvp.inline(op.tangent(y)[c]), op.tangent(x)[c] * slope),
        ),
        Statement(adjoint, "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


def odd_part(op: Operation, label: str) -> Statement:
    """f(x) − f(−x) = x."""
    return Statement(
        label,
        f"{op.name}(x) − {op.name}(−x) = x",
        Equal(op.value(y[c]) - op.value(y[c], {x: lambda k: -x[k]}), x[c]),
        law="odd part",
    )


def featurewise(op: Operation, label: str, inputs: tuple[Tensor, ...] = (x,)) -> Statement:
    """Each feature by itself: other features change neither its value nor its gradient."""
    here, there = Index("e", d), Index("f", d)

    def changed(tensor: Tensor) -> Replacement:
        delta = Tensor(f"Δ{tensor.name}", tensor.dims)
        return lambda k: tensor[k] + (1 - Delta(k, here)) * delta[k]

    changes = {tensor: changed(tensor) for tensor in inputs}
    gradients = {**changes, op.cotangent(y): changed(op.cotangent(y))}
    kept: list[Claim] = []
    for tensor in inputs:
        entry = op.gradient(tensor)[here]
        kept.append(Equal(op.vjp.inline(entry, gradients), op.vjp.inline(entry)))
        mixed: dict[Tensor, Replacement] = {
            op.tangent(one): (lambda k: Delta(k, there)) if one is tensor else (lambda _: ZERO) for one in inputs
        }
        slope: dict[Tensor, Replacement] = {
            op.tangent(one): (lambda _: ONE) if one is tensor else (lambda _: ZERO) for one in inputs
        }
        jvp = op.derived_jvp.inline
        kept.append(
            Equal(jvp(op.tangent(y)[here], mixed), Delta(here, there) * jvp(op.tangent(y)[here], slope)),
        )
    return Statement(
        label,
        "features are independent: other features change neither y[e] nor its gradients, and the Jacobian is diagonal",
        Equal(op.value(y[here], changes), op.value(y[here])),
        conjuncts=tuple(kept),
        law="independence",
    )


def relu_statements(op: Operation) -> tuple[Statement, ...]:
    scale = Tensor("a", (), "positive")
    Y = op.value(y[c])
    dy = op.cotangent(y)
    gradient = op.gradient(x)[c]
    return (
        Statement(
            "S1",
            "relu(x) is the larger of x and 0: at least x, at least 0, and equal to one of them",
            NonNegative(Y - x[c]),
            chain=(Step(op.value(y[c], {x: lambda k: -x[k]}), "relu(x) − relu(−x) = x"),),
            conjuncts=(NonNegative(Y), Equal(Y * (Y - x[c]), ZERO)),
        ),
        Statement("S2", "idempotent: relu(relu(x)) = relu(x)", Equal(op.value(y[c], {x: lambda k: op.value(y[k])}), Y)),
        Statement(
            "S3",
            "positively homogeneous: relu(ax) = a relu(x) for a > 0",
            Equal(op.value(y[c], {x: lambda k: scale[()] * x[k]}), scale[()] * Y),
            law="positively homogeneous",
        ),
        odd_part(op, "S4"),
        *slopes(op, ("S5", "S6", "S7"), "[x > 0]", step(x[c])),
        Statement(
            "S8",
            "at the kink the derivative is 0: dx[c] = 0 where x[c] = 0",
            Equal(op.derived_vjp.inline(gradient, {x: lambda _: ZERO}), ZERO),
        ),
        Statement(
            "S9",
            "⟨dx, x⟩ = ⟨dy, y⟩, the law of S3",
            Equal(pairing(op, {x: lambda k: scale[()] * x[k]}, scale, 1), op.program.inline(total(c, dy[c] * y[c]))),
            law="pairing",
        ),
        featurewise(op, "S10"),
    )


def gelu_statements(op: Operation) -> tuple[Statement, ...]:
    slope = normal_cdf(x[c]) + x[c] * normal_density(x[c])
    return (
        Statement(
            "S1",
            "gelu(x) = x Φ(x) with Φ(x) = (1 + erf(x/√2))/2",
            Equal(op.value(y[c]), x[c] * (1 + erf(x[c] / ROOT_2)) / 2),
        ),
        odd_part(op, "S2"),
        *slopes(op, ("S3", "S4", "S5"), "(Φ(x) + x φ(x))", slope),
        Statement("S6", f"gelu(x) ≥ {_decimal(GELU_LEAST)} for every real x", Within(of_number(op), low=GELU_LEAST)),
        featurewise(op, "S7"),
    )


def gelu_tanh_statements(op: Operation, exact: Operation) -> tuple[Statement, ...]:
    argument = 2 * inner(x[c])
    slope = sigmoid(argument) * (1 + x[c] * sigmoid(-argument) * 2 * inner_slope(x[c]))
    number = t[()]
    mirrored = number * (sigmoid(-2 * inner(number)) - normal_cdf(-number))
    return (
        Statement(
            "S1",
            "gelu_tanh(x) = x (1 + tanh(u))/2 with u = √(2/π) (x + 0.044715 x³)",
            Equal(op.value(y[c]), x[c] * (1 + tanh(inner(x[c]))) / 2),
        ),
        odd_part(op, "S2"),
        *slopes(op, ("S3", "S4", "S5"), "σ(2u) (1 + 2x u′ σ(−2u))", slope),
        Statement(
            "S6",
            f"|gelu(x) − gelu_tanh(x)| ≤ {_decimal(FORMS_APART)} for every real x",
            Within(of_number(exact) - of_number(op), -FORMS_APART, FORMS_APART),
            chain=(Step(mirrored, "Φ(t) = 1 − Φ(−t) and σ(2u) = 1 − σ(−2u)"),),
            law="distance of the two forms",
        ),
        featurewise(op, "S7"),
    )


def silu_statements(op: Operation) -> tuple[Statement, ...]:
    logistic = sigmoid(x[c])
    return (
        Statement(
            "S1",
            "silu(x) = x σ(x) = x/(1 + e^(−x))",
            Equal(op.value(y[c]), x[c] / (1 + exp(-x[c]))),
        ),
        odd_part(op, "S2"),
        *slopes(op, ("S3", "S4", "S5"), "σ(x) (1 + x (1 − σ(x)))", logistic * (1 + x[c] * (1 - logistic))),
        Statement(
            "S6",
            "the same by tanh: silu(x) = x (1 + tanh(x/2))/2",
            Equal(op.value(y[c]), x[c] * (1 + tanh(HALF * x[c])) / 2),
        ),
        Statement("S7", f"silu(x) ≥ {_decimal(SILU_LEAST)} for every real x", Within(of_number(op), low=SILU_LEAST)),
        featurewise(op, "S8"),
    )


def _decimal(value: Fraction) -> str:
    """A number with finitely many decimals, the sign as in the other names."""
    return f"{float(value):g}".replace("-", "−")
