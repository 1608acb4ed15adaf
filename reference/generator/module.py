"""A whole reference file: header, helpers, and the functions of every operation of one derivation."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence

from ...derivations.calculus.expr import Const, Tensor
from ...derivations.calculus.operation import Operation
from ...derivations.calculus.program import Program
from .bound_helpers import bound_helpers
from .bounds import bound_functions
from .functions import (
    WIDTH,
    Signature,
    argument_list,
    body_lines,
    chunk_index,
    chunk_lines,
    forward_signature,
    jvp_signature,
    return_type,
    signature_lines,
    value_and_vjp_program,
    value_and_vjp_signature,
    vjp_signature,
    wrapped,
)
from .memory import reuse_helpers

_VALUE_AND_VJP = "The outputs, and the gradients of the inputs that cotangents of the outputs give."
_VJP = "Vector-Jacobian product: cotangents of the outputs to gradients of the inputs."
_JVP = "Jacobian-vector product: tangents of the inputs to tangents of the outputs."

_NAMESPACE = '''
def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
'''

_WHERE = '''
def _where(mask: Array | None, values: Array, otherwise: float) -> Array:
    """`values` where the mask is True (everywhere if there is no mask), else `otherwise`."""
    return values if mask is None else _namespace(values).where(mask, values, otherwise)
'''

_CHUNKS = '''
def _chunks(size: int, chunk: int) -> list[slice]:
    """Slices of at most `chunk` positions that cover `size` positions."""
    return [slice(start, min(start + chunk, size)) for start in range(0, size, chunk)] or [slice(0, 0)]


def _rows(x: Array | None, axis: int, rows: slice) -> Array | None:
    """The rows of an array along an axis; an axis that broadcasts stays as it is."""
    if x is None or x.ndim < -axis or x.shape[axis] == 1:
        return x
    return x[(..., rows, *(slice(None),) * (-axis - 1))]
'''


def generate_module(topic: str, operations: Sequence[Operation], origin: str, command: str) -> str:
    """The source of the reference file of one topic; the same operations give the same bytes."""
    parts = [_header(topic, operations, origin, command)]
    functions = [source for op in operations for source in operation_functions(op)]
    text = "\n\n".join(functions)
    helpers = [_NAMESPACE]
    if "_where(" in text.replace("xp.where(", ""):
        helpers.append(_WHERE)
    if "_chunks(" in text:
        helpers.append(_CHUNKS)
    helpers += reuse_helpers(text)
    helpers += bound_helpers(text)
    parts += [text, "\n\n".join(h.strip("\n") + "\n" for h in helpers)]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _header(topic: str, operations: Sequence[Operation], origin: str, command: str) -> str:
    names = ", ".join(op.name for op in operations)
    lines = [f'"""Reference implementation of {names}.', ""]
    lines += [f"GENERATED from {origin} by `{command}`. Do not edit.", ""]
    lines += textwrap.wrap(
        "Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another "
        "library (torch, JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.",
        WIDTH,
    )
    lines += ['"""', "", "from __future__ import annotations", ""]
    lines += ["from collections.abc import Mapping", "from typing import Any", "", "import numpy as np", ""]
    lines += ["Array = Any  # an array of NumPy, or of any library that follows the array-API standard"]
    lines += [
        "Format = tuple[int, int, float]  # significand bits, exponent of the least normal number, largest number"
    ]
    return "\n".join(lines)


def operation_functions(op: Operation) -> list[str]:
    """Forward, VJP (with and without the outputs), JVP and the three bounds of one operation."""
    forward, backward, tangent = forward_signature(op), vjp_signature(op), jvp_signature(op)
    both = value_and_vjp_signature(op)
    return [
        _function(op, op.program.pruned(), forward, op.summary),
        _function(op, value_and_vjp_program(op), both, _VALUE_AND_VJP),
        _vjp_function(op, backward, both),
        _function(op, op.jvp, tangent, _JVP),
        *bound_functions(op),
    ]


def _function(op: Operation, program: Program, signature: Signature, summary: str) -> str:
    dim = chunk_index(program, signature)
    extra = ["chunk: int | None = None"] if dim is not None else []
    lines = signature_lines(signature.name, argument_list(signature, extra), return_type(signature))
    body = docstring(op, signature, summary, dim.name if dim is not None else None)
    code = body_lines(program, signature)
    if dim is not None:
        code[1:1] = chunk_lines(program, signature, dim)
    code.append(f"return {', '.join(t.name for t in signature.outputs)}")
    return "\n".join([*lines, *_indented([*body, *code])]) + "\n"


def _vjp_function(op: Operation, signature: Signature, both: Signature) -> str:
    """The vector-Jacobian product alone: the same work, the outputs left out."""
    dim = chunk_index(op.vjp, signature)
    extra = ["chunk: int | None = None"] if dim is not None else []
    lines = signature_lines(signature.name, argument_list(signature, extra), return_type(signature))
    body = docstring(op, signature, _VJP, dim.name if dim is not None else None)
    outputs = ", ".join(t.name for t in signature.outputs)
    unwanted = "_, " * len(op.program.outputs)
    arguments = [t.name for t in signature.inputs] + (["chunk=chunk"] if dim is not None else [])
    code = [f"{unwanted}{outputs} = {both.name}({', '.join(arguments)})", f"return {outputs}"]
    return "\n".join([*lines, *_indented([*body, *code])]) + "\n"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def docstring(op: Operation, signature: Signature, summary: str, chunked: str | None) -> list[str]:
    """Summary, arguments and results with shapes, conventions, source."""
    lines = [f'"""{summary}', "", "Args:"]
    lines += [f"    {t.name}: {_meaning(op, t)}." for t in signature.inputs]
    if chunked is not None:
        lines.append(f"    chunk: work on so many positions of {chunked} at a time, to bound the memory.")
    lines += ["", "Returns:"]
    for tensor in signature.outputs:
        absent = signature.missing.get(tensor)
        note = f", None if there is no {absent.name}" if absent is not None else ""
        lines.append(f"    {tensor.name}: {_meaning(op, tensor)}{note}.")
    if op.conventions:
        lines += ["", "Conventions:"]
        lines += [f"    {name}: {value}." for name, value in op.conventions.items()]
    lines += ["", f"Source: {op.source}.", '"""']
    return [piece for line in lines for piece in wrapped(line)]


def _meaning(op: Operation, tensor: Tensor) -> str:
    if tensor.name in op.inputs:
        spec = op.inputs[tensor.name]
        if spec.default is None:
            return spec.meaning
        return f"{spec.meaning}, {'optional' if isinstance(spec.default, Const) else f'by default {spec.default}'}"
    if tensor.name in op.outputs:
        return op.outputs[tensor.name]
    roles: list[tuple[str, Callable[[Tensor], Tensor], Sequence[Tensor]]] = [
        ("gradient", op.gradient, op.differentiable),
        ("cotangent", op.cotangent, op.program.outputs),
        ("tangent", op.tangent, (*op.differentiable, *op.program.outputs)),
    ]
    for role, name, members in roles:
        for member in members:
            if name(member) == tensor:
                return f"{role} of {member.name}, of its shape"
    return "a number"
