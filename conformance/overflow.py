"""Scores that overflow behind an additive mask, and sums that overflow where there is no score.

A mask of −∞ is added to a score. Where the score has left the range of the format that it is stored in, the sum is
∞ − ∞ = NaN, and the masked entry spoils its row: nothing can be said of what depends on it. A boolean mask replaces the
score, whatever it is, and needs no such rule.

Where there are no keys PyTorch gives 0 times the sum of its inputs, so that the output depends on them: NaN, if that
sum overflows, and so is the gradient if that of the cotangent does. Nothing is said there of such an output, or of such
gradients; where the sums are finite they have to be 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .problems import AnyArray, Problem, Values
from .profiles import Precision
from .rounding import unit_roundoff
from .values import Array


def spoiled_rows(problem: Problem, precision: Precision) -> AnyArray | None:
    """The rows `[B, H·r, n]` in which a score that −∞ masks may overflow; None if there are none."""
    mask = problem.arrays.get("attn_mask")
    if mask is None or mask.dtype == np.bool_ or not np.isneginf(mask).any():
        return None
    query, key = problem.arrays["query"], problem.arrays["key"]
    head_dim = query.shape[-1]
    scale = abs(problem.options.get("scale", head_dim**-0.5))
    keys = np.repeat(key, query.shape[1] // key.shape[1], axis=1).mT
    compute = precision["compute"]
    form = precision.get("s", compute)
    # A score, its error by a sum of so many terms and a scaling, and its rounding to the format.
    error = (head_dim + 2) * unit_roundoff(precision.get("accumulate", compute)) * (np.abs(query) @ np.abs(keys))
    largest = scale * (np.abs(query @ keys) + error) * (1 + unit_roundoff(form))
    rows = np.asarray((np.isneginf(mask) & (largest >= form.largest)).any(axis=-1))
    return rows if rows.any() else None


def without_bound(bound: Values, problem: Problem, rows: AnyArray) -> Values:
    """`bound`, infinite for everything that depends on the rows `[B, H·r, n]`."""
    batch, kv_heads = problem.arrays["key"].shape[:2]
    heads = np.asarray(rows.reshape(batch, kv_heads, -1).any(axis=-1))[..., None, None]
    spoiled = {"query": rows[..., None], "key": heads, "value": heads, "attn_mask": np.asarray(rows.any())}
    return Values(
        {
            name: np.where(rows if x.ndim == rows.ndim else rows[..., None], np.inf, x)
            for name, x in bound.outputs.items()
        },
        {name: np.where(spoiled[name], np.inf, gradient) for name, gradient in bound.gradients.items()},
    )


def overflowing_sums(problem: Problem, precision: Precision, bound: Values) -> Values:
    """The bound of attention without keys: infinite where the sum of all inputs is beyond the format, or for gradients
    that of a cotangent."""
    largest = precision.get("o", precision["compute"]).largest
    inputs = sum(float(np.abs(problem.arrays[name]).sum()) for name in ("query", "key", "value")) >= largest
    cotangents = any(float(np.abs(x).sum()) >= largest for x in problem.cotangents.values())
    return Values(_unbounded(bound.outputs, inputs), _unbounded(bound.gradients, inputs or cotangents))


def _unbounded(bounds: Mapping[str, Array], overflows: bool) -> Mapping[str, Array]:
    return {name: np.full(x.shape, np.inf) if overflows else x for name, x in bounds.items()}
