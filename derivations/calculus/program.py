"""Programs: ordered definitions `y[i, j] = expression of earlier names`, with inputs and outputs.

A program is what is differentiated, proved about, printed, bounded, costed and compiled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from .defined import is_positive
from .index import Index, Subscript
from .nodes import Entry, Expr, Tensor
from .normal_form import normal_form
from .traverse import Replacement, axes_of, free_indices, graft, refresh, refreshing, rename, tensors


class ProgramError(ValueError):
    """A program that does not define what it uses, or defines it twice."""


@dataclass(frozen=True)
class Def:
    """One definition. `note` is what a reader should know; `label` names the statement that licenses it; `within` is a
    range of its values that this statement proves; `alternatives` are equal forms that may be computed. An `angle`
    must not lose its phase: it is formed at least in binary64, and rounded to the format of the rest, if it is, after
    multiples of 2π are taken off."""

    target: Entry
    value: Expr
    note: str = ""
    label: str = ""
    within: tuple[int, int] | None = None
    alternatives: tuple[Expr, ...] = ()
    angle: bool = False

    def __post_init__(self) -> None:
        # Bound indices are renamed on entry, so that no expression of the caller's can mention one of them.
        object.__setattr__(self, "value", refresh(self.value))

    @property
    def tensor(self) -> Tensor:
        """The tensor that is defined."""
        return self.target.tensor

    @cached_property
    def indices(self) -> tuple[Index, ...]:
        """The indices of the definition."""
        return tuple(ix for ix in self.target.indices if isinstance(ix, Index))

    @cached_property
    def read(self) -> tuple[Tensor, ...]:
        """The tensors that the value is made of."""
        return tuple(tensors(self.value))

    @cached_property
    def stray(self) -> tuple[str, ...]:
        """The names of the indices that are free in the value alone."""
        return tuple(ix.name for ix in free_indices(self.value) if ix not in self.indices)

    def at(self, *indices: Subscript) -> Expr:
        """The defining expression at other indices, with new bound indices."""
        return rename(self.value, dict(zip(self.indices, indices, strict=True)))

    def __str__(self) -> str:
        return f"{self.target} = {self.value}"


@dataclass(frozen=True)
class Program:
    """Inputs, definitions in order, outputs.

    `zero_over_empty` names tensors whose value is 0 only where a mask leaves nothing to sum over: there the quotient
    by it is taken as 0 (the convention for fully masked rows).
    """

    name: str
    inputs: tuple[Tensor, ...]
    steps: tuple[Def, ...]
    outputs: tuple[Tensor, ...]
    zero_over_empty: frozenset[Tensor] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        for what, found in (("inputs", self.inputs), ("outputs", self.outputs)):
            names = [tensor.name for tensor in found]
            if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
                raise ProgramError(f"{self.name}: two {what} are called {', '.join(twice)}")
        known, taken = set(self.inputs), {tensor.name for tensor in self.inputs}
        for step in self.steps:
            if step.tensor.name in taken:
                raise ProgramError(f"{self.name}: {step.tensor.name} is defined twice")
            if len(set(step.indices)) != len(step.indices):
                raise ProgramError(f"{self.name}: {step.target} repeats an index on the left")
            for tensor in step.read:
                if tensor not in known:
                    raise ProgramError(f"{self.name}: {step.tensor.name} uses {tensor.name} before its definition")
            if step.stray:
                raise ProgramError(f"{self.name}: {step} has {', '.join(step.stray)} free on the right alone")
            known.add(step.tensor)
            taken.add(step.tensor.name)
        for tensor in self.outputs:
            if tensor not in known:
                raise ProgramError(f"{self.name}: the output {tensor.name} is not defined")

    @cached_property
    def defined(self) -> dict[Tensor, Def]:
        """The definition of each tensor."""
        return {step.tensor: step for step in self.steps}

    def tensor(self, name: str) -> Tensor:
        """The input or defined tensor with this name.

        Raises:
            KeyError: there is none.
        """
        for tensor in (*self.inputs, *self.defined):
            if tensor.name == name:
                return tensor
        raise KeyError(f"{self.name} has no tensor {name!r}")

    def inline(
        self,
        expr: Expr,
        inputs: Mapping[Tensor, Replacement] | None = None,
        keep: frozenset[Tensor] = frozenset(),
    ) -> Expr:
        """`expr` in terms of the inputs (and the tensors in `keep`), with inputs replaced by other expressions.

        Raises:
            ProgramError: a boolean or positive tensor is replaced by what is not shown to be boolean or positive, which
                the definitions may have been simplified for.
        """
        for tensor, replacement in (inputs or {}).items():
            self._require_kind(tensor, replacement)
        replacements: dict[Tensor, Replacement] = {t: refreshing(value) for t, value in (inputs or {}).items()}
        needed = set(tensors(expr))
        for step in reversed(self.steps):
            if step.tensor in needed and step.tensor not in keep:
                needed |= set(step.read)
        for step in self.steps:
            if step.tensor not in needed or step.tensor in keep or step.tensor in replacements:
                continue
            # New indices for those of the definition too: a replacement may mention the very same ones.
            fresh = tuple(index.fresh() for index in step.indices)
            replacements[step.tensor] = _definition(fresh, graft(step.at(*fresh), replacements))
        return graft(refresh(expr), replacements)

    def _require_kind(self, tensor: Tensor, replacement: Replacement) -> None:
        if tensor.kind == "real":
            return
        value = replacement(*axes_of(tensor))
        boolean = tensor.kind != "boolean" or normal_form(value * value) == normal_form(value)
        positive = tensor.kind != "positive" or is_positive(value)
        pointing = tensor.kind != "index" or (isinstance(value, Entry) and value.tensor.over == tensor.over)
        if not (boolean and positive and pointing):
            raise ProgramError(f"{self.name}: {tensor.name} is {tensor.kind}, its replacement {value} may not be")

    def extended(self, name: str, inputs: Sequence[Tensor], steps: Sequence[Def], outputs: Sequence[Tensor]) -> Program:
        """A program that goes on after this one."""
        return replace(
            self,
            name=name,
            inputs=(*self.inputs, *inputs),
            steps=(*self.steps, *steps),
            outputs=tuple(outputs),
        )

    def pruned(self) -> Program:
        """The program without the definitions that no output needs."""
        needed = set(self.outputs)
        for step in reversed(self.steps):
            if step.tensor in needed:
                needed |= set(step.read)
        return replace(self, steps=tuple(step for step in self.steps if step.tensor in needed))

    def __str__(self) -> str:
        return "\n".join(str(step) for step in self.steps)


def unused_name(name: str, taken: Collection[str]) -> str:
    """The name, with a number from 2 on if it is taken."""
    chosen, number = name, 1
    while chosen in taken:
        number += 1
        chosen = f"{name}_{number}"
    return chosen


def _definition(indices: tuple[Index, ...], value: Expr) -> Replacement:
    def at(*actual: Subscript) -> Expr:
        return rename(value, dict(zip(indices, actual, strict=True)))

    return at
