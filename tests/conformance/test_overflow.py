"""Scores that overflow behind a mask of −∞: nothing is said of what depends on them, and of nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lemmata.conformance.attention import ATTENTION, build
from lemmata.conformance.cases import AttentionCase
from lemmata.conformance.checks import checks_of
from lemmata.conformance.isolation.executors import InProcess
from lemmata.conformance.judging import Judge
from lemmata.conformance.overflow import spoiled_rows
from lemmata.conformance.problems import Problem
from lemmata.conformance.profiles import default_profiles, find_profile

EAGER = find_profile("eager", "float16", "cpu").precision
FUSED = find_profile("fused", "float16", "cpu").precision
# In the first row of the first head the score of the masked key is 300·300 = 90,000, which float16 does not hold.
MASK = np.array([[0.0, -np.inf], [0.0, 0.0]])


def problem(mask: np.ndarray) -> Problem:
    """Two heads, each with two queries and two keys of one feature."""
    case = AttentionCase(
        kv_heads=2, queries=2, keys=2, mask="additive with -inf", requires_grad=("query", "key", "value", "attn_mask")
    )
    query = np.array([[[300.0], [1.0]], [[1.0], [1.0]]])[None]
    key = np.array([[[1.0], [300.0]], [[1.0], [1.0]]])[None]
    return build(replace(case, mask_span="qk"), torch.float16).with_arrays(query=query, key=key, attn_mask=mask)


def test_the_row_of_an_overflowing_score_is_found() -> None:
    rows = spoiled_rows(problem(MASK), EAGER)
    assert rows is not None
    assert rows.tolist() == [[[True, False], [False, False]]]


@pytest.mark.parametrize(
    ("mask", "precision"),
    [(MASK, FUSED), (np.isfinite(MASK), EAGER), (np.zeros((2, 2)), EAGER), (MASK.T, EAGER)],
    ids=["scores in float32", "boolean mask", "no -inf", "another key"],
)
def test_no_other_row_is(mask: np.ndarray, precision: object) -> None:
    found = spoiled_rows(problem(mask), EAGER if precision is EAGER else FUSED)
    assert found is None


def test_nothing_is_said_of_what_depends_on_the_row_and_of_nothing_else() -> None:
    bound = ATTENTION.bound(problem(MASK), EAGER)
    assert np.isinf(bound.output[0, 0, 0]).all()
    assert np.isfinite(bound.output[0, 0, 1:]).all()
    assert np.isfinite(bound.output[0, 1]).all()
    assert np.isinf(bound.gradients["query"][0, 0, 0]).all()
    for name in ("key", "value"):
        assert np.isinf(bound.gradients[name][0, 0]).all()
        assert np.isfinite(bound.gradients[name][0, 1]).all()
    assert np.isinf(bound.gradients["attn_mask"]).all()


def test_nothing_is_said_without_keys_where_the_sum_of_the_inputs_may_overflow() -> None:
    """There PyTorch gives NaN in float16, and 0 everywhere else."""
    none = AttentionCase(queries=4, keys=0, values=("offset", "integers", "integers"))
    many = replace(none, batch=3, kv_heads=2, group=4, queries=17, head_dim=4, value_dim=4)
    for case, stated in ((none, True), (many, False)):
        problem = ATTENTION.build(case, torch.float16)
        for profile in default_profiles("float16", "cpu"):
            assert np.isfinite(ATTENTION.bound(problem, profile.precision).output).all() == stated


def test_nothing_is_said_without_keys_of_gradients_whose_cotangent_sums_to_more_than_the_format_holds() -> None:
    """65,536 ones: PyTorch's gradient is 0 times their sum."""
    large = AttentionCase(batch=2, kv_heads=2, group=2, queries=128, keys=0, head_dim=64, value_dim=64)
    case = replace(large, values=("small", "integers", "integers"), cotangent="ones")
    for cotangent, stated in (("ones", False), ("zeros", True)):
        problem = ATTENTION.build(replace(case, cotangent=cotangent), torch.float16)
        for profile in default_profiles("float16", "cpu"):
            bound = ATTENTION.bound(problem, profile.precision)
            assert np.isfinite(bound.output).all()
            assert np.isfinite(bound.gradients["query"]).all() == stated
    judge = Judge(
        ATTENTION,
        InProcess(torch.nn.functional.scaled_dot_product_attention),
        "float16",
        "cpu",
        default_profiles("float16", "cpu"),
    )
    checks = [check for check in checks_of(ATTENTION) if check.name in ("gradient", "fully masked rows are 0")]
    for judged in judge.judge(case, checks, 0).judged:
        assert judged.finding is None or judged.finding.failure is None
