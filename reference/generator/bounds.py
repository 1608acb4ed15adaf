"""From a program to the source of its rounding-error bound.

First-order running error analysis, definition by definition, in the arithmetic of `reference.rounding`, which holds the
rules of the single steps. What is decided here:

- a maximum has the error of the entry that it is, as an error that the row shares with this entry;
- the error of a value that a later definition uses along more axes is one that its row shares;
- a range that a statement proves caps the error of the definition (not that of its alternative forms);
- where a definition has alternative forms, the largest error counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...derivations.calculus.composite import Composition, Step
from ...derivations.calculus.expr import Entry, Expr, Index, Max, Mul, Sum, Tensor, tensors, walk
from ...derivations.calculus.operation import Operation
from ...derivations.calculus.program import Def, Program
from .arrays import as_product, compile_expr, split_sum
from .bounded_code import BoundedCode
from .code import Context, aligned
from .composition import CallWriter, needed
from .functions import (
    Signature,
    argument_list,
    compile_default,
    context_of,
    forward_signature,
    hvp_signature,
    jvp_signature,
    missing_axes,
    return_type,
    signature_lines,
    vjp_signature,
    wrapped,
)
from .layout import assignment_lines, call_lines, comment_lines, is_read, return_lines
from .optional import Extra, filled, split_optional
from .pairs import KEYWORD, inner_signature, joined_errors, outer_signature, pairs_of, split_lines


def bound_functions(op: Operation) -> dict[str, str]:
    """The bounds of the forward function and of the products with its Jacobian, by the function's name."""
    if op.composition is not None:
        return _composition_bounds(op, op.composition)
    forward = frozenset(op.program.defined)
    value = forward_signature(op)
    bounds = {value.name: _bound(op, op.program.pruned(), value, forward)}
    backward, tangent = vjp_signature(op), jvp_signature(op)
    bounds[backward.name] = _bound(op, op.vjp, backward, forward, gradient=True)
    bounds[tangent.name] = _bound(op, op.jvp, tangent, forward)
    if op.second_order:
        second = hvp_signature(op)
        bounds[second.name] = _bound(op, op.hvp, second, forward)
    return bounds


def _composition_bounds(op: Operation, composition: Composition) -> dict[str, str]:
    """The same for a composition, whose parts have bounds of their own."""
    forward = frozenset(composition.opaque.defined)
    backward, tangent = composition.vjp(op.differentiable), composition.jvp(op.differentiable)
    made = ((composition, forward_signature(op)), (backward, vjp_signature(op)), (tangent, jvp_signature(op)))
    return {signature.name: _bound(op, c.opaque, signature, forward, steps=needed(c)) for c, signature in made}


def _bound(
    op: Operation,
    program: Program,
    signature: Signature,
    forward: frozenset[Tensor],
    *,
    gradient: bool = False,
    steps: Sequence[Step] | None = None,
) -> str:
    """One bound. For a gradient, alternative forms and stored partial sums count; the forward function is held to its
    definitions. `steps` are those of a composition, `program` its definitions."""
    signature = inner_signature(op, signature)
    outer = outer_signature(op, signature)
    context = context_of(program, signature)
    context = replace(context, scalars=signature.scalars, filled=filled(program, signature.neutral))
    result = return_type(outer)
    extra = [*([KEYWORD] if op.pairs else []), "precision: Mapping[str, Format]"]
    if op.composable:
        extra.append("errors: Mapping[str, Array] | None = None")
    writer = _Writer(program, signature, context, forward, gradient)
    writer.results = {t: pair.whole.name for pair in pairs_of(op, signature)[1] for t in (pair.first, pair.second)}
    given = writer.inputs(composable=op.composable)
    body = [line for step in steps or program.steps for line in writer.step(step)]
    joined = joined_errors(op, signature)
    errors = [
        joined.get(t)
        or (
            f"{t.name}.total"
            if t not in signature.missing
            else f"None if {signature.missing[t].name} is None else {t.name}.total"
        )
        for t in outer.outputs
    ]
    lines = [
        *_docstring(
            op,
            [writer.results.get(s.tensor, s.tensor.name) for s in program.steps if s.tensor.kind != "boolean"],
            outer,
            writer.partial_names if gradient else [],
        ),
        f"fl = Rounding(precision, {outer.like})",
        *(["errors = dict(errors or {})" if op.pairs else "errors = errors or {}"] if op.composable else []),
        *split_lines(op, signature, (*body, *errors), helper="halves", errors=op.composable),
        *(line for line in given if is_read(line.split(" = ")[0], (*body, *errors))),
        *(
            f"{t.name} = {compile_default(v, context)} if {t.name} is None else {t.name}"
            for t, v in signature.defaults.items()
        ),
        *body,
    ]
    lines += return_lines(errors)
    head = signature_lines(f"{signature.name}_bound", argument_list(outer, extra), result)
    return "\n".join(['@np.errstate(all="ignore")', *head, *(f"    {line}" if line else "" for line in lines)]) + "\n"


def _docstring(op: Operation, stored: Sequence[str], signature: Signature, partial_names: Sequence[str]) -> list[str]:
    names = ", ".join(dict.fromkeys(stored))
    formats = ["`compute`", "`accumulate`", "`operand`", f"of each stored value ({names})"]
    if partial_names:
        formats.append(f"of partial sums ({', '.join(partial_names)})")
    lines = [
        f'"""Bound of the rounding error of `{signature.name}`, element by element.',
        "",
        "Args:",
        f"    precision: formats: {', '.join(formats[:-1])}, and {formats[-1]}.",
        *(["    errors: absolute errors of the inputs, by name."] if op.composable else []),
        "",
        "Returns:",
        f"    absolute errors of {', '.join(t.name for t in signature.outputs)}, infinite where a format may overflow.",
        '"""',
    ]
    return [piece for line in lines for piece in wrapped(line)]


class _Writer:
    """Writes each definition with its error."""

    def __init__(
        self, program: Program, signature: Signature, context: Context, forward: frozenset[Tensor], gradient: bool
    ) -> None:
        self.program = program
        self.forward = forward
        self.signature = signature
        self.context = context
        self.gradient = gradient
        self.code = BoundedCode(context, _labels(program, signature))
        self.joined = False
        self.results: dict[Tensor, str] = {}  # the array that a result is a part of
        self.partial_names = (
            [] if not gradient else [f"{t.name}_partial" for t in signature.outputs if self._partial(t)]
        )

    def inputs(self, *, composable: bool) -> list[str]:
        """The lines that name the axes of the inputs."""
        lines = []
        for tensor in self.signature.inputs:
            if tensor in self.signature.scalars:
                continue
            more = f', errors.get("{tensor.name}")' if composable and tensor.kind in ("real", "positive") else ""
            if tensor in self.context.filled:
                neutral = self.signature.neutral[tensor]
                number = bool(neutral) if tensor.kind == "boolean" else float(neutral)
                full = ", ".join([str(number), *(self.context.sizes[dim] for dim in tensor.dims)])
                more += f", absent=({full}{'' if tensor.dims else ','})"
            axes = " ".join(self.code.of_tensor[tensor])
            lines.append(f'{self.context.name(tensor)} = fl.given({tensor.name}, "{axes}"{more})')
        return lines

    def step(self, step: Step) -> list[str]:
        """The lines of one definition, or of the call of a part."""
        if isinstance(step, Def):
            return self._mask(step) if step.tensor.kind == "boolean" else self.definition(step)
        return CallWriter(step, self.signature, self.context, self.code.of_tensor).lines()

    def _mask(self, step: Def) -> list[str]:
        """The lines of a boolean definition, which has no error."""
        self.context.order[:] = list(step.indices)
        name, axes = step.tensor.name, " ".join(ix.name for ix in step.indices)
        text = aligned(compile_expr(step.value, self.context), step.indices).text.replace("xp.", "fl.xp.")
        made = assignment_lines(name, text)
        return [*comment_lines(str(step)), *made, f'{name} = fl.given({name}, "{axes}")']

    def definition(self, step: Def) -> list[str]:
        """The lines of one definition. Its alternative forms count from here on, those of a definition of the forward
        function from the first definition of the gradient on."""
        lines = self.code.lines = self._pending(step)
        lines += comment_lines(str(step))
        self.context.order[:] = list(step.indices)
        name, axes = step.tensor.name, " ".join(ix.name for ix in step.indices)
        final, row = step.tensor in self.signature.outputs, self._shared_along_a_row(step.tensor)
        if isinstance(step.value, Max) and self._largest(step, step.value) and not final:
            return lines
        alternatives = step.alternatives if self.gradient and step.tensor not in self.forward else ()
        text = self._form(step, step.value, name)
        if alternatives:
            text = self._under(name, text)
        for form in alternatives:
            other = self._under(f"{name}_alt", self._alternative(step, form))
            lines.append(f"{name} = fl.either({name}, {other})")
        if isinstance(step.value, Entry | Max) and not final and not row:
            self._under(name, text)
            return lines
        arguments = [f'"{self.results.get(step.tensor, name)}"', text, f'"{axes}"']
        if step.within is not None:
            arguments.append(f"within={step.within[1] - step.within[0]}")
        if row:
            arguments.append("row=True")
        if step.tensor in self.signature.shared:
            arguments.append("shared=True")
        lines += call_lines(f"{name} = fl.{'output' if final else 'angle' if step.angle else 'step'}", arguments)
        return lines

    def _under(self, name: str, text: str) -> str:
        if text != name:
            self.code.lines += assignment_lines(name, text)
        return name

    def _pending(self, step: Def) -> list[str]:
        """The alternative forms of the forward definitions, before the first definition of the gradient."""
        lines = self.code.lines = []
        if not self.gradient or step.tensor in self.forward or self.joined:
            return lines
        self.joined = True
        for earlier in self.program.steps:
            for form in earlier.alternatives if earlier.tensor in self.forward else ():
                self.context.order[:] = list(earlier.indices)
                name, axes = earlier.tensor.name, " ".join(ix.name for ix in earlier.indices)
                # What is as large as the definition is computed again from what was saved for each row, and may be
                # rounded in another way than it was for the rows.
                again = frozenset(t for t in tensors(form) if t in self.forward and t.dims == earlier.tensor.dims)
                text = self._alternative(earlier, form, again)
                lines += call_lines(f"{name}_alt = fl.form", [f'"{name}"', text, f'"{axes}"'])
                lines.append(f"{name} = fl.either({name}, {name}_alt)")
        return lines

    def _alternative(self, step: Def, form: Expr, again: frozenset[Tensor] = frozenset()) -> str:
        self.code.lines += comment_lines(f"or {step.target} = {form}")
        return self._form(step, form, f"{step.tensor.name}_alt", again)

    def _form(self, step: Def, form: Expr, name: str, again: frozenset[Tensor] = frozenset()) -> str:
        """The code of one form; terms that may be absent are added to it on lines of their own."""
        self.code.start(name, step.indices, form, again)
        self.code.angle = step.angle
        main, extras = split_optional(form, self.signature.neutral)
        piece = self.code.as_number(main)
        text = piece.text
        for index in missing_axes(step, main):
            text = f'fl.spread({text}, "{index.name}", {self.context.sizes[index.dim]})'
        for extra in extras:
            self._under(name, text)
            text = name
            self._extra(step, main, extra, name)
        return text

    def _extra(self, step: Def, main: Expr, extra: Extra, name: str) -> None:
        """The lines that add a term that may be absent."""
        method = f"{name} = fl.{'minus' if extra.minus else 'plus'}"
        if isinstance(extra.term, Entry):
            terms = self._accumulated(main)
            more = [f"terms={terms}"] if terms else []
            self.code.lines += call_lines(
                method, [f'"{step.tensor.name}"', name, self.code.piece(extra.term).text, *more]
            )
            return
        lines, self.code.lines = self.code.lines, []
        self.code.lines += call_lines(method, [f'"{step.tensor.name}"', name, self.code.as_number(extra.term).text])
        lines.append(f"if {' and '.join(f'{t.name} is not None' for t in extra.needed)}:")
        lines += [f"    {line}" for line in self.code.lines]
        self.code.lines = lines

    def _accumulated(self, main: Expr) -> str:
        """How many terms the sum that gives a value adds, as code; empty if it is no sum."""
        for factor in main.factors if isinstance(main, Mul) else (main,):
            if isinstance(factor, Sum):
                return " * ".join(self.context.sizes[index.dim] for index in split_sum(factor)[0])
        return ""

    def _largest(self, step: Def, value: Max) -> bool:
        """Writes the maximum of an array; returns whether it is one."""
        self.code.start(step.tensor.name, step.indices, value)
        entry = value.body
        if not isinstance(entry, Entry) or self.code.piece(entry).text != entry.tensor.name:
            return False
        of, name = entry.tensor.name, step.tensor.name
        arguments = [f'"{name}"', of, *self.code.largest_arguments(value.index, value.where)]
        self.code.lines.append(f"{name}, {of} = fl.largest({', '.join(arguments)})")
        return True

    def _shared_along_a_row(self, tensor: Tensor) -> bool:
        """Whether a later definition uses the value along more dimensions than it has."""
        return any(
            tensor in tensors(step.value) and set(tensor.dims) < set(step.tensor.dims) for step in self.program.steps
        )

    def _partial(self, tensor: Tensor) -> bool:
        """Whether a kernel is known that keeps the partial sums of this gradient, its scalar factors included, in a
        narrower format: those of numbers times one matrix product."""
        step = self.program.defined[tensor]
        self.context.order[:] = list(step.indices)
        factors = step.value.factors if isinstance(step.value, Mul) else (step.value,)
        sums = [f for f in factors if isinstance(f, Sum)]
        scalars = [compile_expr(f, self.context) for f in factors if not isinstance(f, Sum)]
        return len(sums) == 1 and all(c.scalar for c in scalars) and as_product(sums[0], self.context) is not None


def _labels(program: Program, signature: Signature) -> dict[Tensor, tuple[str, ...]]:
    """The axes that each array is given or defined with: those of its first use, or of its definition."""
    found: dict[Tensor, tuple[str, ...]] = {}
    for step in program.steps:
        found[step.tensor] = tuple(ix.name for ix in step.indices)
    for tensor in dict.fromkeys((*signature.inputs, *program.inputs)):
        names: list[str] = []
        for dim in tensor.dims:
            name = dim.name
            while name in names:
                name += "_"
            names.append(name)
        found[tensor] = _first_use(program, tensor) or tuple(names)
    return found


def _first_use(program: Program, tensor: Tensor) -> tuple[str, ...] | None:
    for step in program.steps:
        for node in walk(step.value):
            if isinstance(node, Entry) and node.tensor == tensor:
                names = tuple(ix.name for ix in node.indices if isinstance(ix, Index))
                if len(set(names)) == len(tensor.dims):
                    return names
    return None
