"""Activations and gated units as PyTorch operators with derived gradients.

With σ the logistic function, Φ the normal distribution function, φ its density, y the output and dy its cotangent:

    relu     y = max(x, 0)              dx = dy·[x > 0]
    silu     y = x·σ(x)                 dx = dy·σ(x)·(1 + x·σ(−x))
    gelu     y = x·Φ(x)                 dx = dy·(Φ(x) + x·φ(x))                     Hendrycks & Gimpel 2016
      tanh   y = x·σ(2u)                dx = dy·(σ(2u) + 2x·u′·σ(2u)·σ(−2u))        u = √(2/π)·(x + 0.044715 x³)
    swiglu   y = silu(gate)·up          dgate = dy·up·silu′(gate), dup = dy·silu(gate)        Shazeer 2020
    geglu    y = gelu(gate)·up          the same with gelu

½(1 + tanh u) is written σ(2u), 1 − σ(x) is σ(−x) and Φ(x) is ½·erfc(−x/√2): where they are small, they keep their
digits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from .interpreter import interpret_without_cuda
from .operators import Gradients, Outputs, check_floating, computed_in, differentiable, new_like, operator

_Function = Callable[[torch.Tensor], torch.Tensor]
_TANH = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


def _relu(x: torch.Tensor) -> torch.Tensor:
    return x.clamp_min(0.0)


def _relu_slope(x: torch.Tensor) -> torch.Tensor:
    return (x > 0).to(x.dtype)


def _silu(x: torch.Tensor) -> torch.Tensor:
    return x * x.sigmoid()


def _silu_slope(x: torch.Tensor) -> torch.Tensor:
    return x.sigmoid() * (1 + x * (-x).sigmoid())


def _normal_cdf(x: torch.Tensor) -> torch.Tensor:
    complement: torch.Tensor = torch.special.erfc(x * -math.sqrt(0.5))
    return 0.5 * complement


def _gelu(x: torch.Tensor) -> torch.Tensor:
    return x * _normal_cdf(x)


def _gelu_slope(x: torch.Tensor) -> torch.Tensor:
    return _normal_cdf(x) + x * torch.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))


def _tanh_argument(x: torch.Tensor) -> torch.Tensor:
    return 2 * _TANH * (x + _CUBIC * x * x * x)


def _gelu_tanh(x: torch.Tensor) -> torch.Tensor:
    return x * _tanh_argument(x).sigmoid()


def _gelu_tanh_slope(x: torch.Tensor) -> torch.Tensor:
    u = _tanh_argument(x)
    inner = 2 * _TANH * (1 + 3 * _CUBIC * x * x)
    return u.sigmoid() * (1 + x * inner * (-u).sigmoid())


def _activation(name: str, value: _Function, slope: _Function) -> Any:
    def gradient(cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]) -> Gradients:
        return (cotangents[0] * slope(arguments[0]),)

    return differentiable(name, "(Tensor x) -> Tensor", lambda x: value(x).contiguous(), new_like, gradient)


def _gated(name: str, value: _Function, slope: _Function) -> Any:
    def gradient(cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]) -> Gradients:
        (dy,), (gate, up) = cotangents, arguments
        return dy * up * slope(gate) if needed[0] else None, dy * value(gate) if needed[1] else None

    return differentiable(
        name,
        "(Tensor gate, Tensor up) -> Tensor",
        lambda gate, up: (value(gate) * up).contiguous(),
        lambda gate, up: new_like(gate),
        gradient,
    )


_RELU = _activation("relu", _relu, _relu_slope)
_SILU = _activation("silu", _silu, _silu_slope)
_GELU = _activation("gelu", _gelu, _gelu_slope)
_GELU_TANH = _activation("gelu_tanh", _gelu_tanh, _gelu_tanh_slope)
_SWIGLU = _gated("swiglu", _silu, _silu_slope)
_GEGLU = _gated("geglu", _gelu, _gelu_slope)


# Triton kernels ------------------------------------------------------------------------------------------------------


def _triton_gated(name: str, function: str, value: _Function, slope: _Function) -> Any:
    def forward(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        from .triton_gated import gated_forward

        return gated_forward(gate, up, function)

    def backward(dy: torch.Tensor, gate: torch.Tensor, up: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        from .triton_gated import gated_backward

        return gated_backward(dy, gate, up, function)

    kernel = operator(
        f"{name}_backward",
        "(Tensor dy, Tensor gate, Tensor up) -> (Tensor, Tensor)",
        backward,
        lambda dy, gate, up: (new_like(gate), new_like(up)),
    )

    def gradient(cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]) -> Gradients:
        (dy,), (gate, up) = cotangents, arguments
        if not torch.is_grad_enabled():
            found = kernel(dy, gate, up)
        else:  # to be differentiated again
            a, b, down = computed_in(gate, up, dy)
            found = tuple(x.to(gate.dtype) for x in (down * b * slope(a), down * value(a)))
        return tuple(x if wanted else None for x, wanted in zip(found, needed, strict=True))

    return differentiable(
        name, "(Tensor gate, Tensor up) -> Tensor", forward, lambda gate, up: new_like(gate), gradient
    )


_TRITON_SWIGLU = _triton_gated("triton_swiglu", "silu", _silu, _silu_slope)
_TRITON_GEGLU = _triton_gated("triton_geglu", "gelu", _gelu, _gelu_slope)

# Functions -----------------------------------------------------------------------------------------------------------


def _check(name: str, *tensors: torch.Tensor) -> None:
    interpret_without_cuda()
    check_floating(name, *tensors)
    if any(x.shape != tensors[0].shape for x in tensors):
        raise ValueError(f"{name} got shapes {' and '.join(str(tuple(x.shape)) for x in tensors)}: they are one shape")


def _activated(function: Any, name: str, *tensors: torch.Tensor) -> torch.Tensor:
    _check(name, *tensors)
    y: torch.Tensor = function(*computed_in(*tensors))
    return y.to(tensors[0].dtype)


def relu(input: torch.Tensor) -> torch.Tensor:
    """max(x, 0), as `torch.nn.functional.relu`; its derivative at 0 is 0.

    Args:
        input: any shape; float16, bfloat16, float32 or float64.

    Returns:
        A contiguous tensor of the shape and dtype of `input`.

    Raises:
        TypeError: `input` has another dtype.
    """
    return _activated(_RELU, "relu", input)


def silu(input: torch.Tensor) -> torch.Tensor:
    """x·σ(x), as `torch.nn.functional.silu`. Argument, result and errors are those of `relu`."""
    return _activated(_SILU, "silu", input)


def gelu(input: torch.Tensor, approximate: str = "none") -> torch.Tensor:
    """x·Φ(x), or with `approximate="tanh"` x·½(1 + tanh(√(2/π)(x + 0.044715 x³))), as `torch.nn.functional.gelu`.

    Result and errors are those of `relu`.

    Raises:
        ValueError: `approximate` is neither "none" nor "tanh".
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f'approximate={approximate!r} is neither "none" nor "tanh"')
    return _activated(_GELU if approximate == "none" else _GELU_TANH, "gelu", input)


def swiglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """silu(gate)·up (Shazeer 2020, "GLU Variants Improve Transformer", section 2).

    Args:
        gate, up: of one shape and one of the dtypes float16, bfloat16, float32 and float64.

    Returns:
        A contiguous tensor of that shape and dtype.

    Raises:
        TypeError: the dtypes differ or are others.
        ValueError: the shapes differ.
    """
    return _activated(_SWIGLU, "swiglu", gate, up)


def geglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """gelu(gate)·up with the exact gelu. Arguments, result and errors are those of `swiglu`."""
    return _activated(_GEGLU, "geglu", gate, up)


def triton_swiglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """`swiglu` by Triton kernels, forward and backward; nothing but the arguments is kept.

    Without a CUDA device the kernels run in Triton's interpreter.

    Raises:
        TypeError, ValueError: as `swiglu`.
        RuntimeError: tensors are on the CPU and Triton was imported without TRITON_INTERPRET=1.
        NotImplementedError: bfloat16 in Triton's interpreter, which computes it wrongly.
    """
    _check("triton_swiglu", gate, up)
    y: torch.Tensor = _TRITON_SWIGLU(gate, up)
    return y


def triton_geglu(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """`geglu` by Triton kernels, with Φ(x) as ½(1 + erf(x/√2)); errors are those of `triton_swiglu`."""
    _check("triton_geglu", gate, up)
    y: torch.Tensor = _TRITON_GEGLU(gate, up)
    return y
