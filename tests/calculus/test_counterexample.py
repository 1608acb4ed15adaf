"""Counterexamples: the smallest sizes first, simple exact values, and no false alarm from rounding."""

from dataclasses import replace
from fractions import Fraction

import pytest
from lemmata.derivations.calculus.counterexample import MAX_SIZE, NameClash, search
from lemmata.derivations.calculus.expr import (
    ONE,
    ZERO,
    Delta,
    Dim,
    Index,
    Permutation,
    Predicate,
    Size,
    Tensor,
    at_least,
    exp,
    lift,
    maximum,
    position,
    total,
)
from lemmata.derivations.calculus.statement import Counterexample, Equal, NonNegative, Within

n, m = Dim("n"), Dim("m")
i, j, u = Index("i", n), Index("j", n), Index("u", m)
x, y, p = Tensor("x", (n,)), Tensor("y", (n,)), Tensor("p", (n,), "positive")
B = Tensor("b", (n,), "boolean")


def found(claim: Equal | NonNegative) -> Counterexample:
    evidence = search(claim, seed=0)
    assert evidence.counterexample is not None
    return evidence.counterexample


def test_the_smallest_size_that_will_do_is_found() -> None:
    assert found(Equal(x[i], y[i])).sizes == {"n": 1}
    assert found(Equal(total(j, x[j]), x[i])).sizes == {"n": 2}
    only_for_small = Size(n) ** 2 + 2
    assert found(Equal(only_for_small, 3 * Size(n))).sizes == {"n": 3}
    both = found(Equal(total(j, x[j]) * total(u, ONE), x[i]))
    assert sum(both.sizes.values()) == 3


def test_sizes_grow_in_every_dimension() -> None:
    assert found(Equal(Size(n) * Size(m), Size(n) + Size(m) - 1)).sizes == {"n": 2, "m": 2}
    assert search(Equal(Size(n) * Size(m), Size(m) * Size(n)), 0).agreed == 3 * MAX_SIZE**2


def test_values_are_exact_and_shrunk() -> None:
    counterexample = found(Equal(x[i] * y[i], x[i] + y[i]))
    values = {name: dict(array) for name, array in counterexample.values.items()}
    assert all(isinstance(v, Fraction) and v.denominator == 1 for array in values.values() for v in array.values())
    assert {values["x"][0,], values["y"][0,]} <= {Fraction(0), Fraction(1)}
    assert counterexample.left != counterexample.right
    text = "\n".join(counterexample.lines())
    assert "n = 1" in text
    assert "x[0] = " in text
    assert "at i = 0" in text


def test_positive_values_stay_positive_and_masks_are_zero_or_one() -> None:
    counterexample = found(Equal(p[i] * B[i], p[i] + 1))
    assert all(value > 0 for value in counterexample.values["p"].values())
    assert set(counterexample.values["b"].values()) <= {Fraction(0), Fraction(1)}


def test_a_counterexample_is_where_the_hypotheses_hold() -> None:
    counterexample = found(Equal(at_least(i, j), ZERO, (Predicate(position(i) - j - 1),)))
    assert counterexample.at["i"] > counterexample.at["j"]


def test_permutations_are_part_of_it() -> None:
    pi = Permutation("π", n)
    counterexample = found(Equal(x[pi(i)], x[i]))
    assert counterexample.sizes == {"n": 2}
    assert counterexample.values["π"] == {(0,): 1, (1,): 0}


def test_a_negative_value_refutes_a_sign() -> None:
    counterexample = found(NonNegative(x[i]))
    assert counterexample.right == "should be at least 0"
    assert float(counterexample.left) < 0
    assert search(NonNegative(x[i] ** 2), 0).counterexample is None


def test_a_value_outside_of_its_bounds_refutes_them() -> None:
    number = Tensor("t")[()]
    narrow = Within(number**2, high=Fraction(10**4))
    assert search(narrow, 0).counterexample is None
    suspected = search(narrow, 0, suspects=(Fraction(1), Fraction(100), Fraction(101)))
    assert suspected.counterexample is not None
    assert suspected.counterexample.values == {"t": {(): Fraction(101)}}
    assert suspected.counterexample.right == "should be at most 10000"
    assert suspected.counterexample.lines()[0] == "t = 101"
    both = search(Within(number, Fraction(-1), Fraction(1)), 0, suspects=(Fraction(-3),)).counterexample
    assert both is not None
    assert both.right == "should be at least -1 and at most 1"


def test_numbers_outside_of_the_domain_do_not_count() -> None:
    claim = Within(Tensor("t")[()], Fraction(0), Fraction(1), Fraction(0), Fraction(1))
    found = search(claim, 0, suspects=(Fraction(-1), Fraction(2)))
    assert found.counterexample is None
    assert search(replace(claim, end=Fraction(2)), 0, suspects=(Fraction(2),)).counterexample is not None


def test_a_bound_that_is_reached_is_not_broken() -> None:
    number = Tensor("t")[()]
    third = Within(number / 3, high=Fraction(1, 3), start=Fraction(1), end=Fraction(1))
    assert search(third, 0, suspects=(Fraction(1),)).counterexample is None


def test_places_without_a_value_do_not_count() -> None:
    assert search(Equal(1 / (x[i] - x[i]), ONE), 0).agreed == 0
    assert search(Equal(maximum(j, x[j], B[j] - B[j]), ZERO), 0).agreed == 0


def test_rounding_is_not_a_difference() -> None:
    """Terms of the size e^400 that cancel, and a denominator that is 0 but for rounding."""
    large = exp(400 + x[i] / 3)
    assert search(Equal(large * (x[i] / 7) - large * x[i] / 7, ZERO), 0).counterexample is None
    tiny = exp(x[i] / 3) * exp(-x[i] / 3) - 1
    assert search(Equal(1 / tiny, ZERO), 0, points=20).counterexample is None


def test_a_small_difference_is_a_difference() -> None:
    assert search(Equal(x[i] + lift(Fraction(1, 10**35)), x[i]), 0).counterexample is not None


def test_two_things_of_one_name_are_refused() -> None:
    with pytest.raises(NameClash, match="two different tensors are called 'x'"):
        search(Equal(x[i], Tensor("x", (n,), "positive")[i]), 0)
    other = Index("k", Dim("n", grows=False))
    with pytest.raises(NameClash, match="two different dimensions are called 'n'"):
        search(Equal(total(i, Delta(i, i)), total(other, ONE)), 0)


def test_the_search_is_the_same_every_time() -> None:
    claim = Equal(total(j, x[j] * y[j]), total(j, x[j]) * total(j, y[j]))
    assert search(claim, 3) == search(claim, 3)
