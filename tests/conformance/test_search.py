"""The search: small failing cases, failed checks set aside, the same result for the same seed, refusals."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from lemmata.conformance.cases import AttentionCase, RowCase
from lemmata.conformance.checks import COMMON_CHECKS
from lemmata.conformance.contracts import Check, Operation
from lemmata.conformance.isolation.executors import InProcess
from lemmata.conformance.journal import Journal
from lemmata.conformance.judging import Judge, Judgement
from lemmata.conformance.operations import find_operation
from lemmata.conformance.problems import Problem, Values
from lemmata.conformance.profiles import Precision, default_profiles
from lemmata.conformance.runner import conform
from lemmata.conformance.search import Search
from lemmata.conformance.targets import Target, load_target
from torch.nn.functional import scaled_dot_product_attention as sdpa

TARGETS = "lemmata.tests.conformance.targets"


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, int]]:
    """The cases that are judged, each with the number of checks that it is held against."""
    found: list[tuple[Any, int]] = []
    judge = Judge.judge

    def noted(self: Judge, case: Any, checks: Sequence[Check], *rest: Any, **more: Any) -> Judgement:
        found.append((case, len(checks)))
        return judge(self, case, checks, *rest, **more)

    monkeypatch.setattr(Judge, "judge", noted)
    return found


def searched(
    operation: str | Operation,
    target: str | Target,
    examples: int = 60,
    seed: int = 0,
    dtype: str = "float32",
    checks: Sequence[Check] | None = None,
) -> Search:
    """A search that has been run, with all checks unless some are named."""
    contract = find_operation(operation) if isinstance(operation, str) else operation
    function = load_target(f"{TARGETS}.{target}") if isinstance(target, str) else target
    judge = Judge(contract, InProcess(function), dtype, "cpu", default_profiles(dtype, "cpu"))
    search = Search(judge, COMMON_CHECKS + contract.laws if checks is None else checks)
    search.run(examples, seed, None)
    return search


def smallest(search: Search, check: str) -> AttentionCase | RowCase:
    """The case in which a check failed."""
    failure = search.tallies[check].failure
    assert failure is not None
    case: AttentionCase | RowCase = failure.trial.case
    return case


def test_a_failing_case_is_shrunk_to_a_few_numbers() -> None:
    case = smallest(searched("attention", "attention_faults:delta_dropped"), "gradient")
    assert isinstance(case, AttentionCase)
    assert case.batch * case.kv_heads * case.group * case.queries * case.keys * case.head_dim <= 8
    assert case.layouts == ("contiguous",) * 3
    assert case.mask == "none"
    assert not case.causal


def test_a_shrunk_case_keeps_what_the_fault_needs() -> None:
    case = smallest(searched("attention", "attention_faults:grouped_heads_by_remainder", 120), "forward")
    assert isinstance(case, AttentionCase)
    assert case.group > 1
    assert case.kv_heads > 1


def test_a_stride_fault_shrinks_to_one_layout() -> None:
    case = smallest(searched("softmax", "softmax_faults:input_read_as_contiguous", 120), "forward")
    assert isinstance(case, RowCase)
    assert case.layout != "contiguous"
    assert case.cotangent_layout == "contiguous"


def test_a_check_that_failed_is_set_aside_and_the_others_see_every_case() -> None:
    search = searched("softmax", "softmax_faults:gradient_of_a_constant_cotangent", 80)
    assert search.done == 80
    assert search.tallies["gradient"].failure is not None
    assert search.tallies["gradient"].cases < 80
    for name in ("forward", "deterministic", "output fully written"):
        assert search.tallies[name].failure is None
        assert search.tallies[name].cases >= 79  # the case that failed may stop before the later checks


def test_a_run_may_end_at_the_first_failure() -> None:
    target = f"{TARGETS}.attention_faults:delta_dropped"
    verdict = conform("attention", target, dtypes=["float32"], examples=400, fail_fast=True)
    assert verdict.acceptance["float32"].accepted < 100
    assert {check.name for check in verdict.checks if check.status == "failed"} >= {"gradient"}
    warned = f"{TARGETS}.attention_kernels:correct"
    assert (
        conform("attention", warned, dtypes=["float32"], examples=70, fail_fast=True).acceptance["float32"].accepted
        == 70
    )


def test_the_search_ends_when_every_check_has_failed() -> None:
    def nothing(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
        raise RuntimeError("nothing works")

    search = searched("softmax", nothing, 50)
    assert search.tallies["forward"].failure is not None
    assert search.done == 50


@pytest.mark.parametrize("target", ["attention_kernels:correct", "attention_faults:scale_of_padded_head_dim"])
def test_the_same_seed_gives_the_same_result(target: str) -> None:
    one, two = (searched("attention", target, seed=3) for _ in range(2))
    for name, tally in one.tallies.items():
        other = two.tallies[name]
        assert (tally.cases, tally.worst, tally.elements) == (other.cases, other.worst, other.elements)
        if tally.failure is None:
            assert other.failure is None
        else:
            assert other.failure is not None
            assert tally.failure.trial.case == other.failure.trial.case


def test_another_seed_gives_other_cases() -> None:
    shares = {searched("softmax", "softmax_kernels:correct", seed=seed).tallies["forward"].worst for seed in range(3)}
    assert len(shares) == 3


def test_a_fault_that_comes_and_goes_is_kept_as_it_was_seen() -> None:
    search = searched("softmax", "softmax_faults:race")
    failure = search.tallies["deterministic"].failure or search.tallies["forward"].failure
    assert failure is not None
    assert failure.finding.failure


def test_the_tightest_profile_that_every_case_met_is_reported() -> None:
    def stored(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
        return torch.softmax(input, dim)

    assert conform("softmax", stored, dtypes=["bfloat16"], examples=100).profiles["bfloat16"].met == "eager"
    in_float32 = conform("softmax", f"{TARGETS}.softmax_kernels:correct", dtypes=["bfloat16"], examples=100)
    assert in_float32.profiles["bfloat16"].met == "fused"


def test_a_profile_that_was_asked_for_is_the_loosest_allowed() -> None:
    verdict = conform("softmax", "torch:softmax", dtypes=["bfloat16"], examples=200, profile="fused")
    assert not verdict.conforms
    assert verdict.profiles["bfloat16"].held_to == "fused"
    assert verdict.profiles["bfloat16"].met is None


def test_further_cases_are_drawn_until_every_check_has_one() -> None:
    """Whatever the first case is, it is not for every check: fully masked rows, for one, are in one case of eight."""
    for seed in range(3):
        search = searched("attention", "attention_kernels:eager", examples=1, seed=seed)
        assert search.done == 1
        assert all(tally.cases for tally in search.tallies.values() if tally.check.decides)


def test_further_cases_are_drawn_while_every_bound_is_infinite() -> None:
    """A check whose cases all overflow has been held against nothing yet."""
    contract = find_operation("softmax")

    def unbounded(problem: Problem, precision: Precision) -> Values:
        bound = contract.bound(problem, precision)
        if problem.arrays["input"].size > 2:
            return bound
        return Values({"output": np.full_like(bound.outputs["output"], np.inf)}, bound.gradients)

    search = searched(replace(contract, bound=unbounded), torch.softmax, examples=1, checks=COMMON_CHECKS[:1])
    assert search.done == 1
    forward = search.tallies["forward"]
    assert forward.cases > 1
    assert forward.elements > forward.vacuous > 0


def test_a_fault_shows_in_a_further_case() -> None:
    """What fails there is made small, and held against the other checks, as everywhere."""
    search = searched("attention", "attention_faults:causal_one_key_ahead", examples=1, seed=1)
    assert search.done == 1
    found = smallest(search, "forward")
    assert isinstance(found, AttentionCase)
    assert found.causal
    assert (found.queries, found.keys) == (1, 2)
    assert (found.cotangent, found.cotangent_layout) == ("integers", "contiguous")


def test_a_further_case_is_held_against_every_check() -> None:
    """No law has anything to say of a call that raises."""

    def without_masks(*arguments: Any, **keywords: Any) -> torch.Tensor:
        if keywords.get("attn_mask") is not None:
            raise RuntimeError("illegal instruction")
        return sdpa(*arguments, **keywords)

    for seed in range(3):
        failure = searched("attention", without_masks, examples=1, seed=seed).tallies["forward"].failure
        assert failure is not None
        assert "illegal instruction" in (failure.finding.failure or "")


def test_further_cases_are_bounded_and_count_as_none(
    judged: list[tuple[Any, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def for_inference(input: torch.Tensor, dim: int = -1) -> torch.Tensor:
        if input.requires_grad:
            raise NotImplementedError("there is no backward")
        return torch.softmax(input, dim)

    counts = []
    for further in (0, 7):
        monkeypatch.setattr("lemmata.conformance.search._FURTHER", further)
        search = searched("softmax", for_inference, examples=5)
        counts.append((search.done, search.refused, len(judged)))
        judged.clear()
    (done, refused, before), after = counts
    assert after == (done, refused, before + 7)
    assert done == 5


def test_no_further_case_is_drawn_once_time_is_up() -> None:
    """And the run is not said to have been stopped: the cases that were asked for have been run."""

    class Late(Journal):
        @property
        def spent(self) -> float:
            return float(sum(tally.cases for tally in search.tallies.values() if tally.check.name == "forward"))

    contract = find_operation("attention")
    judge = Judge(contract, InProcess(sdpa), "float32", "cpu", default_profiles("float32", "cpu"))
    search = Search(judge, COMMON_CHECKS + contract.laws, Late())
    search.run(1, 2, None, until=1.5)
    assert (search.done, search.out_of_time) == (1, False)
    assert search.tallies["forward"].cases == 2
    assert search.tallies["causal"].cases == 0


def test_a_run_begins_with_simple_cases(judged: list[tuple[Any, int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lemmata.conformance.search._FURTHER", 0)
    assert searched("attention", sdpa, examples=60).done == 60
    seen = [case for case, checks in judged if checks > 1]  # else a case is made smaller
    apart = [sum(getattr(case, f.name) != f.default for f in fields(case)) for case in seen]
    assert 0 == apart[0] < max(apart[:6])
    assert 6 * sum(apart[-20:]) > 1.5 * 20 * sum(apart[:6])


def test_a_strategy_without_simple_cases_is_searched() -> None:
    contract = find_operation("softmax")
    large = replace(contract, cases=lambda: contract.cases().filter(lambda case: len(case.shape) == 4 and case.dim > 0))
    assert searched(large, torch.softmax, examples=20).done == 20


@pytest.mark.parametrize("examples", [1, 9, 10, 19, 20, 25])
def test_no_case_is_drawn_twice(examples: int, judged: list[tuple[Any, int]]) -> None:
    search = searched(
        "softmax", torch.softmax, examples, checks=[check for check in COMMON_CHECKS if check.name == "forward"]
    )
    # The simplest case begins each of the two searches that there are from two simple cases on.
    assert search.done == len(judged) == len({case for case, _ in judged}) + (examples >= 20)


def test_progress_counts_accepted_cases() -> None:
    seen: list[tuple[str, int, int]] = []
    report: Callable[[str, int, int], None] = lambda *now: seen.append(now)  # noqa: E731 - the type is what is tested
    conform("softmax", "torch:softmax", dtypes=["float64"], examples=7, progress=report)
    assert seen == [("float64", done, 7) for done in range(1, 8)]
