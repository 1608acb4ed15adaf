"""Profiles: formats as IEEE 754 has them, ladders that nest, bounds that only grow from rung to rung."""

from itertools import pairwise

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import given
from lemmata.conformance.attention import ATTENTION
from lemmata.conformance.cases import AttentionCase, RowCase, attention_cases, row_cases
from lemmata.conformance.contracts import Operation
from lemmata.conformance.problems import DTYPES, Values
from lemmata.conformance.profiles import FORMATS, TF32, Format, default_profiles, find_profile
from lemmata.conformance.rowwise import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX
from lemmata.conformance.runner import conform
from lemmata.conformance.targets import UsageError

settings = hypothesis.settings(max_examples=60, database=None, deadline=None, derandomize=True)
HALF = ["bfloat16", "float16"]


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_is_that_of_its_dtype(name: str) -> None:
    info, form = torch.finfo(DTYPES[name]), FORMATS[name]
    assert info.max == form.largest
    assert info.eps == 2.0 ** (1 - form.significand)
    assert info.tiny == 2.0**form.least_exponent


def test_tf32_has_the_range_of_float32_and_the_precision_of_float16() -> None:
    assert TF32.least_exponent == FORMATS["float32"].least_exponent
    assert TF32.significand == FORMATS["float16"].significand


def coarser(a: Format, b: Format) -> bool:
    """Whether rounding to `a` loses at least as much as rounding to `b`."""
    return a.significand <= b.significand and a.least_exponent >= b.least_exponent and a.largest <= b.largest


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_rung_allows_what_the_one_below_allows(dtype: str, device: str) -> None:
    ladder = default_profiles(dtype, device)
    for tight, loose in pairwise(ladder):
        for name, form in tight.precision.items():
            assert coarser(loose.precision[name], form), (tight.name, loose.name, name)


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision_has_a_rung_for_gradients_added_up_in_the_dtype(dtype: str) -> None:
    names = [profile.name for profile in default_profiles(dtype, "cpu")]
    assert names == ["fused", "split", "eager"]
    added = set(find_profile("split", dtype, "cpu").precision) - set(find_profile("fused", dtype, "cpu").precision)
    assert added == {"dq_partial", "dk_partial", "dv_partial"}


def assert_bounds_nest(operation: Operation, case: AttentionCase | RowCase, dtype: str) -> None:
    problem = operation.build(case, DTYPES[dtype])
    bounds = [operation.bound(problem, profile.precision) for profile in default_profiles(dtype, "cpu")]
    for tight, loose in pairwise(bounds):
        for smaller, larger in zip(flat(tight), flat(loose), strict=True):
            # A rung may be tighter by no more than the rounding of the bound itself.
            assert (known(smaller) <= known(larger) * (1 + 2.0**-40)).all()


def known(bound: np.ndarray) -> np.ndarray:
    """A bound; infinite where the analysis has no number."""
    return np.where(np.isnan(bound), np.inf, bound)


def flat(values: Values) -> list[np.ndarray]:
    """Output and gradients."""
    return [values.output, *values.gradients.values()]


@pytest.mark.parametrize("dtype", HALF)
@settings
@given(case=attention_cases())
def test_the_bounds_of_attention_nest(dtype: str, case: AttentionCase) -> None:
    assert_bounds_nest(ATTENTION, case, dtype)


@pytest.mark.parametrize("operation", [SOFTMAX, LOG_SOFTMAX, LOGSUMEXP], ids=lambda operation: operation.name)
@pytest.mark.parametrize("dtype", HALF)
@settings
@given(case=row_cases(empty_rows=False))
def test_the_bounds_along_an_axis_nest(operation: Operation, dtype: str, case: RowCase) -> None:
    assert_bounds_nest(operation, case, dtype)


def test_a_profile_that_a_dtype_does_not_have_is_a_mistake_of_the_user() -> None:
    with pytest.raises(UsageError, match="profile 'eager' is not one of float32: fp32"):
        find_profile("eager", "float32", "cpu")


def half(x: np.ndarray) -> np.ndarray:
    """Rounded to float16."""
    return np.asarray(x, dtype=np.float16).astype(np.float64)


def test_eager_attention_may_store_what_it_scales_before_a_product() -> None:
    """Found in `transformers`: scale·dS falls below the subnormal numbers of float16 before it meets the queries."""
    case = AttentionCase(
        queries=13,
        keys=33,
        head_dim=5,
        value_dim=5,
        causal=True,
        values=("large", "integers", "small"),
        cotangent="normal",
        seed=16,
    )
    problem = ATTENTION.build(case, torch.float16)
    q, k, v = (problem.arrays[name][0, 0] for name in ("query", "key", "value"))
    scale, keep = 5**-0.5, np.tril(np.ones((13, 33), dtype=bool))
    s = np.where(keep, half(scale * half(q @ k.T)), -np.inf)
    a = np.exp(s - s.max(-1, keepdims=True))
    p = half(a / a.sum(-1, keepdims=True))
    dp = half(problem.cotangent[0, 0] @ v.T)
    ds = half(p * (dp - (p * dp).sum(-1, keepdims=True)))
    off = abs(half(half(scale * ds).T @ q) - ATTENTION.reference(problem).gradients["key"][0, 0])
    eager = dict(find_profile("eager", "float16", "cpu").precision)
    assert (off <= ATTENTION.bound(problem, eager).gradients["key"][0, 0]).all()
    del eager["scaled"]
    assert np.argwhere(off > ATTENTION.bound(problem, eager).gradients["key"][0, 0]).tolist() == [[9, 1], [9, 2]]


def test_what_only_warns_does_not_decide_the_profile() -> None:
    target = "torch.nn.functional:scaled_dot_product_attention"
    verdict = conform(
        "attention", target, dtypes=["float32"], examples=60, only=["forward", "masked NaN does not leak"]
    )
    assert [check.status for check in verdict.checks] == ["passed", "warning"]
    assert verdict.profiles["float32"].met == "fp32"


def test_a_masked_nan_that_only_changes_the_rounding_does_not_leak() -> None:
    target = "lemmata.gpu.attention:scaled_dot_product_attention"
    (check,) = conform("attention", target, dtypes=["float64"], examples=120, only=["masked NaN does not leak"]).checks
    assert check.status == "passed"
