"""Walking through expressions, renaming their indices without capture, and substituting tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import is_
from typing import Any

from .affine import Affine
from .index import Dim, DimensionError, Index, Mapped, Permutation, Subscript
from .nodes import Add, Delta, Entry, Expr, Fn, Gated, Larger, Max, Mul, Place, Pow, Predicate, Size, Sum, Tensor


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions."""
    parts = _PARTS.get(type(expr))
    return () if parts is None else parts(expr)


# By the type of the node: it is looked up at every node of every walk, where patterns would take three times as long.
_PARTS: dict[type[Expr], Callable[[Any], tuple[Expr, ...]]] = {
    Add: lambda expr: expr.terms,
    Mul: lambda expr: expr.factors,
    Pow: lambda expr: (expr.base,),
    Fn: lambda expr: (expr.argument,),
    Sum: lambda expr: (expr.body,),
    Max: lambda expr: (expr.body, expr.where),
    Larger: lambda expr: (expr.left, expr.right),
    Gated: lambda expr: (expr.body, expr.gate),
}


def rebuild(expr: Expr, parts: tuple[Expr, ...]) -> Expr:
    """The same node with other direct sub-expressions (as many as `children` gives)."""
    match expr:
        case Add():
            return Add(parts)
        case Mul():
            return Mul(parts)
        case Pow(_, exponent):
            return Pow(parts[0], exponent)
        case Fn(name, _):
            return Fn(name, parts[0])
        case Sum(index, _):
            return Sum(index, parts[0])
        case Max(index, _, _):
            return Max(index, parts[0], parts[1])
        case Larger():
            return Larger(parts[0], parts[1])
        case Gated():
            return Gated(parts[0], parts[1])
        case _:
            return expr


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all its sub-expressions, outermost first."""
    pending = [expr]
    while pending:
        node = pending.pop()
        yield node
        pending += reversed(children(node))


def own_indices(expr: Expr) -> tuple[Index, ...]:
    """The indices that the node itself mentions (not its sub-expressions, not a binder)."""
    match expr:
        case Entry() | Delta():
            return tuple(ix.index if isinstance(ix, Mapped) else ix for ix in subscripts(expr))
        case Predicate(affine) | Place(affine):
            return tuple(term for term, _ in affine.terms if isinstance(term, Index))
        case _:
            return ()


def subscripts(expr: Expr) -> tuple[Subscript, ...]:
    """The subscripts of an entry or a Kronecker delta."""
    match expr:
        case Entry(_, indices):
            return indices
        case Delta(left, right):
            return (left, right)
        case _:
            return ()


def free_indices(expr: Expr) -> tuple[Index, ...]:
    """The free indices, in order of first appearance."""
    found: dict[Index, None] = dict.fromkeys(own_indices(expr))
    for part in children(expr):
        found.update(dict.fromkeys(free_indices(part)))
    if isinstance(expr, Sum | Max):
        found.pop(expr.index, None)
    return tuple(found)


def _moved(ix: Subscript, mapping: Mapping[Index, Subscript]) -> Subscript:
    if isinstance(ix, Index):
        return mapping.get(ix, ix)
    if ix.index not in mapping:
        return ix
    target = mapping.get(ix.index, ix.index)
    if isinstance(target, Mapped):
        raise DimensionError(f"{ix} at {target}: permutations and lookups are not composed")
    return Mapped(ix.map, target)


def _plain(ix: Index, mapping: Mapping[Index, Subscript]) -> Index:
    target = mapping.get(ix, ix)
    if isinstance(target, Mapped):
        raise DimensionError(f"{target} cannot stand where positions are compared")
    return target


def _affine(affine: Affine, mapping: Mapping[Index, Subscript]) -> Affine:
    moved = Affine((), affine.constant)
    for term, coefficient in affine.terms:
        target = _plain(term, mapping) if isinstance(term, Index) else term
        moved = moved + Affine(((target, coefficient),))
    return moved


def rename(expr: Expr, mapping: Mapping[Index, Subscript]) -> Expr:
    """Free indices replaced, and every bound index made new: nothing can be captured."""
    kind = type(expr)
    if kind is Mul or kind is Add or kind is Pow or kind is Fn:  # most nodes: they mention no index of their own
        parts = children(expr)
        renamed = tuple([rename(part, mapping) for part in parts])
        return expr if all(map(is_, renamed, parts)) else rebuild(expr, renamed)
    match expr:
        case Entry(tensor, indices):
            moved = tuple([_moved(index, mapping) for index in indices])
            return expr if all(map(is_, moved, indices)) else Entry(tensor, moved)
        case Delta(left, right):
            return Delta(_moved(left, mapping), _moved(right, mapping))
        case Predicate(affine):
            return Predicate(_affine(affine, mapping))
        case Place(affine):
            return Place(_affine(affine, mapping))
        case Sum(index, body):
            new = index.fresh()
            return Sum(new, rename(body, {**mapping, index: new}))
        case Max(index, body, where):
            new = index.fresh()
            inner = {**mapping, index: new}
            return Max(new, rename(body, inner), rename(where, inner))
        case _:
            parts = children(expr)
            renamed = tuple([rename(part, mapping) for part in parts])
            return expr if all(map(is_, renamed, parts)) else rebuild(expr, renamed)


def refresh(expr: Expr) -> Expr:
    """A copy with new bound indices."""
    return rename(expr, {})


Replacement = Callable[..., Expr]


def substitute(expr: Expr, replacements: Mapping[Tensor, Replacement]) -> Expr:
    """Each entry `t[i, j]` of a replaced tensor becomes `replacements[t](i, j)`, with new bound indices."""
    return graft(refresh(expr), {tensor: refreshing(replacement) for tensor, replacement in replacements.items()})


def refreshing(replacement: Replacement) -> Replacement:
    """The same replacement, its result with new bound indices at every call."""
    return lambda *indices: refresh(replacement(*indices))


def graft(expr: Expr, replacements: Mapping[Tensor, Replacement]) -> Expr:
    """`substitute`, for replacements whose results have new bound indices at every call.

    The bound indices of `expr` itself must be new too: a replacement could mention one of them.
    """
    if isinstance(expr, Entry):
        replacement = replacements.get(expr.tensor)
        if replacement is None and not any(isinstance(ix, Mapped) for ix in expr.indices):
            return expr
        indices = (_pointed(ix, replacements) for ix in expr.indices)
        return Entry(expr.tensor, tuple(indices)) if replacement is None else replacement(*indices)
    if isinstance(expr, Delta):
        return Delta(_pointed(expr.left, replacements), _pointed(expr.right, replacements))
    parts = children(expr)
    grafted = tuple([graft(part, replacements) for part in parts])
    return expr if all(map(is_, grafted, parts)) else rebuild(expr, grafted)


def _pointed(ix: Subscript, replacements: Mapping[Tensor, Replacement]) -> Subscript:
    return pointed(ix.map, ix.index, replacements) if isinstance(ix, Mapped) else ix


def pointed(map_: Permutation | Tensor, index: Index, replacements: Mapping[Tensor, Replacement]) -> Mapped:
    """The image of an index; a tensor of indices may be replaced by another one, given as its entry `other[i]`.

    Raises:
        DimensionError: the replacement is not an entry of a tensor of indices.
    """
    if isinstance(map_, Permutation) or map_ not in replacements:
        return Mapped(map_, index)
    other = replacements[map_](index)
    if isinstance(other, Entry) and other.tensor.kind == "index":
        (at,) = other.indices
        if isinstance(at, Index):
            return other.tensor(at)
    raise DimensionError(f"{map_.name} holds positions: {other} cannot stand for {map_.name}[{index.name}]")


def tensors(expr: Expr) -> tuple[Tensor, ...]:
    """The tensors that an expression reads, those of indices among them, in order of first appearance."""
    found: dict[Tensor, None] = {}
    for node in walk(expr):
        if isinstance(node, Entry):
            found[node.tensor] = None
        for ix in subscripts(node):
            if isinstance(ix, Mapped) and ix.lookup is not None:
                found[ix.lookup] = None
    return tuple(found)


def axes_of(tensor: Tensor) -> tuple[Index, ...]:
    """New indices for the axes of a tensor."""
    return tuple(Index(f"{dim.name}_{k}", dim) for k, dim in enumerate(tensor.dims))


def dims_of(expr: Expr) -> tuple[Dim, ...]:
    """The dimensions that an expression mentions, in order of first appearance."""
    found: dict[Dim, None] = {}
    for node in walk(expr):
        match node:
            case Entry(tensor, _):
                found.update(dict.fromkeys(tensor.dims))
                found.update(dict.fromkeys(index.dim for index in own_indices(node)))
            case Size(dim):
                found[dim] = None
            case Sum(index, _) | Max(index, _, _):
                found[index.dim] = None
            case Delta(left, _):
                found[left.dim] = None
                found.update(dict.fromkeys(index.dim for index in own_indices(node)))
            case Predicate(affine) | Place(affine):
                for term, _ in affine.terms:
                    found[term.dim if isinstance(term, Index) else term] = None
    return tuple(found)
