"""Rounding-error bounds of pre_norm_block.

GENERATED from derivations/block.py by `lemmata generate block`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..composed import call
from ..feed_forward import feed_forward_jvp
from ..layer_norm import layer_norm, layer_norm_jvp
from ..multi_head_attention import multi_head_attention
from ..multi_head_attention_jvp import multi_head_attention_jvp
from ..rounding import Array, Format, Rounding
from .feed_forward import feed_forward_jvp_bound
from .layer_norm import layer_norm_bound, layer_norm_jvp_bound
from .multi_head_attention import multi_head_attention_bound
from .multi_head_attention_jvp import multi_head_attention_jvp_bound


@np.errstate(all="ignore")
def pre_norm_block_jvp_bound(
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
    """Bound of the rounding error of `pre_norm_block_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (h, y, th, ty).
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
    # ta[i] = layer_norm_jvp(x[i], gain_1, shift_1, tx[i], tgain_1, tshift_1)
    (ta,) = call(
        fl,
        layer_norm_jvp,
        layer_norm_jvp_bound,
        ("n d",),
        x=x,
        weight=gain_1,
        bias=shift_1,
        tx=tx,
        tweight=tgain_1,
        tbias=tshift_1,
    )
    (tattended,) = call(
        fl,
        multi_head_attention_jvp,
        multi_head_attention_jvp_bound,
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
        tx_q=ta,
        tx_k=ta,
        tx_v=ta,
        tw_q=tw_q,
        tw_k=tw_k,
        tw_v=tw_v,
        tw_o=tw_o,
        tb_q=tb_q,
        tb_k=tb_k,
        tb_v=tb_v,
        tb_o=tb_o,
    )
    # th[i, c] = tx[i, c] + tattended[i, c]
    th = fl.step("th", tx + tattended, "i c")
    # tb[i] = layer_norm_jvp(h[i], gain_2, shift_2, th[i], tgain_2, tshift_2)
    (tb,) = call(
        fl,
        layer_norm_jvp,
        layer_norm_jvp_bound,
        ("n d",),
        x=h,
        weight=gain_2,
        bias=shift_2,
        tx=th,
        tweight=tgain_2,
        tbias=tshift_2,
    )
    (ttransformed,) = call(
        fl,
        feed_forward_jvp,
        feed_forward_jvp_bound,
        ("i c",),
        x=b,
        w_1=w_1,
        b_1=b_1,
        w_2=w_2,
        b_2=b_2,
        tx=tb,
        tw_1=tw_1,
        tb_1=tb_1,
        tw_2=tw_2,
        tb_2=tb_2,
    )
    # ty[i, c] = th[i, c] + ttransformed[i, c]
    ty = fl.output("ty", th + ttransformed, "i c")
    return ty.total
