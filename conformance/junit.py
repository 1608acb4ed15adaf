"""A verdict as JUnit XML, the form in which continuous-integration servers read the results of tests.

One test suite per dtype, one test case per check: a check that failed is a failure with its script, one that was not
run is skipped, and a warning is said in the output of a case that passes. As servers show a skipped case as no fault,
one more suite holds the verdict itself, which fails if anything stands against the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from .summary import headline, share
from .verdict import CheckResult, Failure, Verdict
from .xml_text import xml_text


def junit_xml(verdict: Verdict) -> str:
    """The verdict as a document of `testsuites`; no times and no host, which a verdict does not know."""
    root = ET.Element("testsuites", name=xml_text(f"{verdict.operation}: {verdict.target} on {verdict.device}"))
    place = f"{verdict.operation}.{verdict.device}"
    for dtype in verdict.dtypes:
        checks = [check for check in verdict.checks if check.dtype == dtype]
        _suite(root, f"{place}.{dtype}", verdict, [_case(check, f"{place}.{dtype}") for check in checks])
    _suite(root, f"{place}.verdict", verdict, [_verdict_case(verdict, f"{place}.verdict")])
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, name: str, verdict: Verdict, cases: Sequence[ET.Element]) -> None:
    def having(tag: str) -> str:
        return str(sum(case.find(tag) is not None for case in cases))

    suite = ET.SubElement(
        root,
        "testsuite",
        name=xml_text(name),
        tests=str(len(cases)),
        failures=having("failure"),
        errors="0",
        skipped=having("skipped"),
    )
    facts = {"target": verdict.target, "device": verdict.device, "seed": str(verdict.seed)}
    facts |= {"examples": str(verdict.examples)} | {f"version.{name}": v for name, v in verdict.versions.items()}
    properties = ET.SubElement(suite, "properties")
    for key, value in facts.items():
        ET.SubElement(properties, "property", name=xml_text(key), value=xml_text(value))
    suite.extend(cases)


def _case(check: CheckResult, place: str) -> ET.Element:
    case = ET.Element("testcase", classname=xml_text(place), name=xml_text(check.name))
    if check.status == "not run":
        ET.SubElement(case, "skipped", message=xml_text(f"NOT RUN: {check.reason}"))
    elif check.status == "failed":
        assert check.failure is not None
        _add_failure(case, check.failure)
    said = [] if check.failure is None or check.status != "warning" else [f"warning: {check.failure.message}"]
    if check.status != "not run":
        bound = "" if check.worst is None else f"; largest share of the bound: {share(check.worst)}"
        said.append(f"{check.cases:,} cases{bound}")
    if check.status == "warning" and check.failure is not None:
        said += ["", check.failure.code]
    if said:
        ET.SubElement(case, "system-out").text = xml_text("\n".join(said))
    return case


def _add_failure(case: ET.Element, failure: Failure) -> None:
    words = [failure.message]
    if failure.cause is not None:
        words.append(f"cause: {failure.cause}")
    words += [*failure.explanation, "", failure.code]
    found = ET.SubElement(case, "failure", message=xml_text(failure.message), type=xml_text(failure.cause or "failed"))
    found.text = xml_text("\n".join(words))


def _verdict_case(verdict: Verdict, place: str) -> ET.Element:
    case = ET.Element("testcase", classname=xml_text(place), name="conforms")
    if not verdict.conforms:
        found = ET.SubElement(case, "failure", message=xml_text(headline(verdict).text), type="verdict")
        found.text = xml_text("\n".join(verdict.reasons))
    return case
