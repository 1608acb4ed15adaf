"""Costs as polynomials in the dimensions, against counts that are made by running through the definitions."""

import itertools
from collections.abc import Callable

import pytest
import sympy
import torch
from lemmata.derivations.attention import ATTENTION
from lemmata.derivations.calculus.cost import (
    Cost,
    as_expr,
    elements,
    flops,
    growth,
    leading,
    matmul_flops,
    program_cost,
    steps_cost,
    symbol,
)
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
    Size,
    Sum,
    Tensor,
    exp,
    lift,
    maximum,
    total,
)
from lemmata.derivations.calculus.normal_form import equal
from lemmata.derivations.calculus.program import Program
from lemmata.derivations.calculus.traverse import children
from lemmata.derivations.linear import LINEAR
from lemmata.derivations.scaling_costs import gradient_steps
from lemmata.derivations.softmax import SOFTMAX
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import linear, scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

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


def at(polynomial: sympy.Expr, **sizes: int) -> int:
    """The value of a polynomial for some sizes."""
    value = polynomial.subs({s: sizes[s.name] for s in polynomial.free_symbols})
    assert value.is_Integer
    return int(value)


def counted_by_torch(call: Callable[[], torch.Tensor]) -> tuple[int, int]:
    """Operations of PyTorch's products, forward and backward."""
    with FlopCounterMode(display=False) as forward:
        output = call()
    with FlopCounterMode(display=False) as backward:
        output.sum().backward()  # type: ignore[no-untyped-call]  # torch has no types there
    return forward.get_total_flops(), backward.get_total_flops()


@pytest.mark.parametrize(("n", "d_in", "d_out"), [(1, 1, 1), (3, 5, 7), (63, 100, 17)])
@pytest.mark.parametrize("biased", [False, True])
def test_a_linear_layer_costs_what_torch_counts(n: int, d_in: int, d_out: int, biased: bool) -> None:
    x, weight = torch.zeros(n, d_in, requires_grad=True), torch.zeros(d_out, d_in, requires_grad=True)
    bias = torch.zeros(d_out, requires_grad=True) if biased else None
    forward, backward = counted_by_torch(lambda: linear(x, weight, bias))
    sizes = {"n": n, "d_in": d_in, "d_out": d_out}
    assert at(matmul_flops(LINEAR.program), **sizes) == forward == 2 * n * d_in * d_out
    assert at(leading(steps_cost(gradient_steps(LINEAR)).flops), **sizes) == backward == 2 * forward


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("h", "n", "m", "d", "d_v"), [(1, 1, 1, 1, 1), (2, 5, 9, 4, 6), (3, 64, 64, 8, 8)])
def test_attention_costs_what_torch_counts(batch: int, h: int, n: int, m: int, d: int, d_v: int) -> None:
    """The math backend: 2 products forward, 4 backward; 4 B H N² D and twice that for square ones."""
    q, k = torch.zeros(batch, h, n, d, requires_grad=True), torch.zeros(batch, h, m, d, requires_grad=True)
    v = torch.zeros(batch, h, m, d_v, requires_grad=True)
    with sdpa_kernel(SDPBackend.MATH):
        forward, backward = counted_by_torch(lambda: scaled_dot_product_attention(q, k, v))
    sizes = {"r": h, "n": n, "m": m, "d": d, "d_v": d_v}
    assert batch * at(matmul_flops(ATTENTION.program), **sizes) == forward
    assert batch * at(leading(steps_cost(gradient_steps(ATTENTION)).flops), **sizes) == backward == 2 * forward
    if (n, d) == (m, d_v):
        assert forward == 4 * batch * h * n * n * d


def test_a_product_that_is_forgotten_is_seen() -> None:
    """The cost of a program without one of its definitions is not what PyTorch counts."""
    fewer = [step for step in gradient_steps(LINEAR) if step.tensor.name != "dweight"]
    assert at(leading(steps_cost(fewer).flops), n=3, d_in=5, d_out=7) == 2 * 3 * 5 * 7


def test_elements_of_weights_are_the_parameters_of_a_module() -> None:
    module = torch.nn.Linear(5, 7, device="meta")
    weights = [tensor for tensor in LINEAR.program.inputs if tensor.name in ("weight", "bias")]
    assert at(elements(weights), d_in=5, d_out=7) == sum(p.numel() for p in module.parameters())


def test_a_polynomial_as_an_expression() -> None:
    rows, columns = Dim("n"), Dim("m")
    a, b = symbol(rows), symbol(columns)
    polynomial = 2 * a**2 * b - a / 3 + 5
    shown = as_expr(polynomial, (rows, columns))
    assert equal(shown, 2 * Size(rows) ** 2 * Size(columns) - Size(rows) / 3 + 5)
    assert not equal(shown, 2 * Size(rows) * Size(columns) - Size(rows) / 3 + 5)
    width = Tensor("d", (), "positive")[()]
    assert equal(as_expr(polynomial, (rows, columns), {rows: 3 * width}), 18 * width**2 * Size(columns) - width + 5)
    assert equal(as_expr(sympy.Integer(7), ()), lift(7))


@pytest.mark.parametrize("polynomial", [sympy.sqrt(n), m * n, n / m, sympy.pi * n, 0.5 * n], ids=str)
def test_what_is_no_polynomial_in_the_sizes_is_refused(polynomial: sympy.Expr) -> None:
    with pytest.raises(ValueError, match="is no polynomial in the sizes of n"):
        as_expr(polynomial, (Dim("n"),))
