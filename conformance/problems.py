"""Problems: a case turned into numbers, ready to be given to the target and to the reference alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from .layouts import EXPANDED, LAYOUTS, constant_along_first_axis
from .values import AnyArray as AnyArray  # part of this module's interface
from .values import Array, representable

# What the output of an operation that has one is called.
OUTPUT = "output"

DTYPES: Mapping[str, torch.dtype] = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True)
class Problem:
    """One call: tensor arguments as arrays, how they are laid out, the other arguments, and what is pulled back.

    Arrays are float64, boolean or int64. Every number is exactly representable in the dtype under test.
    """

    arrays: Mapping[str, AnyArray]
    """Tensor arguments by parameter name, in the order of the signature."""
    positional: tuple[str, ...]
    """The arguments, tensors or not, that are passed by position; the others are passed by keyword."""
    layouts: Mapping[str, str]
    options: Mapping[str, Any]
    """The arguments that are not tensors; an option at its default is left out."""
    requires_grad: tuple[str, ...]
    cotangents: Mapping[str, Array]
    """By output, in order, each of the shape of its output."""
    cotangent_layouts: Mapping[str, str]
    pulled_back: tuple[str, ...] | None = None
    """The outputs that a loss depends on, which alone have cotangents; None: all of them."""
    unreached: frozenset[str] = frozenset()
    """Inputs that require grad, and on which none of these outputs depends."""
    wide: frozenset[str] = frozenset()
    """Outputs that are float32 where the inputs are narrower."""
    context: Mapping[str, Any] = field(default_factory=dict)
    """What the reference wants to know of the call besides its arguments: the options drawn, the dtype."""

    @property
    def cotangent(self) -> Array:
        """That of the output: of the only one, or of the one that is called so."""
        return main(self.cotangents)

    @property
    def differentiated(self) -> tuple[str, ...]:
        """The outputs that have cotangents."""
        return tuple(self.cotangents) if self.pulled_back is None else self.pulled_back

    def with_arrays(self, **changed: AnyArray) -> Problem:
        """The same call with some tensor arguments replaced; a replaced one is laid out contiguously if it must be."""
        layouts = {
            name: "contiguous" if name in changed and layout == EXPANDED else layout
            for name, layout in self.layouts.items()
        }
        return replace(self, arrays={**self.arrays, **changed}, layouts=layouts)

    def with_cotangent(self, cotangent: Array) -> Problem:
        """The same call of an operation with one output, with another cotangent, of the shape of the output."""
        (name,) = self.cotangents
        return self.with_cotangents({name: cotangent})

    def with_cotangents(self, cotangents: Mapping[str, Array]) -> Problem:
        """The same call with other cotangents, contiguous; their shapes are those of the outputs."""
        return replace(self, cotangents=cotangents, cotangent_layouts=dict.fromkeys(cotangents, "contiguous"))

    def without_gradient(self) -> Problem:
        """The same call with no input that requires grad."""
        return replace(self, requires_grad=())


@dataclass(frozen=True)
class Values:
    """Outputs and gradients as float64 arrays: of the reference, or as bounds on the error of each element."""

    outputs: Mapping[str, Array]
    gradients: Mapping[str, Array]

    @property
    def output(self) -> Array:
        """The output: the only one, or the one that is called so."""
        return main(self.outputs)

    @property
    def named(self) -> dict[str, Array]:
        """All of them by the names that messages have for them."""
        outputs = {shown(name): x for name, x in self.outputs.items()}
        return outputs | {shown_gradient(name): x for name, x in self.gradients.items()}


def main(outputs: Mapping[str, Array]) -> Array:
    """What is called the output, or is the only one."""
    if OUTPUT in outputs:
        return outputs[OUTPUT]
    (output,) = outputs.values()
    return output


def only(output: Array, gradients: Mapping[str, Array]) -> Values:
    """The values of an operation that has one output."""
    return Values({OUTPUT: output}, gradients)


def shown(output: str) -> str:
    """An output as a message calls it."""
    return output if output == OUTPUT else f"output {output}"


def shown_gradient(name: str) -> str:
    """The gradient of an input as a message calls it."""
    return f"gradient of {name}"


def laid_out(x: Array, layout: str, dtype: torch.dtype) -> Array:
    """`x` rounded to `dtype`, with the equal values that its layout needs."""
    return alike(representable(x, dtype), layout)


def alike(x: AnyArray, layout: str) -> AnyArray:
    """`x` with the equal values that its layout needs."""
    return constant_along_first_axis(x) if layout == EXPANDED else x


def tensor(x: AnyArray, layout: str, dtype: torch.dtype, device: str) -> torch.Tensor:
    """A fresh tensor in memory of its own; an array of booleans or of positions keeps its type."""
    made = torch.from_numpy(np.array(x))
    return LAYOUTS[layout](made.to(device=device, dtype=dtype) if made.is_floating_point() else made.to(device))


def array(x: torch.Tensor) -> Array:
    """The values of a tensor as a float64 array."""
    return x.detach().to(device="cpu", dtype=torch.float64).numpy()
