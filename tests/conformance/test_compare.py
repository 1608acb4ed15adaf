"""Comparison against a bound: what passes, what fails, and what is said about it."""

import numpy as np
import pytest
from lemmata.conformance.compare import compare, merged, same_bits, total

inf, nan = np.inf, np.nan


def arrays(*rows: list[float]) -> list[np.ndarray]:
    """The rows as arrays."""
    return [np.array(row) for row in rows]


def test_the_share_is_the_largest_part_of_the_bound_that_was_used() -> None:
    finding = compare("x", *arrays([1.0, 2.5, 3.0], [1.0, 2.0, 3.1], [0.1, 1.0, 0.2]))
    assert finding.failure is None
    assert finding.share == pytest.approx(0.5)
    assert (finding.elements, finding.vacuous) == (3, 0)


def test_an_error_beyond_its_bound_fails_with_place_values_and_count() -> None:
    finding = compare("output", *arrays([1.0, 2.0, 9.0], [1.0, 3.0, 3.0], [0.1, 0.5, 2.0]))
    assert finding.share == pytest.approx(3.0)
    assert finding.failure is not None
    assert "output: 9 instead of 3 at [2]" in finding.failure
    assert "off by 6 where 2 is allowed (3 times the bound); 2 of 3 elements" in finding.failure


def test_where_nothing_is_allowed_any_error_is_infinitely_too_large() -> None:
    finding = compare("x", *arrays([1e-300], [0.0], [0.0]))
    assert finding.share == inf
    assert finding.failure is not None


def test_no_error_uses_nothing_of_a_bound_of_zero() -> None:
    assert compare("x", *arrays([2.0], [2.0], [0.0])).share == 0.0


@pytest.mark.parametrize(
    ("actual", "expected"), [(nan, 1.0), (1.0, nan), (inf, 1.0), (1.0, inf), (inf, -inf), (nan, inf), (inf, nan)]
)
def test_non_finite_values_of_another_kind_fail(actual: float, expected: float) -> None:
    finding = compare("x", *arrays([0.0, actual], [0.0, expected], [1e9, 1e9]))
    assert finding.share == inf
    assert finding.failure is not None
    assert "at [1]" in finding.failure


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_non_finite_values_of_one_kind_in_one_place_pass(value: float) -> None:
    assert compare("x", *arrays([value], [value], [0.0])).failure is None


@pytest.mark.parametrize("unbounded", [inf, nan])
@pytest.mark.parametrize("actual", [5.0, nan, inf])
def test_an_element_without_a_finite_bound_is_counted_and_not_judged(unbounded: float, actual: float) -> None:
    finding = compare("x", *arrays([actual, 1.0], [0.0, 1.0], [unbounded, 0.1]))
    assert finding.failure is None
    assert (finding.elements, finding.vacuous) == (2, 1)


def test_nothing_is_compared_in_empty_arrays() -> None:
    finding = compare("x", *arrays([], [], []))
    assert (finding.share, finding.failure, finding.elements) == (0.0, None, 0)


def test_bits_are_the_same_up_to_the_sign_of_zero() -> None:
    assert same_bits("x", *arrays([0.0, nan, inf], [-0.0, nan, inf])).failure is None
    finding = same_bits("x", *arrays([1.0, 1.0], [1.0, np.nextafter(1.0, 2.0)]))
    assert finding.failure is not None
    assert "1 of 2 elements" in finding.failure


def test_a_sum_is_allowed_the_errors_of_its_terms_and_of_adding_them() -> None:
    terms = np.random.default_rng(0).standard_normal((3, 400))
    sums, allowed = total(terms, np.zeros_like(terms), 1)
    exact = [float(sum(map(int, row * 2.0**60))) / 2.0**60 for row in terms]
    assert (abs(sums - exact) <= allowed).all()
    assert (allowed <= 401 * 2.0**-53 * abs(terms).sum(1)).all()
    assert (total(terms, np.full_like(terms, 0.5), 1)[1] >= 200).all()


def test_merging_keeps_the_worst_share_the_first_failure_and_all_counts() -> None:
    good = compare("good", *arrays([1.0], [1.0], [1.0]))
    bad = compare("bad", *arrays([3.0], [1.0], [1.0]))
    worse = compare("worse", *arrays([9.0], [1.0], [1.0]))
    finding = merged([good, bad, worse])
    assert finding.share == 8.0
    assert finding.failure is not None
    assert finding.failure.startswith("bad")
    assert finding.elements == 3
    assert merged([]).failure is None
