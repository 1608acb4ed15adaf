"""Positional encodings: the references against mpmath, torch and complex numbers, and their bounds."""

from __future__ import annotations

import warnings
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from lemmata.reference import function_rules
from lemmata.reference.error_rules import tiny
from lemmata.reference.rounding import Rounding
from lemmata.tests.reference.formats import BFLOAT16, FLOAT32, FLOAT64, IN_FLOAT64, Format, Precision
from lemmata.tests.reference.functions import bound_of, function
from lemmata.tests.reference.oracle import DIGITS, distance, exact

Array = Any
LARGE = 1_000_000
IN_FLOAT32: Precision = {"compute": FLOAT32}
ORDERS = [False, True]
BATCH, N, PAIRS = (2, 3), 5, 4

geometric, sinusoidal, rope, alibi = map(function, ("geometric", "sinusoidal", "rope", "alibi"))
sinusoidal_vjp, sinusoidal_jvp = function("sinusoidal", "_vjp"), function("sinusoidal", "_jvp")
rope_vjp, rope_jvp = function("rope", "_vjp"), function("rope", "_jvp")


def frequencies(pairs: int = PAIRS, base: float = 10_000.0) -> Array:
    found: Array = geometric(np.arange(pairs, dtype=np.float64), base)
    return found


def draw(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng((seed, *shape)).normal(size=shape)


def features(seed: int = 0, pairs: int = PAIRS) -> Array:
    return draw(*BATCH, N, 2 * pairs, seed=seed)


def places(width: int, *, interleaved: bool) -> tuple[slice, slice]:
    """Where the first and the second features of the pairs are."""
    half = width // 2
    return (slice(0, None, 2), slice(1, None, 2)) if interleaved else (slice(0, half), slice(half, None))


def joined(first: Array, second: Array, *, interleaved: bool) -> Array:
    out = np.empty((*first.shape[:-1], 2 * first.shape[-1]), dtype=first.dtype)
    one, two = places(out.shape[-1], interleaved=interleaved)
    out[..., one], out[..., two] = first, second
    return out


# Oracles ------------------------------------------------------------------------------------------------------------


def phases(pos: Array, omega: Array) -> Array:
    """e^{i pos ω} with 50 digits and more for the angle."""
    with mp.workdps(DIGITS + 20):
        angles = exact(pos)[..., :, None] * exact(omega)
        return np.frompyfunc(mp.expj, 1, 1)(angles)


def by_complex_numbers(x: Array, pos: Array, omega: Array, *, interleaved: bool) -> Array:
    """(x1 + i x2) e^{iθ}."""
    one, two = places(x.shape[-1], interleaved=interleaved)
    with mp.workdps(DIGITS):
        z = (exact(x[..., one]) + mp.mpc(0, 1) * exact(x[..., two])) * phases(pos, omega)
        real, imaginary = (np.frompyfunc(part, 1, 1)(z) for part in (mp.re, mp.im))
    return joined(real, imaginary, interleaved=interleaved)


def torch_rope(x: torch.Tensor, pos: torch.Tensor, omega: torch.Tensor, *, interleaved: bool) -> torch.Tensor:
    """The rotation as torch multiplies complex numbers."""
    one, two = places(x.shape[-1], interleaved=interleaved)
    angles = pos[..., None] * omega
    z = torch.complex(x[..., one].contiguous(), x[..., two].contiguous()) * torch.polar(torch.ones_like(angles), angles)
    return torch.stack((z.real, z.imag), -1).flatten(-2) if interleaved else torch.cat((z.real, z.imag), -1)


def torch_sinusoidal(pos: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
    angles = pos[..., None] * omega
    return torch.stack((torch.sin(angles), torch.cos(angles)), -1).flatten(-2)


# Frequencies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", [10_000.0, 500_000.0])
def test_the_frequencies_are_a_geometric_sequence(base: float) -> None:
    number = np.arange(PAIRS, dtype=np.float64)
    omega = geometric(number, base)
    with mp.workdps(DIGITS):
        expected = np.array([mp.mpf(base) ** (-mp.mpf(2 * c) / (2 * PAIRS)) for c in range(PAIRS)], dtype=object)
    assert (distance(omega, expected) <= bound_of("geometric")(number, base, precision=IN_FLOAT64)).all()


def test_the_slopes_are_those_of_the_paper() -> None:
    heads = np.arange(1, 9, dtype=np.float64)
    expected = np.array([mp.mpf(2) ** -h for h in range(1, 9)], dtype=object)
    assert (
        distance(geometric(heads, 256.0), expected) <= bound_of("geometric")(heads, 256.0, precision=IN_FLOAT64)
    ).all()


# Sinusoidal ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interleaved", ORDERS)
@pytest.mark.parametrize("start", [0, LARGE, -7])
def test_sinusoidal_against_mpmath(start: int, *, interleaved: bool) -> None:
    pos, omega = start + np.arange(N, dtype=np.float64), frequencies()
    pe = sinusoidal(pos, omega, interleaved=interleaved)
    turned = phases(pos, omega)
    real, imaginary = (np.frompyfunc(part, 1, 1)(turned) for part in (mp.re, mp.im))
    expected = joined(imaginary, real, interleaved=interleaved)
    bound = bound_of("sinusoidal")(pos, omega, interleaved=interleaved, precision=IN_FLOAT64)
    assert (distance(pe, expected) <= bound).all()


def test_sinusoidal_is_that_of_the_paper() -> None:
    """PE(pos, 2c) = sin(pos / 10000^(2c/d)), PE(pos, 2c + 1) = cos of it, as section 3.5 writes them."""
    pos, number = np.arange(N, dtype=np.float64), np.arange(PAIRS, dtype=np.float64)
    omega, d = geometric(number, 10_000.0), 2 * PAIRS
    pe = sinusoidal(pos, omega, interleaved=True)
    expected = np.empty(pe.shape, dtype=object)
    with mp.workdps(DIGITS):
        for position, c in np.ndindex(N, PAIRS):
            angle = position / mp.mpf(10_000) ** (mp.mpf(2 * c) / d)
            expected[position, 2 * c], expected[position, 2 * c + 1] = mp.sin(angle), mp.cos(angle)
    of_omega = bound_of("geometric")(number, 10_000.0, precision=IN_FLOAT64)
    bound = bound_of("sinusoidal")(pos, omega, interleaved=True, precision=IN_FLOAT64)
    assert (distance(pe, expected) <= bound + np.repeat(pos[:, None] * of_omega, 2, axis=-1)).all()


def test_sinusoidal_derivatives_against_torch() -> None:
    pos, omega = draw(*BATCH, N), frequencies()
    dpe, tpos, tomega = draw(*BATCH, N, 2 * PAIRS), draw(*BATCH, N, seed=1), draw(PAIRS, seed=2)
    inputs = tuple(torch.from_numpy(a).requires_grad_() for a in (pos, omega))
    expected = torch.autograd.grad(torch_sinusoidal(*inputs), inputs, torch.from_numpy(dpe))
    bounds = bound_of("sinusoidal", "_vjp")(pos, omega, dpe, interleaved=True, precision=IN_FLOAT64)
    for found, other, bound in zip(sinusoidal_vjp(pos, omega, dpe, interleaved=True), expected, bounds, strict=True):
        assert found.shape == tuple(other.shape)
        assert (abs(found - other.numpy()) <= 2 * bound).all()  # both are rounded
    plain = tuple(a.detach() for a in inputs)
    tangents = (torch.from_numpy(tpos), torch.from_numpy(tomega))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own forward mode uses torch.jit.script
        moved = torch.func.jvp(torch_sinusoidal, plain, tangents)[1].numpy()
    bound = bound_of("sinusoidal", "_jvp")(pos, omega, tpos, tomega, interleaved=True, precision=IN_FLOAT64)
    assert (abs(sinusoidal_jvp(pos, omega, tpos, tomega, interleaved=True) - moved) <= 2 * bound).all()


# Rotary -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interleaved", ORDERS)
@pytest.mark.parametrize("start", [0, -3, LARGE])
def test_rope_and_its_derivatives_against_complex_numbers(start: int, *, interleaved: bool) -> None:
    pos, omega, x = start + np.arange(N, dtype=np.float64), frequencies(), features()
    options = {"interleaved": interleaved}
    cases = [
        (rope(x, pos, omega, **options), bound_of("rope")(x, pos, omega, precision=IN_FLOAT64, **options), x, pos),
        (
            rope_jvp(features(1), pos, omega, x, **options),
            bound_of("rope", "_jvp")(features(1), pos, omega, x, precision=IN_FLOAT64, **options),
            x,
            pos,
        ),
        (
            rope_vjp(features(1), pos, omega, x, **options),
            bound_of("rope", "_vjp")(features(1), pos, omega, x, precision=IN_FLOAT64, **options),
            x,
            -pos,  # the inverse rotation
        ),
    ]
    for found, bound, rotated, by in cases:
        assert found.shape == bound.shape == x.shape
        expected = by_complex_numbers(rotated, by, omega, interleaved=interleaved)
        assert (distance(found, expected) <= bound).all()


@pytest.mark.parametrize("interleaved", ORDERS)
def test_rope_gradients_against_torch(*, interleaved: bool) -> None:
    pos, omega, x, dy = draw(BATCH[0], 1, N) * 50, frequencies(), features(), features(3)
    inputs = torch.from_numpy(x).requires_grad_()
    y = torch_rope(inputs, torch.from_numpy(pos), torch.from_numpy(omega), interleaved=interleaved)
    (expected,) = torch.autograd.grad(y, inputs, torch.from_numpy(dy))
    found = rope_vjp(x, pos, omega, dy, interleaved=interleaved)
    bound = bound_of("rope", "_vjp")(x, pos, omega, dy, interleaved=interleaved, precision=IN_FLOAT64)
    assert (abs(found - expected.numpy()) <= 2 * bound).all()  # both are rounded


def test_the_two_orders_differ_by_a_permutation_of_the_features() -> None:
    """ρ(c + s·h) = 2c + s (rope S18), exactly: the same arithmetic on other places."""
    pos, omega, x = np.arange(N, dtype=np.float64), frequencies(), features()
    rho = [2 * c + s for s in range(2) for c in range(PAIRS)]
    interleaved = rope(x, pos, omega, interleaved=True)
    assert (rope(x[..., rho], pos, omega, interleaved=False) == interleaved[..., rho]).all()
    assert (rope(x, pos, omega, interleaved=False) != interleaved).any()


@pytest.mark.parametrize("interleaved", ORDERS)
def test_partial_rotary_leaves_the_other_features(*, interleaved: bool) -> None:
    """h frequencies rotate the first 2h features; value, gradient, tangent and their errors pass the others on."""
    rotary = 4
    pos, omega, x, dy = LARGE + np.arange(N, dtype=np.float64), frequencies(rotary // 2), features(), features(6)
    for kind, rotated, sign in (("", x, 1), ("_vjp", dy, -1), ("_jvp", dy, 1)):
        arguments = (x, pos, omega) if kind == "" else (x, pos, omega, dy)
        found = function("rope", kind)(*arguments, interleaved=interleaved)
        bound = bound_of("rope", kind)(*arguments, interleaved=interleaved, precision=IN_FLOAT64)
        assert (found[..., rotary:] == rotated[..., rotary:]).all()
        assert (bound[..., rotary:] == 0).all()
        expected = by_complex_numbers(rotated[..., :rotary], sign * pos, omega, interleaved=interleaved)
        assert (distance(found[..., :rotary], expected) <= bound[..., :rotary]).all()
        assert (bound[..., :rotary] > 0).all()


def test_partial_rotary_is_a_rotation_in_which_the_other_pairs_have_frequency_0() -> None:
    pos, omega, x = np.arange(N, dtype=np.float64), frequencies(2), features()
    whole = np.concatenate([omega, np.zeros(PAIRS - 2)])
    assert (rope(x, pos, whole, interleaved=True) == rope(x, pos, omega, interleaved=True)).all()
    # Halves pair up across the whole width, so the rotated features are laid out for that first.
    order = np.array([0, 1, 4, 5, 2, 3, 6, 7])
    assert (rope(x[..., order], pos, whole) == rope(x, pos, omega)[..., order]).all()


def test_positions_of_each_member_of_a_batch() -> None:
    omega, x = frequencies(), features()
    pos = np.stack([np.arange(N) + offset for offset in (0.0, 11.0)])[:, None]
    together = rope(x, pos, omega)
    for member in range(BATCH[0]):
        assert (together[member] == rope(x[member], pos[member, 0], omega)).all()


# Angles in a narrower format ----------------------------------------------------------------------------------------


def cosines(x: Array, angles: Array) -> Array:
    """Half pairs in float32, from angles in any format."""
    c, s = np.cos(angles), np.sin(angles)
    c, s = c.astype(np.float32), s.astype(np.float32)
    one, two = np.split(x.astype(np.float32), 2, axis=-1)
    return np.concatenate([one * c - two * s, one * s + two * c], axis=-1)


def reduced(angles: Array) -> Array:
    """Without multiples of 2π, taken off in float64, then rounded to float32."""
    rest = angles - 2 * np.pi * np.round(angles / (2 * np.pi))
    return rest.astype(np.float32)


def errors_and_bound(start: int, angles: Any) -> tuple[Array, Array]:
    """Of an implementation that computes in float32 from angles of its own."""
    x = features().astype(np.float32).astype(np.float64)
    pos = start + np.arange(N, dtype=np.float64)
    omega = frequencies().astype(np.float32).astype(np.float64)
    found = cosines(x, angles(pos, omega))
    expected = by_complex_numbers(x, pos, omega, interleaved=False)
    return distance(found, expected), bound_of("rope")(x, pos, omega, precision=IN_FLOAT32)


def in_float64(pos: Array, omega: Array) -> Array:
    return pos[:, None] * omega


def in_float32(pos: Array, omega: Array) -> Array:
    return pos.astype(np.float32)[:, None] * omega.astype(np.float32)


@pytest.mark.parametrize("start", [0, 100, LARGE, 100 * LARGE])
@pytest.mark.parametrize(
    "angles",
    [in_float64, lambda pos, omega: reduced(in_float64(pos, omega))],
    ids=["float64 angles", "reduced in float64, then float32"],
)
def test_angles_that_keep_their_phase_are_within_the_bound(start: int, angles: Any) -> None:
    error, bound = errors_and_bound(start, angles)
    assert (error <= bound).all()


def test_angles_formed_in_float32_lose_the_phase_at_a_million_and_are_seen_to() -> None:
    error, bound = errors_and_bound(LARGE, in_float32)
    assert error.max() > bound.max()
    assert (error > bound).mean() > 1 / 2  # the frequency 1 is exact


def test_an_angle_is_bounded_as_in_float64_whatever_the_format_of_the_rest() -> None:
    """The rule by itself: a product in float64, multiples of 2π off, the rest rounded."""
    pos, omega = np.array([0.0, 3.0, 1e6, 1e9]), np.array([1.0])
    forms: list[Format] = [FLOAT64, FLOAT32, BFLOAT16]
    for form in forms:
        fl = Rounding({"compute": form}, pos)
        factors = fl.wide(fl.given(pos, "i")) * fl.wide(fl.given(omega, "c"))
        theta = fl.angle("theta", factors, "i c").total[:, 0]
        u, narrow = 2.0**-53, 2.0 ** -form[0]
        reduction = 3 * u * pos + narrow * np.minimum(pos, np.pi)
        assert (theta == u * pos + tiny(FLOAT64) + reduction).all()
        assert fl.angle("theta", factors, "i c").arithmetic is fl
        narrowed = fl.step("theta", fl.given(pos, "i") * fl.given(omega, "c"), "i c").total[:, 0]
        assert form == FLOAT64 or (narrowed[2:] > theta[2:]).all()
    stored = Rounding({"compute": FLOAT32, "theta": BFLOAT16}, pos)
    wide = stored.wide(stored.given(pos, "i")) * stored.wide(stored.given(omega, "c"))
    assert stored.angle("theta", wide, "i c").total[1, 0] >= 2.0 ** -BFLOAT16[0] * 3


def test_the_rule_for_angles_covers_the_worst_reduction() -> None:
    rng = np.random.default_rng(4)
    theta = np.concatenate([rng.uniform(-1e7, 1e7, 4000), np.arange(1, 400) * np.pi, np.arange(1, 400) * np.pi / 2])
    bound = function_rules.angle_error(theta, 2.0**-24, 0.0)
    rest = reduced(theta)
    with mp.workdps(DIGITS):
        for angle, narrow, error in zip(theta, rest, bound, strict=True):
            turns = (mp.mpf(float(angle)) - mp.mpf(float(narrow))) / (2 * mp.pi)
            assert abs(turns - mp.nint(turns)) * 2 * mp.pi <= error


# ALiBi --------------------------------------------------------------------------------------------------------------


def test_alibi_against_its_formula_and_torch() -> None:
    heads, n, m = 8, 5, 7
    slope = geometric(np.arange(1, heads + 1, dtype=np.float64), 2.0**8)
    pos_q, pos_k = 2.0 + np.arange(n), np.arange(m, dtype=np.float64)
    bias = alibi(slope, pos_q, pos_k)
    assert bias.shape == (heads, n, m)
    for head in range(heads):
        for i in range(n):
            for j in range(m):
                assert bias[head, i, j] == -slope[head] * (i + 2 - j)
    dbias = draw(heads, n, m)
    inputs = torch.from_numpy(slope).requires_grad_()
    y = -inputs[:, None, None] * (torch.from_numpy(pos_q)[:, None] - torch.from_numpy(pos_k))
    (expected,) = torch.autograd.grad(y, inputs, torch.from_numpy(dbias))
    found = function("alibi", "_vjp")(slope, pos_q, pos_k, dbias)
    bound = bound_of("alibi", "_vjp")(slope, pos_q, pos_k, dbias, precision=IN_FLOAT64)
    assert (abs(found - expected.numpy()) <= 2 * bound).all()  # both are rounded
