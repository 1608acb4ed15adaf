"""From a program to the source of one Python function: forward, vector-Jacobian or Jacobian-vector product."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from ...derivations.calculus.expr import Const, Dim, Expr, Index, Max, Mul, Sum, Tensor, free_indices, tensors
from ...derivations.calculus.expr import walk as walk_expr
from ...derivations.calculus.operation import Input, Operation
from ...derivations.calculus.program import Def, Program
from .arrays import as_number, compile_expr
from .code import ADD, ATOM, MUL, CannotGenerate, Code, Context, aligned
from .layout import WIDTH, assignment_lines, call_lines, comment_lines
from .memory import spent
from .optional import filled, filled_masks, neutral_values, split_optional

MOST_RESULTS = 6  # that an annotation lists one by one


@dataclass(frozen=True)
class Signature:
    """The arguments of a generated function. `optional` may be None; `defaults` are computed from sizes."""

    name: str
    required: tuple[Tensor, ...]
    optional: tuple[Tensor, ...]
    defaults: dict[Tensor, Expr]
    outputs: tuple[Tensor, ...]
    missing: dict[Tensor, Tensor]  # an output that is None if an input is None
    scalars: frozenset[Tensor]  # plain numbers, without batch dimensions
    neutral: dict[Tensor, Fraction]  # optional arrays: what each entry is where the array is absent
    numbers: dict[Tensor, Fraction]  # numbers with a default of their own
    shared: frozenset[Tensor]  # outputs that are summed over the batch: gradients of parameters

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """All arguments in order."""
        return (*self.required, *self.optional)

    def may_be_none(self) -> frozenset[Tensor]:
        """Arguments whose absence changes the code (a default number does not)."""
        return frozenset(t for t in self.optional if t not in self.defaults and t not in self.numbers)

    @property
    def like(self) -> str:
        """The first argument that is an array of numbers."""
        return next((t.name for t in self.inputs if t.dims and t.kind in ("real", "positive")), self.required[0].name)


def forward_signature(op: Operation) -> Signature:
    """The arguments of the forward function: required inputs, then optional ones."""
    spec = {t: op.inputs.get(t.name, Input("")).default for t in op.arguments}
    optional = tuple(t for t in op.arguments if spec[t] is not None)
    required = tuple(t for t in op.arguments if t not in optional)
    defaults = {t: value for t in optional if (value := spec[t]) is not None and not isinstance(value, Const)}
    numbers = {t: value.value for t in optional if isinstance(value := spec[t], Const) and not t.dims}
    scalars = frozenset(t for t in op.arguments if not t.dims)
    neutral = neutral_values(spec, ())
    return Signature(
        op.name, required, optional, defaults, op.program.outputs, {}, scalars, neutral, numbers, frozenset()
    )


def vjp_signature(op: Operation) -> Signature:
    """Inputs, cotangents (all but the first may be absent), optional inputs."""
    base = forward_signature(op)
    first, *others = (op.cotangent(t) for t in op.program.outputs)
    return replace(
        base,
        name=f"{op.name}_vjp",
        required=(*base.required, first),
        optional=(*others, *base.optional),
        outputs=tuple(op.gradient(t) for t in op.differentiable),
        missing={op.gradient(t): t for t in op.differentiable if t in base.may_be_none()},
        neutral=base.neutral | neutral_values({}, tuple(others)),
        shared=frozenset(op.gradient(t) for t in op.differentiable if op.inputs.get(t.name, Input("")).shared),
    )


def value_and_vjp_signature(op: Operation) -> Signature:
    """The arguments of the vector-Jacobian product; the outputs come before the gradients."""
    base = vjp_signature(op)
    return replace(base, name=f"{op.name}_value_and_vjp", outputs=(*op.program.outputs, *base.outputs))


def value_and_vjp_program(op: Operation) -> Program:
    """The forward definitions, then those of the gradients."""
    steps = tuple(step for step in op.vjp.steps if step.tensor not in op.program.defined)
    outputs = (*op.program.outputs, *op.vjp.outputs)
    return replace(op.vjp, steps=(*op.program.pruned().steps, *steps), outputs=outputs)


def jvp_signature(op: Operation) -> Signature:
    """Inputs, their tangents, optional inputs and theirs."""
    base = forward_signature(op)
    tangents = {t: op.tangent(t) for t in op.differentiable}
    optional = tuple(tangents[t] for t in op.differentiable if t in base.optional)
    return replace(
        base,
        name=f"{op.name}_jvp",
        required=(*base.required, *(tangents[t] for t in op.differentiable if t in base.required)),
        optional=(*base.optional, *optional),
        outputs=tuple(op.tangent(t) for t in op.program.outputs),
        neutral=base.neutral | neutral_values({}, optional),
        scalars=base.scalars | {op.tangent(t) for t in op.differentiable if not t.dims},
    )


def hvp_signature(op: Operation) -> Signature:
    """Inputs, cotangents, tangents of the inputs; optional ones after all required."""
    base, backward, tangent = forward_signature(op), vjp_signature(op), jvp_signature(op)
    tangents = tuple(op.tangent(t) for t in op.differentiable)
    return replace(
        backward,
        name=f"{op.name}_hvp",
        required=(*backward.required, *(t for t in tangent.required if t in tangents)),
        optional=(*backward.optional, *(t for t in tangent.optional if t in tangents)),
        outputs=tuple(op.second(t) for t in op.differentiable),
        missing={op.second(t): t for t in op.differentiable if t in base.may_be_none()},
        neutral=backward.neutral | tangent.neutral,
        scalars=tangent.scalars,
        shared=frozenset(op.second(t) for t in op.differentiable if op.inputs.get(t.name, Input("")).shared),
    )


def sizes_of(inputs: tuple[Tensor, ...]) -> dict[Dim, str]:
    """How to read each size off the shape of the first input that has it."""
    found: dict[Dim, str] = {}
    for tensor in inputs:
        for place, dim in enumerate(tensor.dims):
            found.setdefault(dim, f"{tensor.name}.shape[{place - len(tensor.dims)}]")
    return found


def context_of(program: Program, signature: Signature, *, reuse: bool = False) -> Context:
    """What the code of a program may use; `reuse`: it may overwrite arrays that are not read again."""
    scalars = set(signature.scalars)
    for step in program.steps:  # numbers computed from numbers
        if not step.tensor.dims and all(t in scalars for t in step.read):
            scalars.add(step.tensor)
    sizes = sizes_of((*signature.required, *(t for t in signature.inputs if t not in signature.required)))
    return Context(
        sizes,
        frozenset(scalars),
        signature.like,
        program.zero_over_empty,
        signature.may_be_none(),
        _filled(program, signature),
        reuse=reuse,
    )


def _filled(program: Program, signature: Signature) -> frozenset[Tensor]:
    arrays = frozenset(t for t in filled(program, signature.neutral) if t.kind != "boolean")
    return arrays | filled_masks(program, signature.neutral)


def wrapped(line: str) -> list[str]:
    """A line of a docstring on as many lines as it needs, those after the first indented further."""
    hanging = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, WIDTH - 4, subsequent_indent=hanging) or [""]


def signature_lines(name: str, arguments: list[str], returns: str) -> list[str]:
    """`def name(arguments) -> returns:` on as few lines as fit."""
    return call_lines(f"def {name}", arguments, 0, f" -> {returns}:")


def argument_list(signature: Signature, extra: list[str]) -> list[str]:
    """The arguments with their annotations."""
    shown = [f"{t.name}: {'float' if t in signature.scalars else 'Array'}" for t in signature.required]
    for tensor in signature.optional:
        if tensor in signature.numbers:
            shown.append(f"{tensor.name}: float = {float(signature.numbers[tensor])!r}")
        else:
            shown.append(
                f"{tensor.name}: {'Array' if tensor.dims or tensor in signature.neutral else 'float'} | None = None"
            )
    return [*shown, *(["*", *extra] if extra else [])]


def return_type(signature: Signature) -> str:
    """The annotation of the result; many results are a tuple of any length."""
    parts = ["Array | None" if t in signature.missing else "Array" for t in signature.outputs]
    if len(parts) > MOST_RESULTS:
        return "tuple[Array, ...]"
    return parts[0] if len(parts) == 1 else f"tuple[{', '.join(parts)}]"


def comment_of(step: Def) -> str:
    """The definition in index notation, with the statement that licenses it."""
    text = str(step)
    if step.label:
        text += f"  ({step.label})"
    return text


def body_lines(
    program: Program, signature: Signature, *, reuse: bool = True, known: dict[Any, list[str]] | None = None
) -> list[str]:
    """One statement for each definition.

    Args:
        reuse: in memory that is not read again, where there is some.
        known: lines of definitions that other programs with such a signature share, which do not reuse memory.
    """
    context = context_of(program, signature, reuse=reuse)
    lines = given_lines(signature, context)
    shared = {} if known is None else known
    for step in program.steps:
        key = (step, context.scalars, context.filled, program.zero_over_empty)
        if key not in shared:
            shared[key] = definition_lines(step, program, signature, context)
        lines += shared[key]
    return lines


def given_lines(signature: Signature, context: Context) -> list[str]:
    """What stands for arguments that are absent."""
    lines: list[str] = []
    for tensor, value in signature.defaults.items():
        shown = compile_default(value, context)
        lines.append(f"{tensor.name} = {shown} if {tensor.name} is None else {tensor.name}")
    for tensor in signature.optional:
        if tensor in context.filled:
            full = _neutral_array(tensor, signature, context)
            lines.append(f"{context.name(tensor)} = {full} if {tensor.name} is None else {tensor.name}")
    return lines


def with_namespace(lines: list[str], signature: Signature) -> list[str]:
    """The lines of a body after the namespace of its arrays, if they use it."""
    used = any(re.search(r"\bxp\.", line.partition("#")[0]) for line in lines)
    return [*([f"xp = _namespace({signature.required[0].name})"] if used else []), *lines]


def _neutral_array(tensor: Tensor, signature: Signature, context: Context) -> str:
    """What stands for an optional array that is absent; a number among numbers."""
    if not any(t.dims for t in signature.required):
        return f"{float(signature.neutral[tensor])}"
    function = "ones" if signature.neutral[tensor] == 1 else "zeros"
    if signature.neutral[tensor] not in (0, 1):
        raise CannotGenerate(f"{tensor}: the default {signature.neutral[tensor]} of an array is neither 0 nor 1")
    shape = ", ".join(context.sizes[dim] for dim in tensor.dims)
    shape = f"({shape},)" if len(tensor.dims) == 1 else f"({shape})"
    like = context.like
    kind = "xp.bool" if tensor.kind == "boolean" else f"{like}.dtype"
    return f"xp.{function}({shape}, dtype={kind}, device={like}.device)"


def compile_default(value: Expr, context: Context) -> str:
    """The default of an argument, from sizes."""
    return compile_expr(value, context).text


def definition_lines(step: Def, program: Program, signature: Signature, context: Context) -> list[str]:
    """The code of one definition, after its index notation as a comment."""
    name = step.tensor.name
    context.order[:] = list(step.indices)
    context.spent = spent(program, step) if context.reuse else frozenset()
    lines = comment_lines(comment_of(step))
    main, extras = split_optional(step.value, signature.neutral)
    code = compile_expr(main, context) if step.tensor.kind == "boolean" else as_number(main, context)
    text = spread(aligned(code, step.indices), step, main, context)
    if step.tensor in signature.shared and not extras:
        text = f"_summed({text}, {len(step.indices)})"
    source = signature.missing.get(step.tensor)
    if source is not None and not extras:
        text = f"None if {source.name} is None else {text}"
    lines += assignment_lines(name, text)
    for extra in extras:
        shown = aligned(as_number(extra.term, context), step.indices).at(MUL)
        given = " and ".join(f"{t.name} is not None" for t in extra.needed)
        lines.append(f"if {given}:")
        lines += [f"    {line}" for line in assignment_lines(name, f"{name} {'-' if extra.minus else '+'} {shown}", 8)]
    if step.tensor in signature.shared and extras:
        lines.append(f"{name} = _summed({name}, {len(step.indices)})")
    if isinstance(step.value, Max) and program.zero_over_empty:
        lines.append(f"{name} = xp.where({name} == -xp.inf, 0.0, {name})  # a row without keys: any shift will do")
    if step.tensor in program.zero_over_empty:
        lines.append(f"{name}_safe = xp.where({name} > 0, {name}, 1.0)  # 0/0 is 0 in a row without keys")
    return lines


def missing_axes(step: Def, value: Expr) -> tuple[Index, ...]:
    """The indices of the left side on which the right side does not depend: its value is the same for all of them."""
    found = free_indices(value)
    return tuple(index for index in step.indices if index not in found)


def spread(code: Code, step: Def, value: Expr, context: Context) -> str:
    """The code with its value repeated along the axes on which it does not depend."""
    missing = missing_axes(step, value)
    if not missing:
        return code.text
    shape = ", ".join(context.sizes[index.dim] if index in missing else "1" for index in step.indices)
    shape = f"({shape},)" if len(step.indices) == 1 else f"({shape})"
    without_axes = code.axes == () and not code.scalar
    laid = f"{code.at(ATOM)}[..., {', '.join('None' for _ in step.indices)}]" if without_axes else code.at(ADD)
    return f"{laid} + xp.zeros({shape}, dtype={context.like}.dtype, device={context.like}.device)"


# Chunks -------------------------------------------------------------------------------------------------------------


def chunk_index(program: Program, signature: Signature) -> Dim | None:
    """The dimension along which the work is independent: it indexes inputs and definitions, and only final sums of
    outputs run over it."""
    for tensor in signature.inputs:
        for dim in tensor.dims:
            if dim.grows and _independent(program, signature, dim):
                return dim
    return None


def _independent(program: Program, signature: Signature, dim: Dim) -> bool:
    used = False
    for step in program.steps:
        touches = any(dim in t.dims for t in step.read)
        if not touches:
            continue
        used = True
        if dim in step.tensor.dims:
            if any(isinstance(n, Sum | Max) and n.index.dim == dim for n in walk_expr(step.value)):
                return False
        elif step.tensor not in signature.outputs or _used_later(program, step.tensor) or not _sums(step.value, dim):
            return False
    return used and all(t.dims.count(dim) <= 1 for t in (*signature.inputs, *program.defined))


def _used_later(program: Program, tensor: Tensor) -> bool:
    return any(tensor in step.read for step in program.steps)


def _sums(value: Expr, dim: Dim) -> bool:
    """Whether the value is a sum over the dimension of terms linear in one chunk: partial sums add up."""
    factors = value.factors if isinstance(value, Mul) else (value,)
    inner = [f for f in factors if any(dim in t.dims for t in tensors(f))]
    if len(inner) != 1:
        return False
    body = inner[0]
    while isinstance(body, Sum):
        if body.index.dim == dim:
            return True
        body = body.body
    return False


def chunk_lines(program: Program, signature: Signature, dim: Dim, keywords: Sequence[str] = ()) -> list[str]:
    """The code that calls the function on chunks of one dimension and puts the results together."""
    carriers = {t: t.dims.index(dim) - len(t.dims) for t in signature.inputs if dim in t.dims}
    call = []
    for tensor in signature.inputs:
        shown = f"_rows({tensor.name}, {carriers[tensor]}, rows)" if tensor in carriers else tensor.name
        call.append(shown if tensor in signature.required else f"{tensor.name}={shown}")
    call += keywords
    summed = [t for t in signature.outputs if dim not in t.dims]
    size = sizes_of(tuple(carriers))[dim]
    lines = ["if chunk is not None:"]
    lines.append("    parts = []")
    for tensor in summed:
        absent = signature.missing.get(tensor)
        start = f"{tensor.name}: Array | None = None if {absent.name} is None else 0.0" if absent is not None else ""
        lines.append(f"    {start or f'{tensor.name} = 0.0'}")
    lines.append(f"    for rows in _chunks({size}, chunk):")
    results = ", ".join(t.name if t not in summed else f"{t.name}_part" for t in signature.outputs)
    head = f"{results} = {signature.name}"
    if len(head) + 1 > WIDTH - 12:  # the targets alone fill a line
        lines += [f"        {line}" for line in call_lines(f"part = {signature.name}", call, 12)]
        lines.append(f"        {results} = part")
    else:
        lines += [f"        {line}" for line in call_lines(head, call, 12)]
    for tensor in summed:
        if tensor in signature.missing:
            lines.append(f"        if {tensor.name} is not None:")
        indent = " " * (12 if tensor in signature.missing else 8)
        lines.append(f"{indent}{tensor.name} = {tensor.name} + {tensor.name}_part")
    stacked = [t for t in signature.outputs if t not in summed]
    parts = ", ".join(t.name for t in stacked)
    lines.append(f"        parts.append(({parts}{',' if len(stacked) == 1 else ''}))")
    for number, tensor in enumerate(stacked):
        axis = tensor.dims.index(dim) - len(tensor.dims)
        joined = f"xp.concat([part[{number}] for part in parts], axis={axis})"
        source = signature.missing.get(tensor)
        if source is not None:
            joined = f"None if {source.name} is None else {joined}"
        lines.append(f"    {tensor.name} = {joined}")
    lines.append(f"    return {', '.join(t.name for t in signature.outputs)}")
    return lines
