"""From a program to the source of its rounding-error bound.

First-order running error analysis, definition by definition: beside each value goes an absolute error that covers every
evaluation in the given formats. The rules:

- an arithmetic operation adds u·|value|; exp, log and other functions add 4u·|value| (u: unit roundoff of the format);
- a sum of k terms adds (k + 4)·u·Σ|terms| in the accumulator's format (4: a factor applied to the operands first);
- exp turns an error e of its argument into value·(eᵉ − 1), and its argument may have been scaled by log₂e before;
- a maximum has the error of the entry that it is; a statement says that the derivative with respect to it vanishes,
  so that it does not matter which entry an evaluation finds to be the largest;
- the error of a value that a whole row shares moves the row together: along the row it is added with its signs;
- storing in a format adds u times the size, for outputs half a unit in the last place of the binade;
- a gradient's partial sums may be stored as well, block by block and for each member of a group;
- underflow adds the least normal number where formats flush to zero, half the least subnormal elsewhere;
- a value that may exceed the largest number of its format has an infinite error: the bound says nothing there; a term
  that is −∞ exactly is a mask;
- a range that a statement proves caps the error of the definition (not that of its alternative forms);
- where a definition has alternative forms, the largest error counts.
"""

from __future__ import annotations

from ...derivations.calculus.expr import Entry, Expr, Max, Mul, Sum, Tensor, tensors
from ...derivations.calculus.operation import Operation
from ...derivations.calculus.program import Def, Program
from .arrays import UNARY, Code, Context, aligned, compile_expr, selected, split_sum
from .error_terms import PartialSums, Symbol, Val, statement
from .functions import (
    Signature,
    argument_list,
    compile_default,
    context_of,
    forward_signature,
    jvp_signature,
    signature_lines,
    split_optional,
    vjp_signature,
    wrapped,
)
from .rounding_rules import Rules

_U_SUM = 'u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]'


def bound_functions(op: Operation) -> list[str]:
    """The bounds of the forward function and of the two products with its Jacobian."""
    forward = frozenset(op.program.defined)
    return [
        _bound(op.program.pruned(), forward_signature(op), forward),
        _bound(op.vjp, vjp_signature(op), forward, gradient=True),
        _bound(op.jvp, jvp_signature(op), forward),
    ]


def _bound(program: Program, signature: Signature, forward: frozenset[Tensor], *, gradient: bool = False) -> str:
    """One bound. For a gradient, alternative forms and stored partial sums count; the forward function is held to its
    definitions."""
    name = f"{signature.name}_bound"
    context = context_of(program, signature)
    returns = ["Array | None" if t in signature.missing else "Array" for t in signature.outputs]
    result = returns[0] if len(returns) == 1 else f"tuple[{', '.join(returns)}]"
    arguments = argument_list(signature, ["precision: Mapping[str, Format]"])
    writer = _Writer(program, signature, context, forward, gradient)
    body = [line for step in program.steps for line in writer.definition(step)]
    outputs = ", ".join(t.name for t in signature.outputs)
    formats = ["`compute`", "`accumulate`", "`operand`", f"of each stored value ({_names(program)})"]
    if writer.partial_names:
        formats.append(f"of partial sums ({', '.join(writer.partial_names)})")
    docstring = [
        f'"""Bound of the rounding error of `{signature.name}`, element by element.',
        "",
        "Args:",
        f"    precision: formats: {', '.join(formats[:-1])}, and {formats[-1]}.",
        "",
        "Returns:",
        f"    absolute errors of {outputs}, infinite where a format may overflow.",
        '"""',
    ]
    lines = [
        *(piece for line in docstring for piece in wrapped(line)),
        f"xp = _namespace({signature.required[0].name})",
        'u = 2.0 ** -precision["compute"][0]',
        *([_U_SUM] if any("u_sum" in line for line in body) else []),
        'tiny = _tiny(precision["compute"])',
        *(
            f"{t.name} = {compile_default(v, context)} if {t.name} is None else {t.name}"
            for t, v in signature.defaults.items()
        ),
        *body,
    ]
    lines.append(f"return {', '.join(f'{t.name}_err' for t in signature.outputs)}")
    head = signature_lines(name, arguments, result)
    return "\n".join(['@np.errstate(all="ignore")', *head, *(f"    {line}" if line else "" for line in lines)]) + "\n"


def _names(program: Program) -> str:
    return ", ".join(step.tensor.name for step in program.steps)


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
        self.rules = Rules(context)
        self.joined = False
        self.partial_names: list[str] = []

    def definition(self, step: Def) -> list[str]:
        """The lines of one definition. Its alternative forms count from here on, those of a definition of the forward
        function from the first definition of the gradient on."""
        lines = self.rules.lines = self._pending(step)
        lines.append(f"# {step}")
        self.context.order[:] = list(step.indices)
        name = step.tensor.name
        val = self._form(step, step.value, name)
        if val is None:
            return lines
        partial = self.rules.partial
        if step.within is not None and step.tensor not in self.signature.outputs:
            self._cap(step, val)
        if self.gradient and step.tensor not in self.forward:
            for form in step.alternatives:
                val = self._joined(step, val, self._alternative(step, form))
        self._finish(step, val, partial)
        return lines

    def _pending(self, step: Def) -> list[str]:
        """The alternative forms of the forward definitions, before the first definition of the gradient."""
        lines = self.rules.lines = []
        if not self.gradient or step.tensor in self.forward or self.joined:
            return lines
        self.joined = True
        for earlier in self.program.steps:
            if earlier.tensor in self.forward:
                for form in earlier.alternatives:
                    self.context.order[:] = list(earlier.indices)
                    other = self._recomputed(earlier, form)
                    self._rounded(earlier, f"{earlier.tensor.name}_alt", other)
                    self.rules.known[earlier.tensor] = self._joined(earlier, self.rules.known[earlier.tensor], other)
        return lines

    def _recomputed(self, step: Def, form: Expr) -> Val:
        """Another form of a forward definition, from what the forward function saved for each row. What is as large as
        the definition is computed again, and may be rounded in another way than it was for the rows."""
        known = self.rules.known
        again = {t: known[t] for t in tensors(form) if t in known and t.dims == step.tensor.dims}
        for tensor, val in again.items():
            known[tensor] = self.rules.collapsed(val)
        result = self._alternative(step, form)
        known.update(again)
        return result

    def _alternative(self, step: Def, form: Expr) -> Val:
        name = step.tensor.name
        self.rules.lines.append(f"# or {step.target} = {form}")
        val = self._form(step, form, f"{name}_alt")
        assert val is not None, "a form with an error has alternatives with one"
        return val

    def _form(self, step: Def, form: Expr, name: str) -> Val | None:
        """The code of one form under a name; None if it is exact and no output."""
        rules, lines = self.rules, self.rules.lines
        final = step.tensor in self.signature.outputs
        rules.start(name, final=final)
        main, extras = split_optional(form, self.context.optional)
        val = rules.value(main, top=name)
        if final and val.code.text != name:
            val = rules.collapsed(val)
        value = aligned(val.code, step.indices).text
        if value != name:
            lines.append(f"{name} = {value}")
        if val.exact and not extras and not final:
            self._guards(step, name)
            return self._largest(step, name) if isinstance(step.value, Max) else None
        error = aligned(val.error, step.indices).text if val.error is not None else f"0.0 * {name}"
        if error != f"{name}_err":
            lines.append(f"{name}_err = {error}")
        rows: dict[Symbol, Code] = {}
        for symbol, code in val.rows.items():
            rows[symbol] = Code(f"{name}_{symbol.name}", step.indices)
            if aligned(code, step.indices).text != rows[symbol].text:
                lines.append(f"{rows[symbol].text} = {aligned(code, step.indices).text}")
        terms = self._accumulated(main)
        for tensor, sign, entry in extras:
            shown = aligned(compile_expr(entry, self.context), step.indices).at(UNARY)
            # The accumulator of a sum may start from the term instead of from 0.
            started = f" + {terms} * u_sum * abs({shown})" if terms else ""
            lines += [
                f"if {tensor.name} is not None:",
                # Where the step is stored, so may be what an optional term is then added to.
                f'    if "{step.tensor.name}" in precision:',
                f'        {name}_err = _stored({name}, {name}_err, precision["{step.tensor.name}"])',
                f"    {name} = {name} {sign} {shown}",
                f"    {name}_err = _added({name}, {name}_err, u * abs({name}){started})",
            ]
        self._guards(step, name)
        return Val(Code(name, step.indices), Code(f"{name}_err", step.indices), rows)

    def _accumulated(self, main: Expr) -> str:
        """How many terms the sum that gives a value adds, as code; empty if it is no sum."""
        for factor in main.factors if isinstance(main, Mul) else (main,):
            if isinstance(factor, Sum):
                return " * ".join(self.context.sizes[index.dim] for index in split_sum(factor)[0])
        return ""

    def _largest(self, step: Def, name: str) -> Val | None:
        """A maximum has the error of the entry that it is, as an error that the row shares with this entry."""
        assert isinstance(step.value, Max)
        entry = step.value.body
        if not isinstance(entry, Entry) or entry.tensor not in self.rules.known:
            return None  # any number may be subtracted from a row, so that the maximum of exact ones counts as exact
        scores = self.rules.collapsed(self.rules.known[entry.tensor])
        assert scores.error is not None, "a known value has an error"
        place = dict(zip(entry.indices, scores.code.axes, strict=True))
        axis = scores.code.axes.index(place[step.value.index]) - len(scores.code.axes)
        of, error = scores.code.text, scores.error.text
        self.rules.lines += [
            f"{of}_top = _top({selected(entry, step.value.where, '-xp.inf', self.context).text}, {axis})",
            f"{of}_{name} = xp.where({of}_top, {error}, 0.0)",
            f"{error} = xp.where({of}_top, 0.0, {error})",
            f"{name}_err = xp.sum({of}_{name}, axis={axis})",
        ]
        shared = Symbol(name, tuple(place[ix] for ix in step.indices))
        self.rules.known[entry.tensor] = Val(
            scores.code, scores.error, {shared: Code(f"{of}_{name}", scores.code.axes)}
        )
        return Val(Code(name, step.indices), Code(f"{name}_err", step.indices))

    def _guards(self, step: Def, name: str) -> None:
        if isinstance(step.value, Max) and self.program.zero_over_empty:
            self.rules.lines.append(f"{name} = xp.where({name} == -xp.inf, 0.0, {name})")
        if step.tensor in self.program.zero_over_empty:
            self.rules.lines.append(f"{name}_safe = xp.where({name} > 0, {name}, 1.0)")

    def _cap(self, step: Def, val: Val) -> None:
        """Whatever its rounding, a value in a proved range is off by no more than the width of the range."""
        assert step.within is not None
        low, high = step.within
        names = ", ".join([f"{step.tensor.name}_err", *(code.text for code in val.rows.values())])
        target = names if val.rows else f"({names},)"
        self.rules.lines.append(f"{target} = _within({high - low} + u, {names})")

    def _joined(self, step: Def, val: Val, other: Val) -> Val:
        """What covers both forms. A symbol that the other form introduces may be 0 where the first is used; what the
        coefficients of an earlier symbol differ by is an own error."""
        name, known = step.tensor.name, {s for v in self.rules.known.values() for s in v.rows}
        assert other.error is not None
        theirs = [other.error.text]
        rows = dict(val.rows)
        for symbol, code in other.rows.items():
            if symbol in rows:
                theirs.append(f"abs({code.text} - {rows[symbol].text})")
            elif symbol in known:
                theirs.append(f"abs({code.text})")
        self.rules.lines += statement(f"{name}_err", [f"xp.maximum({name}_err, {' + '.join(theirs)})"])
        for symbol, code in other.rows.items():
            if symbol not in rows and symbol not in known:
                rows[symbol] = Code(f"{name}_{symbol.name}", code.axes)
                self.rules.lines.append(f"{rows[symbol].text} = {code.text}")
        return Val(val.code, val.error, rows)

    def _finish(self, step: Def, val: Val, partial: PartialSums | None) -> None:
        name, lines = step.tensor.name, self.rules.lines
        if step.tensor in self.signature.outputs:
            size = self.rules.size_of_rows(val)
            if self.gradient and partial is not None:
                lines += [f"{name}_err = {name}_err + {size.text}"] if size is not None else []
                self._partial_stores(step, partial)
                size = None
            total = f"{name}_err" + (f" + {size.text}" if size is not None else "")
            source = self.signature.missing.get(step.tensor)
            unless = "" if source is None else f"None if {source.name} is None else "
            form = f'precision.get("{name}", precision["compute"])'
            lines.append(f"{name}_err = {unless}_output({name}, {total}, {form})")
            val = Val(val.code, val.error)
            if step.within is not None:
                self._cap(step, val)
        elif not isinstance(step.value, Entry | Max):
            self._rounded(step, name, val)
        if self._shared_along_a_row(step.tensor):
            assert val.error is not None
            val = Val(val.code, None, {**val.rows, Symbol(name, step.indices): val.error})
        self.rules.known[step.tensor] = val

    def _rounded(self, step: Def, name: str, val: Val) -> None:
        """A definition that is no output may be stored."""
        size = self.rules.size_of_rows(val)
        more = "" if size is None else f", {size.text}"
        self.rules.lines += [
            f'{name}_err = _checked({name}, {name}_err, precision["compute"]{more})',
            f'if "{step.tensor.name}" in precision:',
            f'    {name}_err = _stored({name}, {name}_err, precision["{step.tensor.name}"]{more})',
        ]

    def _shared_along_a_row(self, tensor: Tensor) -> bool:
        """Whether a later definition uses the value along more dimensions than it has."""
        return any(
            tensor in tensors(step.value) and set(tensor.dims) < set(step.tensor.dims) for step in self.program.steps
        )

    def _partial_stores(self, step: Def, partial: PartialSums) -> None:
        """A kernel may keep the partial sums of a gradient, its scalar factors included, in a narrower format."""
        name = step.tensor.name
        factors = step.value.factors if isinstance(step.value, Mul) else (step.value,)
        scalars = [compile_expr(f, self.context) for f in factors if not isinstance(f, Sum)]
        if len(scalars) != len(factors) - 1 or not all(code.scalar for code in scalars):
            return  # not numbers times one sum: no kernel is known that stores such partial sums
        size = " * ".join([*(f"abs({code.text})" for code in scalars), partial.size])
        self.partial_names.append(f"{name}_partial")
        self.rules.lines += [
            f'if "{name}_partial" in precision:',
            f"    {name}_size = {size}",
            f"    {name}_err = {name}_err + "
            f'_partial_error({name}_size, {partial.terms}, {partial.members}, precision["{name}_partial"])',
        ]
