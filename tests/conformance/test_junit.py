"""JUnit XML: counts, what fails and what is skipped, and text that XML has no characters for."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from lemmata.conformance.junit import junit_xml
from lemmata.conformance.runner import conform
from lemmata.conformance.verdict import Acceptance, CheckResult, Failure, ProfileUse, Verdict
from lemmata.conformance.xml_text import xml_text

FAILURE = Failure("off by 0.5", "RowCase()", "assert x < 1 & y", (), ("rows ≥ 64 only",), "crash")
VERDICT = Verdict(
    operation="softmax",
    target="kernels.py:fused",
    device="cpu",
    dtypes=("float64", "float32"),
    required=(),
    checks=(
        CheckResult("forward", "float64", "not run", reason="TypeError: no float64"),
        CheckResult("atomics", "float64", "not run", decides=False, reason="TypeError: no float64"),
        CheckResult("forward", "float32", "failed", worst=float("inf"), cases=7, failure=FAILURE),
        CheckResult("atomics", "float32", "warning", decides=False, cases=2100, failure=FAILURE),
    ),
    profiles={"float32": ProfileUse("fp32", None, "float32 throughout")},
    acceptance={"float32": Acceptance(2100, 0, None)},
    examples=2100,
    seed=3,
    versions={"torch": "2.13.0"},
)
# What the servers' schemas allow, in order: properties, cases; and within a case skipped or failure before output.
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"classname", "name"},
    "failure": {"message", "type"},
    "skipped": {"message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase"],
    "properties": ["property"],
    "testcase": ["skipped", "failure", "system-out"],
}


def parsed(verdict: Verdict) -> ET.Element:
    """The document, held to the form that servers read, and to its own counts."""
    root = ET.fromstring(junit_xml(verdict).encode())
    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        order = [CHILDREN.get(element.tag, []).index(child.tag) for child in element]
        assert order == sorted(order)
    for suite in (root, *root):
        cases = list(suite.iter("testcase"))
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == sum(case.find("failure") is not None for case in cases)
        assert int(suite.attrib["skipped"]) == sum(case.find("skipped") is not None for case in cases)
        assert suite.attrib["errors"] == "0"
    return root


def case_of(root: ET.Element, place: str, name: str) -> ET.Element:
    (found,) = (c for c in root.iter("testcase") if (c.attrib["classname"], c.attrib["name"]) == (place, name))
    return found


def test_checks_are_cases_in_a_suite_per_dtype() -> None:
    root = parsed(VERDICT)
    names = ["softmax.cpu.float64", "softmax.cpu.float32", "softmax.cpu.verdict"]
    assert [suite.attrib["name"] for suite in root] == names
    counts = {key: root.attrib[key] for key in ("tests", "failures", "skipped")}
    assert counts == {"tests": "5", "failures": "2", "skipped": "2"}
    facts = {p.attrib["name"]: p.attrib["value"] for p in root[0].iter("property")}
    assert facts == {
        "target": "kernels.py:fused",
        "device": "cpu",
        "seed": "3",
        "examples": "2100",
        "version.torch": "2.13.0",
    }


def test_a_failure_has_message_cause_explanation_and_script() -> None:
    failure = case_of(parsed(VERDICT), "softmax.cpu.float32", "forward").find("failure")
    assert failure is not None
    assert failure.attrib == {"message": "off by 0.5", "type": "crash"}
    assert failure.text == "off by 0.5\ncause: crash\nrows ≥ 64 only\n\nassert x < 1 & y"


def test_what_was_not_run_is_skipped_with_its_reason_and_a_warning_is_output() -> None:
    root = parsed(VERDICT)
    skipped = case_of(root, "softmax.cpu.float64", "forward").find("skipped")
    assert skipped is not None
    assert skipped.attrib["message"] == "NOT RUN: TypeError: no float64"
    warned = case_of(root, "softmax.cpu.float32", "atomics")
    assert warned.find("failure") is None
    assert (warned.findtext("system-out") or "").startswith("warning: off by 0.5\n2,100 cases")


def test_a_dtype_asked_for_and_not_run_is_a_failure_of_the_verdict() -> None:
    """Servers count skipped cases as no fault: what was not run must not look like a pass."""
    skipped = tuple(replace(c, status="not run", failure=None, reason="no") for c in VERDICT.checks)
    asked = replace(VERDICT, checks=skipped, required=("float64",), profiles={}, acceptance={})
    root = parsed(asked)
    assert (root.attrib["failures"], root.attrib["skipped"]) == ("1", "4")
    failure = case_of(root, "softmax.cpu.verdict", "conforms").find("failure")
    assert failure is not None
    assert (failure.text or "").splitlines()[0] == "float64 was asked for and not run"


def test_a_run_that_conforms_has_no_failure() -> None:
    root = parsed(conform("softmax", "torch:softmax", dtypes=["float32"], examples=40))
    assert root.attrib["failures"] == "0"
    out = case_of(root, "softmax.cpu.float32", "forward").findtext("system-out")
    assert out is not None
    assert out.startswith("40 cases; largest share of the bound: 0.")


@pytest.mark.parametrize(
    "bad", ["\0", "\x1b[31m", "\x08", "\ud800", "\ufffe", "\x7f\x85", "]]>", "<script>", '"', "\t"]
)
def test_text_of_a_target_never_breaks_the_document(bad: str) -> None:
    failure = Failure(f"said {bad}!", f"Case({bad!r})", f"code {bad}", (), (f"why {bad}",), f"crash {bad}")
    checks = (
        replace(VERDICT.checks[0], name=f"forward {bad}", reason=f"no {bad}"),
        replace(VERDICT.checks[2], failure=failure),
        replace(VERDICT.checks[3], failure=failure),
    )
    root = parsed(replace(VERDICT, target=f"k.py:{bad}", checks=checks, versions={"torch": bad}))
    (case,) = (case for case in root.iter("testcase") if case.attrib["name"] == "forward")
    assert f"said {xml_text(bad)}!" in (case.findtext("failure") or "")


def test_forbidden_characters_are_written_as_escapes_and_others_kept() -> None:
    assert xml_text("a\0b\x1b\x9b\ud800\uffff") == "a\\x00b\\x1b\\x9b\\ud800\\uffff"
    assert xml_text("∞ ≤ 𝔽\t\r\n<&>") == "∞ ≤ 𝔽\t\r\n<&>"
