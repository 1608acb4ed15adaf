"""Cases: what one call of an operation is made of, and the Hypothesis strategies that draw them.

A case holds names and small integers only, so that it prints as code, shrinks fast, and determines every array
(`seed` feeds a NumPy generator). Every choice is listed from the simplest on: a failing case shrinks towards it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, fields, replace
from functools import cache
from math import prod
from typing import Any, Literal, TypeVar

from hypothesis import strategies as st

from .layouts import DRAWN, EXPANDED, FAR_APART
from .values import COTANGENTS, REGIMES

_T = TypeVar("_T")

# Around the block sizes that kernels use; the small ones most often, because most faults show there and shrinking
# ends there.
SHORT = (1, 2, 3, 4, 5, 7, 8, 11, 13, 15, 16, 17)
_MEDIUM = (31, 32, 33, 53)
_LONG = (63, 64, 65, 97, 127, 128, 129)
# Several blocks of 128 and 256, of which only a later one may be wrong; whole ones, and what vectors of 4 numbers fill.
# The room beside them is smaller than that beside others, by this factor.
OF_BLOCKS = (257, 516, 1024, 1025)
OF_BLOCKS_ROOM = 4
LENGTHS = SHORT * 3 + _MEDIUM * 2 + _LONG + OF_BLOCKS
# Of a dimension that is to be long, where most are short.
LONG_LENGTHS = SHORT + _MEDIUM * 2 + _LONG * 2 + OF_BLOCKS * 2
_ROW_LENGTHS = LENGTHS + OF_BLOCKS * 2
# With an empty sequence now and then: no keys leave every row fully masked, no queries leave nothing.
_QUERIES = (*LENGTHS, *OF_BLOCKS, 0)
_KEYS = (*LENGTHS, 0, 0, 0, 0)
# Numbers of heads, of groups, of layers.
COUNTS = (1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 24, 32, 33, 40, 64, 65, 72)
# Sizes of heads, up to the largest that kernels take.
HEAD_DIMS = (*COUNTS, 80, 96, 128, 192, 256)
# Of rows of features, which kernels take in blocks.
WIDTHS = (*HEAD_DIMS, 127, 129, *OF_BLOCKS)
# Scores and probabilities of one case: keeps the reference and its bound to some milliseconds.
_SCORE_LIMIT = 1 << 15
# The same of their products with the features of a head.
_PRODUCT_LIMIT = COUNTS[-1] * _SCORE_LIMIT
_ROW_ELEMENT_LIMIT = 1 << 13
# The same of cases that are asked to be small.
_SMALL = 512
SEEDS = 1 << 20

MASKS = ("none", "boolean", "additive", "additive with -inf")
# Which of [batch, heads, queries, keys] a mask spans; it is broadcast along the others.
MASK_SPANS = ("bhqk", "qk", "bk", "hq", "bqk", "k", "")
MASK_PATTERNS = ("random", "padding", "some rows", "all")
# Positive: PyTorch's flash attention masks before it scales, and −∞ times 0 or less is no mask.
SCALES = (None, 1.0, 0.5, 0.125, 0.3, 2.0, 0.25, 0.7)
ATTENTION_INPUTS = ("query", "key", "value", "attn_mask")


@dataclass(frozen=True)
class RowCase:
    """One call of an operation along one axis: softmax, log_softmax, logsumexp."""

    shape: tuple[int, ...] = (2,)
    dim: int = -1
    values: str = "integers"
    cotangent: str = "integers"
    layout: str = "contiguous"
    cotangent_layout: str = "contiguous"
    requires_grad: tuple[str, ...] = ("input",)
    seed: int = 0


@dataclass(frozen=True)
class AttentionCase:
    """One call of scaled dot-product attention; `group` query heads share one head of keys and values."""

    batch: int = 1
    kv_heads: int = 1
    group: int = 1
    queries: int = 1
    keys: int = 1
    head_dim: int = 1
    value_dim: int = 1
    causal: bool = False
    mask: str = "none"
    mask_span: str = "bhqk"
    mask_pattern: str = "random"
    scale: float | None = None
    values: tuple[str, str, str] = ("integers", "integers", "integers")
    cotangent: str = "integers"
    layouts: tuple[str, str, str] = ("contiguous", "contiguous", "contiguous")
    mask_layout: str = "contiguous"
    cotangent_layout: str = "contiguous"
    requires_grad: tuple[str, ...] = ("query", "key", "value")
    seed: int = 0


def case_code(case: Any) -> str:
    """The case as Python code, fields at their defaults left out."""
    shown = (f"{f.name}={getattr(case, f.name)!r}" for f in fields(case) if getattr(case, f.name) != _default(f))
    return f"{type(case).__name__}({', '.join(shown)})"


def _default(of: Field[Any]) -> Any:
    return of.default if of.default_factory is MISSING else of.default_factory()


@cache
def choice(options: Sequence[_T]) -> st.SearchStrategy[_T]:
    """One of the options, the first being the simplest; Hypothesis examines them all whenever it is given some.

    A single option is drawn, too: a case is made smaller one draw at a time, and beside another size there may be more.
    """
    return st.sampled_from(options if len(options) > 1 else (*options, *options))


@cache
def fitting(lengths: Sequence[int], room: int, of_blocks: int) -> tuple[int, ...]:
    """The lengths for which there is room; that of those of many blocks is another one."""
    return tuple(length for length in lengths if length <= (of_blocks if length in OF_BLOCKS else room))


def layout(cotangent: str = "") -> st.SearchStrategy[str]:
    if cotangent == "ones":
        # The cotangent of `output.sum()` has stride 0 everywhere.
        return choice((EXPANDED,))
    return choice(("contiguous",) * len(DRAWN) + DRAWN)


@st.composite
def row_cases(draw: st.DrawFn, *, empty_rows: bool = True, small: bool = False) -> RowCase:
    """Cases along one axis.

    Args:
        empty_rows: the axis itself may have length 0 (log-sum-exp and softmax of nothing are the caller's choice).
        small: no case has more than some hundred numbers.
    """
    rank = draw(choice((1, 2, 2, 2, 3, 3, 4)))
    axis = draw(choice(tuple(range(rank - 1, -1, -1))))
    length = draw(choice((SHORT if small else _ROW_LENGTHS) + ((0,) if empty_rows else ())))
    outer: list[int] = []
    for _ in range(rank - 1):
        room = (_SMALL if small else _ROW_ELEMENT_LIMIT) // max(1, length * prod(outer))
        outer.append(draw(choice(tuple(size for size in (*SHORT, 33, 65, 0) if size <= max(room, 1)))))
    shape = (*outer[:axis], length, *outer[axis:])
    cotangent = draw(choice(tuple(COTANGENTS)))
    return RowCase(
        shape=shape,
        dim=axis if draw(st.booleans()) else axis - rank,
        values=draw(choice(tuple(REGIMES))),
        cotangent=cotangent,
        layout=draw(layout()),
        cotangent_layout=draw(layout(cotangent)),
        requires_grad=draw(choice((("input",),) * 7 + ((),))),
        seed=draw(choice(range(SEEDS))),
    )


@st.composite
def attention_cases(draw: st.DrawFn, *, small: bool = False) -> AttentionCase:
    """Cases of scaled dot-product attention, options in conjunction; a mask and `is_causal` exclude each other.

    Args:
        small: no case has more than some hundred scores.
    """
    limit = _SMALL if small else _SCORE_LIMIT
    keys = draw(choice(SHORT if small else _KEYS))
    of_blocks = limit // OF_BLOCKS_ROOM // max(1, keys)
    longest = of_blocks if keys in OF_BLOCKS else limit // max(1, keys)
    lengths = fitting(SHORT if small else _QUERIES, longest, of_blocks)
    # Both are drawn, whatever comes of it: a smaller case is not found where it takes more choices.
    square = draw(choice((False, False, True)))
    other = draw(choice(lengths))
    queries = keys if square and keys in lengths else other
    room = limit // max(1, queries * keys)
    kv_heads, group = draw(choice(_heads(room)))
    batch = draw(choice(tuple(size for size in (1, 2, 3, 5) if size <= max(1, room // (kv_heads * group)))))
    widest = _PRODUCT_LIMIT // max(1, queries * keys * kv_heads * group * batch)
    head_dim = draw(choice(SHORT if small else tuple(dim for dim in HEAD_DIMS if dim <= widest)))
    mask = draw(choice(("none", "causal", "none", "causal", *MASKS[1:])))
    masked = mask not in ("none", "causal")
    cotangent = draw(choice(tuple(COTANGENTS)))
    regimes = choice(tuple(REGIMES))
    return AttentionCase(
        batch=batch,
        kv_heads=kv_heads,
        group=group,
        queries=queries,
        keys=keys,
        head_dim=head_dim,
        value_dim=draw(choice((head_dim,) * 5 + (1, 3, 8))),
        causal=mask == "causal",
        mask=mask if masked else "none",
        mask_span=draw(choice(MASK_SPANS)) if masked else MASK_SPANS[0],
        mask_pattern=draw(choice(MASK_PATTERNS)) if masked else MASK_PATTERNS[0],
        scale=draw(choice((None,) * len(SCALES) + SCALES)),
        values=_three(draw, regimes),
        cotangent=cotangent,
        layouts=_three(draw, layout()),
        mask_layout=draw(layout()) if masked else "contiguous",
        cotangent_layout=draw(layout(cotangent)),
        requires_grad=draw(_gradient_subset(additive=mask.startswith("additive"))),
        seed=draw(choice(range(SEEDS))),
    )


def _heads(room: int) -> tuple[tuple[int, int], ...]:
    """(kv heads, group) with at most `room` query heads; unequal numbers tell h // group from h % kv_heads."""
    choices = ((1, 1), (2, 1), (1, 2), (2, 2), (3, 1), (2, 3), (3, 2), (4, 1), (1, 4), (2, 4), (1, 8))
    return tuple((kv, group) for kv, group in choices if kv * group <= max(1, room))


def _three(draw: st.DrawFn, strategy: st.SearchStrategy[Any]) -> tuple[Any, Any, Any]:
    return draw(strategy), draw(strategy), draw(strategy)


# Beyond what grids, 16-bit and 32-bit indices, and one pass over a row hold.
LARGE_ROWS = (
    RowCase(shape=(65_537, 3), values="normal", cotangent="normal"),
    RowCase(shape=(3, 65_537), values="normal", cotangent="normal"),
    RowCase(shape=(65_537, 2), dim=0, values="large", cotangent="normal"),
    RowCase(shape=(2, 9, 5), values="normal", cotangent="normal", layout=FAR_APART),
    RowCase(shape=(2, 9, 5), dim=1, values="normal", cotangent="normal", cotangent_layout=FAR_APART),
)
_LARGE_CALL = AttentionCase(values=("normal", "normal", "normal"), cotangent="normal")
_APART = replace(_LARGE_CALL, batch=2, queries=17, keys=33, head_dim=16, value_dim=16)
LARGE_ATTENTION = (
    replace(_LARGE_CALL, batch=65_537, queries=2, keys=3, head_dim=2, value_dim=2),
    replace(_LARGE_CALL, kv_heads=2, queries=1025, keys=1025, head_dim=64, value_dim=64, causal=True),
    replace(_LARGE_CALL, queries=3, keys=8193, head_dim=128, value_dim=128),
    replace(_LARGE_CALL, queries=33, keys=65, head_dim=256, value_dim=256),
    replace(_APART, layouts=(FAR_APART, FAR_APART, FAR_APART)),
    replace(_APART, cotangent_layout=FAR_APART),
)


@cache
def _gradient_subset(*, additive: bool) -> st.SearchStrategy[tuple[str, ...]]:
    subset: Literal[4, 3] = 4 if additive else 3
    names = ATTENTION_INPUTS[:subset]
    everything = [names] * (1 << (subset - 1))
    subsets = [tuple(name for bit, name in enumerate(names) if chosen >> bit & 1) for chosen in range(1 << subset)]
    return choice((*everything, *sorted(subsets, key=len)))
