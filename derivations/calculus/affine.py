"""Affine positions: integer combinations of indices and sizes, which masks compare and ALiBi measures."""

from __future__ import annotations

from dataclasses import dataclass

from .index import Dim, Index

Term = Index | Dim


@dataclass(frozen=True, slots=True)
class Affine:
    """An integer combination of indices and sizes plus an integer: a position on an axis."""

    terms: tuple[tuple[Term, int], ...]
    constant: int = 0

    def __post_init__(self) -> None:
        for term, _ in self.terms:
            if not isinstance(term, Index | Dim):
                raise TypeError(f"{term} is no position: positions are made of indices, sizes and integers")
        if not all(isinstance(number, int) for number in (self.constant, *(c for _, c in self.terms))):
            raise TypeError("positions are whole numbers: an inequality of fractions has no integer complement")

    def __add__(self, other: Affine | Term | int) -> Affine:
        other = position(other)
        merged: dict[Term, int] = dict(self.terms)
        for term, coefficient in other.terms:
            merged[term] = merged.get(term, 0) + coefficient
        kept = tuple((term, c) for term, c in merged.items() if c != 0)
        return Affine(kept, self.constant + other.constant)

    def __neg__(self) -> Affine:
        return Affine(tuple((term, -c) for term, c in self.terms), -self.constant)

    def __sub__(self, other: Affine | Term | int) -> Affine:
        return self + (-position(other))


def position(value: Affine | Term | int) -> Affine:
    """An index, a size or an integer as an affine position."""
    if isinstance(value, Affine):
        return value
    if isinstance(value, int):
        return Affine((), value)
    return Affine(((value, 1),))
