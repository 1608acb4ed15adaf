"""Rounding-error bounds of post_norm_block.

GENERATED from derivations/block.py by `lemmata generate block`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..composed import call
from ..feed_forward import feed_forward, feed_forward_jvp
from ..layer_norm import layer_norm, layer_norm_jvp
from ..multi_head_attention import multi_head_attention
from ..multi_head_attention_jvp import multi_head_attention_jvp
from ..rounding import Array, Format, Rounding
from .feed_forward import feed_forward_bound, feed_forward_jvp_bound
from .layer_norm import layer_norm_bound, layer_norm_jvp_bound
from .multi_head_attention import multi_head_attention_bound
from .multi_head_attention_jvp import multi_head_attention_jvp_bound


@np.errstate(all="ignore")
def post_norm_block_jvp_bound(
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
    tx: Array,
    tgain_1: Array,
    tshift_1: Array,
    tw_q: Array,
    tw_k: Array,
    tw_v: Array,
    tw_o: Array,
    tb_q: Array,
    tb_k: Array,
    tb_v: Array,
    tb_o: Array,
    tgain_2: Array,
    tshift_2: Array,
    tw_1: Array,
    tb_1: Array,
    tw_2: Array,
    tb_2: Array,
    keep: Array | None = None,
    *,
    precision: Mapping[str, Format],
    errors: Mapping[str, Array] | None = None,
) -> Array:
    """Bound of the rounding error of `post_norm_block_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (a, b, ta, tb).
        errors: absolute errors of the inputs, by name.

    Returns:
        absolute errors of ty, infinite where a format may overflow.
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
    tx = fl.given(tx, "i c", errors.get("tx"))
    tgain_1 = fl.given(tgain_1, "d", errors.get("tgain_1"))
    tshift_1 = fl.given(tshift_1, "d", errors.get("tshift_1"))
    tw_q = fl.given(tw_q, "g r d_h d", errors.get("tw_q"))
    tw_k = fl.given(tw_k, "g d_h d", errors.get("tw_k"))
    tw_v = fl.given(tw_v, "g d_w d", errors.get("tw_v"))
    tw_o = fl.given(tw_o, "g r d d_w", errors.get("tw_o"))
    tb_q = fl.given(tb_q, "g r d_h", errors.get("tb_q"))
    tb_k = fl.given(tb_k, "g d_h", errors.get("tb_k"))
    tb_v = fl.given(tb_v, "g d_w", errors.get("tb_v"))
    tb_o = fl.given(tb_o, "d", errors.get("tb_o"))
    tgain_2 = fl.given(tgain_2, "d", errors.get("tgain_2"))
    tshift_2 = fl.given(tshift_2, "d", errors.get("tshift_2"))
    tw_1 = fl.given(tw_1, "d_f d", errors.get("tw_1"))
    tb_1 = fl.given(tb_1, "d_f", errors.get("tb_1"))
    tw_2 = fl.given(tw_2, "d d_f", errors.get("tw_2"))
    tb_2 = fl.given(tb_2, "d", errors.get("tb_2"))
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
    (tattended,) = call(
        fl,
        multi_head_attention_jvp,
        multi_head_attention_jvp_bound,
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
        tx_q=tx,
        tx_k=tx,
        tx_v=tx,
        tw_q=tw_q,
        tw_k=tw_k,
        tw_v=tw_v,
        tw_o=tw_o,
        tb_q=tb_q,
        tb_k=tb_k,
        tb_v=tb_v,
        tb_o=tb_o,
    )
    # ta[i, c] = tx[i, c] + tattended[i, c]
    ta = fl.step("ta", tx + tattended, "i c")
    # th[i] = layer_norm_jvp(a[i], gain_1, shift_1, ta[i], tgain_1, tshift_1)
    (th,) = call(
        fl,
        layer_norm_jvp,
        layer_norm_jvp_bound,
        ("i c",),
        x=a,
        weight=gain_1,
        bias=shift_1,
        tx=ta,
        tweight=tgain_1,
        tbias=tshift_1,
    )
    (ttransformed,) = call(
        fl,
        feed_forward_jvp,
        feed_forward_jvp_bound,
        ("i c",),
        x=h,
        w_1=w_1,
        b_1=b_1,
        w_2=w_2,
        b_2=b_2,
        tx=th,
        tw_1=tw_1,
        tb_1=tb_1,
        tw_2=tw_2,
        tb_2=tb_2,
    )
    # tb[i, c] = th[i, c] + ttransformed[i, c]
    tb = fl.step("tb", th + ttransformed, "i c")
    # ty[i] = layer_norm_jvp(b[i], gain_2, shift_2, tb[i], tgain_2, tshift_2)
    (ty,) = call(
        fl,
        layer_norm_jvp,
        layer_norm_jvp_bound,
        ("n d",),
        x=b,
        weight=gain_2,
        bias=shift_2,
        tx=tb,
        tweight=tgain_2,
        tbias=tshift_2,
    )
    return ty.total
