"""Matching of an expression with a definition: what the indices and the inputs of the definition stand for in it.

An input of the program is a variable that stands for itself or for any expression of its indices; a tensor that the
program defines matches its own name, or a variant of it in which inputs are replaced consistently. Terms and factors
match in any order.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from .index import Index, Mapped, Subscript
from .nodes import Add, Const, Delta, Entry, Expr, Fn, Gated, Max, Mul, Pow, Predicate, Size, Sum, Tensor
from .program import Program
from .text import text
from .traverse import axes_of, children, free_indices, rename, tensors, walk


@dataclass(frozen=True)
class Replacement:
    """What stands for the entries of an input: `tensor[indices]` is `value` here."""

    tensor: Tensor
    indices: tuple[Index, ...]
    value: Expr

    def at(self, indices: Sequence[Subscript]) -> Expr:
        """The value at other indices."""
        return rename(self.value, dict(zip(self.indices, indices, strict=True)))

    @cached_property
    def key(self) -> str:
        """Equal for replacements that differ in the names of indices alone."""
        return text(self.at([Index(f"#{k}", index.dim) for k, index in enumerate(self.indices)]))

    def __str__(self) -> str:
        # An index of a block runs over a part of the axis, which `Tensor.__getitem__` refuses.
        where = f"[{', '.join(index.name for index in self.indices)}]" if self.indices else ""
        return f"{self.tensor.name}{where} ↦ {text(self.value)}"

    @property
    def trivial(self) -> bool:
        """Whether the input stands for itself."""
        value = self.value
        return isinstance(value, Entry) and value.tensor == self.tensor and value.indices == self.indices


Environment = dict[Tensor, Replacement]


@dataclass
class Names:
    """The names of a program, and of the variants of its definitions in which some inputs are replaced.

    `moved`: a name may be read at the image of an index under a permutation; else the permutation is a replacement.
    """

    program: Program
    moved: bool
    variants: dict[Tensor, tuple[Tensor, Environment]] = field(default_factory=dict)
    _inputs: dict[Tensor, frozenset[Tensor]] = field(default_factory=dict)

    def base_of(self, tensor: Tensor) -> tuple[Tensor, Environment]:
        """The tensor of the program that a name stands for, and what is replaced in it."""
        return self.variants.get(tensor, (tensor, {}))

    def inputs_of(self, tensor: Tensor) -> frozenset[Tensor]:
        """The inputs of the program that a defined tensor depends on."""
        if tensor not in self._inputs:
            found: set[Tensor] = set()
            for read in tensors(self.program.defined[tensor].value):
                found |= self.inputs_of(read) if read in self.program.defined else {read}
            self._inputs[tensor] = frozenset(found)
        return self._inputs[tensor]

    def features(self, expr: Expr) -> frozenset[Hashable]:
        """What must occur in an expression for a part of it to match this one: numbers, functions, powers, tensors of
        the program, kinds of nodes. An input matches anything: it is to be taken out of those of a definition."""
        found: set[Hashable] = set()
        for node in walk(expr):
            match node:
                case Const(value):
                    found.add(value)
                case Size(dim):
                    found.add(dim)
                case Fn(name, _):
                    found.add(name)
                case Pow(_, exponent):
                    found.add(("power", exponent))
                case Entry(tensor, _):
                    found.add(self.base_of(tensor)[0])
                case _:
                    found.add(type(node).__name__)
        return frozenset(found)


@dataclass(frozen=True)
class Match:
    """What the indices and the inputs of a pattern stand for; `inner` are the images of its bound indices."""

    indices: Mapping[Index, Subscript] = field(default_factory=dict)
    environment: Environment = field(default_factory=dict)
    inner: frozenset[Index] = frozenset()
    later: tuple[tuple[Entry, Expr], ...] = ()

    def with_index(self, mine: Index, theirs: Subscript) -> Match | None:
        """The match with one more index decided; None if it was decided otherwise."""
        if mine in self.indices:
            return self if self.indices[mine] == theirs else None
        return replace(self, indices={**self.indices, mine: theirs})

    def with_subscripts(self, mine: Sequence[Subscript], theirs: Sequence[Subscript]) -> Match | None:
        """The match with the indices of some subscripts decided; a lookup stands for the same lookup alone."""
        found: Match | None = self
        for own, actual in zip(mine, theirs, strict=True):
            if isinstance(own, Mapped):
                if not (isinstance(actual, Mapped) and actual.map == own.map):
                    return None
                own, actual = own.index, actual.index
            found = found.with_index(own, actual) if found is not None else None
        return found

    def with_replacement(self, new: Replacement) -> Match | None:
        """The match with one more input decided; None if it was decided otherwise."""
        known = self.environment.get(new.tensor)
        if known is not None:
            return self if known.key == new.key else None
        return replace(self, environment={**self.environment, new.tensor: new})


def _itself(tensor: Tensor) -> Replacement:
    indices = axes_of(tensor)
    return Replacement(tensor, indices, tensor[indices])


class Matcher:
    """Finds what the inputs and indices of a pattern must stand for to make it an expression."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.inputs = frozenset(names.program.inputs)

    def top(self, pattern: Expr, expr: Expr) -> Iterator[tuple[Match, tuple[Expr, ...]]]:
        """Matches of the whole expression, or of some terms or factors of it, with those that are left."""
        if isinstance(pattern, Add | Mul) and type(pattern) is type(expr):
            for match, rest in self._parts(pattern, expr, Match(), exact=False):
                yield from ((m, rest) for m in self._resolved(match))
        else:
            for match in self._match(pattern, expr, Match()):
                yield from ((m, ()) for m in self._resolved(match))

    def _match(self, pattern: Expr, expr: Expr, match: Match) -> Iterator[Match]:
        match pattern, expr:
            case Entry(tensor, _), _ if tensor in self.inputs:
                yield from self._input(pattern, expr, match)
            case Entry(tensor, mine), Entry(other, theirs):
                yield from self._defined(tensor, mine, other, theirs, match)
            case Fn(name, argument), Fn(other_name, other_argument) if name == other_name:
                yield from self._match(argument, other_argument, match)
            case Pow(base, exponent), Pow(other_base, other_exponent) if exponent == other_exponent:
                yield from self._match(base, other_base, match)
            case Sum(index, body), Sum(other_index, other_body):
                yield from self._match(body, other_body, _bound(match, index, other_index))
            case Max(index, body, where), Max(other_index, other_body, other_where):
                for found in self._match(body, other_body, _bound(match, index, other_index)):
                    yield from self._match(where, other_where, found)
            case ((Add() | Mul() as sides), _) if type(pattern) is type(expr):
                for found, _rest in self._parts(sides, expr, match, exact=True):
                    yield found
            case ((Const() | Size()), _) if pattern == expr:
                yield match
            case Gated(body, gate), Gated(other_body, other_gate):
                for found in self._match(body, other_body, match):
                    yield from self._match(gate, other_gate, found)
            case Delta(left, right), Delta(other_left, other_right):
                for theirs in ((other_left, other_right), (other_right, other_left)):
                    decided = match.with_subscripts((left, right), theirs)
                    if decided is not None:
                        yield decided
            case _:
                return

    def _defined(
        self,
        tensor: Tensor,
        mine: tuple[Subscript, ...],
        other: Tensor,
        theirs: tuple[Subscript, ...],
        match: Match,
    ) -> Iterator[Match]:
        base, environment = self.names.base_of(other)
        if base != tensor:
            return
        found = match.with_subscripts(mine, theirs)
        for read in self.names.inputs_of(tensor):
            found = found.with_replacement(environment.get(read, _itself(read))) if found is not None else None
        if found is not None:
            yield found

    def _input(self, pattern: Entry, expr: Expr, match: Match) -> Iterator[Match]:
        """An input stands for itself, or for any expression of its indices."""
        mine = tuple(ix for ix in pattern.indices if isinstance(ix, Index))
        if isinstance(expr, Entry) and expr.tensor == pattern.tensor and self._plain(expr):
            found = match.with_replacement(_itself(pattern.tensor))
            found = found.with_subscripts(pattern.indices, expr.indices) if found is not None else None
            if found is not None:
                yield found
            return
        if len(mine) < len(pattern.indices):
            return
        if any(index not in match.indices for index in mine):
            yield replace(match, later=(*match.later, (pattern, expr)))
            return
        images = tuple(match.indices[index] for index in mine)
        plain = tuple(ix for ix in images if isinstance(ix, Index))
        if len(set(plain)) != len(mine) or (match.inner and match.inner & set(free_indices(expr)) - set(plain)):
            return
        bound = match.with_replacement(Replacement(pattern.tensor, plain, expr))
        if bound is not None:
            yield bound

    def _plain(self, entry: Entry) -> bool:
        return self.names.moved or all(isinstance(ix, Index) or ix.lookup is not None for ix in entry.indices)

    def _resolved(self, match: Match) -> Iterator[Match]:
        """The match with the postponed inputs decided: an index that is still free must be the only candidate."""
        if not match.later:
            yield match
            return
        (pattern, expr), *others = match.later
        match = replace(match, later=tuple(others))
        for own in pattern.indices:
            if isinstance(own, Index) and own not in match.indices:
                taken = set(match.indices.values())
                free = [ix for ix in free_indices(expr) if ix not in taken]
                # In a block the index runs over a part of the axis.
                candidates = [ix for ix in free if ix.dim == own.dim] or free
                if len(candidates) != 1:
                    return
                match = replace(match, indices={**match.indices, own: candidates[0]})
        for found in self._input(pattern, expr, match):
            yield from self._resolved(found)

    def _parts(
        self, pattern: Add | Mul, expr: Expr, match: Match, *, exact: bool
    ) -> Iterator[tuple[Match, tuple[Expr, ...]]]:
        """Terms or factors in any order; what is left over must be nothing if `exact`."""
        patterns, exprs = children(pattern), children(expr)
        if len(patterns) > len(exprs):
            return
        ordered = sorted(patterns, key=lambda p: isinstance(p, Entry) and p.tensor in self.inputs)
        fixed = [p for p in ordered if not (isinstance(p, Entry) and p.tensor in self.inputs)]
        inputs = [p for p in ordered if isinstance(p, Entry) and p.tensor in self.inputs]
        for found, rest in self._fixed(fixed, exprs, match):
            kind = Add if isinstance(pattern, Add) else Mul
            yield from self._shared(inputs, rest, found, kind, exact=exact)

    def _fixed(
        self, patterns: Sequence[Expr], exprs: tuple[Expr, ...], match: Match
    ) -> Iterator[tuple[Match, tuple[Expr, ...]]]:
        if not patterns:
            yield match, exprs
            return
        for place, expr in enumerate(exprs):
            for found in self._match(patterns[0], expr, match):
                yield from self._fixed(patterns[1:], exprs[:place] + exprs[place + 1 :], found)

    def _shared(
        self,
        inputs: Sequence[Entry],
        exprs: tuple[Expr, ...],
        match: Match,
        kind: type[Add] | type[Mul],
        *,
        exact: bool,
    ) -> Iterator[tuple[Match, tuple[Expr, ...]]]:
        """Inputs among the terms or factors: each takes its own entry, or some of the others."""
        if not inputs:
            if not exact or not exprs:
                yield match, exprs
            return
        first, *others = inputs
        for taken in _choices(first, exprs, everything=exact and not others):
            rest = tuple(e for k, e in enumerate(exprs) if k not in taken)
            chosen = [exprs[k] for k in taken]
            value = chosen[0] if len(chosen) == 1 else kind(tuple(chosen))
            for found in self._input(first, value, match):
                yield from self._shared(others, rest, found, kind, exact=exact)


def _bound(match: Match, mine: Index, theirs: Index) -> Match:
    return replace(match, indices={**match.indices, mine: theirs}, inner=match.inner | {theirs})


def _choices(pattern: Entry, exprs: tuple[Expr, ...], *, everything: bool) -> Iterator[tuple[int, ...]]:
    """Which of some factors an input may stand for: its own entry, all that is left, all masks, or any single one."""
    own = [k for k, e in enumerate(exprs) if isinstance(e, Entry) and e.tensor == pattern.tensor]
    masks = tuple(k for k, e in enumerate(exprs) if _is_mask(e))
    if everything:
        yield tuple(range(len(exprs)))
    elif pattern.tensor.kind == "boolean" and masks:
        yield masks
    else:
        yield from ((k,) for k in (own or range(len(exprs))))


def _is_mask(expr: Expr) -> bool:
    return isinstance(expr, Predicate) or (isinstance(expr, Entry) and expr.tensor.kind == "boolean")
