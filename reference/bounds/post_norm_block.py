"""Rounding-error bounds of post_norm_block.

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
def post_norm_block_bound(
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
    """Bound of the rounding error of `post_norm_block`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (a, b).
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
    (attended,) = call(
        fl,
        multi_head_attention,
        multi_head_attention_bound,
        ("i c",),
        x_q=x,
        x_k=x,
        x_v=x,
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
    # a[i, c] = x[i, c] + attended[i, c]
    a = fl.step("a", x + attended, "i c")
    # h[i] = layer_norm(a[i], gain_1, shift_1)
    (h,) = call(fl, layer_norm, layer_norm_bound, ("i c",), x=a, weight=gain_1, bias=shift_1)
    (transformed,) = call(fl, feed_forward, feed_forward_bound, ("i c",), x=h, w_1=w_1, b_1=b_1, w_2=w_2, b_2=b_2)
    # b[i, c] = h[i, c] + transformed[i, c]
    b = fl.step("b", h + transformed, "i c")
    # y[i] = layer_norm(b[i], gain_2, shift_2)
    (y,) = call(fl, layer_norm, layer_norm_bound, ("n d",), x=b, weight=gain_2, bias=shift_2)
    return y.total


@np.errstate(all="ignore")
def post_norm_block_vjp_bound(
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
    """Bound of the rounding error of `post_norm_block_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (a, b, dtransformed, dh,
            dattended, dx).
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
    dy = fl.given(dy, "n d", errors.get("dy"))
    keep = fl.given(keep, "g r n n_")
    (attended,) = call(
        fl,
        multi_head_attention,
        multi_head_attention_bound,
        ("i c",),
        x_q=x,
        x_k=x,
        x_v=x,
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
    # a[i, c] = x[i, c] + attended[i, c]
    a = fl.step("a", x + attended, "i c")
    # h[i] = layer_norm(a[i], gain_1, shift_1)
    (h,) = call(fl, layer_norm, layer_norm_bound, ("i c",), x=a, weight=gain_1, bias=shift_1)
    (transformed,) = call(fl, feed_forward, feed_forward_bound, ("i c",), x=h, w_1=w_1, b_1=b_1, w_2=w_2, b_2=b_2)
    # b[i, c] = h[i, c] + transformed[i, c]
    b = fl.step("b", h + transformed, "i c")
    # db[i], dgain_2, dshift_2 = layer_norm_vjp(b[i], gain_2, shift_2, dy[i])
    db, dgain_2, dshift_2 = call(
        fl, layer_norm_vjp, layer_norm_vjp_bound, ("i c", "d", "d"), x=b, weight=gain_2, bias=shift_2, dy=dy
    )
    # dtransformed[i, c] = db[i, c]
    dtransformed = db
    dh_feed_forward, dw_1, db_1, dw_2, db_2 = call(
        fl,
        feed_forward_vjp,
        feed_forward_vjp_bound,
        ("i c", "d_f d", "d_f", "d d_f", "d"),
        x=h,
        w_1=w_1,
        b_1=b_1,
        w_2=w_2,
        b_2=b_2,
        dy=dtransformed,
    )
    # dh[i, c] = db[i, c] + dh_feed_forward[i, c]
    dh = fl.step("dh", db + dh_feed_forward, "i c")
    # da[i], dgain_1, dshift_1 = layer_norm_vjp(a[i], gain_1, shift_1, dh[i])
    da, dgain_1, dshift_1 = call(
        fl, layer_norm_vjp, layer_norm_vjp_bound, ("i c", "d", "d"), x=a, weight=gain_1, bias=shift_1, dy=dh
    )
    # dattended[i, c] = da[i, c]
    dattended = da
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
    dx_x_q, dx_x_k, dx_x_v, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, _ = call(
        fl,
        multi_head_attention_vjp,
        multi_head_attention_vjp_bound,
        axes,
        x_q=x,
        x_k=x,
        x_v=x,
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
    # dx[i, c] = da[i, c] + dx_x_q[i, c] + dx_x_k[i, c] + dx_x_v[i, c]
    dx = fl.output("dx", fl.total(da, dx_x_q, dx_x_k, dx_x_v), "i c")
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
