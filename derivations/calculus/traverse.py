"""Walking through expressions, renaming their indices without capture, and substituting tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from operator import is_

from .affine import Affine
from .index import Dim, DimensionError, Index, Mapped, Subscript
from .nodes import Add, Delta, Entry, Expr, Fn, Larger, Max, Mul, Place, Pow, Predicate, Size, Sum, Tensor


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct sub-expressions."""
    match expr:
        case Add(parts) | Mul(parts):
            return parts
        case Pow(base, _):
            return (base,)
        case Fn(_, argument):
            return (argument,)
        case Sum(_, body):
            return (body,)
        case Max(_, body, where):
            return (body, where)
        case Larger(left, right):
            return (left, right)
        case _:
            return ()


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
        case _:
            return expr


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all its sub-expressions, outermost first."""
    yield expr
    for part in children(expr):
        yield from walk(part)


def own_indices(expr: Expr) -> tuple[Index, ...]:
    """The indices that the node itself mentions (not its sub-expressions, not a binder)."""
    match expr:
        case Entry(_, indices):
            return tuple(ix.index if isinstance(ix, Mapped) else ix for ix in indices)
        case Delta(left, right):
            return (left, right)
        case Predicate(affine) | Place(affine):
            return tuple(term for term, _ in affine.terms if isinstance(term, Index))
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
        raise DimensionError(f"{ix} at {target}: permutations are not composed")
    return Mapped(ix.permutation, target)


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
    match expr:
        case Entry(tensor, indices):
            moved = tuple([_moved(index, mapping) for index in indices])
            return expr if all(map(is_, moved, indices)) else Entry(tensor, moved)
        case Delta(left, right):
            return Delta(_plain(left, mapping), _plain(right, mapping))
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
        return expr if replacement is None else replacement(*expr.indices)
    parts = children(expr)
    grafted = tuple([graft(part, replacements) for part in parts])
    return expr if all(map(is_, grafted, parts)) else rebuild(expr, grafted)


def tensors(expr: Expr) -> tuple[Tensor, ...]:
    """The tensors that an expression reads, in order of first appearance."""
    return tuple(dict.fromkeys(node.tensor for node in walk(expr) if isinstance(node, Entry)))


def dims_of(expr: Expr) -> tuple[Dim, ...]:
    """The dimensions that an expression mentions, in order of first appearance."""
    found: dict[Dim, None] = {}
    for node in walk(expr):
        match node:
            case Entry(tensor, _):
                found.update(dict.fromkeys(tensor.dims))
            case Size(dim):
                found[dim] = None
            case Sum(index, _) | Max(index, _, _):
                found[index.dim] = None
            case Delta(left, _):
                found[left.dim] = None
            case Predicate(affine) | Place(affine):
                for term, _ in affine.terms:
                    found[term.dim if isinstance(term, Index) else term] = None
    return tuple(found)
