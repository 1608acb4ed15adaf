"""Cost of a program as polynomials in its dimensions: floating-point operations and bytes moved.

One operation is one addition, multiplication, division, comparison or elementwise function; a product of an n×d by a
d×m matrix is 2·n·m·d, as `torch.utils.flop_counter` counts it. Bytes are those of reading every tensor that a
definition uses and writing the one that it defines, once each.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import prod

import sympy

from .index import Dim
from .nodes import Add, Const, Delta, Entry, Expr, Fn, Larger, Max, Mul, Pow, Predicate, Sum
from .program import Def, Program
from .traverse import children, tensors

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
        case Sum(index, _):
            return symbol(index.dim) * (inner + 1)
        case Max(index, _, _):
            return symbol(index.dim) * (inner + 1)
        case Entry() | Delta() | Predicate():
            return inner
        case _:
            return inner


def definition_cost(step: Def) -> Cost:
    """The cost of one definition over the whole range of its indices."""
    repeats = prod((symbol(index.dim) for index in step.indices), start=sympy.Integer(1))
    moved = sum((_size(t.dims) for t in (*tensors(step.value), step.tensor)), sympy.Integer(0))
    return Cost(sympy.expand(repeats * flops(step.value)), sympy.expand(moved))


def _size(dims: tuple[Dim, ...]) -> sympy.Expr:
    return prod((symbol(d) for d in dims), start=sympy.Integer(1))


def program_cost(program: Program) -> Cost:
    """The cost of all definitions of a program."""
    parts = [definition_cost(step) for step in program.steps]
    return Cost(
        sympy.expand(sum((p.flops for p in parts), sympy.Integer(0))),
        sympy.expand(sum((p.elements for p in parts), sympy.Integer(0))),
    )


def matmul_flops(program: Program) -> sympy.Expr:
    """The part of the cost that has the highest degree: what a flop counter that looks at products alone reports."""
    polynomial = program_cost(program).flops
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
