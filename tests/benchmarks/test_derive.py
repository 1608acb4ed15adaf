"""What the benchmark of derivations measures is right: each closed form is proved, and a wrong one stops it."""

from __future__ import annotations

import ast

import pytest
from lemmata.benchmarks import derive
from lemmata.benchmarks.derive import PARTS, PEER_SCRIPT, PROBLEMS, Problem, measure


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_is_derived_and_proved(name: str) -> None:
    assert set(measure(name)) == set(PARTS)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_wrong_closed_form_is_no_result(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program, closed = PROBLEMS[name]()

    def wrong() -> Problem:
        return program, {entry: 2 * form for entry, form in closed.items()}

    monkeypatch.setattr(derive, "PROBLEMS", {name: wrong})
    with pytest.raises(AssertionError):
        measure(name)


def test_the_peer_has_the_same_problems() -> None:
    """Its script is run by another environment, so it is read here, not imported."""
    tree = ast.parse(PEER_SCRIPT.read_text(encoding="utf-8"))
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert set(PROBLEMS) <= set(functions)
