"""Precision profiles: the formats in which an implementation computes, accumulates and stores.

A profile is what an implementation declares and is held to. A wrong profile looks exactly like a bug, so the verdict
names the one that was used and the tightest that was met.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from .targets import UsageError


class Format(NamedTuple):
    """A binary floating-point format."""

    significand: int
    """Bits of the significand, the hidden one included: the unit roundoff is 2**-significand."""
    least_exponent: int
    """Exponent of the least normal number."""
    largest: float
    """The largest finite number."""


def _ieee(significand: int, greatest_exponent: int) -> Format:
    largest = (2.0 - 2.0 ** (1 - significand)) * 2.0**greatest_exponent
    return Format(significand, 1 - greatest_exponent, largest)


FLOAT64 = _ieee(53, 1023)
FLOAT32 = _ieee(24, 127)
TF32 = _ieee(11, 127)
BFLOAT16 = _ieee(8, 127)
FLOAT16 = _ieee(11, 15)

FORMATS: Mapping[str, Format] = MappingProxyType(
    {"float64": FLOAT64, "float32": FLOAT32, "bfloat16": BFLOAT16, "float16": FLOAT16}
)

# The dtypes in which what is stored matters, not only what is computed.
HALVES = ("bfloat16", "float16")

Precision = Mapping[str, Format]


@dataclass(frozen=True)
class Profile:
    """A named precision: what the bound program takes, and in words."""

    name: str
    precision: Precision
    description: str


# Program variables that leave a kernel, and are therefore stored in the dtype of its inputs …
_OUTPUTS = ("o", "y", "lse", "dq", "dk", "dv", "dx", "dbias")
# … that a fused kernel rounds to it as operands of the second product …
_OPERANDS = ("p", "ds")
# … and that an eager implementation keeps as tensors of that dtype: an output that it saves for its backward, operands
# that it scales before their product, and intermediates without a name included.
_INTERMEDIATES = ("s", "a", "z", "dp", "delta", "saved", "scaled", "unnamed")
# Partial sums of a gradient that pass through memory: of a block of queries or keys, or of one query head of a group.
_PARTIALS = ("dq_partial", "dk_partial", "dv_partial")


def _plain(name: str, form: Format, description: str) -> Profile:
    return Profile(name, {"compute": form, "accumulate": form}, description)


def _stored(names: tuple[str, ...], form: Format) -> dict[str, Format]:
    return dict.fromkeys(names, form)


def _half(form: Format) -> tuple[Profile, ...]:
    single = {"compute": FLOAT32, "accumulate": FLOAT32}
    return (
        Profile(
            "fused",
            single | _stored(_OUTPUTS + _OPERANDS, form),
            "float32 inside; outputs, and operands of the second product, rounded to the dtype",
        ),
        # What `fused` lacks to be PyTorch's flash backend on the CPU, whose backward adds dK and dV per block of
        # queries in the tensor itself. It is below `eager`, and not a rung after it, as an eager implementation does
        # the same: it stores the gradient of each head of a group before adding them.
        #
        # It is on the ladder by default because PyTorch's own attention is held to the ladder, and because the looser
        # rungs hide little: of 60 planted faults of attention, float16 alone shows the same 58 with `fused` as the
        # loosest rung and with `eager` (the other two, TF32 and an epsilon of 1e-6, are smaller than its roundoff).
        # Who wants the stricter one asks for it by name, and the verdict always says which one was met.
        Profile(
            "split",
            single | _stored(_OUTPUTS + _OPERANDS + _PARTIALS, form),
            "as fused, with the gradients added up in the dtype, block by block and head by head",
        ),
        Profile(
            "eager",
            single | _stored(_OUTPUTS + _OPERANDS + _PARTIALS + _INTERMEDIATES, form),
            "every intermediate and partial sum rounded to the dtype, float32 inside a product",
        ),
    )


# Per dtype, from the tightest to the loosest.
CPU_PROFILES: Mapping[str, tuple[Profile, ...]] = MappingProxyType(
    {
        "float64": (_plain("fp64", FLOAT64, "float64 throughout"),),
        "float32": (_plain("fp32", FLOAT32, "float32 throughout"),),
        "bfloat16": _half(BFLOAT16),
        "float16": _half(FLOAT16),
    }
)
# A matrix product of float32 tensors may round its operands to TF32 on CUDA.
CUDA_PROFILES: Mapping[str, tuple[Profile, ...]] = MappingProxyType(
    dict(CPU_PROFILES)
    | {
        "float32": (
            *CPU_PROFILES["float32"],
            Profile(
                "tf32",
                {"compute": FLOAT32, "accumulate": FLOAT32, "operand": TF32},
                "float32, with the operands of products rounded to TF32",
            ),
        )
    }
)

Ladder = Callable[[str, str], tuple[Profile, ...]]
"""The profiles for a dtype on a device, from the tightest to the loosest; each allows what those before it allow."""

# The reference itself is computed in float64.
REFERENCE_PRECISION: Precision = MappingProxyType({"compute": FLOAT64, "accumulate": FLOAT64})


def default_profiles(dtype: str, device: str) -> tuple[Profile, ...]:
    """The profiles that an implementation in `dtype` is held to on `device`, from the tightest to the loosest."""
    return (CUDA_PROFILES if device.startswith("cuda") else CPU_PROFILES)[dtype]


def find_profile(name: str, dtype: str, device: str, profiles: Ladder = default_profiles) -> Profile:
    """The profile of a dtype that is called `name`.

    Raises:
        UsageError: there is none.
    """
    ladder = profiles(dtype, device)
    for profile in ladder:
        if profile.name == name:
            return profile
    raise UsageError(f"profile {name!r} is not one of {dtype}: {', '.join(profile.name for profile in ladder)}")
