"""Compiles the Triton kernels for GPUs of two generations, without one.

    TRITON_INTERPRET=0 python -m lemmata.tests.gpu.compiling FAMILY [--all]

With `--all` each kernel is compiled in every way that it may be launched in, which takes minutes, otherwise in the
smallest one, for which every GPU has room.

What is missing among the constants of a kernel would be a number that is passed to it: every parameter in capital
letters has to be one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import cycle, product
from typing import Any

import torch
import triton
from lemmata.gpu import (
    triton_adam,
    triton_attention_backward,
    triton_attention_common,
    triton_attention_forward,
    triton_embedding,
    triton_gated,
    triton_log_softmax,
    triton_loss,
    triton_norm_backward,
    triton_norm_forward,
    triton_rope,
    triton_softmax,
)
from lemmata.gpu.triton_runtime import Launch, tl
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime import Autotuner

Use = tuple[Any, dict[str, Any]]
# Shared memory that a block may use on every GPU since compute capability 8.0.
_SHARED = 99 * 1024
_ROWS_OF_A_SUM = triton_attention_backward._ROWS
# Of the GPUs that kernels are compiled for, one after the other.
_CAPABILITIES = (80, 90)


def softmax() -> Iterator[Use]:
    """Short rows, several in a tile."""
    for kernel in (
        triton_softmax._softmax_forward_kernel,
        triton_softmax._softmax_backward_kernel,
        triton_log_softmax._log_softmax_forward_kernel,
        triton_log_softmax._log_softmax_backward_kernel,
        triton_log_softmax._logsumexp_forward_kernel,
        triton_log_softmax._logsumexp_backward_kernel,
    ):
        yield kernel, {"COMPUTE": tl.float32, "ROWS": 4, "COLS": 1024}


def attention() -> Iterator[Use]:
    """An additive mask with a cap, and a causal window."""
    heads = triton_attention_common.head_constants(80, 64)
    precision = triton_attention_common.precision(torch.float16)
    shape = {**heads, "LENGTH": 512, "BLOCK_Q": _ROWS_OF_A_SUM}
    for mask, causal in ((2, False), (0, True)):
        options = {"MASK": mask, "CAUSAL": causal, "CAP": not causal, "WINDOW": causal, "PRECISION": precision}
        for kernel in (
            triton_attention_forward._forward_kernel,
            triton_attention_backward._row_term_kernel,
            triton_attention_backward._key_value_kernel,
            triton_attention_backward._query_kernel,
        ):
            yield kernel, {**shape, **options, "STORE_DS": mask == 2}


def norm() -> Iterator[Use]:
    """Rows that fit in a tile and longer ones, with and without a residual sum."""
    for centred, residual in product((True, False), repeat=2):
        options = {"CENTRED": centred, "RESIDUAL": residual, "WEIGHT": centred, "EPS": 1e-5, "COMPUTE": tl.float32}
        options |= {"BIAS": centred, "DX": True, "DWEIGHT": True, "DBIAS": centred, "ROWS": 2, "COLS": 1024}
        for whole in (True, False):
            yield triton_norm_forward._forward_kernel, {**options, "WHOLE": whole}
        for kernel in (
            triton_norm_backward._backward_kernel,
            triton_norm_backward._long_row_kernel,
            triton_norm_backward._parameter_kernel,
        ):
            yield kernel, options


def loss() -> Iterator[Use]:
    """With every option, and with none."""
    for given in (True, False):
        options = {"KEEP": given, "WEIGHT": given, "SMOOTHING": 0.1 * given, "ZETA": 1e-4 * given}
        for kernel in (triton_loss._forward_kernel, triton_loss._backward_kernel):
            yield kernel, {**options, "COMPUTE": tl.float32, "ROWS": 2, "COLS": 1024}


def elementwise() -> Iterator[Use]:
    """Gated units, rotations and a step of Adam."""
    for gate in ("silu", "gelu"):
        for kernel in (triton_gated._forward_kernel, triton_gated._backward_kernel):
            yield kernel, {"GATE": gate, "COMPUTE": tl.float32, "BLOCK": 1024}
    for back in (True, False):
        yield triton_rope._kernel, {"INTERLEAVED": back, "BACK": back, "COMPUTE": tl.float32, "ROWS": 16, "COLS": 64}
        yield triton_adam._kernel, {"COUPLED": back, "DECOUPLED": not back, "COMPUTE": tl.float32, "BLOCK": 1024}


def embedding() -> Iterator[Use]:
    """One row of the table a program."""
    yield triton_embedding._kernel, {"COMPUTE": tl.float32, "TABLE": 1, "STRETCH": 8, "COLS": 256}


FAMILIES: dict[str, Callable[[], Iterator[Use]]] = {
    f.__name__: f for f in (softmax, attention, norm, loss, elementwise, embedding)
}
# Neither a tensor in float16 nor a whole number.
_TYPES = {"scale": "fp32", "cap": "fp32", "target_ptr": "*i64", "keep_ptr": "*u8"} | dict.fromkeys(
    ("lse_ptr", "row_term_ptr", "ds_ptr", "dlse_ptr", "mean_ptr", "rstd_ptr", "dweight_ptr", "dbias_ptr", "loss_ptr",
     "shift_ptr", "log_z_ptr", "mean_weight_ptr", "dloss_ptr", "cosine_ptr", "sine_ptr"), "*fp32"
) | dict.fromkeys(("order_ptr", "end_ptr"), "*i64") | {"scalars_ptr": "*fp64"}  # fmt: skip


def main() -> int:
    """Compiles a family; raises what the compiler says of a kernel."""
    capabilities = cycle(_CAPABILITIES)
    for kernel, constants in FAMILIES[sys.argv[1]]():
        if not isinstance(kernel, Autotuner):
            _compiled(kernel, constants, Launch({}, 4, 1), next(capabilities))
            continue
        # The ways to launch it stand in the order of what they hold.
        launches = [Launch(way.kwargs, way.num_warps, way.num_stages) for way in kernel.configs]
        for launch in launches if "--all" in sys.argv else launches[-1:]:
            shared = _compiled(kernel.fn, constants, launch, next(capabilities))
            assert launch != launches[-1] or shared <= _SHARED, (kernel, constants, shared)
    return 0


def _compiled(kernel: Any, constants: dict[str, Any], launch: Launch, capability: int) -> int:
    """Of the kernel, compiled, the bytes of shared memory."""
    used = {name: x for name, x in {**constants, **launch.constants}.items() if name in kernel.arg_names}
    assert {name for name in kernel.arg_names if name.isupper()} == set(used), (kernel, constants)
    signature = {name: _type(name, used) for name in kernel.arg_names}
    source = ASTSource(kernel, signature, {(kernel.arg_names.index(name),): x for name, x in used.items()})
    options = {"num_warps": launch.warps, "num_stages": launch.stages, "enable_fp_fusion": True}
    shared: int = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options).metadata.shared
    return shared


def _type(name: str, constants: dict[str, Any]) -> str:
    return _TYPES.get(name, "constexpr" if name in constants else "*fp16" if name.endswith("_ptr") else "i32")


if __name__ == "__main__":
    sys.exit(main())
