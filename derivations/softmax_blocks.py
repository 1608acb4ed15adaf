"""Softmax in blocks: the state that one block leaves, and how two states merge (Milakov & Gimelshein 2018)."""

from __future__ import annotations

from dataclasses import dataclass

from .calculus.blocks import Part, Split
from .calculus.expr import Expr, Index, Larger, Tensor, exp, maximum, total

State = tuple[Expr, Expr]  # a maximum and a partition function


def scalar(name: str) -> Expr:
    """A number with a name."""
    return Tensor(name)[()]


def merge(left: State, right: State) -> State:
    """Two states into one (algorithm 3)."""
    top = Larger(left[0], right[0])
    return top, left[1] * exp(left[0] - top) + right[1] * exp(right[0] - top)


def weight(state: State) -> Expr:
    """The sum of the exponentials themselves, z e^m."""
    return state[1] * exp(state[0])


def association(which: int) -> tuple[Expr, Expr]:
    """The maximum (0) or the partition function (1) of three states, merged in either order."""
    one, two, three = ((scalar(f"m{k}"), scalar(f"z{k}")) for k in (1, 2, 3))
    return merge(merge(one, two), three)[which], merge(one, merge(two, three))[which]


@dataclass(frozen=True)
class Halves:
    """A row of logits cut in two."""

    x: Tensor
    split: Split

    def part(self, which: Part) -> Tensor:
        """The logits of a part."""
        return self.split.tensor(self.x, which)

    def index(self, which: Part) -> Index:
        """An index of a part."""
        return Index("j", self.split.part(which))

    def maximum(self, which: Part) -> Expr:
        """The maximum of a part."""
        index = self.index(which)
        return maximum(index, self.part(which)[index])

    def partition(self, which: Part) -> Expr:
        """The partition function of a part, from its own maximum."""
        index = self.index(which)
        return total(index, exp(self.part(which)[index] - self.maximum(which)))

    def merged(self, top: Expr) -> Expr:
        """The partition function of the whole, from another maximum."""
        one, two = self.partition(1), self.partition(2)
        return one * exp(self.maximum(1) - top) + two * exp(self.maximum(2) - top)
