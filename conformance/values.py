"""Value regimes: the kinds of numbers that inputs and cotangents hold.

Each regime is a function of a NumPy generator and a shape, so that one drawn integer determines an array of any
size. The order is the order of simplicity: a failing case shrinks towards the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

Array = npt.NDArray[np.float64]
AnyArray = npt.NDArray[Any]
Regime = Callable[[np.random.Generator, tuple[int, ...]], Array]


def _integers(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    # Without 0, which would hide a missing term in the small arrays that shrinking ends at.
    magnitudes = rng.integers(1, 3, shape).astype(np.float64)
    return np.asarray(magnitudes * rng.choice((-1.0, 1.0), shape))


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape)


def _large(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return 20.0 * rng.standard_normal(shape)


def _small(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return 1e-3 * rng.standard_normal(shape)


def _offset(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return 100.0 + rng.standard_normal(shape)


def _spike(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    x = rng.standard_normal(shape)
    if x.size:
        x.flat[rng.integers(x.size)] = 100.0
    return x


def _constant(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.full(shape, float(rng.integers(-3, 4)) / 2)


def _near_one_hot(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    x = 0.01 * rng.standard_normal(shape)
    if x.size:
        rows = x.reshape(-1, shape[-1])
        rows[np.arange(len(rows)), rng.integers(shape[-1], size=len(rows))] += 12.0
    return x


def _alternating(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.abs(rng.standard_normal(shape)) * np.where(np.arange(shape[-1]) % 2, -3.0, 3.0)


def _heavy_tail(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    # Clipped where products of two such values still fit every format but float16.
    return np.clip(rng.standard_cauchy(shape), -1e3, 1e3)


def _outliers(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    # As in the accuracy table of FlashAttention-3 (Shah et al. 2024, §4.3): N(0, 1) + N(0, 100)·Bernoulli(0.001).
    return rng.standard_normal(shape) + 10.0 * rng.standard_normal(shape) * (rng.random(shape) < 1e-3)


def _subnormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    # Below the least normal number of float16. Those of float32 and bfloat16 are not drawn: as operands of a product
    # they are taken for zeros by much hardware, and by PyTorch's bfloat16 products on the CPU.
    return np.asarray(2.0**-16 * rng.choice((-1.0, 1.0), shape) * rng.uniform(1.0, 2.0, shape))


def _huge(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    # exp() of these overflows float64, and their products leave float16.
    return 400.0 * rng.standard_normal(shape)


def _zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.zeros(shape)


REGIMES: Mapping[str, Regime] = MappingProxyType(
    {
        "integers": _integers,
        "normal": _normal,
        "large": _large,
        "small": _small,
        "offset": _offset,
        "spike": _spike,
        "constant": _constant,
        "near one-hot": _near_one_hot,
        "alternating": _alternating,
        "heavy tail": _heavy_tail,
        "outliers": _outliers,
        "subnormal": _subnormal,
        "huge": _huge,
        "zeros": _zeros,
    }
)


def _counting(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.broadcast_to(np.arange(shape[-1], dtype=np.float64), shape).copy()


def _far(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    # Beyond these the angle of a rotation has no digits of its phase left in float32.
    return 2.0**20 + _counting(rng, shape)


# The places of tokens, for what is computed from them.
PLACES: Mapping[str, Regime] = MappingProxyType({"counting": _counting, "far": _far})


def _one_hot(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    x = np.zeros(shape)
    if x.size:
        x.flat[rng.integers(x.size)] = 1.0
    return x


def _ones(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return np.ones(shape)


COTANGENTS: Mapping[str, Regime] = MappingProxyType(
    {
        "integers": _integers,
        "normal": _normal,
        "one-hot": _one_hot,
        "ones": _ones,
        "large": _large,
        "zeros": _zeros,
    }
)


# Probability that a random mask keeps an entry, and that it empties a row.
KEPT = 0.7
EMPTIED = 0.3
Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]


def _some(rng: np.random.Generator, shape: tuple[int, ...]) -> Mask:
    return rng.random(shape) < KEPT


def _some_rows(rng: np.random.Generator, shape: tuple[int, ...]) -> Mask:
    return np.asarray(_some(rng, shape) & (rng.random((*shape[:-1], 1)) >= EMPTIED))


BOOLEANS: Mapping[str, Callable[[np.random.Generator, tuple[int, ...]], Mask]] = MappingProxyType(
    {
        "random": _some,
        "some rows": _some_rows,
        "true": lambda rng, shape: np.ones(shape, np.bool_),
        "false": lambda rng, shape: np.zeros(shape, np.bool_),
    }
)


def _anywhere(rng: np.random.Generator, shape: tuple[int, ...], size: int) -> Positions:
    return rng.integers(size, size=shape)


def _few(rng: np.random.Generator, shape: tuple[int, ...], size: int) -> Positions:
    # Many duplicates, wherever they point.
    return rng.integers(size, size=2)[rng.integers(2, size=shape)]


POSITIONS: Mapping[str, Callable[[np.random.Generator, tuple[int, ...], int], Positions]] = MappingProxyType(
    {
        "random": _anywhere,
        "few": _few,
        "first": lambda rng, shape, size: np.zeros(shape, np.int64),
        "last": lambda rng, shape, size: np.full(shape, size - 1, np.int64),
    }
)


def representable(x: Array, dtype: torch.dtype) -> Array:
    """`x` rounded to the nearest value of `dtype`, as float64; finite values stay finite.

    The error bound covers the computation alone, so inputs must be the same numbers for the reference and the target.
    """
    if dtype == torch.float64:
        return x
    limit = torch.finfo(dtype).max
    # NumPy makes a scalar of an array without axes.
    rounded = torch.from_numpy(np.asarray(np.clip(x, -limit, limit))).to(dtype).to(torch.float64)
    return np.where(np.isinf(x), x, rounded.numpy())
