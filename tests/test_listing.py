"""The verdicts that `lemmata list` keeps: never those of other sources, and never in the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lemmata import listing as module
from lemmata.listing import Listing, Row, listing, sources_hash

ROW = Row("softmax", "softmax", "A row.", 12, 12, 0, 0, "6·n", "6·n")


def silent(name: str, done: int, total: int) -> None:
    """No progress is reported."""


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """How often the statements were decided; the cache is a folder of its own, and deciding is replaced."""
    found: list[int] = []

    def decide(report: module.Report) -> tuple[Row, ...]:
        found.append(len(found))
        return (ROW,)

    monkeypatch.setattr(module, "_decide", decide)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return found


def kept_file(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "cache" / "lemmata").iterdir()
    return path


def test_an_unchanged_source_is_not_proved_again(decisions: list[int]) -> None:
    first, second = listing(silent), listing(silent)
    assert (first.kept, second.kept, len(decisions)) == (False, True, 1)
    assert second.rows == first.rows
    assert second.decided == first.decided.replace(microsecond=0)


def test_a_changed_source_is_proved_again(
    decisions: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listing(silent)
    before = kept_file(tmp_path)
    monkeypatch.setattr(module, "sources_hash", lambda: "f" * 64)
    assert not listing(silent).kept
    assert len(decisions) == 2
    assert kept_file(tmp_path) != before  # and the old verdicts are gone


def test_verdicts_on_sources_that_change_meanwhile_are_not_kept(
    decisions: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes = iter(["a" * 64, "b" * 64, "b" * 64, "b" * 64, "b" * 64])
    monkeypatch.setattr(module, "sources_hash", lambda: next(hashes))
    assert [listing(silent).kept for _ in range(3)] == [False, False, True]


def test_the_hash_is_that_of_every_source_and_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "derivations" / "calculus").mkdir(parents=True)
    deep = tmp_path / "derivations" / "calculus" / "prove.py"
    deep.write_text("x = 1\n")
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "listing.py"))
    (tmp_path / "listing.py").write_text("")
    seen = [sources_hash(), sources_hash()]
    assert seen[0] == seen[1]
    deep.write_text("x = 2\n")
    seen.append(sources_hash())
    deep.rename(deep.with_name("other.py"))
    seen.append(sources_hash())
    monkeypatch.setattr(module, "version", lambda name: "0")
    seen.append(sources_hash())
    assert len(set(seen)) == 4


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"key": 3}', "rows"])
def test_a_file_that_is_not_what_was_written_is_not_believed(
    decisions: list[int], tmp_path: Path, content: str
) -> None:
    listing(silent)
    path = kept_file(tmp_path)
    if content == "rows":
        data = json.loads(path.read_text())
        data["operations"][0]["extra"] = 1
        content = json.dumps(data)
    path.write_text(content)
    assert not listing(silent).kept
    assert listing(silent).kept


def test_another_hash_with_the_same_beginning_is_not_believed(decisions: list[int], tmp_path: Path) -> None:
    listing(silent)
    path = kept_file(tmp_path)
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "key": data["key"][:16] + "0" * 48}))
    assert not listing(silent).kept


def test_a_cache_that_cannot_be_written_is_no_error(decisions: list[int], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("not a folder")
    assert [listing(silent).kept, listing(silent).kept] == [False, False]
    assert len(decisions) == 2


def test_json_has_the_verdicts_and_their_moment(decisions: list[int]) -> None:
    data = listing(silent).to_json()
    assert data["kept"] is False
    assert data["decided"].endswith("+00:00")
    assert data["operations"][0] == {
        "operation": "softmax",
        "topic": "softmax",
        "summary": "A row.",
        "statements": 12,
        "proved": 12,
        "refuted": 0,
        "open": 0,
        "flops": "6·n",
        "leading_flops": "6·n",
    }
    assert isinstance(listing(silent), Listing)
