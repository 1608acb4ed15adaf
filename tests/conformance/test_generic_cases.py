"""Cases of derived operations: every kind is drawn, a case is its code, and its numbers are the arguments of a call."""

from math import prod

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lemmata.conformance.cases import HEAD_DIMS, LONG_LENGTHS, WIDTHS, case_code
from lemmata.conformance.draws import drawing, drawn
from lemmata.conformance.generic_cases import GenericCase
from lemmata.conformance.layouts import DRAWN
from lemmata.conformance.operations import find_operation
from lemmata.conformance.problems import OUTPUT

settings = hypothesis.settings(max_examples=60, database=None, deadline=None, derandomize=True)
NAMES = ["softcapped_attention", "embedding", "layer_norm", "cross_entropy", "adamw", "linear"]


def drawn_of(name: str, count: int = 1500, seed: int = 0) -> list[GenericCase]:
    """Cases as a run draws them."""
    return drawn(find_operation(name).cases(), drawing(count, shrink=False), seed)


@pytest.fixture(scope="module")
def attention() -> list[GenericCase]:
    """Cases of an operation with masks, numbers and two outputs."""
    # One run varies what it has drawn already, and which numbers come up in it depends on what else has been imported.
    return [case for seed in range(6) for case in drawn_of("softcapped_attention", 400, seed)]


@pytest.mark.parametrize("name", NAMES)
@settings
@given(data=st.data())
def test_a_case_is_its_code_and_makes_a_call_that_the_reference_takes(name: str, data: st.DataObject) -> None:
    contract = find_operation(name)
    case = data.draw(contract.cases())
    scope = {"GenericCase": GenericCase}
    exec(f"case = {case_code(case)}", scope)
    assert scope["case"] == case
    problem = contract.build(case, torch.float16)
    values = contract.reference(problem)
    for output, x in problem.cotangents.items():
        assert values.outputs[output].shape == x.shape
    for argument in problem.requires_grad:
        assert values.gradients[argument].shape == problem.arrays[argument].shape
    assert set(problem.positional) <= {*problem.arrays, *problem.options}


def test_a_case_in_code_leaves_out_what_is_simplest() -> None:
    assert case_code(GenericCase(sizes={"n": 2})) == "GenericCase(sizes={'n': 2})"
    assert case_code(GenericCase(sizes={"n": 2}, present=("keep",))) == "GenericCase(sizes={'n': 2}, present=('keep',))"


def test_sizes_are_those_of_kernels_and_their_neighbours(attention: list[GenericCase]) -> None:
    for name in ("n", "m"):
        assert {1, 2, 15, 16, 17, 33, 64, 65} <= {case.sizes[name] for case in attention}
    assert {case.sizes["n"] for case in attention} <= {*LONG_LENGTHS, *HEAD_DIMS, 0}
    assert {64, 128, 256} <= {case.sizes["d"] for case in attention} <= {*LONG_LENGTHS, *HEAD_DIMS}
    # Equal sizes, which alone let a matrix be read the wrong way round.
    assert sum(case.sizes["n"] == case.sizes["m"] for case in attention) > 100


def test_rows_of_features_are_of_many_blocks() -> None:
    widths = [case.sizes["d"] for case in drawn_of("rms_norm")]
    assert set(WIDTHS) <= set(widths)
    assert 0.1 < sum(width > 256 for width in widths) / len(widths) < 0.3


def test_keys_of_many_blocks_are_drawn_beside_short_lengths(attention: list[GenericCase]) -> None:
    long = [case for case in attention if case.sizes["m"] > 256]
    assert {case.sizes["m"] for case in long} == {257, 516, 1024, 1025}
    assert max(prod(case.sizes[name] for name in "rnmd") for case in long) <= 1 << 13


def test_a_sequence_with_itself_is_long_where_there_are_few_heads() -> None:
    blocks = drawn_of("pre_norm_block")
    assert 257 in {case.sizes["n"] for case in blocks}
    assert max(case.sizes["n"] ** 2 * case.sizes["g"] * case.sizes["r"] for case in blocks) <= 1 << 17


def test_an_empty_dimension_leaves_no_more_room_to_the_others() -> None:
    empty = [case for case in drawn_of("linear") if 0 in case.sizes.values()]
    assert len(empty) > 50
    assert max(prod(max(1, size) for size in case.sizes.values()) for case in empty) <= 1 << 15


def test_only_what_is_defined_without_elements_is_empty(attention: list[GenericCase]) -> None:
    assert 0 in {case.sizes["n"] for case in attention}
    assert 0 not in {case.sizes["m"] for case in attention}
    assert any(0 in case.batch for case in attention)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_batches_of_every_rank_are_drawn(attention: list[GenericCase], rank: int) -> None:
    assert any(len(case.batch) == rank for case in attention)


def test_optional_inputs_are_drawn_in_conjunction(attention: list[GenericCase]) -> None:
    assert {case.present for case in attention} == {(), ("keep",), ("bias",), ("keep", "bias")}
    assert {("scale" in case.numbers) for case in attention} == {True, False}
    assert {case.numbers["cap"] for case in attention} > {1.0, 0.5, 30.0}


def test_every_subset_of_outputs_has_cotangents(attention: list[GenericCase]) -> None:
    assert {case.pulled_back for case in attention} == {None, ("o",), ("lse",)}


def test_gradients_are_asked_for_of_all_of_none_and_of_single_inputs(attention: list[GenericCase]) -> None:
    subsets = {case.requires_grad for case in attention}
    assert {(), ("q",), ("k",), ("v",), ("bias",), ("q", "k", "v"), ("q", "k", "v", "bias")} <= subsets


def test_every_layout_and_regime_is_drawn(attention: list[GenericCase]) -> None:
    assert set(DRAWN) - {"contiguous"} == {layout for case in attention for layout in case.layouts.values()}
    assert {"some rows", "true", "false"} == {case.values["keep"] for case in attention if "keep" in case.values}


def test_positions_repeat_and_reach_the_last_row() -> None:
    contract = find_operation("embedding")
    cases = drawn_of("embedding", 300)
    ids = [contract.build(case, torch.float32).arrays["input"] for case in cases]
    assert any(len(np.unique(x)) < x.size for x in ids)
    assert any(case.sizes["V"] - 1 in x for case, x in zip(cases, ids, strict=True))
    for case, x in zip(cases, ids, strict=True):
        assert x.dtype == np.int64
        assert ((x >= 0) & (x < case.sizes["V"])).all()


def test_positive_inputs_are_positive_in_every_dtype() -> None:
    contract = find_operation("adamw")
    for case in drawn_of("adamw", 200):
        assert (contract.build(case, torch.bfloat16).arrays["v"] > 0).all()


def test_a_parameter_has_no_batch_dimensions() -> None:
    contract = find_operation("linear")
    for case in drawn_of("linear", 100):
        problem = contract.build(case, torch.float32)
        assert problem.arrays["weight"].ndim == 2
        assert problem.arrays["input"].shape[:-2] == case.batch


def test_an_input_that_no_output_with_a_cotangent_depends_on_is_unreached() -> None:
    contract = find_operation("softcapped_attention")
    case = GenericCase(
        sizes=dict.fromkeys(("r", "n", "m", "d", "d_v"), 2),
        numbers={"cap": 1.0},
        pulled_back=("lse",),
        requires_grad=("q", "v"),
    )
    problem = contract.build(case, torch.float64)
    assert problem.unreached == {"v"}
    assert problem.differentiated == ("lse",)
    assert not problem.cotangents["o"].any()
    assert not contract.reference(problem).gradients["v"].any()


def test_one_output_is_called_so_and_several_by_their_names() -> None:
    case = find_operation("linear").smallest
    assert list(find_operation("linear").build(case, torch.float32).cotangents) == [OUTPUT]
    several = find_operation("softcapped_attention")
    assert list(several.build(several.smallest, torch.float32).cotangents) == ["o", "lse"]
