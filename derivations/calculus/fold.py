"""Expressions shown with the names of a program: where a definition stands written out, its name is put.

`Program.inline` writes every definition out, which is what a proof needs and nobody can read. Folding goes the other
way: it finds, definition by definition, what has the shape of the definition. An input that stands replaced by another
expression (keys shifted by a vector, a mask times the causal predicate) is found as well: the name then carries a
prime, and the replacement is listed. Folding is for display alone; no proof rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import is_

from .index import Mapped, Subscript
from .match import Environment, Match, Matcher, Names, Replacement
from .nodes import Add, Const, Entry, Expr, Max, Mul, Sum, Tensor
from .program import Def, Program
from .text import text
from .traverse import children, free_indices, rebuild, subscripts, tensors, walk

PRIME = "′"
MUCH_SHORTER = 0.7  # the part of a text that makes another one worth a change of structure


@dataclass(frozen=True)
class Folded:
    """Expressions with the names of a program, and what each kind of primed name replaces."""

    exprs: tuple[Expr, ...]
    where: Mapping[str, tuple[Replacement, ...]]


def fold(program: Program, *exprs: Expr) -> Folded:
    """Expressions shown with the names of a program.

    Of several ways to do it the first is taken, which keeps the structure of the expressions, unless another one gives
    a much shorter text.
    """
    ways = [_fold(program, exprs, flattened=False, moved=True), _fold(program, exprs, flattened=True, moved=True)]
    if any(isinstance(ix, Mapped) for expr in exprs for node in walk(expr) for ix in subscripts(node)):
        # Only where something is moved is there another way to read it.
        ways.append(_fold(program, exprs, flattened=True, moved=False))
    best = ways[0]
    for way in ways[1:]:
        if _length(way) < MUCH_SHORTER * _length(best):
            best = way
    return best


def _length(folded: Folded) -> int:
    replaced = (text(r.value) for rs in folded.where.values() for r in rs)
    return sum(map(len, (*map(text, folded.exprs), *replaced)))


def _fold(program: Program, exprs: tuple[Expr, ...], *, flattened: bool, moved: bool) -> Folded:
    folder = Folder(Names(program, moved))
    return folder.named([folder.fold(flat(expr) if flattened else expr) for expr in exprs])


@dataclass(frozen=True)
class Folder:
    """Folds expressions with the definitions of one program, and remembers in what its names differ from it."""

    names: Names

    def fold(self, expr: Expr) -> Expr:
        """The expression with the program's names, a provisional one wherever an input is replaced.

        Names without a replacement come first: any mean has the shape of the mean of x, but that of the squared
        deviations is the variance.
        """
        steps = [step for step in self.names.program.steps if not isinstance(step.value, Entry)]
        needed = [self.names.features(step.value) - {*self.names.program.inputs} for step in steps]
        present = self.names.features(expr)
        for exact in (True, False):
            for step, features in zip(steps, needed, strict=True):
                if features <= present:
                    folded = self._fold_step(expr, step, exact=exact)
                    if folded is not expr:
                        expr, present = folded, self.names.features(folded)
        return expr

    def named(self, exprs: Sequence[Expr]) -> Folded:
        """The provisional names as primed ones; names that differ in the same replacements share their primes."""
        used = [
            node.tensor
            for expr in exprs
            for node in walk(expr)
            if isinstance(node, Entry) and node.tensor in self.names.variants
        ]
        widest: dict[Tensor, Environment] = {t: self._widest(t, used) for t in used}
        marks: dict[str, str] = {}
        where: dict[str, tuple[Replacement, ...]] = {}
        names: dict[Tensor, Tensor] = {}
        for tensor in used:
            environment = widest[tensor]
            mark = marks.setdefault(_key(environment), PRIME * (len(marks) + 1))
            inputs = self.names.program.inputs
            where[mark] = tuple(sorted(environment.values(), key=lambda r: inputs.index(r.tensor)))
            names[tensor] = Tensor(self.names.variants[tensor][0].name + mark, tensor.dims)
        return Folded(tuple(flat(_renamed(expr, names)) for expr in exprs), where)

    def _widest(self, tensor: Tensor, used: Sequence[Tensor]) -> Environment:
        """The largest environment in use that means the same for this tensor."""
        base, own = self.names.variants[tensor]
        inputs = self.names.inputs_of(base)
        best = own
        for _, other in (self.names.variants[t] for t in used):
            agrees = all(t in other and other[t].key == r.key for t, r in own.items())
            if agrees and len(other) > len(best) and not inputs & (set(other) - set(own)):
                best = other
        return best

    def _fold_step(self, expr: Expr, step: Def, *, exact: bool) -> Expr:
        parts = children(expr)
        if not parts:
            return expr
        folded = tuple(self._fold_step(part, step, exact=exact) for part in parts)
        if not all(map(is_, folded, parts)):
            expr = rebuild(expr, folded)
        while type(expr) is type(step.value):  # nothing else has the shape of the definition
            found = self._once(expr, step, exact=exact)
            if found is None:
                return expr
            expr = found
        return expr

    def _once(self, expr: Expr, step: Def, *, exact: bool) -> Expr | None:
        """The expression with one occurrence of the definition at its top replaced by the name."""
        for match, rest in Matcher(self.names).top(step.value, expr):
            name = self._name(step, match)
            if name is None or (exact and not (isinstance(name, Entry) and name.tensor == step.tensor)):
                continue
            if not rest:
                return name
            return Mul((name, *rest)) if isinstance(expr, Mul) else Add((name, *rest))
        return None

    def _name(self, step: Def, match: Match) -> Expr | None:
        if any(index not in match.indices for index in step.indices):
            return None
        indices = tuple(match.indices[index] for index in step.indices)
        environment = {t: r for t, r in match.environment.items() if not r.trivial}
        taken = set(match.indices.values())
        if not all(self._sensible(r) and _closed(r, taken) for r in environment.values()):
            return None
        if not environment:
            strays = any(ix.dim != own for ix, own in zip(indices, step.tensor.dims, strict=True))
            return None if strays else Entry(step.tensor, indices)
        tensor = Tensor(f"{step.tensor.name} {_key(environment)}", tuple(ix.dim for ix in indices))
        self.names.variants[tensor] = (step.tensor, environment)
        return Entry(tensor, indices)

    def _sensible(self, replacement: Replacement) -> bool:
        """Whether a reader would see the input replaced: by another tensor, by a change of it, by something foreign.

        Any product of sums has the shape of the scores; it is not worth their name. A name that is itself primed is
        not put inside another one.
        """
        read = set(tensors(replacement.value))
        if not read.isdisjoint(self.names.variants):
            return False
        mine = {*self.names.program.inputs, *self.names.program.defined} | set(self.names.variants)
        if isinstance(replacement.value, Entry):
            return replacement.tensor in read or not read & mine
        if any(isinstance(node, Sum | Max) for node in walk(replacement.value)):
            return False
        return replacement.tensor in read or not read & mine


def _closed(replacement: Replacement, taken: set[Subscript]) -> bool:
    """Whether the value depends on the indices of the definition through the indices of the input alone."""
    return not (set(free_indices(replacement.value)) - set(replacement.indices)) & taken


def _key(environment: Environment) -> str:
    return "; ".join(sorted(f"{t.name} ↦ {r.key}" for t, r in environment.items()))


def _renamed(expr: Expr, names: Mapping[Tensor, Tensor]) -> Expr:
    if isinstance(expr, Entry):
        return Entry(names.get(expr.tensor, expr.tensor), expr.indices)
    parts = children(expr)
    return rebuild(expr, tuple(_renamed(part, names) for part in parts)) if parts else expr


def flat(expr: Expr) -> Expr:
    """Sums of sums and products of products as one, at every depth."""
    parts = children(expr)
    return flat_node(rebuild(expr, tuple(flat(part) for part in parts))) if parts else expr


def flat_node(expr: Expr) -> Expr:
    """`flat` at the top alone."""
    if isinstance(expr, Mul):
        factors: list[Expr] = []
        number = Fraction(1)
        for factor in (f for e in expr.factors for f in (e.factors if isinstance(e, Mul) else (e,))):
            if isinstance(factor, Const):
                number *= factor.value
            else:
                factors.append(factor)
        if number != 1 or not factors:
            factors.insert(0, Const(number))
        return factors[0] if len(factors) == 1 else Mul(tuple(factors))
    if isinstance(expr, Add):
        terms = tuple(t for e in expr.terms for t in (e.terms if isinstance(e, Add) else (e,)))
        return terms[0] if len(terms) == 1 else Add(terms)
    return expr
