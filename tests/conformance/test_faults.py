"""Planted faults are caught, kernels that do not compute fail every check of accuracy, and correct ones pass."""

import pytest
from lemmata.conformance.runner import conform
from lemmata.conformance.verdict import Verdict
from lemmata.tests.conformance.correct_targets import CORRECT_TARGETS
from lemmata.tests.conformance.planted_faults import FAULTS, Fault

# Cases per correct target and dtype; the long run for false alarms draws thousands.
EXAMPLES = 8
OF_BLOCKS = 4
# A kernel that keeps what it once computed is right until a shape comes back.
OF_TRIVIAL = 60
TRIVIAL = "lemmata.tests.conformance.targets.trivial"


def failed(verdict: Verdict) -> set[str]:
    """The names of the checks that failed."""
    return {check.name for check in verdict.checks if check.status == "failed"}


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.place}-{fault.name}")
def test_a_planted_fault_is_caught(fault: Fault) -> None:
    # The default settings, up to the first failure, in the dtype in which it is found soonest; nothing here can harm.
    verdict = conform(fault.operation, fault.target, dtypes=[fault.dtype], fail_fast=True, explain=False, isolate=False)
    assert failed(verdict)
    assert not verdict.conforms


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(
    ("operation", "target", "dtype"),
    # Those of `lemmata.gpu` have a test of their own.
    [
        (operation, target, dtype)
        for operation, target, dtypes in CORRECT_TARGETS
        for dtype in dtypes
        if not target.startswith("lemmata.gpu")
    ],
    ids=lambda value: str(value).rpartition("/")[2],
)
def test_a_correct_implementation_is_not_flagged(operation: str, target: str, dtype: str) -> None:
    examples = OF_BLOCKS if operation.endswith("_block") else EXAMPLES
    verdict = conform(operation, target, dtypes=[dtype], examples=examples, isolate=False)
    assert not failed(verdict), [check.failure for check in verdict.checks if check.failure]
    assert verdict.profiles[dtype].met is not None


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
@pytest.mark.parametrize(
    ("operation", "name"),
    [
        ("attention", "attention_zero"),
        ("attention", "attention_constant"),
        ("attention", "attention_query"),
        ("attention", "attention_copy_of_value"),
        ("softmax", "softmax_zero"),
        ("softmax", "softmax_constant"),
        ("softmax", "softmax_identity"),
        ("softmax", "softmax_copy"),
        ("softmax", "softmax_cached"),
        ("softmax", "softmax_zeroing"),
    ],
)
def test_a_kernel_that_does_not_compute_fails_every_check_of_accuracy(operation: str, name: str, dtype: str) -> None:
    verdict = conform(
        operation,
        f"{TRIVIAL}:{name}",
        dtypes=[dtype],
        examples=OF_TRIVIAL,
        only=["forward", "gradient"],
        explain=False,
        isolate=False,
    )
    assert failed(verdict) == {"forward", "gradient"}
