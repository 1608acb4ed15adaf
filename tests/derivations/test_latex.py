"""LaTeX output: the notation of single expressions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from lemmata.derivations.calculus.expr import (
    Const,
    Delta,
    Dim,
    Expr,
    Fn,
    Index,
    Larger,
    Permutation,
    Place,
    Tensor,
    at_least,
    exp,
    log,
    maximum,
    position,
    tanh,
    total,
)
from lemmata.derivations.calculus.latex import latex, latex_name
from lemmata.derivations.exposition_latex import words

n = Dim("n")
i, j = Index("i", n), Index("j", n)
x, y, keep = Tensor("x", (n,)), Tensor("y", (n,)), Tensor("keep", (n,), "boolean")
z, lse = Tensor("z"), Tensor("lse")


@pytest.mark.parametrize(
    ("expr", "shown"),
    [
        (x[i] / z[()], r"\frac{x_{i}}{z}"),
        (x[i] * (y[i] - z[()]), r"x_{i}\, \left(y_{i} - z\right)"),
        (total(j, x[j] * y[j]), r"\sum_{j} x_{j}\, y_{j}"),
        (total(j, x[j]) * y[i], r"\left(\sum_{j} x_{j}\right)\, y_{i}"),
        (exp(x[i] - lse[()]), r"e^{x_{i} - \mathrm{lse}}"),
        (log(z[()]) + tanh(z[()]), r"\log\left(z\right) + \tanh\left(z\right)"),
        (maximum(j, x[j], keep[j]), r"\max_{j \,:\, \mathrm{keep}_{j}} x_{j}"),
        (Larger(z[()], lse[()]), r"\max\left(z, \mathrm{lse}\right)"),
        (z[()] ** Fraction(1, 2), r"\sqrt{z}"),
        (z[()] ** Fraction(-1, 2), r"\frac{1}{\sqrt{z}}"),
        (z[()] ** 2 * Fraction(1, 2), r"z^{2}\, \tfrac{1}{2}"),
        (-x[i] - y[i], r"-x_{i} - y_{i}"),
        (Delta(i, j) + 0, r"\delta_{i,j} + 0"),
        (at_least(i, j), r"[i - j \ge 0]"),
        (Place(position(i) - j) * z[()], r"\left(i - j\right)\, z"),
        (x[Permutation("π", n)(i)] * 1, r"x_{\pi(i)}\, 1"),
        (total(j, x[j] * total(Index("j", n), y[j])), r"\sum_{j} x_{j}\, \sum_{j^{\prime}} y_{j}"),
        (z[()] - 2 * x[i], r"z - 2\, x_{i}"),
        (x[i] + Const(Fraction(-1, 2)), r"x_{i} - \tfrac{1}{2}"),
        (x[i] - (y[i] + z[()]), r"x_{i} - \left(y_{i} + z\right)"),
        (Fn("acos", Const(Fraction(-1))) * x[i], r"\pi\, x_{i}"),
        (exp(x[i] / z[()]), r"\exp\left(\frac{x_{i}}{z}\right)"),
        (Tensor("w_q", (n,))[i] ** 2, r"{w^{\mathrm{q}}_{i}}^{2}"),
        (Fn("step", x[i]), r"[x_{i} > 0]"),
        (Fn("abs", x[i]), r"\left|x_{i}\right|"),
        (Fn("erf", x[i]), r"\operatorname{erf}\left(x_{i}\right)"),
    ],
)
def test_notation(expr: Expr, shown: str) -> None:
    assert latex(expr) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("x", "x"),
        ("lse", r"\mathrm{lse}"),
        ("dq", r"\mathrm{d}q"),
        ("dbias", r"\mathrm{dbias}"),
        ("tx", r"\mathrm{t}x"),
        ("dx_q", r"\mathrm{d}x_{q}"),
        ("k1", "k^{(1)}"),
        ("o′′", r"o^{\prime\prime}"),
        ("k1′", r"k^{(1)\prime}"),
        ("Δk", r"\Delta k"),
        ("alpha", r"\alpha"),
        ("d_v", "d_{v}"),
        ("k_heads", r"k_{\mathrm{heads}}"),
        ("delta_2", r"\mathrm{delta}_{2}"),
        ("d_0", "d_{0}"),
        ("n_1", "n_{1}"),
        ("xhat", r"\hat{x}"),
        ("dx_hat", r"\mathrm{d}\hat{x}"),
        ("m_bar", r"\bar{m}"),
        ("W_gate", r"W_{\mathrm{gate}}"),
        ("eps", r"\epsilon"),
        ("bias_scale", r"\mathrm{bias\_scale}"),
    ],
)
def test_names(name: str, shown: str) -> None:
    assert latex_name(name) == shown


def test_words_escape_what_latex_would_read() -> None:
    assert words("50 % of a_b & c^d {e}") == r"50 \% of a\_b \& c\^{}d \{e\}"
    assert words("⟨dV, V⟩ = Σ_i") == r"$\langle $dV, V$\rangle $ = $\sum$\_i"
