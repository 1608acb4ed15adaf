"""Rounding-error bounds of embedding.

GENERATED from derivations/embedding.py by `lemmata generate embedding`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def embedding_bound(
    ids: Array,
    w: Array,
    trained: Array | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `embedding`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (y).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, w)
    errors = errors or {}
    ids = fl.given(ids, "n")
    w = fl.given(w, "V d", errors.get("w"))
    # y[i, c] = gated(w[ids(i), c], trained[ids(i)])
    y = fl.output("y", fl.lookup(w.at("at c"), ids.at("i"), "at"), "i c")
    return y.total


@np.errstate(all="ignore")
def embedding_vjp_bound(
    ids: Array,
    w: Array,
    dy: Array,
    trained: Array | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `embedding_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (dw).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of dw, infinite where a format may overflow.
    """
    fl = Rounding(precision, w)
    errors = errors or {}
    ids = fl.given(ids, "n")
    w = fl.given(w, "V d", errors.get("w"))
    dy = fl.given(dy, "i c", errors.get("dy"))
    trained_given = fl.given(trained, "v", absent=(True, w.shape[-2]))
    # dw[v, c] = trained[v]·(Σ_i δ[ids(i), v]·dy[i, c])
    dw = fl.output("dw", fl.where(trained_given, fl.add_at(dy, ids.at("i"), "i", "v", w.shape[-2])), "v c", shared=True)
    return dw.total


@np.errstate(all="ignore")
def embedding_jvp_bound(
    ids: Array,
    w: Array,
    tw: Array,
    trained: Array | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `embedding_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (ty).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, w)
    errors = errors or {}
    ids = fl.given(ids, "n")
    tw = fl.given(tw, "V d", errors.get("tw"))
    trained_given = fl.given(trained, "V", absent=(True, w.shape[-2]))
    # ty[i, c] = trained[ids(i)]·tw[ids(i), c]
    ty = fl.output(
        "ty",
        fl.where(fl.lookup(trained_given.at("at"), ids.at("i"), "at"), fl.lookup(tw.at("at c"), ids.at("i"), "at")),
        "i c",
    )
    return ty.total
