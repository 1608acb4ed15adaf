"""A search for inputs at which an evaluation leaves its bound: Hypothesis climbs towards the largest error / bound.

float64 is held to mpmath. In the narrower formats the same reference function runs on torch tensors of the dtype, which
round every operation to it, and is held to the reference in float64. 5,000 examples in all; LEMMATA_SOAK multiplies
their number.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st
from lemmata.tests.reference import oracle
from lemmata.tests.reference.evaluate import (
    ATTENTION_OPERATIONS,
    ROW_OPERATIONS,
    Results,
    attention_bounds,
    attention_exact,
    attention_results,
    row_bounds,
    row_exact,
    row_results,
    worst_share,
)
from lemmata.tests.reference.formats import BFLOAT16, FLOAT16, FLOAT32, Precision
from lemmata.tests.reference.problems import AttentionProblem, RowProblem

Array = Any
SOAK = int(os.environ.get("LEMMATA_SOAK", "1"))
EXAMPLES = {"rows exact": 300, "rows narrow": 200, "attention exact": 400, "attention narrow": 250}
# 3 operations exact, 3 × 3 narrow, 2 attentions exact, 2 × 3 narrow.
assert (
    3 * EXAMPLES["rows exact"]
    + 9 * EXAMPLES["rows narrow"]
    + 2 * EXAMPLES["attention exact"]
    + (6 * EXAMPLES["attention narrow"])
    == 5000
)
# The largest power of ten that inputs are scaled by: at the upper end scores overflow float16 and saturate softmax.
LARGEST_SCALE, SMALLEST_SCALE = 3, -6
NARROW = {
    "float32": (torch.float32, FLOAT32),
    "bfloat16": (torch.bfloat16, BFLOAT16),
    "float16": (torch.float16, FLOAT16),
}
DTYPE = pytest.mark.parametrize("dtype", NARROW)


def searching(kind: str) -> Callable[[Any], Any]:
    """The settings of one search: reproducible, without a clock."""
    return settings(
        max_examples=EXAMPLES[kind] * SOAK,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )


@st.composite
def arrays(draw: st.DrawFn, *shape: int) -> Array:
    """Numbers in [−1, 1] times one power of ten, plus one offset: a spike, a large mean and constant rows are near."""
    size = int(np.prod(shape))
    units = draw(st.lists(st.floats(-1, 1, width=32), min_size=size, max_size=size))
    scale = 10.0 ** draw(st.integers(SMALLEST_SCALE, LARGEST_SCALE))
    offset = draw(st.sampled_from((0.0, 0.0, 1.0, -100.0)))
    return np.array(units).reshape(shape) * scale + offset


@st.composite
def row_problems(draw: st.DrawFn) -> RowProblem:
    n = draw(st.integers(1, 6))
    return RowProblem(draw(arrays(1, n)), draw(arrays(1, n)), draw(arrays(1)))


@st.composite
def attention_problems(draw: st.DrawFn) -> AttentionProblem:
    r, n, m, d, d_v = (draw(st.integers(1, largest)) for largest in (2, 3, 4, 3, 2))
    inputs = {"q": draw(arrays(r, n, d)), "k": draw(arrays(m, d)), "v": draw(arrays(m, d_v))}
    tangents = {f"t{name}": x[..., ::-1].copy() for name, x in inputs.items()}
    if draw(st.booleans()):
        keep = draw(st.lists(st.booleans(), min_size=r * n * m, max_size=r * n * m))
        inputs["keep"] = np.array(keep).reshape(r, n, m)
    if draw(st.booleans()):
        inputs["bias"] = draw(arrays(r, n, m))
        tangents["tbias"] = inputs["bias"][..., ::-1].copy()
    cotangents = {"do": draw(arrays(r, n, d_v))}
    if draw(st.booleans()):
        cotangents["dlse"] = draw(arrays(r, n))
    return AttentionProblem(inputs, cotangents, tangents, draw(st.sampled_from((1.0, 20.0))))


class Tally:
    """How many elements the bounds said something about."""

    def __init__(self) -> None:
        self.stated = self.elements = 0
        self.worst = 0.0

    def hold(self, errors: Results, bounds: Results) -> None:
        """Climbs towards the largest share, which must stay at most 1."""
        worst, stated = worst_share(errors, bounds)
        self.stated += stated
        self.elements += sum(np.size(x) for x in errors.values())
        self.worst = max(self.worst, worst)
        target(min(worst, 2.0))
        assert worst <= 1.0, f"{worst} times the bound"

    def check(self) -> None:
        """A search in which the bound mostly says nothing, or in which nothing is ever off, shows nothing."""
        assert self.stated > self.elements / 2
        assert 0 < self.worst <= 1


def distances(results: Results, exact: Results) -> Results:
    return {name: oracle.distance(np.asarray(x), exact[name]) for name, x in results.items()}


@pytest.mark.parametrize("operation", ROW_OPERATIONS)
def test_rows_in_float64(operation: str) -> None:
    tally = Tally()

    @searching("rows exact")
    @given(row_problems())
    def search(problem: RowProblem) -> None:
        exact = row_exact(operation, problem)
        tally.hold(distances(row_results(operation, problem), exact), row_bounds(operation, problem))

    search()
    tally.check()


@pytest.mark.parametrize("operation", ATTENTION_OPERATIONS)
def test_attention_in_float64(operation: str) -> None:
    tally = Tally()

    @searching("attention exact")
    @given(attention_problems())
    def search(problem: AttentionProblem) -> None:
        exact = attention_exact(operation, problem)
        tally.hold(distances(attention_results(operation, problem), exact), attention_bounds(operation, problem))

    search()
    tally.check()


def rounded(x: Array, dtype: torch.dtype) -> Array:
    """The nearest numbers of a dtype that are finite, as float64."""
    if x.dtype == np.bool_:
        return x
    limit = torch.finfo(dtype).max
    return torch.from_numpy(np.clip(x, -limit, limit)).to(dtype).double().numpy()


def narrow(dtype: torch.dtype) -> Callable[[Any], Any]:
    """A conversion to torch tensors of a dtype; masks stay boolean."""

    def convert(x: Array) -> torch.Tensor:
        made = torch.from_numpy(np.ascontiguousarray(x))
        return made if x.dtype == np.bool_ else made.to(dtype)

    return convert


def compared(results: Results, exact: Results) -> Results:
    """|x − exact| in float64, 0 where both are the same infinity and NaN where only one is finite."""
    errors: Results = {}
    for name, x in results.items():
        a, b = x.double().numpy(), exact[name]
        with np.errstate(invalid="ignore"):
            errors[name] = np.where(a == b, 0.0, np.where(np.isfinite(a) & np.isfinite(b), abs(a - b), np.nan))
    return errors


@DTYPE
@pytest.mark.parametrize("operation", ROW_OPERATIONS)
def test_rows_in_a_narrow_format(operation: str, dtype: str) -> None:
    tally = Tally()
    made, form = NARROW[dtype]
    precision: Precision = {"compute": form}

    @searching("rows narrow")
    @given(row_problems())
    def search(drawn: RowProblem) -> None:
        problem = RowProblem(*(rounded(x, made) for x in (drawn.x, drawn.cotangent, drawn.row_cotangent)))
        results = row_results(operation, problem, narrow(made))
        errors = compared(results, row_results(operation, problem))
        tally.hold(errors, row_bounds(operation, problem, precision=precision))

    search()
    tally.check()


@DTYPE
@pytest.mark.parametrize("operation", ATTENTION_OPERATIONS)
def test_attention_in_a_narrow_format(operation: str, dtype: str) -> None:
    tally = Tally()
    made, form = NARROW[dtype]
    precision: Precision = {"compute": form}

    @searching("attention narrow")
    @given(attention_problems())
    def search(drawn: AttentionProblem) -> None:
        inputs, cotangents, tangents = (
            {name: rounded(x, made) for name, x in part.items()}
            for part in (drawn.inputs, drawn.cotangents, drawn.tangents)
        )
        problem = AttentionProblem(inputs, cotangents, tangents, drawn.cap)
        results = attention_results(operation, problem, narrow(made))
        errors = compared(results, attention_results(operation, problem))
        tally.hold(errors, attention_bounds(operation, problem, precision=precision))

    search()
    tally.check()
