"""The Triton kernels compile for CUDA: a process of its own, as kernels are interpreted here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from lemmata.tests.gpu.compiling import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
def test_kernels_compile_for_cuda(family: str) -> None:
    command = [sys.executable, "-m", "lemmata.tests.gpu.compiling", family]
    done = subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "0"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
