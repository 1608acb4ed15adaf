"""From an expression to the code of its value with its error: operations of `reference.rounding` on named axes.

An array has the names of its indices; where an entry has other indices than the array was given or defined with, it is
renamed with `at`. What cannot have an error (a mask, a position) is computed as in the reference.
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
    Subscript,
    Sum,
    Tensor,
    children,
    free_indices,
)
from .arrays import compile_expr, divides, inverse, product_of, rows_to_add, split_sum
from .code import (
    ADD,
    ATOM,
    MUL,
    UNARY,
    CannotGenerate,
    Code,
    Context,
    is_boolean,
    negated,
    negative,
    number,
    raised,
    without_sign,
)
from .layout import assignment_lines
from .lookups import looked_up

FUNCTIONS = {"step": "heaviside"}  # where the method has another name than the function
KNOWN_FUNCTIONS = frozenset({"exp", "log", "tanh", "sin", "cos", "sigmoid", "relu", "step", "erf", "erfc"})
LONGEST = 92  # columns of an expression that stands on one line


@dataclass(frozen=True)
class Piece:
    """Code of a bounded array with these axes, or of a number; `exact`: a number that every format holds."""

    text: str
    axes: tuple[Index, ...] = ()
    level: int = ATOM
    number: bool = False
    exact: bool = True
    computed: bool = False  # an operation of this very definition

    def at(self, level: int) -> str:
        """The text, in parentheses if it binds less tightly than wanted."""
        return f"({self.text})" if self.level < level else self.text

    @property
    def negated(self) -> str:
        """The text as the operand of a minus sign."""
        return negated(Code(self.text, self.axes, self.level))


class BoundedCode:
    """Writes the expressions of one definition after the other."""

    def __init__(self, context: Context, labels: dict[Tensor, tuple[str, ...]]) -> None:
        self.context = context
        self.of_tensor = labels  # the axes with which each array was given or defined
        self.names: dict[Index, str] = {}
        self.lines: list[str] = []
        self.name = ""
        self.count = 0
        self.again: frozenset[Tensor] = frozenset()  # arrays that are computed once more
        self.shifts = False
        self.angle = False  # an angle is being defined, for which arithmetic is wide

    def start(self, name: str, indices: Sequence[Index], expr: Expr, again: frozenset[Tensor] = frozenset()) -> None:
        """Begins a definition, or another form of it: gives each index a name of its own."""
        self.name, self.count, self.again = name, 0, again
        self.names = {}
        for index in (*indices, *free_indices(expr)):
            self._label(index, ())
        self._label_bound(expr, tuple(self.names.values()))

    def _label_bound(self, expr: Expr, taken: tuple[str, ...]) -> None:
        """Names of the indices that sums and maxima bind: other than those of the indices around them."""
        if isinstance(expr, Sum | Max):
            self._label(expr.index, taken)
            taken = (*taken, self.names[expr.index])
        for part in children(expr):
            self._label_bound(part, taken)

    def _label(self, index: Index, taken: Sequence[str] | None = None) -> str:
        if index not in self.names:
            taken = taken or tuple(self.names.values())
            name, count = index.name, 1
            while name in taken:
                count += 1
                name = f"{index.name}_{count}"
            self.names[index] = name
        return self.names[index]

    def labels(self, indices: Sequence[Index]) -> str:
        """The names of some axes, as the methods take them."""
        return " ".join(self._label(index) for index in indices)

    def piece(self, expr: Expr) -> Piece:
        """The code of an expression; parts that are too long get lines of their own.

        Raises:
            CannotGenerate: there is no rounding rule for it.
        """
        match expr:
            case Const(value):
                code = number(value)
                exact = value.denominator & (value.denominator - 1) == 0
                return Piece(code.text, (), code.level, True, exact)
            case Size(dim):
                return Piece(self.context.sizes[dim], number=True)
            case Fn("acos", Const(value)) if value == -1:
                return Piece("np.pi", number=True, exact=False)
            case Entry(tensor, _):
                return self._entry(tensor, expr)
            case Gated(body, _):
                return self.piece(body)
            case Add(terms):
                return self._add(terms)
            case Mul(factors):
                return self._mul(factors)
            case Pow(base, exponent):
                return self._pow(base, exponent)
            case Fn(name, argument):
                return self._fn(name, argument)
            case Sum():
                return self._sum(expr)
            case Max(index, body, where):
                inner = self.piece(body)
                axes = tuple(ix for ix in inner.axes if ix is not index)
                return Piece(f"fl.max({', '.join([inner.text, *self.largest_arguments(index, where)])})", axes)
            case Larger(left, right):
                sides = [self.piece(left), self.piece(right)]
                return Piece(f"fl.larger({', '.join(s.text for s in sides)})", self._union(sides), computed=True)
            case Predicate() | Place():
                return self.given(expr)
            case Delta(left, right):
                return self._one_hot(left, right)
            case _:
                raise CannotGenerate(f"{expr}: no rounding rule for {type(expr).__name__}")

    def as_number(self, expr: Expr) -> Piece:
        """The code of the value as a number: a mask as 0 and 1."""
        piece = self.piece(expr)
        return Piece(f"fl.where({piece.text}, 1.0)", piece.axes) if is_boolean(expr) else piece

    def given(self, expr: Expr) -> Piece:
        """What has no error, computed as in the reference."""
        code = compile_expr(expr, self.context)
        return Piece(f'fl.given({code.text.replace("xp.", "fl.xp.")}, "{self.labels(code.axes)}")', code.axes)

    def _one_hot(self, left: Subscript, right: Subscript) -> Piece:
        if isinstance(left, Index) and isinstance(right, Mapped):
            left, right = right, left
        if isinstance(left, Index) and isinstance(right, Index):
            size = self.context.sizes[left.dim]
            names = f'"{self._label(left)}", "{self._label(right)}"'
            return Piece(f"fl.diagonal({size}, {names})", (left, right))
        if not isinstance(left, Mapped) or left.lookup is None or not isinstance(right, Index):
            raise CannotGenerate(f"δ[{left}, {right}]: two lookups are not compared")
        ids = self._renamed(left.lookup, (left.index,))
        size = self.context.sizes[right.dim]
        return Piece(f'fl.one_hot({ids}, "{self._label(right)}", {size})', (left.index, right))

    def largest_arguments(self, index: Index, where: Expr) -> list[str]:
        """The last arguments of a maximum."""
        arguments = [f'"{self._label(index)}"']
        if where != ONE:
            arguments.append(self.piece(where).text)
        if self.context.guarded:
            arguments.append("empty=0.0")
        return arguments

    def _entry(self, tensor: Tensor, expr: Entry) -> Piece:
        if tensor in self.context.scalars:
            return Piece(tensor.name, number=True)
        if any(isinstance(ix, Mapped) for ix in expr.indices):
            return self._lookup(tensor, expr)
        axes = tuple(ix for ix in expr.indices if isinstance(ix, Index))
        if len(set(axes)) != len(axes):
            raise CannotGenerate(f"{expr}: a diagonal entry")
        text = self._renamed(tensor, axes)
        return Piece(f"fl.wide({text})" if self.angle else text, axes)

    def _renamed(self, tensor: Tensor, axes: Sequence[Index], *, labels: tuple[str, ...] = ()) -> str:
        """The array of a tensor with these indices."""
        name = self.context.name(tensor)
        text = f"{name}.collapsed()" if tensor in self.again else name
        wanted = labels or tuple(self._label(index) for index in axes)
        if self.of_tensor.setdefault(tensor, wanted) != wanted:
            text = f'{text}.at("{" ".join(wanted)}")'
        return text

    def _lookup(self, tensor: Tensor, expr: Entry) -> Piece:
        ids, index, _ = looked_up(expr)
        plain = tuple(ix for ix in expr.indices if isinstance(ix, Index))
        place = "at"
        labels = tuple(self._label(ix) if isinstance(ix, Index) else place for ix in expr.indices)
        table = self._renamed(tensor, (), labels=labels)
        text = f'fl.lookup({table}, {self._renamed(ids, (index,))}, "{place}")'
        return Piece(text, plain if index in plain else (index, *plain))

    def _union(self, pieces: Sequence[Piece]) -> tuple[Index, ...]:
        return self.context.sorted({ix for piece in pieces for ix in piece.axes})

    def _shortened(self, pieces: Sequence[Piece]) -> list[Piece]:
        """The same pieces, the long ones under names, if they do not fit on one line together."""
        if sum(len(piece.text) + 4 for piece in pieces) <= LONGEST:
            return list(pieces)
        return [piece if len(piece.text) < LONGEST // 3 else self.named(piece) for piece in pieces]

    def named(self, piece: Piece) -> Piece:
        """The piece under a name of its own."""
        self.count += 1
        name = f"{self.name}_{self.count}"
        self.lines += assignment_lines(name, piece.text)
        return Piece(name, piece.axes, ATOM, piece.number, piece.exact, piece.computed)

    def _add(self, terms: tuple[Expr, ...], *, exponent: bool = False) -> Piece:
        signed = sorted(((negative(t), self.as_number(without_sign(t))) for t in terms), key=lambda item: item[0])
        pieces = self._shortened([piece for _, piece in signed])
        if not all(p.number for p in pieces):
            pieces = [p if not p.number or p.exact else Piece(f"fl.constant({p.text})") for p in pieces]
        if exponent:
            pieces = [self._scaled(p) if p.computed else p for p in pieces]
        numbers = all(p.number for p in pieces)
        if len(pieces) > 2 and not numbers:
            shown = [f"-{p.negated}" if minus else p.text for (minus, _), p in zip(signed, pieces, strict=True)]
            return Piece(f"fl.total({', '.join(shown)})", self._union(pieces), computed=True)
        text = ""
        for (minus, _), p in zip(signed, pieces, strict=True):
            if text:
                text += f" - {p.at(MUL)}" if minus else f" + {p.at(MUL)}"
            else:
                text = f"-{p.negated}" if minus else p.at(ADD)
        return Piece(text, self._union(pieces), ADD, numbers, not numbers or len(pieces) == 1, computed=True)

    def _scaled(self, p: Piece) -> Piece:
        return Piece(f"fl.scaled({p.text})", p.axes)

    def _mul(self, factors: tuple[Expr, ...]) -> Piece:
        masks = [f for f in factors if is_boolean(f)]
        others = [f for f in factors if not is_boolean(f)]
        if masks:
            return self._masked(masks, others)
        if others[0] == Const(Fraction(-1)) and len(others) == 2:
            inner = self.piece(others[1])
            return Piece(f"-{inner.negated}", inner.axes, UNARY, inner.number, inner.exact, inner.computed)
        sign, others = ("-", others[1:]) if others[0] == Const(Fraction(-1)) else ("", others)
        below = [divides(f) for f in others]
        pieces = [self._guarded(inverse(f) if d else f) for f, d in zip(others, below, strict=True)]
        pieces = self._shortened(pieces)
        text = ""
        for p, d in zip(pieces, below, strict=True):
            if text:
                text += f" / {p.at(UNARY)}" if d else f" * {p.at(UNARY)}"
            else:
                text = f"{sign}1 / {p.at(UNARY)}" if d else f"-{p.negated}" if sign else p.at(MUL)
        numbers = all(p.number for p in pieces)
        rounded = sum(p.number and not p.exact for p in pieces)
        if rounded and not numbers:
            more = f", {rounded}" if rounded > 1 else ""
            return Piece(f"fl.inexact({text}{more})", self._union(pieces), computed=True)
        exact = not any(below) and all(p.exact for p in pieces) and sum(not _is_power_of_two(f) for f in others) <= 1
        return Piece(text, self._union(pieces), MUL, numbers, exact, computed=True)

    def _guarded(self, factor: Expr) -> Piece:
        """A divisor; a sum that may be of nothing is 1 there."""
        piece = self.piece(factor)
        if isinstance(factor, Entry) and factor.tensor in self.context.guarded:
            return Piece(f"fl.positive({piece.text})", piece.axes)
        return piece

    def _masked(self, masks: list[Expr], others: list[Expr]) -> Piece:
        inner = Mul(tuple(others)) if len(others) > 1 else others[0] if others else ONE
        shown = [self.piece(mask) for mask in masks]
        if len(masks) == 1 and isinstance(inner, Fn) and inner.name == "exp":
            argument = self._argument(inner)
            return Piece(f"fl.exp({argument.text}, {shown[0].text})", self._union([argument, *shown]), computed=True)
        piece = self.piece(inner)
        for mask in shown:
            text = f"fl.where({mask.text}, {piece.text})"
            piece = Piece(text, self._union([piece, mask]), computed=True)
        return piece

    def _pow(self, base: Expr, exponent: Fraction) -> Piece:
        inner = self.piece(base)
        if inner.number:
            power = number(exponent).at(ATOM)
            text = raised(inner.at(ATOM), power)
            whole = exponent.denominator == 1 and exponent > 0
            return Piece(text, (), UNARY, True, whole and inner.exact)
        if exponent.denominator > 2:
            raise CannotGenerate(f"no rounding rule for the power {exponent}")
        if divides(Pow(base, exponent)):
            return self._mul((Pow(base, exponent),))
        if exponent == Fraction(1, 2):
            return Piece(f"fl.sqrt({inner.text})", inner.axes, computed=True)
        if exponent.denominator == 2:
            return Piece(f"fl.power({inner.text}, {float(exponent)})", inner.axes, computed=True)
        return Piece(raised(inner.at(ATOM), number(exponent).at(ATOM)), inner.axes, UNARY, computed=True)

    def _argument(self, expr: Fn) -> Piece:
        if expr.name != "exp" or not isinstance(expr.argument, Add):
            return self.piece(expr.argument)
        self.shifts = True
        argument = self._add(expr.argument.terms, exponent=True)
        self.shifts = False
        return argument

    def _fn(self, name: str, argument: Expr) -> Piece:
        if name not in KNOWN_FUNCTIONS:
            raise CannotGenerate(f"no rounding rule for {name}")
        inner = self._argument(Fn(name, argument))
        if inner.number:
            inner = Piece(f'fl.given({inner.text}, "")' if inner.exact else f"fl.constant({inner.text})")
        if len(inner.text) > LONGEST - 12:
            inner = self.named(inner)
        text = inner.text
        if name == "log" and isinstance(argument, Entry) and argument.tensor in self.context.guarded:
            # In a row without keys the scores are −∞, and any number may be subtracted from them.
            text = f"fl.positive({text})" if self.shifts else f"{text}, guarded=True"
        return Piece(f"fl.{FUNCTIONS.get(name, name)}({text})", inner.axes, computed=True)

    def _sum(self, expr: Sum) -> Piece:
        indices, body = split_sum(expr)
        factors = body.factors if isinstance(body, Mul) else (body,)
        if len(factors) == 2 and not any(is_boolean(f) or divides(f) for f in factors):
            pieces = [self.piece(f) for f in factors]
            first, second = (Code(f"operand_{k}", p.axes) for k, p in enumerate(pieces))
            numbers = any(p.number for p in pieces)
            product = None if numbers else product_of(first, second, indices, self.context)
            if product is not None:
                if first.text not in product.left.text:
                    pieces.reverse()
                pieces = self._shortened(pieces)
                over = self.labels((product.contracted, *product.extra))
                axes = tuple(ix for ix in product.axes if ix not in product.extra)
                return Piece(f'fl.matmul({pieces[0].text}, {pieces[1].text}, "{over}")', axes, computed=True)
        added = rows_to_add(expr)
        if added is not None:
            return self._added_rows(*added, expr.index)
        inner = self.as_number(body)
        if len(inner.text) > LONGEST:
            inner = self.named(inner)
        axes = tuple(ix for ix in inner.axes if ix not in indices)
        return Piece(f'fl.sum({inner.text}, "{self.labels(indices)}")', axes, computed=True)

    def _added_rows(self, delta: Delta, rest: Expr, index: Index) -> Piece:
        """Σ_i δ[ids(i), v]·rows[i, …]."""
        ids, target = (delta.left, delta.right) if isinstance(delta.left, Mapped) else (delta.right, delta.left)
        if not isinstance(ids, Mapped) or not isinstance(target, Index) or ids.lookup is None:
            raise CannotGenerate(f"{delta}: not one lookup against one index")
        rows = self.as_number(rest)
        axes = (target, *(ix for ix in rows.axes if ix is not index))
        place = f'"{self._label(index)}", "{self._label(target)}", {self.context.sizes[target.dim]}'
        text = f"fl.add_at({rows.text}, {self._renamed(ids.lookup, (index,))}, {place})"
        return Piece(text, axes, computed=True)


def _is_power_of_two(expr: Expr) -> bool:
    """Whether a product with the number is exact."""
    if not isinstance(expr, Const) or expr.value == 0:
        return False
    top, bottom = abs(expr.value.numerator), expr.value.denominator
    return top & (top - 1) == 0 and bottom & (bottom - 1) == 0
