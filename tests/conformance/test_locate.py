"""Where the errors are: planted predicates are found, and errors at random places get none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lemmata.conformance.locate import locate

AXES = ("batch", "head", "row", "col")
SHAPE = (2, 4, 96, 32)


def _indices(shape: tuple[int, ...]) -> dict[str, Any]:
    return dict(zip(AXES[-len(shape) :], np.ogrid[tuple(slice(n) for n in shape)], strict=True))


def _where(holds: Any, shape: tuple[int, ...] = SHAPE) -> Any:
    return np.broadcast_to(holds, shape)


@pytest.mark.parametrize(
    ("holds", "text"),
    [
        (lambda at: at["row"] >= 64, "row ≥ 64"),
        (lambda at: at["row"] < 3, "row < 3"),
        (lambda at: at["head"] > 0, "head > 0"),
        (lambda at: at["col"] == 31, "col = last"),
        (lambda at: at["row"] == 0, "row = 0"),
        (lambda at: (at["row"] >= 17) & (at["row"] <= 47), "row in 17…47"),
        (lambda at: at["row"] % 2 == 1, "row ≡ 1 mod 2"),
        (lambda at: at["row"] != 5, "row ≠ 5"),
        (lambda at: at["row"] < at["col"], "row < col"),
        (lambda at: at["row"] == at["col"], "row = col"),
        (lambda at: at["row"] >= at["col"] + 3, "row ≥ col + 3"),
        (lambda at: (at["row"] >= 64) & (at["head"] > 0), "head > 0 and row ≥ 64"),
        (lambda at: (at["row"] % 8 == 7) & (at["col"] == 31), "row ≡ 7 mod 8 and col = last"),
        (lambda at: (at["row"] <= at["col"]) & (at["batch"] == 0), "batch = 0 and row ≤ col"),
    ],
)
def test_each_form_is_named(holds: Any, text: str) -> None:
    found = locate(_where(holds(_indices(SHAPE))), AXES, [("row", "col")])
    assert found.text == f"exactly where {text}"
    assert found.exact


def test_everywhere_nowhere_and_one_place() -> None:
    assert locate(np.ones((3, 4), np.bool_), ("row", "col")).text == "everywhere"
    assert locate(np.zeros((3, 4), np.bool_), ("row", "col")).text == "nowhere"
    one = np.zeros((3, 4), np.bool_)
    one[2, 1] = True
    assert locate(one, ("row", "col")).text == "1 of 12 elements, at row = 2, col = 1"
    assert locate(np.array(True), ()).text == "everywhere"


def test_every_axis_has_a_name() -> None:
    with pytest.raises(ValueError, match="1 names for the 2 axes"):
        locate(np.ones((2, 2), np.bool_), ("row",))


def test_the_share_is_said_where_some_of_those_elements_are_right() -> None:
    failing = np.zeros((4, 96), np.bool_)
    failing[:, 64:] = np.random.default_rng(0).random((4, 32)) < 0.6
    failing[0, 64] = True
    found = locate(failing, ("row", "col"))
    assert found.text == f"only where col ≥ 64 ({failing.sum()} of 128 of those elements)"
    assert not found.exact


@st.composite
def _planted(draw: st.DrawFn) -> Any:
    """A conjunction of one or two conditions on an array, and where it holds."""
    shape = (draw(st.integers(4, 7)), draw(st.integers(24, 70)), draw(st.integers(24, 70)))
    at = _indices(shape)
    holds: Any = np.ones(shape, np.bool_)
    for name in draw(st.lists(st.sampled_from(AXES[1:]), min_size=1, max_size=2, unique=True)):
        size = at[name].size
        k = draw(st.integers(1, size - 1))
        form = draw(st.sampled_from(("≥", "=", "<", "mod")))
        if form == "mod":
            step = draw(st.integers(2, 3))
            holds = holds & (at[name] % step == k % step)
        else:
            holds = holds & {"≥": at[name] >= k, "=": at[name] == k, "<": at[name] < k}[form]
    return holds


@settings(deadline=None)
@given(_planted())
def test_a_planted_predicate_is_found_exactly(holds: Any) -> None:
    found = locate(holds, AXES[1:])
    assert found.exact
    assert found.failing == int(holds.sum())
    assert found.text.startswith(("exactly where", "1 of"))


@settings(deadline=None)
@given(_planted(), st.integers(0, 1000))
def test_a_planted_predicate_survives_elements_that_are_right_by_chance(holds: Any, seed: int) -> None:
    failing = holds & (np.random.default_rng(seed).random(holds.shape) < 0.7)
    found = locate(failing, AXES[1:])
    if failing.sum() > 40 and holds.sum() < holds.size / 2:
        assert found.predicates
        assert found.described <= holds.sum()


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(0.002, 0.998), st.integers(2, 40), st.integers(2, 40))
def test_no_pattern_is_invented_for_random_places(seed: int, density: float, rows: int, cols: int) -> None:
    failing = np.random.default_rng(seed).random((3, rows, cols)) < density
    found = locate(failing, AXES[1:], [("row", "col")])
    assert not found.predicates
    if failing.mean() > 0.95 and not failing.all():
        assert found.text == f"nearly everywhere ({failing.sum()} of {failing.size} elements)"
    elif 1 < failing.sum() < failing.size:
        assert found.text == f"no simple pattern: {failing.sum()} of {failing.size} elements"


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5))
def test_no_pattern_is_invented_for_random_rows(seed: int, count: int) -> None:
    """Errors in whole rows are as many as there are rows, however long these are."""
    rows = np.random.default_rng(seed).choice(40, count, replace=False)
    failing = np.zeros((40, 500), np.bool_)
    failing[rows] = True
    found = locate(failing, ("row", "col"))
    assert found.exact or not found.predicates
