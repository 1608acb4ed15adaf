"""Explanations: each planted fault gets its name, and what is right, or is no formula, gets none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from lemmata.conformance.cases import AttentionCase, RowCase
from lemmata.conformance.compare import Finding
from lemmata.conformance.contracts import FailedTrial, Trial
from lemmata.conformance.generic_cases import GenericCase
from lemmata.conformance.isolation.executors import InProcess
from lemmata.conformance.mutants import mutants_of
from lemmata.conformance.named_faults import Explanation, explain
from lemmata.conformance.operations import find_operation
from lemmata.conformance.sources import source_of
from lemmata.tests.conformance.targets import activation_faults, attention_faults, linear_faults, softmax_faults

TINY = AttentionCase(queries=2, keys=2, head_dim=2, value_dim=2, scale=0.5)
ROW = RowCase(shape=(3,))


def _explained(operation: str, target: Any, case: Any, dtype: str = "float32") -> Explanation:
    contract = find_operation(operation)
    trial = Trial(contract, InProcess(target), case, dtype, "cpu")
    return explain(FailedTrial(trial, contract.profiles(dtype, "cpu")[-1], Finding()))


@pytest.mark.parametrize(
    ("fault", "case", "text"),
    [
        ("key_gradient_without_scale", TINY, "the gradient of key equals `dk` with the factor `scale` dropped"),
        ("query_gradient_without_scale", TINY, "the gradient of query equals `dq` with the factor `scale` dropped"),
        ("delta_dropped", TINY, "`ds` with the term `delta[r, i]` dropped: `p[r, i, j]·dp[r, i, j]` instead of"),
        ("delta_added", TINY, "`ds` with the sign of `delta[r, i]` changed"),
        ("scale_argument_ignored", TINY, "as if scale were not given"),
        ("causal_ignored", replace(TINY, causal=True), "as if is_causal were not given"),
        ("causal_bottom_right", replace(TINY, causal=True, keys=3), "as if the causal mask were aligned bottom-right"),
        ("causal_one_key_ahead", replace(TINY, causal=True, keys=3), "as if the causal mask were key ≤ query + 1"),
        ("boolean_mask_inverted", replace(TINY, mask="boolean"), "as if attn_mask were inverted"),
        ("lse_in_base_2", TINY, "`p` recomputed in the backward pass in base 2"),
        ("lse_sign", TINY, "`p` recomputed in the backward pass with the sign of `m[r, i] + log(z[r, i])` changed"),
        ("last_block_of_keys_dropped", replace(TINY, keys=17), "with the last j beyond whole blocks of 16 left out"),
        ("rescale_of_output_forgotten", replace(TINY, keys=33), "blocks of 16 before are not rescaled"),
        ("key_gradient_is_zero", TINY, "the gradient of key is 0 everywhere"),
        ("query_gradient_is_none", TINY, "no gradient: that of query is None"),
    ],
)
def test_a_fault_of_attention_is_named(fault: str, case: AttentionCase, text: str) -> None:
    assert text in _explained("attention", getattr(attention_faults, fault), case).named[0]


@pytest.mark.parametrize(
    ("fault", "case", "text"),
    [
        ("row_sum_dropped", ROW, "`dx` with the term `delta` dropped: `p[i]·dp[i]` instead of `p[i]·(dp[i] − delta)`"),
        ("gradient_without_output", ROW, "`dx` with the factor `p[i]` dropped"),
        ("rescale_forgotten", RowCase(shape=(40,), values="normal"), "blocks of 16 before are not rescaled"),
        ("tail_missing_from_the_normaliser", RowCase(shape=(17,)), "`z` with the last j beyond whole blocks of 16"),
    ],
)
def test_a_fault_of_softmax_is_named(fault: str, case: RowCase, text: str) -> None:
    assert text in _explained("softmax", getattr(softmax_faults, fault), case).named[0]


class _ValuesExchanged(torch.autograd.Function):
    """SwiGLU of the one for the other, whose gradients go to the places that they would have without."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        return activation_faults.gate_and_up_swapped(gate, up)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> Any:
        gate, up = (x.detach().requires_grad_() for x in ctx.saved_tensors)
        with torch.enable_grad():
            y = activation_faults.gate_and_up_swapped(gate, up)
        return torch.autograd.grad(y, (up, gate), dy)


@pytest.mark.parametrize(
    ("operation", "target", "sizes", "text"),
    [
        ("swiglu", activation_faults.gate_and_up_swapped, {"d": 1}, "as if gate and up were exchanged"),
        ("swiglu", _ValuesExchanged.apply, {"d": 2}, "as if gate and up were exchanged, their gradients not"),
        ("linear", linear_faults.weight_transposed, {"n": 2, "d_in": 3, "d_out": 3}, "as if weight were transposed"),
    ],
)
def test_an_input_in_the_place_of_another_is_named(operation: str, target: Any, sizes: Any, text: str) -> None:
    case = GenericCase(sizes, requires_grad=("gate", "up") if operation == "swiglu" else ("input", "weight"))
    (named,) = _explained(operation, target, case).named
    assert named.endswith(text)
    assert "output, gradient of" in named


def test_a_fault_that_loses_an_axis_is_not_taken_for_one_that_keeps_it() -> None:
    """exp(-m) is one number a row: not a softmax, whose rows are here as many as the columns of another one."""

    def kept(input: torch.Tensor, dim: int) -> torch.Tensor:
        return input.detach() * 0.0 + 3.0

    for case in (RowCase(shape=(5, 3), dim=0, values="normal"), RowCase(shape=(3, 3), dim=0, values="normal")):
        assert not [text for text in _explained("softmax", kept, case).named if "dropped" in text]


def _twice(input: torch.Tensor) -> torch.Tensor:
    return 2 * torch.relu(input)


def _identity(input: torch.Tensor) -> torch.Tensor:
    return input.clone()


def _uncentred(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    return torch.nn.functional.rms_norm(input, normalized_shape, weight, eps) + (0.0 if bias is None else bias)


def test_an_activation_is_named_too() -> None:
    case = GenericCase(sizes={"d": 3}, requires_grad=())
    assert "`y`: `x[c]` instead of `relu(x[c])`" in _explained("relu", _identity, case).named[0]
    assert any("twice" in text or "doubled" in text for text in _explained("relu", _twice, case).named)


def test_a_derived_operation_is_explained_too() -> None:
    case = GenericCase(sizes={"d": 5}, batch=(2,), numbers={"eps": 1.0}, requires_grad=("input",))
    explained = _explained("layer_norm", _uncentred, case)
    assert explained.where
    assert len(explained.named) <= 3


def test_where_the_errors_are_is_said_of_a_case_that_shows_it() -> None:
    explained = _explained("softmax", softmax_faults.normaliser_of_first_row, RowCase(shape=(2, 2)))
    assert explained.where.startswith("in a larger case, output (5×253) ")
    assert "exactly where row > 0" in explained.where
    assert explained.lines()[0] == f"where: {explained.where}"


def test_nothing_is_said_of_a_correct_target() -> None:
    assert _explained("attention", torch.nn.functional.scaled_dot_product_attention, TINY) == Explanation()


def _raises(*_: Any, **__: Any) -> Any:
    raise ValueError("no kernel image")


def test_a_call_that_raises_is_explained_by_what_it_says() -> None:
    explained = _explained("softmax", lambda input, dim: _raises(), ROW)
    assert explained.named == ("no results: the call raised ValueError: no kernel image",)


def test_noise_gets_no_name() -> None:
    """An implementation that is wrong in no way that anybody derives."""

    def noisy(input: torch.Tensor, dim: int) -> torch.Tensor:
        return torch.softmax(input, dim) * (1 + 0.01 * torch.sin(1e3 * input.detach()))

    explained = _explained("softmax", noisy, RowCase(shape=(7,), values="normal"))
    assert explained.named == ()
    assert "everywhere" in explained.where


@pytest.mark.parametrize("operation", ["softmax", "attention"])
def test_an_explanation_has_been_evaluated(operation: str) -> None:
    """A mutant that is named gives other results than the reference, where it has any."""
    contract = find_operation(operation)
    case = RowCase(shape=(5,), values="normal") if operation == "softmax" else replace(TINY, values=("normal",) * 3)
    problem = contract.build(case, torch.float64)
    source = source_of(operation, problem)
    assert source is not None
    right = contract.reference(problem)
    for mutant in mutants_of(operation, "backward"):
        values = mutant.values(source, problem)
        if values is not None:
            assert values.outputs.keys() == right.outputs.keys()
            assert all((values.outputs[k] == right.outputs[k]).all() for k in right.outputs)
            assert values.gradients.keys() == right.gradients.keys()
