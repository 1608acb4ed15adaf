"""Array code of positions: lookups, one-hot matrices, comparisons of positions, rows added at positions."""

from __future__ import annotations

from ...derivations.calculus.affine import Affine
from ...derivations.calculus.expr import Delta, Dim, Entry, Index, Mapped, Subscript, Tensor
from .code import ADD, ATOM, CannotGenerate, Code, Context, aligned


def looked_up(expr: Entry) -> tuple[Tensor, Index, int]:
    """The tensor of positions, its index, and the axis that is read at them.

    Raises:
        CannotGenerate: the entry is not one with a single lookup.
    """
    mapped = [(place, ix) for place, ix in enumerate(expr.indices) if isinstance(ix, Mapped)]
    plain = [ix for ix in expr.indices if isinstance(ix, Index)]
    if len(mapped) != 1 or len(set(plain)) != len(plain):
        raise CannotGenerate(f"{expr}: a diagonal entry, or several lookups")
    ((place, subscript),) = mapped
    if subscript.lookup is None:
        raise CannotGenerate(f"{expr}: a permuted entry")
    return subscript.lookup, subscript.index, place - len(expr.indices)


def lookup(expr: Entry, context: Context) -> Code:
    """Entries at looked-up positions: whole rows, or one position in each row."""
    ids, index, axis = looked_up(expr)
    plain = tuple(ix for ix in expr.indices if isinstance(ix, Index))
    table = context.name(expr.tensor)
    if index in plain:
        places = aligned(Code(ids.name, (index,)), plain)
        return Code(f"_one_of_each({table}, {places.text}, {axis})", plain)
    return Code(f"_rows_at({table}, {ids.name}, {axis}, {len(expr.indices)})", (index, *plain))


def one_hot(expr: Delta, context: Context) -> Code:
    """δ as a comparison of positions."""
    left, right = expr.left, expr.right
    if isinstance(left, Index) and isinstance(right, Mapped):
        left, right = right, left
    axes = context.sorted({_index(left), _index(right)})
    sides = [aligned(_places(side, context), axes).at(ADD) for side in (left, right)]
    return Code(f"({sides[0]} == {sides[1]})", axes)


def _index(subscript: Subscript) -> Index:
    return subscript.index if isinstance(subscript, Mapped) else subscript


def _places(subscript: Subscript, context: Context) -> Code:
    if isinstance(subscript, Mapped):
        assert subscript.lookup is not None, "only lookups are compared"
        return Code(subscript.lookup.name, (subscript.index,))
    return Code(_arange(context.sizes[subscript.dim], context, dtype=False), (subscript,))


def _arange(size: str, context: Context, *, dtype: bool) -> str:
    kind = f"dtype={context.like}.dtype, " if dtype else ""
    return f"xp.arange({size}, {kind}device={context.like}.device)"


def _terms(affine: Affine, context: Context, *, dtype: bool) -> tuple[list[tuple[int, Code]], int]:
    found: list[tuple[int, Code]] = []
    for term, coefficient in affine.terms:
        if isinstance(term, Dim):
            found.append((coefficient, Code(context.sizes[term], scalar=True)))
        else:
            found.append((coefficient, Code(_arange(context.sizes[term.dim], context, dtype=dtype), (term,))))
    return found, affine.constant


def _added(terms: list[tuple[int, Code]], constant: int, axes: tuple[Index, ...]) -> str:
    shown = [f"{c} * {aligned(code, axes).text}" if c != 1 else aligned(code, axes).text for c, code in terms]
    return " + ".join([*shown, *([str(constant)] if constant or not shown else [])])


def position(affine: Affine, context: Context) -> Code:
    """A position as a number."""
    terms, constant = _terms(affine, context, dtype=True)
    axes = context.sorted({ix for _, code in terms for ix in code.axes})
    return Code(_added(terms, constant, axes), axes, ADD if len(terms) + bool(constant) > 1 else ATOM, not axes)


def comparison(affine: Affine, context: Context) -> Code:
    """Where an affine form of positions is at least 0: its positive terms against the others."""
    terms, constant = _terms(affine, context, dtype=False)
    axes = context.sorted({ix for _, code in terms for ix in code.axes})
    above = [(c, code) for c, code in terms if c > 0]
    below = [(-c, code) for c, code in terms if c < 0]
    left, right = _added(above, max(constant, 0), axes), _added(below, max(-constant, 0), axes)
    return Code(f"({left} >= {right})", axes)


def scattered(delta: Delta, index: Index, rows: Code, context: Context) -> Code:
    """Σ_i δ[ids(i), v]·rows[i, …]: the rows added up at their positions."""
    ids, target = (delta.left, delta.right) if isinstance(delta.left, Mapped) else (delta.right, delta.left)
    if not isinstance(ids, Mapped) or not isinstance(target, Index) or ids.lookup is None:
        raise CannotGenerate(f"{delta}: not one lookup against one index")
    rest = tuple(ix for ix in rows.axes if ix is not index)
    if target in rest or len(rest) > 1:
        raise CannotGenerate(f"{delta}: rows of one number or of one axis are added")
    if index not in rows.axes:
        raise CannotGenerate(f"{delta}: the rows that are added do not depend on {index}")
    laid, size = aligned(rows, (index, *rest)), context.sizes[target.dim]
    if rest:
        return Code(f"_added_at({laid.text}, {ids.lookup.name}, {size})", (target, *rest))
    return Code(f"_added_at({laid.at(ATOM)}[..., None], {ids.lookup.name}, {size})[..., 0]", (target,))
