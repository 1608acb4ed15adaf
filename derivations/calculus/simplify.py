"""From a derived gradient program to the form that people write.

Four rewritings, each of them an equality that is proved by the normal form when the result is assembled:

1. *Inline* the intermediate gradients that no matrix product needs.
2. *Fold*: an expression that occurs as the definition of an earlier name becomes that name (a/z becomes p).
3. *Factor* what all terms share, and name the part that is constant along a row (delta).
4. *Choose*, for such a row-level reduction, the cheapest among the forms that folding the other definitions gives:
   Σ_j p[i,j] dp[i,j] becomes Σ_e do[i,e] o[i,e], because it costs less when sequences are long.
"""

from __future__ import annotations

from collections.abc import Iterable

from .cost import definition_cost, growth
from .index import Dim, Index
from .nodes import Add, Entry, Expr, Mul, Sum, Tensor
from .normal_form import is_zero, normal_form
from .polynomial import UNIT, Atom, Ix, Monomial, Poly, Rational, atom_poly, entry_atom, magnitude, monomial_free
from .products import monomial, multiply, power
from .program import Def, Program
from .readback import Reader
from .sums import open_sum, rename_powers, sum_over
from .tidy import tidy
from .traverse import children, dims_of, tensors, walk

ROW_NAME = "delta"  # what FlashAttention calls D


class NotEqual(AssertionError):
    """A rewriting changed the value: a fault of the simplifier."""


def simplify(program: Program, given: Program) -> Program:
    """`program` (derived from `given`, whose definitions it starts with) in factored form, proved equal."""
    known = list(given.steps)
    derived = [step for step in program.steps if step.tensor not in given.defined]
    raw = _inlined(program, derived)
    reader = reader_of(program)
    done: list[Def] = []
    for step in raw:
        definitions = [*known, *done]
        if is_product(step.value):
            done.append(Def(step.target, step.value, step.note))
            continue
        folded = _fold_all(normal_form(step.value), definitions, with_sums=False)
        done += _factored(step, folded, definitions, reader, program)
    result = Program(program.name, program.inputs, (*known, *done), program.outputs, program.zero_over_empty).pruned()
    _require_equal(program, result)
    return result


def _require_equal(before: Program, after: Program) -> None:
    for tensor in before.outputs:
        indices = tuple(Index(f"{d.name}_{k}", d) for k, d in enumerate(tensor.dims))
        entry = tensor[indices]
        if not is_zero(normal_form(before.inline(entry)) - normal_form(after.inline(entry))):
            raise NotEqual(f"{before.name}: the simplified {tensor.name} is not shown to equal the derived one")


def reader_of(program: Program) -> Reader:
    """Reads normal forms back with the index names and the order of tensors of a program."""
    names: dict[Dim, str] = {}
    for step in program.steps:
        for node in (step.target, *walk(step.value)):
            if isinstance(node, Entry):
                for index in (ix for ix in node.indices if isinstance(ix, Index)):
                    names.setdefault(index.dim, index.name)
            elif isinstance(node, Sum):
                names.setdefault(node.index.dim, node.index.name)
    order = {t: k for k, t in enumerate((*program.inputs, *program.defined))}
    return Reader(names, order)


# 1. Inline ----------------------------------------------------------------------------------------------------------


def is_product(expr: Expr) -> bool:
    """Whether an expression is, up to factors without sums, a sum of products of two tensors that a matrix product
    computes: each has an index that the other lacks."""
    match expr:
        case Sum():
            body: Expr = expr
            while isinstance(body, Sum):
                body = body.body
            factors = body.factors if isinstance(body, Mul) else (body,)
            sets = [set(f.indices) for f in factors if isinstance(f, Entry)]
            return any(a - b and b - a for a in sets for b in sets)
        case Mul(factors):
            return any(is_product(f) for f in factors) and not any(_reduces(f) and not is_product(f) for f in factors)
        case Add(terms):
            return all(is_product(t) or not _reduces(t) for t in terms) and any(is_product(t) for t in terms)
        case _:
            return False


def _reduces(expr: Expr) -> bool:
    return any(isinstance(node, Sum) for node in walk(expr))


def _operands(expr: Expr) -> set[Tensor]:
    """The tensors that a matrix product inside the expression multiplies."""
    found: set[Tensor] = set()
    if isinstance(expr, Sum) and is_product(expr):
        found |= set(tensors(expr))
    for part in children(expr):
        found |= _operands(part)
    return found


def _inlined(program: Program, derived: list[Def]) -> list[Def]:
    """The derived definitions that stay: outputs, matrix products and their operands."""
    spread = [Def(step.target, _spread(step.value), step.note) for step in derived]
    operands = {t for step in spread for t in _operands(step.value)}
    renamed = {step.value.tensor for step in spread if isinstance(step.value, Entry)}
    needed = operands | renamed | set(program.outputs)
    uses = _effective_uses(spread, needed)
    kept: list[Def] = []
    names: list[Def] = []
    for step in spread:
        inner = Program("inline", _everything(program, names), tuple(names), ())
        value = tidy(inner.inline(step.value))
        shared = uses[step.tensor] > 1 and isinstance(step.value, Add) and not _reduces(step.value)
        if step.tensor in needed or shared or is_product(step.value):
            kept.append(Def(step.target, value, step.note))
        else:
            names.append(Def(step.target, value))
    return kept


def _effective_uses(steps: list[Def], needed: set[Tensor]) -> dict[Tensor, int]:
    """How often each tensor would be read by the definitions that stay, if the others were inlined."""
    uses = {step.tensor: 0 for step in steps}
    for step in reversed(steps):
        stays = step.tensor in needed or is_product(step.value)
        for node in walk(step.value):
            if isinstance(node, Entry) and node.tensor in uses:
                uses[node.tensor] += 1 if stays else uses[step.tensor]
    return uses


def _everything(program: Program, names: Iterable[Def]) -> tuple[Tensor, ...]:
    hidden = {step.tensor for step in names}
    return tuple(t for t in (*program.inputs, *program.defined) if t not in hidden)


def _spread(expr: Expr) -> Expr:
    """Sums of sums taken apart: Σ_j (a + b) = Σ_j a + Σ_j b."""
    if isinstance(expr, Sum):
        body = _spread(expr.body)
        if isinstance(body, Add):
            return tidy(Add(tuple(Sum(expr.index, term) for term in body.terms)))
        return tidy(Sum(expr.index, body))
    if isinstance(expr, Mul):
        factors = [_spread(f) for f in expr.factors]
        sums = [k for k, f in enumerate(factors) if isinstance(f, Add) and _reduces(f)]
        if len(sums) == 1:
            (k,) = sums
            chosen = factors[k]
            assert isinstance(chosen, Add)
            return tidy(Add(tuple(Mul((*factors[:k], t, *factors[k + 1 :])) for t in chosen.terms)))
        return tidy(Mul(tuple(factors)))
    if isinstance(expr, Add):
        return tidy(Add(tuple(_spread(t) for t in expr.terms)))
    return expr


# 2. Fold ------------------------------------------------------------------------------------------------------------


def _fold_all(poly: Poly, definitions: list[Def], *, with_sums: bool) -> Poly:
    result = Poly({})
    for m, c in poly.terms.items():
        result = result + _fold_term(m, definitions, with_sums=with_sums).scaled(c)
    return result


def _fold_term(m: Monomial, definitions: list[Def], *, with_sums: bool) -> Poly:
    """One term with every definition that occurs in it replaced by its name."""
    flat, binders = _flatten(m)
    if flat is None:
        return Poly({m: 1})
    for step in definitions:
        pattern = normal_form(step.value).single()
        if pattern is None or pattern[0] == UNIT or pattern[1] != 1:
            continue
        shape, inner = _flatten(pattern[0])
        if shape is None or (inner and not with_sums) or (len(shape) == 1 and not inner):
            continue
        while True:
            found = _match(list(shape.items()), flat, {}, frozenset((*step.indices, *inner)))
            if found is None or not _removable(found, inner, binders, shape, flat):
                break
            for atom, e in shape.items():
                actual = _renamed(atom, found)
                assert actual is not None, "what matched has a name"
                flat[actual] = flat[actual] - e
                if not flat[actual]:
                    del flat[actual]
            binders = binders - {found[index] for index in inner}
            name = entry_atom(step.tensor, tuple(found[index] for index in step.indices))
            flat[name] = flat.get(name, 0) + 1
    return sum_over(_indices(binders), monomial(flat))


def _indices(binders: frozenset[Ix]) -> frozenset[Index]:
    return frozenset(ix for ix in binders if isinstance(ix, Index))


def _flatten(m: Monomial) -> tuple[dict[Atom, Rational] | None, frozenset[Ix]]:
    """A term as one product under one set of sums."""
    flat: dict[Atom, Rational] = {}
    binders: set[Ix] = set()
    for atom, e in m:
        if atom.kind == "sum" and e >= 1 and e.denominator == 1:
            for _ in range(int(e)):
                body, fresh = open_sum(atom)
                single = body.single()
                if single is None:
                    return None, frozenset()
                for inner, power_ in single[0]:
                    flat[inner] = flat.get(inner, 0) + power_
                binders |= fresh
        else:
            flat[atom] = flat.get(atom, 0) + e
    return flat, frozenset(binders)


def _match(
    pattern: list[tuple[Atom, Rational]],
    flat: dict[Atom, Rational],
    found: dict[Ix, Ix],
    variables: frozenset[Ix],
) -> dict[Ix, Ix] | None:
    """An assignment of the pattern's indices under which every atom of the pattern divides the product."""
    if not pattern:
        return found if all(v in found for v in variables) else None
    (atom, e), rest = pattern[0], pattern[1:]
    for candidate, have in flat.items():
        if candidate.kind != atom.kind or have * e < 0 or magnitude(have) < magnitude(e):
            continue
        extended = _unify(atom, candidate, found, variables)
        if extended is not None:
            # Two atoms of the pattern may fall on one factor, which must then have the powers of both.
            left = {**flat, candidate: have - e}
            solved = _match(rest, left if left[candidate] else _without(left, candidate), extended, variables)
            if solved is not None:
                return solved
    return None


def _without(flat: dict[Atom, Rational], gone: Atom) -> dict[Atom, Rational]:
    return {atom: e for atom, e in flat.items() if atom != gone}


def _unify(atom: Atom, other: Atom, found: dict[Ix, Ix], variables: frozenset[Ix]) -> dict[Ix, Ix] | None:
    if atom.kind == "entry":
        if atom.args[0] != other.args[0]:
            return None
        extended = dict(found)
        for mine, theirs in zip(atom.args[1], other.args[1], strict=True):
            if mine in variables and extended.setdefault(mine, theirs) != theirs:
                return None
            if mine not in variables and mine != theirs:
                return None
        return extended
    if atom.kind == "exp" and len(atom.args[0]) == 1 and len(other.args[0]) == 1:
        (inner, e), (their, have) = next(iter(atom.args[0])), next(iter(other.args[0]))
        return _unify(inner, their, found, variables) if e == have and inner.kind == their.kind else None
    if atom.free & variables <= set(found):
        return found if _renamed(atom, found) == other else None
    return None


def _renamed(atom: Atom, found: dict[Ix, Ix]) -> Atom | None:
    single = rename_powers({atom: 1}, {k: v for k, v in found.items() if k in atom.free}).single()
    if single is None or len(single[0]) != 1:
        return None
    return next(iter(single[0]))[0]


def _removable(
    found: dict[Ix, Ix],
    inner: frozenset[Ix],
    binders: frozenset[Ix],
    shape: dict[Atom, Rational],
    flat: dict[Atom, Rational],
) -> bool:
    """The pattern's bound indices must be bound in the product and occur nowhere else."""
    images = [found[index] for index in inner]
    if len(set(images)) != len(images) or not set(images) <= binders:
        return False
    used = {_renamed(atom, found): e for atom, e in shape.items()}
    return all(flat[atom] == used.get(atom, 0) for atom in flat if not atom.free.isdisjoint(images))


# 3. Factor, 4. Choose -----------------------------------------------------------------------------------------------


def _factored(step: Def, poly: Poly, definitions: list[Def], reader: Reader, program: Program) -> list[Def]:
    """The definition as a common factor times what is left, with its row-level reduction under a name."""
    if not poly:
        return [Def(step.target, tidy(reader.poly(poly)), step.note)]
    for earlier in definitions:
        same_shape = earlier.tensor.dims == step.tensor.dims and _reduces(earlier.value)
        if same_shape and normal_form(earlier.at(*step.indices)) == poly:
            return [Def(step.target, earlier.tensor[step.indices], step.note)]
    common = _common_factor(poly)
    rest = multiply(poly, power(Poly({common: 1}), -1))
    row_terms = {m: c for m, c in rest.terms.items() if not set(step.indices) <= set(monomial_free(m))}
    steps: list[Def] = []
    if len(rest.terms) > 1 and 0 < len(row_terms) < len(rest.terms) and any(map(_has_sum, row_terms)):
        row = Poly(row_terms)
        sign = -1 if sum(c < 0 for m, c in row_terms.items() if _has_sum(m)) else 1
        free = {ix for m in row_terms for ix in monomial_free(m)}
        indices = tuple(ix for ix in step.indices if ix in free)
        named = Tensor(_unused(ROW_NAME, program, definitions), tuple(ix.dim for ix in indices))
        value, *others = _forms(Def(named[indices], reader.poly(row.scaled(sign))), definitions, reader)
        steps.append(Def(named[indices], value, alternatives=tuple(others)))
        rest = rest - row + atom_poly(entry_atom(named, indices)).scaled(sign)
        order = {**reader.order, named: len(reader.order)}
        reader = Reader(reader.names, order)
    factor = reader.term(common, 1, {}) if common != UNIT else None
    body = reader.poly(rest)
    steps.append(Def(step.target, tidy(Mul((factor, body))) if factor is not None else body, step.note))
    return steps


def _has_sum(m: Monomial) -> bool:
    return any(atom.kind == "sum" for atom, _ in m)


def _unused(name: str, program: Program, definitions: list[Def]) -> str:
    taken = {t.name for t in (*program.inputs, *program.defined)} | {d.tensor.name for d in definitions}
    number, chosen = 1, name
    while chosen in taken:
        number += 1
        chosen = f"{name}_{number}"
    return chosen


def _common_factor(poly: Poly) -> Monomial:
    monomials = [dict(m) for m in poly.terms]
    if len(monomials) == 1:
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
        if inlined.tensor in tensors(step.value) and is_product(inlined.value):
            program = Program("one", (*tensors(inlined.value),), (inlined,), (inlined.tensor,))
            extra = tuple(t for t in tensors(step.value) if t != inlined.tensor and t not in program.inputs)
            program = Program("one", (*program.inputs, *extra), (inlined,), (inlined.tensor,))
            expanded = normal_form(program.inline(step.value))
            forms.append(reader.poly(_fold_all(expanded, definitions, with_sums=True)))
    dims = tuple(dict.fromkeys(d for form in forms for d in (*dims_of(form), *(ix.dim for ix in step.indices))))
    return sorted(dict.fromkeys(forms), key=lambda form: growth(definition_cost(Def(step.target, form)), dims))
