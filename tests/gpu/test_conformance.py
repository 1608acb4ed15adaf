"""Every function of `lemmata.gpu` is held to its contract, in the runs that others are held to, too."""

from __future__ import annotations

import pytest
import torch
from lemmata.conformance.runner import conform
from lemmata.conformance.verdict import Verdict
from lemmata.tests.gpu.held import EAGER, TRITON, interpretable

# What an eager implementation rounds in between is all that a run of a whole block tells in half precision: with so few
# cases the laws have none with a finite bound.
_OF_PARTS = ("pre_norm_block", "post_norm_block", "language_model")
_HALVES = ("float16", "bfloat16")
# More cases on a device, where a kernel is not interpreted.
FASTER = 10


def found_nothing(verdict: Verdict, examples: int) -> None:
    """No check failed, and cases were run in every dtype. Few cases may leave a law without one."""
    assert {dtype for dtype, taken in verdict.acceptance.items() if taken.accepted == examples} == set(verdict.dtypes)
    failed = [f"{check.name}, {check.dtype}: {check.failure}" for check in verdict.checks if check.status == "failed"]
    assert not failed
    silent = [check for check in verdict.checks if check.name == "derivative of the gradient"]
    assert all(check.status in ("passed", "not run") for check in silent), "a gradient is silently constant"


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(("operation", "target", "examples"), EAGER, ids=[operation for operation, _, _ in EAGER])
def test_an_operator_conforms(operation: str, target: str, examples: int) -> None:
    dtypes = ["float64", "float32"] if operation in _OF_PARTS else None
    verdict = conform(operation, f"lemmata.gpu.{target}", dtypes=dtypes, examples=examples, isolate=False)
    found_nothing(verdict, examples)


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize(("operation", "target", "examples"), TRITON, ids=[operation for operation, _, _ in TRITON])
def test_a_kernel_conforms_in_the_interpreter(operation: str, target: str, examples: int) -> None:
    if torch.cuda.is_available():
        pytest.skip("NOT RUN: kernels are compiled in this process")
    dtypes = ["float32", "float16"]
    contract = interpretable(operation)
    verdict = conform(contract, f"lemmata.gpu.{target}", dtypes=dtypes, examples=examples, isolate=False)
    found_nothing(verdict, examples)


@pytest.mark.cuda
@pytest.mark.parametrize(
    ("operation", "target", "examples"), EAGER + TRITON, ids=[target for _, target, _ in EAGER + TRITON]
)
def test_an_operator_conforms_on_cuda(operation: str, target: str, examples: int) -> None:
    dtypes = ["float32"] if operation in _OF_PARTS else ["float32", *_HALVES]
    examples *= FASTER
    verdict = conform(operation, f"lemmata.gpu.{target}", device="cuda", dtypes=dtypes, examples=examples)
    found_nothing(verdict, examples)


@pytest.mark.cuda
@pytest.mark.parametrize(("operation", "target", "examples"), TRITON, ids=[target for _, target, _ in TRITON])
def test_a_kernel_conforms_to_large_cases_on_cuda(operation: str, target: str, examples: int) -> None:
    """65,537 rows, long rows, and strides beyond 32 bits, for which the device has the memory."""
    only = ["forward", "gradient"]
    verdict = conform(operation, f"lemmata.gpu.{target}", device="cuda", examples=examples, only=only, large=True)
    assert verdict.conforms
