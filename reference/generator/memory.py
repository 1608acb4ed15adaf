"""Memory that is not needed any more: arrays that a later definition may overwrite, and the helpers that do so.

A row of scores is as long as the sequence, so that allocating one array less is worth as much as a pass over it. Only
NumPy arrays are overwritten, and only those that a generated function made itself and does not read again; any other
array, and any shape that would grow by broadcasting, takes the plain operator.
"""

from __future__ import annotations

from ...derivations.calculus.expr import Entry, Tensor, tensors, walk
from ...derivations.calculus.program import Def, Program

REUSE = '''
def _overwritten(x: Array, *others: Array) -> bool:
    """Whether NumPy can write the result of x and others, of the shape and dtype of x, into x."""
    return (
        isinstance(x, np.ndarray)
        and x.dtype.kind == "f"
        and all(isinstance(y, float) or (isinstance(y, np.ndarray) and y.dtype == x.dtype) for y in others)
        and np.broadcast_shapes(x.shape, *(np.shape(y) for y in others)) == x.shape
    )


def _minus(x: Array, y: Array) -> Array:
    """x − y, in the memory of x, which is not read again."""
    return np.subtract(x, y, out=x) if _overwritten(x, y) else x - y


def _times(x: Array, y: Array) -> Array:
    """x · y, in the memory of x, which is not read again."""
    return np.multiply(x, y, out=x) if _overwritten(x, y) else x * y


def _over(x: Array, y: Array) -> Array:
    """x / y, in the memory of x, which is not read again."""
    return np.divide(x, y, out=x) if _overwritten(x, y) else x / y


def _exp(x: Array) -> Array:
    """exp(x), in the memory of x, which is not read again."""
    return np.exp(x, out=x) if _overwritten(x) else _namespace(x).exp(x)
'''


def spent(program: Program, step: Def) -> frozenset[Tensor]:
    """The tensors of the size of a definition that are read there for the last time, once, and are no output."""
    later = program.steps[program.steps.index(step) + 1 :]
    aliased = {t for s in program.steps if isinstance(s.value, Entry) for t in (s.tensor, s.value.tensor)}
    kept = {*program.inputs, *program.outputs, *aliased, *(t for s in later for t in tensors(s.value))}
    read = [node.tensor for node in walk(step.value) if isinstance(node, Entry)]
    return frozenset(t for t in read if t not in kept and t.dims == step.tensor.dims and read.count(t) == 1)


def reuse_helpers(text: str) -> list[str]:
    """The helper functions that `text` calls."""
    parts = [part.strip("\n") + "\n" for part in REUSE.split("\n\n\n")]
    used = [part for part in parts[1:] if f"{part.split('(')[0].removeprefix('def ')}(" in text.replace("xp.exp(", "")]
    return [parts[0], *used] if used else []
