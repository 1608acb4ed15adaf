"""Every reference is within its own float64 bound of the exact value, and so is torch with autograd in float64.

The exact value is mpmath's at 50 digits. No other tolerance is used.
"""

from typing import Any

import mpmath as mp
import numpy as np
import pytest
from lemmata.tests.reference import autograd, oracle
from lemmata.tests.reference.evaluate import (
    ATTENTION_OPERATIONS,
    ROW_OPERATIONS,
    Results,
    attention_bounds,
    attention_exact,
    attention_results,
    row_bounds,
    row_exact,
    row_results,
    worst_share,
)
from lemmata.tests.reference.problems import REGIMES, UNBOUNDED, AttentionProblem, attention_problem, row_problem

Array = Any

ROW_SEEDS = range(10)
ATTENTION_SEEDS = range(12)
REGIME = pytest.mark.parametrize("regime", REGIMES)
ROWS = pytest.mark.parametrize("operation", ROW_OPERATIONS)
ATTENTIONS = pytest.mark.parametrize("operation", ATTENTION_OPERATIONS)


def errors(results: Results, exact: Results) -> Results:
    return {name: oracle.distance(results[name], exact[name]) for name in results}


def hold(results: Results, exact: Results, bounds: Results, regime: str) -> None:
    """Within the bound, which must say something about every element unless the regime is one of overflow."""
    worst, stated = worst_share(errors(results, exact), bounds)
    assert worst <= 1.0, f"{worst} times the bound"
    if regime not in UNBOUNDED:
        assert stated == sum(np.size(x) for x in results.values())


@ROWS
@REGIME
def test_rows(operation: str, regime: str) -> None:
    for seed in ROW_SEEDS:
        problem = row_problem(regime, seed)
        exact, bounds = row_exact(operation, problem), row_bounds(operation, problem)
        hold(row_results(operation, problem), exact, bounds, regime)
        hold(autograd.row_results(operation, problem), exact, bounds, regime)


@ATTENTIONS
@REGIME
def test_attention(operation: str, regime: str) -> None:
    for seed in ATTENTION_SEEDS:
        problem = attention_problem(regime, seed)
        exact, bounds = attention_exact(operation, problem), attention_bounds(operation, problem)
        hold(attention_results(operation, problem), exact, bounds, regime)
        hold(autograd.attention_results(operation, problem), exact, bounds, regime)


def cotangent_of_the_first_row(operation: str) -> Array:
    problem = row_problem("normal", 3)
    return problem.row_cotangent[:1] if operation == "logsumexp" else problem.cotangent[0]


@ROWS
def test_the_oracle_is_the_derivative_of_its_own_forward(operation: str) -> None:
    problem = row_problem("normal", 3)
    row, cotangent, gradient = problem.x[0], cotangent_of_the_first_row(operation), row_exact(operation, problem)["vjp"]
    forward = getattr(oracle, operation)

    def objective(x: Array) -> Any:
        return (oracle.exact(cotangent) * np.atleast_1d(forward(x))).sum()

    # A central difference at 50 digits: half of them are right.
    with mp.workdps(oracle.DIGITS):
        step = mp.mpf(10) ** (-oracle.DIGITS // 3)
        for place in range(len(row)):
            unit = np.array([mp.mpf(i == place) for i in range(len(row))], dtype=object)
            slope = (objective(row + step * unit) - objective(row - step * unit)) / (2 * step)
            assert abs(slope - gradient[0][place]) < step


def test_the_oracle_of_attention_is_the_derivative_of_its_own_forward() -> None:
    for seed in (2, 3, 7):
        problem = attention_problem("normal", seed, largest=3)
        exact = attention_exact("softcapped_attention", problem)
        do, dlse = problem.cotangents["do"], problem.cotangents.get("dlse")

        def objective(
            moved: dict[str, Any], problem: AttentionProblem = problem, do: Array = do, dlse: Array | None = dlse
        ) -> Any:
            at = oracle.Attention(**{**problem.inputs, **moved}, cap=problem.cap)
            total = (oracle.exact(do) * at.o).sum()
            seen = at.lse != mp.mpf("-inf")
            return total if dlse is None else total + (oracle.exact(dlse) * np.where(seen, at.lse, mp.mpf(0))).sum()

        with mp.workdps(oracle.DIGITS):
            step = mp.mpf(10) ** (-oracle.DIGITS // 3)
            for name in "qkv":
                x = oracle.exact(problem.inputs[name])
                for place in np.ndindex(x.shape):
                    unit = np.full(x.shape, mp.mpf(0), dtype=object)
                    unit[place] = step
                    slope = (objective({name: x + unit}) - objective({name: x - unit})) / (2 * step)
                    assert abs(slope - exact[f"d{name}"][place]) < step
