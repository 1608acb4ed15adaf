"""What a row of the matrix is: one implementation of one operation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

EXAMPLES = Path(__file__).parents[2] / "examples"
FULL = ("float64", "float32", "bfloat16", "float16")
# What can be said of an implementation without a gradient.
OF_VALUES = ("forward", "inputs unchanged", "deterministic")
# Cases per dtype where a case is cheap, where XLA compiles it, in Triton's interpreter, and where C++ is compiled.
CHEAP, DEAR, INTERPRETED, COMPILED = 120, 60, 40, 6

Kind = Literal["their defect", "their convention", "the format", "our error"]


@dataclass(frozen=True)
class Why:
    """Why a row does not conform, as found by hand.

    Attributes:
        kind: whose it is.
        text: what was found, with the evidence.
        link: their documentation of it, if there is any.
    """

    kind: Kind
    text: str
    link: str = ""


@dataclass(frozen=True)
class Row:
    """One implementation of one operation.

    Attributes:
        library: the distribution whose version is shown, and without which the row is not run.
        what: what is called, in the library's own words.
        operation: the contract.
        target: as on the command line of `lemmata conform`.
        dtypes: those that the library offers.
        values_only: it has no gradient, or none here.
        examples: cases per dtype.
        environment: variables that the library reads when it is imported.
        without: checks that are left out, as they are about calls that the adapter refuses.
        note: what the adapter refuses or adds.
        why: why it does not conform, if it does not.
    """

    library: str
    what: str
    operation: str
    target: str
    dtypes: tuple[str, ...] = FULL
    values_only: bool = False
    examples: int = CHEAP
    environment: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    note: str = ""
    why: tuple[Why, ...] = ()

    @property
    def key(self) -> str:
        """A name for files, unique in the registry and the same wherever the repository lies."""
        target = self.target.replace(f"{EXAMPLES.parent}/", "")
        return re.sub(r"\W+", "_", f"{self.library} {target} {self.operation}").strip("_")

    @property
    def line(self) -> str:
        """What a TEXT of the command line is looked for in."""
        return f"{self.library} {self.operation} {self.what} {self.target}"
