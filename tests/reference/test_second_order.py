"""Hessian-vector products within their generated bounds of the exact values; torch's, forward over reverse, as well."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from lemmata.derivations.calculus.operation import Operation
from lemmata.tests.reference import agreement
from lemmata.tests.reference.formats import IN_FLOAT64
from lemmata.tests.reference.functions import bound_of, function
from lemmata.tests.reference.second_differences import OPERATIONS, Named, by_differences, drawn

Tensors = dict[str, torch.Tensor]

SEEDS = range(4)


def softmax(at: Tensors) -> Tensors:
    return {"p": torch.softmax(at["x"], -1)}


def logsumexp(at: Tensors) -> Tensors:
    return {"lse": torch.logsumexp(at["x"], -1)}


def attention(at: Tensors) -> Tensors:
    s = at["scale"] * torch.einsum("ric,jc->rij", at["q"], at["k"]) + at["bias"]
    s = s.masked_fill(~at["keep"], -torch.inf)
    return {"o": torch.einsum("rij,je->rie", torch.softmax(s, -1), at["v"]), "lse": torch.logsumexp(s, -1)}


def cross_entropy(at: Tensors) -> Tensors:
    labels = torch.where(at["keep"], at["target"], -100)
    nll = torch.nn.functional.cross_entropy(at["x"], labels, at["weight"], reduction="none")
    loss = nll + at["keep"].double() * at["zeta"] * torch.logsumexp(at["x"], -1) ** 2
    share = (at["keep"] * at["weight"][at["target"]]).sum()
    return {"loss": loss, "total": loss.sum(), "mean": loss.sum() / share}


FORMULAS = {"softmax": softmax, "logsumexp": logsumexp, "attention": attention, "cross_entropy": cross_entropy}


def by_torch(operation: Operation, values: Named) -> Named:
    """The derivative of torch's gradient along the tangents."""
    at = {name: torch.as_tensor(x) for name, x in values.items()}
    moving = [t.name for t in operation.differentiable]

    def objective(*moved: torch.Tensor) -> torch.Tensor:
        outputs = FORMULAS[operation.name]({**at, **dict(zip(moving, moved, strict=True))})
        pairs = [at[operation.cotangent(t).name] * outputs[t.name] for t in operation.program.outputs]
        whole: torch.Tensor = torch.stack([pair.sum() for pair in pairs]).sum()
        return whole

    gradient = torch.func.grad(objective, argnums=tuple(range(len(moving))))
    tangents = tuple(at[operation.tangent(t).name] for t in operation.differentiable)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch's own forward mode uses torch.jit.script
        second = torch.func.jvp(gradient, tuple(at[name] for name in moving), tangents)[1]
    return {operation.second(t).name: x.numpy() for t, x in zip(operation.differentiable, second, strict=True)}


def named(operation: Operation, found: Any) -> Named:
    """The results by name."""
    parts = found if isinstance(found, tuple) else (found,)
    return {t.name: np.asarray(x) for t, x in zip(operation.hvp.outputs, parts, strict=True)}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda op: op.name)
def test_the_reference_and_torch_are_within_the_bound(operation: Operation) -> None:
    for seed in SEEDS:
        rng = np.random.default_rng([seed, *operation.name.encode()])
        values = {t.name: drawn(t, rng) for t in operation.hvp.inputs}
        right = by_differences(operation, values)
        allowed = named(operation, bound_of(operation.name, "_hvp")(**values, precision=IN_FLOAT64))
        agreement.hold(named(operation, function(operation.name, "_hvp")(**values)), right, allowed)
        agreement.hold(by_torch(operation, values), right, allowed)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda op: op.name)
def test_a_wrong_factor_is_seen(operation: Operation) -> None:
    """Half of the result is outside the bound."""
    rng = np.random.default_rng(list(operation.name.encode()))
    values = {t.name: drawn(t, rng) for t in operation.hvp.inputs}
    right = by_differences(operation, values)
    allowed = named(operation, bound_of(operation.name, "_hvp")(**values, precision=IN_FLOAT64))
    found = named(operation, function(operation.name, "_hvp")(**values))
    first = next(iter(found))
    with pytest.raises(AssertionError, match="times the bound"):
        agreement.hold({first: 0.5 * found[first]}, right, allowed)
