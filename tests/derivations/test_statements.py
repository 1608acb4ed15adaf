"""Every statement of every operation is proved, and was evaluated independently."""

from __future__ import annotations

import re
from importlib import import_module

import pytest
from lemmata.derivations.calculus.operation import Operation
from lemmata.derivations.calculus.prove import prove
from lemmata.derivations.catalogue import TOPICS, topic

OPERATIONS = [op for name in TOPICS for op in topic(name).operations]
STATEMENTS = [(op, statement) for op in OPERATIONS for statement in op.statements()]


@pytest.mark.parametrize(
    ("operation", "number"),
    [
        pytest.param(op, k, id=f"{op.name} {s.label}")
        for op in OPERATIONS
        for k, s in enumerate(s for o, s in STATEMENTS if o is op)
    ],
)
def test_is_proved_and_independently_evaluated(operation: Operation, number: int) -> None:
    statement = operation.statements()[number]
    result = prove(statement)
    assert result.status == "proved", result
    assert result.checks >= len(statement.claims)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda op: op.name)
def test_labels_are_distinct_and_without_gaps(operation: Operation) -> None:
    labels = [statement.label for statement in operation.statements()]
    assert sorted(labels, key=lambda label: int(label[1:])) == [f"S{k + 1}" for k in range(len(labels))]


@pytest.mark.parametrize("name", TOPICS)
def test_the_docstring_has_the_fixed_sections_and_names_each_statement(name: str) -> None:
    module = import_module(f"lemmata.derivations.{name}")
    doc = module.__doc__ or ""
    titles = re.findall(r"^(.+)\n-+$", doc, re.MULTILINE)
    assert titles == ["Definition", "Statements", "Notation", "Domain and conventions", "References"]
    section = doc.split("Statements\n")[1].split("Notation\n")[0]
    for operation in module.OPERATIONS:
        (listed,) = re.findall(rf"^{operation.name}:(.*?)\.$", section, re.MULTILINE | re.DOTALL)
        assert re.findall(r"\bS\d+\b(?= )", listed), operation.name
        for statement in operation.statements():
            assert re.search(rf"\b{statement.label}\s", listed), f"{operation.name} {statement.label}"


def test_steps_are_licensed_by_statements_that_exist() -> None:
    for operation in OPERATIONS:
        labels = {statement.label for statement in operation.statements()}
        for step in operation.program.steps:
            assert not step.label or step.label in labels, f"{operation.name}: {step}"
