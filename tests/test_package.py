"""The package itself: its version and what importing it costs."""

import subprocess
import sys


def test_importing_lemmata_imports_neither_sympy_nor_torch() -> None:
    code = "import lemmata, sys; print(sorted({'sympy', 'torch', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
