"""Finding derivations: built-in topics and operations, and files of a user's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from lemmata.derivations.catalogue import TOPICS, find, find_one
from lemmata.errors import UsageError

OWN = Path(__file__).parents[2] / "examples" / "square_sum.py"


def test_without_names_all_topics_are_found() -> None:
    assert [derivation.name for derivation in find(())] == list(TOPICS)


def test_a_topic_an_operation_a_file_and_one_operation_of_a_file() -> None:
    found = find(["softmax", "logsumexp", str(OWN), f"{OWN}:square_sum"])
    assert [[op.name for op in derivation.operations] for derivation in found] == [
        ["softmax", "log_softmax", "logsumexp"],
        ["logsumexp"],
        ["square_sum"],
        ["square_sum"],
    ]
    assert [derivation.complete for derivation in found] == [True, False, True, True]
    assert [derivation.path for derivation in found] == [None, None, OWN, OWN]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sofmax", r"'sofmax' is neither an operation nor a file ending in \.py.*did you mean 'softmax'\?"),
        ("nowhere.py", r"derivation 'nowhere\.py': there is no file 'nowhere\.py'"),
        (f"{OWN}:square_sun", r"square_sum\.py has no operation 'square_sun'.*did you mean 'square_sum'\?"),
    ],
)
def test_what_is_not_there_is_quoted(name: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find_one(name)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", r"is no derivation: it does not define OPERATIONS, a tuple of Operation"),
        ("OPERATIONS = 3\n", r"is no derivation: OPERATIONS is 3, not a tuple of Operation"),
        ("OPERATIONS = ()\n", r"is no derivation: OPERATIONS is \(\), not a tuple of Operation"),
        ("OPERATIONS = (1, 2)\n", r"is no derivation: OPERATIONS is \(1, 2\), not a tuple of Operation"),
        ("import nothing_of_that_name\n", r"raised ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("def broken(:\n", r"raised SyntaxError"),
        ("raise SystemExit(3)\n", r"raised SystemExit: 3"),
    ],
)
def test_a_file_that_is_no_derivation(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(source)
    with pytest.raises(UsageError, match=message):
        find_one(str(path))


def test_a_file_may_import_what_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "shared_pieces_of_mine.py").write_text(OWN.read_text())
    (tmp_path / "mine.py").write_text("from shared_pieces_of_mine import OPERATIONS\n")
    assert [op.name for op in find_one(str(tmp_path / "mine.py")).operations] == ["square_sum"]


def test_statements_that_raise_are_the_users_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN.read_text().replace("2 * op.cotangent(y)[()] * x[i]", "x[i, i]"))
    derivation = find_one(str(path))
    with pytest.raises(UsageError, match=r"mine\.py: the statements of 'square_sum' raised DimensionError: x\[i, i\]"):
        derivation.statements(derivation.operations[0])
