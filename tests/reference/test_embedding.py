"""Embedding and tied output within their generated bounds of the exact values, torch's own among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from lemmata.tests.reference import agreement
from lemmata.tests.reference.differences import Function, Named
from lemmata.tests.reference.functions import function
from lemmata.tests.reference.problems import REGIMES

Array = Any
Arguments = dict[str, Any]

SEEDS = range(4)
ROOM = 5  # sizes of a problem are at most so large; with so few rows most tables are hit more than once


def embedding(at: Named) -> dict[str, Array]:
    """Rows of the table; those that are not trained stay where they are when it moves."""
    return {"y": at["w"][[int(token) for token in at["ids"]]]}


def tied_output(at: Named) -> dict[str, Array]:
    """Products with every row."""
    return {"logits": at["h"] @ at["w"].T}


FORMULAS: dict[str, Function] = {"embedding": embedding, "tied_output": tied_output}


def problem(name: str, regime: str, seed: int) -> tuple[Arguments, Arguments, Arguments]:
    """Inputs, cotangents and tangents."""
    rng = np.random.default_rng([seed, *regime.encode(), *name.encode()])
    rows, tokens, d = (int(size) for size in rng.integers(1, ROOM + 1, 3))
    inputs: Arguments = {"w": REGIMES[regime](rng, (rows, d))}
    tangents = {"tw": rng.standard_normal((rows, d))}
    if name == "embedding":
        inputs["ids"] = rng.integers(0, rows, tokens)
        return inputs, {"dy": rng.standard_normal((tokens, d))}, tangents
    inputs["h"] = rng.standard_normal((tokens, d))
    return (
        inputs,
        {"dlogits": rng.standard_normal((tokens, rows))},
        {**tangents, "th": rng.standard_normal((tokens, d))},
    )


def by_torch(name: str, inputs: Arguments, cotangents: Arguments) -> dict[str, Array]:
    """Outputs and gradients of torch in float64."""
    leaves = {key: torch.from_numpy(inputs[key]).requires_grad_() for key in ("h", "w") if key in inputs}
    if name == "embedding":
        out = torch.nn.functional.embedding(torch.from_numpy(inputs["ids"]), leaves["w"])
    else:
        out = torch.nn.functional.linear(leaves["h"], leaves["w"])
    ((cotangent, dy),) = cotangents.items()
    gradients = torch.autograd.grad(out, tuple(leaves.values()), torch.from_numpy(dy))
    return {
        cotangent.removeprefix("d"): out.detach().numpy(),
        **{f"d{key}": slope.numpy() for key, slope in zip(leaves, gradients, strict=True)},
    }


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("name", FORMULAS)
def test_the_reference_and_torch_are_within_the_bound(name: str, regime: str) -> None:
    for seed in SEEDS:
        inputs, cotangents, tangents = problem(name, regime, seed)
        right = agreement.exact(name, FORMULAS[name], inputs, cotangents, tangents)
        allowed = agreement.bounds(name, inputs, cotangents, tangents)
        agreement.hold(agreement.results(name, inputs, cotangents, tangents), right, allowed)
        agreement.hold(by_torch(name, inputs, cotangents), right, allowed)


IDS = np.array([[2, 0, 2, 1], [1, 1, 1, 2]])  # a batch of two, with duplicates
TABLE = np.array([[1.0, -2.0], [0.5, 4.0], [8.0, -0.25]])
COTANGENT = np.array([[[1.0, 2.0], [4.0, 8.0], [16.0, 32.0], [64.0, 128.0]]] * 2)


def test_duplicates_are_summed_over_tokens_and_batch() -> None:
    """Powers of two: every sum is exact, and says which terms are in it."""
    dw = function("embedding", "_vjp")(IDS, TABLE, COTANGENT)
    assert dw.tolist() == [[4.0, 8.0], [64.0 + 1 + 4 + 16, 128.0 + 2 + 8 + 32], [1.0 + 16 + 64, 2.0 + 32 + 128]]


@pytest.mark.parametrize("padding", range(3))
def test_the_padding_row_is_read_and_has_no_gradient_as_in_torch(padding: int) -> None:
    trained = np.arange(3) != padding
    table = torch.from_numpy(TABLE).requires_grad_()
    out = torch.nn.functional.embedding(torch.from_numpy(IDS), table, padding_idx=padding)
    (theirs,) = torch.autograd.grad(out, table, torch.from_numpy(COTANGENT))
    assert np.array_equal(function("embedding")(IDS, TABLE, trained=trained), out.detach().numpy())
    dw = function("embedding", "_vjp")(IDS, TABLE, COTANGENT, trained=trained)
    assert np.array_equal(dw, theirs.numpy())
    assert (dw[padding] == 0.0).all()
    assert (dw[trained] != 0.0).any()
    ty = function("embedding", "_jvp")(IDS, TABLE, np.ones_like(TABLE), trained=trained)
    assert np.array_equal(ty == 0.0, np.broadcast_to(np.equal(IDS, padding)[..., None], ty.shape))


def test_a_scatter_that_overwrites_is_seen() -> None:
    """What `dw[ids] = dy` gives instead of the sum is outside the bound."""
    inputs, cotangents, tangents = {"ids": IDS[0], "w": TABLE}, {"dy": COTANGENT[0]}, {"tw": np.ones_like(TABLE)}
    right = agreement.exact("embedding", embedding, inputs, cotangents, tangents)
    allowed = agreement.bounds("embedding", inputs, cotangents, tangents)
    found = agreement.results("embedding", inputs, cotangents, tangents)
    agreement.hold(found, right, allowed)
    overwritten = np.zeros_like(found["dw"])
    overwritten[inputs["ids"]] = cotangents["dy"]
    with pytest.raises(AssertionError, match="times the bound"):
        agreement.hold({"dw": overwritten}, right, allowed)
