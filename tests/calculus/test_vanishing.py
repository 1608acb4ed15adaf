"""A maximum counts as a constant exactly where the total derivative with respect to it is 0, shown the short way, the
long way, or not at all."""

import pytest
from lemmata.conformance.derived import derived_operation
from lemmata.derivations.calculus import vanishing
from lemmata.derivations.calculus.differentiate import NotDifferentiable, vjp
from lemmata.derivations.calculus.expr import Dim, Expr, Index, Tensor, exp, maximum, total
from lemmata.derivations.calculus.normal_form import normal_form
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.program_faults import program_faults

n = Dim("n")
i, j = Index("i", n), Index("j", n)
x, h, c, y = Tensor("x", (n,)), Tensor("h"), Tensor("c", (n,)), Tensor("y", (n,))


def _forbid(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError(f"{name} is not needed here")

    monkeypatch.setattr(vanishing, name, forbidden)


def _program(before: Expr, result: Expr) -> Program:
    """y from x, its maximum h, and what is defined before that as c."""
    return Program("p", (x,), (Def(c[i], before), Def(h[()], maximum(j, x[j])), Def(y[i], result)), (y,))


@pytest.mark.parametrize("name", ["softmax", "attention", "cross_entropy", "multi_head_attention", "pre_norm_block"])
def test_with_names_for_what_lies_around_it_a_maximum_drops_out(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    _forbid(monkeypatch, "_differs_from_zero")
    program = derived_operation(name)[1].program.pruned()
    assert len(vjp(program).steps) > len(program.steps)


def test_what_is_defined_before_a_maximum_is_unfolded_where_that_is_needed() -> None:
    right = _program(exp(x[i]) * exp(-x[i]), (x[i] - h[()]) + c[i] * h[()])
    assert any("dx" in step.tensor.name for step in vjp(right).steps)
    with pytest.raises(NotDifferentiable, match="is not shown to be zero"):
        vjp(_program(2 * exp(x[i]) * exp(-x[i]), (x[i] - h[()]) + c[i] * h[()]))


def test_what_does_not_vanish_is_not_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    program = derived_operation("pre_norm_block")[1].program.pruned()
    wrong = next(f for f in program_faults(program) if f.what == "with the factor `a_2[g, r, i, j]` dropped")
    sizes: list[int] = []

    def watched(expr: Expr) -> object:
        sizes.append(len(str(expr)))
        return normal_form(expr)

    monkeypatch.setattr(vanishing, "normal_form", watched)
    with pytest.raises(NotDifferentiable):
        vjp(wrong.program.pruned())
    assert max(sizes) < 5000  # written out, it has more than a hundred thousand


def test_rounding_errors_are_no_value_other_than_0() -> None:
    # Terms of exp(±144) cancel: with 50 digits something of the order of 10^12 is left.
    large = exp(24 * x[i]) * exp(24 * (x[i] - h[()])) * exp(24 * h[()])
    assert vjp(_program(x[i], large + total(j, x[j])))


def test_values_that_do_not_fit_into_memory_decide_nothing() -> None:
    tower = exp(exp(exp(exp(exp(12 * x[i] ** 2 + 30)))))
    with pytest.raises(NotDifferentiable, match="is not shown to be zero"):
        vjp(_program(tower, c[i] * h[()]))
