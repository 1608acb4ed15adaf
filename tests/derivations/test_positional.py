"""Positional encodings: the form of their gradients, what is nearly right about them, the orders of the features."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

import mpmath
import pytest
from lemmata.derivations.calculus.evaluate import Array, Point, evaluator
from lemmata.derivations.calculus.expr import (
    ONE,
    PI,
    Expr,
    Index,
    Replacement,
    Size,
    Tensor,
    cos,
    exp,
    log,
    sin,
    total,
)
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.program import Program
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Claim, Equal, Statement
from lemmata.derivations.positional import ALIBI, GEOMETRIC, OPERATIONS, ROPE, SINUSOIDAL
from lemmata.derivations.positional_program import (
    base,
    bias,
    c,
    cosine,
    h,
    i,
    j,
    n,
    number,
    omega,
    pos,
    pos_k,
    pos_q,
    r,
    sine,
    slope,
    x1,
    x2,
    y1,
    y2,
)

Inputs = dict[Tensor, Replacement]
row = Index("j", n)
a, b = Tensor("a")[()], Tensor("b")[()]
dy1, dy2 = ROPE.cotangent(y1), ROPE.cotangent(y2)


def own(program: Program, operation: Operation) -> list[str]:
    return [str(step) for step in program.steps if step.tensor not in operation.program.defined]


def test_rope_is_differentiated_to_the_form_that_people_write() -> None:
    assert own(ROPE.vjp, ROPE) == [
        "dx1[i, c] = dy2[i, c]·sine[i, c] + dy1[i, c]·cosine[i, c]",
        "dx2[i, c] = dy2[i, c]·cosine[i, c] − dy1[i, c]·sine[i, c]",
    ]
    assert own(ROPE.jvp, ROPE) == [
        "ty1[i, c] = tx1[i, c]·cosine[i, c] − tx2[i, c]·sine[i, c]",
        "ty2[i, c] = tx1[i, c]·sine[i, c] + tx2[i, c]·cosine[i, c]",
    ]


def test_sinusoidal_is_differentiated_to_the_form_that_people_write() -> None:
    assert own(SINUSOIDAL.vjp, SINUSOIDAL)[1:] == [
        "dpos[i] = Σ_c omega[c]·dtheta[i, c]",
        "domega[c] = Σ_i pos[i]·dtheta[i, c]",
    ]


def test_alibi_is_differentiated_to_the_form_that_people_write() -> None:
    assert own(ALIBI.vjp, ALIBI) == ["dslope[r] = -(Σ_i (Σ_j dbias[r, i, j]·distance[i, j]))"]


@pytest.mark.parametrize("operation", [SINUSOIDAL, ROPE], ids=lambda operation: operation.name)
def test_the_angles_are_marked_as_angles(operation: Operation) -> None:
    """In every program that forms them: forward, vector-Jacobian and Jacobian-vector product."""
    for program in (operation.program, operation.vjp, operation.jvp):
        assert [step.tensor.name for step in program.steps if step.angle] == ["theta"]
    assert "binary64" in operation.conventions["angles"]


def pe(at: Expr) -> tuple[Expr, Expr]:
    inputs: Inputs = {pos: lambda _: at}
    return SINUSOIDAL.value(sine[i, c], inputs), SINUSOIDAL.value(cosine[i, c], inputs)


def rope(inputs: Inputs, of: Tensor = y1, at: Index = i) -> Expr:
    return ROPE.value(of[at, c], inputs)


def score(left: Inputs, right: Inputs) -> Expr:
    return total(c, rope(left, y1) * rope(right, y1, row) + rope(left, y2) * rope(right, y2, row))


def gradient(of: Tensor) -> Expr:
    return ROPE.derived_vjp.inline(ROPE.gradient(of)[i, c])


def shifted(by: Expr) -> Inputs:
    return {pos: lambda at: pos[at] + by}


def alibi(inputs: Inputs) -> Expr:
    return ALIBI.value(bias[r, i, j], inputs)


def frequency(at: Expr) -> Expr:
    return GEOMETRIC.value(omega[c], {number: lambda _: at})


WRONG: list[tuple[str, Claim]] = [
    ("a shift leaves the encoding unchanged", Equal(pe(a + b)[0], pe(a)[0])),
    ("a shift turns by the sum of the positions", Equal(pe(a + b)[0], cos((a + b) * omega[c]) * pe(a)[0])),
    ("R(k) turns the other way",
     Equal(pe(a + b)[0], cos(b * omega[c]) * pe(a)[0] - sin(b * omega[c]) * pe(a)[1])),
    ("a reflection instead of a rotation",
     Equal(pe(a + b)[1], cos(b * omega[c]) * pe(a)[1] + sin(b * omega[c]) * pe(a)[0])),
    ("the kernel is the sine", Equal(total(c, pe(a)[0] * pe(b)[0] + pe(a)[1] * pe(b)[1]),
                                     total(c, sin((a - b) * omega[c])))),
    ("the kernel of the sum of positions", Equal(total(c, pe(a)[0] * pe(b)[0] + pe(a)[1] * pe(b)[1]),
                                                 total(c, cos((a + b) * omega[c])))),
    ("the norm is d, not h", Equal(total(c, pe(a)[0] ** 2 + pe(a)[1] ** 2), 2 * Size(h))),
    ("the period is 1/ω", Equal(pe(a + 1 / omega[c])[0], pe(a)[0])),
    ("half the period", Equal(pe(a + PI / omega[c])[0], pe(a)[0])),
    ("each feature has the norm of its input", Equal(rope({}, y1) ** 2, x1[i, c] ** 2)),
    ("scores of unrotated keys depend on the distance only",
     Equal(total(c, rope(shifted(a)) * x1[row, c] + rope(shifted(a), y2) * x2[row, c]),
           total(c, rope({}) * x1[row, c] + rope({}, y2) * x2[row, c]))),
    ("scores survive a shift of the queries alone", Equal(score(shifted(a), {}), score({}, {}))),
    ("scores of keys rotated the other way", Equal(score({}, {pos: lambda at: -pos[at]}),
                                                   score(shifted(a), {pos: lambda at: -pos[at] - a - a}))),
    ("the gradient is the rotation itself",
     Equal(gradient(x1), rope({x1: lambda at, f: dy1[at, f], x2: lambda at, f: dy2[at, f]}))),
    ("the gradient passes unrotated", Equal(gradient(x1), dy1[i, c])),
    ("one sign in the gradient of x2", Equal(gradient(x2), cos(pos[i] * omega[c]) * dy2[i, c]
                                                           + sin(pos[i] * omega[c]) * dy1[i, c])),
    ("frequency 0 turns to 0", Equal(rope({omega: lambda f: 0 * omega[f]}), 0 * a)),
    ("positions may be scaled alone", Equal(rope({pos: lambda at: 2 * pos[at]}), rope({}))),
    ("interleaved and half without a reordering", Equal(rope({}, y1), rope({}, y2))),
    ("alibi of distances without sign", Equal(alibi({pos_q: lambda at: a, pos_k: lambda at: b}),
                                              alibi({pos_q: lambda at: b, pos_k: lambda at: a}))),
    ("alibi with the sign of a bonus", Equal(alibi({}), slope[r] * (pos_q[i] - pos_k[j]))),
    ("alibi of shifted keys", Equal(alibi({pos_k: lambda at: pos_k[at] + a}), alibi({}))),
    ("frequencies in arithmetic progression", Equal(frequency(a + 2) - frequency(a + 1),
                                                    frequency(a + 1) - frequency(a))),
    ("the ratio is base^(−1/d)", Equal(frequency(a + 1), exp(-(log(base[()]) / (2 * Size(h)))) * frequency(a))),
    ("the last frequency is 1/base", Equal(frequency(Size(h) - 1), 1 / base[()])),
    ("the first number is 1", Equal(frequency(ONE), ONE)),
]  # fmt: skip


@pytest.mark.parametrize("claim", [case[1] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_people_get_wrong_is_refuted(claim: Claim) -> None:
    result = prove(Statement("S1", "wrong", claim))
    assert result.status == "refuted", result.reason
    assert result.counterexample is not None


# The two orders of the features -------------------------------------------------------------------------------------

Complex = Sequence[mpmath.mpc]


def rotated_pairs(features: Complex, angles: Sequence[mpmath.mpf]) -> list[mpmath.mpc]:
    """(x1 + i x2) e^{iθ}, without any formula of the derivation."""
    return [z * mpmath.expj(angle) for z, angle in zip(features, angles, strict=True)]


def pairs(order: str, width: int) -> list[tuple[int, int]]:
    half = width // 2
    return [(2 * f, 2 * f + 1) if order == "interleaved" else (f, f + half) for f in range(half)]


def rotated(features: Sequence[mpmath.mpf], angles: Sequence[mpmath.mpf], order: str) -> list[mpmath.mpf]:
    places = pairs(order, len(features))
    turned = rotated_pairs([mpmath.mpc(features[f], features[g]) for f, g in places], angles)
    out = [mpmath.mpf(0)] * len(features)
    for (f, g), z in zip(places, turned, strict=True):
        out[f], out[g] = z.real, z.imag
    return out


def test_the_two_orders_are_conjugate_by_the_permutation_that_s18_names() -> None:
    """ρ(c + s·h) = 2c + s: reading feature ρ(f) in place of f turns interleaved pairs into halves."""
    rng = random.Random(1)
    for half in (1, 2, 3, 5):
        rho = [2 * f + s for s in range(2) for f in range(half)]
        x = [mpmath.mpf(rng.uniform(-2, 2)) for _ in range(2 * half)]
        angles = [mpmath.mpf(rng.uniform(-9, 9)) for _ in range(half)]
        interleaved = rotated(x, angles, "interleaved")
        halves = rotated([x[place] for place in rho], angles, "half")
        assert halves == [interleaved[place] for place in rho]
        if half > 1:
            assert halves != interleaved


@pytest.mark.parametrize("position", [0, 1, -3, 1_000_000, 10**9])
def test_rope_is_the_product_with_a_complex_phase(position: int) -> None:
    """The program, evaluated by itself, against (x1 + i x2) e^{i pos ω}."""
    rng = random.Random(position)
    draw: dict[Tensor, Array] = {
        tensor: {(0, f): Fraction(rng.randint(-40, 40), 16) for f in range(3)} for tensor in (x1, x2)
    }
    frequencies: Array = {(f,): Fraction(rng.randint(1, 400), 400) for f in range(3)}
    positions: Array = {(0,): Fraction(position)}
    where = Point({n: 1, h: 3}, {**draw, pos: positions, omega: frequencies})
    first, second = (evaluator(ROPE.value(of[i, c])) for of in (y1, y2))
    with mpmath.workdps(60):
        for f in range(3):
            angle = mpmath.mpf(position) * frequencies[(f,)].numerator / frequencies[(f,)].denominator
            z = mpmath.mpc(*(mpmath.mpf(draw[x][0, f].numerator) / draw[x][0, f].denominator for x in (x1, x2)))
            expected = z * mpmath.expj(angle)
            assert abs(first(where, {i: 0, c: f}) - expected.real) < mpmath.mpf(10) ** -38
            assert abs(second(where, {i: 0, c: f}) - expected.imag) < mpmath.mpf(10) ** -38


def test_pairs_name_tensors_of_the_program_with_one_shape() -> None:
    for operation in OPERATIONS:
        for together, names in operation.pairs.items():
            first, second = (operation.program.tensor(name) for name in names)
            assert first.dims == second.dims
            assert together in {**operation.inputs, **operation.outputs}


def test_the_slopes_of_eight_heads_are_those_of_the_paper() -> None:
    """Press et al. 2022, section 3: 1/2¹, 1/2², …, 1/2⁸."""
    where = Point({h: 8}, {number: {(f,): Fraction(f + 1) for f in range(8)}, base: {(): Fraction(256)}})
    value = evaluator(GEOMETRIC.value(omega[c]))
    for f in range(8):
        assert mpmath.nstr(value(where, {c: f}), 30) == mpmath.nstr(mpmath.mpf(2) ** -(f + 1), 30)
