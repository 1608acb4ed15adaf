"""Writes docs/onnx.md: which cases of the ONNX standard the references are compared with, and which not, and why.

python tests/external/onnx_table.py
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import lemmata
import onnx
from lemmata.tests.external.onnx_adapters import ADAPTERS, comparisons
from lemmata.tests.external.onnx_cases import DoesNotApplyError, cases

PATH = Path(lemmata.__file__).parent / "docs" / "onnx.md"
_HEAD = """# The references against the ONNX standard

ONNX defines its operators by graphs of simpler ones (the node cases `…_expanded` of the `onnx` package). `pytest
tests/external` runs these graphs with ONNX's own evaluator, in the dtype of the case, and holds what they return to the
generated references within the derived rounding bounds. Keys and values that are passed through must be equal. An
operator without such a graph (Gather, Gemm, MatMul) is run by the evaluator itself. Outputs that are not compared are
intermediates, which the references do not return.

This table is written by `python tests/external/onnx_table.py`; a test compares it with the cases.
"""


def table() -> str:
    """The document."""
    rows = [
        "| operator | reference | cases | compared | outputs that are not compared |",
        "| --- | --- | --- | --- | --- |",
    ]
    left_out: list[str] = []
    for operator, adapter in ADAPTERS.items():
        members = cases()[operator]
        reasons: dict[str, list[str]] = {}
        ignored: Counter[str] = Counter()
        compared = 0
        for case, expected in comparisons(operator):
            if isinstance(expected, DoesNotApplyError):
                reasons.setdefault(str(expected), []).append(case.name.removeprefix("test_"))
                continue
            compared += 1
            ignored.update(name for name in case.outputs if name not in expected)
        noted = ", ".join(f"`{name}` ({count})" for name, count in sorted(ignored.items()))
        rows.append(f"| {operator} | {_reference(adapter)} | {len(members)} | {compared} | {noted} |")
        left_out += [line for reason, names in reasons.items() for line in _left_out(operator, reason, names)]
    kinds = Counter(case.dtype for operator in ADAPTERS for case in cases()[operator])
    dtypes = ", ".join(f"{count} in {dtype}" for dtype, count in kinds.most_common())
    footer = f"Cases of onnx {onnx.__version__}, by the dtype of the first input: {dtypes}."
    parts = [_HEAD, "\n".join(rows), footer]
    if left_out:
        parts += ["## Cases that are not compared", "\n".join(left_out)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _reference(adapter: object) -> str:
    doc = getattr(adapter, "__doc__", None) or ""
    return str(doc).split(":")[0].split("\n")[0].rstrip(".")


def _left_out(operator: str, reason: str, names: Sequence[str]) -> list[str]:
    return [f"- {operator}, {len(names)}: {reason}.", *(f"  `{name}`" for name in names)]


if __name__ == "__main__":
    PATH.write_text(table(), encoding="utf-8")
    print(f"wrote {PATH}")
