"""What follows from affine inequalities between indices and sizes.

A predicate is an affine form that is claimed to be at least 0. Indices satisfy 0 ≤ i ≤ n − 1 and sizes n ≥ 1; both are
used as facts. A set of predicates is *infeasible* if a combination with small non-negative integer weights of them
and of those facts is a negative number; a predicate *holds* if its complement is infeasible. Both tests are sound (they
never claim more than is true) and incomplete (they may fail to see it).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import product
from math import gcd

from .index import Dim
from .polynomial import Ix

Term = Ix | Dim
Form = tuple[frozenset[tuple[Term, int]], int]

MAX_WEIGHT = 2  # combinations of predicates use weights up to this; masks never needed more than 1


def make_form(terms: Iterable[tuple[Term, int]], constant: int) -> Form:
    """An affine form with like terms collected."""
    merged: dict[Term, int] = {}
    for term, coefficient in terms:
        merged[term] = merged.get(term, 0) + coefficient
    return frozenset((t, c) for t, c in merged.items() if c), constant


def complement(form: Form) -> Form:
    """`not (form ≥ 0)`, over the integers: −form − 1 ≥ 0."""
    return make_form(((t, -c) for t, c in form[0]), -form[1] - 1)


def upper_bound(form: Form) -> int | None:
    """The largest value that the ranges of its indices and sizes allow, or None if there is no bound."""
    sizes: dict[Dim, int] = {}
    top = form[1]
    for term, coefficient in form[0]:
        if isinstance(term, Dim):
            sizes[term] = sizes.get(term, 0) + coefficient
        elif coefficient > 0:  # i ≤ n − 1
            sizes[term.dim] = sizes.get(term.dim, 0) + coefficient
            top -= coefficient
    for coefficient in sizes.values():
        if coefficient > 0:
            return None
        top += coefficient  # n ≥ 1
    return top


def infeasible(forms: Iterable[Form]) -> bool:
    """Whether no assignment satisfies all the predicates at once (sound, not complete)."""
    distinct = tuple(dict.fromkeys(forms))[:6]
    return any(_is_negative(form) for form in distinct) or any(
        _is_negative(_combination(weights, distinct)) for weights in _weights(len(distinct))
    )


def _is_negative(form: Form) -> bool:
    top = upper_bound(form)
    return top is not None and top < 0


def _combination(weights: tuple[int, ...], forms: tuple[Form, ...]) -> Form:
    weighted = list(zip(weights, forms, strict=True))
    return make_form(((t, w * c) for w, (ts, _) in weighted if w for t, c in ts), sum(w * c for w, (_, c) in weighted))


@cache
def _weights(count: int) -> tuple[tuple[int, ...], ...]:
    """The weights of at least two forms, of which none is a multiple of another."""
    every = product(range(MAX_WEIGHT + 1), repeat=count)
    return tuple(weights for weights in every if sum(map(bool, weights)) > 1 and gcd(*weights) == 1)


def holds(form: Form, given: Iterable[Form] = ()) -> bool:
    """Whether the predicate is true under the given ones (sound, not complete)."""
    return infeasible([complement(form), *given])


def reduced(form: Form, facts: tuple[Form, ...]) -> Form:
    """The form with a size eliminated for each pair of facts that says that a combination of sizes is 0."""
    for fact in facts:
        opposite = make_form(((t, -c) for t, c in fact[0]), -fact[1])
        sizes = sorted((t for t, c in fact[0] if isinstance(t, Dim) and abs(c) == 1), key=lambda t: t.name)
        if opposite not in facts or not sizes:
            continue
        gone = sizes[0]
        weight = dict(form[0]).get(gone, 0) * dict(fact[0])[gone]
        form = make_form([*form[0], *((t, -weight * c) for t, c in fact[0])], form[1] - weight * fact[1])
    return form
