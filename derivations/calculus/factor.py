"""A derived definition as people write it: common factors taken out, what is constant along a row under a name."""

from __future__ import annotations

from dataclasses import dataclass, field

from .absorb import absorbed
from .cost import definition_cost, growth
from .index import Index
from .matrix_products import is_product, reduces
from .nodes import Add, Expr, Mul, Tensor
from .normal_form import normal_form
from .polynomial import (
    UNIT,
    Atom,
    Monomial,
    Poly,
    Rational,
    atom_poly,
    entry_atom,
    magnitude,
    monomial_free,
    product_terms,
)
from .products import multiply, power
from .program import Def, Program, unused_name
from .readback import Reader
from .tidy import tidy
from .traverse import dims_of, tensors

ROW_NAME = "delta"  # what FlashAttention calls D


def factored(step: Def, poly: Poly, definitions: list[Def], reader: Reader, program: Program) -> list[Def]:
    """The definition `step`, whose value is `poly`, in factored form, after the row-level definitions that it needs."""
    for earlier in definitions:
        same_shape = earlier.tensor.dims == step.tensor.dims and reduces(earlier.value)
        if same_shape and normal_form(earlier.at(*step.indices)) == poly:
            return [Def(step.target, earlier.tensor[step.indices], step.note)]
    taken = frozenset(t.name for t in (*program.inputs, *program.defined, *(d.tensor for d in definitions)))
    factoring = _Factoring(step.indices, definitions, reader, taken)
    value = factoring.expression(poly)
    return [*factoring.rows, Def(step.target, value, step.note)]


@dataclass
class _Factoring:
    """One definition with these indices being factored; `rows` are the definitions that it has needed so far."""

    indices: tuple[Index, ...]
    definitions: list[Def]
    reader: Reader
    taken: frozenset[str]
    rows: list[Def] = field(default_factory=list)

    def expression(self, poly: Poly) -> Expr:
        """A common factor of all terms times what is left; of the terms that reduce a row if not of all."""
        common = _common_factor(poly)
        rest = multiply(poly, power(product_terms(dict(common)), -1))
        group = Poly({}) if common != UNIT else self._group(rest)
        inner: Expr | None = None
        if group:
            inner, rest = self.expression(group), rest - group
        rest = self._with_row_term(rest)
        rest = self._with_row_factors(rest)
        body = self.reader.poly(rest)
        if inner is not None:
            body = Add((body, inner))
        return tidy(Mul((self.reader.term(common, 1, {}), body))) if common != UNIT else tidy(body)

    def _group(self, poly: Poly) -> Poly:
        """Some of at least three terms that share the most factors, a sum over a row among them."""
        best = Poly({})
        if len(poly.terms) < 3:
            return best
        atoms = {atom for m in poly.terms for atom, _ in m if atom.kind == "entry"}
        rank = (0, 0)
        for chosen in sorted(atoms, key=repr):
            group = Poly({m: c for m, c in poly.terms.items() if dict(m).get(chosen, 0) > 0})
            size = (len(group.terms), len(_common_factor(group)))
            if 1 < size[0] < len(poly.terms) and size > rank and any(self._reduces_row(m) for m in group.terms):
                best, rank = group, size
        return best

    def _reduces_row(self, m: Monomial) -> bool:
        return any(self._is_row_sum(atom) for atom, _ in m)

    def _is_row_sum(self, atom: Atom) -> bool:
        return atom.kind == "sum" and not set(self.indices) <= set(atom.free)

    def _with_row_term(self, rest: Poly) -> Poly:
        """The terms that lack an index, a sum among them, as one term with a name."""
        row = {m: c for m, c in rest.terms.items() if not set(self.indices) <= set(monomial_free(m))}
        if not 0 < len(row) < len(rest.terms) or not any(map(_has_sum, row)):
            return rest
        sign = -1 if sum(c < 0 for m, c in row.items() if _has_sum(m)) else 1
        return rest - Poly(row) + atom_poly(self._named(Poly(row).scaled(sign))).scaled(sign)

    def _with_row_factors(self, rest: Poly) -> Poly:
        """Sums that lack an index, with the numbers and other factors that lack it, as one factor with a name."""
        result = Poly({})
        for m, c in sorted(rest.terms.items(), key=lambda item: sorted(map(repr, item[0]))):
            free = {ix for atom, _ in m if self._is_row_sum(atom) for ix in atom.free}
            inside = frozenset((a, e) for a, e in m if a.free <= free)
            if not self._reduces_row(m) or len(inside) == len(m):
                result = result + Poly({m: c})
                continue
            name = self._named(product_terms(dict(inside), magnitude(c)))
            outside: dict[Atom, Rational] = {a: e for a, e in m if (a, e) not in inside}
            outside[name] = 1
            result = result + product_terms(outside, 1 if c > 0 else -1)
        return result

    def _named(self, row: Poly) -> Atom:
        """A new name for a value that is constant along a row."""
        indices = tuple(ix for ix in self.indices if ix in row.free)
        taken = {*self.taken, *(d.tensor.name for d in self.rows)}
        tensor = Tensor(unused_name(ROW_NAME, taken), tuple(ix.dim for ix in indices))
        value, *others = _forms(Def(tensor[indices], self.reader.poly(row)), self.definitions, self.reader)
        self.rows.append(Def(tensor[indices], value, alternatives=tuple(others)))
        self.reader = Reader(self.reader.names, {**self.reader.order, tensor: len(self.reader.order)})
        return entry_atom(tensor, indices)


def _has_sum(m: Monomial) -> bool:
    return any(atom.kind == "sum" for atom, _ in m)


def _common_factor(poly: Poly) -> Monomial:
    monomials = [dict(m) for m in poly.terms]
    if len(monomials) <= 1:
        return UNIT
    shared: dict[Atom, Rational] = {}
    for atom in monomials[0]:
        powers = [m.get(atom, 0) for m in monomials]
        if min(powers) > 0:
            shared[atom] = min(powers)
        elif max(powers) < 0:
            shared[atom] = max(powers)
    return frozenset(shared.items())


def _forms(step: Def, definitions: list[Def], reader: Reader) -> list[Expr]:
    """The forms that inlining one product and folding another definition gives, the cheapest first."""
    forms = [step.value]
    for inlined in definitions:
        if inlined.tensor in step.read and is_product(inlined.value):
            program = Program("one", (*tensors(inlined.value),), (inlined,), (inlined.tensor,))
            extra = tuple(t for t in step.read if t != inlined.tensor and t not in program.inputs)
            program = Program("one", (*program.inputs, *extra), (inlined,), (inlined.tensor,))
            expanded = normal_form(program.inline(step.value))
            forms.append(reader.poly(absorbed(expanded, definitions, with_sums=True)))
    dims = tuple(dict.fromkeys(d for form in forms for d in (*dims_of(form), *(ix.dim for ix in step.indices))))
    return sorted(dict.fromkeys(forms), key=lambda form: growth(definition_cost(Def(step.target, form)), dims))
