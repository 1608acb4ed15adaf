"""Functions written in others, for equality: sigmoid and tanh by exponentials, relu by the step, erfc by erf.

The normal form keeps the function that was written, which is the one to compute: exp(x)/(1 + exp(x)) is NaN where
sigmoid(x) is 1. `equal` takes them apart, so that sigmoid(−x) = 1 − sigmoid(x) is shown.
"""

from __future__ import annotations

from .functions import exponential, function
from .index import Index
from .largest import larger
from .polynomial import ONE_POLY, Atom, Ix, Poly, atom_poly, total_poly
from .products import multiply, power, product_of
from .signs import leading_sign, step
from .sums import max_over, open_sum, rename, sum_over

COMPOSED = frozenset({"sigmoid", "tanh", "relu", "erfc"})


def elementary(poly: Poly) -> Poly:
    """A polynomial of the same value without `COMPOSED` functions, at any depth."""
    return total_poly(
        product_of(power(elementary_atom(atom), e) for atom, e in m).scaled(c) for m, c in poly.terms.items()
    )


def elementary_atom(atom: Atom) -> Poly:
    """`elementary` of one atom."""
    args = atom.args
    match atom.kind:
        case "exp":
            return exponential(elementary(Poly({args[0]: 1})))
        case "fn":
            return _written(args[0], elementary(args[1]))
        case "pow":
            return elementary(args[0])
        case "larger":
            return larger(elementary(p) for p in args[0])
        case "sum":
            body, fresh = open_sum(atom)
            return sum_over(fresh, elementary(body))
        case "max":
            index = Index("k", args[0].dim)
            opened: dict[Ix, Ix] = {args[0]: index}
            return max_over(index, elementary(rename(args[1], opened)), elementary(rename(args[2], opened)))
        case _:
            return atom_poly(atom)


def _written(name: str, argument: Poly) -> Poly:
    match name:
        case "sigmoid":
            # Inside a sum denominators are not multiplied out: σ(−p) = 1 − σ(p) must have the denominator of σ(p).
            if leading_sign(argument) < 0:
                return ONE_POLY - power(ONE_POLY + exponential(argument), -1)
            return power(ONE_POLY + exponential(-argument), -1)
        case "tanh":
            return ONE_POLY - power(ONE_POLY + exponential(argument.scaled(2)), -1).scaled(2)
        case "relu":
            # p·step(−p) = p − p·step(p): one of the two steps is enough.
            if leading_sign(argument) < 0:
                return argument + multiply(-argument, step(-argument))
            return multiply(argument, step(argument))
        case "erfc":
            return ONE_POLY - function("erf", argument)
        case _:
            return function(name, argument)
