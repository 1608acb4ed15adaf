"""Docstrings of derivations taken apart."""

from __future__ import annotations

import importlib

import pytest
from lemmata.derivations.catalogue import TOPICS
from lemmata.derivations.docstring import Document

TEXT = """# A title

What it is.

Definition
----------
    y = x

as they say.

References
----------
Someone 2020.
"""


def test_title_summary_and_sections() -> None:
    found = Document.of(TEXT, "name")
    assert (found.title, found.summary) == ("A title", "What it is.")
    assert dict(found.sections) == {"Definition": "    y = x\n\nas they say.", "References": "Someone 2020."}


def test_a_file_need_not_say_anything() -> None:
    assert Document.of("", "name") == Document("name")
    assert Document.of("Only this.", "name") == Document("name", "Only this.")


@pytest.mark.parametrize("name", TOPICS)
def test_every_topic_has_the_sections_of_a_derivation(name: str) -> None:
    module = importlib.import_module(f"lemmata.derivations.{name}")
    found = Document.of(module.__doc__ or "", name)
    assert found.title != name
    assert list(found.sections) == ["Definition", "Statements", "Notation", "Domain and conventions", "References"]
