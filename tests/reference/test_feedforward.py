"""Activations and feed-forward networks within their generated bounds of the exact values, torch's own among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from lemmata.tests.reference import agreement, oracle
from lemmata.tests.reference.differences import STEP, Function, Named, mapped, values
from lemmata.tests.reference.evaluate import worst_share
from lemmata.tests.reference.formats import FLOAT64, IN_FLOAT64, Precision
from lemmata.tests.reference.functions import bound_of, function
from lemmata.tests.reference.problems import REGIMES
from torch.nn.functional import gelu, relu, silu

Array = Any

ACTIVATIONS = ("relu", "gelu", "gelu_tanh", "silu", "swiglu", "geglu")
NETWORKS = ("feed_forward", "swiglu_feed_forward")
# torch computes (1 + erf(x/√2))/2, (1 + tanh(u))/2 and 1 − σ(x), the small ones of which have no digits of their own.
ONE_MINUS: Precision = {**IN_FLOAT64, "erf": FLOAT64, "sigmoid": FLOAT64}
ROWS = tuple(name for name in REGIMES if name != "astronomic")
SEEDS = range(3)


def _cubic_tanh(x: Any) -> Any:
    return x / 2 * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf(44715) / 10**6 * x**3)))


# As the papers write them. Far from 0 the digits of `differences` keep what cancels in 1 + erf and 1 + tanh.
EXACT: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: max(x, mp.mpf(0)),
    "gelu": lambda x: x / 2 * mp.erfc(-x / mp.sqrt(2)),
    "gelu_tanh": _cubic_tanh,
    "silu": lambda x: x / (1 + mp.exp(-x)),
}
TORCH: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": relu,
    "gelu": gelu,
    "gelu_tanh": lambda x: gelu(x, approximate="tanh"),
    "silu": silu,
}


def formula(name: str) -> Function:
    """The operation as its paper writes it."""

    def compute(at: Named) -> dict[str, Array]:
        match name:
            case "swiglu" | "geglu":
                return {"y": mapped(EXACT["silu" if name == "swiglu" else "gelu"], at["gate"]) * at["up"]}
            case "feed_forward":
                hidden = mapped(EXACT["gelu"], at["x"] @ at["w_1"].T + at["b_1"])
                return {"y": hidden @ at["w_2"].T + at["b_2"]}
            case "swiglu_feed_forward":
                return {"y": (mapped(EXACT["silu"], at["x"] @ at["w"]) * (at["x"] @ at["v"])) @ at["w_2"]}
            case _:
                return {"y": mapped(EXACT[name], at["x"])}

    return compute


def by_torch(name: str, inputs: dict[str, Any], cotangents: dict[str, Any]) -> dict[str, Array]:
    """Outputs and gradients of torch's own functions in float64."""
    at = {key: torch.from_numpy(x).requires_grad_() for key, x in inputs.items()}
    match name:
        case "swiglu" | "geglu":
            y = TORCH["silu" if name == "swiglu" else "gelu"](at["gate"]) * at["up"]
        case "feed_forward":
            y = gelu(at["x"] @ at["w_1"].mT + at["b_1"]) @ at["w_2"].mT + at["b_2"]
        case "swiglu_feed_forward":
            y = (silu(at["x"] @ at["w"]) * (at["x"] @ at["v"])) @ at["w_2"]
        case _:
            y = TORCH[name](at["x"])
    gradients = torch.autograd.grad(y, tuple(at.values()), torch.from_numpy(cotangents["dy"]))
    return {"y": y.detach().numpy(), **{f"d{key}": slope.numpy() for key, slope in zip(at, gradients, strict=True)}}


def problem(name: str, regime: str, seed: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Inputs, cotangents and tangents: a few tokens of a few features."""
    rng = np.random.default_rng([seed, *regime.encode(), *name.encode()])
    n, d, hidden = (int(rng.integers(1, 5)) for _ in range(3))
    x = REGIMES[regime](rng, (n, d))
    inputs: dict[str, Any] = {"x": x}
    if name in ("swiglu", "geglu"):
        inputs = {"gate": x, "up": rng.standard_normal((n, d))}
    elif name in NETWORKS:
        shapes: dict[str, tuple[int, ...]] = {"w": (d, hidden), "v": (d, hidden), "w_2": (hidden, d)}
        if name == "feed_forward":
            shapes = {"w_1": (hidden, d), "b_1": (hidden,), "w_2": (d, hidden), "b_2": (d,)}
        inputs |= {key: rng.standard_normal(shape) for key, shape in shapes.items()}
    tangents = {f"t{key}": rng.standard_normal(np.shape(value)) for key, value in inputs.items()}
    return inputs, {"dy": rng.standard_normal((n, d))}, tangents


def away_from_0(inputs: dict[str, Any]) -> dict[str, Any]:
    """The exact differences take steps of 10^−STEP. They must not cross the kink of relu; and where a gated network is
    0 of second order, they see its third derivative."""
    return {**inputs, "x": np.where(abs(inputs["x"]) < 10.0 ** (1 - STEP), 1.0, inputs["x"])}


@pytest.mark.parametrize("regime", ROWS)
@pytest.mark.parametrize("name", [*ACTIVATIONS, *NETWORKS])
def test_the_reference_and_torch_are_within_the_bound(name: str, regime: str) -> None:
    for seed in SEEDS:
        inputs, cotangents, tangents = problem(name, regime, seed)
        inputs = away_from_0(inputs) if name in ("relu", "swiglu_feed_forward") else inputs
        right = agreement.exact(name, formula(name), inputs, cotangents, tangents)
        allowed = agreement.bounds(name, inputs, cotangents, tangents)
        agreement.hold(agreement.results(name, inputs, cotangents, tangents), right, allowed)
        of_torch = agreement.bounds(name, inputs, cotangents, tangents, ONE_MINUS)
        agreement.hold(by_torch(name, inputs, cotangents), right, of_torch)


# Small faults: a constant with fewer digits, one form for the other, another slope far from 0.
FAULTS: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "gelu: the tanh form": ("gelu", lambda x: function("gelu_tanh")(x)),
    "gelu_tanh: the exact form": ("gelu_tanh", lambda x: function("gelu")(x)),
    "gelu_tanh: 0.0447": ("gelu_tanh", lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.0447 * x**3)))),
    "gelu: 1.702": ("gelu", lambda x: x / (1 + np.exp(-1.702 * x))),
    "silu: a rounded slope": ("silu", lambda x: x / (1 + np.exp(-1.0000001 * x))),
    "relu: leaky": ("relu", lambda x: np.where(x > 0, x, 1e-9 * x)),
    "gelu: float32": ("gelu", lambda x: function("gelu")(x.astype(np.float32)).astype(np.float64)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_bound_tells_faults_from_rounding(fault: str) -> None:
    name, wrong = FAULTS[fault]
    x = np.random.default_rng(3).standard_normal((7, 63)) * 2
    right = values(formula(name), {"x": x})["y"]
    for precision in (IN_FLOAT64, ONE_MINUS):
        allowed = bound_of(name)(x, precision=precision)
        for found, within in ((function(name)(x), True), (wrong(x), False)):
            worst, _ = worst_share({"y": oracle.distance(found, right)}, {"y": allowed})
            assert (worst <= 1.0) == within


def test_the_derivative_of_relu_at_0_is_that_of_torch() -> None:
    x = np.array([-1.0, -0.0, 0.0, 2.0])
    found = agreement.results("relu", {"x": x}, {"dy": np.ones(4)}, {"tx": np.ones(4)})
    assert found["dx"].tolist() == found["ty"].tolist() == [0.0, 0.0, 0.0, 1.0]
    assert (by_torch("relu", {"x": x}, {"dy": np.ones(4)})["dx"] == found["dx"]).all()


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "silu"])
def test_no_digits_are_lost_far_from_0(name: str) -> None:
    """x (1 + erf(x/√2))/2 has no right digit at −9 and is 0 at −10."""
    x = -np.linspace(1.0, 12.0, 45)
    with mp.workdps(400):
        exact = [EXACT[name](mp.mpf(float(number))) for number in x]
        shares = [abs((mp.mpf(float(y)) - right) / right) for y, right in zip(function(name)(x), exact, strict=True)]
    # An argument z is off by a few units, which the exponential multiplies by |z|, here at most 2u(12) ≈ 270 or x²/2.
    assert max(shares) < 1000 * np.finfo(np.float64).eps


def test_forms_of_gelu_differ_by_what_is_proved() -> None:
    x = np.linspace(-20, 20, 200_001)
    apart = abs(function("gelu")(x) - function("gelu_tanh")(x))
    assert 0.00047 < apart.max() < 0.000474


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_shared_by_all_batches(name: str) -> None:
    inputs, _, _ = problem(name, "normal", 1)
    rng = np.random.default_rng(11)
    d = inputs["x"].shape[-1]
    batched = {**inputs, "x": rng.standard_normal((2, 3, 4, d))}
    flat = {**inputs, "x": batched["x"].reshape(24, d)}
    dy = rng.standard_normal((2, 3, 4, d))
    whole = agreement.results(name, batched, {"dy": dy}, {f"t{key}": x for key, x in batched.items()})
    moved = {f"t{key}": x for key, x in flat.items()}
    merged = agreement.results(name, flat, {"dy": dy.reshape(24, d)}, moved)
    allowed = agreement.bounds(name, flat, {"dy": dy.reshape(24, d)}, moved)
    for key, value in inputs.items():
        if key != "x":
            assert whole[f"d{key}"].shape == value.shape
            assert (abs(whole[f"d{key}"] - merged[f"d{key}"]) <= 2 * allowed[f"d{key}"]).all()
    assert (abs(whole["y"].reshape(24, d) - merged["y"]) <= 2 * allowed["y"]).all()


def test_relu_of_minus_infinity_is_0_and_of_nan_nan() -> None:
    x = np.array([-np.inf, np.inf, np.nan, -1.0])
    np.testing.assert_array_equal(function("relu")(x), [0, np.inf, np.nan, 0])
