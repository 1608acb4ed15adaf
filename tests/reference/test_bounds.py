"""The parts of a bound: stored partial sums, errors shared along a row, and the exact first-order worst case."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from lemmata.reference import attention as attention_reference
from lemmata.reference import softmax as softmax_reference
from lemmata.reference.bounds.attention import attention_bound, attention_vjp_bound
from lemmata.reference.bounds.softmax import softmax_vjp_bound
from lemmata.tests.reference.formats import FLOAT16, FLOAT32, Format

Array = Any
Noise = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
U = 2.0 ** -FLOAT32[0]
# The generated rules' own numbers: roundings of a factor on a product's operands, of exp and log, of log₂e.
OPERANDS, FUNCTION, LOG2_E = 4, 4, 2
SECOND_ORDER = 1.05
"""What a bound adds for what a first-order analysis leaves out."""
LOOSEST = 3.0
"""The errors of single scores and exponentials, but for the largest of a row, are not followed through the sum that
they are part of: where one of them matters most, it counts twice in a probability and up to three times in a
gradient."""


def worst_case(program: Callable[..., tuple[torch.Tensor, ...]]) -> list[Array]:
    """Σ over all rounding errors of |∂output/∂error| · largest error: what no first-order bound can be below.

    `program` is called with a function that adds a rounding error of a largest size to a value.
    """
    shapes: list[torch.Size] = []

    def record(value: torch.Tensor, size: torch.Tensor) -> torch.Tensor:
        shapes.append(value.shape)
        return value

    outputs = program(record)

    def perturbed(place: int, *errors: torch.Tensor) -> torch.Tensor:
        left = list(errors)
        return program(lambda value, size: value + left.pop(0) * size.detach())[place]

    zeros = tuple(torch.zeros(shape, dtype=torch.float64) for shape in shapes)
    found = []
    for place, output in enumerate(outputs):
        jacobians = torch.autograd.functional.jacobian(  # type: ignore[no-untyped-call]  # torch has no types there
            lambda *e, place=place: perturbed(place, *e), zeros
        )
        total = sum(j.abs().flatten(output.ndim).sum(-1) for j in jacobians)
        assert isinstance(total, torch.Tensor)
        found.append(total.numpy())
    return found


def probabilities(s: torch.Tensor, noise: Noise) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """p, the maximum and z from scores."""
    m = s.detach().amax(-1, keepdim=True)
    a = torch.exp(s - m)
    a = noise(a, a * U * ((1 + LOG2_E) * (s - m).abs() + FUNCTION))
    z = a.sum(-1, keepdim=True)
    z = noise(z, s.shape[-1] * U * z)
    p = a / z
    return noise(p, U * p), m, z


def product(a: torch.Tensor, b: torch.Tensor, terms: int, noise: Noise) -> torch.Tensor:
    """a @ b with the error of a sum of so many terms."""
    return noise(a @ b, (terms + OPERANDS) * U * (a.abs() @ b.abs()))


def one(value: torch.Tensor, noise: Noise) -> torch.Tensor:
    """A value with one rounding."""
    return noise(value, U * value.abs())


def ratios(bound: Array, worst: Array, value: Array) -> Array:
    """bound / worst case, without the rounding of the output to its format and the allowance for second order."""
    half = 2.0 ** (np.floor(np.log2(abs(value) + bound)) - FLOAT32[0])
    found: Array = (bound - half) / (SECOND_ORDER * worst)
    return found


@pytest.mark.parametrize("offset", [0.0, 10.0], ids=["cotangent around 0", "cotangent around 10"])
def test_the_gradient_of_softmax_is_bounded_tightly(offset: float) -> None:
    rng = np.random.default_rng(11)
    found = []
    for n in (2, 3, 5, 9, 14):  # the gradient of a row of one logit is 0, and so is most of what rounding does to it
        for _ in range(4):
            x, dp = rng.standard_normal((1, n)), offset + rng.standard_normal((1, n))

            def program(noise: Noise, x: Array = x, dp: Array = dp, n: int = n) -> tuple[torch.Tensor, ...]:
                p, _, _ = probabilities(torch.from_numpy(x), noise)
                terms = one(torch.from_numpy(dp) * p, noise)
                delta = noise(terms.sum(-1, keepdim=True), n * U * terms.abs().sum(-1, keepdim=True))
                return (one(p * one(torch.from_numpy(dp) - delta, noise), noise),)

            (worst,) = worst_case(program)
            bound = softmax_vjp_bound(x, dp, precision={"compute": FLOAT32})
            found.append(ratios(bound, worst, softmax_reference.softmax_vjp(x, dp)).ravel())
    share = np.concatenate(found)
    assert share.min() >= 1.0
    assert share.max() <= LOOSEST


@pytest.mark.parametrize("spread", [1.0, 3.0], ids=["flat rows", "peaked rows"])
@pytest.mark.parametrize("offset", [0.0, 10.0], ids=["cotangent around 0", "cotangent around 10"])
def test_the_gradients_of_attention_are_bounded_tightly(offset: float, spread: float) -> None:
    rng = np.random.default_rng(12)
    found: dict[str, list[Array]] = {"dq": [], "dk": [], "dv": []}
    for r, n, m, d, e in ((1, 3, 5, 4, 3), (2, 4, 3, 2, 5), (1, 2, 8, 6, 2)):
        q, k = spread * rng.standard_normal((r, n, d)), spread * rng.standard_normal((m, d))
        v = rng.standard_normal((m, e))
        do = offset + rng.standard_normal((r, n, e))
        cases = [
            worst_case(lambda noise, a=(q, k, v, do), f=(saved, products): _gradients(noise, *a, *f))
            for saved in (False, True)
            for products in (False, True)
        ]
        bounds = attention_vjp_bound(q, k, v, do, precision={"compute": FLOAT32})
        values = attention_reference.attention_vjp(q, k, v, do)
        for place, name in enumerate(found):
            worst = np.maximum.reduce([case[place] for case in cases])
            found[name].append(ratios(bounds[place], worst, values[place]).ravel())
    for name, parts in found.items():
        share = np.concatenate(parts)
        assert share.min() >= 1.0, name
        assert share.max() <= LOOSEST, name


def _gradients(
    noise: Noise, q: Array, k: Array, v: Array, do: Array, from_lse: bool, from_weights: bool
) -> tuple[torch.Tensor, ...]:
    """dq, dk, dv with P saved or recomputed from the log-sum-exp, and D from dO·O or from P·dP."""
    Q, K, V, dO = (torch.from_numpy(x) for x in (q, k, v, do))
    (r, n, d), (m, e) = q.shape, v.shape
    scale = d**-0.5
    s = one(scale * product(Q, K.T, d, noise), noise)
    p, maximum, z = probabilities(s, noise)
    o = product(p, V, m, noise)
    if from_lse:
        log = torch.log(z)
        log = noise(log, FUNCTION * U * log.abs())
        lse = maximum + log
        lse = noise(lse, (1 + LOG2_E) * U * lse.abs())
        s = one(scale * product(Q, K.T, d, noise), noise)  # computed again, perhaps in another order
        p = torch.exp(s - lse)
        p = noise(p, p * U * ((1 + LOG2_E) * (s - lse).abs() + FUNCTION))
    dp = product(dO, V.T, e, noise)
    terms = one(p * dp if from_weights else dO * o, noise)
    delta = noise(terms.sum(-1, keepdim=True), terms.shape[-1] * U * terms.abs().sum(-1, keepdim=True))
    ds = one(p * one(dp - delta, noise), noise)
    dq = one(scale * product(ds, K, m, noise), noise)
    dk = one(scale * product(ds.mT, Q, r * n, noise).sum(0), noise)
    return dq, dk, product(p.mT, dO, r * n, noise).sum(0)


def _stored_sums(terms: Array, block: int, form: type[np.floating[Any]]) -> Array:
    """Σ over the rows of `terms`, its running sum stored after each block; each member of a group on its own first."""
    total = np.zeros(terms.shape[2:])
    for member in terms:
        partial = np.zeros(terms.shape[2:], form)
        for start in range(0, len(member), block):
            partial = (partial.astype(np.float64) + member[start : start + block].sum(0)).astype(form)
        total = (total + partial.astype(np.float64)).astype(form).astype(np.float64)
    return total


@pytest.mark.parametrize("size", [1.0, 1e-4], ids=["normal", "subnormal in float16"])
def test_partial_sums_may_be_stored_in_the_storage_format(size: float) -> None:
    rng = np.random.default_rng(7)
    for r, n in ((1, 200), (2, 33), (4, 16)):
        q, k = rng.standard_normal((r, n, 3)), rng.standard_normal((5, 3))
        v, do = size * rng.standard_normal((5, 4)), size * rng.standard_normal((r, n, 4))
        half: dict[str, Format] = {"compute": FLOAT32, "dv": FLOAT16}
        stored = {**half, "dv_partial": FLOAT16}
        _, _, dv, _ = attention_reference.attention_vjp(q, k, v, do)
        without, within = (attention_vjp_bound(q, k, v, do, precision=precision)[2] for precision in (half, stored))
        p = np.exp(q @ k.T * 3**-0.5)
        p /= p.sum(-1, keepdims=True)
        error = abs(_stored_sums(np.einsum("rij,rie->rije", p, do), 32, np.float16) - dv)
        assert (error <= within).all()
        assert not (error <= without).all(), "the case does not need the partial sums"


def test_a_partial_sum_that_may_overflow_is_not_hidden() -> None:
    do = np.full((1, 64, 1), 2000.0)
    do[:, 32:] *= -1  # the sum is 0, and that of the first 32 is 64,000 / 1
    arguments = (np.zeros((1, 64, 1)), np.zeros((1, 1)), np.ones((1, 1)), do)
    half: dict[str, Format] = {"compute": FLOAT32, "dv": FLOAT16}
    assert np.isfinite(attention_vjp_bound(*arguments, precision=half)[2]).all()
    stored = {**half, "dv_partial": FLOAT16}
    assert np.isinf(attention_vjp_bound(*arguments, precision=stored)[2]).all()


def test_large_scores_leave_a_finite_bound() -> None:
    """The error of the largest score moves its row as one: it is not the end of the bound that it is a large number."""
    rng = np.random.default_rng(9)
    q, k, v = 400 * rng.standard_normal((2, 5, 8)), 400 * rng.standard_normal((7, 8)), rng.standard_normal((7, 3))
    do = rng.standard_normal((2, 5, 3))
    precision = {"compute": FLOAT32}
    bounds = (
        *attention_bound(q, k, v, precision=precision),
        *attention_vjp_bound(q, k, v, do, precision=precision)[:3],
    )
    assert all(np.isfinite(bound).all() for bound in bounds)
