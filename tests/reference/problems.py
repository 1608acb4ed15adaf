"""Seeded inputs of every kind that has broken a softmax or an attention, as float64 arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = Any
Regime = Callable[[np.random.Generator, tuple[int, ...]], Array]


def _spike(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    x = rng.standard_normal(shape)
    x.flat[rng.integers(x.size)] = 700.0
    return x


def _mixed(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape) * 10.0 ** rng.integers(-12, 4, shape)


REGIMES: Mapping[str, Regime] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "integers": lambda rng, shape: rng.integers(-2, 3, shape).astype(np.float64),
    "tens": lambda rng, shape: 20.0 * rng.standard_normal(shape),
    "huge": lambda rng, shape: 1e4 * rng.standard_normal(shape),
    "astronomic": lambda rng, shape: 1e120 * rng.standard_normal(shape),
    "tiny": lambda rng, shape: 1e-8 * rng.standard_normal(shape),
    "subnormal": lambda rng, shape: 1e-310 * rng.standard_normal(shape),
    "large mean": lambda rng, shape: 1e6 + rng.standard_normal(shape),
    "constant rows": lambda rng, shape: np.broadcast_to(rng.standard_normal((*shape[:-1], 1)), shape).copy(),
    "one spike": _spike,
    "mixed magnitudes": _mixed,
    "zeros": lambda rng, shape: np.zeros(shape),
}
COTANGENTS: Mapping[str, Regime] = {
    "normal": REGIMES["normal"],
    "ones": lambda rng, shape: np.ones(shape),
    "large mean": lambda rng, shape: 1e3 + rng.standard_normal(shape),
    "mixed magnitudes": _mixed,
    "subnormal": REGIMES["subnormal"],
}
# Where scores reach 1e16 and more their rounding alone is worth more than one unit of the exponent: the bound may then
# say nothing.
UNBOUNDED = frozenset({"astronomic"})


@dataclass(frozen=True)
class RowProblem:
    """Logits (rows, n), a cotangent of that shape and one of one number a row."""

    x: Array
    cotangent: Array
    row_cotangent: Array


def row_problem(regime: str, seed: int) -> RowProblem:
    """A few rows of one length between 1 and 9; the seed chooses the length and the kind of cotangent."""
    rng = np.random.default_rng([seed, *regime.encode()])
    shape = (2, int(rng.integers(1, 10)))
    kind = COTANGENTS[tuple(COTANGENTS)[seed % len(COTANGENTS)]]
    return RowProblem(REGIMES[regime](rng, shape), kind(rng, shape), kind(rng, shape[:1]))


@dataclass(frozen=True)
class AttentionProblem:
    """The arguments of attention by name, its cotangents and its tangents; one batch entry."""

    inputs: dict[str, Any]
    cotangents: dict[str, Any]
    tangents: dict[str, Any]
    cap: float | None = field(default=None)


MASKS = ("none", "random", "causal", "some rows empty", "all empty")


def attention_problem(regime: str, seed: int, *, largest: int = 6, batch: tuple[int, ...] = ()) -> AttentionProblem:
    """Sizes, group, mask, bias, scale and which cotangents are given all follow from the seed."""
    rng = np.random.default_rng([seed, *regime.encode()])
    r = int(rng.integers(1, 4))
    n, m, d, d_v = (int(size) for size in rng.integers(1, largest + 1, 4))
    if seed % 7 == 0:
        n = 1
    if seed % 7 == 1:
        m = 1
    draw = REGIMES[regime]
    inputs: dict[str, Any] = {
        "q": draw(rng, (*batch, r, n, d)),
        "k": draw(rng, (*batch, m, d)),
        "v": draw(rng, (*batch, m, d_v)),
    }
    scores = (*batch, r, n, m)
    mask = MASKS[seed % len(MASKS)]
    if mask != "none":
        inputs["keep"] = _mask(mask, rng, scores)
    tangents = {f"t{name}": rng.standard_normal(x.shape) for name, x in inputs.items() if name in "qkv"}
    if seed % 2:
        inputs["bias"] = draw(rng, scores)
        tangents["tbias"] = rng.standard_normal(scores)
        if seed % 4 == 3:
            inputs["bias"][rng.random(scores) < 0.3] = -np.inf
    if seed % 3 == 0:
        inputs["scale"] = float(rng.choice([1.0, 0.3, 2.5, -1.0]))
    kind = COTANGENTS[tuple(COTANGENTS)[seed % len(COTANGENTS)]]
    cotangents: dict[str, Any] = {"do": kind(rng, (*batch, r, n, d_v))}
    if seed % 3 != 1:
        cotangents["dlse"] = kind(rng, (*batch, r, n))
    return AttentionProblem(inputs, cotangents, tangents, float(rng.choice([0.5, 5.0, 30.0])))


def _mask(kind: str, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    if kind == "causal":
        return np.broadcast_to(np.tri(*shape[-2:], dtype=np.bool_), shape).copy()
    if kind == "all empty":
        return np.zeros(shape, bool)
    keep = rng.random(shape) < 0.7
    if kind == "some rows empty":
        keep &= rng.random((*shape[:-1], 1)) < 0.6
    return keep
