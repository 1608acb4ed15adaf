"""docs/your_own_derivation.md shows what its files say and what its commands print, away from the sources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
DOCUMENT = (ROOT / "docs" / "your_own_derivation.md").read_text(encoding="utf-8")
COPIED = ("sigmoid_attention.py", "sigmoid_attention_kernel.py", "latent_attention.py", "latent_attention_kernel.py")
NAMED = re.compile(r"# (\S+\.py)\n")
ELIDED = "…"


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT, flags=re.DOTALL)


def commands() -> list[tuple[str, list[str]]]:
    """The commands in order, each with the lines shown below it."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks("console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files that the document names."""
    made = tmp_path_factory.mktemp("own")
    for name in COPIED:
        assert f"`{name}`" in DOCUMENT
        shutil.copy(EXAMPLES / name, made)
    for block in blocks("python"):
        if named := NAMED.match(block):
            (made / named[1]).write_text(block, encoding="utf-8")
    return made


def plain(lines: list[str]) -> list[str]:
    """Lines without what differs from machine to machine: times, shares of bounds, cases, and the width of columns."""
    text = [re.sub(r"\b\d+\.\d+ s\b", "# s", line.rstrip()) for line in lines]
    text = [re.sub(r"\b(passed|failed) [\d.e+]+", r"\1 #", line) for line in text]
    # A warning, which depends on the machine, makes a search begin anew.
    text = [re.sub(r"[\d,]+(–[\d,]+)? +(?=passed|failed|warning)", "# ", line) for line in text]
    text = [re.sub(r" +", " ", re.sub("─+", "─", line)) for line in text]
    while text and not text[-1]:
        text.pop()
    return text


def matches(shown: list[str], printed: list[str]) -> bool:
    """Whether what is shown, in which … stands for any lines, is what was printed."""
    if shown and shown[0] == ELIDED:
        return any(matches(shown[1:], printed[start:]) for start in range(len(printed) + 1))
    if not shown or not printed:
        return shown == printed
    return shown[0] == printed[0] and matches(shown[1:], printed[1:])


def test_what_is_shown_is_compared_line_by_line() -> None:
    assert matches(["a", ELIDED, "d"], ["a", "b", "c", "d"])
    assert matches(["a", ELIDED], ["a"])
    assert not matches(["a", "b"], ["a", "c"])
    assert not matches(["a", ELIDED, "d"], ["a", "b"])
    assert plain(["check  0.013 s, 8 points", " forward   1,200–2,100   passed 0.31", ""]) == [
        "check # s, 8 points",
        " forward # passed #",
    ]


@pytest.mark.parametrize(("command", "shown"), commands(), ids=[command for command, _ in commands()])
def test_a_command_prints_what_is_shown(command: str, shown: list[str], folder: Path) -> None:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "",
    }
    done = subprocess.run(command.split(), capture_output=True, text=True, cwd=folder, env=environment, check=False)
    printed = done.stdout + done.stderr
    assert matches(plain(shown), plain(printed.splitlines())), printed
    failed = "does not conform" in printed or "refuted" in printed
    assert done.returncode == int(failed)


def test_what_is_quoted_is_in_the_files() -> None:
    sources = [(EXAMPLES / name).read_text(encoding="utf-8") for name in COPIED]
    quoted = [block for block in blocks("python") if not NAMED.match(block)]
    assert len(quoted) >= 3
    for block in quoted:
        assert any(block in source for source in sources), block


def test_the_script_of_a_failure_runs_where_the_files_are(folder: Path) -> None:
    printed = subprocess.run(
        [
            str(Path(sys.executable).parent / "lemmata"),
            *["conform", "sigmoid_attention.py", "forgetful.py:attention"],
            *["--dtype", "float32", "--examples", "50", "--only", "forward"],
        ],
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    ).stdout
    script = folder / "reproduction.py"
    script.write_text(printed[printed.index("# sigmoid_attention.py, check") : printed.rindex("does not conform")])
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 1
    assert "AssertionError: output: " in done.stderr
