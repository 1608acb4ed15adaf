"""Rounding-error bounds of pre_norm_block.

GENERATED from derivations/block.py by `lemmata generate block`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..composed import call
from ..feed_forward import feed_forward, feed_forward_vjp
from ..layer_norm import layer_norm, layer_norm_vjp
from ..multi_head_attention import multi_head_attention, multi_head_attention_vjp
from ..rounding import Array, Format, Rounding
from .feed_forward import feed_forward_bound, feed_forward_vjp_bound
from .layer_norm import layer_norm_bound, layer_norm_vjp_bound
from .multi_head_attention import multi_head_attention_bound, multi_head_attention_vjp_bound


@np.errstate(all="ignore")
def pre_norm_block_bound(
    x: Array,
    gain_1: Array,
    shift_1: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    w_o: Array,
    b_q: Array,
    b_k: Array,
    b_v: Array,
    b_o: Array,
    gain_2: Array,
    shift_2: Array,
    w_1: Array,
    b_1: Array,
    w_2: Array,
    b_2: Array,
    keep: Array | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `pre_norm_block`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (h, y).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of y, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i c", errors.get("x"))
    gain_1 = fl.given(gain_1, "d", errors.get("gain_1"))
    shift_1 = fl.given(shift_1, "d", errors.get("shift_1"))
    w_q = fl.given(w_q, "g r d_h d", errors.get("w_q"))
    w_k = fl.given(w_k, "g d_h d", errors.get("w_k"))
    w_v = fl.given(w_v, "g d_w d", errors.get("w_v"))
    w_o = fl.given(w_o, "g r d d_w", errors.get("w_o"))
    b_q = fl.given(b_q, "g r d_h", errors.get("b_q"))
    b_k = fl.given(b_k, "g d_h", errors.get("b_k"))
    b_v = fl.given(b_v, "g d_w", errors.get("b_v"))
    b_o = fl.given(b_o, "d", errors.get("b_o"))
    gain_2 = fl.given(gain_2, "d", errors.get("gain_2"))
    shift_2 = fl.given(shift_2, "d", errors.get("shift_2"))
    w_1 = fl.given(w_1, "d_f d", errors.get("w_1"))
    b_1 = fl.given(b_1, "d_f", errors.get("b_1"))
    w_2 = fl.given(w_2, "d d_f", errors.get("w_2"))
    b_2 = fl.given(b_2, "d", errors.get("b_2"))
    keep = fl.given(keep, "g r n n_")
    # a[i] = layer_norm(x[i], gain_1, shift_1)
    (a,) = call(fl, layer_norm, layer_norm_bound, ("n d",), x=x, weight=gain_1, bias=shift_1)
    (attended,) = call(
        fl,
        multi_head_attention,
        multi_head_attention_bound,
        ("i c",),
        x_q=a,
        x_k=a,
        x_v=a,
        w_q=w_q,
        w_k=w_k,
        w_v=w_v,
        w_o=w_o,
        b_q=b_q,
        b_k=b_k,
        b_v=b_v,
        b_o=b_o,
        keep=keep,
    )
    # h[i, c] = x[i, c] + attended[i, c]
    h = fl.step("h", x + attended, "i c")
    # b[i] = layer_norm(h[i], gain_2, shift_2)
    (b,) = call(fl, layer_norm, layer_norm_bound, ("n d",), x=h, weight=gain_2, bias=shift_2)
    (transformed,) = call(fl, feed_forward, feed_forward_bound, ("i c",), x=b, w_1=w_1, b_1=b_1, w_2=w_2, b_2=b_2)
    # y[i, c] = h[i, c] + transformed[i, c]
    y = fl.output("y", h + transformed, "i c")
    return y.total


@np.errstate(all="ignore")
def pre_norm_block_vjp_bound(
    x: Array,
    gain_1: Array,
    shift_1: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    w_o: Array,
    b_q: Array,
    b_k: Array,
    b_v: Array,
    b_o: Array,
    gain_2: Array,
    shift_2: Array,
    w_1: Array,
    b_1: Array,
    w_2: Array,
    b_2: Array,
    dy: Array,
    keep: Array | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> tuple[Array, ...]:
    """Bound of the rounding error of `pre_norm_block_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (h, y, dtransformed, dh,
            dattended, da, dx).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of dx, dgain_1, dshift_1, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, dgain_2, dshift_2,
            dw_1, db_1, dw_2, db_2, infinite where a format may overflow.
    """
    fl = Rounding(precision, x)
    errors = errors or {}
    x = fl.given(x, "i c", errors.get("x"))
    gain_1 = fl.given(gain_1, "d", errors.get("gain_1"))
    shift_1 = fl.given(shift_1, "d", errors.get("shift_1"))
    w_q = fl.given(w_q, "g r d_h d", errors.get("w_q"))
    w_k = fl.given(w_k, "g d_h d", errors.get("w_k"))
    w_v = fl.given(w_v, "g d_w d", errors.get("w_v"))
    w_o = fl.given(w_o, "g r d d_w", errors.get("w_o"))
    b_q = fl.given(b_q, "g r d_h", errors.get("b_q"))
    b_k = fl.given(b_k, "g d_h", errors.get("b_k"))
    b_v = fl.given(b_v, "g d_w", errors.get("b_v"))
    b_o = fl.given(b_o, "d", errors.get("b_o"))
    gain_2 = fl.given(gain_2, "d", errors.get("gain_2"))
    shift_2 = fl.given(shift_2, "d", errors.get("shift_2"))
    w_1 = fl.given(w_1, "d_f d", errors.get("w_1"))
    b_1 = fl.given(b_1, "d_f", errors.get("b_1"))
    w_2 = fl.given(w_2, "d d_f", errors.get("w_2"))
    b_2 = fl.given(b_2, "d", errors.get("b_2"))
    dy = fl.given(dy, "i c", errors.get("dy"))
    keep = fl.given(keep, "g r n n_")
    # a[i] = layer_norm(x[i], gain_1, shift_1)
    (a,) = call(fl, layer_norm, layer_norm_bound, ("n d",), x=x, weight=gain_1, bias=shift_1)
    (attended,) = call(
        fl,
        multi_head_attention,
        multi_head_attention_bound,
        ("i c",),
        x_q=a,
        x_k=a,
        x_v=a,
        w_q=w_q,
        w_k=w_k,
        w_v=w_v,
        w_o=w_o,
        b_q=b_q,
        b_k=b_k,
        b_v=b_v,
        b_o=b_o,
        keep=keep,
    )
    # h[i, c] = x[i, c] + attended[i, c]
    h = fl.step("h", x + attended, "i c")
    # b[i] = layer_norm(h[i], gain_2, shift_2)
    (b,) = call(fl, layer_norm, layer_norm_bound, ("n d",), x=h, weight=gain_2, bias=shift_2)
    # dtransformed[i, c] = dy[i, c]
    dtransformed = dy
    db, dw_1, db_1, dw_2, db_2 = call(
        fl,
        feed_forward_vjp,
        feed_forward_vjp_bound,
        ("n d", "d_f d", "d_f", "d d_f", "d"),
        x=b,
        w_1=w_1,
        b_1=b_1,
        w_2=w_2,
        b_2=b_2,
        dy=dtransformed,
    )
    # dh_layer_norm[i], dgain_2, dshift_2 = layer_norm_vjp(h[i], gain_2, shift_2, db[i])
    dh_layer_norm, dgain_2, dshift_2 = call(
        fl, layer_norm_vjp, layer_norm_vjp_bound, ("i c", "d", "d"), x=h, weight=gain_2, bias=shift_2, dy=db
    )
    # dh[i, c] = dy[i, c] + dh_layer_norm[i, c]
    dh = fl.step("dh", dy + dh_layer_norm, "i c")
    # dattended[i, c] = dh[i, c]
    dattended = dh
    axes = (
        "i c",
        "i c",
        "i c",
        "g r d_h d",
        "g d_h d",
        "g d_w d",
        "g r d d_w",
        "g r d_h",
        "g d_h",
        "g d_w",
        "d",
        None,
    )
    da_x_q, da_x_k, da_x_v, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, _ = call(
        fl,
        multi_head_attention_vjp,
        multi_head_attention_vjp_bound,
        axes,
        x_q=a,
        x_k=a,
        x_v=a,
        w_q=w_q,
        w_k=w_k,
        w_v=w_v,
        w_o=w_o,
        b_q=b_q,
        b_k=b_k,
        b_v=b_v,
        b_o=b_o,
        keep=keep,
        dy=dattended,
    )
    # da[i, c] = da_x_q[i, c] + da_x_k[i, c] + da_x_v[i, c]
    da = fl.step("da", fl.total(da_x_q, da_x_k, da_x_v), "i c")
    # dx_layer_norm[i], dgain_1, dshift_1 = layer_norm_vjp(x[i], gain_1, shift_1, da[i])
    dx_layer_norm, dgain_1, dshift_1 = call(
        fl, layer_norm_vjp, layer_norm_vjp_bound, ("i c", "d", "d"), x=x, weight=gain_1, bias=shift_1, dy=da
    )
    # dx[i, c] = dh[i, c] + dx_layer_norm[i, c]
    dx = fl.output("dx", dh + dx_layer_norm, "i c")
    return (
        dx.total,
        dgain_1.total,
        dshift_1.total,
        dw_q.total,
        dw_k.total,
        dw_v.total,
        dw_o.total,
        db_q.total,
        db_k.total,
        db_v.total,
        db_o.total,
        dgain_2.total,
        dshift_2.total,
        dw_1.total,
        db_1.total,
        dw_2.total,
        db_2.total,
    )
