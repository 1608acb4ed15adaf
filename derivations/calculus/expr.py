"""Index notation: the vocabulary in which derivations are written.

An expression stands for one real number per assignment of its free indices, for every size of its dimensions.
Expressions are immutable. Two indices are equal only if they are the same object, so that bound indices of two
expressions never clash; `refresh` copies an expression with new bound indices wherever it is used twice.

Conventions: indices run from 0 to size − 1; every dimension has size at least 1; 1/0 never occurs in a statement
(an equality of quotients is claimed where its denominators are not zero).
"""

from __future__ import annotations

from .affine import Affine, Term, position
from .index import Dim, DimensionError, Index, Mapped, Permutation, Subscript, plain
from .nodes import (
    ONE,
    PI,
    ZERO,
    Add,
    Const,
    Delta,
    Entry,
    Expr,
    Fn,
    Gated,
    Kind,
    Larger,
    Max,
    Mul,
    Place,
    Pow,
    Predicate,
    Scalar,
    Size,
    Sum,
    Tensor,
    lift,
)
from .traverse import (
    Replacement,
    children,
    dims_of,
    free_indices,
    own_indices,
    rebuild,
    refresh,
    rename,
    substitute,
    tensors,
    walk,
)

__all__ = [
    "ONE",
    "PI",
    "ZERO",
    "Add",
    "Affine",
    "Const",
    "Delta",
    "Dim",
    "DimensionError",
    "Entry",
    "Expr",
    "Fn",
    "Gated",
    "Index",
    "Kind",
    "Larger",
    "Mapped",
    "Max",
    "Mul",
    "Permutation",
    "Place",
    "Pow",
    "Predicate",
    "Replacement",
    "Scalar",
    "Size",
    "Subscript",
    "Sum",
    "Tensor",
    "at_least",
    "children",
    "cos",
    "dims_of",
    "erf",
    "erfc",
    "exp",
    "free_indices",
    "lift",
    "log",
    "maximum",
    "own_indices",
    "plain",
    "position",
    "rebuild",
    "refresh",
    "relu",
    "rename",
    "sigmoid",
    "sin",
    "step",
    "substitute",
    "tanh",
    "tensors",
    "total",
    "walk",
]


def at_least(left: Affine | Term | int, right: Affine | Term | int) -> Expr:
    """1 where `left ≥ right`, else 0: `at_least(i, j)` is the causal mask of row i, column j."""
    return Predicate(position(left) - position(right))


def total(*args: Index | Expr) -> Expr:
    """`total(j, k, body)`: the sum of `body` over the indices before it."""
    *indices, body = args
    if not isinstance(body, Expr):
        raise TypeError("total(j, …, body): the last argument is the expression to sum")
    for index in reversed(indices):
        if not isinstance(index, Index):
            raise TypeError(f"total(j, …, body): {index!r} is not an index")
        body = Sum(index, body)
    return refresh(body)


def maximum(index: Index, body: Expr, where: Expr = ONE) -> Expr:
    """The maximum of `body` over `index`, among the entries where `where` is 1."""
    return refresh(Max(index, body, where))


def exp(argument: Expr) -> Expr:
    """The exponential function."""
    return Fn("exp", argument)


def log(argument: Expr) -> Expr:
    """The natural logarithm."""
    return Fn("log", argument)


def sin(argument: Expr) -> Expr:
    """The sine."""
    return Fn("sin", argument)


def cos(argument: Expr) -> Expr:
    """The cosine."""
    return Fn("cos", argument)


def tanh(argument: Expr) -> Expr:
    """The hyperbolic tangent."""
    return Fn("tanh", argument)


def sigmoid(argument: Expr) -> Expr:
    """The logistic function 1/(1 + exp(−x))."""
    return Fn("sigmoid", argument)


def step(argument: Expr) -> Expr:
    """1 where the argument is greater than 0, else 0: the derivative of `relu`, 0 at the kink."""
    return Fn("step", argument)


def relu(argument: Expr) -> Expr:
    """The larger of the argument and 0."""
    return Fn("relu", argument)


def erf(argument: Expr) -> Expr:
    """The error function."""
    return Fn("erf", argument)


def erfc(argument: Expr) -> Expr:
    """1 − erf, without cancellation for large arguments."""
    return Fn("erfc", argument)
