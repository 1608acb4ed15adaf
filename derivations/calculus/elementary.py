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


def elementary(poly: Poly, done: dict[Atom, Poly] | None = None) -> Poly:
    """A polynomial of the same value without `COMPOSED` functions, at any depth.

    `done` remembers atoms: the addition theorems repeat one in thousands of terms.
    """
    done = {} if done is None else done
    return total_poly(
        product_of(power(_remembered(atom, done), e) for atom, e in m).scaled(c) for m, c in poly.terms.items()
    )


def _remembered(atom: Atom, done: dict[Atom, Poly]) -> Poly:
    if atom not in done:
        done[atom] = _elementary_atom(atom, done)
    return done[atom]


def _elementary_atom(atom: Atom, done: dict[Atom, Poly]) -> Poly:
    args = atom.args
    match atom.kind:
        case "exp":
            return exponential(elementary(Poly({args[0]: 1}), done))
        case "fn":
            return _written(args[0], elementary(args[1], done))
        case "pow":
            return elementary(args[0], done)
        case "larger":
            return larger(elementary(p, done) for p in args[0])
        case "sum":
            body, fresh = open_sum(atom)
            return sum_over(fresh, elementary(body, done))
        case "max":
            index = Index("k", args[0].dim)
            opened: dict[Ix, Ix] = {args[0]: index}
            body, where = (elementary(rename(part, opened), done) for part in args[1:])
            return max_over(index, body, where)
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
