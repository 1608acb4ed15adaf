"""Dimensions, typed indices and their images under permutations and lookups: what the axes of a tensor are made of.

Indices run from 0 to size − 1; every dimension has size at least 1. Two indices are equal only if they are the same
object, so that bound indices of two expressions never clash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .nodes import Tensor


class DimensionError(ValueError):
    """An index is used on an axis of another dimension, or a tensor with the wrong number of indices."""


@dataclass(frozen=True)
class Dim:
    """A dimension: a positive integer, unknown. `grows` marks the dimensions that cost comparisons let grow
    (sequence lengths, vocabularies) against those they hold fixed (head sizes)."""

    name: str
    grows: bool = True

    def __hash__(self) -> int:
        return hash(self.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Index:
    """An index that runs over one dimension. Identity is equality."""

    name: str
    dim: Dim

    def __str__(self) -> str:
        return self.name

    def fresh(self) -> Index:
        """A new index with the same name and dimension."""
        return Index(self.name, self.dim)


@dataclass(frozen=True)
class Permutation:
    """An unknown permutation of the positions of a dimension."""

    name: str
    dim: Dim

    def __call__(self, index: Index) -> Mapped:
        if index.dim != self.dim:
            raise DimensionError(f"{self.name} permutes {self.dim}, {index.name} runs over {index.dim}")
        return Mapped(self, index)


@dataclass(frozen=True)
class Mapped:
    """The position to which a permutation takes an index, π(i), or at which a tensor of indices points, ids(i).

    A lookup need be neither one-to-one nor onto: what holds of a sum over a permuted axis does not hold of it.
    """

    map: Permutation | Tensor
    index: Index

    @property
    def dim(self) -> Dim:
        """The dimension of the position."""
        if isinstance(self.map, Permutation):
            return self.map.dim
        if self.map.over is None:
            raise DimensionError(f"{self.map.name} does not hold positions")
        return self.map.over

    @property
    def lookup(self) -> Tensor | None:
        """The tensor of indices that is read; None for a permutation."""
        return None if isinstance(self.map, Permutation) else self.map

    def __str__(self) -> str:
        return f"{self.map.name}({self.index})"


Subscript = Index | Mapped


def plain(subscript: Subscript) -> Index:
    """A subscript that is an index itself, as positions that are compared must be."""
    assert isinstance(subscript, Index), f"{subscript} is the image of an index"
    return subscript
