"""Factored gradients: the definitions that people write, chosen by cost, proved equal to what was derived."""

import pytest
from lemmata.derivations.attention import ATTENTION, SOFTCAPPED
from lemmata.derivations.calculus import factor
from lemmata.derivations.calculus import simplify as simplifier
from lemmata.derivations.calculus.cost import program_cost
from lemmata.derivations.calculus.differentiate import vjp
from lemmata.derivations.calculus.expr import Dim, Index, Tensor, exp, total
from lemmata.derivations.calculus.normal_form import equal
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.calculus.simplify import NotEqual, simplify
from lemmata.derivations.softmax import LOG_SOFTMAX, LOGSUMEXP, SOFTMAX


def derived(operation: Operation, which: str) -> dict[str, str]:
    """The definitions of a gradient program that the forward program does not have, as text."""
    program = operation.vjp if which == "vjp" else operation.jvp
    return {step.tensor.name: str(step.value) for step in program.steps if step.tensor not in operation.program.defined}


def test_softmax() -> None:
    assert derived(SOFTMAX, "vjp") == {"delta": "Σ_j dp[j]·p[j]", "dx": "p[i]·(dp[i] − delta)"}
    assert derived(SOFTMAX, "jvp") == {"delta": "Σ_j tx[j]·p[j]", "tp": "p[i]·(tx[i] − delta)"}


def test_logsumexp() -> None:
    assert derived(LOGSUMEXP, "vjp") == {"dz": "dlse/z", "dx": "dz·a[i]"}


def test_attention_reaches_the_form_of_flash_attention() -> None:
    assert derived(ATTENTION, "vjp") == {
        "dp": "Σ_e do[r, i, e]·v[j, e]",
        "delta": "(Σ_e do[r, i, e]·o[r, i, e]) − dlse[r, i]",  # D = rowsum(dO ∘ O)
        "ds": "p[r, i, j]·(dp[r, i, j] − delta[r, i])",  # dS = P ∘ (dP − D)
        "dq": "scale·(Σ_j ds[r, i, j]·k[j, c])",
        "dk": "scale·(Σ_i (Σ_r ds[r, i, j]·q[r, i, c]))",
        "dv": "Σ_i (Σ_r do[r, i, e]·p[r, i, j])",
        "dbias": "ds[r, i, j]",
    }


def test_softcapped_attention_keeps_the_derivative_of_the_cap_apart() -> None:
    found = derived(SOFTCAPPED, "vjp")
    assert found["dt"] == "p[r, i, j]·(dp[r, i, j] − delta[r, i])"
    assert found["ds"] == "dt[r, i, j]·(-tanh(s[r, i, j]/cap)^2 + 1)"
    assert found["delta"] == derived(ATTENTION, "vjp")["delta"]


def test_the_cheaper_row_reduction_is_chosen_and_the_other_kept_as_an_alternative() -> None:
    step = next(step for step in ATTENTION.vjp.steps if step.tensor.name == "delta")
    assert [str(other) for other in step.alternatives] == ["(Σ_j p[r, i, j]·dp[r, i, j]) − dlse[r, i]"]
    inline = ATTENTION.vjp.inline
    assert all(equal(inline(step.value), inline(other)) for other in step.alternatives)


def attention_with(features: Dim, keys: Dim) -> Operation:
    """A blend p v of values without anything around it, to see what the choice depends on."""
    n = Dim("n")
    i, j, e = Index("i", n), Index("j", keys), Index("e", features)
    s, v = Tensor("s", (n, keys)), Tensor("v", (keys, features))
    a, z = Tensor("a", (n, keys)), Tensor("z", (n,))
    p, o = Tensor("p", (n, keys)), Tensor("o", (n, features))
    program = Program(
        "blend",
        (s, v),
        (
            Def(a[i, j], exp(s[i, j])),
            Def(z[i], total(j, a[i, j])),
            Def(p[i, j], a[i, j] / z[i]),
            Def(o[i, e], total(j, p[i, j] * v[j, e])),
        ),
        (o,),
    )
    return Operation("blend", "", program, (s, v), lambda: ())


def test_the_choice_follows_the_dimension_that_grows() -> None:
    over_features = derived(attention_with(Dim("d", grows=False), Dim("m")), "vjp")["delta"]
    over_keys = derived(attention_with(Dim("d"), Dim("m", grows=False)), "vjp")["delta"]
    assert over_features == "Σ_e do[i, e]·o[i, e]"
    assert over_keys == "Σ_j p[i, j]·dp[i, j]"


@pytest.mark.parametrize(
    "operation", [SOFTMAX, LOG_SOFTMAX, LOGSUMEXP, ATTENTION, SOFTCAPPED], ids=lambda operation: operation.name
)
def test_the_factored_program_equals_the_derived_one_and_costs_no_more(operation: Operation) -> None:
    for before, after in ((operation.derived_vjp, operation.vjp), (operation.derived_jvp, operation.jvp)):
        for tensor in before.outputs:
            indices = tuple(Index(dim.name, dim) for dim in tensor.dims)
            assert equal(before.inline(tensor[indices]), after.inline(tensor[indices]))
        cost_before, cost_after = program_cost(before).flops, program_cost(after).flops
        at = dict.fromkeys(cost_before.free_symbols | cost_after.free_symbols, 512)
        assert cost_after.subs(at) <= cost_before.subs(at)


def test_a_rewriting_that_changes_the_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is proved equal: with a faulty rewriting there is no result."""
    original = factor.factored

    def faulty(step: Def, *rest: object) -> list[Def]:
        *others, last = original(step, *rest)  # type: ignore[arg-type]  # whatever the arguments are, they are passed on
        return [*others, Def(last.target, 2 * last.value)]

    monkeypatch.setattr(simplifier, "factored", faulty)
    with pytest.raises(NotEqual, match="is not shown to equal the derived one"):
        simplify(vjp(SOFTMAX.program), SOFTMAX.program)
