"""Optimizer steps: the form of their gradients, and what is nearly right about them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from lemmata.derivations.calculus.expr import ONE, ZERO, Expr, Index, Replacement, Tensor, exp, log, total
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Claim, Equal, NonNegative, Statement
from lemmata.derivations.optimizer import ADAM, ADAMW, CLIP, NESTEROV, SGD
from lemmata.derivations.optimizer_adam import beta1, beta2, c1, eps, m, m_new, t, v, v_new
from lemmata.derivations.optimizer_clip import coef, max_norm, norm
from lemmata.derivations.optimizer_clip import eps as clip_eps
from lemmata.derivations.optimizer_clip import y as clipped
from lemmata.derivations.optimizer_sgd import K, buf, buf_new, dampening, g, k, lr, momentum, p, p_new, weight_decay


def gradient(operation: Operation) -> list[str]:
    return [str(step) for step in operation.vjp.steps if step.tensor not in operation.program.defined]


def test_the_gradient_of_a_momentum_step() -> None:
    assert gradient(SGD) == [
        "dbuf_new_total[k] = dbuf_new[k] − lr·dp_new[k]",
        "dgrad[k] = dbuf_new_total[k]·(-dampening + 1)",
        "dp[k] = dp_new[k] + weight_decay·dgrad[k]",
        "dg[k] = dgrad[k]",
        "dbuf[k] = momentum·dbuf_new_total[k]",
    ]


def test_the_weight_of_a_new_gradient_is_not_multiplied_out() -> None:
    """(1 − β) x and not x − βx, which cancels: β is nearly 1."""
    (moment,) = (step for step in ADAM.jvp.steps if step.tensor.name == "tm_new")
    assert str(moment.value) == "tm[k]·beta1 + tgrad[k]·(-beta1 + 1)"


def test_the_gradient_of_a_clipped_gradient_divides_by_the_norm_that_is_there() -> None:
    assert gradient(CLIP) == [
        "delta = [eps + norm − max_norm > 0]·(Σ_j g[j]·dy[j])/norm/(excess + max_norm)",
        "dg[k] = dnorm·g[k]/norm + coef·dy[k] − delta·y[k]",
    ]


def moments(op: Operation, state: dict[Tensor, Replacement], corrected: Expr) -> Expr:
    return op.value(m_new[k], {weight_decay: lambda: ZERO, **state}) / corrected


def wrong() -> dict[str, Claim]:
    g1, g2, a = Tensor("g1", (K,)), Tensor("g2", (K,)), Tensor("a")
    j = Index("j", K)
    mu, tau, decay = momentum[()], dampening[()], weight_decay[()]
    no_decay: dict[Tensor, Replacement] = {weight_decay: lambda: ZERO}
    constant: dict[Tensor, Replacement] = {m: lambda at: (1 - exp((t[()] - 1) * log(beta1[()]))) * g[at]}
    state: dict[Tensor, Replacement] = {m: lambda _: ZERO, v: lambda _: ZERO, eps: lambda: ZERO}
    scaled: dict[Tensor, Replacement] = {**no_decay, g: lambda at: 2 * g[at]}
    once: dict[Tensor, Replacement] = {**no_decay, g: lambda at: g1[at]}
    twice: dict[Tensor, Replacement] = {
        **no_decay,
        g: lambda at: g2[at],
        buf: lambda at: SGD.value(buf_new[at], once),
    }
    square = total(j, g[j] ** 2)
    short = CLIP.value(coef[()])
    return {
        "the first velocity is dampened": Equal(SGD.value(buf_new[k], {buf: lambda _: ZERO, **no_decay}), g[k]),
        "both gradients with one weight": Equal(
            SGD.value(buf_new[k], twice), mu**2 * buf[k] + (1 - tau) * (g1[k] + g2[k])
        ),
        "Nesterov's step is the classical one": Equal(
            NESTEROV.value(p_new[k]), SGD.value(p_new[k], {dampening: lambda: ZERO})
        ),
        "a constant gradient without correction": Equal(moments(ADAM, constant, ONE), g[k]),
        "corrected by the power of the step before": Equal(
            moments(ADAM, constant, 1 - exp((t[()] - 1) * log(beta1[()]))), g[k]
        ),
        "corrected by the decay of the other moment": Equal(
            moments(ADAM, constant, 1 - exp(t[()] * log(beta2[()]))), g[k]
        ),
        "scale invariance whatever eps is": Equal(ADAM.value(p_new[k], scaled), ADAM.value(p_new[k], no_decay)),
        "scale invariance that forgets the history": Equal(
            ADAM.value(p_new[k], {**scaled, eps: lambda: ZERO}), ADAM.value(p_new[k], {**no_decay, eps: lambda: ZERO})
        ),
        "Adam with a penalty is AdamW": Equal(ADAM.value(p_new[k]), ADAMW.value(p_new[k])),
        "Adam's moments without the penalty": Equal(ADAM.value(v_new[k]), ADAMW.value(v_new[k])),
        "decay that is not multiplied by the learning rate": Equal(
            ADAMW.value(p_new[k]), ADAMW.value(p_new[k], no_decay) - decay * p[k]
        ),
        "a step of length lr with a penalty": Equal(
            (ADAMW.value(p_new[k], {**state, t: lambda: ONE}) - p[k]) ** 2, lr[()] ** 2
        ),
        "the correction does not depend on the step": Equal(ADAM.value(c1[()]), ADAM.value(c1[()], {t: lambda: a[()]})),
        "every gradient is scaled to max_norm": Equal(CLIP.value(norm[()]) * short, max_norm[()]),
        "a short gradient is lengthened": NonNegative(CLIP.program.inline(total(k, clipped[k] ** 2)) - square),
        "clipped to the very norm whatever eps is": Equal(
            CLIP.value(clipped[k], {max_norm: lambda: CLIP.value(norm[()])}), g[k]
        ),
        "clipping is linear": Equal(
            CLIP.value(clipped[k], {g: lambda at: a[()] * g[at]}), a[()] * CLIP.value(clipped[k])
        ),
        "clipping by coordinates": Equal(
            CLIP.value(clipped[k], {clip_eps: lambda: ZERO}), max_norm[()] * g[k] * (g[k] ** 2) ** Fraction(-1, 2)
        ),
    }


@pytest.mark.parametrize("name", wrong())
def test_what_is_nearly_right_is_refuted(name: str) -> None:
    result = prove(Statement("S0", name, wrong()[name]))
    assert result.status == "refuted", result


def test_a_norm_that_is_not_raised_needs_a_positive_largest_norm() -> None:
    """With max_norm < 0 the factor is not between 0 and 1, so the sign is claimed of positive numbers alone."""
    raised = total(k, g[k] ** 2) - CLIP.program.inline(total(k, clipped[k] ** 2))
    assert prove(Statement("S0", "", NonNegative(raised))).status != "proved"
