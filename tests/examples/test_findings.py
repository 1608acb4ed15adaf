"""What docs/findings.md shows is what happens: code and output are taken from the document."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "findings.md"
SHOWN = re.findall(r"```python\n(.*?)```\s+```console\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


def test_the_document_shows_something() -> None:
    assert SHOWN


@pytest.mark.parametrize(("code", "output"), SHOWN)
def test_a_finding_is_as_it_is_shown(code: str, output: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == output
