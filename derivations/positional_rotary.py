"""Rotary position embedding: rotation, relative positions, gradients, orders of the features (rope S1–S19)."""

from __future__ import annotations

from .calculus.differentiate import jvp
from .calculus.expr import (
    ONE,
    ZERO,
    Delta,
    Dim,
    Expr,
    Index,
    Permutation,
    Replacement,
    Subscript,
    Tensor,
    cos,
    sin,
    total,
)
from .calculus.operation import Operation
from .calculus.statement import Equal, Statement, Step
from .calculus.symmetry import pairing
from .positional_program import c, h, i, n, omega, pos, x1, x2, y1, y2

Inputs = dict[Tensor, Replacement]
Pair = tuple[Expr, Expr]

_LEFT, _RIGHT = Index("i", n), Index("j", n)  # the positions of a query and of a key


def rope_statements(op: Operation) -> tuple[Statement, ...]:
    """What the operation `rope` claims."""
    return (*_rotation(op), *_gradients(op), *_features(op))


def _rotated(op: Operation, inputs: Inputs, row: Index = i, feature: Index = c) -> Pair:
    """A pair of outputs, in terms of the inputs."""
    return op.value(y1[row, feature], inputs), op.value(y2[row, feature], inputs)


def _features_named(name: str) -> tuple[Tensor, Tensor]:
    return Tensor(f"{name}1", (n, h)), Tensor(f"{name}2", (n, h))


def _read(pair: tuple[Tensor, Tensor]) -> Inputs:
    """Other features in the place of x."""
    first, second = pair
    return {x1: lambda row, f: first[row, f], x2: lambda row, f: second[row, f]}


def _at(position: Expr) -> Inputs:
    """One position for all rows."""
    return {pos: lambda row: position}


def _shifted(by: Expr) -> Inputs:
    return {pos: lambda row: pos[row] + by}


def _both(left: Pair, right: Pair, *more: tuple[Expr, Expr]) -> tuple[Equal, tuple[Equal, ...]]:
    """That two pairs are equal, as a claim and its conjuncts."""
    return Equal(left[0], right[0]), (Equal(left[1], right[1]), *(Equal(*sides) for sides in more))


def _rotation(op: Operation) -> tuple[Statement, ...]:
    q, k, w = _features_named("q"), _features_named("k"), _features_named("w")
    a, b, s, t = Tensor("a")[()], Tensor("b")[()], Tensor("s")[()], Tensor("t")[()]

    def score(more: Inputs) -> Expr:
        queries = _rotated(op, {**_read(q), **more}, _LEFT)
        keys = _rotated(op, {**_read(k), **more}, _RIGHT)
        return total(c, queries[0] * keys[0] + queries[1] * keys[1])

    def relative() -> Expr:
        """The score of a query that stays and of a key that is rotated by the relative position."""
        behind = _rotated(op, {**_read(k), **_at(pos[_RIGHT] - pos[_LEFT])}, _RIGHT)
        return total(c, q[0][_LEFT, c] * behind[0] + q[1][_LEFT, c] * behind[1])

    def angle() -> Expr:
        return (pos[_LEFT] - pos[_RIGHT]) * omega[c]

    even = q[0][_LEFT, c] * k[0][_RIGHT, c] + q[1][_LEFT, c] * k[1][_RIGHT, c]
    odd = q[0][_LEFT, c] * k[1][_RIGHT, c] - q[1][_LEFT, c] * k[0][_RIGHT, c]
    own = _rotated(op, {})
    x: Pair = (x1[i, c], x2[i, c])
    twice: Inputs = {
        x1: lambda row, f: op.value(y1[row, f], _at(s)),
        x2: lambda row, f: op.value(y2[row, f], _at(s)),
    }
    blend: Inputs = {
        x1: lambda row, f: a * x1[row, f] + b * w[0][row, f],
        x2: lambda row, f: a * x2[row, f] + b * w[1][row, f],
    }
    other = _rotated(op, _read(w))
    composed, composed_more = _both(_rotated(op, {**twice, **_at(t)}), _rotated(op, _at(s + t)))
    undone = _both(_rotated(op, {**twice, **_at(-s)}), x)
    still, still_more = _both(_rotated(op, _at(ZERO)), x)
    passed = _both(_rotated(op, {omega: lambda f: ZERO}), x)
    linear, linear_more = _both(_rotated(op, blend), (a * own[0] + b * other[0], a * own[1] + b * other[1]))
    scaled, scaled_more = _both(
        _rotated(op, {pos: lambda row: pos[row] / a}), _rotated(op, {omega: lambda f: omega[f] / a})
    )
    return (
        Statement(
            "S1",
            "norms are preserved: y1² + y2² = x1² + x2² for every pair",
            Equal(own[0] ** 2 + own[1] ** 2, x[0] ** 2 + x[1] ** 2),
            law="norm",
        ),
        Statement(
            "S2",
            "⟨R_t q, R_s k⟩ = Σ_c cos((t − s)ω_c) (q1 k1 + q2 k2) + sin((t − s)ω_c) (q1 k2 − q2 k1) = ⟨q, R_(s−t) k⟩: "
            "only relative positions matter",
            Equal(score({}), total(c, cos(angle()) * even + sin(angle()) * odd)),
            conjuncts=(Equal(score({}), relative()),),
            law="relative position",
        ),
        Statement(
            "S3",
            "shifting all positions by one number leaves every ⟨R_t q, R_s k⟩ unchanged",
            Equal(score(_shifted(a)), score({})),
            law="shift",
        ),
        Statement(
            "S4", "at position 0 it is the identity: R_0 = I", still, conjuncts=still_more, law="identity at position 0"
        ),
        Statement("S5", "a pair whose frequency is 0 passes unchanged", passed[0], conjuncts=passed[1]),
        Statement(
            "S6",
            "rotations compose by adding angles: R_t R_s = R_(s+t), and R_(−s) R_s = I",
            composed,
            conjuncts=(*composed_more, undone[0], *undone[1]),
            law="composition",
        ),
        Statement("S7", "linear in x: R(ax + bw) = aRx + bRw", linear, conjuncts=linear_more, law="linear"),
        Statement(
            "S8",
            "only the products t·ω matter: positions divided by a are frequencies divided by a",
            scaled,
            conjuncts=scaled_more,
        ),
        Statement(
            "S9",
            "the velocity of the rotation: ∂y1/∂t = −ω y2 and ∂y2/∂t = ω y1",
            Equal(_velocity(op, y1), -omega[c] * own[1]),
            conjuncts=(Equal(_velocity(op, y2), omega[c] * own[0]),),
        ),
        Statement(
            "S10",
            "pairs are independent: changing the features and the frequencies of other pairs leaves this one unchanged",
            Equal(op.value(y1[i, c], _changed_elsewhere()), own[0]),
            conjuncts=(Equal(op.value(y2[i, c], _changed_elsewhere()), own[1]),),
            law="independence",
        ),
    )


def _velocity(op: Operation, output: Tensor) -> Expr:
    """The derivative of an output with respect to the position of its row."""
    derived = jvp(op.program, [pos])
    (unit,) = (tensor for tensor in derived.inputs if tensor not in op.program.inputs)
    tangent = derived.outputs[op.program.outputs.index(output)]
    return derived.inline(tangent[i, c], {unit: lambda row: ONE})


def _changed_elsewhere() -> Inputs:
    changed = {tensor: Tensor(f"Δ{tensor.name}", tensor.dims) for tensor in (x1, x2, omega)}

    def elsewhere(f: Subscript) -> Expr:
        return 1 - Delta(f, c)

    return {
        x1: lambda row, f: x1[row, f] + elsewhere(f) * changed[x1][row, f],
        x2: lambda row, f: x2[row, f] + elsewhere(f) * changed[x2][row, f],
        omega: lambda f: omega[f] + elsewhere(f) * changed[omega][f],
    }


def _gradients(op: Operation) -> tuple[Statement, ...]:
    dy: tuple[Tensor, Tensor] = (op.cotangent(y1), op.cotangent(y2))
    tx: tuple[Tensor, Tensor] = (op.tangent(x1), op.tangent(x2))
    t = Tensor("t")
    derived: Pair = (op.derived_vjp.inline(op.gradient(x1)[i, c]), op.derived_vjp.inline(op.gradient(x2)[i, c]))
    moved: Pair = (op.derived_jvp.inline(op.tangent(y1)[i, c]), op.derived_jvp.inline(op.tangent(y2)[i, c]))
    C, S = cos(pos[i] * omega[c]), sin(pos[i] * omega[c])
    closed, closed_more = _both(derived, (C * dy[0][i, c] + S * dy[1][i, c], C * dy[1][i, c] - S * dy[0][i, c]))
    inverse, inverse_more = _both(derived, _rotated(op, {**_read(dy), pos: lambda row: -pos[row]}))
    forward, forward_more = _both(moved, _rotated(op, _read(tx)))
    scaling: Inputs = {x1: lambda row, f: t[()] * x1[row, f], x2: lambda row, f: t[()] * x2[row, f]}
    turning: Inputs = {
        x1: lambda row, f: cos(t[()]) * x1[row, f] - sin(t[()]) * x2[row, f],
        x2: lambda row, f: sin(t[()]) * x1[row, f] + cos(t[()]) * x2[row, f],
    }
    value = op.program.inline
    return (
        Statement(
            "S11",
            "dx1 = cos(tω) dy1 + sin(tω) dy2 and dx2 = cos(tω) dy2 − sin(tω) dy1 are the vector-Jacobian product",
            closed,
            conjuncts=closed_more,
        ),
        Statement(
            "S12",
            "the vector-Jacobian product is the rotation by the inverse angle: dx = R_(−t) dy",
            inverse,
            conjuncts=inverse_more,
            law="inverse rotation",
        ),
        Statement(
            "S13",
            "the Jacobian-vector product is the rotation itself: ty = R_t tx",
            forward,
            conjuncts=forward_more,
        ),
        Statement("S14", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S15",
            "⟨dx, x⟩ = ⟨dy, y⟩: the law of the linearity S7",
            Equal(
                pairing(op, scaling, t, 1),
                total(i, c, dy[0][i, c] * value(y1[i, c]) + dy[1][i, c] * value(y2[i, c])),
            ),
            law="pairing",
        ),
        Statement(
            "S16",
            "Σ dx2 x1 − dx1 x2 = Σ dy2 y1 − dy1 y2: turning all x by one angle turns all y by it",
            Equal(
                pairing(op, turning, t, 0),
                total(i, c, dy[1][i, c] * value(y1[i, c]) - dy[0][i, c] * value(y2[i, c])),
            ),
            conjuncts=(
                Equal(
                    op.value(y1[i, c], turning),
                    cos(t[()]) * op.value(y1[i, c]) - sin(t[()]) * op.value(y2[i, c]),
                ),
            ),
            law="turning",
        ),
        Statement(
            "S17",
            "the gradient has the norm of the cotangent, pair by pair: dx1² + dx2² = dy1² + dy2²",
            Equal(derived[0] ** 2 + derived[1] ** 2, dy[0][i, c] ** 2 + dy[1][i, c] ** 2),
            law="gradient norm",
        ),
    )


def _features(op: Operation) -> tuple[Statement, ...]:
    """The matrix form, in which the order of the features is data."""
    d = Dim("d", grows=False)
    f, g = Index("f", d), Index("g", d)
    x, angles, J = Tensor("x", (n, d)), Tensor("a", (n, d)), Tensor("J", (d, d))
    rho = Permutation("ρ", d)

    def at(feature: Subscript) -> Expr:
        """y[f] = cos a[f] x[f] + sin a[f] Σ_g J[f, g] x[g]."""
        turned = total(g, J[feature, g] * x[i, g])
        return cos(angles[i, feature]) * x[i, feature] + sin(angles[i, feature]) * turned

    reordered = cos(angles[i, rho(f)]) * x[i, rho(f)] + sin(angles[i, rho(f)]) * total(
        g, J[rho(f), rho(g)] * x[i, rho(g)]
    )
    b = Index("b", h)
    theta = pos[i] * omega[c]

    def block(x_own: Tensor, x_other: Tensor, sign: int) -> Expr:
        """Half of the features, where J is sign·I against the other half and 0 against its own."""
        turned = total(b, sign * Delta(c, b) * x_other[i, b])
        return cos(theta) * x_own[i, c] + sin(theta) * turned

    halves, halves_more = _both((block(x1, x2, -1), block(x2, x1, 1)), _rotated(op, {}))
    return (
        Statement(
            "S18",
            "in matrix form y = cos a ∘ x + sin a ∘ (x Jᵀ), any reordering ρ of the features of x, a and J reorders y: "
            "interleaved and half are conjugate by ρ(c + s·h) = 2c + s",
            Equal(reordered, at(rho(f))),
            chain=(
                Step(
                    cos(angles[i, rho(f)]) * x[i, rho(f)] + sin(angles[i, rho(f)]) * total(g, J[rho(f), g] * x[i, g]),
                    "a sum over all g is the sum over all ρ(g)",
                ),
            ),
            law="feature order",
        ),
        Statement(
            "S19",
            "for halves the matrix J has the blocks 0, −I; I, 0, and the matrix form is the form in pairs",
            halves,
            conjuncts=halves_more,
        ),
    )
