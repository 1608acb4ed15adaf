"""Optimizer steps: one step within the generated bound of the exact value, several steps as torch.optim makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from lemmata.tests.reference import agreement, differences, oracle
from lemmata.tests.reference.differences import Function, Named, mapped
from lemmata.tests.reference.evaluate import worst_share
from lemmata.tests.reference.formats import IN_FLOAT64
from lemmata.tests.reference.functions import bound_of, function
from lemmata.tests.reference.problems import REGIMES

Array = Any
OPTIMIZERS = ("sgd", "nesterov_sgd", "adam", "adamw")
# Squares of gradients beyond 1e154 overflow.
ROWS = tuple(name for name in REGIMES if name != "astronomic")
SEEDS = range(3)
STEPS = 6
K = 5


def _sgd(at: Named) -> dict[str, Array]:
    grad = at["g"] + at["weight_decay"] * at["p"]
    buf = at["momentum"] * at["buf"] + (1 - at["dampening"]) * grad
    return {"p_new": at["p"] - at["lr"] * buf, "buf_new": buf}


def _nesterov(at: Named) -> dict[str, Array]:
    grad = at["g"] + at["weight_decay"] * at["p"]
    buf = at["momentum"] * at["buf"] + grad
    return {"p_new": at["p"] - at["lr"] * (grad + at["momentum"] * buf), "buf_new": buf}


def _adam(at: Named, *, decoupled: bool) -> dict[str, Array]:
    p, grad = at["p"], at["g"]
    if decoupled:
        p = p * (1 - at["lr"] * at["weight_decay"])
    else:
        grad = grad + at["weight_decay"] * p
    m = at["beta1"] * at["m"] + (1 - at["beta1"]) * grad
    v = at["beta2"] * at["v"] + (1 - at["beta2"]) * grad**2
    m_hat, v_hat = m / (1 - at["beta1"] ** at["t"]), v / (1 - at["beta2"] ** at["t"])
    return {"p_new": p - at["lr"] * m_hat / (mapped(mp.sqrt, v_hat) + at["eps"]), "m_new": m, "v_new": v}


FORMULAS: dict[str, Function] = {
    "sgd": _sgd,
    "nesterov_sgd": _nesterov,
    "adam": lambda at: _adam(at, decoupled=False),
    "adamw": lambda at: _adam(at, decoupled=True),
}
SETTINGS: dict[str, list[dict[str, float]]] = {
    "sgd": [
        {"lr": 0.1, "momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0},
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.01},
        {"lr": 0.03, "momentum": 0.5, "dampening": 0.25, "weight_decay": 0.1},
    ],
    "nesterov_sgd": [
        {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0},
        {"lr": 0.03, "momentum": 0.5, "weight_decay": 0.1},
    ],
    "adam": [
        {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0},
        {"lr": 0.1, "beta1": 0.5, "beta2": 0.75, "eps": 1e-3, "weight_decay": 0.1},
    ],
    "adamw": [
        {"lr": 0.001, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.01},
        {"lr": 0.1, "beta1": 0.5, "beta2": 0.75, "eps": 1e-3, "weight_decay": 0.1},
    ],
}
STATES = {"sgd": ("buf",), "nesterov_sgd": ("buf",), "adam": ("m", "v"), "adamw": ("m", "v")}


def problem(name: str, regime: str, seed: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A step in the middle of a training: parameters, gradient and state, cotangents and tangents."""
    rng = np.random.default_rng([seed, *regime.encode(), *name.encode()])
    inputs: dict[str, Any] = {"p": rng.standard_normal(K), "g": REGIMES[regime](rng, (K,))}
    for state in STATES[name]:
        inputs[state] = rng.standard_normal(K)
        if state == "v":
            inputs[state] = inputs[state] ** 2 + 0.01
    moving = tuple(inputs)
    inputs |= SETTINGS[name][seed % len(SETTINGS[name])]
    if "v" in inputs:
        inputs["t"] = float(rng.integers(2, 2000))
    outputs = [tensor.name for tensor in agreement.operation(name).program.outputs]
    cotangents = {f"d{out}": rng.standard_normal(K) for out in outputs}
    return inputs, cotangents, {f"t{key}": rng.standard_normal(K) for key in moving}


@pytest.mark.parametrize("regime", ROWS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_within_the_bound(name: str, regime: str) -> None:
    for seed in SEEDS:
        inputs, cotangents, tangents = problem(name, regime, seed)
        right = agreement.exact(name, FORMULAS[name], inputs, cotangents, tangents)
        allowed = agreement.bounds(name, inputs, cotangents, tangents)
        agreement.hold(agreement.results(name, inputs, cotangents, tangents), right, allowed)


def torch_optimizer(name: str, p: torch.Tensor, settings: dict[str, float]) -> torch.optim.Optimizer:
    lr, decay = settings["lr"], settings["weight_decay"]
    if "sgd" in name:
        dampening = settings.get("dampening", 0.0)
        nesterov = name == "nesterov_sgd"
        return torch.optim.SGD([p], lr, settings["momentum"], dampening, decay, nesterov)
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return kind([p], lr, (settings["beta1"], settings["beta2"]), settings["eps"], decay)


def state_of(name: str, optimizer: torch.optim.Optimizer, p: torch.Tensor) -> dict[str, Array]:
    """What torch remembers of the steps so far, under our names."""
    theirs = {"buf": "momentum_buffer", "m": "exp_avg", "v": "exp_avg_sq"}
    found = {}
    for state in STATES[name]:
        value = optimizer.state[p].get(theirs[state]) if p in optimizer.state else None
        found[state] = np.zeros(K) if value is None else value.numpy().copy()
    return found


@pytest.mark.parametrize(("name", "number"), [(name, k) for name in OPTIMIZERS for k in range(len(SETTINGS[name]))])
def test_every_step_of_torch_is_within_the_bound(name: str, number: int) -> None:
    """From the state that torch has before the step."""
    rng = np.random.default_rng([number, *name.encode()])
    settings = SETTINGS[name][number]
    p = torch.from_numpy(rng.standard_normal(K)).requires_grad_()
    optimizer = torch_optimizer(name, p, settings)
    for step in range(1, STEPS + 1):
        g = rng.standard_normal(K)
        more: dict[str, Any] = dict(settings)
        if "v" in STATES[name]:
            more["t"] = float(step)
        if name == "sgd" and step == 1:
            more["dampening"] = 0.0  # torch's first velocity is the gradient
        before = {"p": p.detach().numpy().copy(), "g": g, **state_of(name, optimizer, p), **more}
        p.grad = torch.from_numpy(g)
        optimizer.step()
        after = {"p_new": p.detach().numpy(), **{f"{s}_new": x for s, x in state_of(name, optimizer, p).items()}}
        if settings.get("momentum") == 0:
            del after["buf_new"]  # torch keeps no velocity then
        right = differences.values(FORMULAS[name], before)
        outputs = [tensor.name for tensor in agreement.operation(name).program.outputs]
        allowed = dict(zip(outputs, bound_of(name)(**before, precision=IN_FLOAT64), strict=True))
        agreement.hold(after, right, allowed)


def _steps(name: str, change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> float:
    """The worst share of the bound over a few steps of torch, for inputs that `change` gets wrong."""
    rng = np.random.default_rng(3)
    settings = SETTINGS[name][1]
    p = torch.from_numpy(rng.standard_normal(K)).requires_grad_()
    optimizer = torch_optimizer(name, p, settings)
    worst = 0.0
    for step in range(1, STEPS + 1):
        g = rng.standard_normal(K)
        before = {"p": p.detach().numpy().copy(), "g": g, **state_of(name, optimizer, p), **settings}
        if "v" in before:
            before["t"] = float(step)
        before = change(step, before)
        p.grad = torch.from_numpy(g)
        optimizer.step()
        right = differences.values(FORMULAS[name], before)["p_new"]
        allowed = bound_of(name)(**before, precision=IN_FLOAT64)[0]
        share, _ = worst_share({"p": oracle.distance(p.detach().numpy(), right)}, {"p": allowed})
        worst = max(worst, share)
    return worst


@pytest.mark.parametrize(
    ("name", "change", "within"),
    [
        ("adam", lambda step, at: at, True),
        ("adam", lambda step, at: {**at, "t": at["t"] - 1 if step > 1 else at["t"]}, False),
        ("adam", lambda step, at: {**at, "beta2": at["beta2"] + 1e-9}, False),
        ("adam", lambda step, at: {**at, "g": at["g"] * (1 + 1e-9)}, False),
        ("adamw", lambda step, at: {**at, "weight_decay": 0.0}, False),
        ("sgd", lambda step, at: {**at, "buf": -at["buf"]}, False),
    ],
)
def test_the_bound_tells_faults_from_rounding(
    name: str,
    change: Callable[[int, dict[str, Any]], dict[str, Any]],
    within: bool,
) -> None:
    assert (_steps(name, change) <= 1.0) == within


# Clipping -----------------------------------------------------------------------------------------------------------


# The norm of a gradient of zeros has no derivative, and its bound says nothing of the root of what may be rounded to 0.
CLIPPED = tuple(name for name in ROWS if name not in ("zeros", "subnormal"))


def _clip(at: Named) -> dict[str, Array]:
    norm = mp.sqrt((at["g"] ** 2).sum())
    return {
        "y": at["g"] * min(mp.mpf(1), at["max_norm"][()] / (norm + at["eps"][()])),
        "norm": np.array(norm, dtype=object),
    }


def clip_problem(regime: str, seed: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    rng = np.random.default_rng([seed, *regime.encode()])
    g = REGIMES[regime](rng, (K,))
    factor = (0.1, 3.0, 0.9)[seed % 3]
    inputs = {"g": g, "max_norm": float(factor * np.sqrt((g**2).sum()) + 1e-3), "eps": (1e-6, 0.0)[seed % 2]}
    cotangents = {"dy": rng.standard_normal(K), "dnorm": np.asarray(rng.standard_normal())}
    return inputs, cotangents, {"tg": rng.standard_normal(K)}


@pytest.mark.parametrize("regime", CLIPPED)
def test_clipping_is_within_the_bound(regime: str) -> None:
    for seed in range(6):
        inputs, cotangents, tangents = clip_problem(regime, seed)
        right = agreement.exact("clip_grad_norm", _clip, inputs, cotangents, tangents)
        allowed = agreement.bounds("clip_grad_norm", inputs, cotangents, tangents)
        agreement.hold(agreement.results("clip_grad_norm", inputs, cotangents, tangents), right, allowed)


@pytest.mark.parametrize("regime", CLIPPED)
def test_clipping_in_torch_is_within_the_bound(regime: str) -> None:
    for seed in (0, 2, 4):  # torch's eps is fixed: 10⁻⁶
        inputs, _, _ = clip_problem(regime, seed)
        p = torch.zeros(K, dtype=torch.float64, requires_grad=True)
        p.grad = torch.from_numpy(inputs["g"].copy())
        norm = torch.nn.utils.clip_grad_norm_([p], inputs["max_norm"])
        right = differences.values(_clip, inputs)
        allowed = dict(zip(("y", "norm"), bound_of("clip_grad_norm")(**inputs, precision=IN_FLOAT64), strict=True))
        agreement.hold({"y": p.grad.numpy(), "norm": norm.numpy()}, right, allowed)


def test_a_gradient_that_is_short_enough_is_unchanged_to_the_bit() -> None:
    g = np.random.default_rng(1).standard_normal(K)
    y, norm = function("clip_grad_norm")(g, max_norm=float(np.sqrt((g**2).sum()) + 1e-3))
    assert (y == g).all()
    assert norm > 0
