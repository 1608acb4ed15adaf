"""What the cases are made of: representable numbers, layouts that change no values, surroundings of NaN."""

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lemmata.conformance import draws
from lemmata.conformance.attention import ATTENTION, build
from lemmata.conformance.cases import AttentionCase, RowCase, attention_cases, case_code, row_cases
from lemmata.conformance.layouts import DRAWN, constant_along_first_axis
from lemmata.conformance.problems import DTYPES, AnyArray, array, laid_out, tensor
from lemmata.conformance.rowwise import LOGSUMEXP, SOFTMAX
from lemmata.conformance.runner import DEFAULT_EXAMPLES
from lemmata.conformance.values import COTANGENTS, REGIMES, Regime, representable

SHAPES = [(), (0,), (5,), (3, 4), (2, 3, 4, 5), (1, 2, 0, 3)]
REGIMES_AND_COTANGENTS = [
    pytest.param(regime, id=f"{kind} {name}")
    for kind, regimes in (("input", REGIMES), ("cotangent", COTANGENTS))
    for name, regime in regimes.items()
]
settings = hypothesis.settings(max_examples=150, database=None, deadline=None, derandomize=True)


def numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Normal numbers of a shape."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("dtype", DTYPES.values(), ids=str)
@pytest.mark.parametrize("regime", REGIMES_AND_COTANGENTS)
def test_every_value_is_a_finite_number_of_the_dtype(regime: Regime, dtype: torch.dtype) -> None:
    for shape in [(0, 3), (7,), (4, 9)]:
        x = representable(regime(np.random.default_rng(1), shape), dtype)
        assert x.shape == shape
        assert np.isfinite(x).all()
        assert np.array_equal(array(torch.from_numpy(x).to(dtype)), x)


def test_rounding_to_a_dtype_keeps_infinities_and_saturates_finite_numbers() -> None:
    x = representable(np.array([np.inf, -np.inf, 1e9, -1e9]), torch.float16)
    assert x.tolist() == [np.inf, -np.inf, 65504.0, -65504.0]


@pytest.mark.parametrize("layout", DRAWN)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.bool], ids=str)
def test_a_layout_changes_no_value(layout: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x: AnyArray = laid_out(numbers(shape), layout, torch.float64 if dtype == torch.bool else dtype)
    if dtype == torch.bool:
        x = x > 0
    made = tensor(x, layout, dtype, "cpu")
    assert made.shape == shape
    assert made.dtype == dtype
    assert np.array_equal(array(made), x.astype(np.float64))


@pytest.mark.parametrize(
    ("layout", "strides"),
    [
        ("contiguous", (60, 20, 5, 1)),
        ("transposed", (60, 20, 1, 4)),
        ("heads last", (60, 5, 15, 1)),
        ("fused", (180, 60, 15, 1)),
        ("offset", (60, 20, 5, 1)),
        ("expanded", (0, 20, 5, 1)),
    ],
)
def test_a_layout_has_its_strides(layout: str, strides: tuple[int, ...]) -> None:
    assert tensor(constant_along_first_axis(numbers((2, 3, 4, 5))), layout, torch.float64, "cpu").stride() == strides


@pytest.mark.parametrize("layout", ["fused", "offset"])
def test_the_surroundings_of_a_view_are_nan(layout: str) -> None:
    made = tensor(numbers((3, 4)), layout, torch.float32, "cpu")
    stored = made.as_strided((made.untyped_storage().nbytes() // 4,), (1,), 0)
    assert int(torch.isnan(stored).sum()) == stored.numel() - made.numel() > 0
    assert made.storage_offset() % 2 or layout == "fused"


def test_every_tensor_has_memory_of_its_own() -> None:
    x = numbers((3,))
    made = tensor(x, "contiguous", torch.float64, "cpu")
    made.zero_()
    assert (x != 0).all()


def construct(code: str) -> object:
    """The case that a line of code makes."""
    scope = {"AttentionCase": AttentionCase, "RowCase": RowCase}
    exec(f"case = {code}", scope)
    return scope["case"]


@settings
@given(attention_cases())
def test_a_case_of_attention_is_its_code_and_makes_a_call_of_the_right_shapes(case: AttentionCase) -> None:
    assert construct(case_code(case)) == case
    problem = build(case, torch.float16)
    heads = case.kv_heads * case.group
    assert problem.cotangent.shape == (case.batch, heads, case.queries, case.value_dim)
    assert not (case.causal and "attn_mask" in problem.arrays)
    for x in (*problem.arrays.values(), problem.cotangent):
        assert not np.isnan(x.astype(np.float64)).any()
    if "attn_mask" in problem.arrays:
        np.broadcast_to(problem.arrays["attn_mask"], (case.batch, heads, case.queries, case.keys))
    assert ATTENTION.reference(problem).output.shape == problem.cotangent.shape


@settings
@given(row_cases(), st.sampled_from([SOFTMAX, LOGSUMEXP]))
def test_a_case_along_an_axis_is_its_code_and_has_a_reference(case: RowCase, operation) -> None:  # type: ignore[no-untyped-def] # a contract
    assert construct(case_code(case)) == case
    if operation is LOGSUMEXP and 0 in case.shape:
        return
    problem = operation.build(case, torch.float32)
    values = operation.reference(problem)
    assert values.output.shape == problem.cotangent.shape
    for name in problem.requires_grad:
        assert values.gradients[name].shape == problem.arrays[name].shape


def test_the_same_case_is_the_same_numbers() -> None:
    case = AttentionCase(queries=3, keys=4, head_dim=5, mask="additive", values=("normal", "huge", "spike"), seed=7)
    one, two = (build(case, torch.bfloat16) for _ in range(2))
    for name, x in one.arrays.items():
        assert np.array_equal(x, two.arrays[name])
    assert not np.array_equal(one.arrays["query"], build(replace_seed(case), torch.bfloat16).arrays["query"])


def replace_seed(case: AttentionCase) -> AttentionCase:
    """The same case with other numbers."""
    from dataclasses import replace

    return replace(case, seed=case.seed + 1)


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("mask", {"none", "boolean", "additive", "additive with -inf"}),
        ("causal", {True, False}),
        ("group", {1, 2, 3, 4, 8}),
        ("batch", {1, 2, 3, 5}),
        ("scale", {None, 1.0, 0.5, 0.125, 0.3, 2.0, 0.25, 0.7}),
        ("queries", {0, 1, 2, 16, 17, 65, 128, 129, 257, 516, 1024}),
        ("keys", {0, 1, 2, 16, 17, 65, 128, 129, 257, 516, 1024, 1025}),
        ("head_dim", {1, 8, 16, 17, 64, 72, 96, 128, 256}),
        ("mask_layout", set(DRAWN)),
        ("cotangent_layout", set(DRAWN)),
        ("cotangent", set(COTANGENTS)),
        ("mask_pattern", {"random", "padding", "some rows", "all"}),
    ],
)
def test_the_default_number_of_cases_draws_every_kind(field: str, wanted: set[object], drawn) -> None:  # type: ignore[no-untyped-def] # the fixture below
    assert wanted <= {getattr(case, field) for case in drawn}


@pytest.fixture(scope="module")
def drawn() -> list[AttentionCase]:
    """Cases as a run draws them."""
    return draws.drawn(attention_cases(), draws.drawing(DEFAULT_EXAMPLES, shrink=False), 0)
