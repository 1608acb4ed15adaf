"""The arithmetic of the bounds, step by step: no evaluation leaves its error, and none is said to be much worse."""

from collections.abc import Callable
from typing import Any

import array_api_strict
import mpmath as mp
import numpy as np
import pytest
import torch
from lemmata.reference.error_rules import SECOND_ORDER
from lemmata.reference.rounding import Bounded, Rounding
from lemmata.tests.reference.formats import FLOAT16, FLOAT32, FLOAT64

Array = Any
DIGITS = 50
LAST_BITS = 2.0**-40  # two libraries compute a bound in float64 and round some of its steps in another way
U = 2.0 ** -FLOAT32[0]
PRECISION = {"compute": FLOAT32}


def power_of(exponent: float) -> Callable[[Rounding, Bounded], Bounded]:
    return lambda fl, x: fl.power(x, exponent)


# The step, its exact value, its value in float32, and where its argument may lie.
FUNCTIONS: dict[str, tuple[Any, Any, Any, tuple[float, float]]] = {
    "exp": (Rounding.exp, mp.exp, np.exp, (-30, 30)),
    "log": (Rounding.log, mp.log, np.log, (0.01, 100)),
    "sqrt": (Rounding.sqrt, mp.sqrt, np.sqrt, (0.01, 100)),
    "x^(-1/2)": (power_of(-0.5), lambda x: x**-0.5, lambda x: 1 / np.sqrt(x), (0.01, 100)),
    "x^(-3/2)": (power_of(-1.5), lambda x: x**-1.5, lambda x: 1 / (x * np.sqrt(x)), (0.01, 100)),
    "x^(3/2)": (power_of(1.5), lambda x: x**1.5, lambda x: x * np.sqrt(x), (0.01, 100)),
    "x^2": (power_of(2), lambda x: x**2, lambda x: x**2, (-10, 10)),
    "x^3": (power_of(3), lambda x: x**3, lambda x: x * x * x, (-10, 10)),
    "tanh": (Rounding.tanh, mp.tanh, np.tanh, (-5, 5)),
    "sin": (Rounding.sin, mp.sin, np.sin, (-100, 100)),
    "cos": (Rounding.cos, mp.cos, np.cos, (-100, 100)),
    "sigmoid": (Rounding.sigmoid, lambda x: 1 / (1 + mp.exp(-x)), lambda x: 1 / (1 + np.exp(-x)), (-80, 80)),
    "erf": (Rounding.erf, mp.erf, lambda x: torch.erf(torch.from_numpy(x)).numpy(), (-5, 5)),
    "erfc": (Rounding.erfc, mp.erfc, lambda x: torch.erfc(torch.from_numpy(x)).numpy(), (-5, 9)),
    "relu": (Rounding.relu, lambda x: max(x, mp.mpf(0)), lambda x: np.maximum(x, 0), (-3, 3)),
    "step": (Rounding.heaviside, lambda x: mp.mpf(x > 0), lambda x: np.where(x > 0, 1.0, 0.0), (-3, 3)),
}
FUNCTION = pytest.mark.parametrize("name", FUNCTIONS)
NOWHERE_STEEPER_THAN_1 = frozenset({"tanh", "sin", "cos"})  # which is all that is used of them
FACTOR = 12.0
"""How much larger a bound may be than what an argument at the edge of its error and 4 units of rounding move the value
by: erfc is allowed 16 units, and x^(-3/2) has 14."""


def drawn(name: str, relative: float) -> tuple[Array, Array]:
    """float32 arguments and errors of them; some so close to 0 that the error reaches over."""
    low, high = FUNCTIONS[name][3]
    rng = np.random.default_rng([len(name), int(relative * 1e6)])
    x = rng.uniform(low, high, 300)
    x[:20] = x[:20] * 1e-6 if low < 0 else x[:20]
    x = x.astype(np.float32).astype(np.float64)
    error = relative * abs(x) * rng.uniform(0, 1, x.shape)
    error[:10] = np.where(low < 0, 2.0 * abs(x[:10]), error[:10])
    return x, error


def exact(name: str, x: Array) -> Array:
    with mp.workdps(DIGITS):
        return np.array([float(FUNCTIONS[name][1](mp.mpf(float(v)))) for v in x])


def bound_of(name: str, x: Array, error: Array | None) -> Array:
    fl = Rounding(PRECISION, x)
    with np.errstate(all="ignore"):
        return fl.checked(FUNCTIONS[name][0](fl, fl.given(x, "i", error))).total + 0.0 * x


@FUNCTION
@pytest.mark.parametrize("relative", [0.0, 1e-6, 1e-3, 0.1])
def test_no_evaluation_leaves_its_bound(name: str, relative: float) -> None:
    x, error = drawn(name, relative)
    bound = bound_of(name, x, error if relative else None)
    value = exact(name, x)
    for shift in (-1.0, -0.5, 0.0, 1.0) if relative else (0.0,):
        moved = (x + shift * error).astype(np.float32)
        inside = abs(moved.astype(np.float64) - x) <= error  # rounding to float32 may have left the interval
        with np.errstate(all="ignore"):
            found = FUNCTIONS[name][2](moved).astype(np.float64)
        apart = np.where(inside, abs(found - value), 0.0)
        assert (apart <= SECOND_ORDER * bound).all(), (name, shift, (apart / bound).max())


@FUNCTION
@pytest.mark.parametrize("relative", [0.0, 1e-6, 1e-4])
def test_the_bound_is_not_much_larger_than_what_can_happen(name: str, relative: float) -> None:
    x, error = drawn(name, relative)
    bound, value = bound_of(name, x, error if relative else None), exact(name, x)
    sides = [
        exact(name, np.clip(x + s * error, *((1e-9, None) if FUNCTIONS[name][3][0] > 0 else (None, None))))
        for s in (-1, 1)
    ]
    reach = np.maximum(*(abs(side - value) for side in sides))
    if name in NOWHERE_STEEPER_THAN_1:
        reach = np.maximum(reach, error)
    scale = np.ones_like(x) if name == "erf" else abs(value)
    unit = 4 * U * scale * (1 + (abs(x) if name in ("exp", "sigmoid") else 0.0)) + 2.0**-125
    assert (bound <= FACTOR * (reach + unit))[20:].all(), (name, (bound / (reach + unit))[20:].max())


@FUNCTION
def test_a_value_that_is_off_by_sixty_four_units_is_out(name: str) -> None:
    x, _ = drawn(name, 0.0)
    value = exact(name, x)
    seen = 64 * U * abs(value) * (1 + (abs(x) if name in ("exp", "sigmoid") else 0.0)) > bound_of(name, x, None)
    assert seen[np.abs(value) > (0.5 if name == "erf" else 2.0**-100)].all()


def test_a_root_of_what_may_be_negative_is_not_bounded() -> None:
    fl = Rounding(PRECISION, np.zeros(1))
    x = fl.given(np.array([1.0, 1.0, 0.0, 0.0]), "i", np.array([0.5, 1.5, 0.1, 0.0]))
    with np.errstate(divide="ignore"):
        assert np.isfinite(fl.sqrt(x).total).tolist() == [True, False, False, True]
        assert np.isfinite(fl.power(x, -0.5).total).tolist() == [True, False, False, False]


def test_erfc_from_erf_is_absolute() -> None:
    x = np.array([5.0])
    exact_form, formed = (
        Rounding(p, x).erfc(Rounding(p, x).given(x, "i")).total for p in (PRECISION, PRECISION | {"erf": FLOAT32})
    )
    assert exact_form < 1e-15 < U < formed


# Sums, rows, products ------------------------------------------------------------------------------------------------


def test_the_error_of_a_shared_value_cancels_along_its_row() -> None:
    x = np.full((3, 8), 1e4)
    fl = Rounding(PRECISION, x)
    given = fl.given(x, "i j")
    mean = fl.step("mean", fl.sum(given, "j") / 8, "i", row=True)
    deviation = fl.step("d", given - mean, "i j")
    total = fl.sum(deviation, "j")
    alone = fl.sum(Bounded(fl, deviation.value, deviation.axes, deviation.total), "j")
    # Each deviation may be off by the error of the mean, and all of them by the same: 8 times as much is certain.
    assert (total.total >= 8 * mean.total).all()
    assert (total.total <= alone.total).all()
    squares = fl.sum(deviation**2, "j")
    assert np.isfinite(squares.total).all()


def test_signed_errors_of_a_row_cancel() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 6))
    weights = rng.standard_normal(6)
    weights -= weights.mean()
    fl = Rounding({"compute": FLOAT64}, x)
    shared = fl.step("m", Bounded(fl, np.zeros(2), ("i",), np.full(2, 1e-3)), "i", row=True)
    moved = fl.sum((fl.given(x, "i j") - shared) * fl.given(weights, "j"), "j")
    assert (moved.total < 1e-12).all(), "the weights add up to 0"
    apart = fl.sum((fl.given(x, "i j") - shared.collapsed()) * fl.given(abs(weights), "j"), "j")
    assert (apart.total > 1e-3).all()


def test_two_uses_of_one_value_with_different_indices_do_not_cancel() -> None:
    fl = Rounding({"compute": FLOAT64}, np.zeros(2))
    x = fl.step("x", Bounded(fl, np.array([1.0, 2.0]), ("i",), np.array([1e-3, 1e-3])), "i", row=True)
    assert ((x - x).total < 1e-15).all()
    difference = x - x.at("j")
    assert difference.axes == ("i", "j")
    assert (difference.total >= 2e-3).all()


def test_rows_added_at_places_are_bounded_in_any_order() -> None:
    rng = np.random.default_rng(3)
    rows = (rng.standard_normal((64, 3)) * 10.0 ** rng.integers(-3, 4, (64, 1))).astype(np.float32)
    places = rng.integers(0, 4, 64)
    fl = Rounding(PRECISION, rows)
    bound = fl.add_at(fl.given(rows.astype(np.float64), "i c"), fl.given(places, "i"), "i", "v", 5).total
    exact_sum = np.zeros((5, 3))
    np.add.at(exact_sum, places, rows.astype(np.float64))
    for _ in range(20):
        order = rng.permutation(64)
        found = np.zeros((5, 3), np.float32)
        np.add.at(found, places[order], rows[order])
        assert (abs(found - exact_sum) <= bound).all()
    assert (bound[4] == 0).all(), "nothing is added there"
    assert (bound[:4] < 64 * U * 5e4).all()
    one_too_many = exact_sum.copy()
    one_too_many[places[0]] += rows[0]
    assert not (abs(one_too_many - exact_sum) <= bound).all()


def test_a_gradient_summed_over_a_batch_is_bounded_in_any_order() -> None:
    rng = np.random.default_rng(4)
    x, dy = (rng.standard_normal((50, 3, 2)).astype(np.float32) for _ in range(2))
    wide = x.astype(np.float64), dy.astype(np.float64)
    fl = Rounding(PRECISION, x)
    product = fl.matmul(fl.given(wide[1], "i e"), fl.given(wide[0], "i c"), "i")
    bound = fl.output("dw", product, "e c", shared=True).total
    exact_sum = np.einsum("bie,bic->ec", wide[1], wide[0])
    flat = dy.reshape(-1, 2), x.reshape(-1, 2)
    for _ in range(20):
        order = rng.permutation(150)
        found = np.zeros((2, 2), np.float32)
        for i in order:
            found += np.outer(flat[0][i], flat[1][i])
        assert (abs(found - exact_sum) <= bound).all()
    # Summed as one, the sizes of all terms count, not those of the sums of each member.
    assert bound.shape == (2, 2)
    assert (bound >= 100 * U * abs(flat[0]).T.astype(np.float64) @ abs(flat[1]).astype(np.float64)).all()


def test_a_product_may_be_added_to_what_the_accumulator_starts_from() -> None:
    terms = 4096
    x, w, b = np.full((1, terms), 2.0**-13), np.full((1, terms), 1.25 * 2.0**-12), np.ones(1)
    found = np.float32(1.0)
    for one in (x * w)[0].astype(np.float32):
        found = found + one  # each is less than half a unit in the last place of 1, so that all are lost
    error = abs(float(found) - (1.0 + (x @ w.T)[0, 0]))
    fl = Rounding(PRECISION, x)
    product = fl.matmul(fl.given(x, "i c"), fl.given(w, "o c"), "c")
    assert error <= fl.output("y", product + fl.given(b, "o"), "i o").total[0, 0]
    apart = fl.step("p", product, "i o")
    apart = Bounded(fl, apart.value, apart.axes, apart.error, apart.rows)  # the product is done before the sum
    assert error > fl.output("y", apart + fl.given(b, "o"), "i o").total[0, 0]


@pytest.mark.parametrize("kind", ["batch", "places"])
def test_partial_sums_may_be_stored_in_a_narrower_format(kind: str) -> None:
    rng = np.random.default_rng(9)
    members = 40
    rows = (1.0 + rng.random((members, 1, 3))).astype(np.float16).astype(np.float64)
    stored = {"compute": FLOAT32, "dw": FLOAT16}

    def bound(precision: dict[str, Any]) -> Array:
        fl = Rounding(precision, rows)
        if kind == "batch":
            one, row = fl.given(np.ones((members, 1, 1)), "i e"), fl.given(rows, "i c")
            return fl.output("dw", fl.matmul(one, row, "i"), "e c", shared=True).total
        places = fl.given(np.zeros(members, dtype=np.int64), "i")
        return fl.output("dw", fl.add_at(fl.given(rows[:, 0], "i c"), places, "i", "e", 1), "e c").total

    found = np.zeros((1, 3), np.float16)
    for row in rows:
        found = (found + row.astype(np.float16)).astype(np.float16)
    error = abs(found.astype(np.float64) - rows.sum(axis=0))
    assert (error <= bound({**stored, "dw_partial": FLOAT16})).all()
    assert (error > bound(stored)).any()


def test_a_value_of_an_absent_array_costs_nothing() -> None:
    x = np.array([[0.1, 0.2]])
    fl = Rounding(PRECISION, x)
    given = fl.given(x, "i c", 1e-3 * x)
    assert fl.given(None, "c") is None
    one, zero = fl.given(None, "c", absent=(1.0, 2)), fl.given(None, "c", absent=(0.0, 2))
    assert (given * one) is given
    assert (given + zero) is given


def test_masks_take_the_errors_with_them() -> None:
    x = np.array([[1.0, 1e30], [2.0, 3.0]])
    fl = Rounding(PRECISION, x)
    keep = fl.given(np.array([[True, False], [True, True]]), "i j")
    a = fl.exp(fl.given(x, "i j", np.full(x.shape, 1e-3)), keep)
    assert a.total[0, 1] == 0
    assert (a.total[x < 10] > 0).all()
    assert fl.where(keep, fl.given(x, "i j", x)).total[0, 1] == 0


def test_overflow_is_never_hidden() -> None:
    x = np.array([300.0, 100.0])
    fl = Rounding({"compute": FLOAT16}, x)
    squared = fl.given(x, "i") ** 2
    assert np.isinf(squared.total).tolist() == [True, False]
    assert np.isinf((squared * 0.001).total).tolist() == [True, False]
    assert np.isinf(fl.sigmoid(squared).total).tolist() == [True, False]


@pytest.mark.parametrize("convert", [torch.from_numpy, array_api_strict.asarray], ids=["torch", "array_api_strict"])
def test_other_arrays_give_the_same_bounds(convert: Callable[[Array], Any]) -> None:
    rng = np.random.default_rng(5)
    q, k, w = rng.standard_normal((2, 3, 4)), rng.standard_normal((5, 4)), rng.standard_normal((7, 4))
    ids = rng.integers(0, 7, (2, 3))

    def evaluated(q: Any, k: Any, w: Any, ids: Any) -> list[Any]:
        fl = Rounding(PRECISION, q)
        s = fl.matmul(fl.given(q, "i c"), fl.given(k, "j c", 1e-4 * abs(k)), "c")
        m, s = fl.largest("m", s, "j")
        a = fl.step("a", fl.exp(s - m), "i j")
        p = a / fl.step("z", fl.sum(a, "j"), "i", row=True)
        rows = fl.lookup(fl.given(w, "v c"), fl.given(ids, "i"), "v")
        added = fl.add_at(rows * fl.given(q, "i c"), fl.given(ids, "i"), "i", "v", 7)
        parts = [
            p,
            added,
            fl.erfc(rows),
            fl.relu(rows),
            fl.sigmoid(rows) ** -0.5,
            fl.one_hot(fl.given(ids, "i"), "v", 7),
        ]
        return [fl.output("x", part, " ".join(part.axes)).total for part in parts[:-1]]

    for one, other in zip(evaluated(q, k, w, ids), evaluated(*map(convert, (q, k, w, ids))), strict=True):
        assert type(other) is type(convert(q))
        assert (abs(np.asarray(other) - one) <= LAST_BITS * one).all()
