"""Mistakes of the user: each is a UsageError that quotes what was asked for and says what would be right."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lemmata.conformance.operations import find_operation
from lemmata.conformance.rerun import recheck
from lemmata.conformance.runner import conform
from lemmata.conformance.targets import UsageError, load_target, target_name


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("softmax", "target 'softmax': write 'module:callable' or 'path/file.py:callable'"),
        ("torch:", "target 'torch:': write 'module:callable'"),
        (":softmax", "target ':softmax': write 'module:callable'"),
        ("no_such_module_here:f", "target 'no_such_module_here:f': there is no module 'no_such_module_here'"),
        ("torch.no_such_part:f", "target 'torch.no_such_part:f': there is no module 'torch.no_such_part'"),
        ("torch.nn.functional:softmaxx", "has no attribute 'softmaxx'; did you mean 'softmax'?"),
        ("torch.nn:functional.zzz", "target 'torch.nn:functional.zzz': 'torch.nn:functional' has no attribute 'zzz'"),
        ("torch:pi", "target 'torch:pi': 'pi' is a float, not a callable"),
        ("missing.py:f", "target 'missing.py:f': there is no file 'missing.py'"),
    ],
)
def test_a_target_that_cannot_be_loaded(target: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_target(target)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import no_such_module_here", "raised ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("1 / 0", "raised ZeroDivisionError: division by zero"),
        ("def f(:", "raised SyntaxError"),
    ],
)
def test_a_file_that_does_not_import(source: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "kernels.py"
    path.write_text(source)
    with pytest.raises(UsageError) as caught:
        load_target(f"{path}:f")
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_module_that_needs_a_missing_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "needs_a_missing_module.py").write_text("import no_such_module_here")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="importing 'needs_a_missing_module' needs the missing module"):
        load_target("needs_a_missing_module:f")


def test_a_callable_in_a_file_a_module_and_a_class_is_found(tmp_path: Path) -> None:
    path = tmp_path / "kernels.py"
    path.write_text("class Kernels:\n    @staticmethod\n    def f(input, dim=-1):\n        return input\n")
    assert load_target(f"{path}:Kernels.f")(3) == 3
    assert load_target(f"{path}:Kernels.f") is load_target(f"{path}:Kernels.f")
    assert load_target("torch.nn.functional:softmax") is torch.nn.functional.softmax


def test_a_callable_that_was_passed_as_an_object_has_a_name() -> None:
    assert target_name(torch.nn.functional.softmax) == "torch.nn.functional:softmax"


def wrong_signature(x: torch.Tensor) -> torch.Tensor:
    """Takes no dim."""
    return x


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sofmax", "torch:softmax"), "'sofmax' is neither an operation nor a file ending in .py"),
        (("softmax", wrong_signature), "but the calling convention is (input, dim=…)"),
        (("attention", "torch:matmul"), "does not take the arguments of its calling convention"),
    ],
)
def test_an_operation_or_a_signature_that_does_not_fit(arguments: tuple[Any, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        conform(*arguments, examples=1)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtypes": ["float8"]}, "dtype 'float8' is not one of float64, float32, bfloat16, float16"),
        ({"dtypes": []}, "dtypes=(): name at least one of float64"),
        ({"examples": 0}, "examples 0: at least 1 case is needed"),
        ({"device": "gpu"}, "device 'gpu' cannot be used"),
        ({"only": ["forwards"]}, "check 'forwards' is not one of softmax: forward, gradient"),
        ({"only": []}, "only=(): name at least one check of softmax"),
        ({"profile": "exact"}, "profile 'exact' is not one of eager, fp32, fp64, fused, split"),
    ],
)
def test_an_option_that_does_not_fit(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        conform("softmax", "torch:softmax", **options)
    assert message in str(caught.value)


def test_checking_again_wants_a_check_of_the_operation() -> None:
    case = find_operation("softmax").smallest
    with pytest.raises(UsageError, match="check 'causal' is not one of softmax"):
        recheck("softmax", "torch:softmax", case, check="causal", dtype="float32", device="cpu", profile="fp32")
