"""Verdicts: what stands against `conforms`, and the documented JSON."""

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from lemmata.conformance.profiles import find_profile
from lemmata.conformance.runner import conform
from lemmata.conformance.summary import headline
from lemmata.conformance.verdict import (
    Acceptance,
    CheckResult,
    Compared,
    Failure,
    ProfileUse,
    Verdict,
    json_schema,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "conform-json.md"

FUSED = find_profile("fused", "float16", "cpu")


def passed(name: str, dtype: str = "float32", **changes: Any) -> CheckResult:
    """A check that passed."""
    return replace(CheckResult(name, dtype, "passed", worst=0.5, cases=10), **changes)


def verdict(*checks: CheckResult, **changes: Any) -> Verdict:
    """A verdict of some checks in float32."""
    made = Verdict(
        operation="softmax",
        target="torch:softmax",
        device="cpu",
        dtypes=("float32",),
        required=(),
        checks=checks,
        profiles={"float32": ProfileUse("fp32", "fp32", "float32 throughout")},
        acceptance={"float32": Acceptance(10, 0, None)},
        examples=10,
        seed=0,
        versions={"torch": "2"},
    )
    return replace(made, **changes)


def test_a_target_conforms_if_every_check_that_decides_passed() -> None:
    assert verdict(passed("forward"), passed("gradient")).conforms
    assert verdict(passed("forward")).verdict == "conforms"


@pytest.mark.parametrize(
    ("checks", "changes", "reason"),
    [
        ([passed("forward", status="failed")], {}, "forward (float32) failed"),
        (
            [passed("forward", status="not run", reason="no case")],
            {},
            "forward (float32) was not run: no case",
        ),
        ([passed("forward")], {"profiles": {}, "acceptance": {}}, "no dtype was run"),
        ([passed("forward")], {"required": ("float16",)}, "float16 was asked for and not run"),
        (
            [passed("forward")],
            {"acceptance": {"float32": Acceptance(4, 196, "no")}},
            "float32: 4 of 10 cases were run",
        ),
    ],
)
def test_what_stands_against_it_is_named(checks: list[CheckResult], changes: dict[str, Any], reason: str) -> None:
    found = verdict(*checks, **changes)
    assert reason in found.reasons
    assert found.verdict == "does not conform"


def test_a_warning_and_a_check_that_only_warns_do_not_decide() -> None:
    warned = passed("masked NaN", status="warning", decides=False)
    unheard = passed("varies", status="not run", decides=False)
    assert verdict(passed("forward"), warned, unheard).conforms


def test_one_dtype_that_does_not_run_a_check_is_not_made_up_for_by_another() -> None:
    both = verdict(
        passed("forward"),
        passed("forward", "float16", status="not run", reason="every bound is infinite"),
        profiles={
            "float32": ProfileUse("fp32", "fp32", "float32 throughout"),
            "float16": ProfileUse("eager", "fused", FUSED.description),
        },
        acceptance={"float32": Acceptance(10, 0, None), "float16": Acceptance(10, 0, None)},
    )
    assert both.reasons == ("forward (float16) was not run: every bound is infinite",)


def test_the_json_of_a_run_is_plain_data_and_complete() -> None:
    target = "lemmata.tests.conformance.targets.softmax_faults:row_sum_dropped"
    found = conform("softmax", target, dtypes=["float32", "bfloat16"], examples=40)
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert (data["operation"], data["target"], data["device"]) == ("softmax", target, "cpu")
    assert data["verdict"] == "does not conform"
    assert "gradient (float32) failed" in data["reasons"]
    assert data["dtypes"] == ["float32", "bfloat16"]
    assert (data["examples"], data["seed"]) == (40, 0)
    assert set(data["profile"]["float32"]) == {"held_to", "met", "next_tighter", "missed_by"}
    assert data["profile"]["float32"]["met"] is None
    assert data["acceptance"]["float32"] == {
        "accepted": 40,
        "refused": 0,
        "first_refusal": None,
        "stopped": None,
    }
    failed = next(check for check in data["checks"] if check["status"] == "failed")
    assert set(failed["failure"]) == {"message", "case", "code", "cause", "explanation", "compared"}
    compile(failed["failure"]["code"], "reproduction", "exec")
    assert {check["status"] for check in data["checks"]} <= {"passed", "failed", "warning", "not run"}
    assert data["versions"]["torch"]


def test_an_infinite_share_is_text_in_json() -> None:
    check = passed("forward", status="failed", worst=float("inf"), failure=Failure("m", "case", "code"))
    data = verdict(check).to_json()
    assert data["checks"][0]["worst"] == "inf"
    json.dumps(data, allow_nan=False)


def full() -> Verdict:
    """A verdict in which no field is at its default."""
    compared = Compared.of("output", np.array([[1.0, np.nan, -np.inf]]), np.zeros((1, 3)), np.array([0.5, 1.0, np.inf]))
    failure = Failure("m", "case", "code", (compared,), ("equals the output without the scale",), "crash")
    failed = passed("forward", status="failed", worst=float("inf"), failure=failure, statement="softmax S1",
                    sizes=((3, 0.25), (4, float("inf"))))  # fmt: skip
    unheard = passed("gradient", status="not run", worst=None, cases=0, reason="no case that was drawn applies to it")
    profiles = {"float32": ProfileUse("tf32", "tf32", "TF32 in products", "fp32", 37.5)}
    return verdict(failed, unheard, profiles=profiles, acceptance={"float32": Acceptance(10, 3, "no mask")})


def test_arrays_are_kept_with_their_errors_and_shares_of_the_bound() -> None:
    nan, inf = np.nan, np.inf
    actual = np.array([[1.0, 2.0, nan, inf], [nan, 5.0, 1.0, -inf]])
    expected = np.array([[1.0, 1.5, nan, inf], [1.0, 7.0, 0.0, inf]])
    compared = Compared.of("output", actual, expected, np.array([0.0, 1.0, 0.0, 0.5]))
    assert compared.shape == (2, 4)
    np.testing.assert_array_equal(compared.errors, [[0.0, 0.5, 0.0, 0.0], [inf, 2.0, 1.0, inf]])
    np.testing.assert_array_equal(compared.shares, [[0.0, 0.5, 0.0, 0.0], [inf, 2.0, inf, inf]])
    unstated = Compared.of("output", actual, expected, np.full((2, 4), inf))
    assert np.isnan(unstated.shares).all()
    scalar = Compared.of("output", np.array(2.0), np.array(1.0), np.array(4.0))
    assert (scalar.shape, scalar.shares.item()) == ((), 0.25)
    assert Compared.of("output", np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3))).shares.shape == (0, 3)


def test_arrays_too_large_for_json_are_left_out_there_and_their_shape_is_not() -> None:
    for size, written in ((4096, True), (4097, False)):
        x = np.ones(size)
        failure = Failure("m", "case", "code", (Compared.of("output", x, x, x),))
        data = verdict(passed("forward", status="failed", failure=failure)).to_json()
        (compared,) = data["checks"][0]["failure"]["compared"]
        assert compared["shape"] == [size]
        assert all((compared[name] is not None) is written for name in ("actual", "expected", "bound"))
        jsonschema.validate(data, strict())


def strict() -> dict[str, Any]:
    """The schema, with fields that it does not name refused: readers ignore them, but this project documents them."""

    def closed(node: Any) -> Any:
        if isinstance(node, list):
            return [closed(part) for part in node]
        if not isinstance(node, dict):
            return node
        made = {key: closed(value) for key, value in node.items()}
        return made | {"additionalProperties": False} if "required" in made else made

    found: dict[str, Any] = closed(json_schema())
    return found


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize(
    ("operation", "target", "verdict"),
    [
        ("softmax", "torch:softmax", "conforms"),
        ("softmax", "lemmata.tests.conformance.targets.softmax_faults:row_sum_dropped", "does not conform"),
        ("attention", "lemmata.tests.conformance.targets.law_breakers:refuses_masks", "conforms"),
        ("softmax", "lemmata.tests.conformance.targets.law_breakers:not_for_float64", "does not conform"),
    ],
)
def test_the_json_of_runs_keeps_to_the_schema(operation: str, target: str, verdict: str) -> None:
    dtypes = ["float64", "float32"] if verdict == "does not conform" else ["float32", "float16"]
    data = json.loads(json.dumps(conform(operation, target, dtypes=dtypes, examples=20).to_json(), allow_nan=False))
    jsonschema.validate(data, strict())
    assert data["verdict"] == verdict


def test_a_full_verdict_keeps_to_the_schema() -> None:
    data = json.loads(json.dumps(full().to_json(), allow_nan=False))
    jsonschema.validate(data, strict())
    check = data["checks"][0]
    assert check["sizes"] == [[3, 0.25], [4, "inf"]]
    assert check["failure"]["compared"][0]["actual"] == [1.0, "nan", "-inf"]
    assert check["failure"]["compared"][0]["bound"] == [0.5, 1.0, "inf"]
    assert data["profile"]["float32"]["missed_by"] == 37.5


def replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(data)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict",), "conforms"),  # reasons stand against it
        (("examples",), 0),
        (("extra",), 1),
        (("checks", 0, "status"), "ok"),
        (("checks", 0, "worst"), -0.5),
        (("checks", 0, "failure"), None),  # it failed
        (("checks", 1, "reason"), None),  # it was not run
        (("checks", 0, "sizes"), [[3]]),
        (("checks", 0, "failure", "compared", 0, "actual"), ["infinite"]),
        (("profile", "int8"), {"held_to": "x", "met": None, "next_tighter": None, "missed_by": None}),
        (("profile", "float32", "missed_by"), "much"),
    ],
)
def test_the_schema_refuses_what_is_not_a_verdict(path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(replaced(full().to_json(), path, value), strict())


def documented(table: str) -> set[str]:
    """The field names in one table of the document."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"## {table}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_document_schema_and_json_name_the_same_fields() -> None:
    data, schema = full().to_json(), json_schema()
    check = data["checks"][0]
    objects = {
        "Verdict": (data, schema),
        "Profile": (data["profile"]["float32"], schema["$defs"]["Profile"]),
        "Acceptance": (data["acceptance"]["float32"], schema["$defs"]["Acceptance"]),
        "Check": (check, schema["$defs"]["Check"]),
        "Failure": (check["failure"], schema["$defs"]["Failure"]),
        "Compared": (check["failure"]["compared"][0], schema["$defs"]["Compared"]),
    }
    for name, (written, described) in objects.items():
        assert documented(name) == set(written) == set(described["properties"]) == set(described["required"]), name
    tables = set(re.findall(r"^## (.*)$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    assert tables == set(objects)
    assert {name for name, part in schema["$defs"].items() if "required" in part} | {"Verdict"} == set(objects)


def test_fewer_cases_than_asked_for_are_told_although_nothing_failed() -> None:
    short = verdict(passed("forward"), acceptance={"float32": Acceptance(4, 0, None)})
    assert short.conforms
    assert headline(short).text == "conforms to softmax in float32; fewer cases than asked for"
    assert headline(short).tone == "doubt"
    # Of a dtype that was not run at all, that is said.
    taken = {"float32": Acceptance(10, 0, None), "float16": Acceptance(0, 300, "no")}
    other = replace(short, dtypes=("float32", "float16"), acceptance=taken)
    assert headline(other).text == "conforms to softmax in float32; float16 not run"
    found = conform(
        "softmax", "torch:softmax", dtypes=["float32"], examples=500, budget=0.05, only=["forward"], isolate=False
    )
    assert found.acceptance["float32"].accepted < 500
    assert found.acceptance["float32"].stopped == "the time for the dtype was up"
    assert "fewer cases than asked for" in headline(found).text
