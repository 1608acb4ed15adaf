"""Whole reference files: header, helpers, and the functions of every operation of one derivation; their bounds."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from ...derivations.calculus.call import Call
from ...derivations.calculus.composite import Composition
from ...derivations.calculus.expr import Const, Dim, Tensor
from ...derivations.calculus.operation import Operation
from ...derivations.calculus.program import Program
from .bounds import bound_functions
from .composition import (
    composition_lines,
    compositions_of,
    file_of,
    functions_called,
    imports_of_parts,
    value_and_vjp_composition,
)
from .functions import (
    MOST_RESULTS,
    Signature,
    argument_list,
    body_lines,
    chunk_index,
    chunk_lines,
    forward_signature,
    hvp_signature,
    jvp_signature,
    return_type,
    signature_lines,
    value_and_vjp_program,
    value_and_vjp_signature,
    vjp_signature,
    with_namespace,
    wrapped,
)
from .helpers import helpers
from .layout import WIDTH, call_lines, import_lines, return_lines
from .memory import reuse_helpers
from .pairs import KEYWORD, inner_signature, joining_lines, outer_signature, split_lines

PACKAGE = "lemmata.reference"  # of the references, as a file of a user's imports them
MANY = 4  # gradients that a docstring lists one by one
Made = TypeVar("Made")

_VALUE_AND_VJP = "The outputs, and the gradients of the inputs that cotangents of the outputs give."
_HVP = "Hessian-vector product: how the gradients change where the inputs move along the tangents."
_JVP = "Jacobian-vector product: tangents of the inputs to tangents of the outputs."


def topic_files(operations: Sequence[Operation], origin: str, command: str) -> dict[str, str]:
    """The reference files of a built-in topic, by their paths in `reference/`: OPERATION.py with the functions of each
    operation, and bounds/OPERATION.py; with OPERATION_jvp.py and OPERATION_hvp.py where `file_of` says so."""
    files: dict[str, str] = {}
    for op in operations:
        files |= {f"{name}.py": generate_module([op], origin, command, ".", name) for name in _files(op)}
    for op in bounded(operations):
        files |= {
            f"bounds/{name}.py": generate_bounds([op], origin, command, "..rounding", name) for name in _files(op)
        }
    return files


def _files(op: Operation) -> list[str]:
    """The files of an operation, by name."""
    composed = op.composition is not None
    names = (op.name, *([f"{op.name}_jvp"] if composed else []), *([f"{op.name}_hvp"] if op.second_order else []))
    return list(dict.fromkeys(file_of(name, composed=composed) for name in names))


def _in_file(op: Operation, made: Mapping[str, Made], file: str | None) -> list[Made]:
    """What is made of the functions that are in a file, by their names; of all of them if there is one file."""
    composed = op.composition is not None
    return [part for name, part in made.items() if file is None or file_of(name, composed=composed) == file]


def bounded(operations: Sequence[Operation]) -> list[Operation]:
    """The operations that have bounds: what has no gradients is a count, and exact."""
    return [op for op in operations if op.differentiable]


def generate_module(
    operations: Sequence[Operation], origin: str, command: str, package: str = PACKAGE, file: str | None = None
) -> str:
    """The source of a reference file; the same operations give the same bytes.

    `package` is where the references of the parts of a composition are imported from; `file` the name of one of several
    files of an operation.
    """
    functions = [source for op in operations for source in _in_file(op, operation_functions(op), file)]
    text = "\n\n".join(functions)
    code = "\n\n".join((text, *helpers(text), *reuse_helpers(text)))
    whole = [c for op in operations for c in _in_file(op, compositions_of(op), file)]
    parts = [_header(operations, origin, command, code, imports_of_parts(whole, package)), code]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def generate_bounds(
    operations: Sequence[Operation], origin: str, command: str, rounding: str, file: str | None = None
) -> str:
    """The source of the rounding bounds of some operations; `rounding` is the module that has the arithmetic, `file`
    the name of one of several files of an operation."""
    names = ", ".join(op.name for op in operations)
    lines = [f'"""Rounding-error bounds of {names}.', ""]
    lines += [f"GENERATED from {origin} by `{command}`. Do not edit.", '"""', ""]
    lines += ["from __future__ import annotations", "", "from collections.abc import Mapping", "", "import numpy as np"]
    lines += [*([""] if rounding.startswith(".") else []), *_bound_imports(operations, rounding, file)]
    parts = ["\n".join(lines), *(source for op in operations for source in _in_file(op, bound_functions(op), file))]
    return "\n\n".join(part.strip("\n") + "\n" for part in parts)


def _bound_imports(operations: Sequence[Operation], rounding: str, file: str | None) -> list[str]:
    """The imports of a file of bounds: the arithmetic; for a composition also the functions and bounds of its parts."""
    whole = [c for op in operations for c in _in_file(op, compositions_of(op), file)]
    called = functions_called(whole)
    package = rounding.removesuffix("rounding")
    bounds = "." if package == ".." else f"{package}bounds."
    layers = [step for c in whole for step in c.steps if isinstance(step, Call) and step.carry]
    composed = ["call"] if called else []
    composed += ["layer"] if layers else []
    composed += ["stacked"] if any(step.kind == "vjp" for step in layers) else []
    outer = {f"{package}{part}": names for part, names in called.items()}
    outer[f"{package}composed"] = tuple(composed)
    paired = ("halves", "joined") if any(op.pairs for op in operations) else ()
    outer[rounding] = ("Array", "Format", "Rounding", *paired)
    inner = {f"{bounds}{part}": tuple(f"{name}_bound" for name in names) for part, names in called.items()}
    return [line for found in (outer, inner) for name in sorted(found) for line in import_lines(name, found[name])]


def _header(operations: Sequence[Operation], origin: str, command: str, code: str, imports: Sequence[str]) -> str:
    names = ", ".join(op.name for op in operations)
    needs = "NumPy is" if not imports else "NumPy and the references of the parts are"
    lines = [f'"""Reference implementation of {names}.', ""]
    lines += [f"GENERATED from {origin} by `{command}`. Do not edit.", ""]
    lines += textwrap.wrap(
        f"Arrays may have any number of leading batch dimensions. {needs} all that is imported; arrays of another "
        "library (torch, JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.",
        WIDTH,
    )
    lines += ['"""', "", "from __future__ import annotations", ""]
    lines += ["import math"] if "math." in code else []
    lines += ["from collections.abc import Callable"] if "Callable[" in code else []
    lines += ["from typing import Any", "", "import numpy as np", ""]
    lines += [*imports, ""] if imports else []
    lines += ["Array = Any  # an array of NumPy, or of any library that follows the array-API standard"]
    return "\n".join(lines)


def operation_functions(op: Operation) -> dict[str, str]:
    """Forward, VJP (with and without the outputs) and JVP of one operation; forward alone of a count. By name."""
    if not op.differentiable:
        return {op.name: _function(op, op.program.pruned(), forward_signature(op), op.summary)}
    forward, backward, tangent = forward_signature(op), vjp_signature(op), jvp_signature(op)
    both = value_and_vjp_signature(op)
    if op.composition is not None:
        gradients, tangents = value_and_vjp_composition(op), op.composition.jvp(op.differentiable)
        return {
            forward.name: _composed(op, op.composition, forward, op.summary),
            both.name: _composed(op, gradients, both, _VALUE_AND_VJP, brief=True),
            backward.name: _vjp_function(op, backward, both),
            tangent.name: _composed(op, tangents, tangent, _JVP, brief=True),
        }
    functions = {
        forward.name: _function(op, op.program.pruned(), forward, op.summary),
        both.name: _function(op, value_and_vjp_program(op), both, _VALUE_AND_VJP, brief=True),
        backward.name: _vjp_function(op, backward, both),
        tangent.name: _function(op, op.jvp, tangent, _JVP, brief=True),
    }
    if op.second_order:
        second = hvp_signature(op)
        functions[second.name] = _function(op, op.hvp, second, _HVP, brief=True)
    return functions


def _function(op: Operation, program: Program, signature: Signature, summary: str, *, brief: bool = False) -> str:
    signature = inner_signature(op, signature)
    outer = outer_signature(op, signature)
    dim = chunk_index(program, signature)
    extra = _keywords(op, dim)
    lines = signature_lines(signature.name, argument_list(outer, extra), return_type(outer))
    body = docstring(op, outer, summary, dim.name if dim is not None else None, brief=brief)
    made = body_lines(program, signature)
    code = [
        *split_lines(op, signature, made, helper="_halves"),
        *made,
        *joining_lines(op, signature),
    ]
    if dim is not None:
        code = [*chunk_lines(program, outer, dim, ["interleaved=interleaved"] if op.pairs else []), *code]
    code = with_namespace(code, outer)
    code.append(f"return {', '.join(t.name for t in outer.outputs)}")
    return "\n".join([*lines, *_indented([*body, *code])]) + "\n"


def _keywords(op: Operation, dim: Dim | None) -> list[str]:
    chunk = ["chunk: int | None = None"] if dim is not None else []
    return [*([KEYWORD] if op.pairs else []), *chunk]


def _composed(
    op: Operation, composition: Composition, signature: Signature, summary: str, *, brief: bool = False
) -> str:
    """A function of a composition, which calls the functions of its parts."""
    lines = signature_lines(signature.name, argument_list(signature, []), return_type(signature))
    code = with_namespace(composition_lines(composition, signature), signature)
    code += return_lines([t.name for t in signature.outputs])
    return "\n".join([*lines, *_indented([*docstring(op, signature, summary, None, brief=brief), *code])]) + "\n"


def _vjp_function(op: Operation, signature: Signature, both: Signature) -> str:
    """The vector-Jacobian product alone: the same work, the outputs left out."""
    dim = chunk_index(op.vjp, signature)
    signature = outer_signature(op, inner_signature(op, signature))
    extra = _keywords(op, dim)
    lines = signature_lines(signature.name, argument_list(signature, extra), return_type(signature))
    body = [f'"""As `{both.name}`, without the outputs."""']
    outputs = ", ".join(t.name for t in signature.outputs)
    unwanted = "_, " * len(outer_signature(op, both).outputs[: -len(signature.outputs)])
    keywords = ["interleaved=interleaved"] if op.pairs else []
    arguments = [t.name for t in signature.inputs] + keywords + (["chunk=chunk"] if dim is not None else [])
    if len(signature.outputs) > MOST_RESULTS:
        code = [*call_lines(f"{unwanted}*gradients = {both.name}", arguments), "return tuple(gradients)"]
    else:
        code = [*call_lines(f"{unwanted}{outputs} = {both.name}", arguments), f"return {outputs}"]
    return "\n".join([*lines, *_indented([*body, *code])]) + "\n"


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def docstring(
    op: Operation, signature: Signature, summary: str, chunked: str | None, *, brief: bool = False
) -> list[str]:
    """Summary, arguments and results with shapes, conventions, source; `brief`: what the forward function does not say
    already."""
    lines = [f'"""{summary}', "", f"Args (the others as in `{op.name}`):" if brief else "Args:"]
    told = {t.name for t in op.arguments} | set(op.pairs) if brief else set()
    lines += _told([(t, _meaning(op, t)) for t in signature.inputs if t.name not in told], "tangent")
    if op.pairs and not brief:
        lines.append("    interleaved: whether the features of a pair stand side by side, or half of all apart.")
    if chunked is not None and not brief:
        lines.append(f"    chunk: work on so many positions of {chunked} at a time, to bound the memory.")
    lines += ["", "Returns:"]
    told |= {t.name for t in op.program.outputs} if brief else set()
    if again := [t.name for t in signature.outputs if t.name in told]:
        lines.append(f"    {', '.join(again)}: as `{op.name}` returns.")
    results: list[tuple[Tensor, str]] = []
    for tensor in (t for t in signature.outputs if t.name not in told):
        absent = signature.missing.get(tensor)
        note = f", None if there is no {absent.name}" if absent is not None else ""
        results.append((tensor, _meaning(op, tensor) + note))
    lines += _told(results, "gradient")
    if op.conventions and not brief:
        lines += ["", "Conventions:"]
        lines += [f"    {name}: {value}." for name, value in op.conventions.items()]
    lines += ['"""'] if brief else ["", f"Source: {op.source}.", '"""']
    return [piece for line in lines for piece in wrapped(line)]


def _told(items: Sequence[tuple[Tensor, str]], kind: str) -> list[str]:
    """A line for each argument or result; one line for many tangents or gradients, whose names say what they are."""
    alike = [t.name for t, meaning in items if meaning.startswith(f"{kind} of ")]
    if len(alike) <= MANY:
        return [f"    {tensor.name}: {meaning}." for tensor, meaning in items]
    others = [f"    {tensor.name}: {meaning}." for tensor, meaning in items if tensor.name not in alike]
    absent = ", None where an input is absent" if any("None if" in meaning for _, meaning in items) else ""
    return [*others, f"    {', '.join(alike)}: {kind}s of the inputs, each of its shape{absent}."]


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
    if op.second_order:
        roles.append(("tangent of the gradient", op.second, op.differentiable))
    for role, name, members in roles:
        for member in members:
            if name(member) == tensor:
                return f"{role} of {member.name}, of its shape"
        for whole, (first, _) in op.pairs.items():
            if any(name(m).name == tensor.name.removesuffix(whole) + first for m in members if m.name == first):
                return f"{role} of {whole}, of its shape"
    return "a number"
