"""The rounding rules: from an expression to the code of its value and of its error, one elementary step a line.

An error has two parts. The own part is what each element may be off by, independently of the others. A row symbol is
the error of a value that a whole row shares (a sum, a log-sum-exp, delta): it moves the elements of the row together,
each by its signed coefficient, so that a sum along the row adds the coefficients with their signs. A sum across rows,
and a step for which no first-order rule is written, takes absolute values and so makes them own errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from ...derivations.calculus.expr import Add, Const, Entry, Expr, Fn, Index, Max, Mul, Pow, Size, Sum, Tensor
from .arrays import (
    ATOM,
    UNARY,
    CannotGenerate,
    Code,
    Context,
    aligned,
    as_product,
    compile_expr,
    is_boolean,
    negative,
    number,
    product_of,
    raised,
    split_sum,
    without_sign,
)
from .error_terms import PartialSums, Symbol, Val, all_symbols, laid, own, product_row, signed_sum, statement

ANONYMOUS = "row"  # the symbol of a row-level value that is no definition of its own


class Rules:
    """Writes the steps of one definition after the other into `lines`."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.known: dict[Tensor, Val] = {}
        self.lines: list[str] = []
        self.written: dict[str, str] = {}
        self.anonymous = 0
        self.final = False
        self.shifts = False
        self.name = ""
        self.count = 0
        self.partial: PartialSums | None = None
        self.operands: dict[str, str] = {}  # of each matrix product, as the last arguments of `_scaling_error`

    def start(self, name: str, *, final: bool) -> None:
        """Begins a definition, or another form of it; `final` if nothing will use the value."""
        self.name, self.count, self.partial, self.final = name, 0, None, final

    def value(self, expr: Expr, top: str | None = None) -> Val:
        """The value of an expression and its error, as code; intermediate values get names.

        Raises:
            CannotGenerate: there is no rule for it.
        """
        match expr:
            case Const(value):
                return Val(number(value))
            case Size() | Max():
                return Val(compile_expr(expr, self.context))
            case Entry(tensor, _):
                return self._entry(tensor, compile_expr(expr, self.context))
            case Add(terms):
                return self._add(terms, top)
            case Mul(factors):
                return self._mul(factors, top)
            case Pow(base, exponent):
                return self._pow(base, exponent, top)
            case Fn(name, _):
                return self._fn(name, self._argument(expr), expr, top)
            case Sum():
                return self._sum(expr, top)
            case _:
                raise CannotGenerate(f"{expr}: no rounding rule for {type(expr).__name__}")

    # Parts of an error ----------------------------------------------------------------------------------------------

    def size_of_rows(self, val: Val) -> Code | None:
        """The most that the row symbols add to an error, under a name if there are several."""
        sizes = [c.text if c.text.endswith("_err") else f"abs({c.text})" for c in val.rows.values()]
        if len(sizes) < 2:
            return Code(sizes[0], val.code.axes) if sizes else None
        return self._once(f"{val.code.text}_rows", " + ".join(sizes), val.code.axes)

    def collapsed(self, val: Val, symbols: Iterable[Symbol] | None = None) -> Val:
        """The value with row symbols (all of them, or these) as part of its own error."""
        gone = {s: c for s, c in val.rows.items() if symbols is None or s in symbols}
        kept = {s: c for s, c in val.rows.items() if s not in gone}
        size = self.size_of_rows(Val(val.code, None, gone))
        if size is None:
            return val
        if val.error is None:
            return Val(val.code, size, kept)
        return Val(val.code, self._once(f"{val.code.text}_total", f"{val.error.text} + {size.text}", size.axes), kept)

    def _once(self, name: str, text: str, axes: tuple[Index, ...]) -> Code:
        if self.written.get(name) != text:
            self.written[name] = text
            self.lines.append(f"{name} = {text}")
        return Code(name, axes)

    def _entry(self, tensor: Tensor, code: Code) -> Val:
        val = self.known.get(tensor)
        if val is None:
            return Val(code)
        moved = dict(zip(val.code.axes, code.axes, strict=True))
        error = None if val.error is None else Code(val.error.text, code.axes)
        rows = {
            Symbol(symbol.name, tuple(moved[ix] for ix in symbol.axes)): Code(c.text, code.axes)
            for symbol, c in val.rows.items()
        }
        return Val(code, error, rows)

    def _spread(self, val: Val, axes: Sequence[Index]) -> Val:
        """A value about to be used along more axes: its own error becomes that of a row."""
        if val.error is None or val.code.scalar or set(val.code.axes) == set(axes):
            return val
        self.anonymous += 1
        name = ANONYMOUS if self.anonymous == 1 else f"{ANONYMOUS}{self.anonymous}"
        return Val(val.code, None, {**val.rows, Symbol(name, val.code.axes): val.error})

    def _compatible(self, vals: Sequence[Val]) -> list[Val]:
        """The values, without row symbols if two of one name belong to different rows."""
        symbols = {symbol for val in vals for symbol in val.rows}
        if len({symbol.name for symbol in symbols}) == len(symbols):
            return list(vals)
        return [self.collapsed(val) for val in vals]

    def _named(
        self,
        code: Code,
        errors: list[str],
        rows: dict[Symbol, str],
        axes: Sequence[Index],
        top: str | None,
        *,
        overflows: bool = True,
    ) -> Val:
        """Gives a value, its own error (a sum) and its coefficients names; {v} stands for the value. A step on the way
        to a definition is checked for overflow here, where it may be larger than what it is made of."""
        step = top is None
        if top is None:
            self.count += 1
            top = f"{self.name}_{self.count}"
        if code.text != top:
            self.lines.append(f"{top} = {code.text}")
        self.lines += statement(f"{top}_err", [part.replace("{v}", top) for part in errors])
        named: dict[Symbol, Code] = {}
        for symbol, text in rows.items():
            name = f"{top}_{symbol.name}"
            self.lines.append(f"{name} = {text.replace('{v}', top)}")
            named[symbol] = Code(name, tuple(axes))
        if step and overflows:
            size = self.size_of_rows(Val(Code(top, tuple(axes)), None, named))
            more = "" if size is None else f", {size.text}"
            self.lines.append(f'{top}_err = _checked({top}, {top}_err, precision["compute"]{more})')
        return Val(Code(top, tuple(axes)), Code(f"{top}_err", tuple(axes)), named)

    # Sums and products of a few -------------------------------------------------------------------------------------

    def _add(self, terms: tuple[Expr, ...], top: str | None, *, scaled: bool = False) -> Val:
        """`scaled`: a term that is computed on the spot (a log-sum-exp) may be multiplied by log₂e before."""
        signed = sorted(((negative(t), self.value(without_sign(t))) for t in terms), key=lambda item: item[0])
        for _, v in signed:
            if scaled and v.error is not None and v.code.text.startswith(f"{self.name}_"):
                self.lines.append(f"{v.error.text} = {v.error.text} + 2 * u * abs({v.code.text})")
        axes = self.context.sorted({ix for _, v in signed for ix in v.code.axes})
        vals = self._compatible([self._spread(v, axes) for _, v in signed])
        signs = [minus for minus, _ in signed]
        text = signed_sum([(minus, aligned(v.code, axes)) for minus, v in zip(signs, vals, strict=True)])
        errors = " + ".join(aligned(v.error, axes).text for v in vals if v.error is not None) or "0.0"
        rounding = "u * abs({v})"
        if len(terms) > 2:  # partial sums may be larger than the result
            sizes = " + ".join(f"abs({aligned(v.code, axes).text})" for v in vals)
            rounding = f"{len(terms) - 1} * u * ({sizes})"
        rows = {
            symbol: signed_sum(
                [
                    (minus, aligned(v.rows[symbol], axes))
                    for minus, v in zip(signs, vals, strict=True)
                    if symbol in v.rows
                ]
            )
            for symbol in all_symbols(vals)
        }
        return self._named(Code(text, axes), [f"_added({{v}}, {errors}, {rounding})"], rows, axes, top)

    def _mul(self, factors: tuple[Expr, ...], top: str | None) -> Val:
        masks = [f for f in factors if is_boolean(f)]
        others = [f for f in factors if not is_boolean(f)]
        if masks:
            return self._masked(masks, others, top)
        if others[0] == Const(Fraction(-1)) and len(others) == 2:
            val = self.value(others[1])
            rows = {s: Code(f"-{c.at(UNARY)}", c.axes, UNARY) for s, c in val.rows.items()}
            return Val(Code(f"-{val.code.at(UNARY)}", val.code.axes, UNARY), val.error, rows)
        result = self.value(others[0])
        for place, factor in enumerate(others[1:], start=1):
            last = top if place == len(others) - 1 else None
            result = self._times(result, factor, last)
        return result

    def _masked(self, masks: list[Expr], others: list[Expr], top: str | None) -> Val:
        if len(masks) != 1:
            raise CannotGenerate("a product of several masks")
        (mask,) = masks
        assert isinstance(mask, Entry)
        function = "_where" if mask.tensor in self.context.optional else "xp.where"
        inner = Mul(tuple(others)) if len(others) > 1 else others[0]
        if isinstance(inner, Fn) and inner.name == "exp":  # exp(−∞) = 0 keeps a huge masked score from overflowing
            masked = f"{function}({mask.tensor.name}, {{}}, -xp.inf)"
            val = self._fn("exp", self._argument(inner), inner, top, masked)
        else:
            val = self.value(inner, top)
            self.lines.append(f"{val.code.text} = {function}({mask.tensor.name}, {val.code.text}, 0.0)")
        for code in (*([] if val.error is None else [val.error]), *val.rows.values()):
            self.lines.append(f"{code.text} = {function}({mask.tensor.name}, {code.text}, 0.0)")
        return val

    def _times(self, left: Val, factor: Expr, top: str | None) -> Val:
        divides = isinstance(factor, Pow) and factor.exponent < 0
        divisor = _inverse(factor) if isinstance(factor, Pow) and divides else factor
        right = self.value(divisor)
        if divides and isinstance(divisor, Entry):
            tensor = divisor.tensor
            if tensor in self.context.guarded:
                right = Val(Code(f"{tensor.name}_safe", right.code.axes), right.error, right.rows)
        axes = self.context.sorted(set(left.code.axes) | set(right.code.axes))
        if self.final and top is not None and left.code.scalar and left.exact:
            right = self.collapsed(right)
        left, right = self._compatible([self._spread(left, axes), self._spread(right, axes)])
        a, b = aligned(left.code, axes), aligned(right.code, axes)
        text = f"{a.at(UNARY)} {'/' if divides else '*'} {b.at(UNARY)}"
        if left.exact and right.exact:
            if left.code.scalar and right.code.scalar:
                return Val(Code(text, axes, 1, True))
            return self._named(Code(text, axes), ["u * abs({v})", "tiny"], {}, axes, top)
        parts = [a.text, own(left, axes), b.text, own(right, axes), "tiny"]
        sizes = [self.size_of_rows(v) for v in (left, right)]
        if any(sizes):
            parts += ["0.0" if size is None else aligned(size, axes).text for size in sizes]
        more = ["u * abs({v})"]
        for scalar, other in ((left, right), (right, left)):
            if scalar.code.scalar and scalar.exact and not divides and other.code.text in self.operands:
                more.append(self.operands[other.code.text].format(scalar.code.text))
        call = f"_quotient_error({{v}}, {', '.join(parts)})" if divides else f"_product_error({', '.join(parts)})"
        rows = {symbol: product_row(left, right, symbol, axes, divides) for symbol in all_symbols([left, right])}
        return self._named(Code(text, axes), [call, *more], rows, axes, top)

    def _pow(self, base: Expr, exponent: Fraction, top: str | None) -> Val:
        if exponent < 0:
            return self._times(Val(number(Fraction(1))), Pow(base, exponent), top)
        if exponent.denominator == 1 and exponent > 1:
            val = self.collapsed(self.value(base))
            x, e = val.code.at(ATOM), val.error.text if val.error is not None else "0.0"
            k = int(exponent)
            size = f"abs({val.code.text})"
            errors = [f"({size} + {e}) ** {k} - {size} ** {k}", f"{k - 1} * u * abs({{v}})", "tiny"]
            return self._named(Code(raised(x, str(k)), val.code.axes), errors, {}, val.code.axes, top)
        raise CannotGenerate(f"no rounding rule for the power {exponent}")

    def _argument(self, expr: Fn) -> Val:
        if expr.name != "exp" or not isinstance(expr.argument, Add):
            return self.value(expr.argument)
        self.shifts = True
        argument = self._add(expr.argument.terms, None, scaled=True)
        self.shifts = False
        return argument

    def _fn(self, name: str, argument: Val, expr: Expr, top: str | None, masked: str = "{}") -> Val:
        x = argument.code
        text = f"xp.{name}({masked.format(x.text)})"
        if name == "tanh":
            argument = self.collapsed(argument)
        e = argument.error.text if argument.error is not None else "0.0"
        size = self.size_of_rows(argument)
        moved = f"{e}, {size.text}" if size is not None else e
        rows: dict[Symbol, str] = {}
        if name == "log":
            safe = x.text
            if (
                isinstance(expr, Fn)
                and isinstance(expr.argument, Entry)
                and expr.argument.tensor in self.context.guarded
            ):
                safe = f"{x.text}_safe"
                # In a row without keys the scores are −∞, and any number may be subtracted from them.
                text = f"xp.log({safe})" if self.shifts else f"xp.where({x.text} > 0, xp.log({safe}), -xp.inf)"
            errors = [] if argument.exact else [f"_log_error({safe}, {moved})"]
            errors.append("4 * u * xp.where({v} > -xp.inf, abs({v}), 0.0)")
            rows = {symbol: f"{c.at(UNARY)} / {safe}" for symbol, c in argument.rows.items()}
        elif name == "exp":
            errors = [f"_exp_error({{v}}, {x.text}, u, tiny, {moved})"]
            rows = {symbol: f"{{v}} * {c.at(UNARY)}" for symbol, c in argument.rows.items()}
        elif name == "tanh":
            errors = [e, "4 * u * abs({v})"]
        else:
            raise CannotGenerate(f"no rounding rule for {name}")
        return self._named(Code(text, x.axes), errors, rows, x.axes, top, overflows=name == "exp")

    # Sums over an axis ----------------------------------------------------------------------------------------------

    def _sum(self, expr: Sum, top: str | None) -> Val:
        indices, body = split_sum(expr)
        factors = body.factors if isinstance(body, Mul) else (body,)
        terms = " * ".join(self.context.sizes[ix.dim] for ix in indices)
        if as_product(expr, self.context) is not None:
            first, second = (self.value(f) for f in factors)
            return self._matmul(first, second, indices, terms, top)
        val = self.value(body)
        val = self.collapsed(val, [s for s in val.rows if set(s.axes) & set(indices)])
        size = f"abs({val.code.text})"
        axes = tuple(ix for ix in val.code.axes if ix not in indices)
        errors = [] if val.error is None else [self._over(indices, val.error.text, val.code.axes)]
        moved = " + ".join(errors) or "0.0"
        errors = [f"_sum_error({self._over(indices, size, val.code.axes)}, {moved}, {terms}, precision)"]
        rows = {symbol: self._over(indices, c.text, val.code.axes) for symbol, c in val.rows.items()}
        return self._named(Code(self._over(indices, val.code.text, val.code.axes), axes), errors, rows, axes, top)

    def _over(self, indices: Sequence[Index], text: str, axes: tuple[Index, ...]) -> str:
        for index in reversed(indices):
            text = f"xp.sum({text}, axis={axes.index(index) - len(axes)})"
            axes = tuple(ix for ix in axes if ix is not index)
        return text

    def _matmul(self, first: Val, second: Val, indices: tuple[Index, ...], terms: str, top: str | None) -> Val:
        product = product_of(first.code, second.code, indices, self.context)
        assert product is not None
        swapped = first.code.text not in product.left.text
        left, right = (second, first) if swapped else (first, second)
        left = self.collapsed(left, [s for s in left.rows if set(s.axes) & set(indices)])
        right = self.collapsed(right)
        l_err, r_err = laid(left, left.error, product.left), laid(right, right.error, product.right)
        rows_size = self.size_of_rows(left)
        moved = [] if rows_size is None else [laid(left, rows_size, product.left)]
        parts = [product.left.text, l_err, product.right.text, r_err, terms, "precision", *moved]
        call = self._over(product.extra, f"_matmul_error({', '.join(parts)})", product.axes)
        rows = {
            symbol: product.of(laid(left, c, product.left), product.right.at(UNARY)).text
            for symbol, c in left.rows.items()
        }
        self._note_partial_sums(
            product.extra,
            product.contracted,
            product.axes,
            [(product.left.text, [l_err, *moved]), (product.right.text, [r_err])],
        )
        val = self._named(product.code, [call], rows, product.code.axes, top)
        scaling = f"_scaling_error({{}}, {product.left.text}, {product.right.text}, tiny)"
        self.operands[val.code.text] = self._over(product.extra, scaling, product.axes)
        return val

    def _note_partial_sums(
        self,
        extra: tuple[Index, ...],
        contracted: Index,
        axes: tuple[Index, ...],
        operands: list[tuple[str, list[str]]],
    ) -> None:
        sizes = []
        for text, errors in operands:
            terms = [f"abs({text})", *(error for error in errors if error != "None")]
            sizes.append(terms[0] if len(terms) == 1 else f"({' + '.join(terms)})")
        size = " @ ".join(sizes)
        members = " * ".join(self.context.sizes[ix.dim] for ix in extra) or "1"
        size = self._over(extra, size, axes) if extra else f"({size})"
        self.partial = PartialSums(size, self.context.sizes[contracted.dim], members)


def _inverse(power: Pow) -> Expr:
    return power.base if power.exponent == -1 else Pow(power.base, -power.exponent)
