"""The same functions on torch and on strict array-API arrays; batches, broadcasting, chunks, nothing at all."""

from collections.abc import Callable
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch
from lemmata.reference import attention as attention_reference
from lemmata.reference import softmax as softmax_reference
from lemmata.reference.bounds.attention import attention_bound, attention_vjp_bound
from lemmata.tests.reference import autograd, oracle
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
from lemmata.tests.reference.formats import IN_FLOAT64
from lemmata.tests.reference.functions import bound_of, function
from lemmata.tests.reference.problems import AttentionProblem, attention_problem, row_problem

Array = Any
LIBRARIES: dict[str, tuple[Callable[[Array], Any], type]] = {
    "torch": (torch.from_numpy, torch.Tensor),
    "array_api_strict": (array_api_strict.asarray, type(array_api_strict.asarray(0.0))),
}
LIBRARY = pytest.mark.parametrize("library", LIBRARIES)
ROWS = pytest.mark.parametrize("operation", ROW_OPERATIONS)
ATTENTIONS = pytest.mark.parametrize("operation", ATTENTION_OPERATIONS)
SEEDS = range(10)


def numpy(results: Results) -> Results:
    return {name: np.asarray(x) for name, x in results.items()}


def differences(results: Results, others: Results) -> Results:
    """|a − b|, 0 where both are the same infinity."""
    assert results.keys() == others.keys()
    with np.errstate(invalid="ignore"):
        return {
            name: np.where(np.asarray(x) == others[name], 0.0, abs(np.asarray(x) - others[name]))
            for name, x in results.items()
        }


def doubled(bounds: Results) -> Results:
    """How far two evaluations that are both within the bound can be apart."""
    return {name: 2 * np.asarray(x) for name, x in bounds.items()}


def within(errors: Results, bounds: Results) -> None:
    worst, stated = worst_share(errors, bounds)
    assert worst <= 1.0
    assert stated == sum(np.size(x) for x in errors.values())


@LIBRARY
@ROWS
def test_rows_on_other_arrays(operation: str, library: str) -> None:
    convert, kind = LIBRARIES[library]
    for seed in SEEDS:
        problem = row_problem("tens", seed)
        results = row_results(operation, problem, convert)
        bounds = row_bounds(operation, problem, convert)
        assert all(isinstance(x, kind) for x in (*results.values(), *bounds.values()))
        exact = row_exact(operation, problem)
        within({name: oracle.distance(np.asarray(x), exact[name]) for name, x in results.items()}, numpy(bounds))


@LIBRARY
@ATTENTIONS
def test_attention_on_other_arrays(operation: str, library: str) -> None:
    convert, kind = LIBRARIES[library]
    for seed in SEEDS:
        problem = attention_problem("normal", seed)
        results = attention_results(operation, problem, convert)
        bounds = attention_bounds(operation, problem, convert)
        assert all(isinstance(x, kind) for x in (*results.values(), *bounds.values()))
        exact = attention_exact(operation, problem)
        within({name: oracle.distance(np.asarray(x), exact[name]) for name, x in results.items()}, numpy(bounds))


@ATTENTIONS
def test_nothing_is_cast(operation: str) -> None:
    problem = attention_problem("normal", 9)

    def single(x: Array) -> Array:
        return x if x.dtype == np.bool_ else x.astype(np.float32)

    assert {x.dtype for x in attention_results(operation, problem, single).values()} == {np.dtype(np.float32)}


@ATTENTIONS
@pytest.mark.parametrize("batch", [(3,), (2, 1, 3)])
def test_a_batch_is_its_entries(operation: str, batch: tuple[int, ...]) -> None:
    for seed in SEEDS:
        problem = attention_problem("normal", seed, batch=batch)
        results, bounds = attention_results(operation, problem), attention_bounds(operation, problem)
        for place in np.ndindex(batch):

            def entry(part: dict[str, Any], place: tuple[int, ...] = place) -> dict[str, Any]:
                return {name: x if name == "scale" else x[place] for name, x in part.items()}

            one = AttentionProblem(
                entry(problem.inputs), entry(problem.cotangents), entry(problem.tangents), problem.cap
            )
            alone = attention_results(operation, one)
            here = {name: x[place] for name, x in results.items()}
            within(differences(here, alone), doubled({name: x[place] for name, x in bounds.items()}))


def test_leading_dimensions_broadcast() -> None:
    rng = np.random.default_rng(5)
    q, do = rng.standard_normal((4, 2, 3, 5)), rng.standard_normal((4, 2, 3, 6))
    k, v = rng.standard_normal((7, 5)), rng.standard_normal((1, 7, 6))
    keep = rng.random((3, 7)) < 0.8
    whole = attention_reference.attention(q, k, v, keep=keep)
    bounds = attention_bound(q, k, v, keep=keep, precision=IN_FLOAT64)
    assert whole[0].shape == (4, 2, 3, 6)
    assert whole[1].shape == (4, 2, 3)
    for b in range(4):
        one = attention_reference.attention(q[b], k, v[0], keep=np.broadcast_to(keep, (2, 3, 7)))
        for a, c, bound in zip(whole, one, bounds, strict=True):
            within({"x": abs(a[b] - c)}, {"x": 2 * bound[b]})
    # A gradient has the shape of the broadcast batch: the sum over what was broadcast is the caller's.
    dq, dk, dv, _ = attention_reference.attention_vjp(q, k, v, do, keep=keep)
    assert (dq.shape, dk.shape, dv.shape) == ((4, 2, 3, 5), (4, 7, 5), (4, 7, 6))


@ATTENTIONS
@pytest.mark.parametrize("chunk", [1, 2, 5, 1000])
def test_chunks_give_the_whole(operation: str, chunk: int) -> None:
    for seed in SEEDS:
        problem = attention_problem("normal", seed, largest=12)
        whole, bounds = attention_results(operation, problem), attention_bounds(operation, problem)
        parts = attention_results(operation, problem, chunk=chunk)
        within(differences(parts, whole), doubled(bounds))
    strict = attention_results(operation, attention_problem("normal", 3), array_api_strict.asarray, chunk=chunk)
    tensors = attention_results(operation, attention_problem("normal", 3), torch.from_numpy, chunk=chunk)
    for name, x in strict.items():
        np.testing.assert_array_equal(np.isnan(np.asarray(x)), np.isnan(tensors[name].numpy()))


@ATTENTIONS
def test_larger_sizes_agree_with_torch(operation: str) -> None:
    for seed in range(6):
        problem = attention_problem("normal", seed, largest=65, batch=(2,))
        results, bounds = attention_results(operation, problem), attention_bounds(operation, problem)
        within(differences(results, autograd.attention_results(operation, problem)), doubled(bounds))


@ROWS
def test_rows_of_an_empty_batch(operation: str) -> None:
    x = np.zeros((0, 5))
    shape = (0,) if operation == "logsumexp" else (0, 5)
    assert function(operation)(x).shape == shape
    assert bound_of(operation)(x, precision=IN_FLOAT64).shape == shape
    assert function(operation, "_vjp")(x, np.zeros(shape)).shape == (0, 5)


@ATTENTIONS
@pytest.mark.parametrize("chunk", [None, 2])
def test_attention_of_an_empty_batch_and_of_no_queries(operation: str, chunk: int | None) -> None:
    for batch, n in (((0,), 4), ((2,), 0)):
        shapes = {"q": (*batch, 3, n, 5), "k": (*batch, 6, 5), "v": (*batch, 6, 7)}
        cotangents = {"do": np.zeros((*batch, 3, n, 7))}
        inputs = {name: np.zeros(shape) for name, shape in shapes.items()}
        tangents = {f"t{name}": x for name, x in inputs.items()}
        results = attention_results(operation, AttentionProblem(inputs, cotangents, tangents, 2.0), chunk=chunk)
        assert results["o"].shape == (*batch, 3, n, 7)
        assert results["dq"].shape == shapes["q"]
        assert results["dk"].shape == shapes["k"]
        assert not results["dk"].any()


@ATTENTIONS
def test_rows_without_keys_are_zero_by_convention(operation: str) -> None:
    problem = attention_problem("normal", 4)
    assert not problem.inputs["keep"].any()
    results, bounds = attention_results(operation, problem), attention_bounds(operation, problem)
    assert (results["lse"] == -np.inf).all()
    for name, x in results.items():
        assert name == "lse" or not x.any()
    # Exactly so: forward and the gradients are stated without an error.
    assert not any(bounds[name].any() for name in ("o", "lse", "dq", "dk", "dv"))


@ROWS
def test_a_logit_of_minus_infinity_is_a_mask(operation: str) -> None:
    x = np.array([[0.5, -np.inf, 2.0, -1.0]])
    shorter = x[:, [0, 2, 3]]
    value = function(operation)(x)
    bound = bound_of(operation)(x, precision=IN_FLOAT64)
    short = function(operation)(shorter)
    if operation == "logsumexp":
        assert abs(value - short) <= bound
        return
    assert bound[0, 1] == 0
    assert value[0, 1] == (0 if operation == "softmax" else -np.inf)
    assert (abs(value[:, [0, 2, 3]] - short) <= bound[:, [0, 2, 3]]).all()


@ATTENTIONS
def test_inputs_are_left_as_they_are_and_outputs_share_no_memory(operation: str) -> None:
    """Arrays that are overwritten are the function's own; results are never views of one another or of inputs."""
    for seed in SEEDS:
        problem = attention_problem("normal", seed)
        parts = (problem.inputs, problem.cotangents, problem.tangents)
        before = [{name: np.copy(x) for name, x in part.items()} for part in parts]
        cap = [problem.cap] if operation == "softcapped_attention" else []
        arguments = {"do": problem.cotangents["do"], "dlse": problem.cotangents.get("dlse"), **problem.inputs}
        if cap:
            arguments["cap"] = problem.cap
        both = function(operation, "_value_and_vjp")(**arguments)
        results = attention_results(operation, problem)
        for part, saved in zip(parts, before, strict=True):
            for name, x in part.items():
                np.testing.assert_array_equal(x, saved[name])
        names = ("o", "lse", "dq", "dk", "dv", "dbias")
        made = {name: x for name, x in zip(names, both, strict=True) if x is not None}
        for name, x in made.items():
            np.testing.assert_array_equal(x, results[name])
        arrays = [*made.values(), *(x for part in parts for x in part.values() if isinstance(x, np.ndarray))]
        assert not any(np.shares_memory(x, y) for x in made.values() for y in arrays if x is not y)


@ROWS
def test_the_value_comes_with_the_gradient(operation: str) -> None:
    for seed in SEEDS:
        problem = row_problem("tens", seed)
        x = problem.x.copy()
        results = row_results(operation, problem)
        dy = problem.row_cotangent if operation == "logsumexp" else problem.cotangent
        value, gradient = function(operation, "_value_and_vjp")(problem.x, dy)
        np.testing.assert_array_equal(value, results["forward"])
        np.testing.assert_array_equal(gradient, results["vjp"])
        np.testing.assert_array_equal(problem.x, x)


def test_integers_are_taken() -> None:
    x = np.array([[1, 2, 3], [-4, 0, 4]])
    np.testing.assert_array_equal(softmax_reference.softmax(x), softmax_reference.softmax(x.astype(np.float64)))


def test_torch_differentiates_through_the_reference() -> None:
    problem = attention_problem("normal", 2)
    q, k, v = (torch.from_numpy(problem.inputs[name]).requires_grad_() for name in "qkv")
    keep = torch.from_numpy(problem.inputs["keep"])
    o, _ = attention_reference.attention(q, k, v, keep=keep)
    do = torch.from_numpy(problem.cotangents["do"])
    gradients = torch.autograd.grad(o, (q, k, v), do)
    expected = attention_reference.attention_vjp(q.detach(), k.detach(), v.detach(), do, keep=keep)
    bounds = attention_vjp_bound(**problem.inputs, do=problem.cotangents["do"], precision=IN_FLOAT64)
    for a, b, bound in zip(gradients, expected[:3], bounds[:3], strict=True):
        assert ((a - b).abs().numpy() <= 2 * bound).all()
