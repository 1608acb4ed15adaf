"""Reproduction: the script that a failure comes with fails for the faulty target, and passes for a correct one."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from lemmata.conformance.runner import conform

TARGETS = "lemmata.tests.conformance.targets"
# Operation, check, dtype, faulty and correct target, and how the script ends for the faulty one.
FAILURES = [
    ("attention", "forward", "float32", "attention_faults:scale_of_padded_head_dim", AssertionError, "output: "),
    ("attention", "forward", "float32", "attention_faults:fully_masked_rows_are_nan", AssertionError, "output: nan"),
    ("attention", "gradient", "float16", "attention_faults:delta_dropped", AssertionError, "gradient of "),
    ("attention", "gradient", "float32", "attention_faults:bias_gradient_not_reduced", AssertionError, "of attn_mask"),
    ("attention", "gradient", "float32", "attention_faults:query_gradient_is_none", AssertionError, "query is None"),
    ("attention", "gradient", "float32", "attention_faults:detached", AssertionError, "is None"),
    ("attention", "causal", "float64", "attention_faults:causal_one_key_ahead", AssertionError, "output before "),
    ("softmax", "forward", "bfloat16", "softmax_faults:input_read_as_contiguous", AssertionError, "output: "),
    ("softmax", "gradient sums to 0", "float64", "softmax_faults:row_sum_dropped", AssertionError, "sum of the gradi"),
    ("softmax", "forward", "float32", "law_breakers:raises_at_odd_lengths", RuntimeError, "misaligned address"),
    ("softmax", "forward", "float64", "law_breakers:returns_float32", AssertionError, "of dtype torch.float32"),
]
# Those of derived operations, with a correct target: several outputs, positions, an argument called `target`, numbers.
DERIVED = [
    ("embedding", "forward", "linear_faults:padding_reads_zero", "torch.nn.functional:embedding", "output: "),
    (
        "embedding",
        "gradient",
        "linear_faults:duplicates_overwrite_each_other",
        "torch.nn.functional:embedding",
        "weight",
    ),
    ("cross_entropy", "forward", "loss_faults:sum_divided", "torch.nn.functional:cross_entropy", "output: "),
    (
        "cross_entropy",
        "gradient",
        "loss_faults:gradient_without_the_target",
        "torch.nn.functional:cross_entropy",
        "input",
    ),
    ("layer_norm", "gradient", "norm_faults:eps_dropped", "torch.nn.functional:layer_norm", "gradient of input"),
    ("adamw", "forward", "optimizer_faults:decay_coupled", f"{TARGETS}.catalogue_kernels:adamw", "output p_new"),
    (
        "adamw",
        "gradient",
        "optimizer_faults:decay_without_the_rate",
        f"{TARGETS}.catalogue_kernels:adamw",
        "gradient of",
    ),
    (
        "softcapped_attention",
        "gradient",
        "law_breakers_of_forms:lse_detached",
        f"{TARGETS}.catalogue_kernels:softcapped_attention",
        "grad",
    ),
    (
        "linear",
        "batch entries are independent",
        "law_breakers_of_forms:batch_entry_reads_another",
        "torch.nn.functional:linear",
        "of entries alone",
    ),
]


def script_of(operation: str, check: str, dtype: str, target: str) -> str:
    """The reproduction of a check's failure."""
    verdict = conform(operation, f"{TARGETS}.{target}", dtypes=[dtype], examples=240, only=[check])
    (result,) = verdict.checks
    assert result.failure is not None
    return result.failure.code


def corrected(code: str, operation: str, target: str) -> str:
    """The same script for a correct target."""
    return code.replace(target, f"{operation}_kernels:correct")


@pytest.mark.parametrize(("operation", "check", "dtype", "target", "error", "message"), FAILURES)
def test_a_script_fails_for_its_target_and_passes_for_a_correct_one(
    operation: str,
    check: str,
    dtype: str,
    target: str,
    error: type[Exception],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = script_of(operation, check, dtype, target)
    faulty, correct = tmp_path / "faulty.py", tmp_path / "correct.py"
    faulty.write_text(code, encoding="utf-8")
    correct.write_text(corrected(code, operation, target), encoding="utf-8")
    with pytest.raises(error, match=message):
        runpy.run_path(str(faulty))
    runpy.run_path(str(correct))
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("operation", "check", "target", "message"),
    [
        ("attention", "gradient", "attention_faults:key_gradient_without_scale", "AssertionError: gradient of key: "),
        # Not in this process: memory that earlier tests have freed may hold NaN, and the plain call then has it, too.
        ("softmax", "output fully written", "softmax_faults:output_tail_unwritten", "elements are left unwritten"),
    ],
)
def test_a_script_needs_nothing_of_the_run_that_wrote_it(
    operation: str, check: str, target: str, message: str, tmp_path: Path
) -> None:
    code = script_of(operation, check, "float32", target)
    for text, status in ((code, 1), (corrected(code, operation, target), 0)):
        script = tmp_path / "reproduction.py"
        script.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == status, done.stderr
        assert (message in done.stderr) == bool(status)


@pytest.mark.parametrize(("operation", "check", "target", "correct", "message"), DERIVED)
def test_a_script_of_a_derived_operation_fails_for_its_target_and_passes_for_a_correct_one(
    operation: str,
    check: str,
    target: str,
    correct: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = script_of(operation, check, "float32", target)
    faulty, fixed = tmp_path / "faulty.py", tmp_path / "fixed.py"
    faulty.write_text(code, encoding="utf-8")
    fixed.write_text(code.replace(f"{TARGETS}.{target}", correct), encoding="utf-8")
    with pytest.raises((AssertionError, RuntimeError), match=message):
        runpy.run_path(str(faulty))
    runpy.run_path(str(fixed))
    assert capsys.readouterr().out


def test_a_script_of_positions_and_options_is_short_and_complete() -> None:
    code = script_of("cross_entropy", "forward", "float32", "loss_faults:sum_divided")
    assert "target_ = torch.tensor([" in code
    assert "output = target(input, target_, reduction='sum'" in code
    assert "from lemmata.conformance.generic_cases import GenericCase" in code
    assert "operation.profiles)" in code
