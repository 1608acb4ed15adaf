"""Faults planted in the rules of the prover."""

from collections.abc import Callable, Iterator

import pytest
from lemmata.derivations.calculus.normal_form import normal_form

Plant = Callable[[object, str, object], None]


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plant]:
    """Puts a fault in place of a rule, given its module and name. The normal forms that are remembered from before, and
    afterwards those made with the fault, are forgotten."""

    def planted(module: object, name: str, fault: object) -> None:
        monkeypatch.setattr(module, name, fault)
        normal_form.cache_clear()

    yield planted
    normal_form.cache_clear()
