"""The laws of softmax, log_softmax and logsumexp, as properties of an implementation.

The tolerance of a law is the sum of the element bounds of what it compares, so a law can only fail where an element is
outside of its bound; what it adds is the name of what is broken.
"""

from __future__ import annotations

import numpy as np

from .compare import Finding, compare, total
from .contracts import COSTLY, Check, Trial
from .laws_batches import Part, laws_of_batches
from .laws_of_nan import nan_laws
from .problems import DTYPES, Problem
from .profiles import Profile
from .values import Array, representable

# Shifts to try, the largest first that is exact for every logit.
_SHIFTS = (64.0, 8.0, 1.0)
# How far below all others a logit is that stands for −∞ in the bound.
_FAR = 2000.0


def _sums_to_one(trial: Trial, profile: Profile) -> Finding | None:
    if not _has_rows(trial):
        return None
    dim = trial.problem.options["dim"]
    sums, allowed = total(trial.output, trial.bound(profile).output, dim)
    return compare("sum of a row", sums, np.ones(sums.shape), allowed)


def _exponentials_sum_to_one(trial: Trial, profile: Profile) -> Finding | None:
    if not _has_rows(trial):
        return None
    dim = trial.problem.options["dim"]
    with np.errstate(over="ignore"):
        # exp of the float64 value of an output that is off by its bound.
        p = np.exp(trial.expected.output)
        errors = p * np.expm1(trial.bound(profile).output)
        sums, allowed = total(np.exp(trial.output), errors, dim)
    # The float64 exponentials here are good to a few units in the last place, as many as terms are summed at least.
    return compare("sum of exp of a row", sums, np.ones(sums.shape), 2 * allowed)


def _gradient_sum(trial: Trial, profile: Profile) -> Finding | None:
    """Σ dx along the axis is 0, or dy for log-sum-exp."""
    if not (trial.problem.requires_grad and trial.run.complete and _has_rows(trial)):
        return None
    dim = trial.problem.options["dim"]
    sums, allowed = total(trial.gradients["input"], trial.bound(profile).gradients["input"], dim)
    reduces = trial.problem.cotangent.ndim < trial.gradients["input"].ndim
    wanted = trial.problem.cotangent if reduces else np.zeros(sums.shape)
    return compare("sum of the gradient along a row", sums, wanted, allowed)


def _shift_moves_by(factor: float, trial: Trial, profile: Profile) -> Finding | None:
    """f(x + c) = f(x) + factor·c, for logits and shifts whose sum is exact."""
    pair = _exact_shift(trial)
    if pair is None or not _has_rows(trial):
        return None
    plain, shifted, shift = pair
    before, after = trial.evaluate(plain), trial.evaluate(shifted)
    if before is None or after is None:
        return None
    allowed = trial.bound_of(plain.without_gradient(), profile).output
    allowed = allowed + trial.bound_of(shifted.without_gradient(), profile).output
    return compare(f"output for input + {shift:g}", after, before + factor * shift, allowed)


def _invariant(trial: Trial, profile: Profile) -> Finding | None:
    return _shift_moves_by(0.0, trial, profile)


def _equivariant(trial: Trial, profile: Profile) -> Finding | None:
    return _shift_moves_by(1.0, trial, profile)


def _exact_shift(trial: Trial) -> tuple[Problem, Problem, float] | None:
    """Two problems whose logits differ by a shift exactly, in the dtype: the logits rounded to the shift's grid."""
    x: Array = trial.problem.arrays["input"]
    dtype = DTYPES[trial.dtype]
    for shift in _SHIFTS:
        with np.errstate(over="ignore"):
            shifted = representable(x + shift, dtype)
            plain = representable(shifted - shift, dtype)
            exact = np.array_equal(plain + shift, shifted) and np.array_equal(shifted - shift, plain)
        if exact:
            return trial.problem.with_arrays(input=plain), trial.problem.with_arrays(input=shifted), shift
    return None


def _row_alone(trial: Trial) -> Part | None:
    """The last row of every other axis: the one that an index error reaches last."""
    return _rows(trial, slice(-1, None))


def _rows_reversed(trial: Trial) -> Part | None:
    return _rows(trial, slice(None, None, -1))


def _rows(trial: Trial, entries: slice) -> Part | None:
    x: Array = trial.problem.arrays["input"]
    if not _has_rows(trial) or x.ndim < 2:
        return None
    dim = trial.problem.options["dim"] % x.ndim
    keep = tuple(slice(None) if axis == dim else entries for axis in range(x.ndim))
    result = keep if trial.output.ndim == x.ndim else keep[:dim] + keep[dim + 1 :]
    taken = trial.problem.with_arrays(input=x[keep])
    return Part(taken.with_cotangent(trial.problem.cotangent[result]), result)


def _minus_infinity(trial: Trial, profile: Profile) -> Finding | None:
    """A logit of −∞ has probability 0, and the others are as if it were not there."""
    x: Array = trial.problem.arrays["input"]
    dim = trial.problem.options["dim"]
    if not _has_rows(trial) or x.shape[dim] < 2:
        return None
    hidden = np.random.default_rng(trial.case.seed).random(x.shape) < 0.5
    np.moveaxis(hidden, dim, 0)[0] = False  # a row of −∞ alone has no distribution
    problem = trial.problem.with_arrays(input=np.where(hidden, -np.inf, x)).without_gradient()
    output = trial.evaluate(problem)
    if output is None:
        return None
    with np.errstate(all="ignore"):
        wanted = trial.operation.reference(problem).output
    # So far below the others that its exponential is 0 in every format, and finite in every one.
    low = np.where(hidden, representable(x.min() - _FAR, DTYPES[trial.dtype]), x)
    allowed = trial.bound_of(problem.with_arrays(input=low), profile).output
    return compare("output for logits some of which are -inf", output, wanted, allowed)


def _has_rows(trial: Trial) -> bool:
    return trial.run.failure is None and trial.problem.arrays["input"].size > 0


_BATCHES = laws_of_batches("rows are independent", _row_alone, _rows_reversed)
_MINUS_INFINITY = Check(
    "logits of -inf", _minus_infinity, one_in=COSTLY, meaning="a logit of -inf counts as if it were not there"
)

SOFTMAX_LAWS = (
    Check("rows sum to 1", _sums_to_one, "softmax S3", meaning="the probabilities of a row add up to 1"),
    Check(
        "shift invariance",
        _invariant,
        "softmax S1",
        one_in=COSTLY,
        meaning="a number that is added to every logit changes nothing that it should not",
    ),
    Check(
        "gradient sums to 0",
        _gradient_sum,
        "softmax S8",
        meaning="the gradient of a row adds up to 0, as a shift of the logits changes nothing",
    ),
    *_BATCHES,
    _MINUS_INFINITY,
    *nan_laws(),
)
LOG_SOFTMAX_LAWS = (
    Check(
        "exponentials sum to 1",
        _exponentials_sum_to_one,
        "log_softmax S3",
        meaning="the exponentials of a row add up to 1",
    ),
    Check(
        "shift invariance",
        _invariant,
        "log_softmax S1",
        one_in=COSTLY,
        meaning="a number that is added to every logit changes nothing that it should not",
    ),
    Check(
        "gradient sums to 0",
        _gradient_sum,
        "log_softmax S7",
        meaning="the gradient of a row adds up to 0, as a shift of the logits changes nothing",
    ),
    *_BATCHES,
    _MINUS_INFINITY,
    *nan_laws(),
)
LOGSUMEXP_LAWS = (
    Check(
        "shift equivariance",
        _equivariant,
        "logsumexp S1",
        one_in=COSTLY,
        meaning="a number that is added to every logit is added to the result",
    ),
    Check(
        "gradient sums to its cotangent",
        _gradient_sum,
        "logsumexp S6",
        meaning="the gradient of a row adds up to its cotangent, as a shift of the logits shifts the result",
    ),
    *_BATCHES,
    _MINUS_INFINITY,
    *nan_laws(),
)
