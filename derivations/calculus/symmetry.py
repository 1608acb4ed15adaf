"""From a symmetry to a conservation law of the gradient.

If acting on the inputs with a parameter t leaves an output unchanged, then differentiating at the identity gives
Σ dx·(d action / dt) = 0 for every cotangent of that output. A symmetry that scales the output by its own generator
(an equivariance) gives an equality of two such sums.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from .differentiate import axis_indices, tangent
from .nodes import Const, Expr, Mul, Sum, Tensor
from .operation import Operation
from .tidy import tidy
from .traverse import Replacement, refresh, substitute, tensors


def generator(action: Expr, parameter: Tensor, identity: int) -> Expr:
    """The derivative of an action with respect to its parameter, where the parameter is the identity."""
    taken = {tensor.name for tensor in tensors(action)}
    unit = Tensor(f"t{parameter.name}")
    while unit.name in taken:
        unit = Tensor(f"t{unit.name}")
    slope = tangent(action, frozenset({parameter}), {parameter: unit})
    value: dict[Tensor, Replacement] = {
        parameter: lambda: Const(Fraction(identity)),
        unit: lambda: Const(Fraction(1)),
    }
    return tidy(substitute(slope, value))


def pairing(
    operation: Operation,
    action: Mapping[Tensor, Replacement],
    parameter: Tensor,
    identity: int,
    cotangents: Mapping[Tensor, Replacement] | None = None,
) -> Expr:
    """Σ over inputs of gradient times generator, in terms of inputs and cotangents: what a symmetry makes vanish.

    `cotangents` replaces some cotangents (a symmetry of one output only takes the others as zero).
    """
    vjp = operation.vjp
    terms: list[Expr] = []
    for tensor, act in action.items():
        gradient = operation.gradient(tensor)
        indices = axis_indices(operation.program, tensor)
        slope = generator(act(*indices), parameter, identity)
        body: Expr = Mul((gradient[indices], slope))
        for index in reversed(indices):
            body = Sum(index, body)
        terms.append(vjp.inline(refresh(body), inputs=dict(cotangents or {})))
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return tidy(result)
