"""Norms within their generated bounds of the exact values, torch's own among them, for |mean| ≫ std as well."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from lemmata.tests.reference import agreement, differences, oracle
from lemmata.tests.reference.differences import Function, Named, mapped
from lemmata.tests.reference.evaluate import worst_share
from lemmata.tests.reference.formats import IN_FLOAT64
from lemmata.tests.reference.functions import bound_of
from lemmata.tests.reference.problems import REGIMES

Array = Any

NORMS = ("layer_norm", "rms_norm", "add_layer_norm", "add_rms_norm")
# Squares of numbers beyond 1e154 overflow, of those below 1e−162 they are 0: there the bound says so or says nothing.
ROWS = tuple(name for name in REGIMES if name != "astronomic")
SEEDS = range(3)


def formula(name: str) -> Function:
    """The norm of a matrix of rows, as its paper writes it, with what it gives besides."""

    def norm(at: Named) -> dict[str, Array]:
        row = at["x"] + at["r"] if "r" in at else at["x"]
        d = row.shape[-1]
        middle = row.sum(-1, keepdims=True) / d if "layer" in name else 0
        spread = ((row - middle) ** 2).sum(-1, keepdims=True) / d
        y = (row - middle) / mapped(mp.sqrt, spread + at["eps"])
        y = y * at["weight"] if "weight" in at else y
        y = y + at["bias"] if "bias" in at else y
        return {"s": row, "y": y} if "r" in at else {"y": y}

    return norm


def problem(name: str, regime: str, seed: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Inputs, cotangents and tangents for a few rows of one to eight features; weights are left out now and then."""
    rng = np.random.default_rng([seed, *regime.encode(), *name.encode()])
    d = int(rng.integers(1, 9))
    inputs: dict[str, Any] = {"x": REGIMES[regime](rng, (2, d)), "eps": float(rng.choice([1e-5, 1e-12, 0.1]))}
    if name.startswith("add"):
        inputs["r"] = rng.standard_normal((2, d))
    if seed % 3:
        inputs["weight"] = rng.standard_normal(d)
        if "layer" in name:
            inputs["bias"] = rng.standard_normal(d)
    cotangents = {"dy": rng.standard_normal((2, d))}
    if name.startswith("add"):
        cotangents["ds"] = rng.standard_normal((2, d))
    tangents = {f"t{key}": rng.standard_normal(np.shape(x)) for key, x in inputs.items() if key != "eps"}
    return inputs, cotangents, tangents


def by_torch(name: str, inputs: dict[str, Any], cotangents: dict[str, Any]) -> dict[str, Array]:
    """Outputs and gradients of torch's own norm in float64."""
    leaves = {key: torch.from_numpy(x).requires_grad_() for key, x in inputs.items() if key != "eps"}
    row = leaves["x"] + leaves["r"] if "r" in leaves else leaves["x"]
    shape, weight = (row.shape[-1],), leaves.get("weight")
    if "layer" in name:
        y = torch.nn.functional.layer_norm(row, shape, weight, leaves.get("bias"), inputs["eps"])
    else:
        y = torch.nn.functional.rms_norm(row, shape, weight, inputs["eps"])
    outputs = {"s": row, "y": y} if "r" in leaves else {"y": y}
    weights = {key: torch.from_numpy(cotangents[f"d{key}"]) for key in outputs}
    gradients = torch.autograd.grad(tuple(outputs.values()), tuple(leaves.values()), tuple(weights.values()))
    return {
        **{key: out.detach().numpy() for key, out in outputs.items()},
        **{f"d{key}": slope.numpy() for key, slope in zip(leaves, gradients, strict=True)},
    }


@pytest.mark.parametrize("regime", ROWS)
@pytest.mark.parametrize("name", NORMS)
def test_the_reference_and_torch_are_within_the_bound(name: str, regime: str) -> None:
    for seed in SEEDS:
        inputs, cotangents, tangents = problem(name, regime, seed)
        right = agreement.exact(name, formula(name), inputs, cotangents, tangents)
        allowed = agreement.bounds(name, inputs, cotangents, tangents)
        agreement.hold(agreement.results(name, inputs, cotangents, tangents), right, allowed)
        agreement.hold(by_torch(name, inputs, cotangents), right, allowed)


def faulty(fault: str, inputs: dict[str, Any]) -> Array:
    """Layer norm as it is got wrong, in float64."""
    x, d = inputs["x"], inputs["x"].shape[-1]
    middle = x.mean(-1, keepdims=True)
    spread = x.var(-1, keepdims=True)
    scale = 1 / np.sqrt(spread + inputs["eps"])
    if fault == "one pass":
        scale = 1 / np.sqrt(np.maximum((x**2).mean(-1, keepdims=True) - middle**2, 0) + inputs["eps"])
    elif fault == "divided by d − 1":
        scale = 1 / np.sqrt(spread * d / (d - 1) + inputs["eps"])
    elif fault == "eps outside the root":
        scale = 1 / (np.sqrt(spread) + inputs["eps"])
    elif fault == "no eps":
        scale = 1 / np.sqrt(spread)
    return (x - middle) * scale


@pytest.mark.parametrize(
    ("fault", "within"),
    [("none", True)] + [(fault, False) for fault in ("one pass", "divided by d − 1", "eps outside the root", "no eps")],
)
def test_the_bound_tells_faults_from_rounding(fault: str, within: bool) -> None:
    """The rows have a mean of 10⁶ and a standard deviation of 1, which is where one pass loses the variance."""
    inputs = {"x": REGIMES["large mean"](np.random.default_rng(5), (4, 63)), "eps": 1e-5}
    right = differences.values(formula("layer_norm"), inputs)
    allowed = bound_of("layer_norm")(**inputs, precision=IN_FLOAT64)
    worst, _ = worst_share({"y": oracle.distance(faulty(fault, inputs), right["y"])}, {"y": allowed})
    assert (worst <= 1.0) == within


@pytest.mark.parametrize("name", NORMS)
def test_weights_are_shared_by_all_batches(name: str) -> None:
    """Row by row the same values, and gradients of the weights that are the sum of those of the rows."""
    rng = np.random.default_rng(11)
    inputs: dict[str, Any] = {"x": rng.standard_normal((2, 3, 5)), "weight": rng.standard_normal(5)}
    cotangents = {"dy": rng.standard_normal((2, 3, 5))}
    if name.startswith("add"):
        inputs["r"], cotangents["ds"] = rng.standard_normal((2, 2, 3, 5))
    tangents = {f"t{key}": x for key, x in inputs.items()}
    whole = agreement.results(name, inputs, cotangents, tangents)
    total = np.zeros(5)
    for place in np.ndindex(2, 3):
        row, dy = ({k: x if k == "weight" else x[place] for k, x in part.items()} for part in (inputs, cotangents))
        one = agreement.results(name, row, dy, {f"t{key}": x for key, x in row.items()})
        total += one["dweight"]
        assert all((whole[key][place] == one[key]).all() for key in ("y", "dx", "ty"))
    allowed = agreement.bounds(name, inputs, cotangents, tangents)["dweight"]
    assert (abs(whole["dweight"] - total) <= 2 * allowed).all()
