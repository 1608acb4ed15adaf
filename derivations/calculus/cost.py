"""Cost of a program as polynomials in its dimensions: floating-point operations and bytes moved.

One operation is one addition, multiplication, division, comparison or elementwise function; a product of an n×d by a
d×m matrix is 2·n·m·d, as `torch.utils.flop_counter` counts it. Bytes are those of reading every tensor that a
definition uses and writing the one that it defines, once each. `as_expr` turns a polynomial back into an expression, so
that statements can be made about costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import prod

import sympy

from .index import Dim, Index, Mapped
from .nodes import Add, Const, Delta, Entry, Expr, Fn, Larger, Max, Mul, Pow, Predicate, Size, Sum, Tensor
from .program import Def, Program
from .traverse import children

FIXED_SIZE = 64  # the size at which fixed dimensions are compared when growth alone does not decide


def symbol(dim: Dim) -> sympy.Symbol:
    """The size of a dimension as a SymPy symbol."""
    return sympy.Symbol(dim.name, positive=True, integer=True)


@dataclass(frozen=True)
class Cost:
    """Polynomials in the sizes; `elements` counts numbers moved, to be multiplied by the bytes of a number."""

    flops: sympy.Expr
    elements: sympy.Expr


def flops(expr: Expr) -> sympy.Expr:
    """Operations to compute an expression once, for one assignment of its free indices."""
    inner = sum((flops(part) for part in children(expr)), sympy.Integer(0))
    match expr:
        case Add(terms):
            return inner + len(terms) - 1
        case Mul(factors):
            signs = sum(1 for f in factors if f == Const(Fraction(-1)))
            return inner + len(factors) - 1 - signs
        case Pow() | Fn() | Larger():
            return inner + 1
        case Sum(index, Mul(factors)) if (hit := _scattered(index, factors)) is not None:
            # A scatter-add touches one position for each term, not every position.
            rest = tuple(f for f in factors if f is not hit)
            return symbol(index.dim) * (flops(Mul(rest)) + 1) / symbol(hit.left.dim)
        case Sum(index, _):
            return symbol(index.dim) * (inner + 1)
        case Max(index, _, _):
            return symbol(index.dim) * (inner + 1)
        case Entry() | Delta() | Predicate():
            return inner
        case _:
            return inner


def _scattered(index: Index, factors: tuple[Expr, ...]) -> Delta | None:
    """The one-hot factor δ(ids(i), v) of a sum over i."""
    for factor in factors:
        if isinstance(factor, Delta):
            for ix in (factor.left, factor.right):
                if isinstance(ix, Mapped) and ix.index is index:
                    return factor
    return None


def definition_cost(step: Def) -> Cost:
    """The cost of one definition over the whole range of its indices."""
    repeats = prod((symbol(index.dim) for index in step.indices), start=sympy.Integer(1))
    moved = elements((*step.read, step.tensor))
    return Cost(sympy.expand(repeats * flops(step.value)), sympy.expand(moved))


def elements(tensors_: Iterable[Tensor]) -> sympy.Expr:
    """How many numbers some tensors hold together: of weights, the number of parameters."""
    sizes = (prod((symbol(d) for d in tensor.dims), start=sympy.Integer(1)) for tensor in tensors_)
    return sympy.expand(sum(sizes, sympy.Integer(0)))


def program_cost(program: Program) -> Cost:
    """The cost of all definitions of a program."""
    return steps_cost(program.steps)


def steps_cost(steps: Iterable[Def]) -> Cost:
    """The cost of some definitions together."""
    parts = [definition_cost(step) for step in steps]
    return Cost(
        sympy.expand(sum((p.flops for p in parts), sympy.Integer(0))),
        sympy.expand(sum((p.elements for p in parts), sympy.Integer(0))),
    )


def as_expr(polynomial: sympy.Expr, dims: Iterable[Dim], at: Mapping[Dim, Expr] | None = None) -> Expr:
    """A polynomial in the sizes of some dimensions as an expression, with other numbers for the sizes in `at`.

    Raises:
        ValueError: it is no polynomial in these sizes with rational coefficients.
    """
    given = at or {}
    known = {symbol(dim): given.get(dim, Size(dim)) for dim in dims}
    value: Expr | None = None
    for term in sympy.Add.make_args(sympy.expand(polynomial)):
        coefficient, powers = term.as_coeff_mul()  # the coefficient is rational: any other number is a factor
        product: Expr = Const(Fraction(int(coefficient.p), int(coefficient.q)))
        for factor in powers:
            base, exponent = factor.as_base_exp()
            if base not in known or not (exponent.is_Integer and exponent > 0):
                raise ValueError(f"{polynomial} is no polynomial in the sizes of {', '.join(map(str, known))}")
            product = product * (known[base] if exponent == 1 else Pow(known[base], Fraction(int(exponent))))
        value = product if value is None else value + product
    assert value is not None
    return value


def matmul_flops(program: Program) -> sympy.Expr:
    """The part of the cost that has the highest degree: what a flop counter that looks at products alone reports."""
    return leading(program_cost(program).flops)


def shown(polynomial: sympy.Expr) -> str:
    """A polynomial in plain text: powers as ^, products as ·."""
    return str(polynomial).replace("**", "^").replace("*", "·")


def leading(polynomial: sympy.Expr) -> sympy.Expr:
    """The terms of the highest degree."""
    terms = sympy.Add.make_args(polynomial)
    degree = max(_degree(term) for term in terms)
    return sum((term for term in terms if _degree(term) == degree), sympy.Integer(0))


def _degree(term: sympy.Expr) -> int:
    return int(sum(power.as_base_exp()[1] for power in sympy.Mul.make_args(term) if not power.is_number))


def growth(cost: Cost, dims: tuple[Dim, ...]) -> tuple[int, float]:
    """An order of costs for long sequences: the degree in the growing dimensions, then the value at fixed sizes."""
    t = sympy.Symbol("t", positive=True)
    total = cost.flops + cost.elements
    at = {symbol(dim): (t if dim.grows else sympy.Integer(FIXED_SIZE)) for dim in dims}
    polynomial = sympy.Poly(total.subs(at), t)
    return polynomial.degree(), float(polynomial.eval(FIXED_SIZE))
