"""From a polynomial of the normal form back to an expression that people read."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import reduce

from .affine import Affine as AffineForm
from .index import Dim, Index, Mapped, Subscript
from .indicators import index_order
from .nodes import ONE, Add, Const, Delta, Entry, Expr, Fn, Larger, Max, Mul, Place, Pow, Predicate, Size, Sum, Tensor
from .polynomial import Atom, Bound, Image, Ix, Monomial, Poly, Rational
from .tidy import tidy

Order = Mapping[Tensor, int]


class Reader:
    """Reads polynomials back. `names` gives the usual index name of a dimension, `order` the order of tensors."""

    def __init__(self, names: Mapping[Dim, str], order: Order) -> None:
        self.names = names
        self.order = order

    def poly(self, poly: Poly, bound: Mapping[Bound, Index] | None = None) -> Expr:
        """A polynomial as a sum, the positive terms first."""
        inner = dict(bound or {})
        terms = sorted(
            poly.terms.items(), key=lambda item: (item[1] < 0, self._rank(item[0]), repr(sorted(map(repr, item[0]))))
        )
        return tidy(Add(tuple(self.term(m, c, inner) for m, c in terms)))

    def term(self, m: Monomial, coefficient: Rational, bound: Mapping[Bound, Index]) -> Expr:
        """A monomial as a product: numbers, then scalars, then tensors in the order of the program."""
        factors: list[Expr] = [Const(Fraction(coefficient))] if coefficient != 1 else []
        logs: list[tuple[Expr, Fraction]] = []
        for atom, e in sorted(m, key=lambda item: (self._atom_rank(item[0]), repr(item[0]))):
            if atom.kind == "exp":
                logs.append((self.term(atom.args[0], 1, bound), Fraction(e)))
            else:
                factors.append(Pow(self.atom(atom, bound), Fraction(e)) if e != 1 else self.atom(atom, bound))
        if logs:
            logs.sort(key=lambda item: item[1] < 0)
            argument = Add(tuple(Mul((Const(e), inner)) for inner, e in logs))
            factors.append(Fn("exp", tidy(argument)))
        return tidy(Mul(tuple(factors))) if factors else ONE

    def _rank(self, m: Monomial) -> tuple[int, ...]:
        return tuple(sorted((self._atom_rank(atom) for atom, _ in m), reverse=True))

    def _atom_rank(self, atom: Atom) -> int:
        if atom.kind == "entry":
            tensor = atom.args[0]
            return self.order.get(tensor, 0) if tensor.dims else -1
        return {"const": -3, "size": -2, "delta": -1}.get(atom.kind, 10_000)

    def index(self, ix: Ix, bound: Mapping[Bound, Index]) -> Index:
        """The index object of a bound number or a free index."""
        if isinstance(ix, Image):
            raise TypeError(f"{ix} is not a plain index")
        return bound[ix] if isinstance(ix, Bound) else ix

    def subscript(self, ix: Ix, bound: Mapping[Bound, Index]) -> Subscript:
        """An index, or its image under a permutation or a lookup."""
        if isinstance(ix, Image):
            return Mapped(ix.map, self.index(ix.ix, bound))
        return self.index(ix, bound)

    def atom(self, atom: Atom, bound: Mapping[Bound, Index]) -> Expr:
        """One atom as an expression."""
        args = atom.args
        match atom.kind:
            case "entry":
                return Entry(args[0], tuple(self.subscript(ix, bound) for ix in args[1]))
            case "size":
                return Size(args[0])
            case "place":
                return Place(AffineForm(((self.index(args[0], bound), 1),)))
            case "const":
                return Const(Fraction(args[0]))
            case "delta":
                left, right = (self.subscript(ix, bound) for ix in sorted(args[0], key=index_order, reverse=True))
                if isinstance(left, Index) and isinstance(right, Index):
                    left, right = sorted((left, right), key=lambda ix: ix.name)
                return Delta(left, right)
            case "pred":
                terms = tuple(
                    (t if isinstance(t, Dim) else self.index(t, bound), c)
                    for t, c in sorted(args[0], key=lambda item: (-item[1], str(item[0])))
                )
                return Predicate(AffineForm(terms, args[1]))
            case "exp":
                return Fn("exp", self.term(args[0], 1, bound))
            case "fn":
                return Fn(args[0], self.poly(args[1], bound))
            case "pow":
                return self.poly(args[0], bound)
            case "larger":
                members = [self.poly(p, bound) for p in sorted(args[0], key=repr)]
                return reduce(Larger, members)
            case "max":
                index = Index(self.names.get(args[0].dim, "k"), args[0].dim)
                inner = {**bound, args[0]: index}
                return Max(index, self.poly(args[1], inner), self.poly(args[2], inner))
            case "sum":
                inner = {**bound, **{b: Index(self.names.get(b.dim, "k"), b.dim) for b in args[0]}}
                body = self.term(args[1], 1, inner)
                for b in args[0]:
                    body = Sum(inner[b], body)
                return body
