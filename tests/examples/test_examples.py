"""The own derivations of the examples: every statement is proved, and a false variant is not."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.calculus.statement import Equal
from lemmata.derivations.catalogue import TOPICS, find_one, topic

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = ("square_sum", "sigmoid_attention", "latent_attention")


@pytest.mark.parametrize("name", FILES)
def test_every_statement_is_proved(name: str) -> None:
    derivation = find_one(str(EXAMPLES / f"{name}.py"))
    for operation in derivation.operations:
        for statement in derivation.statements(operation):
            result = prove(statement)
            assert result.status == "proved", f"{statement.label}: {result.reason}"


@pytest.mark.parametrize("name", FILES)
def test_an_example_is_not_in_the_catalogue(name: str) -> None:
    assert name not in {operation.name for place in TOPICS for operation in topic(place).operations}


@pytest.mark.parametrize("name", ["sigmoid_attention", "latent_attention"])
def test_the_docstring_lists_the_statements(name: str) -> None:
    derivation = find_one(str(EXAMPLES / f"{name}.py"))
    listed = re.findall(r"^    (S\d+) ", (EXAMPLES / f"{name}.py").read_text(encoding="utf-8"), flags=re.MULTILINE)
    (operation,) = derivation.operations
    assert listed == [statement.label for statement in derivation.statements(operation)]


def test_twice_a_gradient_is_refuted() -> None:
    derivation = find_one(str(EXAMPLES / "sigmoid_attention.py"))
    (operation,) = derivation.operations
    by_label = {statement.label: statement for statement in derivation.statements(operation)}
    of_v = by_label["S6"].claim
    assert isinstance(of_v, Equal)
    wrong = replace(by_label["S6"], claim=Equal(of_v.left, 2 * of_v.right))
    assert prove(wrong).status == "refuted"
