"""The data of the normal form: atoms, monomials, polynomials.

A polynomial is a finite sum of rational coefficients times monomials; a monomial is a finite product of atoms with
rational exponents; an atom is anything that the normal form cannot take apart further (an entry, an exponential of a
monomial, a connected sum …). All three compare by structure. Bound indices inside an atom are numbers, the inner ones
lower than the outer ones, so that two atoms that differ in the names of bound indices alone are the same object.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from .index import Dim, Index, Permutation
from .nodes import NONNEGATIVE_FUNCTIONS, POSITIVE_FUNCTIONS, Tensor


def magnitude(value: Rational) -> Rational:
    """The absolute value."""
    return value if value >= 0 else -value


class Bound(NamedTuple):
    """A bound index: its number and its dimension."""

    number: int
    dim: Dim


class Image(NamedTuple):
    """The position to which a permutation, or a tensor of indices, takes an index."""

    map: Permutation | Tensor
    ix: Index | Bound

    @property
    def dim(self) -> Dim:
        """The dimension of the position."""
        if isinstance(self.map, Permutation):
            return self.map.dim
        assert self.map.over is not None
        return self.map.over


Ix = Index | Bound | Image
Rational = int | Fraction  # whole numbers are ints, which are faster; `/` and `**` are used on fractions alone


def rational(value: Rational) -> Rational:
    """A rational number, as an int if it is whole."""
    return value.numerator if value.denominator == 1 else value


AtomKind = Literal["entry", "size", "place", "const", "delta", "pred", "exp", "fn", "max", "larger", "sum", "pow"]


class Atom:
    """One indivisible factor. `kind` decides what `args` holds:

    entry (tensor, indices); size (dim); place (index): its value as a number; const (positive rational); delta
    (index, index); pred (terms, constant);
    exp (monomial); fn (name, polynomial); max (bound, polynomial, polynomial where); larger (set of polynomials);
    sum (bounds, monomial); pow (polynomial base; the exponent is the atom's own).
    """

    __slots__ = ("_hash", "_key", "args", "boolean", "free", "kind", "plain", "top")

    def __init__(self, kind: AtomKind, args: tuple[Any, ...], free: frozenset[Ix], top: int) -> None:
        self.kind = kind
        self.args = args
        self.free = free
        self.top = top
        # A boolean atom is 0 or 1, so that its positive powers are itself; a plain one has no rule in a product.
        self.boolean = (
            kind in ("delta", "pred")
            or (kind == "entry" and args[0].kind == "boolean")
            or (kind == "fn" and args[0] == "step")
        )
        self.plain = not self.boolean and kind not in ("const", "pow") and not (kind == "fn" and args[0] == "sin")
        self._hash = hash((kind, args))
        self._key: str | None = None

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Atom)
            and self._hash == other._hash
            and self.kind == other.kind
            and self.args == other.args
        )

    def render(self, names: Mapping[Ix, str]) -> str:
        """A string that determines the atom, given distinct names of its free indices."""
        if self.free.isdisjoint(names):
            if self._key is None:
                self._key = self._render({})
            return self._key
        return self._render(names)

    def _render(self, names: Mapping[Ix, str]) -> str:
        def name(ix: Ix) -> str:
            if ix in names:
                return names[ix]
            if isinstance(ix, Image):
                return f"{ix.map.name}({name(ix.ix)})"
            return f"#{ix.number}" if isinstance(ix, Bound) else f"{ix.name}:{ix.dim.name}"

        args = self.args
        match self.kind:
            case "entry":
                return f"{args[0].name}[{','.join(map(name, args[1]))}]"
            case "size" | "const":
                return f"{self.kind}({args[0]})"
            case "place":
                return f"place({name(args[0])})"
            case "delta":
                return f"delta({','.join(sorted(map(name, args[0])))})"
            case "pred":
                terms = sorted(f"{c}*{t.name if isinstance(t, Dim) else name(t)}" for t, c in args[0])
                return f"[{'+'.join(terms)}+{args[1]}]"
            case "exp":
                return f"exp({render_monomial(args[0], names)})"
            case "fn":
                return f"{args[0]}({args[1].render(names)})"
            case "max":
                return f"max({args[0].dim.name};{args[1].render(names)};{args[2].render(names)})"
            case "larger":
                return f"larger({';'.join(sorted(p.render(names) for p in args[0]))})"
            case "sum":
                return f"sum({','.join(b.dim.name for b in args[0])};{render_monomial(args[1], names)})"
            case "pow":
                return f"pow({args[0].render(names)})"

    def __repr__(self) -> str:
        return self.render({})


Monomial = frozenset[tuple[Atom, Rational]]
UNIT: Monomial = frozenset()


def render_monomial(monomial: Monomial, names: Mapping[Ix, str]) -> str:
    """A string that determines the monomial."""
    return "·".join(sorted(f"{atom.render(names)}^{e}" for atom, e in monomial))


def monomial_free(monomial: Monomial) -> frozenset[Ix]:
    """The free indices of a monomial."""
    return frozenset().union(*(atom.free for atom, _ in monomial))


def monomial_top(monomial: Monomial) -> int:
    """One more than the highest bound number that occurs inside."""
    return max((atom.top for atom, _ in monomial), default=0)


class Poly:
    """A sum of rational multiples of monomials; no coefficient is zero."""

    __slots__ = ("_free", "_hash", "terms")

    def __init__(self, terms: Mapping[Monomial, Rational]) -> None:
        self.terms = dict(terms)
        self._free: frozenset[Ix] | None = None
        self._hash: int | None = None

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Poly) and self.terms == other.terms)

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __add__(self, other: Poly) -> Poly:
        terms = dict(self.terms)
        for monomial, coefficient in other.terms.items():
            value = terms.get(monomial, 0) + coefficient
            if value:
                terms[monomial] = value
            else:
                terms.pop(monomial, None)
        return Poly(terms)

    def __neg__(self) -> Poly:
        return self.scaled(-1)

    def __sub__(self, other: Poly) -> Poly:
        return self + (-other)

    def scaled(self, factor: Rational) -> Poly:
        """Every coefficient multiplied by a rational number."""
        if factor == 1:
            return self
        return Poly({m: c * factor for m, c in self.terms.items()} if factor else {})

    @property
    def free(self) -> frozenset[Ix]:
        """The free indices."""
        if self._free is None:
            self._free = frozenset().union(*(monomial_free(m) for m in self.terms))
        return self._free

    @property
    def top(self) -> int:
        """One more than the highest bound number that occurs inside."""
        return max((monomial_top(m) for m in self.terms), default=0)

    def single(self) -> tuple[Monomial, Rational] | None:
        """The only term, if there is exactly one."""
        return next(iter(self.terms.items())) if len(self.terms) == 1 else None

    def render(self, names: Mapping[Ix, str]) -> str:
        """A string that determines the polynomial."""
        return "+".join(sorted(f"{c}·{render_monomial(m, names)}" for m, c in self.terms.items()))

    def __repr__(self) -> str:
        return self.render({}) or "0"


def constant(value: Rational) -> Poly:
    """A rational number as a polynomial."""
    return Poly({UNIT: rational(value)} if value else {})


ZERO_POLY = constant(0)
ONE_POLY = constant(1)
PI_ARGS = ("acos", constant(-1))  # π as a function of a polynomial


def atom_poly(atom: Atom) -> Poly:
    """One atom as a polynomial."""
    return Poly({frozenset(((atom, 1),)): 1})


def total_poly(parts: Iterable[Poly]) -> Poly:
    """The sum of polynomials."""
    terms: dict[Monomial, Rational] = {}
    for part in parts:
        accumulate(terms, part, 1)
    return Poly(terms)


def accumulate(terms: dict[Monomial, Rational], addend: Poly, factor: Rational) -> None:
    """Adds a multiple of a polynomial to the terms of another."""
    for monomial, c in addend.terms.items():
        value = c * factor
        if monomial in terms:
            value = terms[monomial] + value
        if value:
            terms[monomial] = value
        else:
            terms.pop(monomial, None)


def product_terms(powers: Mapping[Atom, Rational], coefficient: Rational = 1) -> Poly:
    """A product of powers as it stands, without any rule applied."""
    return Poly({frozenset(powers.items()): coefficient})


def entry_atom(tensor: Tensor, indices: tuple[Ix, ...]) -> Atom:
    """An entry of a tensor."""
    return Atom("entry", (tensor, indices), with_inner(indices), 0)


def with_inner(indices: Iterable[Ix]) -> frozenset[Ix]:
    """Indices, and those of which some are the images: what an atom with these subscripts has free."""
    found = tuple(indices)
    return frozenset((*found, *(ix.ix for ix in found if isinstance(ix, Image))))


def place_atom(ix: Ix) -> Atom:
    """The value of an index as a number."""
    return Atom("place", (ix,), frozenset({ix}), 0)


def unbound(free: frozenset[Ix], bounds: Iterable[Bound]) -> frozenset[Ix]:
    """The free indices that remain when some become bound."""
    gone = frozenset(bounds)
    return frozenset(ix for ix in free if (ix.ix if isinstance(ix, Image) else ix) not in gone)


def size_atom(dim: Dim) -> Atom:
    """The size of a dimension."""
    return Atom("size", (dim,), frozenset(), 0)


def const_atom(value: int) -> Atom:
    """A prime number under a fractional power."""
    return Atom("const", (value,), frozenset(), 0)


def is_positive(atom: Atom) -> bool:
    """Whether the atom is a positive number wherever it occurs in a denominator, a root or a logarithm."""
    match atom.kind:
        case "size" | "const" | "exp":
            return True
        case "entry":
            return bool(atom.args[0].kind == "positive")
        case "fn":
            return atom.args[0] in POSITIVE_FUNCTIONS or atom.args == PI_ARGS
        case "sum":
            return all(is_nonnegative_power(a, e) for a, e in atom.args[1])
        case "pow":
            return all(c > 0 and all(is_nonnegative_power(a, e) for a, e in m) for m, c in atom.args[0].terms.items())
        case _:
            return False


def is_nonnegative_power(atom: Atom, exponent: Rational) -> bool:
    """Whether a power of an atom is never negative."""
    if exponent.denominator == 1 and exponent.numerator % 2 == 0:
        return True
    return atom.boolean or is_positive(atom) or (atom.kind == "fn" and atom.args[0] in NONNEGATIVE_FUNCTIONS)
