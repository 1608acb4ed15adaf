"""The pytest plugin as pytest runs it: what passes, fails, is skipped and is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import lemmata.conformance.runner  # noqa: F401 once: pytester takes out of `sys.modules` what a run has imported
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from lemmata.conformance import Verdict
    from lemmata.pytest_plugin import Conforms
    from torch import Tensor

pytest_plugins = "pytester"

KERNELS = """
import torch

def right(input, dim=-1):
    return torch.softmax(input, dim)

def unshifted(input, dim=-1):
    e = torch.exp(input)
    return e / e.sum(dim, keepdim=True)

def not_for_float64(input, dim=-1):
    if input.dtype == torch.float64:
        raise TypeError("float64 is not supported")
    return torch.softmax(input, dim)

def without_a_kernel(input, dim=-1):
    if input.dtype == torch.bfloat16:
        raise RuntimeError('"fused" not implemented for \\'BFloat16\\'')
    return torch.softmax(input, dim)

def refuses_all(input, dim=-1):
    raise NotImplementedError("never")

def wrong_arguments(logits):
    return torch.softmax(logits, -1)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """A project with kernels; its tests run with warnings as errors and unknown marks refused."""
    pytester.makepyfile(kernels=KERNELS)
    pytester.makeini("[pytest]\naddopts = --strict-markers -ra -p no:cacheprovider\nfilterwarnings = error\n")
    return pytester


def run(project: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    project.makepyfile(
        test_kernels=f"import pytest\nfrom lemmata.pytest_plugin import Conforms\nimport kernels\n\n{test}"
    )
    return project.runpytest_inprocess("-v", "--lemmata-examples=20", *arguments)


def test_a_marked_test_runs_for_each_dtype_and_passes(project: pytest.Pytester) -> None:
    found = run(
        project,
        '@pytest.mark.conforms("softmax", devices=["cpu"])\n'
        "def test_softmax(conforms: Conforms) -> None:\n"
        "    verdict = conforms(kernels.right)\n"
        '    assert (verdict.examples, verdict.seed, verdict.device) == (20, 0, "cpu")\n'
        "    assert verdict.dtypes == (conforms.dtype,)\n"
        "    assert conforms.verdicts == [verdict]\n",
    )
    found.assert_outcomes(passed=4)
    for dtype in ("float64", "float32", "bfloat16", "float16"):
        found.stdout.fnmatch_lines([f"test_kernels.py::test_softmax[[]{dtype}-cpu[]] PASSED*"])


def test_a_planted_fault_fails_with_the_report_that_names_it(project: pytest.Pytester) -> None:
    found = run(
        project,
        '@pytest.mark.conforms("softmax", dtypes=["float32"], devices=["cpu"])\n'
        "def test_softmax(conforms):\n    conforms(kernels.unshifted)\n",
        "--lemmata-examples=100",
    )
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        [
            "*softmax: kernels:unshifted on cpu",
            "does not conform to softmax",
            "  forward (float32) failed",
            "  shift invariance (float32) failed",
            "forward, float32: output: nan instead of 1 at [[]0[]]*",
            "case = RowCase(*",
            "target = load_target('kernels:unshifted')",
        ]
    )
    assert "pytest_plugin.py" not in found.stdout.str()


def test_the_target_may_be_named_by_the_mark(project: pytest.Pytester) -> None:
    mark = (
        '@pytest.mark.conforms("softmax", target="kernels:{}", dtypes=["float32"], devices=["cpu"], only=["forward"])\n'
    )
    test = "".join(
        f"{mark.format(name)}def test_{name}(conforms):\n    conforms()\n\n" for name in ("right", "unshifted")
    )
    run(project, test, "--lemmata-examples=100").assert_outcomes(passed=1, failed=1)


def test_a_dtype_that_is_not_supported_is_not_run_unless_it_is_named(project: pytest.Pytester) -> None:
    mark = '@pytest.mark.conforms("softmax", devices=["cpu"], only=["forward"]{})\n'
    every, some = mark.format(""), mark.format(', dtypes=["float64", "float32"]')
    found = run(
        project,
        f"{every}def test_of_all(conforms):\n    conforms(kernels.not_for_float64)\n\n"
        f"{some}def test_of_some(conforms):\n    conforms(kernels.not_for_float64)\n\n"
        f"{every}def test_of_a_kernel(conforms):\n    conforms(kernels.without_a_kernel)\n",
    )
    found.assert_outcomes(passed=7, skipped=2, failed=1)
    text = found.stdout.str()
    why = "TypeError: float64 is not supported"
    assert f"NOT RUN: float64 on cpu: {why}" in text
    assert f"float64 is named by the mark and was not run: {why}" in text
    assert "NOT RUN: bfloat16 on cpu: RuntimeError: \"fused\" not implemented for 'BFloat16'" in text


def test_a_target_that_refuses_every_call_is_not_run(project: pytest.Pytester) -> None:
    found = run(
        project,
        '@pytest.mark.conforms("softmax", devices=["cpu"])\n'
        "def test_softmax(conforms):\n    conforms(kernels.refuses_all)\n",
        "-k=float32",
    )
    found.assert_outcomes(skipped=1, deselected=3)
    found.stdout.fnmatch_lines(["*NOT RUN: float32 on cpu: the target refused all*NotImplementedError: never*"])


def test_a_device_that_is_not_there_is_not_run(project: pytest.Pytester) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("NOT RUN: there is a CUDA device")
    found = run(
        project,
        '@pytest.mark.conforms("softmax", devices=["cpu", "cuda:0"], dtypes=["float32"])\n'
        "def test_softmax(conforms):\n    conforms(kernels.right)\n",
    )
    found.assert_outcomes(passed=1, skipped=1)
    found.stdout.fnmatch_lines(["*NOT RUN: there is no CUDA device for 'cuda:0'*"])


def test_seed_and_examples_of_the_command_line_go_before_those_of_the_mark(project: pytest.Pytester) -> None:
    test = (
        '@pytest.mark.conforms("softmax", devices=["cpu"], dtypes=["float32"], only=["forward"], examples=7, seed=3)\n'
        "def test_softmax(conforms):\n"
        "    verdict = conforms(kernels.right)\n"
        "    assert (verdict.examples, verdict.seed) == ({}, {})\n"
    )
    run(project, test.format(20, 5), "--lemmata-seed=5").assert_outcomes(passed=1)
    run(project, test.format(30, 3), "--lemmata-examples=30").assert_outcomes(passed=1)
    project.makepyfile(test_kernels=f"import pytest, kernels\n\n{test.format(7, 3)}")
    project.runpytest_inprocess().assert_outcomes(passed=1)


MARKED = "def test_softmax(conforms):\n    conforms(kernels.right)\n"


def test_a_mistake_in_a_mark_is_one_message(project: pytest.Pytester) -> None:
    mistakes = {
        '("soft_max")': "'soft_max' is neither an operation nor a file ending in .py",
        '("softmax", dtypes=["float8"])': "dtype 'float8' is not one of float64, float32, bfloat16, float16",
        '("softmax", dtypes="float16")': "dtypes='float16' is not a list of names",
        '("softmax", devices=[])': "devices=[] is not a list of names",
        '("softmax", dtype=["float16"])': "the mark conforms has no argument 'dtype'; it takes target, dtypes, devices",
        '("softmax", examples="many")': "examples='many' is not a whole number",
        "": "the mark names one operation",
        "(3)": "the mark names one operation",
        '("softmax", "kernels:right")': "the mark names one operation",
    }
    files = {
        f"test_{k}": f"import pytest, kernels\n\n@pytest.mark.conforms{m}\n{MARKED}" for k, m in enumerate(mistakes)
    }
    project.makepyfile(**files)
    found = project.runpytest_inprocess("--continue-on-collection-errors")
    found.assert_outcomes(errors=len(mistakes))
    text = found.stdout.str()
    for k, message in enumerate(mistakes.values()):
        assert f"\ntest_{k}.py::test_softmax: {message}" in text
    assert "Traceback" not in text
    assert "pytest_plugin.py:" not in text


def test_a_mistake_in_a_test_is_one_message(project: pytest.Pytester) -> None:
    mark = '@pytest.mark.conforms("softmax", dtypes=["float32"], devices=["{}"]{})\n'
    cpu, speed = mark.format("cpu", ""), mark.format("cpu", ', only=["speed"]')
    mistakes = (
        (f"{cpu}def test_0():\n    pass\n", "is marked conforms, and does not take the fixture 'conforms'"),
        (f"{cpu}def test_1(conforms):\n    pass\n", "test_1[float32-cpu] never calls conforms(…): nothing was run"),
        (
            "def test_2(conforms):\n    conforms(kernels.right)\n",
            "test_2 takes the fixture 'conforms' without the mark",
        ),
        (f"{cpu}def test_3(conforms):\n    conforms()\n", "conforms() needs the implementation"),
        (
            f"{cpu}def test_4(conforms):\n    conforms(kernels.wrong_arguments)\n",
            "target 'kernels:wrong_arguments' takes (logits), but the calling convention is (input, dim=…)",
        ),
        (
            f"{speed}def test_5(conforms):\n    conforms(kernels.right)\n",
            "check 'speed' is not one of softmax",
        ),
        (
            f"{mark.format('warp:9', '')}def test_6(conforms):\n    conforms(kernels.right)\n",
            "device 'warp:9' cannot be used",
        ),
        (
            f"class TestOfUnittest(unittest.TestCase):\n    {cpu}    def test_7(self):\n        pass\n",
            "test_7 is marked conforms, and does not take the fixture",
        ),
    )
    found = run(project, "import unittest\n\n" + "\n".join(test for test, _ in mistakes))
    found.assert_outcomes(errors=3, failed=5)
    text = found.stdout.str()
    for _, message in mistakes:
        assert message in text
    assert "Traceback" not in text
    assert "pytest_plugin.py:" not in text


def test_a_number_of_cases_below_one_is_refused(project: pytest.Pytester) -> None:
    for wrong in ("0", "-3", "many"):
        found = project.runpytest_inprocess(f"--lemmata-examples={wrong}")
        assert found.ret == pytest.ExitCode.USAGE_ERROR
        assert f"{wrong!r} is not a number of cases" in found.stderr.str()


def test_a_mark_on_a_class_leaves_its_other_tests_alone(project: pytest.Pytester) -> None:
    found = run(
        project,
        '@pytest.mark.conforms("softmax", devices=["cpu"], dtypes=["float32"])\n'
        "class TestKernel:\n"
        "    def test_softmax(self, conforms):\n        conforms(kernels.right)\n"
        "    def test_other(self):\n        pass\n",
    )
    found.assert_outcomes(passed=2)


def test_the_mark_goes_with_other_parameters_and_fixtures(project: pytest.Pytester) -> None:
    found = run(
        project,
        "@pytest.fixture\ndef kernel():\n    return kernels.right\n\n"
        '@pytest.mark.parametrize("check", ["forward", "gradient"])\n'
        '@pytest.mark.conforms("softmax", devices=["cpu"], dtypes=["float32", "float16"])\n'
        "def test_softmax(conforms, kernel, check):\n"
        "    assert check in {c.name for c in conforms(kernel).checks}\n",
    )
    found.assert_outcomes(passed=4)


def test_the_plugin_imports_nothing_heavy_until_a_test_is_marked(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_plain="import sys\n\n\ndef test_nothing():\n"
        "    assert 'lemmata.pytest_plugin' in sys.modules\n"
        "    heavy = {'sympy', 'torch', 'numpy', 'mpmath', 'rich'} & set(sys.modules)\n    assert not heavy, heavy\n"
    )
    # Hypothesis' own plugin imports what it finds.
    project.runpytest_subprocess("-p", "no:hypothesispytest").assert_outcomes(passed=1)


if TYPE_CHECKING:
    # `make types` reads this: the fixture has a type, with which a wrong call is an error.
    def typed(conforms: Conforms, kernel: Callable[[Tensor], Tensor]) -> None:
        assert_type(conforms(kernel), Verdict)
        assert_type(conforms("kernels:softmax"), Verdict)
        conforms(3)  # type: ignore[arg-type]  # a number is no kernel
