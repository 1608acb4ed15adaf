"""Whether the total derivative with respect to a maximum vanishes, so that the maximum may count as a constant."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import takewhile

import mpmath

from .counterexample import draw
from .evaluate import DIGITS, Point, Undefined, all_indices, evaluator
from .nodes import Expr
from .normal_form import is_zero, normal_form
from .program import Def, Program
from .traverse import dims_of

# Definitions of gradients that are unfolded one by one, before all are.
_UNFOLDED = 6
# The size of every dimension at the point where it is evaluated: with 1, a softmax is 1 whatever is done to it.
_SIZE = 2
# The digits with which it is evaluated there, and how well the values agree if they are not rounding errors.
_DIGITS = (DIGITS, 4 * DIGITS)
_AGREEMENT = mpmath.mpf(10) ** -10
# Bits before the point of a value: the exponential of a number with a million of them would not fit into memory.
_LARGEST = 10_000


def vanishes(program: Program, gradients: Sequence[Def], maximum: Def, derivative: Expr) -> bool:
    """Whether `derivative`, with respect to a maximum that `program` defines, is shown to be 0 whatever the maximum is.

    What is defined before the maximum, and the gradients that reach what is computed from it, need not be known for
    that as a rule: with names for them the expression is short, and one gradient after the other is unfolded. Only then
    is it written in terms of the inputs, if it has not another value at some point.

    Args:
        program: with the cotangents among its inputs.
        gradients: the definitions so far that the derivative may read, besides those of the program.
    """
    whole = Program("total derivative", program.inputs, (*program.steps, *gradients), ())
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
    """Whether the derivative is not 0 at a point: some value of it is the same, and not 0, with more digits."""
    steps = [step for step in whole.steps if step.tensor != maximum.tensor]
    derived = Def(maximum.target, derivative)
    free = (*whole.inputs, maximum.tensor)
    dims = [d for step in (*steps, derived) for d in (*step.tensor.dims, *dims_of(step.value))]
    dims += [d for tensor in free for d in (*tensor.dims, tensor.over) if d is not None]
    sizes = dict.fromkeys(dims, _SIZE)
    rng = random.Random(0)
    values = {tensor: draw(tensor, sizes, rng, whole=False) for tensor in free}
    try:
        few, many = (_evaluated(steps, derived, Point(sizes, values, digits=digits)) for digits in _DIGITS)
    except (Undefined, OverflowError, MemoryError):
        return False
    with mpmath.workdps(max(_DIGITS)):
        return any(y != 0 and abs(x - y) < _AGREEMENT * abs(y) for x, y in zip(few, many, strict=True))


def _evaluated(steps: Sequence[Def], last: Def, point: Point) -> list[mpmath.mpf]:
    """The entries of the last definition, one definition evaluated after the other.

    Raises:
        Undefined: one has no value, or one that is too large to go on with, as the exponential of an exponential.
    """
    for step in (*steps, last):
        value = evaluator(step.value)
        point.floats[step.tensor] = {
            tuple(at.values()): value(point, at) for at in all_indices(step.indices, point.sizes)
        }
        if any(mpmath.mag(x) > _LARGEST for x in point.floats[step.tensor].values()):
            raise Undefined
    return list(point.floats[last.tensor].values())
