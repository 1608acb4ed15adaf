"""Rounding-error bounds of language_model.

GENERATED from derivations/block.py by `lemmata generate block`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..composed import call, layer
from ..cross_entropy import cross_entropy_jvp
from ..embedding import embedding, embedding_jvp
from ..layer_norm import layer_norm, layer_norm_jvp
from ..pre_norm_block import pre_norm_block
from ..pre_norm_block_jvp import pre_norm_block_jvp
from ..rounding import Array, Format, Rounding
from ..tied_output import tied_output, tied_output_jvp
from .cross_entropy import cross_entropy_jvp_bound
from .embedding import embedding_bound, embedding_jvp_bound
from .layer_norm import layer_norm_bound, layer_norm_jvp_bound
from .pre_norm_block import pre_norm_block_bound
from .pre_norm_block_jvp import pre_norm_block_jvp_bound
from .tied_output import tied_output_bound, tied_output_jvp_bound


@np.errstate(all="ignore")
def language_model_jvp_bound(
    ids: Array,
    target: Array,
    w: Array,
    positions: Array,
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
    gain: Array,
    shift: Array,
    tw: Array,
    tpositions: Array,
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
    tgain: Array,
    tshift: Array,
    counted: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `language_model_jvp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (x, tx).

    Returns:
        absolute errors of tloss, tmean, tlogits, infinite where a format may overflow.
    """
    fl = Rounding(precision, w)
    ids = fl.given(ids, "n")
    target = fl.given(target, "n")
    w = fl.given(w, "V d")
    positions = fl.given(positions, "i c")
    gain_1 = fl.given(gain_1, "L d")
    shift_1 = fl.given(shift_1, "L d")
    w_q = fl.given(w_q, "L g r d_h d")
    w_k = fl.given(w_k, "L g d_h d")
    w_v = fl.given(w_v, "L g d_w d")
    w_o = fl.given(w_o, "L g r d d_w")
    b_q = fl.given(b_q, "L g r d_h")
    b_k = fl.given(b_k, "L g d_h")
    b_v = fl.given(b_v, "L g d_w")
    b_o = fl.given(b_o, "L d")
    gain_2 = fl.given(gain_2, "L d")
    shift_2 = fl.given(shift_2, "L d")
    w_1 = fl.given(w_1, "L d_f d")
    b_1 = fl.given(b_1, "L d_f")
    w_2 = fl.given(w_2, "L d d_f")
    b_2 = fl.given(b_2, "L d")
    gain = fl.given(gain, "d")
    shift = fl.given(shift, "d")
    tw = fl.given(tw, "V d")
    tpositions = fl.given(tpositions, "i c")
    tgain_1 = fl.given(tgain_1, "L d")
    tshift_1 = fl.given(tshift_1, "L d")
    tw_q = fl.given(tw_q, "L g r d_h d")
    tw_k = fl.given(tw_k, "L g d_h d")
    tw_v = fl.given(tw_v, "L g d_w d")
    tw_o = fl.given(tw_o, "L g r d d_w")
    tb_q = fl.given(tb_q, "L g r d_h")
    tb_k = fl.given(tb_k, "L g d_h")
    tb_v = fl.given(tb_v, "L g d_w")
    tb_o = fl.given(tb_o, "L d")
    tgain_2 = fl.given(tgain_2, "L d")
    tshift_2 = fl.given(tshift_2, "L d")
    tw_1 = fl.given(tw_1, "L d_f d")
    tb_1 = fl.given(tb_1, "L d_f")
    tw_2 = fl.given(tw_2, "L d d_f")
    tb_2 = fl.given(tb_2, "L d")
    tgain = fl.given(tgain, "d")
    tshift = fl.given(tshift, "d")
    counted = fl.given(counted, "n")
    (embedded,) = call(fl, embedding, embedding_bound, ("i c",), ids=ids, w=w)
    # x[i, c] = embedded[i, c] + positions[i, c]
    x = fl.step("x", embedded + positions, "i c")
    # causal[i, j] = [i − j ≥ 0]
    causal = (
        fl.xp.arange(ids.shape[-1], device=w.device)[..., None]
        >= fl.xp.arange(ids.shape[-1], device=w.device)[..., None, :]
    )
    causal = fl.given(causal, "i j")
    # final = pre_norm_block(x, gain_1[l], shift_1[l], w_q[l], w_k[l], w_v[l], w_o[l], b_q[l], b_k[l], b_v[l], b_o[l],
    # gain_2[l], shift_2[l], w_1[l], b_1[l], w_2[l], b_2[l], causal), layer by layer from the first l on
    final = x
    streams = []
    for place in range(gain_1.shape[0]):
        streams.append(final)
        (final,) = call(
            fl,
            pre_norm_block,
            pre_norm_block_bound,
            ("n d",),
            x=final,
            gain_1=layer(gain_1, place),
            shift_1=layer(shift_1, place),
            w_q=layer(w_q, place),
            w_k=layer(w_k, place),
            w_v=layer(w_v, place),
            w_o=layer(w_o, place),
            b_q=layer(b_q, place),
            b_k=layer(b_k, place),
            b_v=layer(b_v, place),
            b_o=layer(b_o, place),
            gain_2=layer(gain_2, place),
            shift_2=layer(shift_2, place),
            w_1=layer(w_1, place),
            b_1=layer(b_1, place),
            w_2=layer(w_2, place),
            b_2=layer(b_2, place),
            keep=causal,
        )
    # b[i] = layer_norm(final[i], gain, shift)
    (b,) = call(fl, layer_norm, layer_norm_bound, ("n d",), x=final, weight=gain, bias=shift)
    (logits,) = call(fl, tied_output, tied_output_bound, ("n V",), h=b, w=w)
    (tembedded,) = call(fl, embedding_jvp, embedding_jvp_bound, ("i c",), ids=ids, w=w, tw=tw)
    # tx[i, c] = tembedded[i, c] + tpositions[i, c]
    tx = fl.step("tx", tembedded + tpositions, "i c")
    # tfinal = pre_norm_block_jvp(streams[l], gain_1[l], shift_1[l], w_q[l], w_k[l], w_v[l], w_o[l], b_q[l], b_k[l],
    # b_v[l], b_o[l], gain_2[l], shift_2[l], w_1[l], b_1[l], w_2[l], b_2[l], causal, tx, tgain_1[l], tshift_1[l],
    # tw_q[l], tw_k[l], tw_v[l], tw_o[l], tb_q[l], tb_k[l], tb_v[l], tb_o[l], tgain_2[l], tshift_2[l], tw_1[l], tb_1[l],
    # tw_2[l], tb_2[l]), layer by layer from the first l on
    tfinal = tx
    for place in range(gain_1.shape[0]):
        (tfinal,) = call(
            fl,
            pre_norm_block_jvp,
            pre_norm_block_jvp_bound,
            ("n d",),
            x=streams[place],
            gain_1=layer(gain_1, place),
            shift_1=layer(shift_1, place),
            w_q=layer(w_q, place),
            w_k=layer(w_k, place),
            w_v=layer(w_v, place),
            w_o=layer(w_o, place),
            b_q=layer(b_q, place),
            b_k=layer(b_k, place),
            b_v=layer(b_v, place),
            b_o=layer(b_o, place),
            gain_2=layer(gain_2, place),
            shift_2=layer(shift_2, place),
            w_1=layer(w_1, place),
            b_1=layer(b_1, place),
            w_2=layer(w_2, place),
            b_2=layer(b_2, place),
            keep=causal,
            tx=tfinal,
            tgain_1=layer(tgain_1, place),
            tshift_1=layer(tshift_1, place),
            tw_q=layer(tw_q, place),
            tw_k=layer(tw_k, place),
            tw_v=layer(tw_v, place),
            tw_o=layer(tw_o, place),
            tb_q=layer(tb_q, place),
            tb_k=layer(tb_k, place),
            tb_v=layer(tb_v, place),
            tb_o=layer(tb_o, place),
            tgain_2=layer(tgain_2, place),
            tshift_2=layer(tshift_2, place),
            tw_1=layer(tw_1, place),
            tb_1=layer(tb_1, place),
            tw_2=layer(tw_2, place),
            tb_2=layer(tb_2, place),
        )
    # tb[i] = layer_norm_jvp(final[i], gain, shift, tfinal[i], tgain, tshift)
    (tb,) = call(
        fl,
        layer_norm_jvp,
        layer_norm_jvp_bound,
        ("n d",),
        x=final,
        weight=gain,
        bias=shift,
        tx=tfinal,
        tweight=tgain,
        tbias=tshift,
    )
    (tlogits,) = call(fl, tied_output_jvp, tied_output_jvp_bound, ("n V",), h=b, w=w, th=tb, tw=tw)
    tloss, _, tmean = call(
        fl,
        cross_entropy_jvp,
        cross_entropy_jvp_bound,
        ("n", None, ""),
        x=logits,
        target=target,
        keep=counted,
        tx=tlogits,
    )
    return tloss.total, tmean.total, tlogits.total
