"""Cases are drawn without regard to those before them, evenly, and what fails is made small."""

from collections import Counter
from dataclasses import fields

import hypothesis
import pytest
from hypothesis import strategies as st
from lemmata.conformance.cases import SEEDS, AttentionCase, attention_cases, choice
from lemmata.conformance.draws import drawing, drawn

COUNT = 300


def calls(cases: list[AttentionCase]) -> int:
    """How many of the cases have sizes and options of their own."""
    return len({(c.batch, c.kv_heads, c.group, c.queries, c.keys, c.head_dim, c.value_dim, c.mask) for c in cases})


def test_hardly_a_case_is_another_with_other_values() -> None:
    settings = drawing(COUNT, shrink=False)
    assert calls(drawn(attention_cases(), settings, 0)) > 0.95 * COUNT
    # Once this is no longer so, there is no need of draws of one's own.
    assert calls(drawn(attention_cases(), hypothesis.settings(settings, backend="hypothesis"), 0)) < 0.5 * COUNT


def test_a_seed_gives_the_same_cases_and_another_seed_others() -> None:
    one, again, other = (drawn(attention_cases(), drawing(20, shrink=False), seed) for seed in (1, 1, 2))
    assert one == again
    assert one[0] == other[0] == AttentionCase()  # the simplest
    assert not set(one[1:]) & set(other[1:])


def test_every_option_is_equally_likely() -> None:
    count, options = 4_000, 8
    found = Counter(drawn(choice(range(options)), drawing(count, shrink=False), 0))
    assert set(found) == set(range(options))
    expected = count / options
    chi_squared = sum((found[k] - expected) ** 2 / expected for k in range(options))
    # Exceeded by one sample of 1,000 with 7 degrees of freedom; this sample is always the same.
    assert chi_squared < 24.3


def test_no_seed_is_preferred() -> None:
    """Hypothesis's own draws are often small, or constants of modules; with these it depends on them what is drawn."""
    settings, few = drawing(2_000, shrink=False), SEEDS // 1_000
    seeds = choice(range(SEEDS))
    assert sum(seed < few for seed in drawn(seeds, settings, 0)) < 12
    assert sum(seed < few for seed in drawn(seeds, hypothesis.settings(settings, backend="hypothesis"), 0)) > 100


def test_integers_without_an_end_are_drawn_as_ever() -> None:
    found = drawn(st.tuples(st.integers(), st.integers(min_value=5)), drawing(50, shrink=False), 0)
    assert len(set(found)) > 40
    assert min(x for _, x in found) >= 5


def apart(case: AttentionCase) -> int:
    """In how many fields a case differs from the simplest."""
    return sum(getattr(case, f.name) != getattr(AttentionCase(), f.name) for f in fields(case))


def test_simple_cases_differ_from_the_simplest_in_few_ways() -> None:
    simple, others = (
        drawn(attention_cases(), drawing(COUNT, shrink=False, simple=simple), 0) for simple in (True, False)
    )
    assert sum(map(apart, simple)) < 0.5 * sum(map(apart, others))
    assert calls(simple) > 0.25 * COUNT
    # Every field is among the few ways of some case.
    assert {f.name for case in simple for f in fields(case) if getattr(case, f.name) != f.default} == {
        f.name for case in others for f in fields(case) if getattr(case, f.name) != f.default
    }


def test_a_case_that_fails_is_made_small() -> None:
    seen: list[AttentionCase] = []

    @hypothesis.seed(0)
    @drawing(COUNT, shrink=True)
    @hypothesis.given(attention_cases())
    def wrong(case: AttentionCase) -> None:
        if case.queries > 2 and case.causal:
            seen.append(case)
            raise ValueError("more than two queries")

    with pytest.raises(ValueError, match="more than two queries"):
        wrong()
    assert seen[-1] == AttentionCase(queries=3, causal=True)
