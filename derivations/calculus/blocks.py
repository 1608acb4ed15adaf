"""A dimension cut into two parts: a sum over a concatenated axis is a sum over each part.

With the associativity and the identity of the merge of two parts this gives every partition, by induction.

A lookup that points into the dimension becomes its one-hot matrix, cut like any other: `x[i, t(i)]` is the sum over
both parts of `t1[i, v] x1[i, v]` and `t2[i, v] x2[i, v]`. That each row of t1 and t2 together has exactly one 1 is not
kept, so what is shown holds of every pair of boolean matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .affine import Affine, position
from .index import Dim, Index, Mapped, Subscript
from .nodes import ZERO, Add, Delta, Entry, Expr, Larger, Max, Mul, Place, Predicate, Size, Sum, Tensor
from .traverse import children, rebuild, refresh, tensors

Part = Literal[1, 2]


class CannotSplit(ValueError):
    """The expression uses the dimension in a way that has no block form."""


@dataclass(frozen=True)
class Split:
    """`dim` is `first` positions followed by `second` positions."""

    dim: Dim
    first: Dim
    second: Dim

    def part(self, which: Part) -> Dim:
        """The dimension of a part."""
        return self.first if which == 1 else self.second

    def tensor(self, tensor: Tensor, which: Part) -> Tensor:
        """The part of a tensor along its axis of this dimension: `k` becomes `k1` or `k2`.

        Raises:
            CannotSplit: the tensor has two axes of this dimension.
        """
        if tensor.dims.count(self.dim) != 1:
            raise CannotSplit(f"{tensor.name} has {tensor.dims.count(self.dim)} axes of {self.dim}, not one")
        dims = tuple(self.part(which) if d == self.dim else d for d in tensor.dims)
        return Tensor(f"{tensor.name}{which}", dims, tensor.kind, tensor.over)

    def one_hot(self, lookup: Tensor, which: Part) -> Tensor:
        """The part of the one-hot matrix of a tensor of indices: 1 where it points at that position of the part.

        Raises:
            CannotSplit: the positions that point are those of this dimension too.
        """
        if self.dim in lookup.dims:
            raise CannotSplit(
                f"{lookup.name} points from {self.dim} to {self.dim}: its one-hot matrix has two such axes"
            )
        return Tensor(f"{lookup.name}{which}", (*lookup.dims, self.part(which)), "boolean")

    def apply(self, expr: Expr, at: Mapping[Index, tuple[Part, Index]] | None = None) -> Expr:
        """The expression with the dimension cut; `at` says in which part each free index of it lies.

        Raises:
            CannotSplit: the expression permutes the dimension, two lookups are compared, a tensor has two axes of it
                (a lookup from it to it among them), `at` leaves out a free index of it, or a part would have the name
                of another tensor of the expression.
        """
        self._require_new_names(tensors(expr))
        return refresh(self._apply(expr, dict(at or {})))

    def _require_new_names(self, found: tuple[Tensor, ...]) -> None:
        whole = {tensor.name for tensor in found if self.dim not in tensor.dims}
        for tensor in found:
            for which in (1, 2):
                if self.dim in (*tensor.dims, tensor.over) and f"{tensor.name}{which}" in whole:
                    raise CannotSplit(f"a part of {tensor.name} would be called {tensor.name}{which}: there is one")

    def _apply(self, expr: Expr, at: dict[Index, tuple[Part, Index]]) -> Expr:
        match expr:
            case Size(dim) if dim == self.dim:
                return Add((Size(self.first), Size(self.second)))
            case Entry(tensor, indices):
                return self._entry(tensor, indices, at)
            case Delta(left, right) if left.dim == self.dim:
                return self._delta(left, right, at)
            case Delta(left, right):
                return Delta(self._subscript(left, at), self._subscript(right, at))
            case Predicate(affine):
                return Predicate(self._affine(affine, at))
            case Place(affine):
                return Place(self._affine(affine, at))
            case Sum(index, body) if index.dim == self.dim:
                one, two = (Index(index.name, self.first), Index(index.name, self.second))
                upper = Sum(one, self._apply(body, {**at, index: (1, one)}))
                return Add((upper, Sum(two, self._apply(body, {**at, index: (2, two)}))))
            case Max(index, body, where) if index.dim == self.dim:
                sides = []
                for which in (1, 2):
                    part_: Part = 1 if which == 1 else 2
                    new = Index(index.name, self.part(part_))
                    inner = {**at, index: (part_, new)}
                    sides.append(Max(new, self._apply(body, inner), self._apply(where, inner)))
                return Larger(sides[0], sides[1])
            case _:
                parts = children(expr)
                return rebuild(expr, tuple(self._apply(p, at) for p in parts)) if parts else expr

    def _entry(self, tensor: Tensor, indices: tuple[Subscript, ...], at: dict[Index, tuple[Part, Index]]) -> Expr:
        which: Part | None = None
        moved: list[Subscript] = []
        for k, ix in enumerate(indices):
            if ix.dim != self.dim:
                moved.append(self._subscript(ix, at))
            elif isinstance(ix, Mapped):
                if ix.lookup is None:
                    raise CannotSplit(f"{tensor.name} permutes {self.dim}")
                position_ = Index(self.dim.name.lower(), self.dim)
                read = Entry(tensor, (*indices[:k], position_, *indices[k + 1 :]))
                return self._apply(Sum(position_, Mul((Delta(ix, position_), read))), at)
            else:
                which, new = self._place(ix, at)
                moved.append(new)
        return Entry(tensor if which is None else self.tensor(tensor, which), tuple(moved))

    def _subscript(self, ix: Subscript, at: dict[Index, tuple[Part, Index]]) -> Subscript:
        """A subscript of another dimension: a lookup may have its own axis cut."""
        if isinstance(ix, Index) or ix.index.dim != self.dim:
            return ix
        if ix.lookup is None:
            raise CannotSplit(f"{ix} permutes {self.dim}")
        which, new = self._place(ix.index, at)
        return self.tensor(ix.lookup, which)(new)

    def _delta(self, left: Subscript, right: Subscript, at: dict[Index, tuple[Part, Index]]) -> Expr:
        if isinstance(left, Mapped):
            left, right = right, left
        if isinstance(left, Mapped):
            raise CannotSplit(f"δ[{left}, {right}] compares two lookups")
        part, one = self._place(left, at)
        if isinstance(right, Mapped):
            assert right.lookup is not None, "a delta does not compare permuted indices"
            return self.one_hot(right.lookup, part)[right.index, one]
        other, two = self._place(right, at)
        return Delta(one, two) if part == other else ZERO

    def _place(self, index: Index, at: dict[Index, tuple[Part, Index]]) -> tuple[Part, Index]:
        if index not in at:
            raise CannotSplit(f"{index} is free: say in which part of {self.dim} it lies")
        return at[index]

    def _affine(self, affine: Affine, at: dict[Index, tuple[Part, Index]]) -> Affine:
        moved = Affine((), affine.constant)
        for term, c in affine.terms:
            if isinstance(term, Dim):
                target = position(self.first) + self.second if term == self.dim else position(term)
            elif term.dim == self.dim:
                which, new = self._place(term, at)
                target = position(new) if which == 1 else position(self.first) + new
            else:
                target = position(term)
            for _ in range(abs(c)):
                moved = moved + target if c > 0 else moved - target
        return moved
