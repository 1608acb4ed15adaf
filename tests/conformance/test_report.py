"""The report as it is printed, at 100 columns."""

from dataclasses import replace
from io import StringIO

from lemmata.conformance.profiles import find_profile
from lemmata.conformance.report import as_text, render
from lemmata.conformance.runner import conform
from lemmata.conformance.verdict import Acceptance, CheckResult, Failure, ProfileUse, Verdict
from rich.console import Console

WIDTH = 100

FUSED = find_profile("fused", "float16", "cpu")


def printed(verdict: Verdict) -> str:
    """The report without styles; trailing blanks are of no account."""
    file = StringIO()
    render(verdict, Console(file=file, width=WIDTH, color_system=None))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


CODE = 'print("a line of code that is longer than the terminal is wide and must not be broken when it is printed")'
FAILED = Verdict(
    operation="softmax",
    target="kernels.py:fused",
    device="cpu",
    dtypes=("float64", "float32", "float16"),
    required=(),
    checks=(
        CheckResult("forward", "float64", "not run", reason="TypeError: float64 is not supported"),
        CheckResult("forward", "float32", "passed", worst=0.254, cases=2100),
        CheckResult("forward", "float16", "passed", worst=0.999, cases=2100, vacuous=0.0123),
        CheckResult("gradient", "float64", "not run", reason="TypeError: float64 is not supported"),
        CheckResult("gradient", "float32", "failed", worst=float("inf"), cases=7, statement="softmax S8",
                    failure=Failure("gradient of input: nan instead of 1 at [0]", "RowCase()", CODE)),
        CheckResult("gradient", "float16", "passed", worst=0.5, cases=1800),
        CheckResult("atomics", "float64", "not run", decides=False, reason="TypeError: float64 is not supported"),
        CheckResult("atomics", "float32", "warning", decides=False, cases=3,
                    failure=Failure("varies", "RowCase()", CODE)),
        CheckResult("atomics", "float16", "not run", decides=False, reason="no case that was drawn applies to it"),
    ),
    profiles={
        "float32": ProfileUse("fp32", None, "float32 throughout"),
        "float16": ProfileUse("eager", "fused", FUSED.description),
    },
    acceptance={"float32": Acceptance(2100, 0, None), "float16": Acceptance(2100, 812, "NotImplementedError: no mask")},
    examples=2100,
    seed=0,
    versions={},
)  # fmt: skip
GOLDEN = """\
softmax: kernels.py:fused on cpu
does not conform to softmax
  gradient (float32) failed

                      float64       float32       float16
 check        cases   not run      not fp32         fused
 ────────────────────────────────────────────────────────
 forward      2,100   not run   passed 0.25   passed 1.00
 gradient   7–1,800   not run      failed ∞   passed 0.50
 atomics          3   not run       warning       not run

Numbers: the largest share of the derived error bound that was used; more than 1 fails.
float64: not run: TypeError: float64 is not supported
float32: does not meet profile fp32 (float32 throughout)
float16: meets profile fused (float32 inside; outputs, and operands of the second product, rounded
to the dtype)
float16: refused 812 of 2,912 cases drawn; the first: NotImplementedError: no mask
float16: elements without a finite bound, as a format may overflow: forward 1.2%
float16: not run: atomics: no case that was drawn applies to it
warning: atomics (float32): varies

gradient, float32 (statement softmax S8): gradient of input: nan instead of 1 at [0]
print("a line of code that is longer than the terminal is wide and must not be broken when it is printed")

does not conform to softmax"""


def test_a_failure_is_reported_verdict_first_then_table_notes_and_code() -> None:
    assert printed(FAILED) == GOLDEN


def test_nothing_but_code_is_wider_than_the_terminal() -> None:
    wide = [line for line in printed(FAILED).splitlines() if len(line) > WIDTH]
    assert wide == [CODE]


def test_a_clean_pass_says_in_which_dtypes() -> None:
    text = printed(conform("softmax", "torch:softmax", dtypes=["float64", "float32"], examples=10))
    assert text.splitlines()[:2] == ["softmax: torch:softmax on cpu", "conforms to softmax in float64, float32"]
    assert "not run" not in text


def test_a_pass_with_refusals_is_not_silent() -> None:
    target = "lemmata.tests.conformance.targets.law_breakers:refuses_masks"
    text = printed(conform("attention", target, dtypes=["float32"], examples=20, seed=1))
    assert text.splitlines()[1] == "conforms to attention in float32; some calls refused"
    assert "float32: refused " in text
    assert "cases drawn; the first: NotImplementedError: attn_mask is not supported" in text


def test_a_pass_with_a_dtype_that_was_not_run_is_not_silent() -> None:
    target = "lemmata.tests.conformance.targets.law_breakers:not_for_float64"
    text = printed(conform("softmax", target, examples=60))
    assert text.splitlines()[1] == "conforms to softmax in float32, bfloat16, float16; float64 not run"
    assert "float64: not run: TypeError: float64 is not supported" in text


def test_the_verdict_and_the_table_fit_the_first_screen() -> None:
    lines = printed(conform("attention", "torch.nn.functional:scaled_dot_product_attention", examples=10)).splitlines()
    assert lines[1].startswith("conforms to attention")
    last = next(place for place, line in enumerate(lines) if "masked NaN does not leak" in line)
    assert last < 24


def test_a_failure_says_what_ended_the_call_and_what_explains_it() -> None:
    explained = Failure("did not return", "RowCase()", CODE, explanation=("rows ≥ 64 only",), cause="hang")
    checks = tuple(replace(check, failure=explained) if check.failure else check for check in FAILED.checks)
    lines = printed(replace(FAILED, checks=checks)).splitlines()
    place = lines.index("gradient, float32 (statement softmax S8): did not return")
    assert lines[place + 1 : place + 4] == ["cause: hang", "rows ≥ 64 only", CODE]


def test_the_next_tighter_profile_is_named_with_what_it_is_missed_by() -> None:
    def noted(use: ProfileUse) -> str:
        return printed(replace(FAILED, profiles={**FAILED.profiles, "float16": use}))

    use = ProfileUse("eager", "split", FUSED.description, "fused", 1.3372)
    assert "float16: misses fused, the next tighter profile: 1.34 times its bound" in noted(use)
    assert "float16: misses fused, the next tighter profile: ∞ times its bound" in noted(
        replace(use, missed_by=float("inf"))
    )
    assert "float16: misses fused, the next tighter profile\n" in noted(replace(use, missed_by=None))
    assert "misses" not in printed(FAILED)


def test_the_report_as_text_has_no_escapes() -> None:
    text = as_text(FAILED)
    assert "\x1b" not in text
    assert CODE in text.splitlines()
    assert text.splitlines()[1] == "does not conform to softmax"
