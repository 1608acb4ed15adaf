"""The simplifier reaches the forms that people write."""

from __future__ import annotations

from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.calculus.cost import definition_cost
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.program import Def
from lemmata.derivations.softmax import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX


def gradient(operation: Operation) -> list[str]:
    own = set(operation.program.steps)
    return [str(step) for step in operation.vjp.steps if step not in own]


def test_attention() -> None:
    assert gradient(ATTENTION) == [
        "dp[r, i, j] = Σ_e do[r, i, e]·v[j, e]",
        "delta[r, i] = (Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]",
        "ds[r, i, j] = p[r, i, j]·(dp[r, i, j] − delta[r, i])",
        "dq[r, i, c] = scale·(Σ_j ds[r, i, j]·k[j, c])",
        "dk[j, c] = scale·(Σ_i (Σ_r ds[r, i, j]·q[r, i, c]))",
        "dv[j, e] = Σ_i (Σ_r do[r, i, e]·p[r, i, j])",
        "dbias[r, i, j] = ds[r, i, j]",
    ]


def test_the_row_term_of_attention_is_chosen_for_its_cost() -> None:
    (delta,) = (step for step in ATTENTION.vjp.steps if step.tensor.name == "delta")
    (other,) = delta.alternatives
    assert str(other) == "(Σ_j p[r, i, j]·dp[r, i, j]) − dlse[r, i]"
    chosen, rejected = definition_cost(delta).flops, definition_cost(Def(delta.target, other)).flops
    sizes = {"r": 1, "n": 4096, "m": 4096, "d": 64, "d_v": 64}
    at = {symbol: sizes[symbol.name] for symbol in (chosen + rejected).free_symbols}
    assert chosen.subs(at) < rejected.subs(at)


def test_rows() -> None:
    assert gradient(SOFTMAX) == ["delta = Σ_j dp[j]·p[j]", "dx[i] = p[i]·(dp[i] − delta)"]
    assert gradient(LOG_SOFTMAX) == ["dz = -(Σ_j dy[j])/z", "dx[i] = dy[i] + dz·a[i]"]
    assert gradient(LOGSUMEXP) == ["dz = dlse/z", "dx[i] = dz·a[i]"]
