"""Losses within their generated bounds of the exact values, torch's own among them, with all options at once."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
import torch
from lemmata.tests.reference import agreement, autograd
from lemmata.tests.reference.differences import Function, Named, mapped
from lemmata.tests.reference.functions import function
from lemmata.tests.reference.problems import REGIMES

Array = Any
Arguments = dict[str, Any]

LOSSES = ("cross_entropy", "smoothed_cross_entropy", "soft_cross_entropy", "linear_cross_entropy")
# Squares of log-sum-exps beyond 1e154 overflow.
ROWS = tuple(name for name in REGIMES if name != "astronomic")
SEEDS = range(3)
IGNORE = -100
ROOM = 4  # rows and classes of a problem are at most so many


def formula(name: str) -> Function:
    """The loss of each row, their sum and their mean, as torch documents them, with the z-loss of PaLM."""

    def losses(at: Named) -> dict[str, Array]:
        logits = at["h"] @ at["w"].T if "h" in at else at["x"]
        rows, classes = logits.shape
        weight = at.get("weight", np.full(classes, mp.mpf(1), dtype=object))
        keep = at.get("keep", np.full(rows, mp.mpf(1), dtype=object))
        zeta, smoothing = at.get("zeta", mp.mpf(0)), at.get("smoothing", mp.mpf(0))
        logp = np.array([row - mp.log(mapped(mp.exp, row).sum()) for row in logits], dtype=object)
        if "y" in at:
            targets, share = at["y"], keep
        else:
            labels = [int(label) for label in at["target"]]
            one_hot = np.array([[mp.mpf(label == v) for v in range(classes)] for label in labels], dtype=object)
            targets = (1 - smoothing) * one_hot + smoothing / classes
            share = keep * weight[labels]
        lse = np.array([mp.log(mapped(mp.exp, row).sum()) for row in logits], dtype=object)
        loss = keep * (-(weight * targets * logp).sum(-1) + zeta * lse**2)
        return {"loss": loss, "total": loss.sum(), "mean": loss.sum() / share.sum()}

    return losses


def problem(name: str, regime: str, seed: int) -> tuple[Arguments, Arguments, Arguments]:
    """Inputs with every option (some left out by turns), cotangents of all reductions, and tangents."""
    rng = np.random.default_rng([seed, *regime.encode(), *name.encode()])
    rows, classes, d = (int(size) for size in rng.integers(1, ROOM + 1, 3))
    inputs: Arguments = {}
    if name.startswith("linear"):
        inputs |= {"h": REGIMES[regime](rng, (rows, d)), "w": rng.standard_normal((classes, d))}
    else:
        inputs["x"] = REGIMES[regime](rng, (rows, classes))
    if name.startswith("soft"):
        inputs["y"] = rng.dirichlet(np.ones(classes), rows)
    else:
        inputs["target"] = rng.integers(0, classes, rows)
    if name.startswith("smoothed"):
        inputs["smoothing"] = float(rng.choice([0.1, 0.5, 1.0]))
    if seed % 3 != 1:
        inputs["weight"] = rng.uniform(0.25, 2.0, classes)
        inputs["keep"] = rng.random(rows) < 0.7
        inputs["keep"][rng.integers(rows)] = True
    if seed % 3 != 2:
        inputs["zeta"] = 1e-2
    moving = [key for key in ("x", "y", "h", "w") if key in inputs]
    tangents = {f"t{key}": rng.standard_normal(inputs[key].shape) for key in moving}
    cotangents: Arguments = {
        "dloss": rng.standard_normal(rows),
        "dtotal": rng.standard_normal(()),
        "dmean": rng.standard_normal(()),
    }
    return inputs, cotangents, tangents


REDUCTIONS = {"none": "loss", "sum": "total", "mean": "mean"}


def by_torch(inputs: Arguments, cotangents: Arguments, reduction: str) -> dict[str, Array]:
    """One reduction and its gradients, of `torch.nn.functional.cross_entropy` with the z-loss added."""
    leaves = {key: torch.from_numpy(inputs[key]).requires_grad_() for key in ("x", "y", "h", "w") if key in inputs}
    logits = leaves["x"] if "x" in leaves else leaves["h"] @ leaves["w"].T
    keep = torch.from_numpy(inputs.get("keep", np.ones(len(logits), bool)))
    weight = torch.from_numpy(inputs["weight"]) if "weight" in inputs else None
    if "y" in leaves:
        targets, share = leaves["y"] * keep[:, None], keep.double()
    else:
        labels = torch.from_numpy(inputs["target"])
        targets = torch.where(keep, labels, IGNORE)
        share = keep.double() if weight is None else keep * weight[labels]
    # torch ignores no soft target: it divides by all rows.
    own = reduction if reduction != "mean" or "y" not in leaves else "sum"
    loss = torch.nn.functional.cross_entropy(
        logits,
        targets,
        weight,
        ignore_index=IGNORE,
        reduction=own,
        label_smoothing=inputs.get("smoothing", 0.0),
    )
    penalty = inputs.get("zeta", 0.0) * keep.double() * autograd.logsumexp(logits) ** 2
    if own != reduction:
        loss = loss / share.sum()
    if reduction != "none":
        penalty = penalty.sum() if reduction == "sum" else penalty.sum() / share.sum()
    output = loss + penalty
    name = REDUCTIONS[reduction]
    weights = torch.as_tensor(cotangents[f"d{name}"], dtype=torch.float64)
    gradients = torch.autograd.grad(output, tuple(leaves.values()), weights)
    return {
        name: output.detach().numpy(),
        **{f"d{key}": slope.numpy() for key, slope in zip(leaves, gradients, strict=True)},
    }


@pytest.mark.parametrize("regime", ROWS)
@pytest.mark.parametrize("name", LOSSES)
def test_the_reference_is_within_the_bound(name: str, regime: str) -> None:
    for seed in SEEDS:
        inputs, cotangents, tangents = problem(name, regime, seed)
        right = agreement.exact(name, formula(name), inputs, cotangents, tangents)
        allowed = agreement.bounds(name, inputs, cotangents, tangents)
        agreement.hold(agreement.results(name, inputs, cotangents, tangents), right, allowed)


@pytest.mark.parametrize("regime", ROWS)
@pytest.mark.parametrize("name", LOSSES)
def test_torch_is_within_the_bound(name: str, regime: str) -> None:
    for seed in SEEDS:
        inputs, cotangents, tangents = problem(name, regime, seed)
        reduction = tuple(REDUCTIONS)[(seed + len(regime)) % len(REDUCTIONS)]  # each with every set of options
        one = {key: x * (key == f"d{REDUCTIONS[reduction]}") for key, x in cotangents.items()}
        right = agreement.exact(name, formula(name), inputs, one, tangents)
        allowed = agreement.bounds(name, inputs, one, tangents)
        agreement.hold(by_torch(inputs, one, reduction), right, allowed)


# Conventions ---------------------------------------------------------------------------------------------------------


def test_if_every_row_is_ignored_the_mean_is_nan_and_the_rest_is_0() -> None:
    inputs, _, _ = problem("cross_entropy", "normal", 0)
    rows = len(inputs["target"])
    inputs["keep"] = np.zeros(rows, bool)
    with np.errstate(invalid="ignore"):
        loss, total, mean = function("cross_entropy")(**inputs)
    assert (loss == 0.0).all()
    assert total == 0.0
    assert np.isnan(mean)
    theirs = torch.nn.functional.cross_entropy(torch.from_numpy(inputs["x"]), torch.full((rows,), IGNORE))
    assert torch.isnan(theirs)


def test_a_class_that_is_masked_out_has_no_share_and_no_gradient() -> None:
    """A logit of −∞ (a vocabulary that is padded): the others have the loss that they have alone."""
    x = np.array([[0.5, -np.inf, 1.5], [0.0, -np.inf, -1.0]])
    target = np.array([2, 0])
    loss, _, _ = function("cross_entropy")(x, target, zeta=1e-2)
    dx = function("cross_entropy", "_vjp")(x, target, np.ones(2), zeta=1e-2)
    narrow, labels = x[:, [0, 2]], np.array([1, 0])
    assert (loss == function("cross_entropy")(narrow, labels, zeta=1e-2)[0]).all()
    assert (dx[:, 1] == 0.0).all()
    assert (dx[:, [0, 2]] == function("cross_entropy", "_vjp")(narrow, labels, np.ones(2), zeta=1e-2)).all()


def test_what_an_ignored_row_holds_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    x, target, keep = rng.standard_normal((3, 5)), np.array([1, 4, 0]), np.array([False, True, True])
    cotangents = {"dloss": rng.standard_normal(3), "dtotal": np.float64(0.5), "dmean": np.float64(2.0)}
    found = []
    for row in (x[0], np.array([1e150, -1e150, 0.0, -np.inf, 2.0])):
        given = {"x": np.concatenate([row[None], x[1:]]), "target": target, "keep": keep, "weight": np.arange(1.0, 6.0)}
        found.append([*function("cross_entropy")(**given), function("cross_entropy", "_vjp")(**given, **cotangents)])
    assert found[0][0][0] == 0.0
    assert (found[0][3][0] == 0.0).all()
    for one, other in zip(*found, strict=True):
        assert np.array_equal(one, other)


# Faults --------------------------------------------------------------------------------------------------------------


def faulty(name: str, fault: str) -> Function:
    """The losses with a fault that has been shipped."""
    right = formula(name)

    def losses(at: Named) -> dict[str, Array]:
        moved = dict(at)
        if fault == "smoothing spares the target":
            classes = at["x"].shape[-1]
            moved["smoothing"] = at["smoothing"] * classes / max(classes - 1, 1)
        if fault == "class weights are ignored":
            moved.pop("weight", None)
        found = right(moved)
        if fault == "the mean is over all rows":
            found["mean"] = found["total"] / len(found["loss"])
        if fault == "the z-loss is the log-sum-exp itself":
            plain = right({**moved, "zeta": mp.mpf(0)})
            lse = np.array([mp.log(mapped(mp.exp, row).sum()) for row in at["x"]], dtype=object)
            found["loss"] = plain["loss"] + at["keep"] * at["zeta"] * lse
        return found

    return losses


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("smoothed_cross_entropy", "smoothing spares the target"),
        ("smoothed_cross_entropy", "class weights are ignored"),
        ("cross_entropy", "class weights are ignored"),
        ("cross_entropy", "the mean is over all rows"),
        ("cross_entropy", "the z-loss is the log-sum-exp itself"),
        ("soft_cross_entropy", "class weights are ignored"),
    ],
)
def test_a_fault_is_seen(name: str, fault: str) -> None:
    inputs, cotangents, tangents = problem(name, "normal", 0)
    wrong = agreement.exact(name, faulty(name, fault), inputs, cotangents, tangents)
    found = agreement.results(name, inputs, cotangents, tangents)
    allowed = agreement.bounds(name, inputs, cotangents, tangents)
    with pytest.raises(AssertionError, match="times the bound"):
        agreement.hold(found, wrong, allowed)
