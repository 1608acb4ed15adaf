"""Settings of every test: Hypothesis draws the same examples in every run, and keeps none between runs; Triton kernels
are interpreted where there is no CUDA device; the files that take longest come first."""

import gc

import hypothesis
import pytest
from lemmata.gpu.interpreter import interpret_without_cuda

hypothesis.settings.register_profile("lemmata", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("lemmata")

# Before anything imports Triton: PyTorch does when it first runs a custom operator, and so does its flop counter.
interpret_without_cuda()

# By the seconds they take: files are shared out to processes in this order, and the last ones should be short.
LONGEST_FIRST = (
    "conformance/test_faults.py", "gpu/test_conformance.py", "reference/test_search.py", "test_cli.py",
    "examples/test_your_own_derivation.py", "gpu/test_attention.py", "conformance/test_generic.py",
    "calculus/test_mutants.py", "conformance/test_checks.py", "gpu/test_planted_kernel_faults.py",
    "hostile/test_hostile.py", "derivations/test_expositions.py", "conformance/test_search.py", "matrix/test_matrix.py",
    "conformance/test_journal.py", "reference/test_catalogue.py", "conformance/test_reproduce.py",
    "gpu/test_operators.py", "reference/test_feedforward.py", "derivations/test_statements.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others in their order."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0].removeprefix("tests/"), len(places)))


def pytest_collection_finish() -> None:
    """What has been imported and collected stays: not to look through it for garbage again and again saved a tenth of
    the processor time of 80 tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def _found_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails or is warned of is hardly made smaller, and no further cases are drawn: that takes most of the time of
    a short run, and has tests of its own."""
    monkeypatch.setattr("lemmata.conformance.search._SHRINK_CALLS", 5)
    monkeypatch.setattr("lemmata.conformance.search._SHRINK_CALLS_OF_A_WARNING", 5)
    monkeypatch.setattr("lemmata.conformance.search._FURTHER", 0)
