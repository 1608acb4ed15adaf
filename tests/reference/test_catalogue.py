"""Every operation of the catalogue: functions and bounds against its definitions at 50 digits, as soon as it is there.

The oracle is `derivations.calculus.evaluate` on the derived programs; it shares nothing with the generator. No
tolerance but the generated bounds is used.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch
from lemmata.derivations import catalogue
from lemmata.derivations.calculus.operation import Operation
from lemmata.tests.reference import oracle
from lemmata.tests.reference.catalogue_problems import (
    KINDS,
    CatalogueProblem,
    arguments,
    bounds,
    catalogue_problem,
    exact,
    named,
    results,
)
from lemmata.tests.reference.evaluate import worst_share
from lemmata.tests.reference.formats import FLOAT32, IN_FLOAT64
from lemmata.tests.reference.functions import bound_of, function

Array = Any
OPERATIONS = {
    op.name: op
    for topic in catalogue.TOPICS
    for op in catalogue.topic(topic).operations
    if op.composition is None and op.differentiable  # what has no gradients is a count, and exact
}
KINDS_OF_FUNCTIONS = {"": "forward", "_vjp": "vjp", "_jvp": "jvp", "_hvp": "hvp"}
FUNCTION = pytest.mark.parametrize(
    ("operation", "kind"),
    [
        pytest.param(op, kind, id=f"{op.name}-{shown}")
        for op in OPERATIONS.values()
        for kind, shown in KINDS_OF_FUNCTIONS.items()
        if kind != "_hvp" or op.second_order
    ],
)
SEEDS = range(2 * len(KINDS))
# An error of one part in a million of the largest result is seen: what a bound must be able to tell in float64.
FAULT = 1e-6


def errors(problem: CatalogueProblem, kind: str, found: dict[Any, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """|result − exact| and the exact results; 0 where the definition has no value, which is left out."""
    values = exact(problem, kind)
    apart = {}
    for tensor, x in found.items():
        undefined = np.array([not np.isfinite(float(v)) for v in values[tensor].flat]).reshape(np.shape(values[tensor]))
        apart[tensor.name] = np.where(undefined, 0.0, oracle.distance(x, values[tensor]))
    return apart, {t.name: values[t] for t in found}


@FUNCTION
@pytest.mark.parametrize("batch", [(), (2,)], ids=["one", "batch"])
def test_results_are_within_their_bounds_of_the_definitions(
    operation: Operation, kind: str, batch: tuple[int, ...]
) -> None:
    stated = 0
    for seed in SEEDS:
        problem = catalogue_problem(operation, seed, batch=batch)
        found, allowed = results(problem, kind), bounds(problem, kind, IN_FLOAT64)
        assert found.keys() == allowed.keys()
        apart, _ = errors(problem, kind, found)
        worst, finite = worst_share(apart, {t.name: x for t, x in allowed.items()})
        assert worst <= 1.0, f"seed {seed}: {worst} times the bound"
        stated += finite
    assert stated > 0


def single(x: Any) -> Any:
    return x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x


def as_singles(problem: CatalogueProblem) -> CatalogueProblem:
    """The same problem with numbers that float32 holds."""

    def rounded(part: dict[Any, Any]) -> dict[Any, Any]:
        return {t: float(np.float32(x)) if isinstance(x, float) else x for t, x in part.items()} | {
            t: single(x).astype(np.float64)
            for t, x in part.items()
            if isinstance(x, np.ndarray) and x.dtype == np.float64
        }

    parts = (rounded(problem.inputs), rounded(problem.cotangents), rounded(problem.tangents))
    return CatalogueProblem(problem.operation, problem.sizes, problem.batch, *parts, problem.interleaved)


def of_arrays(kinds: Sequence[str]) -> list[Any]:
    """The functions that take arrays, of these kinds."""
    return [
        pytest.param(op, kind, id=f"{op.name}-{KINDS_OF_FUNCTIONS[kind]}")
        for op in OPERATIONS.values()
        if any(t.dims for t in op.program.inputs)
        for kind in kinds
        if kind != "_hvp" or op.second_order
    ]


LIBRARIES: dict[str, tuple[Callable[[Array], Any], type]] = {
    "torch": (torch.from_numpy, torch.Tensor),
    "array_api_strict": (array_api_strict.asarray, type(array_api_strict.asarray(0.0))),
}


@pytest.mark.parametrize(("operation", "kind"), of_arrays(tuple(KINDS_OF_FUNCTIONS)))
@pytest.mark.parametrize("library", LIBRARIES)
def test_other_arrays_give_the_same(operation: Operation, kind: str, library: str) -> None:
    convert, expected = LIBRARIES[library]

    def converted(x: Any) -> Any:
        return convert(x) if isinstance(x, np.ndarray) else x

    for seed in range(len(KINDS)):
        problem = catalogue_problem(operation, seed, batch=(2,) if seed % 2 else ())
        given = {name: converted(x) for name, x in arguments(problem, kind).items()}
        with np.errstate(all="ignore"):
            values = function(operation.name, kind)(**given)
            errors_there = bound_of(operation.name, kind)(**given, precision=IN_FLOAT64)
        for x in values if isinstance(values, tuple) else (values,):
            assert x is None or isinstance(x, expected)
        here, there = results(problem, kind), named(problem, kind, values)
        allowed, also = bounds(problem, kind, IN_FLOAT64), named(problem, kind, errors_there)
        for tensor, x in here.items():
            same = (x == there[tensor]) | (np.isnan(x) & np.isnan(there[tensor]))
            with np.errstate(invalid="ignore"):
                apart = np.where(same, 0.0, abs(x - there[tensor]))
            finite = np.isfinite(allowed[tensor])
            np.testing.assert_array_equal(finite, np.isfinite(also[tensor]))
            assert (apart <= 2 * np.asarray(allowed[tensor]))[finite].all(), f"seed {seed}: {tensor}"


@pytest.mark.parametrize(("operation", "kind"), of_arrays(tuple(KINDS_OF_FUNCTIONS)))
def test_float32_is_within_the_bounds_of_float32_and_stays_float32(operation: Operation, kind: str) -> None:
    stated = 0
    for seed in SEEDS:
        problem = as_singles(catalogue_problem(operation, seed, batch=(2,)))
        with np.errstate(all="ignore"):
            found = results(problem, kind, single)
        assert all(x.dtype == np.float32 for x in found.values())
        allowed = bounds(problem, kind, {"compute": FLOAT32})
        if "angles" in operation.conventions:
            continue  # they are formed in float64, which the reference is not that is given float32
        apart, _ = errors(problem, kind, found)
        worst, finite = worst_share(apart, {t.name: x for t, x in allowed.items()})
        assert worst <= 1.0, f"seed {seed}: {worst} times the bound"
        stated += finite
    assert stated > 0 or "angles" in operation.conventions


CHUNKED = [
    pytest.param(op, kind, id=f"{op.name}-{shown}")
    for op in OPERATIONS.values()
    for kind, shown in KINDS_OF_FUNCTIONS.items()
    if (kind != "_hvp" or op.second_order) and "chunk" in inspect.signature(function(op.name, kind)).parameters
]


@pytest.mark.parametrize(("operation", "kind"), CHUNKED)
def test_chunks_give_the_whole(operation: Operation, kind: str) -> None:
    for seed in range(2 * len(KINDS)):
        problem = catalogue_problem(operation, seed, batch=(2,) if seed % 2 else ())
        whole, parts = results(problem, kind), results(problem, kind, chunk=1 + seed % 2)
        allowed = bounds(problem, kind, IN_FLOAT64)
        assert whole.keys() == parts.keys()
        with np.errstate(invalid="ignore"):
            apart = {t.name: np.where(x == parts[t], 0.0, abs(x - parts[t])) for t, x in whole.items()}
        undefined = {t.name: np.isnan(x) & np.isnan(parts[t]) for t, x in whole.items()}
        shares = {name: np.where(undefined[name], 0.0, x) for name, x in apart.items()}
        worst, _ = worst_share(shares, {t.name: 2 * x for t, x in allowed.items()})
        assert worst <= 1.0, f"seed {seed}: {worst} times what two evaluations may be apart"


COMPOSABLE = [
    pytest.param(op, kind, id=f"{op.name}-{shown}")
    for op in OPERATIONS.values()
    if op.composable
    for kind, shown in (("", "forward"), ("_vjp", "vjp"), ("_jvp", "jvp"))
]


@pytest.mark.parametrize(("operation", "kind"), COMPOSABLE)
@pytest.mark.parametrize("relative", [1e-9, 1e-3])
def test_errors_of_the_inputs_are_carried_through(operation: Operation, kind: str, relative: float) -> None:
    """Results for arguments moved within their errors are within the bound; without errors the bound is as ever."""
    moved_out = 0
    for seed in range(2 * len(KINDS)):
        problem = catalogue_problem(operation, seed, batch=(2,) if seed % 2 else ())
        rng = np.random.default_rng(seed)
        given = arguments(problem, kind)
        arrays = {n: x for n, x in given.items() if isinstance(x, np.ndarray) and x.dtype == np.float64}
        allowed_errors = {n: relative * abs(x) * (rng.random() < 0.8) for n, x in arrays.items()}
        plain = bounds(problem, kind, IN_FLOAT64)
        carried = bounds(problem, kind, IN_FLOAT64, errors=allowed_errors)
        none = bounds(problem, kind, IN_FLOAT64, errors={})
        for tensor, x in plain.items():
            np.testing.assert_array_equal(none[tensor], x)
        still = results(problem, kind)
        for _ in range(4):
            changed = {n: x + allowed_errors[n] * rng.choice([-1.0, 0.5, 1.0], x.shape) for n, x in arrays.items()}
            with np.errstate(all="ignore"):
                values = function(operation.name, kind)(**(given | changed))
            found = named(problem, kind, values)
            for tensor, x in still.items():
                with np.errstate(invalid="ignore"):
                    apart = np.where(np.isfinite(x) & np.isfinite(found[tensor]), abs(found[tensor] - x), 0.0)
                bound = np.asarray(carried[tensor])
                assert (apart <= bound + np.asarray(plain[tensor]))[np.isfinite(bound)].all(), f"seed {seed}: {tensor}"
                moved_out += int((apart > 2 * np.asarray(plain[tensor])).sum())
    assert moved_out > 0, "the errors of the inputs do not matter"


@FUNCTION
def test_a_fault_in_the_sixth_digit_is_seen(operation: Operation, kind: str) -> None:
    """The bounds say something: the largest entry of each result, off by one part in a million, leaves its bound."""
    seen: dict[str, bool] = {}
    for seed in (*range(0, 8 * len(KINDS), len(KINDS)), *range(7, 8 * len(KINDS), len(KINDS))):  # normal, positive
        problem = catalogue_problem(operation, seed)
        found, allowed = results(problem, kind), bounds(problem, kind, IN_FLOAT64)
        for tensor, x in found.items():
            size, bound = np.abs(x).ravel(), np.asarray(allowed[tensor]).ravel()
            place = int(np.argmax(np.where(np.isfinite(size), size, -1.0)))
            seen[tensor.name] = seen.get(tensor.name, False) or bool(FAULT * size[place] > bound[place])
    assert all(seen.values()), seen
