"""What is claimed: statements, their hypotheses, the chain of equalities that proves them, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from .nodes import Expr, Predicate

Status = Literal["proved", "refuted", "open"]


@dataclass(frozen=True)
class Step:
    """One line of a chain: the next expression and why it equals the one before."""

    expr: Expr
    reason: str


@dataclass(frozen=True)
class Equal:
    """left = right, for every value of the free indices that satisfies the hypotheses (each a predicate)."""

    left: Expr
    right: Expr
    given: tuple[Predicate, ...] = ()


@dataclass(frozen=True)
class NonNegative:
    """expr ≥ 0: decided by the signs of the factors of the expression that ends the chain."""

    expr: Expr


@dataclass(frozen=True)
class Within:
    """low ≤ expr ≤ high for every real value of the one number that it reads, from `start` to `end`.

    A bound or an end that is None is not there. It is decided by interval arithmetic on the expression that ends the
    chain.
    """

    expr: Expr
    low: Fraction | None = None
    high: Fraction | None = None
    start: Fraction | None = None
    end: Fraction | None = None


Claim = Equal | NonNegative | Within


@dataclass(frozen=True)
class Statement:
    """A named claim about an operation.

    `conjuncts` further claims must hold as well (for instance, one for each output). `chain` holds intermediate
    expressions between the two sides of the first claim; without it the proof is a single step of normal form.
    """

    label: str
    name: str
    claim: Claim
    chain: tuple[Step, ...] = ()
    conjuncts: tuple[Claim, ...] = ()
    law: str = ""

    @property
    def claims(self) -> tuple[Claim, ...]:
        """All claims."""
        return (self.claim, *self.conjuncts)


@dataclass(frozen=True)
class Counterexample:
    """Sizes, exact input values and free indices at which the two sides differ (or a sign is wrong)."""

    sizes: Mapping[str, int]
    values: Mapping[str, Mapping[tuple[int, ...], Fraction]]
    at: Mapping[str, int]
    left: str
    right: str

    def lines(self) -> list[str]:
        """The counterexample as text, one item a line."""
        shown = [", ".join(f"{name} = {size}" for name, size in self.sizes.items())] if self.sizes else []
        for name, array in self.values.items():
            cells = "; ".join(
                f"{name}{list(where) if where else ''} = {value}" for where, value in sorted(array.items())
            )
            shown.append(cells)
        if self.at:
            shown.append("at " + ", ".join(f"{name} = {value}" for name, value in self.at.items()))
        shown += [f"left  = {self.left}", f"right = {self.right}"]
        return shown

    def to_json(self) -> dict[str, Any]:
        """The counterexample as plain data; exact values as text."""
        values = {
            name: {",".join(map(str, where)): str(value) for where, value in sorted(array.items())}
            for name, array in self.values.items()
        }
        return {
            "sizes": dict(self.sizes),
            "values": values,
            "at": dict(self.at),
            "left": self.left,
            "right": self.right,
        }


@dataclass(frozen=True)
class Result:
    """The verdict on a statement. `checks` counts the points of the independent evaluation that agreed; `certificates`
    say, one for each claim that gives bounds, what interval arithmetic covered."""

    statement: Statement
    status: Status
    seconds: float
    checks: int = 0
    reason: str = ""
    counterexample: Counterexample | None = None
    certificates: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain data for `json.dumps`."""
        found = self.counterexample
        return {
            "label": self.statement.label,
            "name": self.statement.name,
            "status": self.status,
            "seconds": self.seconds,
            "points": self.checks,
            "reason": self.reason,
            "counterexample": None if found is None else found.to_json(),
            "certificates": list(self.certificates),
        }
