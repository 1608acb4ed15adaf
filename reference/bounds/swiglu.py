"""Rounding-error bounds of swiglu.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..rounding import Array, Format, Rounding


@np.errstate(all="ignore")
def swiglu_bound(gate: Array, up: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `swiglu`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, a, y).

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, gate)
    gate = fl.given(gate, "c")
    up = fl.given(up, "c")
    # s[c] = sigmoid(gate[c])
    s = fl.step("s", fl.sigmoid(gate), "c")
    # a[c] = gate[c]·s[c]
    a = fl.step("a", gate * s, "c")
    # y[c] = a[c]·up[c]
    y = fl.output("y", a * up, "c")
    return y.total


@np.errstate(all="ignore")
def swiglu_vjp_bound(gate: Array, up: Array, dy: Array, *, precision: Mapping[str, Format]) -> tuple[Array, Array]:
    """Bound of the rounding error of `swiglu_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, a, da, dgate, dup).

    Returns:
        absolute errors of dgate, dup, infinite where a format may overflow.
    """
    fl = Rounding(precision, gate)
    gate = fl.given(gate, "c")
    up = fl.given(up, "c")
    dy = fl.given(dy, "c")
    # s[c] = sigmoid(gate[c])
    s = fl.step("s", fl.sigmoid(gate), "c")
    # a[c] = gate[c]·s[c]
    a = fl.step("a", gate * s, "c")
    # da[c] = up[c]·dy[c]
    da = fl.step("da", up * dy, "c")
    # dgate[c] = da[c]·(s[c] + a[c]·sigmoid(-gate[c]))
    dgate = fl.output("dgate", da * (s + a * fl.sigmoid(-gate)), "c")
    # dup[c] = dy[c]·a[c]
    dup = fl.output("dup", dy * a, "c")
    return dgate.total, dup.total


@np.errstate(all="ignore")
def swiglu_jvp_bound(gate: Array, up: Array, tgate: Array, tup: Array, *, precision: Mapping[str, Format]) -> Array:
    """Bound of the rounding error of `swiglu_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (s, a, y, ty).

    Returns:
        absolute errors of ty, infinite where a format may overflow.
    """
    fl = Rounding(precision, gate)
    gate = fl.given(gate, "c")
    up = fl.given(up, "c")
    tgate = fl.given(tgate, "c")
    tup = fl.given(tup, "c")
    # s[c] = sigmoid(gate[c])
    s = fl.step("s", fl.sigmoid(gate), "c")
    # a[c] = gate[c]·s[c]
    a = fl.step("a", gate * s, "c")
    # y[c] = a[c]·up[c]
    y = fl.step("y", a * up, "c")
    # ty[c] = up[c]·tgate[c]·s[c] + tup[c]·a[c] + tgate[c]·y[c]·sigmoid(-gate[c])
    ty = fl.output("ty", fl.total(up * tgate * s, tup * a, tgate * y * fl.sigmoid(-gate)), "c")
    return ty.total
