"""Rounding-error bounds of tied_output.

GENERATED from derivations/embedding.py by `lemmata generate embedding`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def tied_output_bound(
    h: Array, w: Array, *, precision: Mapping[str, Format], errors: Mapping[str, Array] | None = None
) -> Array:
    """Bound of the rounding error of `tied_output`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (logits).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of logits, infinite where a format may overflow.
    """
    fl = Rounding(precision, h)
    errors = errors or {}
    h = fl.given(h, "i c", errors.get("h"))
    w = fl.given(w, "v c", errors.get("w"))
    # logits[i, v] = Σ_c h[i, c]·w[v, c]
    logits = fl.output("logits", fl.matmul(h, w, "c"), "i v")
    return logits.total


@np.errstate(all="ignore")
def tied_output_vjp_bound(
    h: Array, w: Array, dlogits: Array, *, precision: Mapping[str, Format], errors: Mapping[str, Array] | None = None
) -> tuple[Array, Array]:
    """Bound of the rounding error of `tied_output_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, of each stored value (dh, dw), and of partial sums
            (dh_partial, dw_partial).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of dh, dw, infinite where a format may overflow.
    """
    fl = Rounding(precision, h)
    errors = errors or {}
    h = fl.given(h, "i c", errors.get("h"))
    w = fl.given(w, "v c", errors.get("w"))
    dlogits = fl.given(dlogits, "i v", errors.get("dlogits"))
    # dh[i, c] = Σ_v dlogits[i, v]·w[v, c]
    dh = fl.output("dh", fl.matmul(dlogits, w, "v"), "i c")
    # dw[v, c] = Σ_i dlogits[i, v]·h[i, c]
    dw = fl.output("dw", fl.matmul(dlogits, h, "i"), "v c", shared=True)
    return dh.total, dw.total


@np.errstate(all="ignore")
def tied_output_jvp_bound(
    h: Array,
    w: Array,
    th: Array,
    tw: Array,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `tied_output_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (tlogits).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of tlogits, infinite where a format may overflow.
    """
    fl = Rounding(precision, h)
    errors = errors or {}
    h = fl.given(h, "i c", errors.get("h"))
    w = fl.given(w, "v c", errors.get("w"))
    th = fl.given(th, "i c", errors.get("th"))
    tw = fl.given(tw, "v c", errors.get("tw"))
    # tlogits[i, v] = (Σ_c th[i, c]·w[v, c]) + Σ_c tw[v, c]·h[i, c]
    tlogits = fl.output("tlogits", fl.matmul(th, w, "c") + fl.matmul(h, tw, "c"), "i v")
    return tlogits.total
