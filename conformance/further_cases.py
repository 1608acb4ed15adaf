"""Further cases: a failing case at sizes at which faults tell themselves apart.

The smallest failing case has a few numbers, on which many faults agree. These have its options and layouts, sizes that
differ from one another, and ordinary values: once those of the case, and once normal ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from .cases import AttentionCase, RowCase
from .generic_cases import GenericCase
from .values import REGIMES

# No two alike, none a multiple of a block, each more than a block of 8 or 16: the first for what grows.
_LONG = (61, 29, 43, 37)
_SHORT = (5, 6, 7, 3, 9)
# Beside a length of more positions, over pairs of which some faults run.
_BESIDE = 129
_SHORTEST = (2, 3)
# Beyond so many positions of the failing case a length is kept: its fault may be of that length.
_KEPT = 16
# Of one row, which costs little: whole blocks of each common size end elsewhere.
_ROW = 253
# Unlike the scales that make a fault look like another one: 1, or a power of two.
_SCALE = 0.3
_SEED = 12_345


def further_cases(case: Any) -> list[Any]:
    """Larger cases of the same call, the most telling first; none of a case of another kind."""
    for kind, larger in _LARGER.items():
        if isinstance(case, kind):
            return [*larger(case, True), *larger(case, False)]
    return []


def _short(sizes: Iterable[int]) -> tuple[int, ...]:
    """The sizes beside these."""
    return _SHORT if max(sizes, default=0) <= _BESIDE else _SHORTEST


def _length(size: int, default: int) -> int:
    return max(size, default) if size > _KEPT else default


def _rows(case: RowCase, normal: bool) -> list[Any]:
    axis = case.dim % len(case.shape)
    short = _short(case.shape)
    shape = tuple(
        max(n, _ROW) if k == axis else short[k % len(short)] if n <= _KEPT else n for k, n in enumerate(case.shape)
    )
    larger = replace(case, shape=shape, seed=case.seed + _SEED)
    return [replace(larger, values="normal", cotangent="normal") if normal else larger]


def _attention(case: AttentionCase, normal: bool) -> list[Any]:
    larger = replace(
        case,
        batch=max(2, case.batch),
        kv_heads=max(2, case.kv_heads),
        group=max(3, case.group) if case.group > 1 else 1,
        queries=_length(case.queries, _LONG[1] if case.keys <= _BESIDE else _SHORTEST[1]),
        keys=_length(case.keys, _LONG[0]),
        head_dim=_length(case.head_dim, 6),
        value_dim=_length(case.value_dim, 5),
        scale=None if case.scale is None else _SCALE,
        seed=case.seed + _SEED,
    )
    if normal:
        larger = replace(larger, values=("normal",) * 3, cotangent="normal", mask_pattern="random")
    # A kernel may want as many queries as keys, and values as long as queries.
    square = replace(larger, queries=larger.keys, value_dim=larger.head_dim)
    return [larger, square] if larger.keys <= _BESIDE or case.queries == case.keys else [larger]


def _generic(case: GenericCase, normal: bool) -> list[Any]:
    names, short = list(case.sizes), _short(case.sizes.values())
    first = _LONG[:1] if short is _SHORT else short
    sizes = {
        name: size if size > _KEPT or name == "unpaired" else first[0] if k == 0 else short[k % len(short)]
        for k, (name, size) in enumerate(zip(names, case.sizes.values(), strict=True))
    }
    larger = replace(
        case, sizes=sizes, batch=tuple(max(n, 2 + k) for k, n in enumerate(case.batch)), seed=case.seed + _SEED
    )
    if normal:
        values = {name: "normal" if regime in REGIMES else regime for name, regime in case.values.items()}
        cotangents = dict.fromkeys(case.cotangents, "normal")
        larger = replace(larger, values=values, cotangents=cotangents)
    return [larger, replace(larger, sizes={**sizes, **dict.fromkeys((n for n in names if sizes[n] <= 9), 8)})]


_LARGER: dict[type, Callable[[Any, bool], list[Any]]] = {
    RowCase: _rows,
    AttentionCase: _attention,
    GenericCase: _generic,
}
