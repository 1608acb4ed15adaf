"""docs/pytest.md: its tests run, and pytest prints what it shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = (Path(__file__).parents[2] / "docs" / "pytest.md").read_text(encoding="utf-8")
ELIDED = "…"


def plain(text: str) -> list[str]:
    """Lines without numbers and the blanks and rules around them, which differ from machine to machine."""
    lines = (re.sub(r"[\d.,e+-]*\d", "#", line.strip(" =_─")) for line in text.splitlines())
    return [re.sub(r"\s+", " ", line) for line in lines if line]


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, flags=re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with every Python block in a file: named by its first line, or a test."""
    made = tmp_path_factory.mktemp("document")
    for number, block in enumerate(blocks("python")):
        named = re.match(r"# (\S+\.py)\n", block)
        (made / (named[1] if named else f"test_{number}.py")).write_text(block, encoding="utf-8")
    return made


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_pytest_prints_what_is_shown(folder: Path) -> None:
    (block,) = blocks("console")
    command, shown = block.removeprefix("$ pytest ").split("\n", 1)
    printed = plain(run(folder, *command.split()).stdout)
    place = 0
    for part in shown.split(f"{ELIDED}\n"):
        for line in plain(part):
            assert line in printed[place:], f"not printed, or not there: {line}"
            place = printed.index(line, place) + 1


def test_the_other_examples_pass(folder: Path) -> None:
    found = run(folder, "-q", "--lemmata-examples=40", *(path.name for path in sorted(folder.glob("test_?.py"))))
    assert found.returncode == 0, found.stdout
    assert re.search(r"^2 passed", found.stdout, re.MULTILINE)


def test_every_argument_of_the_mark_and_every_option_is_documented() -> None:
    from lemmata.pytest_plugin import Contract

    documented = set(re.findall(r"^\| `(\w+)` \|", DOCUMENT, re.MULTILINE))
    assert documented == set(Contract.__dataclass_fields__) - {"operation"}
