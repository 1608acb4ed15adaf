"""Floating-point formats as a generated bound takes them: significand bits, least normal exponent, largest number."""

from __future__ import annotations

from collections.abc import Mapping

Format = tuple[int, int, float]
Precision = Mapping[str, Format]

FLOAT64: Format = (53, -1022, (2.0 - 2.0**-52) * 2.0**1023)
FLOAT32: Format = (24, -126, (2.0 - 2.0**-23) * 2.0**127)
BFLOAT16: Format = (8, -126, (2.0 - 2.0**-7) * 2.0**127)
FLOAT16: Format = (11, -14, (2.0 - 2.0**-10) * 2.0**15)

IN_FLOAT64: Precision = {"compute": FLOAT64}
