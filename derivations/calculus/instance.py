"""An instance of a program: its definitions over other dimensions, with arguments for its inputs and leading axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from .affine import Affine
from .index import Dim, Index, Subscript
from .nodes import Delta, Entry, Expr, Max, Place, Predicate, Size, Sum, Tensor
from .program import Def, Program
from .traverse import Replacement, children, pointed, rebuild


@dataclass(frozen=True, eq=False)
class Instance:
    """The definitions of a program in another place.

    Attributes:
        dims: what its dimensions are there; one that is not named stays.
        over: indices that lead every definition.
        arguments: what its inputs are.
        results: the names of some of its definitions, with the leading axes.
        names: a name for each of the others.
    """

    program: Program
    dims: Mapping[Dim, Dim]
    over: tuple[Index, ...]
    arguments: Mapping[Tensor, Replacement]
    results: Mapping[Tensor, Tensor]
    names: Callable[[str], str]

    @cached_property
    def tensors(self) -> dict[Tensor, Tensor]:
        """What each defined tensor is called there."""
        leading = tuple(index.dim for index in self.over)
        return {
            t: self.results.get(t)
            or Tensor(self.names(t.name), (*leading, *(self.dims.get(d, d) for d in t.dims)), t.kind)
            for t in self.program.defined
        }

    @cached_property
    def steps(self) -> tuple[Def, ...]:
        """The definitions there."""
        return tuple(self._step(step) for step in self.program.steps)

    def _step(self, step: Def) -> Def:
        indices = {index: Index(index.name, self.dims.get(index.dim, index.dim)) for index in step.indices}
        target = self.tensors[step.tensor][(*self.over, *indices.values())]
        alternatives = tuple(self._moved(form, indices) for form in step.alternatives)
        value = self._moved(step.value, indices)
        return replace(step, target=target, value=value, label="", alternatives=alternatives)

    def _moved(self, expr: Expr, at: Mapping[Index, Index]) -> Expr:
        match expr:
            case Size(dim):
                return Size(self.dims.get(dim, dim))
            case Entry(tensor, indices):
                moved = tuple(self._subscript(ix, at) for ix in indices)
                if tensor in self.arguments:
                    return self.arguments[tensor](*moved)
                return Entry(self.tensors[tensor], (*self.over, *moved))
            case Delta(left, right):
                return Delta(self._subscript(left, at), self._subscript(right, at))
            case Predicate(affine):
                return Predicate(self._affine(affine, at))
            case Place(affine):
                return Place(self._affine(affine, at))
            case Sum(index, body):
                new = Index(index.name, self.dims.get(index.dim, index.dim))
                return Sum(new, self._moved(body, {**at, index: new}))
            case Max(index, body, where):
                new = Index(index.name, self.dims.get(index.dim, index.dim))
                inner = {**at, index: new}
                return Max(new, self._moved(body, inner), self._moved(where, inner))
            case _:
                parts = children(expr)
                return rebuild(expr, tuple(self._moved(part, at) for part in parts)) if parts else expr

    def _subscript(self, ix: Subscript, at: Mapping[Index, Index]) -> Subscript:
        if isinstance(ix, Index):
            return at[ix]
        return pointed(ix.map, at[ix.index], self.arguments)

    def _affine(self, affine: Affine, at: Mapping[Index, Index]) -> Affine:
        moved = Affine((), affine.constant)
        for term, coefficient in affine.terms:
            target = at[term] if isinstance(term, Index) else self.dims.get(term, term)
            moved = moved + Affine(((target, coefficient),))
        return moved
