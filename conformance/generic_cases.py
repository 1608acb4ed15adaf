"""Cases of any derived operation: what one call is made of, drawn from the form of its calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import prod
from types import MappingProxyType
from typing import Any, TypeVar

from hypothesis import strategies as st

from .cases import (
    COUNTS,
    HEAD_DIMS,
    LONG_LENGTHS,
    OF_BLOCKS,
    OF_BLOCKS_ROOM,
    SEEDS,
    SHORT,
    WIDTHS,
    choice,
    fitting,
    layout,
)
from .forms import UNPAIRED, Argument, Extent, Form, positions
from .values import BOOLEANS, COTANGENTS, POSITIONS, REGIMES

_T = TypeVar("_T")

# Sizes of a dimension that is to be long, where most are short.
_LONG: Mapping[Extent, tuple[int, ...]] = MappingProxyType(
    {"length": LONG_LENGTHS, "width": WIDTHS, "head": HEAD_DIMS, "count": COUNTS}
)
# Positions that one definition of the operation runs over, at most: keeps a case to some milliseconds. Where it runs
# twice over one dimension, as the scores of self-attention do, there may be more of them, or all sequences were short.
_WORK_LIMIT = 1 << 15
_PAIRS_LIMIT = 1 << 17
# Numbers that every dtype holds, the simplest first; 2⁻¹⁷ is of the size of the epsilons in use.
POSITIVE_NUMBERS = (1.0, 0.5, 2.0, 0.125, 3.0, 2.0**-17, 30.0)
REAL_NUMBERS = (1.0, 0.5, -1.0, 2.0, -0.125, 3.0, 0.0, -2.5)
# Sizes of the batch dimensions: rows are what a kernel sums the gradient of a weight over, in blocks.
_BATCH_SIZES = (*SHORT, 33, 65)
_EMPTY = (0,)
_UNPAIRED = (0, 0, 0, 1, 3, 8)
_LARGE = 65_537
# Of so many inputs that are differentiated, at most, any two may be the only ones, as in adapters of low rank.
_ANY_TWO_OF = 8


@dataclass(frozen=True)
class GenericCase:
    """One call of a derived operation; what is left out is the simplest there is.

    Attributes:
        sizes: of every dimension.
        batch: leading dimensions of the inputs that are not shared.
        numbers: the arguments that are plain numbers.
        present: the optional tensors that are passed.
        choices: the options of the calling convention.
        values: regimes of the inputs, "integers" left out.
        layouts: of inputs and, by output, of cotangents, "contiguous" left out.
        cotangents: regimes by output, "integers" left out.
        pulled_back: the outputs that have cotangents; None: all of them.
    """

    sizes: Mapping[str, int]
    batch: tuple[int, ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)
    present: tuple[str, ...] = ()
    choices: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    layouts: Mapping[str, str] = field(default_factory=dict)
    cotangents: Mapping[str, str] = field(default_factory=dict)
    cotangent_layouts: Mapping[str, str] = field(default_factory=dict)
    pulled_back: tuple[str, ...] | None = None
    requires_grad: tuple[str, ...] = ()
    seed: int = 0


def smallest_case(
    form: Form, numbers: Mapping[str, Sequence[float]], choices: Mapping[str, Sequence[Any]]
) -> GenericCase:
    """The case of the first, trivial call."""
    return GenericCase(
        sizes=dict.fromkeys(form.dims, 2),
        choices={name: options[0] for name, options in choices.items()},
        numbers={a.name: _numbers(a, numbers)[0] for a in form.numbers if not a.optional},
    )


def large_cases(
    form: Form, numbers: Mapping[str, Sequence[float]], choices: Mapping[str, Sequence[Any]], *, batched: bool
) -> tuple[GenericCase, ...]:
    """One case for each dimension, of a size beyond 16 bits, the others short; and one of so many batch entries."""
    ordinary = replace(
        smallest_case(form, numbers, choices),
        sizes=dict.fromkeys(form.dims, 3),
        values={a.name: "normal" for a in form.tensors if a.kind == "real"},
        cotangents=dict.fromkeys(form.outputs, "normal"),
        requires_grad=tuple(a.name for a in form.tensors if not a.optional and a.differentiable),
    )
    long = [replace(ordinary, sizes={**ordinary.sizes, name: _LARGE}) for name in form.dims]
    return (*long, *([replace(ordinary, batch=(_LARGE,))] if batched else []))


@st.composite
def generic_cases(
    draw: st.DrawFn,
    form: Form,
    numbers: Mapping[str, Sequence[float]],
    choices: Mapping[str, Sequence[Any]],
    regimes: Mapping[str, Sequence[str]],
    returned: Callable[[Mapping[str, Any]], tuple[str, ...]],
    *,
    batched: bool,
) -> GenericCase:
    """Cases of the calls of a form.

    Args:
        numbers: the values to draw a plain number from, where they are not those of its kind.
        choices: options of the calling convention, and what to draw each from.
        regimes: the regimes to draw the values of an input from, where they are not those of its kind.
        returned: the outputs that a call with such options returns.
        batched: whether inputs may have batch dimensions.
    """
    sizes = _sizes(draw, form)
    batch = _batch(draw, form, sizes) if batched else ()
    present = tuple(a.name for a in form.tensors if a.optional and draw(st.booleans()))
    given = [a for a in form.tensors if not a.optional or a.name in present]
    chosen = {name: _one_of(draw, options) for name, options in choices.items()}
    outputs = returned(chosen)
    pulled_back = _pulled_back(draw, outputs)
    cotangents = {name: draw(choice(tuple(COTANGENTS))) for name in pulled_back or outputs}
    return GenericCase(
        sizes=sizes,
        batch=batch,
        numbers={
            a.name: _one_of(draw, _numbers(a, numbers))
            for a in form.numbers
            if not a.optional or draw(choice((False, False, True)))
        },
        present=present,
        choices=chosen,
        values=_other({a.name: draw(choice(_regimes(a, regimes))) for a in given}, "integers", "random"),
        layouts=_other({a.name: draw(layout()) for a in given}, "contiguous"),
        cotangents=_other(cotangents, "integers"),
        cotangent_layouts=_other({name: draw(layout(kind)) for name, kind in cotangents.items()}, "contiguous"),
        pulled_back=pulled_back,
        requires_grad=draw(choice(_subsets(tuple(a.name for a in given if a.differentiable)))),
        seed=draw(choice(range(SEEDS))),
    )


def _one_of(draw: st.DrawFn, options: Sequence[_T]) -> _T:
    """One of the options, drawn by its place: 1, 1.0 and True are different options, and equal."""
    place: int = draw(choice(range(len(options))))
    return options[place]


def _sizes(draw: st.DrawFn, form: Form) -> dict[str, int]:
    """A size for each dimension: one or two of them long, the others short and what there is room for beside those."""
    names = tuple(form.dims)
    long = draw(choice((*((name,) for name in names), *combinations(names, 2)) or ((),)))
    sizes: dict[str, int] = {}
    for name in (*long, *(name for name in names if name not in long)):
        limit = _WORK_LIMIT // (OF_BLOCKS_ROOM if any(size in OF_BLOCKS for size in sizes.values()) else 1)
        works = [work for work in form.work if name in work]
        room = min((_room(work, name, sizes, limit) for work in works), default=limit)
        of_blocks = min((_room(work, name, sizes, _WORK_LIMIT // OF_BLOCKS_ROOM) for work in works), default=limit)
        options = _LONG[form.dims[name]] if name in long else SHORT
        empty = _EMPTY * 2 if name in form.may_be_empty and name in long else ()
        drawn = draw(choice((*fitting(options, room, of_blocks), *empty)))
        # A matrix read the wrong way round has the right shape only if it is square.
        # As many choices whatever the sizes are: what is chosen stays the same while another size is made smaller.
        others = (size if 0 < size <= room else drawn for size in sizes.values())
        sizes[name] = draw(choice((drawn, drawn, drawn, *others)))
    sizes = {name: sizes[name] for name in names}
    if form.unpaired:
        sizes[UNPAIRED] = draw(choice(_UNPAIRED))
    return sizes


def _room(work: tuple[str, ...], name: str, sizes: Mapping[str, int], limit: int) -> int:
    """The largest size of a dimension beside those that have one."""
    once, all_of_them = positions(set(work), sizes), positions(work, sizes)
    return max(1, min(limit // once, int((_PAIRS_LIMIT / all_of_them) ** (1 / work.count(name)))))


def _batch(draw: st.DrawFn, form: Form, sizes: Mapping[str, int]) -> tuple[int, ...]:
    batch: list[int] = []
    for _ in range(draw(choice((0, 1, 1, 1, 2)))):
        members = max(1, prod(batch))
        room = min(
            _WORK_LIMIT // (members * max((positions(set(work), sizes) for work in form.work), default=1)),
            _PAIRS_LIMIT // (members * form.positions(sizes)),
        )
        batch.append(draw(choice((*(size for size in _BATCH_SIZES if size <= max(1, room)), *_EMPTY))))
    return tuple(batch)


def _pulled_back(draw: st.DrawFn, outputs: tuple[str, ...]) -> tuple[str, ...] | None:
    """All outputs as often as not; else one of them, or any two."""
    if len(outputs) == 1:
        return None
    some: list[tuple[str, ...]] = [(name,) for name in outputs]
    if len(outputs) > 2:
        some += combinations(outputs, 2)
    chosen: tuple[str, ...] | None = draw(choice((*(None,) * len(some), *some)))
    return chosen


def _subsets(names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Everything as often as not; else nothing, one input, all but one, or, of few inputs, any two."""
    some = {(), *((name,) for name in names), *(tuple(n for n in names if n != left) for left in names)}
    if len(names) <= _ANY_TWO_OF:
        some |= set(combinations(names, 2))
    return (*(names,) * len(some), *sorted(some, key=lambda subset: (len(subset), subset)))


def _numbers(argument: Argument, numbers: Mapping[str, Sequence[float]]) -> tuple[float, ...]:
    usual = POSITIVE_NUMBERS if argument.kind == "positive" else REAL_NUMBERS
    return tuple(numbers.get(argument.name, usual))


def _regimes(argument: Argument, regimes: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    if argument.name in regimes:
        return tuple(regimes[argument.name])
    kinds: dict[str, Mapping[str, Any]] = {"boolean": BOOLEANS, "index": POSITIONS}
    return tuple(kinds.get(argument.kind, REGIMES))


def _other(chosen: dict[str, str], *usual: str) -> dict[str, str]:
    return {name: value for name, value in chosen.items() if value not in usual}


def regime_of(case: GenericCase, argument: Argument) -> str:
    """The regime of the values of an argument."""
    return case.values.get(argument.name, "random" if argument.kind in ("boolean", "index") else "integers")
