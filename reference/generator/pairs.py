"""Features in pairs: functions that take and give one array of 2h features for two tensors of h."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...derivations.calculus.expr import Dim, Tensor
from ...derivations.calculus.operation import Operation
from .functions import Signature, sizes_of
from .layout import is_read

KEYWORD = "interleaved: bool = False"


@dataclass(frozen=True)
class Pair:
    """Two tensors and the array that holds their features; of a result also the argument whose features that are in
    no pair it passes on."""

    first: Tensor
    second: Tensor
    whole: Tensor
    like: Tensor | None = None


def pairs_of(op: Operation, signature: Signature) -> tuple[list[Pair], list[Pair]]:
    """The pairs among the arguments, and those among the results."""
    arguments = _found(op, signature.inputs)
    results = []
    for prefix, name, pair in _found(op, signature.outputs):
        likes = [p.whole for other, base, p in arguments if other == prefix and base != name]
        results.append(replace(pair, like=likes[0] if len(likes) == 1 else None))
    return [pair for _, _, pair in arguments], results


def _found(op: Operation, tensors: Sequence[Tensor]) -> list[tuple[str, str, Pair]]:
    """The pairs among some tensors, with the prefix (d of a gradient, t of a tangent) and the name in the operation."""
    by_name = {t.name: t for t in tensors}
    found = []
    for name, (first, second) in op.pairs.items():
        for tensor in tensors:
            prefix = tensor.name.removesuffix(first)
            partner = by_name.get(f"{prefix}{second}")
            if tensor.name.endswith(first) and partner is not None:
                dims = (*tensor.dims[:-1], Dim(f"2{tensor.dims[-1].name}", grows=False))
                found.append((prefix, name, Pair(tensor, partner, Tensor(f"{prefix}{name}", dims))))
    return found


def inner_signature(op: Operation, signature: Signature) -> Signature:
    """The signature with both members of each pair given, or neither absent."""
    given, _ = pairs_of(op, signature)
    required = list(signature.required)
    for pair in given:
        if pair.first in required and pair.second not in required:
            required.insert(required.index(pair.first) + 1, pair.second)
    optional = tuple(t for t in signature.optional if t not in required)
    neutral = {t: value for t, value in signature.neutral.items() if t not in required}
    return replace(signature, required=tuple(required), optional=optional, neutral=neutral)


def outer_signature(op: Operation, signature: Signature) -> Signature:
    """The signature as it is called: one array for each pair."""
    given, made = pairs_of(op, signature)
    whole = {pair.first: pair.whole for pair in (*given, *made)}
    gone = {pair.second for pair in (*given, *made)}

    def outer(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(whole.get(t, t) for t in tensors if t not in gone)

    return replace(
        signature,
        required=outer(signature.required),
        optional=outer(signature.optional),
        outputs=outer(signature.outputs),
    )


def split_lines(
    op: Operation, signature: Signature, body: Sequence[str], *, helper: str, errors: bool = False
) -> list[str]:
    """The lines that take the arrays of pairs apart that the body reads, and their errors if a bound takes any."""
    given, _ = pairs_of(op, signature)
    members = {t for pair in given for t in (pair.first, pair.second)}
    sizes = sizes_of(tuple(t for t in signature.inputs if t not in members))
    lines = []
    for pair in given:
        if not (is_read(pair.first.name, body) or is_read(pair.second.name, body)):
            continue
        size = sizes.get(pair.first.dims[-1], f"{pair.whole.name}.shape[-1] // 2")
        lines.append(f"{pair.first.name}, {pair.second.name} = {helper}({pair.whole.name}, {size}, interleaved)")
        if errors:
            lines.append(f'if "{pair.whole.name}" in errors:')
            targets = f'errors["{pair.first.name}"], errors["{pair.second.name}"]'
            lines.append(f'    {targets} = {helper}(errors["{pair.whole.name}"], {size}, interleaved)')
    return lines


def joined_errors(op: Operation, signature: Signature) -> dict[Tensor, str]:
    """The errors of the results of pairs, as code; features that are passed on have none."""
    _, made = pairs_of(op, signature)
    return {
        pair.whole: f"joined({pair.first.name}.total, {pair.second.name}.total, {_nothing(pair)}, interleaved)"
        for pair in made
    }


def joining_lines(op: Operation, signature: Signature) -> list[str]:
    """The lines that put the results of pairs together."""
    _, made = pairs_of(op, signature)
    return [
        f"{pair.whole.name} = _joined({pair.first.name}, {pair.second.name}, {pair.like}, interleaved)" for pair in made
    ]


def _nothing(pair: Pair) -> str:
    return "None" if pair.like is None else f"0.0 * {pair.like}"
