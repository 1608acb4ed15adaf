"""Linear layers within their generated bounds of the exact values, torch's own among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from lemmata.tests.reference import agreement, oracle
from lemmata.tests.reference.differences import Function, Named
from lemmata.tests.reference.evaluate import worst_share
from lemmata.tests.reference.problems import REGIMES

Array = Any
LAYERS = ("linear", "qkv_projection")
ROWS = tuple(name for name in REGIMES if name != "astronomic")
SEEDS = range(3)
PARTS = {"linear": {"y": ("weight", "bias")}, "qkv_projection": {n: (f"w_{n}", f"b_{n}") for n in "qkv"}}


def formula(name: str) -> Function:
    """x Wᵀ + b for each output."""

    def layer(at: Named) -> dict[str, Array]:
        return {out: at["x"] @ at[w].T + at.get(b, 0) for out, (w, b) in PARTS[name].items()}

    return layer


def problem(name: str, regime: str, seed: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Inputs, cotangents and tangents for one to four tokens and up to five features; biases are left out now and
    then."""
    rng = np.random.default_rng([seed, *regime.encode(), *name.encode()])
    n, d = int(rng.integers(1, 5)), int(rng.integers(1, 6))
    inputs: dict[str, Any] = {"x": REGIMES[regime](rng, (n, d))}
    cotangents = {}
    for out, (w, b) in PARTS[name].items():
        size = int(rng.integers(1, 6))
        inputs[w] = rng.standard_normal((size, d))
        if seed % 3:
            inputs[b] = rng.standard_normal(size)
        cotangents[f"d{out}"] = rng.standard_normal((n, size))
    return inputs, cotangents, {f"t{key}": rng.standard_normal(x.shape) for key, x in inputs.items()}


def by_torch(name: str, inputs: dict[str, Any], cotangents: dict[str, Any]) -> dict[str, Array]:
    """Outputs and gradients of torch's own linear layer in float64."""
    leaves = {key: torch.from_numpy(x).requires_grad_() for key, x in inputs.items()}
    outputs = {
        out: torch.nn.functional.linear(leaves["x"], leaves[w], leaves.get(b)) for out, (w, b) in PARTS[name].items()
    }
    weights = tuple(torch.from_numpy(cotangents[f"d{out}"]) for out in outputs)
    gradients = torch.autograd.grad(tuple(outputs.values()), tuple(leaves.values()), weights)
    return {
        **{key: out.detach().numpy() for key, out in outputs.items()},
        **{f"d{key}": slope.numpy() for key, slope in zip(leaves, gradients, strict=True)},
    }


@pytest.mark.parametrize("regime", ROWS)
@pytest.mark.parametrize("name", LAYERS)
def test_the_reference_and_torch_are_within_the_bound(name: str, regime: str) -> None:
    for seed in SEEDS:
        inputs, cotangents, tangents = problem(name, regime, seed)
        right = agreement.exact(name, formula(name), inputs, cotangents, tangents)
        allowed = agreement.bounds(name, inputs, cotangents, tangents)
        agreement.hold(agreement.results(name, inputs, cotangents, tangents), right, allowed)
        agreement.hold(by_torch(name, inputs, cotangents), right, allowed)


@pytest.mark.parametrize(
    "fault", ["bias twice", "weight transposed", "one token left out of dW", "last feature left out"]
)
def test_the_bound_tells_faults_from_rounding(fault: str) -> None:
    rng = np.random.default_rng(7)
    inputs = {"x": rng.standard_normal((63, 5)), "weight": rng.standard_normal((5, 5)), "bias": rng.standard_normal(5)}
    cotangents = {"dy": rng.standard_normal((63, 5))}
    tangents = {f"t{key}": x for key, x in inputs.items()}
    found = agreement.results("linear", inputs, cotangents, tangents)
    allowed = agreement.bounds("linear", inputs, cotangents, tangents)
    wrong = {
        "bias twice": {"y": found["y"] + inputs["bias"]},
        "weight transposed": {"dx": cotangents["dy"] @ inputs["weight"].T},
        "one token left out of dW": {"dweight": cotangents["dy"][:-1].T @ inputs["x"][:-1]},
        "last feature left out": {"y": inputs["x"][:, :-1] @ inputs["weight"][:, :-1].T + inputs["bias"]},
    }[fault]
    (name,) = wrong
    worst, _ = worst_share({name: oracle.distance(wrong[name], oracle.exact(found[name]))}, {name: allowed[name]})
    assert worst > 2.0  # the reference itself may be off by once the bound


def test_weights_are_shared_by_all_batches() -> None:
    rng = np.random.default_rng(11)
    inputs = {
        "x": rng.standard_normal((2, 3, 4, 5)),
        "weight": rng.standard_normal((6, 5)),
        "bias": rng.standard_normal(6),
    }
    cotangents = {"dy": rng.standard_normal((2, 3, 4, 6))}
    whole = agreement.results("linear", inputs, cotangents, {f"t{key}": x for key, x in inputs.items()})
    flat = {**inputs, "x": inputs["x"].reshape(24, 5)}
    merged = agreement.results(
        "linear", flat, {"dy": cotangents["dy"].reshape(24, 6)}, {f"t{k}": x for k, x in flat.items()}
    )
    allowed = agreement.bounds(
        "linear", flat, {"dy": cotangents["dy"].reshape(24, 6)}, {f"t{k}": x for k, x in flat.items()}
    )
    for name in ("dweight", "dbias"):
        assert whole[name].shape == inputs[name.removeprefix("d")].shape
        assert (abs(whole[name] - merged[name]) <= 2 * allowed[name]).all()
    assert whole["y"].shape == (2, 3, 4, 6)
