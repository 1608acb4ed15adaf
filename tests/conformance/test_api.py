"""The names that users import, and what it takes to import them.

Type checkers are tested too: `make types` reads this file, in which each `assert_type` has to hold and each ignored
error has to be one.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Any, assert_type

import lemmata.conformance
import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st
from lemmata.conformance import Verdict, cases_of, conform, find_operation
from lemmata.errors import UsageError

LIGHT = """
import sys
import lemmata, lemmata.conformance
from lemmata.conformance import xml_text
assert {"conform", "cases_of"} <= set(dir(lemmata.conformance))
heavy = {"sympy", "torch", "numpy", "hypothesis", "mpmath", "rich"} & set(sys.modules)
assert not heavy, heavy
from lemmata.conformance import Verdict
assert not {"torch", "sympy"} & set(sys.modules)
"""


def test_the_package_is_imported_without_what_its_parts_need() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_there_and_no_other() -> None:
    for name in lemmata.conformance.__all__:
        assert getattr(lemmata.conformance, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'conforms'"):
        lemmata.conformance.conforms  # type: ignore[attr-defined]  # noqa: B018  # that it is not there is the point


def test_conform_gives_a_verdict() -> None:
    verdict = conform("softmax", torch.softmax, dtypes=["float32"], examples=20)
    assert isinstance(assert_type(verdict, Verdict), Verdict)
    assert verdict.conforms


@settings(max_examples=20)
@given(st.data())
def test_cases_are_for_tests_of_ones_own(data: st.DataObject) -> None:
    for name in ("softmax", "attention", "layer_norm"):
        case = data.draw(cases_of(name))
        problem = find_operation(name).build(case, torch.float32)
        assert find_operation(name).reference(problem).outputs


def test_cases_reach_what_is_asked_of_them() -> None:
    strategy = assert_type(cases_of("attention"), st.SearchStrategy[Any])
    case = find(strategy, lambda case: case.causal and case.queries != case.keys)
    assert case.causal


def test_cases_of_an_unknown_operation_are_refused() -> None:
    with pytest.raises(UsageError, match="'soft_max' is neither an operation nor a file"):
        cases_of("soft_max")
