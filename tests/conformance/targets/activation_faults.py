"""Planted faults of relu, silu, gelu and the gated units, named after what is wrong."""

from __future__ import annotations

import math
from typing import Any

import torch
from lemmata.tests.conformance.targets.altered import altered, only
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - what PyTorch's own documentation calls it

# Relu ----------------------------------------------------------------------------------------------------------------


def leaky(input: Tensor) -> Tensor:
    """A hundredth of what is negative passes."""
    return F.leaky_relu(input)


def capped_at_6(input: Tensor) -> Tensor:
    """No output above 6."""
    return F.relu6(input)


def magnitude(input: Tensor) -> Tensor:
    """The sign dropped."""
    return input.abs()


def nan_becomes_zero_and_infinity_a_number(input: Tensor) -> Tensor:
    """Outputs beyond the range of float16 clipped."""
    return F.relu(input).clamp(max=100.0)


def _passing_at_zero(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    return [cotangent * (arguments[0] >= 0)]


relu_gradient_passes_at_zero = altered(F.relu, _passing_at_zero)
relu_gradient_passes_everywhere = altered(F.relu, lambda gradients, arguments, cotangent: [cotangent.clone()])

# Silu ----------------------------------------------------------------------------------------------------------------


def sigmoid_alone(input: Tensor) -> Tensor:
    """The factor x forgotten."""
    return torch.sigmoid(input)


def exponential_overflows(input: Tensor) -> Tensor:
    """e^x/(1 + e^x), which is ∞/∞ for a large x."""
    e = torch.exp(input)
    return input * (e / (1 + e))


def slope_1_702(input: Tensor) -> Tensor:
    """The slope with which a sigmoid approximates gelu."""
    return input * torch.sigmoid(1.702 * input)


def silu_in_bfloat16(input: Tensor) -> Tensor:
    """The sigmoid rounded to bfloat16."""
    return input * torch.sigmoid(input).bfloat16().to(input.dtype)


def _without_the_slope(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    return [cotangent * torch.sigmoid(arguments[0])]


silu_gradient_without_the_slope = altered(F.silu, _without_the_slope)
silu_gradient_of_a_constant_cotangent = altered(
    F.silu, lambda gradients, arguments, cotangent: [None if gradients[0] is None else gradients[0] / cotangent]
)

# Gelu ----------------------------------------------------------------------------------------------------------------


def approximate_ignored(input: Tensor, approximate: str = "none") -> Tensor:
    """The exact form whatever is asked for."""
    return F.gelu(input)


def always_approximate(input: Tensor, approximate: str = "none") -> Tensor:
    """The tanh form whatever is asked for."""
    return F.gelu(input, approximate="tanh")


def tanh_by_exponentials(input: Tensor, approximate: str = "none") -> Tensor:
    """tanh(u) as (e^{2u} − 1)/(e^{2u} + 1), which overflows."""
    if approximate == "none":
        return F.gelu(input)
    e = torch.exp(2 * math.sqrt(2 / math.pi) * (input + 0.044715 * input**3))
    return 0.5 * input * (1 + (e - 1) / (e + 1))


def root_of_two_over_pi_forgotten(input: Tensor, approximate: str = "none") -> Tensor:
    """2/π in the place of its root."""
    if approximate == "none":
        return F.gelu(input)
    return 0.5 * input * (1 + torch.tanh(2 / math.pi * (input + 0.044715 * input**3)))


def erf_without_the_root_of_2(input: Tensor, approximate: str = "none") -> Tensor:
    """erf(x) in the place of erf(x/√2)."""
    return F.gelu(input, approximate=approximate) if approximate == "tanh" else 0.5 * input * (1 + torch.erf(input))


def sigmoid_form(input: Tensor, approximate: str = "none") -> Tensor:
    """x σ(1.702 x), the other approximation of the paper."""
    return input * torch.sigmoid(1.702 * input)


def _of_the_probability(
    gradients: list[Tensor | None], arguments: tuple[Any, ...], cotangent: Tensor
) -> list[Tensor | None]:
    return [cotangent * 0.5 * (1 + torch.erf(arguments[0] / math.sqrt(2)))]


gelu_gradient_without_the_density = altered(F.gelu, _of_the_probability)

# Gated units ---------------------------------------------------------------------------------------------------------


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """Correct."""
    return F.silu(gate) * up


def gate_and_up_swapped(gate: Tensor, up: Tensor) -> Tensor:
    """The other argument activated."""
    return F.silu(up) * gate


def both_activated(gate: Tensor, up: Tensor) -> Tensor:
    """Both arguments activated."""
    return F.silu(gate) * F.silu(up)


def gated_by_a_sigmoid(gate: Tensor, up: Tensor) -> Tensor:
    """GLU: the sigmoid alone."""
    return torch.sigmoid(gate) * up


def _gate_kept_in_half(gate: Tensor, up: Tensor) -> Tensor:
    return F.silu(gate).half().to(gate.dtype) * up


gate_rounded_to_float16 = _gate_kept_in_half
gate_gradient_is_none = altered(swiglu, only(0, lambda gradient: None))
up_gradient_of_the_gate = altered(
    swiglu, lambda gradients, arguments, cotangent: [gradients[0], cotangent * arguments[0]]
)


def geglu(gate: Tensor, up: Tensor) -> Tensor:
    """Correct."""
    return F.gelu(gate) * up


def geglu_by_tanh(gate: Tensor, up: Tensor) -> Tensor:
    """The tanh form of gelu."""
    return F.gelu(gate, approximate="tanh") * up


def geglu_swapped(gate: Tensor, up: Tensor) -> Tensor:
    """The other argument activated."""
    return F.gelu(up) * gate


def geglu_by_silu(gate: Tensor, up: Tensor) -> Tensor:
    """Silu in the place of gelu."""
    return F.silu(gate) * up


geglu_gate_gradient_without_the_density = altered(
    geglu,
    lambda gradients, arguments, cotangent: [
        cotangent * arguments[1] * 0.5 * (1 + torch.erf(arguments[0] / math.sqrt(2))),
        gradients[1],
    ],
)
geglu_up_gradient_is_none = altered(geglu, only(1, lambda gradient: None))
