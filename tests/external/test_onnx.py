"""The generated references against the graphs by which ONNX defines its operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from lemmata.conformance.compare import compare
from lemmata.tests.external.onnx_adapters import ADAPTERS, comparisons
from lemmata.tests.external.onnx_cases import Case, DoesNotApplyError, Expected, cases
from lemmata.tests.external.onnx_table import PATH, table

Array = Any


def failures(case: Case, expected: Expected, outputs: Mapping[str, Array]) -> list[str]:
    """What is wrong with the outputs of a case; a bound that is infinite says nothing, which is wrong too."""
    found = []
    for name, (value, bound) in expected.items():
        actual = np.asarray(outputs[name], np.float64)
        if actual.shape != value.shape:
            found.append(f"{case.name}, {name}: shape {actual.shape} instead of {value.shape}")
            continue
        finding = compare(name, actual, value, bound)
        if finding.failure is not None or finding.vacuous:
            found.append(f"{case.name}, {name}: {finding.failure or f'{finding.vacuous} bounds are infinite'}")
    return found


@pytest.mark.parametrize("operator", ADAPTERS)
def test_the_graphs_of_the_standard_are_within_the_bounds(operator: str) -> None:
    found: list[str] = []
    compared = 0
    for case, expected in comparisons(operator):
        if not isinstance(expected, DoesNotApplyError):  # docs/onnx.md says which do not apply, and why
            found += failures(case, expected, case.run())
            compared += 1
    assert not found, "\n".join(found)
    assert compared > 0


def test_the_document_says_what_is_compared() -> None:
    assert PATH.read_text(encoding="utf-8") == table(), "run `python tests/external/onnx_table.py`"


@pytest.mark.parametrize("operator", ADAPTERS)
def test_an_output_that_is_wrong_is_found(operator: str) -> None:
    """One element that is off by three times its bound, or by 1 where it must be exact."""
    for case, expected in comparisons(operator):
        if isinstance(expected, DoesNotApplyError):
            continue
        (name, (value, bound)), *_ = expected.items()
        wrong = np.array(value)
        place = np.unravel_index(int(np.argmax(bound)), bound.shape)
        wrong[place] += 3.0 * bound[place] or 1.0
        assert not failures(case, {name: (value, bound)}, {name: value})
        assert failures(case, {name: (value, bound)}, {name: wrong})


def test_a_mask_that_is_ignored_is_found() -> None:
    """The adapter with its masks left out is outside of the bounds wherever a case has one."""
    attention = ADAPTERS["Attention"]
    masked = [case for case in cases()["Attention"] if case.attributes.get("is_causal") or "attn_mask" in case.inputs]
    assert len(masked) > 10
    for case in masked:
        inputs = {name: x for name, x in case.inputs.items() if name != "attn_mask"}
        plain = replace(case, inputs=inputs, attributes={**case.attributes, "is_causal": 0})
        if _masks_nothing(case):
            continue
        assert failures(case, {"Y": attention(plain)["Y"]}, case.run()), case.name


def _masks_nothing(case: Case) -> bool:
    """A causal mask over one query at the end of its keys, a mask that keeps all, or values that are all the same."""
    mask = case.inputs.get("attn_mask")
    queries = case.inputs["Q"].shape[-2 if case.inputs["Q"].ndim == 4 else 1]
    causal = case.attributes.get("is_causal") and queries > 1
    keeps_all = mask is None or bool((mask == (mask.dtype == np.bool_)).all())
    return (not causal and keeps_all) or bool(np.ptp(case.wide("V")) == 0)
