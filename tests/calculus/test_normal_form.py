"""The normal form: every rule, the wrong variants of every rule, and agreement with the independent evaluation."""

import os
import random
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lemmata.derivations.calculus import products, sums
from lemmata.derivations.calculus.expr import (
    ONE,
    ZERO,
    Add,
    Const,
    Delta,
    Expr,
    Fn,
    Index,
    Larger,
    Max,
    Mul,
    Place,
    Pow,
    Predicate,
    Size,
    Sum,
    Tensor,
    at_least,
    exp,
    lift,
    log,
    maximum,
    position,
    refresh,
    rename,
    tanh,
    total,
)
from lemmata.derivations.calculus.normal_form import equal, normal_form, refine
from lemmata.derivations.calculus.polynomial import Bound, const_atom
from lemmata.derivations.calculus.predicates import make_form
from lemmata.derivations.calculus.products import NoValue, TooLarge
from lemmata.derivations.calculus.readback import Reader
from lemmata.tests.calculus.conftest import Plant
from lemmata.tests.calculus.expressions import differences, expression, expressions, i, j, m, n, pi, point, u

k, l = Index("k", n), Index("l", n)  # noqa: E741 - the usual name of a fourth index
x, y, p = Tensor("x", (n,)), Tensor("y", (n,)), Tensor("p", (n,), "positive")
A, S, B = Tensor("A", (n, m)), Tensor("S", (n, n)), Tensor("b", (n,), "boolean")
a, b, c, w = Tensor("a")[()], Tensor("b0")[()], Tensor("c")[()], Tensor("w", (), "positive")[()]
HALF = Fraction(1, 2)


def z() -> Expr:
    return total(j, exp(x[j]))


def mean() -> Expr:
    return total(j, x[j]) / Size(n)


def variance() -> Expr:
    return total(j, (x[j] - mean()) ** 2) / Size(n)


# name, left side, right side, a wrong right side
RULES: list[tuple[str, Expr, Expr, Expr]] = [
    ("products commute", a * (b * c), (c * a) * b, a * b),
    ("products distribute", a * (b + c), a * b + a * c, a * b + c),
    ("numbers are exact", a / 3 + a / 6, a / 2, a / 3),
    ("equal terms cancel", a * b - b * a, ZERO, ONE),
    ("powers of one base merge", a**3 / a, a**2, a**3),
    ("a negative power is not a positive one", a * a**-2, 1 / a, a),
    ("whole powers of sums expand", (a + b) ** 2, a**2 + 2 * a * b + b**2, a**2 + b**2),
    ("denominators are cleared", 1 / (a + b) + 1 / (a - b), 2 * a / ((a + b) * (a - b)), 2 * b / ((a + b) * (a - b))),
    ("a common factor leaves a denominator", (a * b + a * c) / (a * (b + c)), ONE, a),
    ("roots of equal numbers multiply to it", w**HALF * w**HALF, w, w**2),
    ("a root of a product of positive numbers", (w * p[i]) ** HALF, w**HALF * p[i] ** HALF, w * p[i]),
    ("√2 = 2/√2", lift(2) ** HALF, 2 / lift(2) ** HALF, lift(2) ** -HALF),
    ("√8 = 2√2", lift(8) ** HALF, 2 * lift(2) ** HALF, 4 * lift(2) ** HALF),
    ("merged exponents −1/2 and −3/2", (w + 1) * (w + 1) ** Fraction(-3, 2), (w + 1) ** -HALF, (w + 1) ** HALF),
    ("exponentials of sums", exp(a + b), exp(a) * exp(b), exp(a) + exp(b)),
    ("exponentials of multiples", exp(2 * a), exp(a) ** 2, exp(a**2)),
    ("exp 0", exp(a - a), ONE, ZERO),
    ("exp ∘ log", exp(2 * log(w)), w**2, 2 * w),
    ("log ∘ exp", log(exp(a)), a, exp(a)),
    ("log of a product", log(exp(a) * w), a + log(w), a * log(w)),
    ("log of a quotient", log(w / p[i]), log(w) - log(p[i]), log(w) + log(p[i])),
    ("log of whole numbers", log(lift(12)), 2 * log(lift(2)) + log(lift(3)), log(lift(2)) + log(lift(3))),
    ("log 1", log(lift(1)), ZERO, ONE),
    ("odd functions at 0", tanh(a - a), ZERO, ONE),
    ("names of bound indices do not matter", total(i, x[i]), total(j, x[j]), total(j, y[j])),
    ("factors leave sums", total(j, a * x[j]), a * total(j, x[j]), a + total(j, x[j])),
    ("exponentials leave sums", total(j, exp(x[j] - a)), exp(-a) * z(), exp(a) * z()),
    ("an unused index counts", total(j, a), Size(n) * a, a),
    ("an unused index of each sum", total(j, u, x[j]), Size(m) * total(j, x[j]), Size(n) * total(j, x[j])),
    ("sums split over components", total(i, j, x[i] * y[j]), total(i, x[i]) * total(j, y[j]), total(i, x[i] * y[i])),
    ("sums exchange", total(i, u, A[i, u] * x[i]), total(u, i, x[i] * A[i, u]), total(i, u, A[i, u])),
    ("a square of a sum is a double sum", total(i, x[i]) ** 2, total(i, j, x[i] * x[j]), total(i, x[i] ** 2)),
    ("a sum over its own denominator", total(i, exp(x[i])) / z(), ONE, Size(n)),
    ("a sum with a normalised inner sum", total(i, x[i] * total(j, exp(S[i, j])) / total(k, exp(S[i, k]))),
     total(i, x[i]), total(i, x[i]) / Size(n)),
    ("a delta picks its term", total(j, Delta(i, j) * x[j]), x[i], x[j]),
    ("a delta outside substitutes", Delta(i, j) * (x[i] - x[j]), ZERO, x[i]),
    ("a delta is its own square", Delta(i, j) ** 2, Delta(i, j), ONE),
    ("the trace of the identity", total(i, j, Delta(i, j)), Size(n), Size(n) ** 2),
    ("a delta of one index", Delta(i, i), ONE, ZERO),
    ("a mask is its own square", B[i] ** 2 * x[i], B[i] * x[i], x[i]),
    ("a mask times its complement", B[i] * (1 - B[i]), ZERO, B[i]),
    ("a predicate times its complement", at_least(i, j) * at_least(j, position(i) + 1), ZERO, at_least(i, j)),
    ("a predicate that follows from another", at_least(i, j) * at_least(position(i) + 1, j), at_least(i, j),
     at_least(position(i) + 1, j)),
    ("an index is at least 0", at_least(i, 0), ONE, ZERO),
    ("an index is below its size", at_least(i, n), ZERO, ONE),
    ("a size is at least 1", at_least(n, 1), ONE, at_least(n, 2)),
    ("positions are numbers", Place(position(i) - j), Place(position(i)) - Place(position(j)), Place(position(i))),
    ("a permuted sum", total(j, x[pi(j)] * y[pi(j)]), total(j, x[j] * y[j]), total(j, x[j] * y[pi(j)])),
    ("a maximum is shift equivariant", maximum(j, x[j] + a), maximum(j, x[j]) + a, maximum(j, x[j])),
    ("the maximum of a constant", maximum(j, a), a, ZERO),
    ("the larger commutes", Larger(a, b), Larger(b, a), a),
    ("the larger is associative", Larger(Larger(a, b), c), Larger(a, Larger(b, c)), Larger(a, b)),
    ("the larger is idempotent", Larger(a, a), a, 2 * a),
    ("the larger is shift equivariant", Larger(a + c, b + c), Larger(a, b) + c, Larger(a, b)),
    ("deviations sum to zero", total(i, x[i] - mean()), ZERO, total(i, x[i])),
    ("variance in two forms", variance(), total(j, x[j] ** 2) / Size(n) - mean() ** 2, total(j, x[j] ** 2) / Size(n)),
]  # fmt: skip


USED = (*(e.tensor for e in (a, b, c, w)), x, y, p, A, S, B)


@pytest.mark.parametrize(("left", "right", "wrong"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_rule(left: Expr, right: Expr, wrong: Expr) -> None:
    assert equal(left, right)
    assert equal(right, left)
    assert not equal(left, wrong)
    rng = random.Random(0)
    seen = 0
    for _ in range(20):
        compared, different = differences(left, right, point(rng, USED))
        assert not different
        seen += compared
    assert seen


FALSE: list[tuple[str, Expr, Expr]] = [
    ("√(a²) = a", (a**2) ** HALF, a),
    ("exp of a product", exp(a * b), exp(a) * exp(b)),
    ("exp of a sum of a row", exp(total(j, x[j])), total(j, exp(x[j]))),
    ("sums do not multiply termwise", total(j, x[j] * y[j]), total(j, x[j]) * total(j, y[j])),
    ("only for n = 1", total(j, x[j]), x[i]),
    ("only for n = 1 or 2", Size(n) ** 2 + 2, 3 * Size(n)),
    ("a maximum is not linear", maximum(j, -x[j]), -maximum(j, x[j])),
    ("a maximum with and without a mask", maximum(j, x[j], B[j]), maximum(j, x[j])),
    ("the larger is not the sum", Larger(a, b), a + b),
    ("the larger under a sign", Larger(-a, -b), -Larger(a, b)),
    ("a permutation of one factor alone", total(j, x[pi(j)] * y[j]), total(j, x[j] * y[j])),
    ("a permuted entry", x[pi(i)], x[i]),
    ("a matrix and its transpose", S[i, j], S[j, i]),
    ("a double sum over a symmetric name", total(i, j, S[i, j] * x[i]), total(i, j, S[i, j] * x[j])),
    ("ΣΣ is not the diagonal", total(i, j, x[i] * x[j]), total(i, x[i] * x[i])),
    ("causal off by one", at_least(i, j), at_least(i, position(j) + 1)),
    ("positive and real tensors of one name", Tensor("q", (), "positive")[()], Tensor("q")[()]),
    ("a root of a square of a difference", ((a - b) ** 2) ** HALF, a - b),
]


@pytest.mark.parametrize(("left", "right"), [case[1:] for case in FALSE], ids=[case[0] for case in FALSE])
def test_what_is_false_is_not_shown(left: Expr, right: Expr) -> None:
    assert not equal(left, right)


def test_conventions_of_computer_algebra_that_are_wrong_for_indexed_sums_do_not_occur() -> None:
    """What SymPy 1.14 gets silently wrong or cannot see on such sums."""
    row = total(k, S[j, k])
    assert equal(total(j, Delta(k, j) * row), total(l, S[k, l]))
    assert not equal(total(j, Delta(k, j) * row), S[k, k])  # Sum(δ[k,j]·Sum(Q[j,k])).doit()
    assert not equal(rename(Sum(j, x[j] * y[i]), {i: j}), total(j, x[j] * y[j]))  # Sum.subs captures
    assert equal(total(i, x[i]) - total(j, x[j]), ZERO)  # simplify leaves it
    assert equal(total(i, x[i]) ** 2, total(i, j, x[i] * x[j]))
    assert equal(Delta(i, j) * (x[i] - x[j]), ZERO)
    assert equal(total(j, exp(S[i, j]) / total(k, exp(S[i, k]))), ONE)
    assert equal(Add((Pow(exp(a), Fraction(2)), -exp(a) * exp(a))), ZERO)


def test_layer_norm_gradient_needs_merged_exponents() -> None:
    eps = Tensor("eps", (), "positive")[()]
    inverse = (variance() + eps) ** -HALF
    normalised = total(i, (x[i] - mean()) ** 2) * inverse**2 / Size(n)
    assert equal(normalised, 1 - eps * inverse**2)
    assert not equal(normalised, 1 - eps * inverse)


def test_an_expression_without_a_value_is_refused() -> None:
    with pytest.raises(NoValue, match="power of zero"):
        normal_form(1 / (a - a))
    with pytest.raises(NoValue, match="logarithm of zero"):
        normal_form(log(x[i] - x[i]))


def test_a_normal_form_that_grows_without_bound_is_refused() -> None:
    wide = Add(tuple(Tensor(f"t{k}")[()] for k in range(200)))
    with pytest.raises(TooLarge):
        normal_form(wide**3)


def test_no_index_is_captured_when_a_substitution_makes_a_sum_deeper() -> None:
    """An inner sum that grows must not take the number of a binder further out."""
    deep = total(i, x[i] * total(j, S[i, j] * total(k, S[j, k] * total(l, S[k, l] * x[l]))))
    flat = total(i, j, k, l, x[i] * S[i, j] * S[j, k] * S[k, l] * x[l])
    assert equal(deep, flat)
    nested = total(i, exp(total(j, S[i, j] * exp(total(k, S[j, k] * x[i])))))
    renamed = total(l, exp(total(i, S[l, i] * exp(total(j, S[i, j] * x[l])))))
    assert equal(nested, renamed)
    assert not equal(nested, total(l, exp(total(i, S[l, i] * exp(total(j, S[i, j] * x[i]))))))
    assert sums._first_number(frozenset({Bound(3, n), Bound(4, n)}), 2, 2) == 4 + 1
    assert sums._first_number(frozenset({Bound(7, n)}), 2, 2) == 2


def assert_value_kept(expr: Expr, rng: random.Random) -> bool:
    """The normal form, read back, has the value of the expression; whether there was a place to compare them."""
    try:
        form = normal_form(expr)
    except (NoValue, TooLarge):
        return False
    if len(form.terms) > LARGEST:
        return False
    back = READER.poly(form)
    places = 0
    for _ in range(3):
        compared, wrong = differences(expr, back, point(rng))
        places += compared
        assert not wrong, f"{expr} became {back}"
    return places > 0


@settings(max_examples=100, deadline=None)
@given(expressions(3), st.integers(0, 1_000))
def test_the_normal_form_has_the_value_of_the_expression(expr: Expr, seed: int) -> None:
    """Random expressions of every kind of node against the independent evaluation."""
    assert_value_kept(expr, random.Random(seed))


@pytest.mark.parametrize("block", range(4))
def test_the_normal_form_has_the_value_of_many_expressions(block: int) -> None:
    """The same with expressions that are deeper and cheaper to draw."""
    compared = 0
    for seed in range(block * EXPRESSIONS, (block + 1) * EXPRESSIONS):
        rng = random.Random(seed)
        compared += assert_value_kept(expression(rng.randrange, 4), rng)
    assert compared > 0.8 * EXPRESSIONS


EXPRESSIONS = int(os.environ.get("LEMMATA_EXPRESSIONS", "250"))  # expressions a block; more of them for a long run
READER = Reader({n: "k", m: "v"}, {})
LARGEST = 1_000  # terms of a normal form that is evaluated: a square of sines of sums has tens of thousands

FACTS: list[tuple[Predicate, ...]] = [
    (Predicate(position(i) - j),),
    (Predicate(position(j) - i - 1),),
    (Predicate(position(i) - j), Predicate(position(j) - i)),
    (Predicate(position(n) - m), Predicate(position(m) - n)),
    (Predicate(position(n) - 2), Predicate(position(i) - 1)),
]


@settings(max_examples=80, deadline=None)
@given(expressions(3), st.sampled_from(FACTS), st.integers(0, 1_000))
def test_refining_by_facts_keeps_the_value_where_they_hold(expr: Expr, facts: tuple[Predicate, ...], seed: int) -> None:
    try:
        form = normal_form(expr)
        refined = refine(form, tuple(make_form(fact.affine.terms, fact.affine.constant) for fact in facts))
    except (NoValue, TooLarge):
        return
    holding: Expr = Mul(facts)
    rng = random.Random(seed)
    for _ in range(3):
        _, wrong = differences(Mul((holding, expr)), Mul((refresh(holding), READER.poly(refined))), point(rng))
        assert not wrong, f"{expr} became {READER.poly(refined)} where {facts}"


BROKEN: list[tuple[ModuleType, str, Callable[..., object], Expr, Expr]] = [
    (sums, "size_atom", lambda dim: const_atom(2), total(j, a), 2 * a),
    (products, "is_positive", lambda atom: True, (a**2) ** HALF, a),
]


@pytest.mark.parametrize(
    ("module", "name", "replacement", "left", "right"), BROKEN, ids=["an unused index ignored", "every atom positive"]
)
def test_a_broken_rule_is_seen_by_the_comparison(
    plant: Plant,
    module: ModuleType,
    name: str,
    replacement: Callable[..., object],
    left: Expr,
    right: Expr,
) -> None:
    """The comparison with the independent evaluation can fail: with a fault in a rule it does."""
    assert not equal(left, right)
    plant(module, name, replacement)
    assert equal(left, right)
    rng = random.Random(3)
    assert any(differences(left, right, point(rng, USED))[1] for _ in range(20))


def test_every_node_has_a_rule_of_its_own_or_is_refused() -> None:
    class Unknown(Expr):
        pass

    with pytest.raises(TypeError, match="Unknown is not an expression node"):
        normal_form(Unknown())
    assert repr(normal_form(Fn("erf", a))) == "1·erf(1·a[]^1)^1"
    assert normal_form(Max(j, x[j], B[j])) == normal_form(Max(k, x[k], B[k]))
    assert normal_form(Const(Fraction(0))) == normal_form(ZERO)
    assert normal_form(A[i, u]) != normal_form(A[j, u])
