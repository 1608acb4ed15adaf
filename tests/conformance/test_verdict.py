"""Verdicts: what stands against `conforms`, and the documented JSON."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lemmata.conformance.profiles import find_profile
from lemmata.conformance.runner import conform
from lemmata.conformance.verdict import Acceptance, CheckResult, Failure, ProfileUse, Verdict

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
    assert set(data["profile"]["float32"]) == {"held_to", "met"}
    assert data["profile"]["float32"]["met"] is None
    assert data["acceptance"]["float32"] == {"accepted": 40, "refused": 0, "first_refusal": None}
    failed = next(check for check in data["checks"] if check["status"] == "failed")
    assert set(failed["failure"]) == {"message", "case", "code"}
    compile(failed["failure"]["code"], "reproduction", "exec")
    assert {check["status"] for check in data["checks"]} <= {"passed", "failed", "warning", "not run"}
    assert data["versions"]["torch"]


def test_an_infinite_share_is_text_in_json() -> None:
    check = passed("forward", status="failed", worst=float("inf"), failure=Failure("m", "case", "code"))
    data = verdict(check).to_json()
    assert data["checks"][0]["worst"] == "inf"
    json.dumps(data, allow_nan=False)


def documented(table: str) -> set[str]:
    """The field names in one table of the document."""
    section = DOCUMENT.read_text(encoding="utf-8").split(f"## {table}\n")[1].split("\n## ")[0]
    return set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))


def test_the_document_names_every_field_and_no_other() -> None:
    failure = Failure("m", "case", "code")
    data = verdict(passed("forward", status="failed", failure=failure)).to_json()
    assert documented("Verdict") == set(data)
    assert documented("Profile") == set(data["profile"]["float32"])
    assert documented("Acceptance") == set(data["acceptance"]["float32"])
    assert documented("Check") == set(data["checks"][0])
    assert documented("Failure") == set(data["checks"][0]["failure"])
