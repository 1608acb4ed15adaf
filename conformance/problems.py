"""Problems: a case turned into numbers, ready to be given to the target and to the reference alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from .layouts import EXPANDED, LAYOUTS, constant_along_first_axis
from .values import Array, representable

AnyArray = npt.NDArray[Any]

DTYPES: Mapping[str, torch.dtype] = {
    "float64": torch.float64,
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True)
class Problem:
    """One call: tensor arguments as float64 or boolean arrays, how they are laid out, and the other arguments.

    Every number is exactly representable in the dtype under test.
    """

    arrays: Mapping[str, AnyArray]
    """Tensor arguments by parameter name, in the order of the signature."""
    positional: int
    """How many of them are passed by position."""
    layouts: Mapping[str, str]
    options: Mapping[str, Any]
    """The arguments that are not tensors, by keyword; an option at its default is left out."""
    requires_grad: tuple[str, ...]
    cotangent: Array
    """Of the shape of the output."""
    cotangent_layout: str

    def with_arrays(self, **changed: AnyArray) -> Problem:
        """The same call with some tensor arguments replaced; a replaced one is laid out contiguously if it must be."""
        layouts = {
            name: "contiguous" if name in changed and layout == EXPANDED else layout
            for name, layout in self.layouts.items()
        }
        return replace(self, arrays={**self.arrays, **changed}, layouts=layouts)

    def with_cotangent(self, cotangent: Array) -> Problem:
        """The same call with another cotangent, contiguous; its shape is that of the output."""
        return replace(self, cotangent=cotangent, cotangent_layout="contiguous")

    def without_gradient(self) -> Problem:
        """The same call with no input that requires grad."""
        return replace(self, requires_grad=())


@dataclass(frozen=True)
class Values:
    """An output and its gradients as float64 arrays: of the reference, or as bounds on the error of each element."""

    output: Array
    gradients: Mapping[str, Array]


def laid_out(x: Array, layout: str, dtype: torch.dtype) -> Array:
    """`x` rounded to `dtype`, with the equal values that its layout needs."""
    rounded = representable(x, dtype)
    return constant_along_first_axis(rounded) if layout == EXPANDED else rounded


def tensor(x: AnyArray, layout: str, dtype: torch.dtype, device: str) -> torch.Tensor:
    """A fresh tensor in memory of its own; a boolean array stays boolean."""
    made = torch.from_numpy(np.array(x))
    return LAYOUTS[layout](made.to(device) if x.dtype == np.bool_ else made.to(device=device, dtype=dtype))


def array(x: torch.Tensor) -> Array:
    """The values of a tensor as a float64 array."""
    return x.detach().to(device="cpu", dtype=torch.float64).numpy()
