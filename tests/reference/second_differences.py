"""Exact Hessian-vector products: mixed second differences of textbook formulas, at many digits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.calculus.expr import Tensor
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.loss import CROSS_ENTROPY
from lemmata.derivations.softmax import LOGSUMEXP, SOFTMAX
from lemmata.tests.reference.differences import DIGITS, STEP, exact, mapped

Array = Any
Named = dict[str, Array]

SIZES = {"n": 2, "m": 3, "r": 2, "d": 2, "d_v": 2, "V": 3}


def softmax(at: Named) -> Named:
    a = mapped(mp.exp, at["x"])
    return {"p": a / a.sum()}


def logsumexp(at: Named) -> Named:
    return {"lse": np.array(mp.log(mapped(mp.exp, at["x"]).sum()), dtype=object)}


def attention(at: Named) -> Named:
    s = at["scale"] * np.einsum("ric,jc->rij", at["q"], at["k"]) + at["bias"]
    a = at["keep"] * mapped(mp.exp, s)
    z = a.sum(-1)
    return {"o": np.einsum("rij,je->rie", a / z[..., None], at["v"]), "lse": mapped(mp.log, z)}


def cross_entropy(at: Named) -> Named:
    labels = [int(label) for label in at["target"]]
    lse = mapped(mp.log, mapped(mp.exp, at["x"]).sum(-1))
    picked = np.array([at["x"][row, label] for row, label in enumerate(labels)], dtype=object)
    loss = at["keep"] * (at["weight"][labels] * (lse - picked) + at["zeta"] * lse**2)
    share = (at["keep"] * at["weight"][labels]).sum()
    return {"loss": loss, "total": np.array(loss.sum()), "mean": np.array(loss.sum() / share)}


FORMULAS: dict[str, Callable[[Named], Named]] = {
    "softmax": softmax,
    "logsumexp": logsumexp,
    "attention": attention,
    "cross_entropy": cross_entropy,
}
OPERATIONS = [SOFTMAX, LOGSUMEXP, ATTENTION, CROSS_ENTROPY]


def drawn(tensor: Tensor, rng: np.random.Generator) -> Array:
    """Whole multiples of an eighth, which floating point and fractions hold exactly."""
    shape = tuple(SIZES[dim.name] for dim in tensor.dims)
    if tensor.over is not None:
        return rng.integers(0, SIZES[tensor.over.name], shape)
    if tensor.kind == "boolean":
        mask = rng.random(shape) < 0.7
        mask[..., 0] = True
        return mask
    return rng.integers(-8, 9, shape) / 8


def by_differences(operation: Operation, values: Named) -> Named:
    """The Hessian of ⟨outputs, cotangents⟩ times the tangents, from the values of the outputs alone."""
    with mp.workdps(DIGITS):
        return _second_differences(operation, exact(values))


def _second_differences(operation: Operation, at: Named) -> Named:
    h = mp.mpf(10) ** -STEP
    moves = {t.name: at[operation.tangent(t).name] for t in operation.differentiable}

    def objective(moved: Named) -> Any:
        outputs = FORMULAS[operation.name]({**at, **moved})
        return sum(np.sum(at[operation.cotangent(t).name] * outputs[t.name]) for t in operation.program.outputs)

    found = {}
    for tensor in operation.differentiable:
        second = np.empty(at[tensor.name].shape, dtype=object)
        for place in np.ndindex(second.shape):
            corners = []
            for along in (h, -h):
                for across in (h, -h):
                    moved = {name: at[name] + along * move for name, move in moves.items()}
                    moved[tensor.name] = moved[tensor.name].copy()
                    moved[tensor.name][place] += across
                    corners.append(objective(moved))
            second[place] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h * h)
        found[operation.second(tensor).name] = second
    return found
