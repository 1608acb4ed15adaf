"""The Triton kernels compile for CUDA and are launched as they ask: in other processes, since they are interpreted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lemmata.gpu.triton_attention_common import TILES
from lemmata.tests.gpu.compiling import FAMILIES

GPU = Path(__file__).parents[2] / "gpu"


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_compile_for_cuda(family: str) -> None:
    not_interpreted("lemmata.tests.gpu.compiling", family)


def test_every_kernel_is_launched_with_what_it_takes() -> None:
    launched = dict(line.split() for line in not_interpreted("lemmata.tests.gpu.launching").splitlines())
    kernels = {
        f"{path.stem}.{name}"
        for path in GPU.glob("triton_*.py")
        for name in re.findall(r"^def (\w+_kernel|_kernel)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert set(launched) == kernels
    # Those that are tuned are launched in every way once more.
    assert int(launched["triton_attention_forward._forward_kernel"]) == len(TILES) + 1


def not_interpreted(*arguments: str) -> str:
    """What a module of the tests prints in a process where kernels are compiled."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "0"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
