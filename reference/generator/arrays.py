"""From an expression in index notation to one line of array code.

A sum of products of two arrays becomes a matrix product; a factor that is 0 or 1 selects with `where`; a lookup reads
rows, and a sum over a one-hot matrix adds to rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ...derivations.calculus.expr import (
    ONE,
    Add,
    Const,
    Delta,
    Entry,
    Expr,
    Fn,
    Gated,
    Index,
    Larger,
    Mapped,
    Max,
    Mul,
    Place,
    Pow,
    Predicate,
    Size,
    Sum,
    free_indices,
)
from .code import (
    ADD,
    ATOM,
    MUL,
    UNARY,
    CannotGenerate,
    Code,
    Context,
    aligned,
    is_boolean,
    negated,
    negative,
    number,
    raised,
    without_sign,
)
from .lookups import comparison, lookup, one_hot, position, scattered

OVERWRITES = ("_minus(", "_over(")  # calls whose result is in memory that is not read again
HELPERS = frozenset({"sigmoid", "relu", "step", "erf", "erfc"})  # functions that NumPy does not have


def compile_expr(expr: Expr, context: Context) -> Code:
    """Code for an expression.

    Raises:
        CannotGenerate: there is no array form.
    """
    match expr:
        case Const(value):
            return number(value)
        case Size(dim):
            return Code(context.sizes[dim], scalar=True)
        case Entry():
            return _entry(expr, context)
        case Gated(body, _):
            return compile_expr(body, context)
        case Delta():
            return one_hot(expr, context)
        case Predicate(affine):
            return comparison(affine, context)
        case Place(affine):
            return position(affine, context)
        case Add(terms):
            return _sum_of_terms(terms, context)
        case Mul(factors):
            return _product(factors, context)
        case Pow(base, exponent):
            return _power(base, exponent, context)
        case Fn("log", Entry(tensor, _)) if tensor in context.guarded:
            inner = compile_expr(expr.argument, context)
            return Code(f"xp.where({inner.text} > 0, xp.log({tensor.name}_safe), -xp.inf)", inner.axes)
        case Fn("exp", argument):
            return _exponential(argument, compile_expr(argument, context), context)
        case Fn("acos", Const(value)) if value == -1:
            return Code("np.pi", scalar=True)
        case Fn(name, argument):
            inner = compile_expr(argument, context)
            if inner.scalar:
                given = (
                    f"_{name}(np.asarray({inner.text}, np.float64))" if name in HELPERS else f"np.{name}({inner.text})"
                )
                return Code(f"float({given})", scalar=True)
            function = f"_{name}" if name in HELPERS else f"xp.{name}"
            return Code(f"{function}({inner.text})", inner.axes)
        case Sum():
            return _reduction(expr, context)
        case Max(index, body, where):
            text, axes = _whole(selected(body, where, "-xp.inf", context), context, (index,))
            return _reduced(f"xp.max({text}, axis={{axis}})", axes, index)
        case Larger(left, right):
            sides = [compile_expr(left, context), compile_expr(right, context)]
            axes = context.sorted({ix for side in sides for ix in side.axes})
            return Code(f"xp.maximum({', '.join(aligned(side, axes).text for side in sides)})", axes)
        case _:
            raise CannotGenerate(f"{expr}: {type(expr).__name__} has no array form here")


def _entry(expr: Entry, context: Context) -> Code:
    tensor = expr.tensor
    plain = tuple(ix for ix in expr.indices if isinstance(ix, Index))
    if len(set(plain)) == len(tensor.dims):
        return Code(context.name(tensor), plain, scalar=tensor in context.scalars)
    return lookup(expr, context)


def _exponential(argument: Expr, inner: Code, context: Context) -> Code:
    if inner.scalar:
        return Code(f"float(np.exp({inner.text}))", scalar=True)
    function = "_exp" if context.reuse and _is_new(argument) else "xp.exp"
    return Code(f"{function}({inner.text})", inner.axes, scalar=inner.scalar)


def _is_new(expr: Expr) -> bool:
    """Whether the value is an array of its own: neither a tensor, nor one that an absent mask leaves as it is."""
    return isinstance(expr, Add | Fn) or (isinstance(expr, Mul) and not any(is_boolean(f) for f in expr.factors))


def _is_spent(expr: Expr, context: Context) -> bool:
    return isinstance(expr, Entry) and expr.tensor in context.spent


def _whole(code: Code, context: Context, needed: tuple[Index, ...]) -> tuple[str, tuple[Index, ...]]:
    axes = context.sorted(set(code.axes) | set(needed))
    return aligned(code, axes).text, axes


def _reduced(template: str, axes: tuple[Index, ...], index: Index) -> Code:
    place = axes.index(index) - len(axes)
    return Code(template.format(axis=place), tuple(ix for ix in axes if ix is not index))


def selected(value: Expr, where: Expr, otherwise: str, context: Context) -> Code:
    """The value where a predicate holds, something else elsewhere."""
    code = as_number(value, context)
    if where == ONE:
        return code
    mask = compile_expr(where, context)
    if code.scalar:
        code = Code(f"xp.asarray({code.text}, dtype={context.like}.dtype, device={context.like}.device)")
    axes = context.sorted(set(code.axes) | set(mask.axes))
    function, shown = "xp.where", aligned(mask, axes).text
    if isinstance(where, Entry) and where.tensor in context.optional:
        function, name = "_where", where.tensor.name
        if shown != name:
            shown = f"None if {name} is None else {shown}"
    return Code(f"{function}({shown}, {aligned(code, axes).text}, {otherwise})", axes)


def as_number(expr: Expr, context: Context) -> Code:
    """Code of the value as a number: a boolean array as 0 and 1."""
    code = compile_expr(expr, context)
    return Code(f"xp.astype({code.text}, {context.like}.dtype)", code.axes) if is_boolean(expr) else code


def _sum_of_terms(terms: tuple[Expr, ...], context: Context) -> Code:
    codes = [(as_number(without_sign(t), context), negative(t)) for t in terms]
    axes = context.sorted({ix for code, _ in codes for ix in code.axes})
    if [minus for _, minus in codes] == [False, True] and _is_spent(terms[0], context):
        return Code(f"_minus({aligned(codes[0][0], axes).text}, {aligned(codes[1][0], axes).text})", axes)
    codes.sort(key=lambda item: item[1])
    text = ""
    for code, minus in codes:
        shown = aligned(code, axes)
        if not text:
            text = f"-{negated(shown)}" if minus else shown.at(ADD)
        else:
            text += f" - {shown.at(MUL)}" if minus else f" + {shown.at(MUL)}"
    return Code(text, axes, ADD, all(code.scalar for code, _ in codes))


def _product(factors: tuple[Expr, ...], context: Context) -> Code:
    masks = [f for f in factors if is_boolean(f)]
    others = [f for f in factors if not is_boolean(f)]
    if masks and not others:
        shown = [compile_expr(mask, context) for mask in masks]
        axes = context.sorted({ix for code in shown for ix in code.axes})
        both = " & ".join(aligned(code, axes).at(UNARY) for code in shown)
        return Code(f"xp.astype({both}, {context.like}.dtype)", axes)
    if len(masks) == 1 and len(others) == 1 and isinstance(others[0], Fn) and others[0].name == "exp":
        inner = selected(others[0].argument, masks[0], "-xp.inf", context)  # exp(−∞) = 0
        return _exponential(others[0].argument, inner, context)
    if masks:
        rest: Expr = Mul((*masks[1:], *others)) if len(masks) + len(others) > 2 else (*masks[1:], *others)[0]
        return selected(rest, masks[0], "0.0", context)
    scaled = _scaled_product(others, context)
    if scaled is not None:
        return scaled
    negates = factors[0] == Const(Fraction(-1)) and not all(divides(f) for f in factors[1:])
    sign, factors = ("-", factors[1:]) if negates else ("", factors)
    codes = [
        (_guarded(f, compile_expr(inverse(f) if divides(f) else f, context), context), divides(f)) for f in factors
    ]
    axes = context.sorted({ix for code, _ in codes for ix in code.axes})
    if [below for _, below in codes] == [False, True] and not sign and _is_spent(factors[0], context):
        return Code(f"_over({aligned(codes[0][0], axes).text}, {aligned(codes[1][0], axes).text})", axes)
    made = [code for code, _ in codes if code.text.startswith(OVERWRITES) and code.axes == axes]
    if len(codes) == 2 and len(made) == 1 and not sign and not any(below for _, below in codes):
        other = next(code for code, _ in codes if code is not made[0])
        return Code(f"_times({made[0].text}, {aligned(other, axes).text})", axes)
    codes.sort(key=lambda item: item[1])
    text = ""
    for code, below in codes:
        laid = aligned(code, axes)
        if not text:
            text = f"1 / {laid.at(UNARY)}" if below else f"-{negated(laid)}" if sign else laid.at(MUL)
        else:
            text += f" / {laid.at(UNARY)}" if below else f" * {laid.at(UNARY)}"
    return Code(text, axes, MUL, all(code.scalar for code, _ in codes))


def divides(expr: Expr) -> bool:
    """Whether a factor is a negative power, so that its inverse divides."""
    return isinstance(expr, Pow) and expr.exponent < 0


def inverse(expr: Expr) -> Expr:
    """One over a power."""
    assert isinstance(expr, Pow)
    return expr.base if expr.exponent == -1 else Pow(expr.base, -expr.exponent)


def _guarded(factor: Expr, code: Code, context: Context) -> Code:
    """A sum that may be empty is replaced by its guarded form where it divides."""
    if divides(factor) and isinstance(factor, Pow) and isinstance(factor.base, Entry):
        tensor = factor.base.tensor
        if tensor in context.guarded:
            return Code(code.text.replace(tensor.name, f"{tensor.name}_safe", 1), code.axes, code.level)
    return code


def _power(base: Expr, exponent: Fraction, context: Context) -> Code:
    if exponent < 0:
        return _product((Pow(base, exponent),), context)
    inner = compile_expr(base, context)
    if exponent == Fraction(1, 2):
        if inner.scalar:
            return Code(raised(inner.at(ATOM), "0.5"), (), UNARY, True)
        return Code(f"xp.sqrt({inner.text})", inner.axes)
    return Code(raised(inner.at(ATOM), number(exponent).at(ATOM)), inner.axes, UNARY, inner.scalar)


# Sums of products ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Product:
    """left @ right: both operands laid out, and the axes to be summed after the product."""

    left: Code
    right: Code
    contracted: Index
    axes: tuple[Index, ...]
    extra: tuple[Index, ...]

    @property
    def code(self) -> Code:
        """The code of the product, summed over the extra axes."""
        return self.of(self.left.at(UNARY), self.right.at(UNARY))

    def of(self, left: str, right: str) -> Code:
        """The same product of other operands with the same layout."""
        text, axes, level = f"{left} @ {right}", self.axes, MUL
        for index in self.extra:
            place = axes.index(index) - len(axes)
            text, level = f"xp.sum({text}, axis={place})", ATOM
            axes = tuple(ix for ix in axes if ix is not index)
        return Code(text, axes, level)


def split_sum(expr: Sum) -> tuple[tuple[Index, ...], Expr]:
    """The indices of nested sums, outermost first, and the body."""
    indices: list[Index] = []
    body: Expr = expr
    while isinstance(body, Sum):
        indices.append(body.index)
        body = body.body
    return tuple(indices), body


def as_product(expr: Sum, context: Context) -> Product | None:
    """The sum as a matrix product, if it is one of two arrays."""
    indices, body = split_sum(expr)
    factors = body.factors if isinstance(body, Mul) else (body,)
    if len(factors) != 2 or any(is_boolean(f) or divides(f) for f in factors):
        return None
    first, second = (compile_expr(f, context) for f in factors)
    return product_of(first, second, indices, context)


def product_of(first: Code, second: Code, indices: tuple[Index, ...], context: Context) -> Product | None:
    """The sum over some indices of the product of two arrays as a matrix product, if there is one."""
    both = [ix for ix in indices if ix in first.axes and ix in second.axes]
    if len(both) != len(indices):
        return None
    result = context.sorted((set(first.axes) | set(second.axes)) - set(indices))
    if len(result) < 2:
        return None
    row, column = result[-2:]
    pair = None
    for left, right in ((first, second), (second, first)):
        if row in left.axes and row not in right.axes and column in right.axes and column not in left.axes:
            pair = left, right
    if pair is None:
        return None
    contracted = max(both, key=lambda ix: (ix.dim.grows, first.axes.index(ix)))
    extra = tuple(sorted((ix for ix in both if ix is not contracted), key=first.axes.index))
    batch = (*result[:-2], *extra)
    left, right = pair
    try:
        laid_left = aligned(left, [ix for ix in batch if ix in left.axes] + [row, contracted])
        laid_right = aligned(right, [ix for ix in batch if ix in right.axes] + [contracted, column])
        laid_left = aligned(laid_left, [*batch, row, contracted])
        laid_right = aligned(laid_right, [*batch, contracted, column])
    except CannotGenerate:
        return None
    return Product(laid_left, laid_right, contracted, (*batch, row, column), extra)


def _scaled_product(factors: Sequence[Expr], context: Context) -> Code | None:
    """Numbers times a matrix product, applied to the left operand where that is the smaller array."""
    sums = [f for f in factors if isinstance(f, Sum)]
    numbers = [compile_expr(f, context) for f in factors if not isinstance(f, Sum) and not divides(f)]
    if len(sums) != 1 or len(numbers) != len(factors) - 1 or not all(code.scalar for code in numbers):
        return None
    product = as_product(sums[0], context)
    if product is None or product.extra or _growth(product.axes) <= _growth(product.left.axes):
        return None
    left = " * ".join([*(code.at(UNARY) for code in numbers), product.left.at(UNARY)])
    return product.of(f"({left})", product.right.at(UNARY))


def _growth(axes: tuple[Index, ...]) -> int:
    return sum(ix.dim.grows for ix in axes)


def rows_to_add(expr: Sum) -> tuple[Delta, Expr] | None:
    """δ[ids(i), v] and the rest of a sum over i: rows that are added to those at ids."""
    factors = expr.body.factors if isinstance(expr.body, Mul) else (expr.body,)
    for delta in factors:
        if isinstance(delta, Delta):
            looked_up = [ix for ix in (delta.left, delta.right) if isinstance(ix, Mapped)]
            rest = tuple(f for f in factors if f is not delta)
            if [ix.index for ix in looked_up] == [expr.index] and rest:
                return delta, rest[0] if len(rest) == 1 else Mul(rest)
    return None


def _reduction(expr: Sum, context: Context) -> Code:
    product = as_product(expr, context)
    if product is not None:
        return product.code
    added = rows_to_add(expr)
    if added is not None:
        delta, rest = added
        return scattered(delta, expr.index, as_number(rest, context), context)
    indices, body = split_sum(expr)
    code = as_number(body, context)
    for index in indices:
        if index not in free_indices(body):
            raise CannotGenerate(f"{expr}: {index} does not occur in the sum")
    axes = code.axes
    text = code.text
    for index in reversed(indices):
        place = axes.index(index) - len(axes)
        text = f"xp.sum({text}, axis={place})"
        axes = tuple(ix for ix in axes if ix is not index)
    return Code(text, axes)
