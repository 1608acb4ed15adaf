"""Large cases: faults that show beyond 16 and 32 bits, and only there; correct kernels pass them."""

import pytest
from lemmata.conformance.operations import find_operation
from lemmata.conformance.runner import conform
from lemmata.conformance.verdict import Verdict

BREAKERS = "lemmata.tests.conformance.targets.law_breakers"


def judged(name: str, *, large: bool) -> Verdict:
    """The verdict on a kernel, on few cases that are not large."""
    target = name if ":" in name else f"{BREAKERS}:{name}"
    only = ["forward", "gradient"]
    return conform("softmax", target, dtypes=["float32"], examples=10, only=only, large=large, explain=False)


@pytest.mark.parametrize("name", ["rows_beyond_16_bits_dropped", "offset_in_32_bits"])
def test_a_fault_of_large_sizes_is_caught_by_large_cases_alone(name: str) -> None:
    assert judged(name, large=False).conforms
    verdict = judged(name, large=True)
    (forward,) = (check for check in verdict.checks if check.name == "forward")
    assert forward.failure is not None
    assert forward.status == "failed"


def test_a_correct_kernel_passes_large_cases() -> None:
    verdict = judged("torch:softmax", large=True)
    assert verdict.conforms
    assert {check.cases for check in verdict.checks if check.name == "forward"} == {
        10 + len(find_operation("softmax").large)
    }


@pytest.mark.parametrize("name", ["layer_norm", "cross_entropy", "embedding", "rope", "swiglu", "adamw", "attention"])
def test_every_contract_has_large_cases(name: str) -> None:
    assert find_operation(name).large
