"""The journal: a run that is killed goes on where it was, with nothing lost and nothing done twice."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lemmata.conformance.isolation.executors import InProcess
from lemmata.conformance.journal import Journal
from lemmata.conformance.runner import conform
from lemmata.conformance.targets import UsageError
from lemmata.tests.conformance.killing import disturbed, undisturbed

TARGET = "lemmata.tests.conformance.targets.softmax_faults:row_sum_dropped"
OPTIONS: dict[str, Any] = {"dtypes": ["float32", "float16"], "examples": 40, "isolate": False, "explain": False}


def plain(**more: Any) -> dict[str, Any]:
    """The verdict of a run as plain data."""
    return conform("softmax", TARGET, **OPTIONS, **more).to_json()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    """The journal of a run that nobody disturbed, and its verdict."""
    path = tmp_path_factory.mktemp("journal") / "whole"
    verdict = plain(journal=path)
    return path.read_bytes(), verdict


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.77, 0.95, 1.0])
def test_a_run_goes_on_from_any_byte(share: float, whole: tuple[bytes, dict[str, Any]], tmp_path: Path) -> None:
    content, verdict = whole
    path = tmp_path / "cut"
    header = content.index(b"\n") + 1
    path.write_bytes(content[: header + int(share * (len(content) - header))])
    assert plain(journal=path, resume=True) == verdict
    # What had been there is what was written again: no case was judged twice, and none was left out.
    cases = [json.loads(line).get("case") for line in path.read_bytes().splitlines()]
    assert cases == [json.loads(line).get("case") for line in content.splitlines()]


def test_what_has_been_judged_is_not_called_again(
    whole: tuple[bytes, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, verdict = whole
    path = tmp_path / "complete"
    path.write_bytes(content)
    calls: list[Any] = []
    submit = InProcess.submit

    def counted(self: InProcess, *arguments: Any) -> Any:
        calls.append(arguments)
        return submit(self, *arguments)

    monkeypatch.setattr(InProcess, "submit", counted)
    assert plain(journal=path, resume=True) == verdict
    # The first call of each dtype, and the failures, whose arrays are shown; none of the other cases.
    failed = sum(check["failure"] is not None for check in verdict["checks"])
    assert len(calls) <= len(OPTIONS["dtypes"]) + failed


def test_a_journal_of_another_run_is_refused(whole: tuple[bytes, dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(whole[0])
    with pytest.raises(UsageError, match="is of another run: seed differ"):
        plain(journal=path, resume=True, seed=1)


def test_cases_that_are_not_those_drawn_are_refused(whole: tuple[bytes, dict[str, Any]], tmp_path: Path) -> None:
    header, _, *others = whole[0].splitlines(keepends=True)
    path = tmp_path / "shifted"
    path.write_bytes(b"".join((header, *others)))
    with pytest.raises(UsageError, match="its cases are not those that are drawn now"):
        plain(journal=path, resume=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no run to go on with"),
        (b"not json\n", "is not the journal of a run"),
        (b'{"journal": 0}\n', "is not a journal of this version"),
        (b"", "is not the journal of a run"),
    ],
)
def test_what_is_no_journal_is_refused(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "journal"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        plain(journal=path, resume=True)


def test_two_runs_do_not_write_to_one_journal(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal", {})
    with pytest.raises(UsageError, match="is being written by another run"):
        Journal(tmp_path / "journal", {})
    first.close()
    Journal(tmp_path / "journal", {}).close()


def test_a_journal_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write the journal"):
        plain(journal=tmp_path / "no such folder" / "journal")


def test_a_run_of_two_processes_that_is_killed_twice_gives_the_verdict_of_one_that_is_not(tmp_path: Path) -> None:
    expected, seconds = undisturbed("softmax", TARGET, tmp_path)

    def moments() -> Iterator[float]:
        yield 0.6 * seconds
        yield 0.8 * seconds
        yield 0.0

    verdict, _ = disturbed("softmax", TARGET, tmp_path, "killed", moments(), 2)
    assert verdict == expected
