"""Data flows one way: derivations ← reference ← conformance ← command line, and `gpu` stands alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from lemmata.tests.conftest import LONGEST_FIRST

ROOT = Path(__file__).parent.parent
PLAIN = {"errors", "highlighting", "loading"}  # what any part may use
ALLOWED = {
    "derivations": {"derivations"} | PLAIN,
    "reference": {"reference", "derivations"} | PLAIN,
    "conformance": {"conformance", "reference", "derivations"} | PLAIN,
    "gpu": {"gpu"},
}
# What a part may import from outside, besides the standard library.
LIBRARIES = {
    "derivations": {"sympy", "mpmath"},
    "reference": {"numpy", "array_api_compat"},
    "conformance": {"numpy", "torch", "hypothesis", "rich"},
    "gpu": {"torch", "triton"},
}
KNOWN = {"sympy", "mpmath", "numpy", "torch", "triton", "hypothesis", "rich", "array_api_compat", "scipy", "pytest"}
LONGEST = 430  # lines of a module written by hand: one concept a file


def modules(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


def imports(path: Path) -> tuple[set[str], set[str]]:
    """The parts of this package, and the libraries, that a module imports anywhere in it."""
    package = path.relative_to(ROOT).parent.parts
    parts: set[str] = set()
    libraries: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            target = (*base, *(node.module or "").split(".")) if node.module else base
            parts |= {target[0]} if target and target[0] else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            libraries.add(node.module)
        elif isinstance(node, ast.Import):
            libraries |= {alias.name for alias in node.names}
    parts |= {name.split(".")[1] for name in libraries if name.startswith("lemmata.")}
    return parts, {name.split(".")[0] for name in libraries} & KNOWN


@pytest.mark.parametrize("part", ALLOWED)
def test_imports_point_one_way(part: str) -> None:
    for path in modules(part):
        parts, libraries = imports(path)
        assert parts <= ALLOWED[part], f"{path}: {parts - ALLOWED[part]}"
        assert libraries <= LIBRARIES[part], f"{path}: {libraries - LIBRARIES[part]}"


def test_the_rule_sees_a_wrong_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "derivations" / "wrong.py"
    wrong.parent.mkdir()
    wrong.write_text("def f():\n    from ..conformance.runner import conform\n    import torch\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert imports(wrong) == ({"conformance"}, {"torch"})


@pytest.mark.parametrize("part", [*ALLOWED, "."])
def test_modules_are_short(part: str) -> None:
    for path in modules(part) if part != "." else sorted(ROOT.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        length = len(text.splitlines())
        assert "\nGENERATED from " in text or length <= LONGEST, f"{path} has {length} lines"


@pytest.mark.parametrize(
    "package", ["derivations/calculus", "reference/generator", "conformance", "conformance/isolation"]
)
def test_the_map_of_a_package_names_every_module(package: str) -> None:
    described = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")))
    assert described is not None
    named = set(re.findall(r"\w+", described))
    assert {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"} <= named


def test_the_files_that_are_run_first_exist() -> None:
    assert [name for name in LONGEST_FIRST if not (ROOT / "tests" / name).is_file()] == []
