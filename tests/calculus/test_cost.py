"""Costs as polynomials in the dimensions, against counts that are made by running through the definitions."""

import itertools

import pytest
import sympy
from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.calculus.cost import Cost, flops, growth, matmul_flops, program_cost, symbol
from lemmata.derivations.calculus.expr import Add as AddNode
from lemmata.derivations.calculus.expr import (
    Dim,
    Expr,
    Fn,
    Index,
    Larger,
    Max,
    Mul,
    Pow,
    Sum,
    Tensor,
    exp,
    maximum,
    total,
)
from lemmata.derivations.calculus.program import Program
from lemmata.derivations.calculus.traverse import children
from lemmata.derivations.softmax import SOFTMAX

n, m, d, d_v, r = (sympy.Symbol(name, positive=True, integer=True) for name in ("n", "m", "d", "d_v", "r"))


def counted(expr: Expr, sizes: dict[str, int]) -> int:
    """Operations of one evaluation, counted one by one as a loop would do them."""
    match expr:
        case Sum(index, body) | Max(index, body, _):
            inner = counted(body, sizes) + (counted(expr.where, sizes) if isinstance(expr, Max) else 0)
            return sum(inner + 1 for _ in range(sizes[index.dim.name]))
        case AddNode(terms):
            return sum(counted(term, sizes) for term in terms) + len(terms) - 1
        case Mul(factors):
            signs = sum(str(factor) == "-1" for factor in factors)
            return sum(counted(factor, sizes) for factor in factors) + len(factors) - 1 - signs
        case Pow() | Fn() | Larger():
            return sum(counted(part, sizes) for part in children(expr)) + 1
        case _:
            return 0


@pytest.mark.parametrize("program", [SOFTMAX.program, SOFTMAX.vjp, ATTENTION.program, ATTENTION.vjp, ATTENTION.jvp])
def test_polynomials_agree_with_counting(program: Program) -> None:
    polynomial = program_cost(program).flops
    for numbers in itertools.islice(itertools.product((1, 2, 3), repeat=5), 0, 243, 40):
        sizes = dict(zip(("n", "m", "d", "d_v", "r"), numbers, strict=True))
        by_hand = 0
        for step in program.steps:
            repeats = 1
            for index in step.indices:
                repeats *= sizes[index.dim.name]
            by_hand += repeats * counted(step.value, sizes)
        at = {symbol_: sizes[symbol_.name] for symbol_ in polynomial.free_symbols}
        assert polynomial.subs(at) == by_hand


def test_softmax() -> None:
    # maximum, difference, exponential, sum, quotient: n each, and n comparisons; 6 arrays of n and some numbers
    assert program_cost(SOFTMAX.program) == Cost(6 * n, 6 * n + 4)


def test_products_cost_what_a_flop_counter_reports() -> None:
    """2·n·m·d for QKᵀ and 2·n·m·d_v for PV; the gradient has two more products of each kind."""
    assert sympy.expand(matmul_flops(ATTENTION.program) - 2 * r * n * m * (d + d_v)) == 0
    assert sympy.expand(matmul_flops(ATTENTION.vjp) - 6 * r * n * m * (d + d_v)) == 0


def test_one_product() -> None:
    i, j, c = Index("i", Dim("n")), Index("j", Dim("m")), Index("c", Dim("d"))
    A, B = Tensor("A", (i.dim, c.dim)), Tensor("B", (c.dim, j.dim))
    assert sympy.expand(flops(total(c, A[i, c] * B[c, j])) - 2 * d) == 0
    assert flops(-A[i, c]) == 0
    assert flops(exp(A[i, c]) / 2) == 3
    assert flops(maximum(c, A[i, c])) == d


def test_long_sequences_decide_before_sizes_that_are_fixed() -> None:
    long, short = Dim("n"), Dim("d", grows=False)
    quadratic = Cost(symbol(long) ** 2, sympy.Integer(0))
    linear = Cost(1000 * symbol(long) * symbol(short), sympy.Integer(0))
    assert growth(linear, (long, short)) < growth(quadratic, (long, short))
    assert growth(Cost(symbol(long), symbol(long)), (long,)) > growth(Cost(symbol(long), sympy.Integer(0)), (long,))
