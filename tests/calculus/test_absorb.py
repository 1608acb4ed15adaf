"""Definitions put back into products, and sums that are numbers."""

from __future__ import annotations

from fractions import Fraction

from lemmata.derivations.calculus.absorb import absorbed, with_known_sums
from lemmata.derivations.calculus.differentiate import vjp
from lemmata.derivations.calculus.expr import Dim, Expr, Index, Size, Tensor, exp, total
from lemmata.derivations.calculus.normal_form import normal_form
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.readback import Reader
from lemmata.derivations.calculus.simplify import reader_of, simplify

n = Dim("n")
i, j = Index("i", n), Index("j", n)
x, w = Tensor("x", (n,)), Tensor("w", (n,))
mean, centred, square = Tensor("mean"), Tensor("centred", (n,)), Tensor("square")
root, a, p, z = Tensor("root"), Tensor("a", (n,)), Tensor("p", (n,)), Tensor("z")

DEVIATIONS = Program(
    "deviations",
    (x,),
    (
        Def(mean[()], total(j, x[j]) / Size(n)),
        Def(centred[i], x[i] - mean[()]),
        Def(square[()], total(j, centred[j] ** 2)),
    ),
    (centred,),
)
WEIGHTS = Program(
    "weights",
    (x,),
    (Def(a[i], exp(x[i])), Def(z[()], total(j, a[j])), Def(p[i], a[i] / z[()])),
    (p,),
)


def known(expr: Expr, program: Program) -> str:
    reader: Reader = reader_of(program)
    return str(reader.poly(with_known_sums(normal_form(expr), program, reader)))


def read(expr: Expr, *definitions: Def, with_sums: bool = False) -> str:
    order = {tensor: place for place, tensor in enumerate((x, w, a, z, p, root))}
    return str(Reader({n: "j"}, order).poly(absorbed(normal_form(expr), list(definitions), with_sums=with_sums)))


def test_deviations_from_a_mean_sum_to_0() -> None:
    assert known(total(j, centred[j]) * total(j, w[j]) + w[i], DEVIATIONS) == "w[i]"
    assert known(total(j, centred[j]) ** 2 + w[i], DEVIATIONS) == "w[i]"


def test_probabilities_sum_to_1() -> None:
    assert known(w[i] * total(j, p[j]), WEIGHTS) == "w[i]"


def test_other_sums_are_kept() -> None:
    for expr in (total(j, centred[j] ** 2), total(j, centred[j] * w[j]), total(j, x[j]), total(j, w[j])):
        assert known(expr, DEVIATIONS) == str(reader_of(DEVIATIONS).poly(normal_form(expr)))


def test_a_product_becomes_its_name_with_what_is_left() -> None:
    definition = Def(p[i], a[i] / z[()])
    assert read(w[i] * a[i] / z[()], definition) == "w[i]·p[i]"
    assert read(a[i] ** 2 / z[()], definition) == "a[i]·p[i]"
    assert read(w[i] * a[i], definition) == "w[i]·a[i]"


def test_a_root_becomes_its_name_and_its_inverse_the_inverse_of_the_name() -> None:
    value = total(j, x[j] ** 2)
    definition = Def(root[()], value ** Fraction(1, 2))
    assert read(w[i] * value ** Fraction(1, 2), definition) == "root·w[i]"
    assert read(w[i] / value ** Fraction(1, 2), definition) == "w[i]/root"
    assert read(w[i] / value ** Fraction(3, 2), definition) == "w[i]/root^3"


def test_a_reciprocal_root_of_a_sum_of_terms_is_found_in_a_higher_power() -> None:
    definition = Def(root[()], (mean[()] + square[()]) ** Fraction(-1, 2))
    assert read(w[i] * (mean[()] + square[()]) ** Fraction(-3, 2), definition) == "root^3·w[i]"


def test_a_rename_is_not_a_definition() -> None:
    assert read(x[i] * w[i], Def(a[i], x[i])) == "x[i]·w[i]"


def test_a_factor_outside_a_sum_is_found_before_one_inside() -> None:
    """Otherwise the form would depend on the order of a set: both y[i] Σ_j x[j] and x[i] Σ_j y[j] are right."""
    y, c = Tensor("y", (n,)), Tensor("c")
    definition = Def(y[i], c[()] * x[i])
    assert read(c[()] * x[i] * total(j, x[j]), definition) == "y[i]·(Σ_j x[j])"


def test_the_inverse_of_a_root_with_an_index_of_its_own_is_not_given_that_name() -> None:
    """s = √(b² + 1) for every i: 1/√(b² + 1), which has no i, is not 1/s[i]."""
    number, same = Tensor("b"), Tensor("s", (n,))
    square, half = number[()] ** 2 + 1, Fraction(1, 2)
    program = Program("same", (number, x), (Def(same[i], square**half), Def(w[i], same[i] * x[i])), (w,))
    inverse = normal_form(square**-half)
    assert absorbed(inverse, list(program.steps), with_sums=True) == inverse
    assert simplify(vjp(program), program).outputs == vjp(program).outputs
