"""The laws of attention, as properties of an implementation.

The tolerance of a law is the sum of the element bounds of what it compares, so a law can only fail where an element is
outside of its bound, the bitwise ones apart; what it adds is the name of what is broken.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .compare import Finding, broken, compare, merged, same_bits, total
from .contracts import COSTLY, Check, Trial
from .laws_batches import Part, laws_of_batches
from .laws_of_nan import nan_laws
from .problems import DTYPES, OUTPUT, AnyArray, Problem
from .profiles import Profile
from .values import Array, representable

KEY_GRADIENT_SUM = "Σ dK = 0"


def _keys_permuted(trial: Trial, profile: Profile) -> Finding | None:
    """The order of the keys, with their values and mask, is free."""
    problem = trial.problem
    keys = problem.arrays["key"].shape[2]
    if not _has_scores(trial) or keys < 2 or problem.options.get("is_causal"):
        return None
    order = _choices(trial).permutation(keys)
    changed = {name: problem.arrays[name][:, :, order] for name in ("key", "value")}
    mask = problem.arrays.get("attn_mask")
    if mask is not None and mask.shape[-1] > 1:
        changed["attn_mask"] = mask[..., order]
    output = trial.evaluate(problem.with_arrays(**changed))
    # A permutation of the keys permutes the terms of the bound.
    return _compare(trial, "output with permuted keys", output, 2 * trial.bound(profile).output)


def _linear_in_value(trial: Trial, profile: Profile) -> Finding | None:
    """Two values that add up to the value give two outputs that add up to its output.

    One half of the values of the odd keys goes to the second part: an error that is the same function of each number,
    or that adds up over keys, would not show in parts that do not overlap.
    """
    if not _has_scores(trial):
        return None
    value: Array = trial.problem.arrays["value"]
    # Both parts are exact: halving rounds a subnormal number to one whose distance from it is a number too.
    half = representable(value / 2, DTYPES[trial.dtype])
    first = np.where(np.arange(value.shape[2])[:, None] % 2, half, value)
    parts = [trial.problem.with_arrays(value=part) for part in (first, value - first)]
    outputs = [trial.evaluate(part) for part in parts]
    if outputs[0] is None or outputs[1] is None:
        return None
    allowed = trial.bound(profile).output
    for part in parts:
        allowed = allowed + trial.bound_of(part.without_gradient(), profile).output
    return _compare(trial, "output for the sum of two values", outputs[0] + outputs[1], allowed)


def _head_alone(trial: Trial) -> Part | None:
    """The last batch entry and group of heads."""
    problem = trial.problem
    batch, kv_heads = problem.arrays["key"].shape[:2]
    heads = problem.arrays["query"].shape[1]
    last = np.arange(heads - heads // kv_heads, heads) if batch * kv_heads > 1 else None
    return None if last is None else _heads(trial, slice(-1, None), last, np.array([kv_heads - 1]))


def _heads_reversed(trial: Trial) -> Part | None:
    """Batch entries and groups of heads from the last to the first."""
    problem = trial.problem
    batch, kv_heads = problem.arrays["key"].shape[:2]
    order = np.arange(problem.arrays["query"].shape[1]).reshape(kv_heads, -1)[::-1].reshape(-1)
    return _heads(trial, slice(None, None, -1), order, np.arange(kv_heads)[::-1]) if batch * kv_heads > 1 else None


def _heads(trial: Trial, entries: slice, heads: AnyArray, kv_heads: AnyArray) -> Part | None:
    problem = trial.problem
    if not _has_scores(trial):
        return None
    changed: dict[str, AnyArray] = {"query": problem.arrays["query"][entries][:, heads]}
    changed |= {name: problem.arrays[name][entries][:, kv_heads] for name in ("key", "value")}
    mask = problem.arrays.get("attn_mask")
    if mask is not None and mask.ndim == 4:
        changed["attn_mask"] = mask[entries][:, heads if mask.shape[1] > 1 else slice(None)]
    taken = problem.with_arrays(**{name: np.ascontiguousarray(x) for name, x in changed.items()})
    cotangents = {name: np.ascontiguousarray(x[entries][:, heads]) for name, x in problem.cotangents.items()}
    return Part(taken.with_cotangents(cotangents), (entries, heads))


def _causal(trial: Trial, profile: Profile) -> Finding | None:
    """Other keys and values from a position on leave the outputs before it as they are, bit for bit."""
    problem = trial.problem
    keys = problem.arrays["key"].shape[2]
    if not (_has_scores(trial) and problem.options.get("is_causal") and keys > 1):
        return None
    position = int(_choices(trial).integers(1, keys))
    later = np.arange(keys)[:, None] >= position
    # Representable in every dtype, and different from what was there.
    changed = {name: np.where(later, 1.0 - np.sign(x), x) for name, x in _tokens(problem).items()}
    # In the layouts that they have: what is equal along the first axis still is, and another may be rounded otherwise.
    output = trial.evaluate(replace(problem.with_arrays(**changed), layouts=problem.layouts))
    if output is None:
        return None
    return same_bits(f"output before position {position}", output[:, :, :position], trial.output[:, :, :position])


def _convex_blend(trial: Trial, profile: Profile) -> Finding | None:
    """Every output is between the least and the greatest value, of a row with a key at least."""
    if not _has_scores(trial):
        return None
    problem = trial.problem
    group = problem.arrays["query"].shape[1] // problem.arrays["key"].shape[1]
    least, greatest = (
        np.repeat(reduce(problem.arrays["value"], axis=2, keepdims=True), group, axis=1) for reduce in (np.min, np.max)
    )
    # Fully masked rows are 0.
    live = np.logical_not(fully_masked(problem))[..., None]
    nearest = np.where(live, np.clip(trial.output, least, greatest), trial.output)
    return compare("output between the values", trial.output, nearest, trial.bound(profile).output)


def _key_gradient_sum(trial: Trial, profile: Profile) -> Finding | None:
    if not _has_gradients(trial, "key"):
        return None
    sums, allowed = total(trial.gradients["key"], trial.bound(profile).gradients["key"], 2)
    return compare("sum of dK over the keys", sums, np.zeros(sums.shape), allowed)


def _value_pairing(trial: Trial, profile: Profile) -> Finding | None:
    """⟨dV, V⟩ = ⟨dO, O⟩ for each head of keys and values."""
    if not _has_gradients(trial, "value"):
        return None
    bound = trial.bound(profile)
    value, do = trial.problem.arrays["value"], trial.problem.cotangent
    left = _paired(trial.gradients["value"], value, bound.gradients["value"], 1)
    right = _paired(trial.output, do, bound.output, _group(trial))
    return compare("⟨dV,V⟩", left[0], right[0], left[1] + right[1])


def _query_pairing(trial: Trial, profile: Profile) -> Finding | None:
    """⟨dQ, Q⟩ = ⟨dK, K⟩ for each head of keys and values."""
    if not _has_gradients(trial, "query", "key"):
        return None
    bound = trial.bound(profile)
    query, key = trial.problem.arrays["query"], trial.problem.arrays["key"]
    left = _paired(trial.gradients["query"], query, bound.gradients["query"], _group(trial))
    right = _paired(trial.gradients["key"], key, bound.gradients["key"], 1)
    return compare("⟨dQ,Q⟩", left[0], right[0], left[1] + right[1])


def _masked_rows(trial: Trial, profile: Profile) -> Finding | None:
    """A row whose keys are all masked is 0, its log-sum-exp −∞, and the gradient of its query 0."""
    if trial.run.failure or not trial.problem.cotangent.size:
        return None
    # Where even a masked score may overflow (`overflow`), nothing is said of the row.
    rows = fully_masked(trial.problem) & np.isfinite(trial.bound(profile).output).all(axis=-1)
    if not rows.any():
        return None
    finding = same_bits("a fully masked row of the output", trial.output[rows], np.zeros(trial.output[rows].shape))
    if finding.failure is None and len(trial.outputs) > 1:
        (lse,) = (x for name, x in trial.outputs.items() if name != OUTPUT)
        finding = same_bits("the log-sum-exp of a fully masked row", lse[rows], np.full(lse[rows].shape, -np.inf))
    if finding.failure is None and "query" in trial.gradients:
        gradient = trial.gradients["query"][rows & np.isfinite(trial.bound(profile).gradients["query"]).all(axis=-1)]
        return same_bits("the query gradient of a fully masked row", gradient, np.zeros(gradient.shape))
    return finding


def _masked_nan(trial: Trial, profile: Profile) -> Finding | None:
    """NaN in a key and a value that every row of their heads masks reaches neither the output nor a gradient.

    PyTorch's convention is the other one: a masked weight is the number 0, and 0·NaN is NaN. Hence a warning.
    """
    if not _has_scores(trial):
        return None
    group = _group(trial)
    hidden = masked(trial.problem)
    unused = np.asarray(hidden.reshape(hidden.shape[0], -1, group, *hidden.shape[2:]).all(axis=(2, 3)))[..., None]
    if not unused.any():
        return None
    changed = {name: np.where(unused, np.nan, x) for name, x in _tokens(trial.problem).items()}
    run = trial.call(trial.problem.with_arrays(**changed))
    if run.refusal is not None:
        return None
    where = "with NaN in keys and values that are masked for every query"
    if run.failure or run.gradient_failure:
        return broken(f"{where}, the call {run.failure or run.gradient_failure}")
    before, bound, after = trial.run.results, trial.bound(profile).named, run.results
    # Another path through the code may round otherwise: both calls are within the bound, and no more is asked of them.
    findings = [compare(f"{k} {where}", after[k], x, 2 * bound[k]) for k, x in before.items() if k in after]
    finding = merged(findings)
    if finding.failure is None:
        return finding
    return replace(finding, failure=f"{finding.failure}: a masked weight counts as the number 0, and 0·NaN = NaN")


def masked(problem: Problem) -> AnyArray:
    """Which entries of the scores `[B, H·r, n, m]` are masked."""
    query, key = problem.arrays["query"], problem.arrays["key"]
    shape = (*query.shape[:3], key.shape[2])
    mask = problem.arrays.get("attn_mask")
    if problem.options.get("is_causal"):
        return np.broadcast_to(~np.tri(*shape[2:], dtype=np.bool_), shape)
    if mask is None:
        return np.zeros(shape, np.bool_)
    return np.broadcast_to(~mask if mask.dtype == np.bool_ else mask == -np.inf, shape)


def fully_masked(problem: Problem) -> AnyArray:
    """Which rows `[B, H·r, n]` have no key."""
    return np.asarray(masked(problem).all(axis=-1))


def _compare(trial: Trial, name: str, output: Array | None, allowed: Array) -> Finding | None:
    return None if output is None else compare(name, output, trial.output, allowed)


def _tokens(problem: Problem) -> dict[str, Array]:
    return {name: problem.arrays[name] for name in ("key", "value")}


def _paired(x: Array, y: Array, errors: Array, group: int) -> tuple[Array, Array]:
    """⟨x, y⟩ per batch entry and head of keys and values, and what it may be off by."""
    batch, heads = x.shape[:2]
    flat = (batch, heads // group, -1)
    with np.errstate(invalid="ignore"):
        # 0 · ∞: an entry that does not count cannot add an error.
        weighted = np.where(y == 0.0, 0.0, errors * np.abs(y))
    return total((x * y).reshape(flat), weighted.reshape(flat), 2)


def _group(trial: Trial) -> int:
    return int(trial.problem.arrays["query"].shape[1] // trial.problem.arrays["key"].shape[1])


def _has_scores(trial: Trial) -> bool:
    arrays = trial.problem.arrays
    return trial.run.failure is None and bool(arrays["query"].size and arrays["key"].size)


def _has_gradients(trial: Trial, *names: str) -> bool:
    return _has_scores(trial) and trial.run.complete and all(name in trial.gradients for name in names)


def _choices(trial: Trial) -> np.random.Generator:
    case: Any = trial.case
    return np.random.default_rng(case.seed)


ATTENTION_LAWS = (
    Check(
        "blend of the values",
        _convex_blend,
        "attention S1",
        meaning="each output is between the least and the greatest value of its row's keys",
    ),
    Check(
        "linear in V",
        _linear_in_value,
        "attention S3",
        one_in=COSTLY,
        meaning="two values that add up to the value give outputs that add up to the output",
    ),
    Check(
        "keys permuted with values",
        _keys_permuted,
        "attention S5",
        meaning="the order of the keys, with their values and mask, is free",
    ),
    *laws_of_batches("heads are independent", _head_alone, _heads_reversed, "attention S7"),
    Check(
        "causal",
        _causal,
        "attention S8",
        bounded=False,
        meaning="other keys and values from a position on leave the outputs before it as they are, bit for bit",
    ),
    Check(
        KEY_GRADIENT_SUM,
        _key_gradient_sum,
        "attention S17",
        meaning="the gradient of the keys adds up to 0, as what is added to every key changes nothing",
    ),
    Check(
        "⟨dV,V⟩ = ⟨dO,O⟩",
        _value_pairing,
        "attention S18",
        meaning="the gradient law of linearity in the values, for each head of keys and values",
    ),
    Check(
        "⟨dQ,Q⟩ = ⟨dK,K⟩",
        _query_pairing,
        "attention S19",
        meaning="the gradient law of (aQ, K/a), for each head of keys and values",
    ),
    Check(
        "fully masked rows are 0",
        _masked_rows,
        meaning="a row without keys is 0, its log-sum-exp is −∞, and the gradient of its query is 0",
    ),
    Check(
        "masked NaN does not leak",
        _masked_nan,
        severity="warning",
        meaning="NaN in keys and values that every row masks reaches no output and no gradient",
    ),
    # PyTorch's flash attention on the CPU gives zeros for a query of NaN and fewer than 16 keys.
    *nan_laws(may_be_lost=True),
)
