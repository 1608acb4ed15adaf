"""What is concluded from affine inequalities is true: checked by going through all small sizes and positions."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st
from lemmata.derivations.calculus.expr import Dim, Index
from lemmata.derivations.calculus.predicates import (
    Form,
    complement,
    holds,
    infeasible,
    make_form,
    reduced,
    upper_bound,
)

n, m = Dim("n"), Dim("m")
i, j, t, u = Index("i", n), Index("j", n), Index("t", n), Index("u", m)
TERMS = (i, j, t, u, n, m)
LARGEST = 3

forms = st.builds(
    lambda coefficients, constant: make_form(zip(TERMS, coefficients, strict=True), constant),
    st.tuples(*(st.integers(-2, 2) for _ in TERMS)),
    st.integers(-3, 3),
)


def value(form: Form, at: dict[object, int]) -> int:
    return form[1] + sum(c * at[term] for term, c in form[0])


def assignments() -> list[dict[object, int]]:
    found: list[dict[object, int]] = []
    for size_n, size_m in itertools.product(range(1, LARGEST + 1), repeat=2):
        for a, b, c, d in itertools.product(range(size_n), range(size_n), range(size_n), range(size_m)):
            found.append({i: a, j: b, t: c, u: d, n: size_n, m: size_m})
    return found


ASSIGNMENTS = assignments()


@settings(max_examples=100, deadline=None)
@given(st.lists(forms, min_size=1, max_size=3))
def test_what_is_called_infeasible_has_no_solution(given_forms: list[Form]) -> None:
    if infeasible(given_forms):
        assert not any(all(value(form, at) >= 0 for form in given_forms) for at in ASSIGNMENTS)


@settings(max_examples=100, deadline=None)
@given(forms, st.lists(forms, max_size=2))
def test_what_is_said_to_hold_holds(form: Form, facts: list[Form]) -> None:
    if holds(form, facts):
        assert all(value(form, at) >= 0 for at in ASSIGNMENTS if all(value(fact, at) >= 0 for fact in facts))


@settings(max_examples=100, deadline=None)
@given(forms)
def test_upper_bounds_and_complements(form: Form) -> None:
    top = upper_bound(form)
    for at in ASSIGNMENTS:
        assert top is None or value(form, at) <= top
        assert (value(form, at) >= 0) != (value(complement(form), at) >= 0)


@settings(max_examples=100, deadline=None)
@given(forms, forms)
def test_reducing_by_an_equality_keeps_the_value_where_it_holds(form: Form, fact: Form) -> None:
    opposite = make_form(((term, -c) for term, c in fact[0]), -fact[1])
    other = reduced(form, (fact, opposite))
    assert all(value(form, at) == value(other, at) for at in ASSIGNMENTS if value(fact, at) == 0)


def test_the_conclusions_that_masks_need_are_drawn() -> None:
    causal = make_form([(i, 1), (j, -1)], 0)  # j ≤ i
    future = make_form([(j, 1), (t, -1)], -1)  # j > t
    past = make_form([(t, 1), (i, -1)], 0)  # i ≤ t
    assert infeasible([causal, future, past])
    assert not infeasible([causal, future])
    assert holds(make_form([(i, 1)], 0))
    assert holds(make_form([(n, 1), (i, -1)], -1))
    assert not holds(make_form([(n, 1), (i, -1)], -2))
    window = make_form([(j, 1), (m, 1), (i, -1)], -1)  # i − m < j
    assert holds(window, [make_form([(m, 1), (n, -1)], 0)])  # m ≥ n
    assert not holds(window, [make_form([(m, 1), (n, -1)], 1)])


def test_terms_are_collected() -> None:
    assert make_form([(i, 1), (i, -1), (n, 2)], 3) == (frozenset({(n, 2)}), 3)
    assert complement(complement(make_form([(i, 2)], 1))) == make_form([(i, 2)], 1)
