"""Faults planted in the source of the Triton kernels are caught by a conformance run, in the interpreter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from lemmata.conformance.runner import DEFAULT_EXAMPLES, conform
from lemmata.tests.gpu.held import interpretable

GPU = Path(__file__).parents[2] / "gpu"
_TARGET = """\
import importlib.util
import sys

spec = importlib.util.spec_from_file_location("lemmata.gpu.{module}", {place!r})
kernels = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = kernels
spec.loader.exec_module(kernels)

from lemmata.gpu.{public} import {function} as target
"""


class Planted(NamedTuple):
    """A text in a kernel module that is replaced by another one, and the operation in which that shows."""

    name: str
    operation: str
    public: str
    function: str
    module: str
    old: str
    new: str
    check: str
    large: bool = False  # in the last of the large cases, in which a cotangent is spread over more than 2³¹ elements


_SOFTMAX = ("softmax", "softmax", "triton_softmax", "triton_softmax")
_LOG_SOFTMAX = ("log_softmax", "softmax", "triton_log_softmax", "triton_log_softmax")
_EMBEDDING = ("embedding", "embedding", "triton_embedding", "triton_embedding")
_ROPE = ("rope", "positional", "triton_rope", "triton_rope")
_NORM_FORWARD = ("layer_norm", "norm", "triton_layer_norm", "triton_norm_forward")
_NORM_BACKWARD = (*_NORM_FORWARD[:3], "triton_norm_backward")
_LOSS = ("cross_entropy", "loss", "triton_cross_entropy", "triton_loss")
_ATTENTION = ("attention", "attention", "triton_scaled_dot_product_attention", "triton_attention_forward")
_ATTENTION_BACKWARD = (*_ATTENTION[:3], "triton_attention_backward")
_STORED = "y.to(y_ptr.dtype.element_ty), mask=inside"
FAULTS = (
    Planted("tail block", *_SOFTMAX, "(col < n)[None, :]", "(col < n // 2 * 2)[None, :]", "forward"),
    Planted("stride", *_SOFTMAX, "col[None, :] * x_n_stride", "col[None, :]", "forward"),
    Planted("rescale forgotten", *_SOFTMAX, "total * tl.exp(maximum - shift) + ", "total + ", "forward"),
    Planted("uninitialised output", *_SOFTMAX, _STORED, f"{_STORED} & (col != 2)[None, :]", "output fully written"),
    Planted(
        "reads outside",
        *_SOFTMAX,
        "mask=inside, other=0.0",
        "mask=row_inside[:, None], other=0.0",
        "reads only its inputs",
    ),
    Planted(
        "offset in 8 bits", *_SOFTMAX, "+ col[None, :] * inner,", "+ (col * inner).to(tl.int8)[None, :],", "forward"
    ),
    # In the interpreter as on a device, 32 bits wrap around.
    Planted(
        "offset in 32 bits",
        *_SOFTMAX,
        "(row // inner) * dy_outer_stride",
        "((row // inner) * dy_outer_stride).to(tl.int32)",
        "gradient",
        large=True,
    ),
    Planted("sum of the cotangents", *_LOG_SOFTMAX, "dy_sum += tl.sum", "dy_sum = tl.sum", "gradient"),
    Planted(
        "tail of a stretch", *_EMBEDDING, "< length[:, None]", "< (length // STRETCH * STRETCH)[:, None]", "gradient"
    ),
    Planted("not turned back", *_ROPE, "sine = -sine", "pass", "gradient"),
    Planted("mean of a part", *_NORM_FORWARD, "mean = mean / d", "mean = mean / COLS", "forward"),
    Planted(
        "last rows only",
        *_NORM_BACKWARD,
        "dbias += tl.sum(dy, axis=0)[None",
        "dbias = tl.sum(dy, axis=0)[None",
        "gradient",
    ),
    Planted("target not subtracted", *_LOSS, "dx - own[:, None], dx)", "dx, dx)", "gradient"),
    Planted("scale of dk", *_ATTENTION_BACKWARD, "(dk * scale)", "dk", "gradient"),
    Planted("output not rescaled", *_ATTENTION, "v, output * rescale[:, None], ", "v, output, ", "forward"),
)


@pytest.mark.usefixtures("_found_is_enough")
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_in_a_kernel_is_caught(fault: Planted, tmp_path: Path) -> None:
    source = (GPU / f"{fault.module}.py").read_text(encoding="utf-8")
    assert fault.old in source
    place, target = tmp_path / f"{fault.module}.py", tmp_path / "target.py"
    place.write_text(source.replace(fault.old, fault.new), encoding="utf-8")
    named = fault._asdict() | {"place": str(place)}
    target.write_text(_TARGET.format(**named), encoding="utf-8")
    operation = interpretable(fault.operation)
    verdict = conform(
        replace(operation, large=operation.large[-1:]),
        f"{target}:target",
        dtypes=["float32"],
        fail_fast=True,
        explain=False,
        only=[fault.check],
        large=fault.large,
        examples=3 if fault.large else DEFAULT_EXAMPLES,
    )
    assert [check.status for check in verdict.checks] == ["failed"]
