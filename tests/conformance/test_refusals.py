"""Refusals: counted, named, made up for by further cases, and never silently green."""

from dataclasses import replace

import torch
from hypothesis import strategies as st
from lemmata.conformance.cases import RowCase
from lemmata.conformance.operations import find_operation
from lemmata.conformance.runner import conform

BREAKERS = "lemmata.tests.conformance.targets.law_breakers"


def test_refused_cases_are_made_up_for_and_named() -> None:
    verdict = conform("attention", f"{BREAKERS}:refuses_masks", dtypes=["float32"], examples=60, seed=2)
    taken = verdict.acceptance["float32"]
    assert taken.accepted == 60
    assert taken.refused > 8
    assert taken.drawn == taken.accepted + taken.refused
    assert taken.first_refusal == "NotImplementedError: attn_mask is not supported"
    assert {check.status for check in verdict.checks if check.decides} == {"passed"}
    assert verdict.conforms
    cases = {check.name: check.cases for check in verdict.checks}
    assert cases["forward"] == 60


def test_a_target_that_refuses_everything_does_not_conform() -> None:
    verdict = conform("softmax", f"{BREAKERS}:refuses_everything", dtypes=["float32"], examples=50)
    assert not verdict.conforms
    assert {check.status for check in verdict.checks} == {"not run"}
    assert verdict.reasons == ("float32 was asked for and not run", "no dtype was run")
    reason = verdict.checks[0].reason
    assert reason is not None
    assert reason.startswith("the target refused all 300 cases drawn; the first: NotImplementedError: not for")


def test_a_target_that_refuses_so_much_that_a_check_never_runs_does_not_conform() -> None:
    verdict = conform("softmax", f"{BREAKERS}:refuses_gradients", dtypes=["float32"], examples=30)
    assert not verdict.conforms
    assert not any(check.status == "failed" for check in verdict.checks)
    assert "gradient (float32) was not run: no case that was drawn applies to it" in verdict.reasons


def test_a_check_that_compared_nothing_is_not_passed() -> None:
    empty = replace(find_operation("softmax"), cases=lambda: st.just(RowCase(shape=(0, 3))))
    verdict = conform(empty, torch.softmax, dtypes=["float32"], examples=3)
    assert not verdict.conforms
    assert "forward (float32) was not run: nothing to compare" in verdict.reasons


def test_the_search_for_cases_that_are_accepted_is_bounded() -> None:
    verdict = conform("softmax", f"{BREAKERS}:refuses_long_rows", dtypes=["float32"], examples=20)
    taken = verdict.acceptance["float32"]
    assert taken.drawn <= 400
    if taken.accepted < 20:
        assert not verdict.conforms


def test_a_dtype_that_is_not_supported_is_not_run_unless_it_was_asked_for() -> None:
    by_default = conform("softmax", f"{BREAKERS}:not_for_float64", examples=60)
    assert "float64" not in by_default.profiles
    assert by_default.conforms
    asked = conform("softmax", f"{BREAKERS}:not_for_float64", examples=60, dtypes=["float64", "float32"])
    assert asked.reasons == ("float64 was asked for and not run",)


def test_an_exception_of_another_kind_is_a_failure() -> None:
    verdict = conform("softmax", f"{BREAKERS}:raises_at_odd_lengths", dtypes=["float32"], examples=30)
    assert verdict.acceptance["float32"].refused == 0
    assert not verdict.conforms
