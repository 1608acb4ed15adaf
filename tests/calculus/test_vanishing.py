"""A maximum counts as a constant exactly where the total derivative with respect to it is 0, shown the short way, the
long way, or not at all."""

import pytest
from lemmata.derivations.calculus import vanishing
from lemmata.derivations.calculus.differentiate import NotDifferentiable, vjp
from lemmata.derivations.calculus.expr import Dim, Expr, Index, Tensor, exp, log, maximum, total
from lemmata.derivations.calculus.normal_form import normal_form
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.program_faults import program_faults
from lemmata.derivations.catalogue import find_one

n = Dim("n")
i, j = Index("i", n), Index("j", n)
x, h, c, y = Tensor("x", (n,)), Tensor("h"), Tensor("c", (n,)), Tensor("y", (n,))


def _operation(name: str) -> Program:
    """Of the catalogue, written out."""
    return next(op for op in find_one(name).operations if op.name == name).program.pruned()


def _program(before: Expr, result: Expr) -> Program:
    """y from x, its maximum h, and what is defined before that as c."""
    return Program("p", (x,), (Def(c[i], before), Def(h[()], maximum(j, x[j])), Def(y[i], result)), (y,))


@pytest.mark.parametrize("name", ["softmax", "attention", "cross_entropy", "multi_head_attention", "pre_norm_block"])
def test_with_names_for_what_lies_around_it_a_maximum_drops_out(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def unneeded(*_: object) -> bool:
        raise AssertionError("the short way does not do")

    monkeypatch.setattr(vanishing, "_differs_from_zero", unneeded)
    program = _operation(name)
    assert len(vjp(program).steps) > len(program.steps)


def test_what_is_defined_before_a_maximum_is_unfolded_where_that_is_needed() -> None:
    right = _program(exp(x[i]) * exp(-x[i]), (x[i] - h[()]) + c[i] * h[()])
    assert any("dx" in step.tensor.name for step in vjp(right).steps)
    with pytest.raises(NotDifferentiable, match="is not shown to be zero"):
        vjp(_program(2 * exp(x[i]) * exp(-x[i]), (x[i] - h[()]) + c[i] * h[()]))


def test_what_does_not_vanish_is_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    program = _operation("pre_norm_block")
    wrong = next(f for f in program_faults(program) if f.what == "with the factor `a_2[g, r, i, j]` dropped")
    sizes: list[int] = []

    def watched(expr: Expr) -> object:
        sizes.append(len(str(expr)))
        return normal_form(expr)

    monkeypatch.setattr(vanishing, "normal_form", watched)
    with pytest.raises(NotDifferentiable):
        vjp(wrong.program.pruned())
    assert max(sizes) < 5000  # written out, it has 47 thousand


def test_rounding_errors_are_no_value_other_than_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """The normal form is not asked: exp(x + h) − exp(x) exp(h) is 0, and its evaluation is not."""
    zero = exp(24 * x[i] + 24 * h[()]) - exp(24 * x[i]) * exp(24 * h[()])
    whole, top = Program("p", (x,), (Def(h[()], maximum(j, x[j])),), ()), Def(h[()], maximum(j, x[j]))
    assert not vanishing._differs_from_zero(whole, top, total(i, zero))
    assert vanishing._differs_from_zero(whole, top, total(i, zero + x[i] / 10**6))
    monkeypatch.setattr(vanishing, "AGREEMENT", 10**300)  # then rounding errors count
    assert vanishing._differs_from_zero(whole, top, total(i, zero))


def test_a_point_without_values_decides_nothing() -> None:
    tower = exp(exp(exp(exp(exp(12 * x[i] ** 2 + 30)))))
    with pytest.raises(NotDifferentiable, match="is not shown to be zero"):
        vjp(_program(tower, c[i] * h[()]))


def test_points_with_values_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    top = Def(h[()], maximum(j, x[j]))
    whole = Program("p", (x,), (top,), ())
    assert vanishing._differs_from_zero(whole, top, log(h[()]))
    assert vanishing._differs_from_zero(whole, top, total(i, log(x[i])))
    monkeypatch.setattr(vanishing, "_POINTS", 1)  # there an entry of x is negative; the maximum never is
    assert vanishing._differs_from_zero(whole, top, log(h[()]))
    assert not vanishing._differs_from_zero(whole, top, total(i, log(x[i])))


def test_what_takes_long_to_evaluate_has_no_value() -> None:
    """The exponential of a number with ten thousand bits before the point takes seconds, with more of them minutes."""
    top = Def(h[()], maximum(j, x[j]))
    assert not vanishing._differs_from_zero(Program("p", (x,), (top,), ()), top, exp(exp(2**13 * exp(h[()] ** 2))))
