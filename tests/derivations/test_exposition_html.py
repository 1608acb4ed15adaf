"""The page: well-formed, alone in the world, complete, the same every time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from lemmata.derivations.catalogue import TOPICS, find_one, topic
from lemmata.derivations.docstring import Document
from lemmata.derivations.exposition import Exposition, expose
from lemmata.derivations.exposition_html import Article, page
from lemmata.tests.derivations.expositions import expositions
from lemmata.tests.pages import XHTML, outside

FALSE = Path(__file__).parent.parent / "user_derivations" / "dropped_row_term.py"


def page_of(name: str) -> str:
    return page_with(name, tuple(expose(op, op.statements()) for op in find_one(name).operations))


def page_with(name: str, shown: tuple[Exposition, ...]) -> str:
    derivation = find_one(name)
    return page([Article(Document.of(derivation.docstring, derivation.name), derivation.origin, shown)], "end")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: page_with(name, expositions(name)) for name in TOPICS}


@pytest.mark.parametrize("name", TOPICS)
def test_the_page_is_well_formed_and_fetches_nothing(pages: dict[str, str], name: str) -> None:
    assert outside(pages[name]) == []
    assert "https:" not in pages[name].replace("http://www.w3.org/1999/xhtml", "")


def test_what_is_fetched_is_seen(pages: dict[str, str]) -> None:
    source = pages["softmax"].replace("<main>", '<main><img src="https://example.org/x.png"/>', 1)
    assert outside(source.replace("<style>", "<style>@import url(x);", 1)) == [
        "img",
        "src=https://example.org/x.png",
        "@import",
        "url(",
    ]


@pytest.mark.parametrize("name", TOPICS)
def test_every_statement_is_there_and_every_link_leads_somewhere(pages: dict[str, str], name: str) -> None:
    root = ET.fromstring(pages[name].removeprefix("<!DOCTYPE html>"))
    anchors = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(anchors) == len(set(anchors))
    links = [element.attrib["href"] for element in root.iter(f"{XHTML}a")]
    assert {link.removeprefix("#") for link in links} <= set(anchors)
    for operation in topic(name).operations:
        for statement in operation.statements():
            section = root.find(f".//*[@id='{operation.name}-{statement.label}']")
            assert section is not None
            heading = section.find(f"{XHTML}h4")
            assert heading is not None
            shown = "".join(heading.itertext())
            assert shown == f"{statement.label} {statement.name.replace('`', '')} proved"
            assert section.find(f".//{XHTML}math") is not None


def test_the_page_is_the_same_every_time(pages: dict[str, str]) -> None:
    assert page_of("softmax") == pages["softmax"]


def test_an_operation_called_as_its_file_has_an_anchor_of_its_own() -> None:
    source = page_of(str(Path(__file__).parent.parent.parent / "examples" / "square_sum.py"))
    anchors = re.findall(r' id="([^"]*)"', source)
    assert {"square_sum", "topic-square_sum"} <= set(anchors)
    assert len(anchors) == len(set(anchors))


def test_an_operation_and_a_file_have_pages() -> None:
    assert 'id="logsumexp-S9"' in page_of("logsumexp")
    assert 'id="softmax-S1"' not in page_of("logsumexp")
    assert "1 of 1 statements proved" not in page_of(str(FALSE))


def test_a_false_statement_is_marked_with_its_counterexample() -> None:
    source = page_of(str(FALSE))
    assert '<span class="status refuted"' in source
    assert "0 of 1 statements proved" in source
    assert "≟" in source
    assert "left  = 0.0" in source
    assert "<details>" not in source
