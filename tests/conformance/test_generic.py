"""Contracts made from derivations: outputs and gradients of any number, laws, conventions, users' own files."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lemmata.conformance.checks import GRADIENT, checks_of
from lemmata.conformance.checks_of_calls import DERIVATIVE_OF_GRADIENT, DETERMINISTIC_GRADIENT, SECOND_BACKWARD
from lemmata.conformance.contracts import allowance
from lemmata.conformance.operations import find_operation
from lemmata.conformance.profiles import FLOAT32, find_profile
from lemmata.conformance.runner import conform
from lemmata.conformance.targets import UsageError
from lemmata.derivations.catalogue import TOPICS, topic
from lemmata.tests.conformance.planted_faults import DERIVED_FAULTS, LATENT_ATTENTION, SIGMOID_ATTENTION

TARGETS = "lemmata.tests.conformance.targets"
BREAKERS = f"{TARGETS}.law_breakers_of_forms"
KERNELS = f"{TARGETS}.catalogue_kernels"
settings = hypothesis.settings(max_examples=25, database=None, deadline=None, derandomize=True)
OWN = Path(__file__).parents[2] / "examples" / "square_sum.py"
LADDERED = ["softcapped_attention", "layer_norm", "gelu", "cross_entropy", "linear", "embedding", SIGMOID_ATTENTION]


# Several outputs ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("one_output_of_two", "returned a Tensor instead of a tuple of 2 tensors: o, lse"),
        ("three_outputs", "returned a tuple of 3 instead of 2: o, lse"),
        ("lse_with_an_axis_too_many", "for lse"),
    ],
)
def test_a_result_that_is_not_the_outputs_says_what_it_is(target: str, message: str) -> None:
    verdict = conform("softcapped_attention", f"{BREAKERS}:{target}", dtypes=["float64"], examples=5)
    failure = verdict.checks[0].failure
    assert verdict.checks[0].name == "forward"
    assert failure is not None
    assert message in failure.message


@pytest.mark.usefixtures("_found_is_enough")
def test_outputs_may_come_as_a_list() -> None:
    assert conform("softcapped_attention", f"{BREAKERS}:outputs_as_a_list", dtypes=["float64"], examples=20).conforms


@pytest.mark.usefixtures("_found_is_enough")
def test_a_gradient_that_one_of_the_outputs_lacks_is_found() -> None:
    verdict = conform("softcapped_attention", f"{BREAKERS}:lse_detached", dtypes=["float32"], examples=60)
    assert {check.name for check in verdict.checks if check.status == "failed"} == {GRADIENT}


@pytest.mark.usefixtures("_found_is_enough")
def test_zero_and_no_gradient_are_the_same_for_an_input_that_no_cotangent_reaches() -> None:
    for target in (f"{KERNELS}:softcapped_attention", f"{BREAKERS}:outputs_of_one_function"):
        verdict = conform("softcapped_attention", target, dtypes=["float64"], examples=80)
        assert verdict.conforms, verdict.reasons


# Checks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(
    ("operation", "check", "target"),
    [
        ("linear", "batch entries are independent", f"{BREAKERS}:batch_entry_reads_another"),
        ("swiglu", "linear in up", f"{BREAKERS}:up_is_squashed"),
        ("linear", "linear in input", f"{BREAKERS}:input_is_squashed"),
        ("embedding", "linear in weight", f"{BREAKERS}:table_is_squashed"),
        ("soft_cross_entropy", "linear in target", f"{BREAKERS}:targets_are_sharpened"),
        (
            "layer_norm",
            "Σ_c dinput = 0",
            "lemmata.tests.conformance.targets.norm_faults:layer_norm_gradient_without_the_mean",
        ),
        (
            "cross_entropy",
            "Σ_v dinput = 0",
            "lemmata.tests.conformance.targets.loss_faults:gradient_without_the_target",
        ),
        ("embedding", "inputs unchanged", f"{BREAKERS}:positions_overwritten"),
    ],
)
def test_a_check_catches_its_fault_by_itself(operation: str, check: str, target: str) -> None:
    verdict = conform(operation, target, dtypes=["float32"], examples=150, only=[check], explain=False)
    (result,) = verdict.checks
    assert result.status == "failed"


def test_a_law_names_a_statement_that_there_is_and_is_named_by_it() -> None:
    for name in TOPICS:
        for op in topic(name).operations:
            if name in ("softmax", "scaling") or op.name == "attention":
                continue
            laws = {s.label: s.law for s in op.statements()}
            for check in find_operation(op.name).laws:
                if check.statement is not None:
                    operation, label = check.statement.split()
                    assert operation == op.name
                    assert laws[label]


def test_every_statement_of_linearity_has_its_check() -> None:
    for name in TOPICS:
        for op in topic(name).operations:
            if name in ("softmax", "scaling") or op.name == "attention":
                continue
            claimed = {f"{op.name} {s.label}" for s in op.statements() if s.law.startswith("linear in ")}
            assert claimed <= {check.statement for check in find_operation(op.name).laws}


def test_linearity_in_what_is_no_argument_is_refused(tmp_path: Path) -> None:
    source = (Path(__file__).parents[2] / "examples" / "sigmoid_attention.py").read_text(encoding="utf-8")
    assert 'law="linear in v"' in source
    file = tmp_path / "misspelt.py"
    file.write_text(source.replace('law="linear in v"', 'law="linear in values"'), encoding="utf-8")
    with pytest.raises(UsageError, match="'linear in values' names no argument of real numbers; there are q, k, v"):
        find_operation(f"{file}:sigmoid_attention")


def test_an_operation_without_gradients_is_not_held_to_any() -> None:
    contract = find_operation("layer_norm")
    names = {check.name for check in checks_of(contract)}
    left = {check.name for check in checks_of(replace(contract, differentiable=False))}
    assert names - left == {GRADIENT, DETERMINISTIC_GRADIENT, SECOND_BACKWARD, DERIVATIVE_OF_GRADIENT}


# Bounds and profiles --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LADDERED, ids=lambda name: Path(name).stem)
@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
@settings
@given(data=st.data())
def test_the_bounds_of_every_rung_nest(name: str, dtype: str, data: st.DataObject) -> None:
    contract = find_operation(name)
    problem = contract.build(data.draw(contract.cases()), getattr(torch, dtype))
    bounds = [contract.bound(problem, profile.precision) for profile in contract.profiles(dtype, "cpu")]
    for tight, loose in pairwise(bounds):
        both = {**tight.outputs, **tight.gradients}, {**loose.outputs, **loose.gradients}
        for smaller, larger in zip(both[0].values(), both[1].values(), strict=True):
            known = [np.where(np.isnan(x), np.inf, x) for x in (smaller, larger)]
            assert (known[0] <= known[1] * (1 + 2.0**-40)).all()


def test_the_ladder_names_what_an_operation_stores() -> None:
    contract = find_operation("softcapped_attention")
    ladder = {profile.name: profile.precision for profile in contract.profiles("float16", "cpu")}
    assert list(ladder) == ["fused", "split", "eager"]
    assert {"o", "lse", "dq", "dk", "dv", "dbias", "p"} <= set(ladder["fused"])
    assert "dq_partial" in set(ladder["split"]) - set(ladder["fused"])
    assert {"s", "t", "a", "z"} <= set(ladder["eager"]) - set(ladder["split"])
    assert ladder["eager"]["accumulate"] == FLOAT32
    assert [profile.name for profile in contract.profiles("float32", "cpu")] == ["fp32"]


def test_known_implementations_have_a_rung_that_says_what_they_do() -> None:
    norm, gelu = find_operation("layer_norm"), find_operation("gelu")
    assert [p.name for p in norm.profiles("float16", "cpu")] == ["fused", "split", "saved statistics", "eager"]
    assert [p.name for p in gelu.profiles("float32", "cpu")] == ["fp32", "one minus"]
    assert "mean" in find_profile("saved statistics", "float16", "cpu", norm.profiles).precision
    with pytest.raises(UsageError, match="profile 'fused' is not one of float32: fp32, one minus"):
        find_profile("fused", "float32", "cpu", gelu.profiles)


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(
    ("operation", "dtype", "rung"),
    [
        # What PyTorch does, and which rung it takes to cover it.
        ("layer_norm", "float16", "saved statistics"),
        ("gelu", "float32", "one minus"),
        ("embedding", "bfloat16", "split"),
        ("rms_norm", "float16", "fused"),
        ("linear", "bfloat16", "fused"),
    ],
)
def test_the_rung_that_pytorch_meets(operation: str, dtype: str, rung: str) -> None:
    verdict = conform(operation, f"torch.nn.functional:{operation}", dtypes=[dtype], examples=120)
    assert verdict.profiles[dtype].met == rung


def test_the_epsilon_of_rms_norm_is_that_of_what_it_computes_in() -> None:
    contract = find_operation("rms_norm")
    for dtype, eps in ((torch.float64, 2.0**-52), (torch.float32, 2.0**-23), (torch.float16, 2.0**-23)):
        problem = contract.build(contract.smallest, dtype).with_arrays(input=np.full((2,), 2.0**-12))
        (expected,) = contract.reference(problem).outputs.values()
        assert expected == pytest.approx(2.0**-12 / np.sqrt(2.0**-24 + eps), rel=1e-12)


# Users' own files -----------------------------------------------------------------------------------------------------


def test_an_operation_of_a_users_file_is_found_by_file_and_name() -> None:
    assert find_operation(str(OWN)).signature[0] == ("x",)
    assert find_operation(f"{OWN}:square_sum").signature[0] == ("x",)
    assert find_operation(LATENT_ATTENTION).name == LATENT_ATTENTION
    assert find_operation(SIGMOID_ATTENTION).signature[1] == {"keep": None, "b": None, "scale": None}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sofmax", "'sofmax' is neither an operation nor a file ending in .py"),
        (f"{OWN}:squares", "has no operation 'squares'; it has square_sum"),
        ("loss", "'loss' has several operations: name one of cross_entropy"),
        ("nowhere.py", "there is no file 'nowhere.py'"),
        (
            "parameter_count",
            "'parameter_count' is a count, which has no rounding errors: no implementation is held to it",
        ),
    ],
)
def test_what_is_no_operation_to_conform_to(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        find_operation(name)


def test_a_file_that_no_reference_can_be_generated_from(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(OWN.read_text().replace("Def(y[()], total(i, x[i] ** 2), ", "Def(y[()], total(i, x[j]), "))
    with pytest.raises(UsageError, match="raised NameError"):
        find_operation(str(path))


def test_statements_that_raise_are_the_users_mistake(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(OWN.read_text().replace("gradient = op.derived_vjp.inline(op.gradient(x)[i])", "gradient = 1 / 0"))
    with pytest.raises(UsageError, match="the statements of 'square_sum' raised ZeroDivisionError"):
        find_operation(str(path))


def test_a_target_that_does_not_take_the_arguments_of_the_form() -> None:
    with pytest.raises(UsageError, match=r"but the calling convention is \(x, r, weight=…, eps=…\)"):
        conform("add_rms_norm", f"{KERNELS}:swiglu", examples=1)
    with pytest.raises(UsageError, match="lr must be a tensor, not float"):
        conform("sgd", f"{BREAKERS}:raises_on_numbers", examples=1)


# The reference is what a run takes for the truth ----------------------------------------------------------------------


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(
    "name", ["softcapped_attention", "layer_norm", "swiglu", LATENT_ATTENTION], ids=lambda n: Path(n).stem
)
def test_in_float64_the_reference_is_within_its_own_allowance_of_autograd(name: str) -> None:
    targets = {
        "layer_norm": "torch.nn.functional:layer_norm",
        LATENT_ATTENTION: f"{Path(LATENT_ATTENTION).parent}/latent_attention_kernel.py:attention",
    }
    target = targets.get(name, f"{KERNELS}:{name}")
    verdict = conform(name, target, dtypes=["float64"], examples=60, only=["forward", "gradient"])
    assert verdict.conforms
    assert all(0.0 < check.worst < 1.0 for check in verdict.checks if check.worst is not None)


def test_float64_allows_the_error_of_the_reference_too() -> None:
    contract = find_operation("layer_norm")
    problem = contract.build(contract.smallest, torch.float64)
    profile = contract.profiles("float64", "cpu")[0]
    once = contract.bound(problem, profile.precision).output
    assert (allowance(contract, problem, profile, "float64").output > 1.5 * once).all()


def test_there_are_five_faults_of_each_operation() -> None:
    counts: dict[str, int] = {}
    for fault in DERIVED_FAULTS:
        counts[fault.operation] = counts.get(fault.operation, 0) + 1
    assert min(counts.values()) >= 5
