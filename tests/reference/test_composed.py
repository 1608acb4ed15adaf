"""Calls of parts in the arithmetic of bounds: what they pass on, and that they pass on the errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from lemmata.reference.bounds.layer_norm import layer_norm_bound
from lemmata.reference.composed import call, layer, stacked
from lemmata.reference.layer_norm import layer_norm
from lemmata.reference.rounding import Rounding
from lemmata.tests.reference.formats import IN_FLOAT64

Array = Any
X = np.random.default_rng(7).standard_normal((3, 5))


def rounding() -> Rounding:
    return Rounding(IN_FLOAT64, X)


def test_the_result_is_that_of_the_function_with_the_error_of_its_bound() -> None:
    fl = rounding()
    (y,) = call(fl, layer_norm, layer_norm_bound, ("i c",), x=fl.given(X, "i c"))
    np.testing.assert_array_equal(y.value, layer_norm(X))
    np.testing.assert_array_equal(y.total, layer_norm_bound(X, precision=IN_FLOAT64))
    assert y.axes == ("i", "c")


def test_errors_of_arguments_go_into_the_bound() -> None:
    fl = rounding()
    error = np.full(X.shape, 1e-6)
    (y,) = call(fl, layer_norm, layer_norm_bound, ("i c",), x=fl.given(X, "i c", error))
    np.testing.assert_array_equal(y.total, layer_norm_bound(X, precision=IN_FLOAT64, errors={"x": error}))
    moved = X + error * np.sign(np.random.default_rng(8).standard_normal(X.shape))
    assert (abs(layer_norm(moved) - layer_norm(X)) <= y.total).all()
    assert (y.total > layer_norm_bound(X, precision=IN_FLOAT64)).all()


def test_a_result_that_is_not_wanted_or_not_there_is_none() -> None:
    def two(x: Array) -> tuple[Array, Array | None, Array]:
        return x, None, 2 * x

    def bound(x: Array, *, precision: object, errors: object) -> tuple[Array, Array | None, Array]:
        return 0.0 * x, None, abs(x)

    fl = rounding()
    first, absent, unwanted = call(fl, two, bound, ("i c", "i c", None), x=fl.given(X, "i c"))
    assert first.axes == ("i", "c")
    assert absent is None
    assert unwanted is None


def test_one_layer_of_a_stack_and_back() -> None:
    fl = rounding()
    error = abs(X)
    stack = fl.given(X, "l c", error)
    layers = [layer(stack, k) for k in range(3)]
    assert [one.axes for one in layers] == [("c",)] * 3
    again = stacked(fl, layers, "l")
    np.testing.assert_array_equal(again.value, X)
    np.testing.assert_array_equal(again.total, error)
    assert again.axes == ("l", "c")
