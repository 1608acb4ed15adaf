"""Reverse and forward mode against numerical differentiation at 50 digits, on random programs, once and twice."""

import random
from collections.abc import Mapping
from fractions import Fraction

import mpmath
import pytest
from lemmata.derivations.attention import ATTENTION, SOFTCAPPED
from lemmata.derivations.calculus.differentiate import (
    NotDifferentiable,
    elementwise_derivative,
    jvp,
    maximum_gradient,
    vjp,
)
from lemmata.derivations.calculus.evaluate import Array, Point, all_indices, evaluator
from lemmata.derivations.calculus.expr import (
    Delta,
    Dim,
    Expr,
    Fn,
    Index,
    Larger,
    Mul,
    Permutation,
    Pow,
    Tensor,
    exp,
    lift,
    maximum,
    total,
)
from lemmata.derivations.calculus.normal_form import equal
from lemmata.derivations.calculus.program import Def, Program
from lemmata.derivations.softmax import LOGSUMEXP, OPERATIONS, SOFTMAX

n, m = Dim("n"), Dim("m", grows=False)
i, j, u = Index("i", n), Index("j", n), Index("u", m)
x, A, w = Tensor("x", (n,)), Tensor("A", (n, m)), Tensor("w", (), "positive")
b = Tensor("b", (n, m), "boolean")
SIZES = {n: 3, m: 2}

DIGITS = 120  # with which programs are evaluated here, so that differences of neighbouring points have 50 good digits
AGREEMENT = mpmath.mpf(10) ** -25  # mpmath.diff takes a step that leaves about half of its digits

Values = dict[Tensor, Array]


def draw(tensors: tuple[Tensor, ...], sizes: Mapping[Dim, int], rng: random.Random) -> Values:
    def value(kind: str, cell: tuple[int, ...]) -> Fraction:
        if kind == "boolean":  # the first key is never masked
            return Fraction(cell[-1] == 0 or rng.random() < 0.6)
        number = Fraction(rng.randint(-12, 12), 8)
        return abs(number) + Fraction(1, 2) if kind == "positive" else number

    found: Values = {}
    for tensor in tensors:
        axes = tuple(Index(dim.name, dim) for dim in tensor.dims)
        cells = [tuple(at.values()) for at in all_indices(axes, sizes)]
        found[tensor] = {cell: value(tensor.kind, cell) for cell in cells}
    return found


def moved(values: Values, direction: Mapping[Tensor, Array], step: Fraction) -> Values:
    shifted = dict(values)
    for tensor, array in direction.items():
        shifted[tensor] = {cell: value + step * array[cell] for cell, value in values[tensor].items()}
    return shifted


def exact(number: mpmath.mpf) -> Fraction:
    """The rational number that a floating-point number is."""
    return Fraction(*map(int, mpmath.libmp.to_rational(number._mpf_)))


class Entries:
    """All entries of some tensors of a program, as functions of the values of its inputs."""

    def __init__(self, program: Program, tensors: tuple[Tensor, ...], sizes: Mapping[Dim, int]) -> None:
        self.sizes = sizes
        self.functions = []
        for tensor in tensors:
            axes = tuple(Index(f"{dim.name}{k}", dim) for k, dim in enumerate(tensor.dims))
            self.functions.append((tensor, axes, evaluator(program.inline(tensor[axes]))))

    def at(self, values: Values) -> dict[tuple[str, tuple[int, ...]], mpmath.mpf]:
        here = Point(self.sizes, values, {}, DIGITS)
        return {
            (tensor.name, tuple(at.values())): function(here, at)
            for tensor, axes, function in self.functions
            for at in all_indices(axes, self.sizes)
        }


def directional(entries: Entries, values: Values, direction: Mapping[Tensor, Array]) -> list[mpmath.mpf]:
    """The derivatives of all entries at t = 0 along values + t · direction, numerically."""
    count = len(entries.at(values))

    def entry(number: int) -> mpmath.mpf:
        return mpmath.diff(
            lambda t: list(entries.at(moved(values, direction, exact(mpmath.mpf(t)))).values())[number], 0
        )

    with mpmath.workdps(50):
        return [entry(number) for number in range(count)]


def assert_close(found: list[mpmath.mpf], expected: list[mpmath.mpf]) -> None:
    assert len(found) == len(expected)
    with mpmath.workdps(DIGITS):
        for one, other in zip(found, expected, strict=True):
            assert abs(one - other) <= AGREEMENT * (1 + abs(other))


def pairing(left: list[mpmath.mpf], weights: list[mpmath.mpf]) -> mpmath.mpf:
    with mpmath.workdps(DIGITS):
        return mpmath.fdot(left, weights)


def check_first_order(program: Program, sizes: Mapping[Dim, int], rng: random.Random, wrt: tuple[Tensor, ...]) -> None:
    """⟨c, J t⟩ three ways: numerically, by the forward program, by the reverse program."""
    forward, reverse = jvp(program, wrt), vjp(program, wrt)
    values = draw(program.inputs, sizes, rng)
    tangents = forward.inputs[len(program.inputs) :]
    cotangents = reverse.inputs[len(program.inputs) :]
    directions = draw(tangents, sizes, rng)
    weights = draw(cotangents, sizes, rng)
    direction = {tensor: directions[tangent] for tensor, tangent in zip(wrt, tangents, strict=True)}
    expected = directional(Entries(program, program.outputs, sizes), values, direction)
    found = list(Entries(forward, forward.outputs, sizes).at({**values, **directions}).values())
    assert_close(found, expected)
    gradients = list(Entries(reverse, reverse.outputs, sizes).at({**values, **weights}).values())
    flat = [mpmath.mpf(v.numerator) / v.denominator for t in wrt for v in direction[t].values()]
    weight = [mpmath.mpf(v.numerator) / v.denominator for c in cotangents for v in weights[c].values()]
    assert_close([pairing(gradients, flat)], [pairing(expected, weight)])


def smooth(rng: random.Random, depth: int, scope: tuple[Index, ...], readable: list[Tensor]) -> Expr:
    """A random expression that is smooth everywhere."""
    if depth == 0:
        tensor = rng.choice(readable)
        return tensor[tuple(rng.choice([k for k in scope if k.dim == dim]) for dim in tensor.dims)]

    def part() -> Expr:
        return smooth(rng, depth - 1, scope, readable)

    match rng.randrange(7):
        case 0:
            return part() + part()
        case 1 | 2:
            return Mul((part(), part()))
        case 3:
            return Fn(rng.choice(("tanh", "sin", "cos", "erf")), part())
        case 4:
            return Pow(1 + part() ** 2, rng.choice((Fraction(-1, 2), Fraction(-1), Fraction(1, 2), Fraction(3, 2))))
        case 5:
            index = Index("k", n)
            return total(index, smooth(rng, depth - 1, (*scope, index), readable))
        case _:
            return exp(Fn("tanh", part()))


def random_program(seed: int) -> Program:
    """Three definitions: a vector, a number, a matrix; each may read the ones before; two of them are outputs."""
    rng = random.Random(seed)
    y, z, v = Tensor("y", (n,)), Tensor("z"), Tensor("v", (n, m))
    readable = [x, A, w, b]
    steps: list[Def] = []
    for target in (y[i], z[()], v[i, u]):
        scope = (*target.indices, Index("h", n), Index("g", m))
        body = smooth(rng, 2, tuple(k for k in scope if isinstance(k, Index)), readable)
        body = total(*[k for k in scope[len(target.indices) :] if isinstance(k, Index)], body)
        steps.append(Def(target, body + (x[i] ** 2 if target.tensor == y else w[()] * total(j, x[j] ** 3))))
        readable.append(target.tensor)
    return Program("random", (x, A, w, b), tuple(steps), (z, v))


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed: int) -> None:
    check_first_order(random_program(seed), {n: 2, m: 2}, random.Random(seed), (x, A, w))


@pytest.mark.parametrize("seed", range(4))
def test_random_programs_twice(seed: int) -> None:
    """Forward over reverse, reverse over reverse: the derivative of the gradient program."""
    program = random_program(seed)
    gradient = vjp(program, (x,))
    check_first_order(gradient, {n: 2, m: 1}, random.Random(seed), (x,))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_softmax_family(operation: object) -> None:
    from lemmata.derivations.calculus.operation import Operation

    assert isinstance(operation, Operation)
    (dim,) = operation.program.inputs[0].dims
    check_first_order(operation.program, {dim: 3}, random.Random(1), operation.differentiable)


@pytest.mark.parametrize("operation", [ATTENTION, SOFTCAPPED], ids=lambda operation: operation.name)
def test_attention(operation: object) -> None:
    from lemmata.derivations.calculus.operation import Operation

    assert isinstance(operation, Operation)
    q, k, v, *_ = operation.program.inputs
    r, rows, d = q.dims
    sizes = {r: 2, rows: 2, d: 1, k.dims[0]: 2, v.dims[1]: 1}
    check_first_order(operation.program, sizes, random.Random(2), operation.differentiable)


def test_hessian_of_logsumexp_times_a_vector() -> None:
    (logits,) = LOGSUMEXP.program.inputs
    for gradient in (LOGSUMEXP.derived_vjp, LOGSUMEXP.vjp):
        check_first_order(gradient, {logits.dims[0]: 3}, random.Random(3), (logits,))
    product = jvp(LOGSUMEXP.vjp, (logits,))
    dlse, tangent = product.inputs[-2:]
    row, k = Index("i", logits.dims[0]), Index("k", logits.dims[0])
    p = SOFTMAX.program.outputs[0]

    def P(index: Index) -> Expr:
        return SOFTMAX.value(p[index])

    expected = dlse[()] * P(row) * (tangent[row] - total(k, P(k) * tangent[k]))  # (diag(p) − ppᵀ) t
    assert equal(product.inline(product.outputs[0][row]), expected)


def test_second_order_of_attention() -> None:
    """The directional derivative of dQ, dK and dV, for both forms of the gradient program."""
    q, k, v, *_ = ATTENTION.program.inputs
    r, rows, d = q.dims
    sizes = {r: 1, rows: 2, d: 1, k.dims[0]: 2, v.dims[1]: 1}
    for gradient in (ATTENTION.derived_vjp, ATTENTION.vjp):
        check_first_order(gradient, sizes, random.Random(4), (q, k, v))


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sin", "cos", "erf", "sinh", "atan"])
def test_elementwise_derivatives(name: str) -> None:
    at = Fraction(3, 7)
    slope = evaluator(elementwise_derivative(name, x[i]))(Point({n: 1}, {x: {(0,): at}}), {i: 0})
    with mpmath.workdps(50):
        expected = mpmath.diff(getattr(mpmath, name), mpmath.mpf(3) / 7)
        assert abs(slope - expected) < mpmath.mpf(10) ** -25


def test_what_cannot_be_differentiated_is_refused() -> None:
    y, h = Tensor("y"), Tensor("h")
    with pytest.raises(NotDifferentiable, match="must be a definition of its own"):
        vjp(Program("p", (x,), (Def(y[()], 2 * maximum(j, x[j])),), (y,)))
    with pytest.raises(NotDifferentiable, match="must be a definition of its own"):
        vjp(Program("p", (x,), (Def(y[()], total(j, Larger(x[j], lift(0)))),), (y,)))
    with pytest.raises(NotDifferentiable, match="is not shown to be zero"):
        vjp(Program("p", (x,), (Def(h[()], maximum(j, x[j])), Def(y[()], 2 * h[()])), (y,)))
    with pytest.raises(NotDifferentiable, match="SymPy has no function"):
        elementwise_derivative("swish_", x[i])
    with pytest.raises(NotDifferentiable, match="depends on no real input"):
        vjp(Program("p", (x,), (Def(y[()], lift(3)),), (y,)))
    pi = Permutation("π", n)
    with pytest.raises(NotDifferentiable, match="through a permutation"):
        vjp(Program("p", (x,), (Def(y[()], total(j, x[pi(j)] ** 2)),), (y,)))


def test_an_output_that_does_not_depend_has_a_zero_tangent_and_adds_nothing() -> None:
    y, z = Tensor("y"), Tensor("z", (n,))
    program = Program("p", (x, w), (Def(y[()], total(j, x[j] ** 2)), Def(z[i], w[()] * lift(3))), (y, z))
    forward, reverse = jvp(program, (x,)), vjp(program, (x,))
    assert equal(forward.inline(forward.outputs[1][i]), lift(0))
    assert equal(reverse.inline(reverse.outputs[0][i]), 2 * x[i] * reverse.inputs[2][()])


def test_definitions_that_share_their_indices_do_not_capture() -> None:
    """The gradient of y[i] = x[i]² through v[i] = Σ_k y[k]: the i of dv becomes bound, the i of dy stays free."""
    y, v = Tensor("y", (n,)), Tensor("v", (n,))
    k = Index("k", n)
    program = Program("p", (x,), (Def(y[i], x[i] ** 2), Def(v[i], total(k, Fn("sin", y[k])) * x[i])), (v,))
    derived = vjp(program)
    dv = derived.inputs[1]
    slope = Fn("cos", x[i] ** 2) * 2 * x[i] * total(k, dv[k] * x[k])
    assert equal(derived.inline(derived.outputs[0][i]), dv[i] * total(k, Fn("sin", x[k] ** 2)) + slope)


def test_a_maximum_is_a_constant_exactly_where_it_drops_out() -> None:
    z, lse, h = Tensor("z"), Tensor("lse"), Tensor("h")
    steps = (Def(h[()], maximum(j, x[j])), Def(z[()], total(j, exp(x[j] - h[()]))))
    right = Program("lse", (x,), (*steps, Def(lse[()], h[()] + Fn("log", z[()]))), (lse,))
    wrong = Program("lse", (x,), (*steps, Def(lse[()], Fn("log", z[()]))), (lse,))
    assert equal(maximum_gradient(right, h), lift(0))
    assert not equal(maximum_gradient(wrong, h), lift(0))
    vjp(right)
    with pytest.raises(NotDifferentiable):
        vjp(wrong)


def test_the_derivative_of_a_sum_of_squares_is_not_a_sum() -> None:
    """∂/∂x[i] Σ_j x[j]² = 2 x[i], also where the sum is written with the index i itself."""
    y = Tensor("y")
    program = Program("p", (x,), (Def(y[()], total(i, x[i] ** 2)),), (y,))
    derived = vjp(program)
    assert equal(derived.inline(derived.outputs[0][i]), 2 * derived.inputs[1][()] * x[i])
    jacobian = jvp(program)
    tangent = jacobian.inputs[1]
    column = jacobian.inline(jacobian.outputs[0][()], {tangent: lambda k: Delta(k, i)})
    assert equal(column, 2 * x[i])


def test_names_do_not_clash_the_second_time() -> None:
    second = vjp(vjp(SOFTMAX.program, SOFTMAX.differentiable), SOFTMAX.differentiable)
    names = [t.name for t in (*second.inputs, *second.defined)]
    assert len(set(names)) == len(names)
