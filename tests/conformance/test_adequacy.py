"""Adequacy: the checks catch the faults of a program, a weaker set of them fewer, and no correct program dies."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from lemmata.conformance.adequacy import _Bench, adequacy
from lemmata.conformance.cases import RowCase
from lemmata.conformance.checks import checks_of
from lemmata.conformance.contracts import Trial
from lemmata.conformance.derived import derived_operation
from lemmata.conformance.equivalence import argument_for
from lemmata.conformance.forms import form_of
from lemmata.conformance.generic_cases import GenericCase
from lemmata.conformance.isolation.executors import InProcess
from lemmata.conformance.mutants import Mutant, Part, mutants_of, right_program
from lemmata.conformance.operations import find_operation
from lemmata.conformance.planted import Planted
from lemmata.conformance.problems import Problem
from lemmata.conformance.sources import Source, source_of
from lemmata.derivations.calculus.program_faults import ProgramFault, program_faults
from lemmata.errors import UsageError
from lemmata.reference.softmax import softmax, softmax_vjp

# What an operation's checks must catch of the faults that are none by name only.
ENOUGH = 0.97


def test_softmax_is_held_to_account() -> None:
    found = adequacy("softmax", more_cases=260)
    assert found.rate >= ENOUGH
    assert len(found.killed) > 150
    assert all(survivor.argument.reason for survivor in found.survivors)
    assert {"forward", "gradient", "gradient sums to 0"} <= {name for name, count in found.kills.items() if count}
    assert json.loads(json.dumps(found.to_json()))["killed"] == len(found.killed)


def test_without_the_gradient_check_faults_of_the_gradient_survive() -> None:
    weak = adequacy("softmax", only=["forward"], cases=20, more_cases=10)
    assert weak.rate < ENOUGH
    gaps = {(survivor.part, survivor.mutant.split(":")[0]) for survivor in weak.gaps}
    assert ("backward", "`dx` with the term `delta` dropped") in gaps
    assert sum(part == "backward" for part, _ in gaps) > 0.9 * len(gaps)
    assert any(line.startswith("gap: `dx` with the term `delta` dropped") for line in weak.lines())
    # What is left of such a fault is the rounding of an output that is right.
    shares = [re.match(r"off by at most (\S+) of the bound", gap.argument.reason) for gap in weak.gaps]
    assert all(share is not None and float(share[1]) < 0.1 for share in shares)


def test_the_share_of_a_gap_is_the_largest_of_all_cases() -> None:
    contract = find_operation("softmax")
    checks = {check.name: check for check in checks_of(contract)}
    bench = _Bench(contract, "float64", contract.profiles("float64", "cpu")[-1], tuple(checks.values()))
    (mutant,) = [m for m in mutants_of("softmax", "backward") if m.words == "with the term `delta` dropped"]
    ready = bench.ready([RowCase(shape=(3, 5), values="normal"), RowCase(shape=(3,), cotangent="zeros")])
    alone = [bench.worst(mutant, [one], [checks["gradient"]]) for one in ready]
    assert min(alone) == 0 < 1 < max(alone) == bench.worst(mutant, ready, [checks["forward"], checks["gradient"]])


def test_survivors_that_are_the_right_program_are_proved_to_be() -> None:
    found = adequacy("layer_norm", cases=60, more_cases=240)
    assert found.rate >= ENOUGH
    (argument,) = {survivor.argument for survivor in found.survivors}
    assert argument.kind == "equivalent"
    assert "the normal form proves for every size that the results are equal" in argument.reason
    assert all("sign of `centred[f]`" in survivor.mutant for survivor in found.survivors)


def test_what_differs_is_a_gap() -> None:
    problem = find_operation("softmax").build(RowCase(shape=(3,)), torch.float64)
    source = source_of("softmax", problem)
    assert source is not None
    (mutant,) = [m for m in mutants_of("softmax", "backward") if m.words == "with the term `delta` dropped"]
    argument = argument_for(mutant, [source])
    assert argument.kind == "gap"
    assert argument.reason.startswith("they differ: ")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_right_functions_as_a_planted_target_pass_every_check(dtype: str) -> None:
    """So that what dies, dies of its fault."""
    contract = find_operation("softmax")
    mutant = replace(mutants_of("softmax", "backward")[0], forward=softmax, backward=softmax_vjp)
    for case in (RowCase(shape=(3, 5), values="normal", cotangent="normal"), RowCase(shape=(4, 3), dim=0)):
        problem = contract.build(case, {"float32": torch.float32, "float64": torch.float64}[dtype])
        source = source_of("softmax", problem)
        assert source is not None
        trial = Trial(contract, InProcess(Planted(contract, mutant, source, problem)), case, dtype, "cpu")
        assert trial.run.complete
        np.testing.assert_allclose(trial.output, trial.expected.output, rtol=1e-6)
        for check in checks_of(contract):
            finding = check.apply(trial, contract.profiles(dtype, "cpu")[-1])
            assert finding is None or finding.failure is None, check.name


def test_other_shapes_than_those_of_the_problem_are_refused() -> None:
    contract = find_operation("softmax")
    problem = contract.build(RowCase(shape=(3,)), torch.float64)
    source = source_of("softmax", problem)
    assert source is not None
    planted = Planted(contract, mutants_of("softmax", "forward")[0], source, problem)
    with pytest.raises(NotImplementedError, match="shape"):
        planted(torch.zeros(4, dtype=torch.float64))


def test_bad_requests_are_refused_in_the_words_of_the_user() -> None:
    with pytest.raises(UsageError, match="dtype 'int8' is not one of"):
        adequacy("softmax", dtype="int8")
    with pytest.raises(UsageError, match="check 'speed' is not one of softmax"):
        adequacy("softmax", only=["speed"])


def _called(name: str) -> tuple[Problem, Source]:
    """A call of an operation whose dimensions are all 3, and what it is a call of."""
    operation = find_operation(name)
    form = form_of(derived_operation(name)[1])
    sizes = dict.fromkeys(form.dims, 3)
    problem = operation.build(GenericCase(sizes=sizes, requires_grad=form.gradients), torch.float64)
    source = source_of(name, problem)
    assert source is not None
    return problem, source


@cache
def _source_of_block() -> Source:
    return _called("pre_norm_block")[1]


@cache
def _faults_of_block(part: Part) -> list[ProgramFault]:
    return list(program_faults(right_program(_source_of_block().operation, part)))


@pytest.mark.parametrize(
    ("part", "definition", "what", "kind"),
    [
        ("forward", "var", "with the sign of `centred[i, f]` changed", "equivalent"),
        ("forward", "a_2", "with the running maximum for the final one: ⟨positions⟩", "gap"),
        ("forward", "cdf", "with the factor `1/2` twice", "gap"),
        # A term of another form of the definition, than the one that stands in the program.
        ("backward", "delta_3", "with the term `0` dropped", "equivalent"),
        # A bias of the keys moves all scores of a row: its gradient is 0, and so is twice that.
        ("backward", "db_k", "with `dk[g, j, e]` doubled", "equivalent"),
        ("backward", "db_q", "with `dq[g, r, i, e]` doubled", "gap"),
    ],
)
def test_in_a_long_program_one_definition_after_the_other_is_shown_to_be_the_same(
    part: Part, definition: str, what: str, kind: str
) -> None:
    """Written out down to the inputs, that would take minutes."""
    source = _source_of_block()
    fault = next(f for f in _faults_of_block(part) if f.step.tensor.name == definition and f.what == what)
    argument = argument_for(Mutant(part, fault, what, _unused, _unused), [source])
    assert argument.kind == kind


def _unused(**_: object) -> object:
    raise AssertionError("nothing is evaluated")


@pytest.mark.parametrize("part", ["forward", "backward"])
def test_faults_around_layers_give_other_values(part: Part) -> None:
    problem, source = _called("language_model")
    right = find_operation("language_model").reference(problem)
    planted = {}
    for mutant in mutants_of("language_model", part):
        values = mutant.values(source, problem)
        assert values is not None
        pairs = [(values.outputs, right.outputs), (values.gradients, right.gradients)]
        planted[str(mutant)] = mutant.definition
        assert any(not np.array_equal(a[name], b[name]) for a, b in pairs for name in b), mutant
    of_part = {
        "forward": {"x", "causal"},
        "backward": {"x", "causal", "dlogits_total", "dembedded", "dw", "dpositions"},
    }
    assert set(planted.values()) == of_part[part]


def test_what_only_layers_read_is_not_called_unread() -> None:
    """The definitions say nothing of what layers make of the stream at the start."""
    _, source = _called("language_model")
    faults = [
        m for m in mutants_of("language_model", "forward") if m.words == "with the term `positions[i, c]` dropped"
    ]
    assert [argument_for(mutant, [source]).kind for mutant in faults] == ["gap"]
