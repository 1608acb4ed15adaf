"""Planted faults: of every kind, of the right dimensions, in claims and in programs."""

from dataclasses import replace
from fractions import Fraction

from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.calculus.expr import (
    Delta,
    Dim,
    Expr,
    Index,
    Larger,
    Predicate,
    Tensor,
    at_least,
    exp,
    free_indices,
    maximum,
    position,
    total,
)
from lemmata.derivations.calculus.mutate import claim_mutants, faults, program_mutants, replaced, spread
from lemmata.derivations.calculus.normal_form import equal
from lemmata.derivations.calculus.statement import Equal, NonNegative, Within
from lemmata.derivations.softmax import SOFTMAX

n = Dim("n")
i, j = Index("i", n), Index("j", n)
x, y, B = Tensor("x", (n,)), Tensor("y", (n,)), Tensor("b", (n,), "boolean")


def kinds(expr: Expr) -> set[str]:
    return {fault.kind for fault in faults(expr)}


def shown(expr: Expr) -> set[str]:
    return {str(fault.new) for fault in faults(expr) if fault.path == ()}


def test_every_node_has_its_faults() -> None:
    assert shown(x[i] + y[i]) == {"-x[i] + y[i]", "x[i] − y[i]", "2·x[i] + y[i]", "x[i] + 2·y[i]", "y[i]", "x[i]"}
    assert shown(x[i] * y[i]) == {"x[i]", "y[i]", "x[i]·y[i]·x[i]", "x[i]·y[i]·y[i]"}
    assert shown(x[i] ** 2) == {"x[i]^-2", "x[i]^3", "x[i]^1"}
    assert shown(exp(x[i])) == {"x[i]", "tanh(x[i])", "exp(-x[i])"}
    assert shown(Delta(i, j)) == {"1", "0", "1 − δ[i, j]"}
    assert shown(at_least(i, j)) == {"[i − j + 1 ≥ 0]", "[i − j − 1 ≥ 0]", "[-i + j ≥ 0]", "1"}
    assert shown(Larger(x[i], y[i])) == {"x[i]", "y[i]", "x[i] + y[i]"}
    assert {"Σ_j x[j]", "0", "max_{j} x[j]"} <= shown(maximum(j, x[j], B[j]))
    assert "n·(Σ_j x[j])" in shown(total(j, x[j]))
    assert {"-x[i]", "2·x[i]", "x[i]^2", "y[i]"} <= {str(fault.new) for fault in faults(x[i] + y[i])}


def test_an_index_is_replaced_by_one_of_the_same_dimension_alone() -> None:
    u = Index("u", Dim("m"))
    A = Tensor("A", (n, u.dim))
    changed = {str(fault.new) for fault in faults(A[i, u] * x[j]) if fault.kind == "index"}
    assert changed == {"A[j, u]", "x[i]"}


def test_faults_of_a_sum_over_the_wrong_range() -> None:
    inner = total(j, x[i] * y[j])
    texts = {str(fault.new) for fault in faults(inner) if fault.kind == "range"}
    assert "x[i]·y[i]" in texts  # one term instead of the sum
    assert any("≥ 0" in one for one in texts)  # from the other index on
    assert any("1 − δ" in one for one in texts)  # one term left out


def test_a_fault_changes_one_node_and_nothing_else() -> None:
    expr = total(j, exp(x[j] - x[i]) * y[j])
    for fault in faults(expr):
        mutant = fault.plant(expr)
        assert set(free_indices(mutant)) <= {i}
        assert replaced(mutant, fault.path, fault.old) == expr


def test_faults_that_cannot_change_the_value_are_left_out() -> None:
    squares = [fault for fault in faults(B[i] * at_least(i, j)) if fault.kind in ("power", "factor repeated")]
    assert not squares


def test_mutants_of_a_claim() -> None:
    given = (Predicate(position(i) - j),)
    claim = Equal(x[i], y[i], given)
    mutants = list(claim_mutants(claim))
    assert all(isinstance(mutant.claim, Equal) and mutant.claim != claim for mutant in mutants)
    hypotheses = [mutant for mutant in mutants if mutant.kind == "hypothesis"]
    assert [str(mutant.fault) for mutant in hypotheses] == [
        "hypothesis: [i − j ≥ 0] became nothing",
        "hypothesis: [i − j ≥ 0] became [i − j + 1 ≥ 0]",
        "hypothesis: [i − j ≥ 0] became [i − j − 1 ≥ 0]",
    ]
    assert {mutant.part for mutant in mutants} == {"left side", "right side", "hypotheses"}
    assert all(isinstance(mutant.claim, NonNegative) for mutant in claim_mutants(NonNegative(exp(x[i]))))
    bounded = Within(exp(x[i]), low=Fraction(0), end=Fraction(3))
    mutated = [mutant.claim for mutant in claim_mutants(bounded)]
    assert mutated
    assert all(isinstance(one, Within) and replace(one, expr=bounded.expr) == bounded for one in mutated)


def test_a_selection_has_every_kind_and_no_more_than_asked_for() -> None:
    claim = SOFTMAX.statements()[4].claim
    everything = list(claim_mutants(claim))
    chosen = spread(everything, 30, 1)
    assert len(chosen) == 30
    assert {mutant.kind for mutant in chosen} == {mutant.kind for mutant in everything}
    assert spread(everything, 30, 1) == chosen
    assert spread(everything, 30, 2) != chosen
    assert len(spread(everything, 10**6, 1)) == len(everything)


def test_mutants_of_a_program_are_programs_and_most_change_the_output() -> None:
    output, *_ = SOFTMAX.program.outputs
    original = SOFTMAX.program.inline(output[i])
    mutants = list(program_mutants(SOFTMAX.program))
    assert len({str(program) for _, program in mutants}) > 20
    changed = [not equal(program.inline(output[i]), original) for _, program in mutants]
    assert sum(changed) > len(changed) / 2
    assert all(text.startswith(("m, ", "a, ", "z, ", "p, ")) for text, _ in mutants)
    assert len(list(program_mutants(ATTENTION.vjp))) > 200
