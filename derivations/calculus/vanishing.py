"""Whether the total derivative with respect to a maximum vanishes, so that the maximum may count as a constant."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from itertools import takewhile

import mpmath

from .counterexample import AGREEMENT, CONFIRMING_DIGITS, Values, draw
from .evaluate import Point, Undefined, all_indices, evaluator
from .index import Dim
from .nodes import Expr, Tensor
from .normal_form import is_zero, normal_form
from .program import Def, Program
from .traverse import dims_of

# Definitions of gradients that are unfolded one by one, before all are.
_UNFOLDED = 6
# The size of every dimension at the point where it is evaluated: with 1, a softmax is 1 whatever is done to it.
_SIZE = 2
# At some there is no value, such as the logarithm of what is negative there, or none that both numbers of digits give.
_POINTS = 8


def vanishes(
    program: Program, cotangents: Sequence[Tensor], gradients: Sequence[Def], maximum: Def, derivative: Expr
) -> bool:
    """Whether `derivative`, with respect to a maximum that `program` defines, is shown to be 0 whatever the maximum is.

    What is defined before the maximum, and the gradients that reach what is computed from it, need not be known for
    that as a rule: with names for them the expression is short, and one gradient after the other is unfolded. Only then
    is it written in terms of the inputs, if it has not another value at some point.

    Args:
        cotangents: of the outputs of the program.
        gradients: the definitions so far that the derivative may read, besides those of the program.
    """
    whole = program.extended("total derivative", cotangents, gradients, ())
    earlier = takewhile(lambda step: step.tensor != maximum.tensor, program.steps)
    named = {maximum.tensor, *(step.tensor for step in earlier), *(step.tensor for step in gradients)}
    for unfolded in reversed(gradients[-_UNFOLDED:]):
        named.discard(unfolded.tensor)
        if is_zero(normal_form(whole.inline(derivative, keep=frozenset(named)))):
            return True
    if _differs_from_zero(whole, maximum, derivative):
        return False
    return is_zero(normal_form(whole.inline(derivative, keep=frozenset({maximum.tensor}))))


def _differs_from_zero(whole: Program, maximum: Def, derivative: Expr) -> bool:
    """Whether the derivative is not 0 at one of some points: a value of it is the same, and not 0, with more digits."""
    steps = [step for step in whole.steps if step.tensor != maximum.tensor]
    derived = Def(maximum.target, derivative)
    free = (*whole.inputs, maximum.tensor)
    dims = [d for step in (*steps, derived) for d in (*step.tensor.dims, *dims_of(step.value))]
    dims += [d for tensor in free for d in (*tensor.dims, tensor.over) if d is not None]
    sizes = dict.fromkeys(dims, _SIZE)
    for seed in range(_POINTS):
        rng = random.Random(seed)
        values = {tensor: draw(tensor, sizes, rng, whole=False) for tensor in free}
        # The maximum may be any number; that of a fault may be the argument of a logarithm.
        values[maximum.tensor] = {cell: 1 + abs(value) for cell, value in values[maximum.tensor].items()}
        if _is_not_zero(steps, derived, sizes, values):
            return True
    return False


def _is_not_zero(steps: Sequence[Def], derived: Def, sizes: Mapping[Dim, int], values: Values) -> bool:
    try:
        few, many = (_evaluated(steps, derived, Point(sizes, values, digits=digits)) for digits in CONFIRMING_DIGITS)
    except Undefined:
        return False
    with mpmath.workdps(max(CONFIRMING_DIGITS)):
        return any(y != 0 and abs(x - y) < AGREEMENT * abs(y) for x, y in zip(few, many, strict=True))


def _evaluated(steps: Sequence[Def], last: Def, point: Point) -> list[mpmath.mpf]:
    """The entries of the last definition, one definition evaluated after the other.

    Raises:
        Undefined: one of them has no value.
    """
    for step in (*steps, last):
        value = evaluator(step.value)
        point.floats[step.tensor] = {
            tuple(at.values()): value(point, at) for at in all_indices(step.indices, point.sizes)
        }
    return list(point.floats[last.tensor].values())
