"""MathML: the notation of single expressions, and that every element belongs to MathML Core."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from fractions import Fraction

import pytest
from hypothesis import given
from lemmata.derivations.calculus.cost import symbol
from lemmata.derivations.calculus.expr import (
    Const,
    Delta,
    Dim,
    Expr,
    Fn,
    Index,
    Larger,
    Permutation,
    Tensor,
    at_least,
    exp,
    maximum,
    total,
)
from lemmata.derivations.calculus.mathml import mathml, mathml_cost, mathml_entry, mathml_name, mathml_terms

from .expressions import expressions

# https://www.w3.org/TR/mathml-core/#mathml-elements-and-attributes
CORE = {
    "annotation",
    "annotation-xml",
    "maction",
    "math",
    "merror",
    "mfrac",
    "mi",
    "mmultiscripts",
    "mn",
    "mo",
    "mover",
}
CORE |= {"mpadded", "mphantom", "mprescripts", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle", "msub", "msubsup"}
CORE |= {"msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover", "semantics"}
# How many children an element must have.
ARITY = {"mfrac": 2, "msub": 2, "msup": 2, "munder": 2, "mover": 2, "msubsup": 3, "munderover": 3, "math": 1}

n = Dim("n")
i, j = Index("i", n), Index("j", n)
x, y, keep, z = Tensor("x", (n,)), Tensor("y", (n,)), Tensor("keep", (n,), "boolean"), Tensor("z")


def faults(source: str) -> list[str]:
    """What is wrong with MathML: elements outside MathML Core, or with the wrong number of children."""
    found = []
    for element in ET.fromstring(f"<all>{source}</all>").iter():
        if element.tag != "all" and element.tag not in CORE:
            found.append(f"{element.tag} is not in MathML Core")
        if len(element) != ARITY.get(element.tag, len(element)):
            found.append(f"{element.tag} has {len(element)} children")
    return found


def plain(source: str) -> str:
    """The characters alone."""
    shown = "".join(ET.fromstring(f"<all>{source}</all>").itertext())
    return shown.replace("\u2062", "·").replace("\u2061", "")


@pytest.mark.parametrize(
    ("expr", "shown"),
    [
        (x[i] * (y[i] - z[()]), "xi·(yi−z)"),
        (total(j, x[j] * y[j]) + z[()], "∑jxj·yj+z"),
        (total(j, x[j]) * y[i], "(∑jxj)·yi"),
        (total(j, x[j] + z[()]), "∑j(xj+z)"),
        (maximum(j, x[j], keep[j]), "maxj:keepjxj"),
        (Larger(z[()], x[i]), "max(z,xi)"),
        (-x[i] - y[i], "−xi−yi"),
        (z[()] - 2 * x[i], "z−2·xi"),
        (Delta(i, j), "δi,j"),
        (at_least(i, j), "[i−j≥0]"),
        (Fn("step", x[i]), "[xi>0]"),
        (Fn("acos", Const(Fraction(-1))), "π"),
        (x[Permutation("π", n)(i)], "xπ(i)"),
        (total(j, x[j] * total(Index("j", n), y[j])), "∑jxj·∑j′yj"),
    ],
)
def test_content(expr: Expr, shown: str) -> None:
    assert plain(mathml(expr)) == shown


@pytest.mark.parametrize(
    ("expr", "element"),
    [
        (x[i] / z[()], "<mfrac><msub><mi>x</mi><mrow><mi>i</mi></mrow></msub><mi>z</mi></mfrac>"),
        (z[()] ** Fraction(1, 2), "<msqrt><mi>z</mi></msqrt>"),
        (exp(z[()]), "<msup><mi>e</mi><mi>z</mi></msup>"),
        (x[i] ** 2, "<msubsup><mi>x</mi><mrow><mi>i</mi></mrow><mn>2</mn></msubsup>"),
        (Tensor("dx", (n,))[i], '<mi mathvariant="normal">d</mi><mi>x</mi>'),
        (Tensor("lse")[()], "<mi>lse</mi>"),
        (Tensor("w_q", (n,))[i], '<msubsup><mi>w</mi><mrow><mi>i</mi></mrow><mi mathvariant="normal">q</mi></msubsup>'),
        (exp(x[i] / z[()]), "<mi>exp</mi>"),
        (Tensor("xhat")[()], "<mover><mi>x</mi><mo>^</mo></mover>"),
    ],
)
def test_structure(expr: Expr, element: str) -> None:
    assert element in mathml(expr)


@given(expressions())
def test_every_expression_is_mathml_core(expr: Expr) -> None:
    shown = mathml(expr) + "".join(mathml_terms(expr))
    assert not faults(shown)


def test_an_element_outside_mathml_core_is_seen() -> None:
    assert faults("<math><menclose><mi>x</mi></menclose></math>") == ["menclose is not in MathML Core"]
    assert faults("<math><mfrac><mi>x</mi></mfrac></math>") == ["mfrac has 1 children"]


def test_the_terms_together_are_the_sum() -> None:
    expr = x[i] - 2 * y[i] + z[()]
    assert "".join(map(plain, mathml_terms(expr))) == plain(mathml(expr)) == "xi−2·yi+z"


def test_names_costs_and_entries() -> None:
    a, b = symbol(Dim("n")), symbol(Dim("d_v"))
    assert plain(mathml_cost(2 * a**2 * b - a + 3)) == "2·dv·n2 −n +3"
    assert plain(mathml_entry(x, [Index("i", Dim("n1"))])) == "xi"
    assert plain(mathml_name("k1′")) == "k(1)′"
    assert not faults(mathml_name("k1′") + mathml_cost(a / 2) + mathml_entry(x, [i]))
