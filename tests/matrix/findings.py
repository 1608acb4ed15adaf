"""Why rows do not conform: what was found by hand, by target."""

from __future__ import annotations

from collections.abc import Mapping

from lemmata.tests.matrix.rows import Why

FINDINGS: Mapping[str, tuple[Why, ...]] = {}
