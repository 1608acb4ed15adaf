"""Pages and LaTeX documents of the whole catalogue, whose proofs are made once for both.

A page is well-formed, alone in the world, complete, and the same every time; a document parses and compiles.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from lemmata.derivations.catalogue import TOPICS, find_one, topic
from lemmata.derivations.docstring import Document
from lemmata.derivations.exposition import Exposition, expose
from lemmata.derivations.exposition_html import Article, page
from lemmata.derivations.exposition_latex import document, words
from lemmata.tests.pages import XHTML, outside
from pylatexenc.latexwalker import (
    LatexEnvironmentNode,
    LatexGroupNode,
    LatexMacroNode,
    LatexMathNode,
    LatexNode,
    LatexWalker,
    LatexWalkerParseError,
)

FALSE = Path(__file__).parent.parent / "user_derivations" / "dropped_row_term.py"


def page_of(name: str) -> str:
    return page_with(name, tuple(expose(op, op.statements()) for op in find_one(name).operations))


def page_with(name: str, shown: tuple[Exposition, ...]) -> str:
    derivation = find_one(name)
    return page([Article(Document.of(derivation.docstring, derivation.name), derivation.origin, shown)], "end")


@pytest.fixture(scope="module")
def expositions() -> dict[str, tuple[Exposition, ...]]:
    return {name: tuple(expose(op, op.statements()) for op in topic(name).operations) for name in TOPICS}


@pytest.fixture(scope="module")
def pages(expositions: dict[str, tuple[Exposition, ...]]) -> dict[str, str]:
    return {name: page_with(name, shown) for name, shown in expositions.items()}


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


# Documents ---------------------------------------------------------------------------------------------------------

# What amsmath and plain LaTeX define, of what the documents use; a name outside would not compile.
STRUCTURE = {"documentclass", "usepackage", "allowdisplaybreaks", "setlength", "parindent", "begin", "end", "section"}
STRUCTURE |= {"subsection", "paragraph", "emph", "item", "text", "_", ",", ":", "{", "}", "&", "%", "#", "$", "^", "\\"}
MATHEMATICS = {"mathrm", "operatorname", "frac", "tfrac", "sqrt", "sum", "max", "left", "right", "qquad", "prime"}
MATHEMATICS |= {"delta", "Delta", "alpha", "beta", "pi", "rho", "ge", "le", "mapsto", "log", "tanh", "circ", "langle"}
MATHEMATICS |= {"rangle", "partial", "nabla", "infty", "cdot", "surd", "mathsf", "in", "times", "textbackslash"}
MATHEMATICS |= {"hat", "bar", "tilde", "Vert", "exp", "sin", "cos", "sinh", "cosh", "min", "ne", "to", "approx", "pm"}
MATHEMATICS |= {"propto", "prod", "ldots", "odot", "Phi", "Omega", "Gamma", "delta", "zeta", "eta", "theta", "kappa"}
MATHEMATICS |= {"gamma", "epsilon", "lambda", "mu", "nu", "xi", "sigma", "tau", "phi", "chi", "psi", "omega"}


@pytest.fixture(scope="module")
def sources(expositions: dict[str, tuple[Exposition, ...]]) -> dict[str, str]:
    return {name: document(shown) for name, shown in expositions.items()}


def macros(nodes: list[LatexNode]) -> set[str]:
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, LatexMacroNode):
            found.add(node.macroname)
            found |= macros([a for a in (node.nodeargd.argnlist if node.nodeargd else []) if a is not None])
        elif isinstance(node, LatexGroupNode | LatexEnvironmentNode | LatexMathNode):
            found |= macros(node.nodelist)
    return found


@pytest.mark.parametrize("name", TOPICS)
def test_documents_parse_and_use_known_macros(sources: dict[str, str], name: str) -> None:
    source = sources[name]
    nodes, _, _ = LatexWalker(source, tolerant_parsing=False).get_latex_nodes()
    assert macros(list(nodes)) <= STRUCTURE | MATHEMATICS
    assert re.findall(r"[^\x00-\x7f]", source) == []
    for op in topic(name).operations:
        for statement in op.statements():
            assert rf"\paragraph{{{statement.label}}} {words(statement.name)}" in source


def test_the_parser_catches_unbalanced_braces() -> None:
    with pytest.raises(LatexWalkerParseError):
        LatexWalker(r"\frac{a}{b", tolerant_parsing=False).get_latex_nodes()


@pytest.mark.parametrize("name", TOPICS)
def test_documents_compile(sources: dict[str, str], name: str, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("NOT RUN: pdflatex is not installed")
    (tmp_path / "derivation.tex").write_text(sources[name])
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "derivation.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "derivation.pdf").stat().st_size > 0
