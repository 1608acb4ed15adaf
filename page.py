"""The page of `lemmata derive --html`: what is derived, and beside it the reference that is generated from it."""

from __future__ import annotations

from collections.abc import Sequence

from . import __version__
from .derivations.catalogue import Derivation
from .derivations.docstring import Document
from .derivations.exposition import Exposition
from .derivations.exposition_html import Article, page
from .highlighting import python_html
from .reference.generator.code import CannotGenerate
from .reference.generator.module import generate_module


def html_page(parts: Sequence[tuple[Derivation, Sequence[Exposition]]]) -> str:
    """One page with a part for each derivation, each with the expositions of its operations."""
    articles = [
        Article(
            Document.of(derivation.docstring, derivation.name),
            derivation.origin,
            tuple(expositions),
            _code(derivation),
        )
        for derivation, expositions in parts
    ]
    return page(articles, f"Written by `lemmata derive --html`, version {__version__}.")


def _code(derivation: Derivation) -> str:
    """The generated reference as HTML; nothing if the operations are derived, but no reference can be generated."""
    command = f"lemmata generate {derivation.name if derivation.path is None else derivation.origin}"
    try:
        source = generate_module(derivation.operations, derivation.origin, command)
    except CannotGenerate:
        return ""
    return python_html(source)
