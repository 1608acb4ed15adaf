"""Which expressions are matrix products, and what they multiply."""

from __future__ import annotations

from .nodes import Add, Entry, Expr, Mul, Sum, Tensor
from .traverse import children, own_indices, tensors, walk


def is_product(expr: Expr) -> bool:
    """Whether an expression is, up to factors without sums, a sum of products of two tensors that a matrix product
    computes: each has an index that the other lacks."""
    match expr:
        case Sum():
            body: Expr = expr
            while isinstance(body, Sum):
                body = body.body
            factors = body.factors if isinstance(body, Mul) else (body,)
            sets = [set(own_indices(f)) for f in factors if isinstance(f, Entry)]
            return any(a - b and b - a for a in sets for b in sets)
        case Mul(factors):
            return any(is_product(f) for f in factors) and not any(reduces(f) and not is_product(f) for f in factors)
        case Add(terms):
            return all(is_product(t) or not reduces(t) for t in terms) and any(is_product(t) for t in terms)
        case _:
            return False


def reduces(expr: Expr) -> bool:
    """Whether there is a sum over an index in the expression."""
    return any(isinstance(node, Sum) for node in walk(expr))


def operands(expr: Expr) -> set[Tensor]:
    """The tensors that a matrix product inside the expression multiplies."""
    found: set[Tensor] = set()
    if isinstance(expr, Sum) and is_product(expr):
        found |= set(tensors(expr))
    for part in children(expr):
        found |= operands(part)
    return found
