"""The sinusoidal encoding and its frequencies (geometric S1–S7, sinusoidal S1–S13)."""

from __future__ import annotations

from collections.abc import Sequence

from .calculus.differentiate import jvp
from .calculus.expr import (
    ONE,
    PI,
    ZERO,
    Expr,
    Index,
    Replacement,
    Size,
    Tensor,
    cos,
    exp,
    lift,
    log,
    sin,
    total,
)
from .calculus.operation import Operation
from .calculus.statement import Equal, Statement
from .calculus.symmetry import pairing
from .positional_program import base, c, cosine, h, i, n, number, omega, pos, sine

Inputs = dict[Tensor, Replacement]
Matrix = Sequence[Sequence[Expr]]


def geometric_statements(op: Operation) -> tuple[Statement, ...]:
    """What the operation `geometric` claims."""
    a, b = Tensor("a")[()], Tensor("b")[()]
    domega = op.cotangent(omega)
    tnumber, tbase = op.tangent(number), op.tangent(base)
    here = op.value(omega[c])

    def at(value: Expr) -> Expr:
        return op.value(omega[c], {number: lambda f: value})

    return (
        Statement(
            "S1",
            "the next number has base^(−1/h) times the frequency",
            Equal(at(number[c] + 1), exp(-(log(base[()]) / Size(h))) * here),
            law="ratio",
        ),
        Statement(
            "S2",
            "ω is 1 at number 0 and 1/base at number h",
            Equal(at(ZERO), ONE),
            conjuncts=(Equal(at(Size(h)), 1 / base[()]),),
        ),
        Statement("S3", "ω(a + b) = ω(a) ω(b)", Equal(at(a + b), at(a) * at(b)), law="sums to products"),
        Statement(
            "S4",
            "with base 2⁸ it gives the slopes 2^(−8 number/r) of ALiBi",
            Equal(
                op.value(omega[c], {base: lambda: lift(2**8)}),
                exp(-8 * (number[c] * log(lift(2)) / Size(h))),
            ),
        ),
        Statement(
            "S5",
            "dnumber = −(log base/h) ω ∘ dω and dbase = −Σ_c number[c] ω[c] dω[c] / (h base) are the vector-Jacobian "
            "product",
            Equal(
                op.derived_vjp.inline(op.gradient(number)[c]),
                -(log(base[()]) * op.value(omega[c]) * domega[c]) / Size(h),
            ),
            conjuncts=(
                Equal(
                    op.derived_vjp.inline(op.gradient(base)[()]),
                    -total(c, number[c] * op.value(omega[c]) * domega[c]) / (Size(h) * base[()]),
                ),
            ),
        ),
        Statement(
            "S6",
            "tω = −ω (log base · tnumber + number · tbase/base)/h is the Jacobian-vector product",
            Equal(
                op.derived_jvp.inline(op.tangent(omega)[c]),
                -here * (log(base[()]) * tnumber[c] + number[c] * tbase[()] / base[()]) / Size(h),
            ),
        ),
        Statement("S7", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
    )


def sinusoidal_statements(op: Operation) -> tuple[Statement, ...]:
    """What the operation `sinusoidal` claims."""
    return (*_shifts(op), *_products(op), *_gradients(op))


def _encoded(op: Operation, at: Expr) -> tuple[Expr, Expr]:
    """The pair of one frequency at a position."""
    inputs: Inputs = {pos: lambda row: at}
    return op.value(sine[i, c], inputs), op.value(cosine[i, c], inputs)


def _rotation(by: Expr) -> Matrix:
    """R(k), which turns (sine, cosine) by kω."""
    angle = by * omega[c]
    return (cos(angle), sin(angle)), (-sin(angle), cos(angle))


def _applied(matrix: Matrix, vector: Sequence[Expr]) -> tuple[Expr, ...]:
    return tuple(row[0] * vector[0] + row[1] * vector[1] for row in matrix)


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _product(left: Matrix, right: Matrix) -> Matrix:
    return _transposed([_applied(left, column) for column in _transposed(right)])


def _equal(label: str, name: str, pairs: Sequence[tuple[Expr, Expr]], law: str = "") -> Statement:
    """A statement of several equalities."""
    claim, *others = (Equal(left, right) for left, right in pairs)
    return Statement(label, name, claim, conjuncts=tuple(others), law=law)


def _entries(left: Matrix, right: Matrix) -> list[tuple[Expr, Expr]]:
    return [pair for rows in zip(left, right, strict=True) for pair in zip(*rows, strict=True)]


_IDENTITY: Matrix = ((ONE, ZERO), (ZERO, ONE))


def _shifts(op: Operation) -> tuple[Statement, ...]:
    t, k, l = Tensor("t")[()], Tensor("k")[()], Tensor("l")[()]  # noqa: E741 - the letter after k
    R = _rotation(k)
    return (
        _equal(
            "S1",
            "PE(t + k) = R(k) PE(t), where R(k) turns each pair by kω, whatever t is",
            list(zip(_encoded(op, t + k), _applied(R, _encoded(op, t)), strict=True)),
            law="shift is a rotation",
        ),
        _equal(
            "S2",
            "R(k) is a rotation: RᵀR = I and det R = 1",
            [
                *_entries(_product(_transposed(R), R), _IDENTITY),
                (R[0][0] * R[1][1] - R[0][1] * R[1][0], ONE),
            ],
        ),
        _equal(
            "S3",
            "R(k + l) = R(k) R(l) and R(0) = I: each pair is a character of the positions",
            [*_entries(_rotation(k + l), _product(R, _rotation(l))), *_entries(_rotation(ZERO), _IDENTITY)],
        ),
    )


def _products(op: Operation) -> tuple[Statement, ...]:
    j = Index("j", n)
    a = Tensor("a")[()]
    twice = jvp(jvp(op.program, [pos]), [pos])
    unit: Inputs = {tensor: lambda row: ONE for tensor in twice.inputs if tensor not in op.program.inputs}

    def product(first: Index, second: Index, inputs: Inputs | None = None) -> Expr:
        pairs = ((op.value(part[first, c], inputs), op.value(part[second, c], inputs)) for part in (sine, cosine))
        left, right = (one * two for one, two in pairs)
        return total(c, left + right)

    return (
        Statement(
            "S4",
            "⟨PE(t), PE(s)⟩ = Σ_c cos((t − s)ω_c)",
            Equal(product(i, j), total(c, cos((pos[i] - pos[j]) * omega[c]))),
            law="kernel",
        ),
        Statement(
            "S5",
            "⟨PE(t), PE(s)⟩ depends on t − s only: shifting all positions leaves it unchanged",
            Equal(product(i, j, {pos: lambda row: pos[row] + a}), product(i, j)),
            law="shift",
        ),
        Statement("S6", "⟨PE(t), PE(t)⟩ = h: the norm is constant", Equal(product(i, i), Size(h)), law="norm"),
        _equal(
            "S7",
            "pair c has the period 2π/ω_c",
            list(zip(_encoded(op, pos[i] + 2 * PI / omega[c]), _encoded(op, pos[i]), strict=True)),
        ),
        _equal(
            "S8",
            "a Fourier family: ∂²PE/∂t² = −ω² PE",
            [
                (twice.inline(second[i, c], unit), -(omega[c] ** 2) * op.value(part[i, c]))
                for second, part in zip(twice.outputs, (sine, cosine), strict=True)
            ],
        ),
    )


def _gradients(op: Operation) -> tuple[Statement, ...]:
    dsine, dcosine = op.cotangent(sine), op.cotangent(cosine)
    tpos, tomega = op.tangent(pos), op.tangent(omega)
    t = Tensor("t")
    scaling: Inputs = {pos: lambda row: t[()] * pos[row], omega: lambda f: omega[f] / t[()]}
    tangent = tpos[i] * omega[c] + pos[i] * tomega[c]

    def dtheta() -> Expr:
        return dsine[i, c] * op.value(cosine[i, c]) - dcosine[i, c] * op.value(sine[i, c])

    return (
        _equal(
            "S9",
            "only the products t·ω matter: positions times a and frequencies divided by a give the same PE",
            [(op.value(part[i, c], scaling), op.value(part[i, c])) for part in (sine, cosine)],
        ),
        _equal(
            "S10",
            "dpos[i] = Σ_c ω[c] dθ[i,c] and dω[c] = Σ_i pos[i] dθ[i,c] with dθ = dsine ∘ cosine − dcosine ∘ sine are "
            "the vector-Jacobian product",
            [
                (op.derived_vjp.inline(op.gradient(pos)[i]), total(c, omega[c] * dtheta())),
                (op.derived_vjp.inline(op.gradient(omega)[c]), total(i, pos[i] * dtheta())),
            ],
        ),
        _equal(
            "S11",
            "tsine = cosine ∘ tθ and tcosine = −sine ∘ tθ with tθ = tpos ω + pos tω are the Jacobian-vector product",
            [
                (op.derived_jvp.inline(op.tangent(sine)[i, c]), op.value(cosine[i, c]) * tangent),
                (op.derived_jvp.inline(op.tangent(cosine)[i, c]), -op.value(sine[i, c]) * tangent),
            ],
        ),
        Statement("S12", "⟨JVP·t, c⟩ = ⟨t, VJP·c⟩", Equal(*op.adjoint_identity())),
        Statement(
            "S13", "⟨dpos, pos⟩ = ⟨dω, ω⟩: the law of S9", Equal(pairing(op, scaling, t, 1), ZERO), law="pairing"
        ),
    )
