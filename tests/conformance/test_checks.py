"""Every check has a fault that it catches by itself."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from lemmata.conformance.attention import ATTENTION
from lemmata.conformance.cases import AttentionCase
from lemmata.conformance.checks import COMMON_CHECKS, checks_of
from lemmata.conformance.checks_of_calls import CALL_CHECKS
from lemmata.conformance.isolation.executors import InProcess
from lemmata.conformance.judging import Judge
from lemmata.conformance.laws_batches import laws_of_batches
from lemmata.conformance.laws_of_nan import nan_laws
from lemmata.conformance.operations import OPERATIONS, find_operation
from lemmata.conformance.profiles import default_profiles
from lemmata.conformance.runner import conform
from lemmata.tests.conformance.targets.attention_kernels import correct, eager

TARGETS = "lemmata.tests.conformance.targets"
# Per operation and check, a target that the check alone must not pass.
CAUGHT = {
    "attention": {
        "forward": "attention_faults:scale_hard_coded",
        "gradient": "attention_faults:delta_dropped",
        "inputs unchanged": "attention_faults:query_scaled_in_place",
        "deterministic": "attention_faults:last_bit_varies",
        "deterministic gradient": "law_breakers:attention_gradient_varies",
        "output fully written": "attention_faults:output_tail_unwritten",
        "blend of the values": "attention_faults:rescale_of_output_forgotten",
        "linear in V": "law_breakers:not_linear_in_the_value",
        "keys permuted with values": "attention_faults:last_block_of_keys_dropped",
        "heads are independent": "attention_faults:normaliser_of_first_batch_entry",
        "causal": "attention_faults:causal_one_key_ahead",
        "Σ dK = 0": "attention_faults:delta_dropped",
        "⟨dV,V⟩ = ⟨dO,O⟩": "attention_faults:lse_in_base_2",
        "⟨dQ,Q⟩ = ⟨dK,K⟩": "attention_faults:key_gradient_without_scale",
        "fully masked rows are 0": "attention_faults:fully_masked_rows_are_nan",
        "masked NaN does not leak": "attention_kernels:correct",
        "Hessian-vector product": "law_breakers:attention_by_kept_weights",
    },
    "softmax": {
        "forward": "softmax_faults:wrong_dim",
        "gradient": "softmax_faults:gradient_of_a_constant_cotangent",
        "inputs unchanged": "softmax_faults:input_overwritten",
        "deterministic": "softmax_faults:race",
        "deterministic gradient": "law_breakers:softmax_gradient_varies",
        "output fully written": "softmax_faults:output_tail_unwritten",
        "completes": "law_breakers:aborts_on_long_rows",
        "second backward pass": "law_breakers:spends_what_it_saved",
        "reads only its inputs": "law_breakers:reads_one_further",
        "keeps no results": "law_breakers:keeps_by_address",
        "outputs in memory of their own": "law_breakers:shares_equal_rows",
        "surroundings unchanged": "law_breakers:stops_the_clock",
        "derivative of the gradient": "law_breakers:opaque_gradient",
        "Hessian-vector product": "law_breakers:keeps_its_output",
        "rows sum to 1": "softmax_faults:padding_in_the_normaliser",
        "shift invariance": "softmax_faults:no_maximum_shift",
        "gradient sums to 0": "softmax_faults:row_sum_dropped",
        "rows are independent": "softmax_faults:normaliser_of_first_row",
        "order of the batch is free": "softmax_faults:normaliser_of_first_row",
        "batch invariance, bit for bit": "law_breakers:last_bit_by_batch",
        "logits of -inf": "law_breakers:minus_infinity_is_a_number",
        "NaN is not lost": "law_breakers:loses_nan",
        "NaN reaches nothing else": "law_breakers:spreads_nan",
    },
    "attention_with_lse": {
        "forward": "lse_faults:lse_in_base_2",
        "gradient": "lse_faults:gradient_through_the_lse_ignored",
        "fully masked rows are 0": "lse_faults:lse_of_no_keys_is_finite",
    },
    "log_softmax": {
        "exponentials sum to 1": "softmax_faults:log_softmax_subtracting_lse_in_bfloat16",
        "shift invariance": "softmax_faults:log_softmax_subtracting_lse_in_bfloat16",
        "gradient sums to 0": "softmax_faults:log_softmax_with_detached_normaliser",
        "rows are independent": "softmax_faults:log_softmax_of_all_rows",
    },
    "logsumexp": {
        "shift equivariance": "softmax_faults:logsumexp_in_base_2",
        "gradient sums to its cotangent": "softmax_faults:logsumexp_in_base_2",
        "rows are independent": "softmax_faults:logsumexp_shifted_by_the_largest_of_all",
    },
}
EXAMPLES = 200


def test_no_check_is_without_a_fault() -> None:
    common = {check.name for check in COMMON_CHECKS}
    # The same functions for every operation: one fault is enough, two for what looks at the numbers of the operation.
    shared = {check.name for check in CALL_CHECKS} | {"completes"}
    shared |= {"logits of -inf"} | {
        check.name for check in (*nan_laws(), *laws_of_batches("", lambda t: None, lambda t: None))
    }
    for operation in OPERATIONS:
        laws = {check.name for check in operation.laws}
        if operation.name == "attention_with_lse":
            continue  # the laws are those of attention
        wanted = {"softmax": laws | common, "attention": (laws | common) - shared}.get(operation.name, laws - shared)
        assert wanted <= set(CAUGHT[operation.name])
        assert set(CAUGHT[operation.name]) <= laws | common


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(
    ("operation", "check", "target"),
    [(operation, check, target) for operation, caught in CAUGHT.items() for check, target in caught.items()],
)
def test_a_check_catches_its_fault_by_itself(operation: str, check: str, target: str) -> None:
    name = f"{TARGETS}.{target}"
    verdict = conform(operation, name, dtypes=["float32"], examples=EXAMPLES, only=[check], explain=False)
    (result,) = verdict.checks
    severities = {known.name: known.severity for known in COMMON_CHECKS + find_operation(operation).laws}
    assert result.status == ("failed" if severities[check] == "failure" else "warning")
    assert result.failure is not None
    assert verdict.conforms == (severities[check] == "warning")


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize("isolate", [True, False])
@pytest.mark.parametrize("target", ["norm_faults:eps_dropped", "law_breakers:eps_dropped_in_training"])
def test_a_fault_that_does_not_see_a_factor_is_not_taken_for_a_memory(target: str, isolate: bool) -> None:
    """Normalised without epsilon, half of the numbers give the same, in a process that remembers nothing, too."""
    name, only = f"{TARGETS}.{target}", ["keeps no results"]
    verdict = conform("layer_norm", name, dtypes=["float32"], examples=EXAMPLES, only=only, isolate=isolate)
    assert verdict.checks[0].status == ("passed" if isolate else "failed")


def test_a_check_that_only_warns_names_the_convention() -> None:
    target = f"{TARGETS}.attention_kernels:correct"
    verdict = conform("attention", target, dtypes=["float32"], examples=EXAMPLES, only=["masked NaN does not leak"])
    assert verdict.checks[0].failure is not None
    assert "0·NaN = NaN" in verdict.checks[0].failure.message


@pytest.mark.usefixtures("_found_is_enough")
def test_a_law_that_gets_no_output_for_its_own_call_fails() -> None:
    target = f"{TARGETS}.law_breakers:raises_without_gradient"
    verdict = conform("softmax", target, dtypes=["float32"], examples=40, only=["rows are independent"])
    assert verdict.checks[0].failure is not None
    assert "no saved tensors" in verdict.checks[0].failure.message


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("returns_a_list", "returned a list instead of a tensor"),
        ("returns_float32", "returned a tensor of dtype torch.float32 instead of torch.float64"),
        ("raises_at_odd_lengths", "raised RuntimeError: misaligned address"),
    ],
)
def test_an_output_that_is_no_such_tensor_fails_with_what_it_is(name: str, message: str) -> None:
    target = f"{TARGETS}.law_breakers:{name}"
    verdict = conform("softmax", target, dtypes=["float64"], examples=20)
    (forward,) = (check for check in verdict.checks if check.name == "forward")
    assert forward.failure is not None
    assert forward.failure.message == message


def test_a_law_names_a_statement_that_there_is() -> None:
    from lemmata.derivations import attention, softmax

    derived = {op.name: {s.label for s in op.statements()} for m in (softmax, attention) for op in m.OPERATIONS}
    for operation in OPERATIONS:
        for check in operation.laws:
            if check.statement is not None:
                name, label = check.statement.split()
                assert name == operation.name.removesuffix("_with_lse")
                assert label in derived[name]


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(
    ("name", "check", "message"),
    [
        (
            "raises_for_a_tensor_it_has_seen",
            "keeps no results",
            "in the same memory, the call raised RuntimeError: seen",
        ),
        ("raises_in_every_second_backward", "second backward pass", "in a second call, the backward pass raised"),
    ],
)
def test_a_second_call_that_gives_nothing_fails(name: str, check: str, message: str) -> None:
    verdict = conform("softmax", f"{TARGETS}.law_breakers:{name}", dtypes=["float32"], examples=40, only=[check])
    assert verdict.checks[0].failure is not None
    assert message in verdict.checks[0].failure.message


def test_every_check_says_what_it_means() -> None:
    for name in ("softmax", "log_softmax", "logsumexp", "attention", "attention_with_lse", "layer_norm", "linear"):
        for check in checks_of(find_operation(name)):
            assert check.meaning


def test_nan_of_an_overflow_is_not_the_one_that_was_planted() -> None:
    """A score of 8·10⁴ in an entry of the batch that the planted NaN does not reach."""
    law = next(check for check in nan_laws() if check.name == "NaN reaches nothing else")
    case = AttentionCase(batch=2, head_dim=4, value_dim=4, values=("offset", "huge", "integers"), seed=137296)
    judge = Judge(ATTENTION, InProcess(eager), "float16", "cpu", default_profiles("float16", "cpu"))
    (judged,) = judge.judge(case, [law], 0).judged
    assert judged.finding is not None
    assert judged.finding.failure is None


def test_causality_is_compared_in_the_same_layout() -> None:
    """Keys that all batch entries share, in stride 0: one matrix product, which rounds otherwise than one an entry."""
    law = next(check for check in ATTENTION.laws if check.name == "causal")
    layouts = ("contiguous", "expanded", "contiguous")
    sizes = AttentionCase(batch=2, kv_heads=2, queries=5, keys=3, head_dim=32, value_dim=32)
    case = replace(sizes, causal=True, values=("integers", "normal", "integers"), layouts=layouts)
    judge = Judge(ATTENTION, InProcess(correct), "float32", "cpu", default_profiles("float32", "cpu"))
    (judged,) = judge.judge(case, [law], 0).judged
    assert judged.finding is not None
    assert judged.finding.failure is None


@pytest.mark.usefixtures("_found_is_enough")
def test_a_gradient_that_depends_on_nothing_is_not_differentiated() -> None:
    check = "derivative of the gradient"
    verdict = conform("softmax", f"{TARGETS}.law_breakers:opaque_gradient", dtypes=["float32"], examples=EXAMPLES)
    (found,) = (c for c in verdict.checks if c.name == check)
    assert verdict.conforms
    assert found.failure is not None
    assert "gradient of input can be differentiated and depends on nothing" in found.failure.message


@pytest.mark.usefixtures("_found_is_enough")
def test_who_refuses_a_second_derivative_is_not_judged_by_it() -> None:
    verdict = conform("softmax", f"{TARGETS}.law_breakers:once", dtypes=["float32"], examples=EXAMPLES)
    found = [c for c in verdict.checks if c.name in ("derivative of the gradient", "Hessian-vector product")]
    assert verdict.conforms
    assert [(c.failure, c.cases) for c in found] == [(None, 0), (None, 0)]


@pytest.mark.usefixtures("_found_is_enough")
def test_a_hessian_that_is_not_held_to_a_bound_is_not_run() -> None:
    verdict = conform("softmax", "torch:softmax", dtypes=["float32", "float16"], examples=EXAMPLES)
    statuses = {c.dtype: c.status for c in verdict.checks if c.name == "Hessian-vector product"}
    assert verdict.conforms
    assert statuses == {"float32": "passed", "float16": "not run"}


def test_two_results_of_nan_are_not_one_that_is_kept() -> None:
    """Scores that leave float16 before they are scaled, of the numbers and of half of them."""

    def unscaled(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return torch.softmax((query @ key.mT) / query.shape[-1] ** 0.5, -1) @ value

    law = next(check for check in CALL_CHECKS if check.name == "keeps no results")
    values = ("offset", "huge", "integers")
    case = AttentionCase(kv_heads=4, queries=33, keys=127, head_dim=12, value_dim=12, values=values)
    # Held to `eager`, which says nothing of the first: there the scaled scores overflow too.
    judge = Judge(ATTENTION, InProcess(unscaled), "float16", "cpu", default_profiles("float16", "cpu")[-1:])
    (judged,) = judge.judge(case, [law], 0).judged
    assert judged.finding is not None
    assert judged.finding.failure is None


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(("name", "right"), [("without_decay", True), ("always", False)])
def test_nan_that_an_option_cuts_off_is_not_lost(name: str, right: bool) -> None:
    """Without weight decay the moments do not depend on the parameters, and formally 0·NaN is NaN."""
    target = f"{TARGETS}.law_breakers:adam_moments_{name}"
    verdict = conform("adam", target, dtypes=["float64"], examples=EXAMPLES, only=["NaN is not lost"])
    assert (verdict.checks[0].failure is None) == right


@pytest.mark.parametrize(("ignored", "right"), [("first", True), ("nowhere", False)])
def test_nan_that_was_there_before_is_not_lost(ignored: str, right: bool) -> None:
    """The mean loss of no tokens is 0/0, for which some return 0."""

    def clean(input: torch.Tensor, target: torch.Tensor, **options: Any) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(input.nan_to_num(), target, **options).nan_to_num()

    contract = find_operation("cross_entropy")
    law = next(check for check in nan_laws() if check.name == "NaN is not lost")
    choices = {"reduction": "mean", "ignore_index": ignored, "label_smoothing": 0.0}
    case = replace(contract.smallest, sizes={"n": 1, "V": 2}, choices=choices)
    judge = Judge(contract, InProcess(clean), "float32", "cpu", contract.profiles("float32", "cpu"))
    (judged,) = judge.judge(case, [law], 0).judged
    assert judged.finding is not None
    assert (judged.finding.failure is None) == right
