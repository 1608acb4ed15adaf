"""Faults of programs: each is told as its author would tell it, and none leaves the program as it is."""

from __future__ import annotations

import pytest
from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.program_faults import POSITIONS, ProgramFault, program_faults
from lemmata.derivations.catalogue import find_one
from lemmata.derivations.softmax import SOFTMAX


def _faults(op: Operation, *, backward: bool) -> list[ProgramFault]:
    return list(program_faults(op.vjp if backward else op.program.pruned()))


@pytest.mark.parametrize(
    ("backward", "tensor", "what", "value"),
    [
        (True, "dk", "with the factor `scale` dropped", "Σ_i (Σ_r ds[r, i, j]·q[r, i, c])"),
        (True, "ds", "with the term `delta[r, i]` dropped", "p[r, i, j]·dp[r, i, j]"),
        (True, "ds", "with the sign of `delta[r, i]` changed", "p[r, i, j]·(dp[r, i, j] + delta[r, i])"),
        (True, "dv", "with the mean over i for the sum", "(Σ_i (Σ_r do[r, i, e]·p[r, i, j]))/n"),
        (False, "a", "with the factor `keep[r, i, j]` dropped", "exp(s[r, i, j] − m[r, i])"),
        (False, "s", "with the factor `scale` twice", "scale·(Σ_c q[r, i, c]·k[j, c])·scale + bias[r, i, j]"),
        (False, "lse", "in base 2", "(m[r, i] + log(z[r, i]))/log(2)"),
        (False, "z", f"with {POSITIONS} left out of the sum over j", "Σ_j counted[j]·a[r, i, j]"),
    ],
)
def test_attention_has_the_faults_that_people_make(backward: bool, tensor: str, what: str, value: str) -> None:
    found = [f for f in _faults(ATTENTION, backward=backward) if f.step.tensor.name == tensor and f.what == what]
    assert value in [str(fault.value) for fault in found]


def test_probabilities_from_the_log_sum_exp_have_faults_of_their_own() -> None:
    found = [f for f in _faults(ATTENTION, backward=True) if f.step.tensor.name == "p" and f.what == "in base 2"]
    assert [str(fault.value) for fault in found] == [
        "keep[r, i, j]·exp(s[r, i, j] − ((m[r, i] + log(z[r, i]))/log(2)))"
    ]


def test_a_stale_maximum_is_in_the_definition_or_in_one_sum() -> None:
    stale = [fault for fault in _faults(SOFTMAX, backward=False) if fault.kind == "stale"]
    assert [fault.step.tensor.name for fault in stale] == ["a", "z"]
    assert all(fault.cut is not None and fault.cut.kind == "pairs" for fault in stale)


def test_all_sums_over_a_dimension_are_cut_together() -> None:
    """In one program, whose definitions all read the same positions that count."""
    (together,) = [f for f in _faults(SOFTMAX, backward=False) if "all sums over" in f.what]
    assert together.cut is not None
    changed = [step.tensor.name for step in together.program.steps if "counted" in str(step.value)]
    assert changed == ["m", "z"]
    assert together.cut.tensor in together.program.inputs


@pytest.mark.parametrize("op", [SOFTMAX, ATTENTION])
@pytest.mark.parametrize("backward", [False, True])
def test_a_fault_changes_the_program_and_says_what(op: Operation, backward: bool) -> None:
    right = op.vjp if backward else op.program.pruned()
    for fault in program_faults(right):
        assert [step.tensor for step in fault.program.steps] == [step.tensor for step in right.steps]
        changed = [a for a, b in zip(fault.program.steps, right.steps, strict=True) if str(a.value) != str(b.value)]
        assert fault.step.tensor in [step.tensor for step in changed]
        assert str(fault.value) in fault.formula
        assert str(fault.step.value) in fault.formula


def test_in_self_attention_a_maximum_runs_over_the_keys() -> None:
    """Queries and keys are positions of one sequence there, and the maximum of a row is read at its query."""
    op = next(op for op in find_one("pre_norm_block").operations if op.name == "pre_norm_block")
    stale = [fault for fault in program_faults(op.program.pruned()) if fault.kind == "stale"]
    assert stale
    assert {fault.cut.index for fault in stale if fault.cut is not None} == {"j"}
