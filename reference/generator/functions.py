"""From a program to the source of one Python function: forward, vector-Jacobian or Jacobian-vector product."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace

from ...derivations.calculus.expr import Add, Const, Dim, Entry, Expr, Max, Mul, Sum, Tensor, tensors
from ...derivations.calculus.expr import walk as walk_expr
from ...derivations.calculus.operation import Input, Operation
from ...derivations.calculus.program import Def, Program
from .arrays import CannotGenerate, Context, aligned, compile_expr
from .memory import spent

WIDTH = 120  # columns


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

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """All arguments in order."""
        return (*self.required, *self.optional)

    def may_be_none(self) -> frozenset[Tensor]:
        """Arguments whose absence changes the code (a default number does not)."""
        return frozenset(t for t in self.optional if t not in self.defaults)


def forward_signature(op: Operation) -> Signature:
    """The arguments of the forward function: required inputs, then optional ones."""
    spec = op.inputs
    optional = tuple(t for t in op.program.inputs if spec.get(t.name, Input("")).default is not None)
    required = tuple(t for t in op.program.inputs if t not in optional)
    defaults = {t: value for t in optional if isinstance(value := spec[t.name].default, Expr) and not _neutral(value)}
    scalars = frozenset(t for t in op.program.inputs if not t.dims)
    return Signature(op.name, required, optional, defaults, op.program.outputs, {}, scalars)


def _neutral(value: Expr) -> bool:
    return isinstance(value, Const)


def vjp_signature(op: Operation) -> Signature:
    """Inputs, cotangents (all but the first may be absent), optional inputs."""
    base = forward_signature(op)
    first, *others = (op.cotangent(t) for t in op.program.outputs)
    missing = {op.gradient(t): t for t in op.differentiable if t in base.may_be_none()}
    return Signature(
        f"{op.name}_vjp",
        (*base.required, first),
        (*others, *base.optional),
        base.defaults,
        tuple(op.gradient(t) for t in op.differentiable),
        missing,
        base.scalars,
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
    return Signature(
        f"{op.name}_jvp",
        (*base.required, *(tangents[t] for t in op.differentiable if t in base.required)),
        (*base.optional, *(tangents[t] for t in op.differentiable if t in base.optional)),
        base.defaults,
        tuple(op.tangent(t) for t in op.program.outputs),
        {},
        base.scalars,
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
    return Context(
        sizes_of(signature.inputs),
        signature.scalars,
        program.zero_over_empty,
        signature.may_be_none(),
        reuse=reuse,
    )


def wrapped(line: str) -> list[str]:
    """A line of a docstring on as many lines as it needs, those after the first indented further."""
    hanging = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.wrap(line, WIDTH - 4, subsequent_indent=hanging) or [""]


def signature_lines(name: str, arguments: list[str], returns: str) -> list[str]:
    """`def name(arguments) -> returns:` on as few lines as fit."""
    one = f"def {name}({', '.join(arguments)}) -> {returns}:"
    if len(one) <= WIDTH:
        return [one]
    middle = f"    {', '.join(arguments)}"
    if len(middle) <= WIDTH:
        return [f"def {name}(", middle, f") -> {returns}:"]
    return [f"def {name}(", *(f"    {a}," for a in arguments), f") -> {returns}:"]


def argument_list(signature: Signature, extra: list[str]) -> list[str]:
    """The arguments with their annotations."""
    shown = [
        f"{t.name}: {'float' if not t.dims and t.name in ('scale', 'cap') else 'Array'}" for t in signature.required
    ]
    for tensor in signature.optional:
        kind = "float" if tensor in signature.defaults else "Array"
        shown.append(f"{tensor.name}: {kind} | None = None")
    return [*shown, *(["*", *extra] if extra else [])]


def return_type(signature: Signature) -> str:
    """The annotation of the result."""
    parts = ["Array | None" if t in signature.missing else "Array" for t in signature.outputs]
    return parts[0] if len(parts) == 1 else f"tuple[{', '.join(parts)}]"


def comment_of(step: Def) -> str:
    """The definition in index notation, with the statement that licenses it."""
    text = str(step)
    if step.label:
        text += f"  ({step.label})"
    return text


def body_lines(program: Program, signature: Signature) -> list[str]:
    """One statement for each definition."""
    context = context_of(program, signature, reuse=True)
    lines: list[str] = [f"xp = _namespace({signature.required[0].name})"]
    for tensor, value in signature.defaults.items():
        shown = compile_default(value, context)
        lines.append(f"{tensor.name} = {shown} if {tensor.name} is None else {tensor.name}")
    for step in program.steps:
        lines += definition_lines(step, program, signature, context)
    return lines


def compile_default(value: Expr, context: Context) -> str:
    """The default of an argument, from sizes."""
    return compile_expr(value, context).text


def definition_lines(step: Def, program: Program, signature: Signature, context: Context) -> list[str]:
    """The code of one definition, after its index notation as a comment."""
    name = step.tensor.name
    context.order[:] = list(step.indices)
    context.spent = spent(program, step)
    lines = [f"# {comment_of(step)}"]
    main, extras = split_optional(step.value, context.optional)
    code = compile_expr(main, context)
    if set(code.axes) != set(step.indices):
        raise CannotGenerate(f"{step}: the right side does not depend on every index of the left")
    text = aligned(code, step.indices).text
    source = signature.missing.get(step.tensor)
    if source is not None and isinstance(main, Entry):
        text = f"None if {source.name} is None else {text}"
    lines.append(f"{name} = {text}")
    for tensor, sign, entry in extras:
        shown = aligned(compile_expr(entry, context), step.indices).at(UNARY_LEVEL)
        lines += [f"if {tensor.name} is not None:", f"    {name} = {name} {sign} {shown}"]
    if isinstance(step.value, Max) and program.zero_over_empty:
        lines.append(f"{name} = xp.where({name} == -xp.inf, 0.0, {name})  # a row without keys: any shift will do")
    if step.tensor in program.zero_over_empty:
        lines.append(f"{name}_safe = xp.where({name} > 0, {name}, 1.0)  # 0/0 is 0 in a row without keys")
    return lines


UNARY_LEVEL = 2


def split_optional(value: Expr, optional: frozenset[Tensor]) -> tuple[Expr, list[tuple[Tensor, str, Entry]]]:
    """The terms that are always there, and single inputs that are added or subtracted if they are given."""
    if not isinstance(value, Add):
        return value, []
    main: list[Expr] = []
    extras: list[tuple[Tensor, str, Entry]] = []
    for term in value.terms:
        match term:
            case Entry(tensor, _) if tensor in optional:
                extras.append((tensor, "+", term))
            case Mul((Const(c), Entry(tensor, _) as entry)) if c == -1 and tensor in optional:
                extras.append((tensor, "-", entry))
            case _:
                main.append(term)
    return (main[0] if len(main) == 1 else Add(tuple(main))), extras


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
        touches = any(dim in t.dims for t in tensors(step.value))
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
    return any(tensor in tensors(step.value) for step in program.steps)


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


def chunk_lines(program: Program, signature: Signature, dim: Dim) -> list[str]:
    """The code that calls the function on chunks of one dimension and puts the results together."""
    carriers = {t: t.dims.index(dim) - len(t.dims) for t in signature.inputs if dim in t.dims}
    call = []
    for tensor in signature.inputs:
        shown = f"_rows({tensor.name}, {carriers[tensor]}, rows)" if tensor in carriers else tensor.name
        call.append(shown if tensor in signature.required else f"{tensor.name}={shown}")
    summed = [t for t in signature.outputs if dim not in t.dims]
    size = sizes_of(tuple(carriers))[dim]
    lines = ["if chunk is not None:"]
    lines.append("    parts = []")
    lines += [f"    {t.name} = 0.0" for t in summed]
    lines.append(f"    for rows in _chunks({size}, chunk):")
    results = ", ".join(t.name if t not in summed else f"{t.name}_part" for t in signature.outputs)
    one = f"        {results} = {signature.name}({', '.join(call)})"
    if len(one) <= WIDTH:
        lines.append(one)
    else:
        inner = f"            {', '.join(call)}"
        lines.append(f"        {results} = {signature.name}(")
        lines += [inner] if len(inner) <= WIDTH else [f"            {part}," for part in call]
        lines.append("        )")
    lines += [f"        {t.name} = {t.name} + {t.name}_part" for t in summed]
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
