"""From an expression in index notation to one line of array code.

The array of a tensor `x[i, j]` has the axes `[..., i, j]`: any number of batch dimensions, then one axis for each
index. Scalars that are passed in (a scale) have no batch dimensions. A sum of products of two arrays becomes a matrix
product; a factor that is 0 or 1 selects with `where`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ...derivations.calculus.expr import (
    ONE,
    Add,
    Const,
    Dim,
    Entry,
    Expr,
    Fn,
    Index,
    Larger,
    Max,
    Mul,
    Pow,
    Size,
    Sum,
    Tensor,
    free_indices,
)

ADD, MUL, UNARY, ATOM = range(4)  # how tightly a piece of code binds
OVERWRITES = ("_minus(", "_over(")  # calls whose result is in memory that is not read again


class CannotGenerate(ValueError):
    """The expression has no array form that this generator knows."""


@dataclass(frozen=True)
class Code:
    """A piece of Python that gives an array with these trailing axes; a scalar has no batch dimensions either."""

    text: str
    axes: tuple[Index, ...] = ()
    level: int = ATOM
    scalar: bool = False

    def at(self, level: int) -> str:
        """The text, in parentheses if it binds less tightly than wanted."""
        return f"({self.text})" if self.level < level else self.text


@dataclass
class Context:
    """What the code around an expression provides: shapes, guarded sums, the order of axes, inputs that may be None."""

    sizes: Mapping[Dim, str]
    scalars: frozenset[Tensor]
    guarded: frozenset[Tensor] = frozenset()
    optional: frozenset[Tensor] = frozenset()
    order: list[Index] = field(default_factory=list)
    reuse: bool = False  # whether memory that is not read again may be overwritten, that of these tensors among it
    spent: frozenset[Tensor] = frozenset()

    def sorted(self, axes: set[Index]) -> tuple[Index, ...]:
        """Axes in the order of the target, bound ones last."""
        for index in sorted(axes - set(self.order), key=lambda ix: ix.name):
            self.order.append(index)
        return tuple(index for index in self.order if index in axes)


def aligned(code: Code, axes: Sequence[Index]) -> Code:
    """The code with axes in this order, those that it lacks inserted with length 1."""
    if code.scalar or tuple(axes) == code.axes:
        return code
    present = tuple(index for index in axes if index in code.axes)
    if set(present) != set(code.axes):
        raise CannotGenerate(f"{code.text} has axes that are not wanted here")
    if present != code.axes:
        if present[:-2] != code.axes[:-2] or len(present) < 2:
            raise CannotGenerate(f"{code.text}: only the last two axes can be exchanged")
        code = Code(f"{code.at(ATOM)}.mT", present)
    if present == tuple(axes):
        return code
    marks = [":" if index in present else "None" for index in axes]
    while marks and marks[0] == ":":
        marks.pop(0)
    return Code(f"{code.at(ATOM)}[..., {', '.join(marks)}]", tuple(axes))


def number(value: Fraction) -> Code:
    """An exact number as a literal, or as a quotient of two where it has no finite binary expansion."""
    if value.denominator == 1:
        return Code(str(value.numerator), level=ATOM if value >= 0 else UNARY, scalar=True)
    if value.denominator & (value.denominator - 1) == 0:
        return Code(repr(float(value)), level=ATOM if value >= 0 else UNARY, scalar=True)
    return Code(f"{value.numerator} / {value.denominator}", level=MUL, scalar=True)


def is_boolean(expr: Expr) -> bool:
    """Whether the expression is a boolean array."""
    return isinstance(expr, Entry) and expr.tensor.kind == "boolean"


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
        case Entry(tensor, indices):
            plain = tuple(ix for ix in indices if isinstance(ix, Index))
            if len(set(plain)) != len(tensor.dims):
                raise CannotGenerate(f"{expr}: a diagonal or permuted entry")
            return Code(tensor.name, plain, scalar=tensor in context.scalars)
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
        case Fn(name, argument):
            inner = compile_expr(argument, context)
            return Code(f"xp.{name}({inner.text})", inner.axes, scalar=inner.scalar)
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


def _exponential(argument: Expr, inner: Code, context: Context) -> Code:
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
    code = compile_expr(value, context)
    if where == ONE:
        return code
    mask = compile_expr(where, context)
    axes = context.sorted(set(code.axes) | set(mask.axes))
    function = "_where" if isinstance(where, Entry) and where.tensor in context.optional else "xp.where"
    return Code(f"{function}({aligned(mask, axes).text}, {aligned(code, axes).text}, {otherwise})", axes)


def _sum_of_terms(terms: tuple[Expr, ...], context: Context) -> Code:
    codes = [(compile_expr(without_sign(t), context), negative(t)) for t in terms]
    axes = context.sorted({ix for code, _ in codes for ix in code.axes})
    if [minus for _, minus in codes] == [False, True] and _is_spent(terms[0], context):
        return Code(f"_minus({aligned(codes[0][0], axes).text}, {aligned(codes[1][0], axes).text})", axes)
    codes.sort(key=lambda item: item[1])
    text = ""
    for code, minus in codes:
        shown = aligned(code, axes)
        if not text:
            text = f"-{shown.at(UNARY)}" if minus else shown.at(ADD)
        else:
            text += f" - {shown.at(MUL)}" if minus else f" + {shown.at(MUL)}"
    return Code(text, axes, ADD, all(code.scalar for code, _ in codes))


def negative(expr: Expr) -> bool:
    """Whether the expression starts with a negative number."""
    first = expr.factors[0] if isinstance(expr, Mul) else expr
    return isinstance(first, Const) and first.value < 0


def without_sign(expr: Expr) -> Expr:
    """The expression without the minus that it starts with."""
    if not negative(expr):
        return expr
    if isinstance(expr, Const):
        return Const(-expr.value)
    assert isinstance(expr, Mul)
    first = expr.factors[0]
    assert isinstance(first, Const)
    rest = expr.factors[1:] if first.value == -1 else (Const(-first.value), *expr.factors[1:])
    return rest[0] if len(rest) == 1 else Mul(rest)


def _product(factors: tuple[Expr, ...], context: Context) -> Code:
    masks = [f for f in factors if is_boolean(f)]
    others = [f for f in factors if not is_boolean(f)]
    if len(masks) == 1 and len(others) == 1 and isinstance(others[0], Fn) and others[0].name == "exp":
        inner = selected(others[0].argument, masks[0], "-xp.inf", context)  # exp(−∞) = 0
        return _exponential(others[0].argument, inner, context)
    if masks:
        rest: Expr = Mul((*masks[1:], *others)) if len(masks) + len(others) > 2 else (*masks[1:], *others)[0]
        return selected(rest, masks[0], "0.0", context)
    scaled = _scaled_product(others, context)
    if scaled is not None:
        return scaled
    codes = [(compile_expr(_inverse(f) if _divides(f) else f, context), _divides(f)) for f in factors]
    codes = [(_guarded(f, code, context), divides) for f, (code, divides) in zip(factors, codes, strict=True)]
    axes = context.sorted({ix for code, _ in codes for ix in code.axes})
    if [divides for _, divides in codes] == [False, True] and _is_spent(factors[0], context):
        return Code(f"_over({aligned(codes[0][0], axes).text}, {aligned(codes[1][0], axes).text})", axes)
    made = [code for code, _ in codes if code.text.startswith(OVERWRITES) and code.axes == axes]
    if len(codes) == 2 and len(made) == 1 and not any(divides for _, divides in codes):
        other = next(code for code, _ in codes if code is not made[0])
        return Code(f"_times({made[0].text}, {aligned(other, axes).text})", axes)
    codes.sort(key=lambda item: item[1])
    text = ""
    for code, divides in codes:
        shown = aligned(code, axes)
        if not text:
            text = f"1 / {shown.at(UNARY)}" if divides else shown.at(MUL)
        else:
            text += f" / {shown.at(UNARY)}" if divides else f" * {shown.at(UNARY)}"
    return Code(text, axes, MUL, all(code.scalar for code, _ in codes))


def _divides(expr: Expr) -> bool:
    return isinstance(expr, Pow) and expr.exponent < 0


def _inverse(expr: Expr) -> Expr:
    assert isinstance(expr, Pow)
    return expr.base if expr.exponent == -1 else Pow(expr.base, -expr.exponent)


def _guarded(factor: Expr, code: Code, context: Context) -> Code:
    """A sum that may be empty is replaced by its guarded form where it divides."""
    if _divides(factor) and isinstance(factor, Pow) and isinstance(factor.base, Entry):
        tensor = factor.base.tensor
        if tensor in context.guarded:
            return Code(code.text.replace(tensor.name, f"{tensor.name}_safe", 1), code.axes, code.level)
    return code


def _power(base: Expr, exponent: Fraction, context: Context) -> Code:
    if exponent < 0:
        return _product((Pow(base, exponent),), context)
    inner = compile_expr(base, context)
    if exponent == Fraction(1, 2):
        return Code(f"xp.sqrt({inner.text})" if not inner.scalar else f"{inner.at(ATOM)} ** 0.5", inner.axes, ATOM)
    return Code(raised(inner.at(ATOM), number(exponent).at(ATOM)), inner.axes, UNARY, inner.scalar)


def raised(base: str, exponent: str) -> str:
    """A power as the formatter writes it: without spaces between plain names and numbers."""
    plain = base.replace(".", "").isidentifier() and exponent.isdigit()
    return f"{base}**{exponent}" if plain else f"{base} ** {exponent}"


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
    if len(factors) != 2:
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
    extra = tuple(ix for ix in both if ix is not contracted)
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
    numbers = [compile_expr(f, context) for f in factors if not isinstance(f, Sum) and not _divides(f)]
    if len(sums) != 1 or len(numbers) != len(factors) - 1 or not all(code.scalar for code in numbers):
        return None
    product = as_product(sums[0], context)
    if product is None or product.extra or _growth(product.axes) <= _growth(product.left.axes):
        return None
    left = " * ".join([*(code.at(UNARY) for code in numbers), product.left.at(UNARY)])
    return product.of(f"({left})", product.right.at(UNARY))


def _growth(axes: tuple[Index, ...]) -> int:
    return sum(ix.dim.grows for ix in axes)


def _reduction(expr: Sum, context: Context) -> Code:
    product = as_product(expr, context)
    if product is not None:
        return product.code
    indices, body = split_sum(expr)
    code = compile_expr(body, context)
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
