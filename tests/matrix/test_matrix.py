"""The matrix itself, without any of its libraries: every way in which a row can end is told from the others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lemmata.conformance.operations import find_operation
from lemmata.tests.matrix.outcomes import (
    CONFORMS,
    CRASHED,
    DOES_NOT,
    NOT_INSTALLED,
    REFUSED,
    TIMED_OUT,
    Outcome,
    load,
    run,
)
from lemmata.tests.matrix.page import document
from lemmata.tests.matrix.registry import ROWS
from lemmata.tests.matrix.rows import EXAMPLES, Row, Why
from lemmata.tests.matrix.run import run_rows, write_page

_TARGETS = "lemmata.tests.matrix.fake_targets"
_CASES = 12
# Of a process that is to end by itself, on a busy machine.
_LIMIT = 300.0


def _row(name: str, **more: object) -> Row:
    row = Row("numpy", name, "softmax", f"{_TARGETS}:{name}", dtypes=("float32",))
    return replace(row, **more)  # type: ignore[arg-type]  # by name


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    results = tmp_path_factory.mktemp("matrix")
    rows = [_row(name) for name in ("correct", "wrong", "crashing")]
    run_rows(rows, _CASES, _LIMIT, results)
    found = {row.what: load(row, results) for row in rows}
    return {name: outcome for name, outcome in found.items() if outcome is not None}


@pytest.mark.parametrize(
    ("name", "status"), [("correct", CONFORMS), ("wrong", DOES_NOT), ("crashing", DOES_NOT)], ids=lambda x: str(x)
)
def test_a_row_ends_as_its_target_does(outcomes: dict[str, Outcome], name: str, status: str) -> None:
    assert outcomes[name].status == status


def test_a_crash_is_a_verdict_that_says_how_the_process_ended(outcomes: dict[str, Outcome]) -> None:
    verdict = outcomes["crashing"].verdict
    assert verdict is not None
    (completes,) = (check for check in verdict["checks"] if check["name"] == "completes")
    assert completes["failure"]["message"] == "aborted (SIGABRT)"


def test_a_run_that_ends_without_a_verdict_has_crashed(outcomes: dict[str, Outcome]) -> None:
    row = _row("correct")
    page = document([row], {row.key: replace(outcomes["correct"], status=CRASHED, verdict=None)}, [])
    assert f"**{CRASHED}**" in page


def test_a_target_that_hangs_is_ended() -> None:
    assert run(_row("hanging"), _CASES, limit=5.0).status == TIMED_OUT


def test_a_library_that_is_missing_is_not_run() -> None:
    outcome = run(_row("correct", library="no-such-library"), _CASES, _LIMIT)
    assert (outcome.status, outcome.version, outcome.verdict) == (NOT_INSTALLED, "", None)


def test_a_target_that_does_not_exist_is_not_run() -> None:
    outcome = run(_row("correct", target=f"{_TARGETS}:absent"), _CASES, _LIMIT)
    assert outcome.status == REFUSED
    assert "absent" in outcome.detail


def test_the_page_tells_them_apart(outcomes: dict[str, Outcome]) -> None:
    why = (Why("their defect", "It is a thousandth too large.", "https://example.org"),)
    rows = [_row("correct"), _row("wrong", why=why), _row("crashing"), _row("absent")]
    page = document(rows, {row.key: outcomes[row.what] for row in rows[:3]}, [("other", "it needs a GPU")])
    lines = {row.what: next(x for x in page.splitlines() if f"| {row.what} |" in x) for row in rows}
    assert "fp32" in lines["correct"]
    assert "**does not**" in lines["wrong"]
    assert "**does not**" in lines["crashing"]
    assert "**NOT RUN**" in lines["absent"]
    assert "4 rows: 1 NOT RUN, 1 conforms, 2 does not conform." in page
    assert "their defect: 1" in page
    assert "*Their defect.* It is a thousandth too large. <https://example.org>" in page
    assert "RowCase(" in page
    assert "- other: it needs a GPU." in page


def test_a_row_without_an_explanation_says_so(outcomes: dict[str, Outcome]) -> None:
    page = document([_row("wrong")], {_row("wrong").key: outcomes["wrong"]}, [])
    assert "not explained: 1" in page
    assert "*Not explained yet.*" in page


def test_elements_without_a_bound_are_told(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["correct"]
    assert outcome.verdict is not None
    checks = [check | {"vacuous": 0.9} for check in outcome.verdict["checks"]]
    verdict = outcome.verdict | {"checks": checks, "reasons": ["float32: 4 of 5 cases were run"]}
    page = document([_row("correct")], {_row("correct").key: replace(outcome, verdict=verdict)}, [])
    assert ", 90% ∞ †" in page


def test_what_only_warns_is_not_the_share_of_a_row_that_conforms(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["correct"]
    assert outcome.verdict is not None
    checks = [*outcome.verdict["checks"], outcome.verdict["checks"][0] | {"status": "warning", "worst": 1e9}]
    page = document(
        [_row("correct")], {_row("correct").key: replace(outcome, verdict=outcome.verdict | {"checks": checks})}, []
    )
    assert "1.0e+09" not in page


def test_a_page_is_written_from_what_was_kept(tmp_path: Path) -> None:
    write_page([_row("correct")], [], tmp_path, tmp_path / "page.md")
    assert "1 rows: 1 NOT RUN." in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_checks_that_are_left_out_are_not_run() -> None:
    outcome = run(_row("correct", without=("gradient", "shift invariance")), _CASES, _LIMIT)
    assert outcome.status == CONFORMS
    assert outcome.verdict is not None
    names = {check["name"] for check in outcome.verdict["checks"]}
    assert "forward" in names
    assert not names & {"gradient", "shift invariance"}


def test_rows_have_keys_of_their_own_and_contracts_that_exist() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)
    for row in ROWS:
        find_operation(row.operation)


def test_results_are_found_again_wherever_the_repository_lies() -> None:
    row = Row("torch", "forward", "attention", f"{EXAMPLES}/sdpa_backends.py:math")
    assert row.key == "torch_examples_sdpa_backends_py_math_attention"
