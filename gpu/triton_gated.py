"""Triton kernels of gated units, silu(gate)·up and gelu(gate)·up, and their gradients.

Elements of any layout are read through two strides, so the two halves of one projection are views. Nothing but the
arguments is kept: the backward pass reads gate, up and the cotangent once and writes both gradients.
"""

from typing import Any

import torch

from .triton_norm_forward import rows_of
from .triton_runtime import check_tensors, jit, kernel_launch, tl, tuned


@jit
def _logistic(x: tl.tensor) -> tl.tensor:
    # Of the two exponentials, the one that does not overflow.
    small = tl.exp(-tl.abs(x))
    return tl.where(x < 0, small, 1.0) / (1.0 + small)


@jit
def _gate(x: tl.tensor, GATE: tl.constexpr) -> Any:
    """The value and the slope."""
    if GATE == "silu":
        sigmoid = _logistic(x)
        value = x * sigmoid
        slope = sigmoid * (1.0 + x * _logistic(-x))
    else:
        # Φ(x) and φ(x). The distance of 1/√2 from the nearest float32 is a thousandth of its last digit.
        cdf = 0.5 * (1.0 + tl.erf(x * 0.7071067811865476))
        value = x * cdf
        slope = cdf + x * (0.3989422804014327 * tl.exp(-0.5 * x * x))
    return value, slope


@tuned("BLOCK")
@jit
def _forward_kernel(
    gate_ptr: tl.tensor,
    up_ptr: tl.tensor,
    y_ptr: tl.tensor,
    elements: tl.tensor,
    cols: tl.tensor,
    gate_row: tl.tensor,
    gate_col: tl.tensor,
    up_row: tl.tensor,
    up_col: tl.tensor,
    GATE: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    element = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = element < elements
    row = element // cols
    col = element % cols
    gate = tl.load(gate_ptr + row * gate_row + col * gate_col, mask=inside, other=0.0).to(COMPUTE)
    up = tl.load(up_ptr + row * up_row + col * up_col, mask=inside, other=0.0).to(COMPUTE)
    value, _ = _gate(gate, GATE)
    tl.store(y_ptr + element, (value * up).to(y_ptr.dtype.element_ty), mask=inside)


@tuned("BLOCK")
@jit
def _backward_kernel(
    dy_ptr: tl.tensor,
    gate_ptr: tl.tensor,
    up_ptr: tl.tensor,
    dgate_ptr: tl.tensor,
    dup_ptr: tl.tensor,
    elements: tl.tensor,
    cols: tl.tensor,
    dy_row: tl.tensor,
    dy_col: tl.tensor,
    gate_row: tl.tensor,
    gate_col: tl.tensor,
    up_row: tl.tensor,
    up_col: tl.tensor,
    GATE: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
) -> None:
    element = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = element < elements
    row = element // cols
    col = element % cols
    dy = tl.load(dy_ptr + row * dy_row + col * dy_col, mask=inside, other=0.0).to(COMPUTE)
    gate = tl.load(gate_ptr + row * gate_row + col * gate_col, mask=inside, other=0.0).to(COMPUTE)
    up = tl.load(up_ptr + row * up_row + col * up_col, mask=inside, other=0.0).to(COMPUTE)
    value, slope = _gate(gate, GATE)
    tl.store(dgate_ptr + element, (dy * up * slope).to(dgate_ptr.dtype.element_ty), mask=inside)
    tl.store(dup_ptr + element, (dy * value).to(dup_ptr.dtype.element_ty), mask=inside)


def _launch(x: torch.Tensor, gate: str) -> tuple[int, dict[str, Any]]:
    """How many programs there are, and what they are compiled for."""
    block = 1 << 10
    constants = {
        "GATE": gate,
        "COMPUTE": tl.float64 if x.dtype is torch.float64 else tl.float32,
        "BLOCK": block,
        # Stated because Triton warns about its default; every error bound holds with fused operations.
        "enable_fp_fusion": True,
    }
    return -(-x.numel() // block), constants


def _rows(x: torch.Tensor) -> torch.Tensor:
    return rows_of(x if x.ndim else x.reshape(1))


def gated_forward(gate: torch.Tensor, up: torch.Tensor, function: str) -> torch.Tensor:
    """The gated unit of tensors of one shape, contiguous, in their dtype; `function` is silu or gelu."""
    check_tensors(gate, up)
    y = torch.empty_like(gate, memory_format=torch.contiguous_format)
    if gate.numel() == 0:
        return y
    programs, constants = _launch(gate, function)
    a, b = _rows(gate), _rows(up)
    with kernel_launch(gate):
        _forward_kernel[(programs,)](a, b, y, a.numel(), a.shape[1], *a.stride(), *b.stride(), **constants)
    return y


def gated_backward(
    dy: torch.Tensor, gate: torch.Tensor, up: torch.Tensor, function: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of gate and up."""
    check_tensors(dy, gate, up)
    dgate, dup = (torch.empty_like(gate, memory_format=torch.contiguous_format) for _ in range(2))
    if gate.numel() == 0:
        return dgate, dup
    programs, constants = _launch(gate, function)
    a, b, c = _rows(gate), _rows(up), _rows(dy)
    with kernel_launch(gate):
        _backward_kernel[(programs,)](
            c, a, b, dgate, dup, a.numel(), a.shape[1], *c.stride(), *a.stride(), *b.stride(), **constants
        )
    return dgate, dup
