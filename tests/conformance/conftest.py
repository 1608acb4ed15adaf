"""One thread, as the shapes are small."""

import pytest
import torch
from lemmata.conformance import search


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def _found_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is hardly made smaller: that takes most of the time, and has tests of its own."""
    monkeypatch.setattr(search, "_SHRINK_CALLS", 5)
    monkeypatch.setattr(search, "_SHRINK_CALLS_OF_A_WARNING", 5)
