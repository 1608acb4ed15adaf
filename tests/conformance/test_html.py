"""The page of a verdict: well-formed, alone in the world, complete, and safe whatever a target says."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from lemmata.conformance.html import anchor, html_report
from lemmata.conformance.html_plots import IndexScale, LogScale
from lemmata.conformance.runner import conform
from lemmata.conformance.verdict import Acceptance, CheckResult, Compared, Failure, ProfileUse, Verdict
from lemmata.tests.conformance.evidence import with_evidence
from lemmata.tests.pages import XHTML, outside

SVG = "{http://www.w3.org/2000/svg}"
NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return with_evidence(("float32", "float16"))


def failing(*compared: Compared, **changes: object) -> Verdict:
    """A verdict with one check that failed on these arrays."""
    failure = Failure("off", "RowCase()", "x = 1  # here\n", compared)
    check = CheckResult("forward", "float32", "failed", worst=INF, cases=4, failure=failure)
    profiles, acceptance = {"float32": ProfileUse("fp32", None, "float32")}, {"float32": Acceptance(4, 0, None)}
    made = Verdict("softmax", "k.py:f", "cpu", ("float32",), (), (check,), profiles, acceptance, 4, 0, {})
    return replace(made, **changes)  # type: ignore[arg-type]  # any field of a verdict


def parsed(source: str) -> ET.Element:
    return ET.fromstring(source.removeprefix("<!DOCTYPE html>"))


def text(element: ET.Element) -> str:
    return "".join(element.itertext())


def dots(element: ET.Element) -> list[ET.Element]:
    return [e for e in element.iter() if e.get("class", "").startswith("dot") and e.find(f"{SVG}title") is not None]


def figures(root: ET.Element, caption: str) -> list[ET.Element]:
    return [f for f in root.iter(f"{XHTML}figure") if text(f[0]) == caption]


def test_the_page_stands_alone_and_is_the_same_every_time(verdict: Verdict) -> None:
    source = html_report(verdict)
    assert outside(source) == []
    assert "https:" not in source
    assert html_report(verdict) == source


def test_every_check_dtype_and_share_is_in_the_table(verdict: Verdict) -> None:
    root = parsed(html_report(verdict))
    table = root.find(f".//{XHTML}table[@class='checks']")
    assert table is not None
    lines = list(table.iter(f"{XHTML}tr"))
    names = dict.fromkeys(check.name for check in verdict.checks)
    assert len(lines) == 1 + len(names)
    assert [text(cell) for cell in lines[0]][2:] == ["float32fp32", "float16split"]
    shares = {check.dtype: check.worst for check in verdict.checks if check.name == "gradient"}
    (gradient,) = (line for line in lines if text(line[0]) == "gradient")
    for cell, share in zip(list(gradient)[2:], shares.values(), strict=True):
        assert share is not None
        assert text(cell) == f"passed {share:.2f}"
        (bar,) = (rect for rect in cell.iter(f"{SVG}rect") if rect.get("class") == "within")
        assert float(bar.attrib["width"]) == pytest.approx(100 * share, rel=1e-3)
    (forward,) = (line for line in lines if text(line[0]) == "forward")
    (full,) = (rect for rect in forward[2].iter(f"{SVG}rect") if rect.get("class") == "over")
    assert full.attrib["width"] == "100"


def test_links_lead_somewhere_and_failures_are_complete(verdict: Verdict) -> None:
    root = parsed(html_report(verdict))
    anchors = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(anchors) == len(set(anchors))
    assert {link.attrib["href"][1:] for link in root.iter(f"{XHTML}a")} <= set(anchors)
    for check in verdict.checks:
        if check.failure is None:
            continue
        section = root.find(f".//*[@id='{anchor(check)}']")
        assert section is not None
        shown = text(section)
        for part in (check.failure.message, check.failure.case, check.failure.code.strip(), *check.failure.explanation):
            assert part in shown
        (script,) = section.iter(f"{XHTML}details")
        assert ("open" in script.attrib) is (check.status == "failed")
        assert script.find(".//*[@class='p-kn']") is not None
    assert "misses fused, the next tighter profile: 1.37 times its bound" in text(root)


def test_the_plots_show_each_element_each_index_and_each_case(verdict: Verdict) -> None:
    root = parsed(html_report(verdict))
    (check,) = (c for c in verdict.checks if c.name == "forward" and c.dtype == "float32")
    assert check.failure is not None
    (compared,) = check.failure.compared
    section = root.find(f".//*[@id='{anchor(check)}']")
    assert section is not None
    (elements,) = figures(section, "Error against bound, by element")
    assert len(dots(elements)) == compared.errors.size
    over = [dot for dot in dots(elements) if dot.attrib["class"] == "dot over"]
    assert len(over) == int((compared.shares > 1.0).sum()) > 0
    for axis, size in enumerate(compared.shape):
        found = figures(section, f"Share of the bound by axis {axis}")
        assert [len(dots(figure)) for figure in found] == ([size] if size > 1 else [])
    (sizes,) = figures(section, "Share of the bound by size")
    assert len(dots(sizes)) == len(check.sizes)
    together = figures(root, "forward")
    assert [len(dots(figure)) for figure in together] == [2 * len(check.sizes)]


def test_the_dots_lie_on_the_right_side_of_the_bound() -> None:
    actual, bound = np.array([1.0 + 3e-6, 1.0 + 1e-7, 1.0]), np.array([1e-6, 1e-6, 1e-6])
    root = parsed(html_report(failing(Compared.of("output", actual, np.ones(3), bound))))
    (figure,) = figures(root, "Share of the bound by axis 0")
    limit = figure.find(f".//{SVG}path[@class='limit']")
    assert limit is not None
    line = float(limit.attrib["d"].split()[1])
    by_index = {text(dot).split(":")[0]: float(dot.attrib["cy"]) for dot in dots(figure)}
    # Down the screen, coordinates grow: the first element is above the line, the others are below it.
    assert by_index["0"] < line < by_index["1"] < by_index["2"]


def test_more_dots_than_can_be_told_apart_are_thinned_to_the_worst() -> None:
    actual = np.linspace(0.0, 2.0, 5000)
    root = parsed(html_report(failing(Compared.of("output", actual, np.zeros(5000), np.ones(5000)))))
    (figure,) = figures(root, "Error against bound, by element")
    assert len(dots(figure)) == 1500
    assert "The 1,500 elements that use most of the bound, of 5,000." in text(figure)
    assert text(dots(figure)[-1]).startswith("[3500]")


@pytest.mark.parametrize(
    ("actual", "expected", "bound"),
    [
        ([NAN, INF, 1.0], [1.0, 1.0, NAN], [1e-7, 1e-7, 1e-7]),
        ([NAN, INF, -INF], [NAN, INF, INF], [0.0, 0.0, 0.0]),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [INF, NAN, INF]),
        ([5e-324, 1e308, -1e308], [0.0, -1e308, 1e308], [5e-324, 1e308, 1e-300]),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    ],
)
def test_any_numbers_can_be_plotted(actual: list[float], expected: list[float], bound: list[float]) -> None:
    arrays = [np.array(x) for x in (actual, expected, bound)]
    shapes = [(3,), (3, 1), (1, 3)]
    compared = [Compared.of("output", *(x.reshape(shape) for x in arrays)) for shape in shapes]
    compared += [Compared.of("one", *(x[0] for x in arrays)), Compared.of("none", *(x[:0] for x in arrays))]
    source = html_report(failing(*compared))
    root = parsed(source)
    for element in root.iter():
        for key in ("cx", "cy", "d", "transform", "x", "y", "width"):
            assert not re.search("nan|inf", element.get(key, ""))


@pytest.mark.parametrize("bad", ["<script>alert(1)</script>", '"><img src="x"/>', "\0\x1b\ud800", "&amp; ]]> -->"])
def test_text_of_a_target_is_shown_and_never_run(bad: str) -> None:
    one = Compared.of(bad, np.array([1.0, 2.0]), np.zeros(2), np.ones(2))
    failure = Failure(bad, bad, f"x = 1  # {bad}\ny = {bad!r}", (one,), (bad,), bad)
    checks = (
        CheckResult(bad, "float32", "failed", worst=INF, cases=1, statement=bad, failure=failure, sizes=((1, 2.0),)),
        CheckResult(f"{bad}!", "float32", "warning", decides=False, failure=failure),
        CheckResult("gradient", "float32", "not run", reason=bad),
    )
    profiles = {"float32": ProfileUse(bad, None, bad, bad, 2.0)}
    words = {"operation": bad, "target": bad, "device": bad, "versions": {bad: bad, "lemmata": bad}}
    taken = {"float32": Acceptance(4, 1, bad)}
    source = html_report(failing(checks=checks, profiles=profiles, acceptance=taken, **words))
    assert outside(source) == []
    assert "<script" not in source
    root = parsed(source)
    anchors = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(anchors) == len(set(anchors))


def test_a_run_that_conforms_has_no_failures_and_plots_by_size_alone() -> None:
    found = conform("softmax", "torch:softmax", dtypes=["float32"], examples=40)
    root = parsed(html_report(found))
    headline = root.find(f".//{XHTML}p[@class='headline good']")
    assert headline is not None
    assert headline.text == "conforms to softmax in float32"
    plots = list(root.iter(f"{XHTML}figure"))
    assert len(plots) == sum(bool(check.sizes) for check in found.checks)
    assert all("elements in the case" in "".join(plot.itertext()) for plot in plots)
    assert "Failures" not in text(root)


def test_no_two_checks_share_an_anchor() -> None:
    names = ["a b", "a-b", "a_b", "a.b", "a/b", "a_2f_b", "⟨dV,V⟩", "⟨dV V⟩", "Σ dK = 0", "\0", "\ud800"]
    found = [anchor(CheckResult(name, dtype, "passed")) for name in names for dtype in ("float32", "float16")]
    assert len(set(found)) == len(found)
    assert not [one for one in found if re.search(r"[\s\"'<>&]", one)]


def test_scales_keep_order_and_have_places_for_zero_and_infinity() -> None:
    values = [0.0, 5e-324, 3e-7, 1e-6, 1.0, 20.0, 1e308, INF]
    scale = LogScale.of(values)
    places = [scale.at(value) for value in values]
    assert places == sorted(places)
    assert all(0.0 < a < b < 1.0 for a, b in pairwise(places))
    assert {"0", "∞"} <= {label for _, label in scale.ticks()}
    plain = LogScale.of([2e-3, 4e-3])
    assert (plain.low, plain.high, plain.zero, plain.infinite) == (-3, -2, False, False)
    assert [label for _, label in plain.ticks()] == ["10⁻³", "0.01"]
    assert LogScale.of([]).ticks()
    for size in (1, 2, 7, 65, 1000):
        ticks = IndexScale(size).ticks()
        assert 1 <= len(ticks) <= 7
        assert ticks[0][1] == "0"
        assert all(0.0 < place < 1.0 for place, _ in ticks)
