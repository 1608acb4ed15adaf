"""How the cases of a run are drawn: each without regard to those before it.

Left to itself, Hypothesis draws one case and then several variants of it, in which parts of the case are made equal.
Of 2,100 cases of attention 342 had sizes and options of their own, and 365 were cases that had been drawn before. What
a provider of one's own draws is not varied, and what fails is made smaller as always.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

import hypothesis
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

_BACKEND = "lemmata"
_SIMPLE_BACKEND = "lemmata-simple"

_T = TypeVar("_T")


class IndependentDraws(HypothesisProvider):
    """Hypothesis's own draws, with every option of several, and every integer of a short range, equally likely.

    Hypothesis prefers numbers that it finds in the modules that are loaded, so that a seed drew other cases with them.
    """

    simplest: ClassVar[float] = 0.0
    """The share of choices that take the simplest of their options."""

    def draw_boolean(self, p: float = 0.5) -> bool:
        """False, where that is to be the simplest and it may be either; else as ever."""
        if 0 < p < 1 and self._is_simplest():
            return False
        return super().draw_boolean(p)

    def draw_integer(
        self,
        min_value: int | None = None,
        max_value: int | None = None,
        *,
        weights: dict[int, float] | None = None,
        shrink_towards: int = 0,
    ) -> int:
        """An integer between the two, both included; those of long ranges or without an end are drawn as ever."""
        if min_value is not None and min_value >= shrink_towards and self._is_simplest():
            return min_value  # the first of a range stands for the first of several options
        if min_value is None or max_value is None or weights is not None:
            return super().draw_integer(min_value, max_value, weights=weights, shrink_towards=shrink_towards)
        assert self._random is not None
        return self._random.randint(min_value, max_value)

    def _is_simplest(self) -> bool:
        assert self._random is not None
        return self.simplest > 0 and self._random.random() < self.simplest


class SimpleDraws(IndependentDraws):
    """Cases that differ from the simplest in few ways: what fails there is nearly small already."""

    simplest = 0.75


def drawing(count: int, *, shrink: bool, simple: bool = False) -> hypothesis.settings:
    """The settings under which so many cases are drawn; the first is the simplest.

    Args:
        shrink: whether a case that fails is made smaller.
        simple: whether most choices take the first of their options.
    """
    AVAILABLE_PROVIDERS.setdefault(_BACKEND, IndependentDraws)
    AVAILABLE_PROVIDERS.setdefault(_SIMPLE_BACKEND, SimpleDraws)
    generate = (hypothesis.Phase.generate,)
    return hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(*generate, hypothesis.Phase.shrink) if shrink else generate,
        suppress_health_check=list(hypothesis.HealthCheck),
        report_multiple_bugs=False,
        verbosity=hypothesis.Verbosity.quiet,
        print_blob=False,
        backend=_SIMPLE_BACKEND if simple else _BACKEND,
    )


def drawn(cases: st.SearchStrategy[_T], settings: hypothesis.settings, seed: int) -> list[_T]:
    """The cases that are drawn under such settings."""
    found: list[_T] = []

    @hypothesis.seed(seed)
    @settings
    @hypothesis.given(cases)
    def collect(case: _T) -> None:
        found.append(case)

    collect()
    return found
