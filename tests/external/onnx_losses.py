"""ONNX's losses in terms of the reference of cross-entropy: classes last, all other axes one row after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from lemmata.reference.bounds.cross_entropy import cross_entropy_bound
from lemmata.reference.bounds.log_softmax import log_softmax_bound
from lemmata.reference.cross_entropy import cross_entropy
from lemmata.reference.log_softmax import log_softmax
from lemmata.reference.logsumexp import logsumexp
from lemmata.tests.external.onnx_cases import Case, Expected

Array = Any
REDUCTIONS = ("none", "sum", "mean")  # in the order in which the reference returns them


def softmax_cross_entropy_loss(case: Case) -> Expected:
    """cross_entropy, log_softmax"""
    scores = np.moveaxis(case.wide("scores"), 1, -1)
    labels = case.inputs["labels"]
    values, bounds, at = _losses(case, scores, labels, case.wide("weights"))
    shape = labels.shape if at == 0 else ()
    expected = {"output": (values[at].reshape(shape), bounds[at].reshape(shape))}
    if "log_prob" in case.outputs:
        found = (log_softmax(scores), log_softmax_bound(scores, precision=case.precision))
        expected["log_prob"] = (np.moveaxis(found[0], -1, 1), np.moveaxis(found[1], -1, 1))
    return expected


def negative_log_likelihood_loss(case: Case) -> Expected:
    """cross_entropy, of which the logsumexp is taken away: what is left is −weight[t] x[t]"""
    scores = np.moveaxis(case.wide("input"), 1, -1)
    labels, weight = case.inputs["target"], case.wide("weight")
    values, bounds, at = _losses(case, scores, labels, weight)
    rows = logsumexp(scores.reshape(-1, scores.shape[-1]))
    keep, target = _targets(case, labels)
    shares = keep * (np.ones(len(rows)) if weight is None else weight[target])
    extra = (shares * rows, (shares * rows).sum(), (shares * rows).sum() / shares.sum())
    shape = labels.shape if at == 0 else ()
    return {"loss": ((values[at] - extra[at]).reshape(shape), bounds[at].reshape(shape))}


def _losses(
    case: Case, scores: Array, labels: Array, weight: Array | None
) -> tuple[tuple[Array, ...], tuple[Array, ...], int]:
    """Losses, total and mean with their bounds, and which of them the case asks for."""
    keep, target = _targets(case, labels)
    rows = scores.reshape(-1, scores.shape[-1])
    values = cross_entropy(rows, target, weight, keep)
    bounds = cross_entropy_bound(rows, target, weight, keep, precision=case.precision)
    return values, bounds, REDUCTIONS.index(case.attributes.get("reduction", b"mean").decode())


def _targets(case: Case, labels: Array) -> tuple[Array, Array]:
    """Which rows are kept, and a class for each row: any one where it is ignored."""
    target = labels.reshape(-1)
    ignored = case.attributes.get("ignore_index")
    keep = np.ones(target.shape, np.bool_) if ignored is None else target != ignored
    return keep, np.where(keep, target, 0)
