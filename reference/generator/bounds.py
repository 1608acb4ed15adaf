"""From a program to the source of its rounding-error bound.

First-order running error analysis, definition by definition: beside each value goes an absolute error that covers every
evaluation in the given formats. The rules:

- an arithmetic operation adds u·|value|; exp, log and other functions add 4u·|value| (u: unit roundoff of the format);
- a sum of k terms adds (k + 4)·u·Σ|terms| in the accumulator's format (4: a factor applied to the operands first);
- exp turns an error e of its argument into value·(eᵉ − 1), and its argument may have been scaled by log₂e before;
- a maximum is an exact constant, by the statement that the derivative with respect to it vanishes;
- storing in a format adds u times the size, for outputs half a unit in the last place of the binade;
- underflow adds the least normal number where formats flush to zero, half the least subnormal elsewhere;
- a value that may exceed the largest number of its format has an infinite error: the bound says nothing there;
- a range that a statement proves caps the error; where a definition has alternative forms, the largest error counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ...derivations.calculus.expr import (
    Add,
    Const,
    Entry,
    Expr,
    Fn,
    Index,
    Max,
    Mul,
    Pow,
    Size,
    Sum,
    Tensor,
)
from ...derivations.calculus.operation import Operation
from ...derivations.calculus.program import Def, Program
from .arrays import (
    ATOM,
    UNARY,
    CannotGenerate,
    Code,
    Context,
    aligned,
    compile_expr,
    is_boolean,
    negative,
    number,
    product_of,
    raised,
    split_sum,
    without_sign,
)
from .functions import (
    Signature,
    argument_list,
    compile_default,
    context_of,
    forward_signature,
    signature_lines,
    split_optional,
    vjp_signature,
    wrapped,
)

SECOND_ORDER = 1.05  # what first-order analysis leaves out, as a factor of the whole bound
PARTIAL_BLOCK = 32  # the fewest terms after which a kernel stores a partial sum (torch's CPU flash attention backward)

_HELPERS = '''
def _tiny(form: Format) -> float:
    """What underflow may lose: the least normal number where it may be flushed to zero, else half a subnormal."""
    return 2.0 ** form[1] if form[1] == -126 else max(2.0 ** (form[1] - form[0]), 2.0**-1074)


def _checked(value: Array, error: Array, form: Format) -> Array:
    """The error, infinite where the format may overflow or the analysis has no number (0·∞)."""
    xp = _namespace(value)
    return xp.where(abs(value) + error < form[2], error, xp.inf)


def _stored(value: Array, error: Array, form: Format) -> Array:
    """The error after rounding to a format, whatever scaling the rounding meets: relative, zero stays zero."""
    xp = _namespace(value)
    size = abs(value) + error
    rounded = xp.where(size > 0, error + 2.0 ** -form[0] * size + _tiny(form), 0.0)
    return xp.where(size < form[2], rounded, xp.inf)


def _output(value: Array, error: Array, form: Format) -> Array:
    """The error after rounding the result to its format: half a unit in the last place of its binade."""
    xp = _namespace(value)
    size = abs(value) + error
    binade = xp.floor(xp.log2(xp.where((size > 0) & (size < xp.inf), size, 1.0) * (1 + 2.0**-40)))
    half = 2.0 ** (xp.where(binade < form[1], form[1] * 1.0, binade) - form[0])
    rounded = xp.where(size > 0, {second} * error + half, 0.0)
    return xp.where(size < form[2], rounded, xp.inf)


def _product_error(a: Array, a_err: Array | None, b: Array, b_err: Array | None) -> Array:
    """|a b − ã b̃| for factors with errors."""
    total = 0.0
    if a_err is not None:
        total = total + a_err * abs(b)
    if b_err is not None:
        total = total + abs(a) * b_err
    if a_err is not None and b_err is not None:
        total = total + a_err * b_err
    return total


def _quotient_error(value: Array, a_err: Array | None, b: Array, b_err: Array | None) -> Array:
    """|a/b − ã/b̃|; infinite where the divisor may be zero."""
    xp = _namespace(value)
    if b_err is None:
        return a_err / abs(b)
    room = abs(b) - b_err
    total = abs(value) * b_err if a_err is None else a_err + abs(value) * b_err
    return xp.where(room > 0, total / xp.where(room > 0, room, 1.0), xp.where(total > 0, xp.inf, 0.0))


def _log_error(b: Array, b_err: Array) -> Array:
    """|log b − log b̃| for positive b; infinite where b̃ may not be positive."""
    xp = _namespace(b)
    share = b_err / b
    return xp.where(share < 1, -xp.log1p(-xp.where(share < 1, share, 0.0)), xp.inf)


def _exp_error(value: Array, moved: Array, u: float) -> Array:
    """|exp(x) − fl(exp(x̃))| for an argument that moved; its scaling by log₂e moves it as well."""
    xp = _namespace(value)
    return xp.where(moved < 700, value * xp.expm1(xp.where(moved < 700, moved, 0.0)) + 4 * u * value, xp.inf)


def _matmul_error(
    a: Array,
    a_err: Array | None,
    b: Array,
    b_err: Array | None,
    terms: int,
    precision: Mapping[str, Format],
    name: str = "",
) -> Array:
    """|a @ b − fl(ã @ b̃)| for sums of so many terms; operands may be rounded, and scaled, before the product.

    The partial sums of a named result may be stored after each block of {block} terms, in the format `NAME_partial`.
    """
    accumulator = precision.get("accumulate", precision["compute"])
    gamma = (terms + 4) * 2.0 ** -accumulator[0]
    if "operand" in precision:
        gamma = gamma + 2 * 2.0 ** -precision["operand"][0]
    if f"{name}_partial" in precision:
        gamma = gamma + -(-terms // {block}) * 2.0 ** -precision[f"{name}_partial"][0]
    size_a, size_b = abs(a), abs(b)
    total = gamma * (size_a @ size_b)
    if b_err is not None:
        total = total + (1 + gamma) * (size_a @ b_err)
    if a_err is not None:
        total = total + (1 + gamma) * (a_err @ (size_b if b_err is None else size_b + b_err))
    return total + terms * _tiny(accumulator)
'''


def bound_helpers(text: str) -> list[str]:
    """The helper functions that the bounds in `text` call."""
    if "_bound(" not in text:
        return []
    source = _HELPERS.replace("{second}", str(SECOND_ORDER)).replace("{block}", str(PARTIAL_BLOCK))
    parts = [part.strip("\n") + "\n" for part in source.split("\n\n\n")]
    needed: list[str] = []
    for part in reversed(parts):
        name = part.split("(")[0].removeprefix("def ")
        if f"{name}(" in text or any(f"{name}(" in other for other in needed):
            needed.insert(0, part)
    return needed


def bound_functions(op: Operation) -> list[str]:
    """The bounds of the forward function and of the vector-Jacobian product."""
    forward, backward = forward_signature(op), vjp_signature(op)
    return [
        _bound(op.program.pruned(), forward, f"{op.name}_bound", alternatives=False),
        _bound(op.vjp, backward, f"{op.name}_vjp_bound", alternatives=True),
    ]


def _bound(program: Program, signature: Signature, name: str, *, alternatives: bool) -> str:
    context = context_of(program, signature)
    returns = ["Array | None" if t in signature.missing else "Array" for t in signature.outputs]
    result = returns[0] if len(returns) == 1 else f"tuple[{', '.join(returns)}]"
    arguments = argument_list(signature, ["precision: Mapping[str, Format]"])
    writer = _Writer(program, signature, context, alternatives)
    outputs = ", ".join(t.name for t in signature.outputs)
    docstring = [
        f'"""Bound of the rounding error of `{signature.name}`, element by element.',
        "",
        "Args:",
        f"    precision: formats: `compute`, `accumulate`, `operand`, and of each stored value ({_names(program)}).",
        "",
        "Returns:",
        f"    absolute errors of {outputs}, infinite where a format may overflow.",
        '"""',
    ]
    lines = [
        *(piece for line in docstring for piece in wrapped(line)),
        f"xp = _namespace({signature.required[0].name})",
        'u = 2.0 ** -precision["compute"][0]',
        'u_sum = 2.0 ** -precision.get("accumulate", precision["compute"])[0]',
        'tiny = _tiny(precision["compute"])',
        *(
            f"{t.name} = {compile_default(v, context)} if {t.name} is None else {t.name}"
            for t, v in signature.defaults.items()
        ),
    ]
    for step in program.steps:
        lines += writer.definition(step)
    shown = []
    for tensor in signature.outputs:
        source = signature.missing.get(tensor)
        shown.append(f"None if {source.name} is None else {tensor.name}_err" if source else f"{tensor.name}_err")
    lines.append(f"return {', '.join(shown)}")
    head = signature_lines(name, arguments, result)
    if not any("u_sum *" in line for line in lines):
        lines = [line for line in lines if not line.startswith("u_sum =")]
    return "\n".join(['@np.errstate(all="ignore")', *head, *(f"    {line}" if line else "" for line in lines)]) + "\n"


def _names(program: Program) -> str:
    return ", ".join(step.tensor.name for step in program.steps)


@dataclass(frozen=True)
class _Val:
    """A value and its absolute error (None: exact)."""

    code: Code
    error: Code | None


class _Writer:
    """Writes each definition as elementary steps with their errors."""

    def __init__(self, program: Program, signature: Signature, context: Context, alternatives: bool) -> None:
        self.program = program
        self.signature = signature
        self.context = context
        self.alternatives = alternatives
        self.exact: set[Tensor] = set(program.inputs)
        self.lines: list[str] = []
        self.name = ""
        self.count = 0

    def definition(self, step: Def) -> list[str]:
        """The lines of one definition."""
        self.lines = [f"# {step}"]
        self.context.order[:] = list(step.indices)
        self.count = 0
        forms = (step.value, *(step.alternatives if self.alternatives else ()))
        name = step.tensor.name
        for number_, form in enumerate(forms):
            self.name = name if number_ == 0 else f"{name}_alt"
            if number_:
                self.lines.append(f"# or {name} = {form}")
            exact = self._form(step, form, self.name)
            if number_:
                self.lines.append(f"{name}_err = xp.maximum({name}_err, {name}_alt_err)")
        if exact:
            self.exact.add(step.tensor)
            return self.lines
        self._finish(step)
        return self.lines

    def _form(self, step: Def, form: Expr, name: str) -> bool:
        main, extras = split_optional(form, self.context.optional)
        val = self.value(main, top=name)
        value = aligned(val.code, step.indices).text
        if value != name:
            self.lines.append(f"{name} = {value}")
        if val.error is None and not extras:
            if step.tensor in self.signature.outputs:
                self.lines.append(f"{name}_err = 0.0 * {name}")
                return False
            self._guards(step, name)
            return True
        error = aligned(val.error, step.indices).text if val.error is not None else f"0.0 * {name}"
        if error != f"{name}_err":
            self.lines.append(f"{name}_err = {error}")
        for tensor, sign, entry in extras:
            shown = aligned(compile_expr(entry, self.context), step.indices).at(UNARY)
            self.lines += [
                f"if {tensor.name} is not None:",
                f"    {name} = {name} {sign} {shown}",
                f"    {name}_err = {name}_err + u * abs({name})",
            ]
        self._guards(step, name)
        return False

    def _guards(self, step: Def, name: str) -> None:
        if isinstance(step.value, Max) and self.program.zero_over_empty:
            self.lines.append(f"{name} = xp.where({name} == -xp.inf, 0.0, {name})")
        if step.tensor in self.program.zero_over_empty:
            self.lines.append(f"{name}_safe = xp.where({name} > 0, {name}, 1.0)")

    def _finish(self, step: Def) -> None:
        name = step.tensor.name
        plain = isinstance(step.value, Entry)
        if step.tensor in self.signature.outputs:
            form = f'precision.get("{name}", precision["compute"])'
            self.lines.append(f"{name}_err = _output({name}, {name}_err, {form})")
        elif not plain:
            self.lines.append(f'{name}_err = _checked({name}, {name}_err, precision["compute"])')
            self.lines.append(f'if "{name}" in precision:')
            self.lines.append(f'    {name}_err = _stored({name}, {name}_err, precision["{name}"])')
        if step.within is not None:
            low, high = step.within
            width = f"{high - low} + u"
            self.lines.append(f"{name}_err = xp.where({name}_err < xp.inf, xp.minimum({name}_err, {width}), xp.inf)")

    # Elementary steps -----------------------------------------------------------------------------------------------

    def value(self, expr: Expr, top: str | None = None) -> _Val:
        """The value of an expression and its error, as code; intermediate values get names."""
        match expr:
            case Const(value):
                return _Val(number(value), None)
            case Size():
                return _Val(compile_expr(expr, self.context), None)
            case Entry(tensor, _):
                code = compile_expr(expr, self.context)
                error = None if tensor in self.exact else Code(f"{tensor.name}_err", code.axes)
                return _Val(code, error)
            case Add(terms):
                return self._add(terms, top)
            case Mul(factors):
                return self._mul(factors, top)
            case Pow(base, exponent):
                return self._pow(base, exponent, top)
            case Fn(name, argument):
                return self._fn(name, self.value(argument), expr, top)
            case Sum():
                return self._sum(expr, top)
            case Max():
                return _Val(compile_expr(expr, self.context), None)
            case _:
                raise CannotGenerate(f"{expr}: no rounding rule for {type(expr).__name__}")

    def _named(self, code: Code, error: str, axes: Sequence[Index], top: str | None) -> _Val:
        """Gives a value and its error names, unless they are those of the definition itself."""
        if top is None:
            self.count += 1
            top = f"{self.name}_{self.count}"
        if code.text != top:
            self.lines.append(f"{top} = {code.text}")
        self.lines.append(f"{top}_err = {error.replace('{v}', top)}")
        return _Val(Code(top, tuple(axes)), Code(f"{top}_err", tuple(axes)))

    def _add(self, terms: tuple[Expr, ...], top: str | None) -> _Val:
        signed = sorted(((negative(t), self.value(without_sign(t))) for t in terms), key=lambda item: item[0])
        axes = self.context.sorted({ix for _, v in signed for ix in v.code.axes})
        pieces = [(minus, aligned(v.code, axes)) for minus, v in signed]
        text = "".join(f" {'-' if minus else '+'} {piece.at(UNARY)}" for minus, piece in pieces)
        text = text.removeprefix(" + ") if text.startswith(" + ") else f"-{text.removeprefix(' - ')}"
        errors = [aligned(v.error, axes).text for _, v in signed if v.error is not None]
        rounding = "u * abs({v})"
        if len(terms) > 2:  # partial sums may be larger than the result
            sizes = " + ".join(f"abs({piece.text})" for _, piece in pieces)
            rounding = f"{len(terms) - 1} * u * ({sizes})"
        return self._named(Code(text, axes), " + ".join([*errors, rounding]), axes, top)

    def _mul(self, factors: tuple[Expr, ...], top: str | None) -> _Val:
        masks = [f for f in factors if is_boolean(f)]
        others = [f for f in factors if not is_boolean(f)]
        if masks:
            return self._masked(masks, others, top)
        minus = others[0] == Const(Fraction(-1))
        if minus and len(others) == 2:
            val = self.value(others[1])
            return _Val(Code(f"-{val.code.at(UNARY)}", val.code.axes, UNARY), val.error)
        result = self.value(others[0])
        for place, factor in enumerate(others[1:], start=1):
            last = top if place == len(others) - 1 else None
            result = self._times(result, factor, last)
        return result

    def _masked(self, masks: list[Expr], others: list[Expr], top: str | None) -> _Val:
        if len(masks) != 1:
            raise CannotGenerate("a product of several masks")
        (mask,) = masks
        assert isinstance(mask, Entry)
        function = "_where" if mask.tensor in self.context.optional else "xp.where"
        inner = Mul(tuple(others)) if len(others) > 1 else others[0]
        if isinstance(inner, Fn) and inner.name == "exp":  # exp(−∞) = 0 keeps a huge masked score from overflowing
            argument = self.value(inner.argument)
            code = Code(f"{function}({mask.tensor.name}, {argument.code.text}, -xp.inf)", argument.code.axes)
            val = self._fn("exp", _Val(code, argument.error), inner, top)
        else:
            val = self.value(inner, top)
            self.lines.append(f"{val.code.text} = {function}({mask.tensor.name}, {val.code.text}, 0.0)")
        assert val.error is not None
        self.lines.append(f"{val.error.text} = {function}({mask.tensor.name}, {val.error.text}, 0.0)")
        return val

    def _times(self, left: _Val, factor: Expr, top: str | None) -> _Val:
        divides = isinstance(factor, Pow) and factor.exponent == -1
        right = self.value(factor.base if divides and isinstance(factor, Pow) else factor)
        code_r = right.code
        if divides and isinstance(factor, Pow) and isinstance(factor.base, Entry):
            tensor = factor.base.tensor
            if tensor in self.context.guarded:
                code_r = Code(f"{tensor.name}_safe", code_r.axes)
        axes = self.context.sorted(set(left.code.axes) | set(code_r.axes))
        l_code, r_code = aligned(left.code, axes), aligned(code_r, axes)
        l_err = aligned(left.error, axes).text if left.error is not None else "None"
        r_err = aligned(right.error, axes).text if right.error is not None else "None"
        scalar = left.code.scalar and code_r.scalar
        sign = "/" if divides else "*"
        text = f"{l_code.at(UNARY)} {sign} {r_code.at(UNARY)}"
        if scalar and left.error is None and right.error is None:
            return _Val(Code(text, axes, 1, True), None)
        if left.error is None and right.error is None:
            error = "u * abs({v}) + tiny"
        elif divides:
            error = f"_quotient_error({{v}}, {l_err}, {r_code.text}, {r_err}) + u * abs({{v}}) + tiny"
        else:
            error = f"_product_error({l_code.text}, {l_err}, {r_code.text}, {r_err}) + u * abs({{v}}) + tiny"
        return self._named(Code(text, axes), error, axes, top)

    def _pow(self, base: Expr, exponent: Fraction, top: str | None) -> _Val:
        if exponent == -1:
            return self._times(_Val(number(Fraction(1)), None), Pow(base, exponent), top)
        if exponent.denominator == 1 and exponent > 1:
            val = self.value(base)
            x, e = val.code.at(ATOM), val.error.text if val.error is not None else "0.0"
            k = int(exponent)
            error = (
                f"(abs({val.code.text}) + {e}) ** {k} - abs({val.code.text}) ** {k} + {k - 1} * u * abs({{v}}) + tiny"
            )
            return self._named(Code(raised(x, str(k)), val.code.axes), error, val.code.axes, top)
        raise CannotGenerate(f"no rounding rule for the power {exponent}")

    def _fn(self, name: str, argument: _Val, expr: Expr, top: str | None) -> _Val:
        x, e = argument.code, argument.error
        text = f"xp.{name}({x.text})"
        if name == "log":
            inner = x.text
            safe = f"{inner}_safe" if self._is_guarded(expr) else inner
            if self._is_guarded(expr):
                text = f"xp.where({inner} > 0, xp.log({safe}), -xp.inf)"
            moved = f"_log_error({safe}, {e.text})" if e is not None else "0.0"
            error = f"{moved} + 4 * u * xp.where({{v}} > -xp.inf, abs({{v}}), 0.0)"
        elif name == "exp":
            moved = e.text if e is not None else "0.0"
            error = f"_exp_error({{v}}, {moved} + 2 * u * abs({self._finite(x)}), u) + tiny"
        elif name == "tanh":
            error = f"{e.text if e is not None else '0.0'} + 4 * u * abs({{v}})"
        else:
            raise CannotGenerate(f"no rounding rule for {name}")
        return self._named(Code(text, x.axes), error, x.axes, top)

    def _is_guarded(self, expr: Expr) -> bool:
        return (
            isinstance(expr, Fn) and isinstance(expr.argument, Entry) and expr.argument.tensor in self.context.guarded
        )

    def _finite(self, code: Code) -> str:
        """The argument of an exponential, without the −∞ that a mask puts there."""
        if "_where(" in code.text or "xp.where(" in code.text:
            return code.text.split(", ")[1]
        return code.text

    def _sum(self, expr: Sum, top: str | None) -> _Val:
        indices, body = split_sum(expr)
        factors = body.factors if isinstance(body, Mul) else (body,)
        terms = " * ".join(self.context.sizes[ix.dim] for ix in indices)
        if len(factors) == 2:
            first, second = (self.value(f) for f in factors)
            product = product_of(first.code, second.code, indices, self.context)
            if product is not None:
                return self._matmul(first, second, indices, terms, top)
        val = self.value(body)
        axes, text = val.code.axes, val.code.text
        size = f"abs({text})"
        moved = val.error.text if val.error is not None else None
        for index in reversed(indices):
            place = axes.index(index) - len(axes)
            text, size = f"xp.sum({text}, axis={place})", f"xp.sum({size}, axis={place})"
            moved = f"xp.sum({moved}, axis={place})" if moved is not None else None
            axes = tuple(ix for ix in axes if ix is not index)
        rounding = f"{terms} * u_sum * {size}"
        return self._named(Code(text, axes), f"{moved} + {rounding}" if moved else rounding, axes, top)

    def _matmul(self, first: _Val, second: _Val, indices: tuple[Index, ...], terms: str, top: str | None) -> _Val:
        product = product_of(first.code, second.code, indices, self.context)
        assert product is not None
        swapped = first.code.text not in product.left.text
        left, right = (second, first) if swapped else (first, second)
        l_err = self._laid(left, product.left)
        r_err = self._laid(right, product.right)
        named = f', "{self.name}"' if product.extra else ""
        call = f"_matmul_error({product.left.text}, {l_err}, {product.right.text}, {r_err}, {terms}, precision{named})"
        axes = product.axes
        for index in product.extra:
            place = axes.index(index) - len(axes)
            call = f"xp.sum({call}, axis={place})"
            axes = tuple(ix for ix in axes if ix is not index)
        code = product.code
        return self._named(Code(code.text, code.axes), call, code.axes, top)

    def _laid(self, val: _Val, laid: Code) -> str:
        """The error of an operand, laid out as the operand is."""
        if val.error is None:
            return "None"
        return laid.text.replace(val.code.text, val.error.text, 1)
