"""Orders of evaluation: what rounds otherwise than the reference's formula is within the bound, and what is not."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from lemmata.conformance import orders
from lemmata.conformance.cases import RowCase
from lemmata.conformance.contracts import Operation
from lemmata.conformance.generic_cases import GenericCase
from lemmata.conformance.generic_profiles import SAVED
from lemmata.conformance.operations import find_operation
from lemmata.conformance.problems import OUTPUT, Problem
from lemmata.conformance.profiles import find_profile
from lemmata.reference.bounded import Bounded
from lemmata.reference.bounds.softmax import softmax_vjp_bound
from lemmata.reference.rounding import Rounding
from lemmata.tests.conformance.targets.catalogue_kernels import eager_swiglu_feed_forward
from lemmata.tests.conformance.targets.softmax_kernels import left_to_autograd

Product = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
Drawn = tuple[dict[str, int], dict[str, str], dict[str, str], int]

# Sizes of target and weight for which the product of the two that come first is subnormal in float16.
WEIGHT_FIRST: Drawn = (
    {"n": 33, "V": 11},
    {"input": "normal", "target": "large", "weight": "small"},
    {"mean": "normal"},
    57,
)
TARGET_FIRST: Drawn = ({"n": 17, "V": 17}, {"target": "small", "weight": "large"}, {}, 0)


def drawn_problem(
    sizes: dict[str, int], values: dict[str, str], cotangents: dict[str, str], seed: int
) -> tuple[Operation, Problem]:
    """The mean loss of soft targets with class weights, in float16."""
    operation = find_operation("soft_cross_entropy")
    case = GenericCase(
        sizes=sizes,
        present=("weight",),
        choices={"reduction": "mean"},
        values=values,
        cotangents=cotangents,
        requires_grad=("input", "target"),
        seed=seed,
    )
    return operation, operation.build(case, torch.float16)


@pytest.mark.parametrize(
    ("drawn", "product"),
    [
        pytest.param(WEIGHT_FIRST, lambda d, t, w: (d * w) * t, id="weight first"),  # found in PyTorch
        pytest.param(TARGET_FIRST, lambda d, t, w: (d * t) * w, id="target first"),
    ],
)
def test_a_subnormal_product_of_soft_targets_is_allowed_in_every_order(
    drawn: Drawn, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation, problem = drawn_problem(*drawn)
    logits, target, weight = (torch.tensor(problem.arrays[n]).half() for n in ("input", "target", "weight"))
    logits.requires_grad_()
    share = -torch.tensor(problem.cotangent).half() / len(logits)
    rows = product(share.expand(logits.shape), target, weight)
    (dx,) = torch.autograd.grad(torch.log_softmax(logits, -1), logits, rows)
    off = abs(dx.double().numpy() - operation.reference(problem).gradients["input"])

    eager = find_profile("eager", "float16", "cpu", operation.profiles).precision
    assert (off <= operation.bound(problem, eager).gradients["input"]).all()
    monkeypatch.setattr(orders, "_product_of_three", _target_times_weight_first)
    assert not (off <= operation.bound(problem, eager).gradients["input"]).all()


def _target_times_weight_first(fl: Rounding, weight: Bounded, target: Bounded, dloss: Bounded) -> Bounded:
    return fl.step(SAVED, fl.step(SAVED, weight * target, "i v") * dloss, "i v")


@pytest.mark.parametrize("drawn", [WEIGHT_FIRST, TARGET_FIRST], ids=["weight first", "target first"])
def test_the_bound_of_all_orders_catches_the_sum_for_the_mean(drawn: Drawn) -> None:
    operation, problem = drawn_problem(*drawn)
    eager = find_profile("eager", "float16", "cpu", operation.profiles).precision
    dx = operation.reference(problem).gradients["input"]
    assert (abs(len(dx) * dx - dx) > operation.bound(problem, eager).gradients["input"]).mean() > 0.95


def test_the_gradient_of_an_activation_may_overflow_where_that_of_its_gate_does_not() -> None:
    """Found in a feed-forward network of Llama: dm·u is −125 263, which float16 does not hold, and dx is about 660."""
    operation = find_operation("swiglu_feed_forward")
    asked = ("x", "w", "v", "w_2")
    case = GenericCase(sizes={"n": 1, "d": 1, "d_f": 1}, requires_grad=asked)
    problem = operation.build(case, torch.float16)
    numbers = {"x": 1.0, "w": -7.0, "v": 35.0, "w_2": -3579.0}
    problem = problem.with_arrays(**{name: np.full((1, 1), x) for name, x in numbers.items()})
    problem = problem.with_cotangents({OUTPUT: np.ones((1, 1))})
    given = [torch.tensor(problem.arrays[name]).half().requires_grad_() for name in asked]
    gradients = torch.autograd.grad(eager_swiglu_feed_forward(*given).sum(), given)
    assert [bool(x.isinf()) for x in gradients] == [True, True, False, False]

    expected = operation.reference(problem).gradients
    for name, may_overflow in (("eager", True), ("split", False)):
        bound = operation.bound(problem, find_profile(name, "float16", "cpu", operation.profiles).precision).gradients
        assert [bool(np.isinf(bound[x])) for x in asked] == [may_overflow, may_overflow, False, False]
        assert all(bound[x] < abs(expected[x]) for x in asked if np.isfinite(bound[x]))


@pytest.mark.parametrize(
    "case",
    [
        RowCase(shape=(11, 16, 2, 5), dim=-4, values="small", cotangent="normal", seed=926511),
        RowCase(shape=(97, 33, 2), dim=-3, values="subnormal", cotangent="ones", seed=694178),
    ],
)
def test_softmax_may_be_differentiated_through_its_maximum(case: RowCase) -> None:
    """The largest entry gets the sum of the row's gradients, which is 0 but for rounding."""
    operation = find_operation("softmax")
    problem = operation.build(case, torch.float32)
    x = torch.tensor(problem.arrays["input"]).float().requires_grad_()
    (dx,) = torch.autograd.grad(left_to_autograd(x, case.dim), x, torch.tensor(problem.cotangent).float())
    off = abs(dx.double().numpy() - operation.reference(problem).gradients["input"])
    precision = find_profile("fp32", "float32", "cpu").precision
    assert (off <= operation.bound(problem, precision).gradients["input"]).all()

    rows, dy = (np.moveaxis(given, case.dim, -1) for given in (problem.arrays["input"], problem.cotangent))
    without = np.moveaxis(softmax_vjp_bound(rows, dy, precision=precision), -1, case.dim)
    assert not (off <= without).all()
    # The others have no need of it.
    largest = rows == rows.max(axis=-1, keepdims=True)
    assert (off <= without)[np.moveaxis(~largest, -1, case.dim)].all()
