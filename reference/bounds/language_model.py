"""Rounding-error bounds of language_model.

GENERATED from derivations/block.py by `lemmata generate block`. Do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..composed import call, layer, stacked
from ..cross_entropy import cross_entropy, cross_entropy_vjp
from ..embedding import embedding, embedding_vjp
from ..layer_norm import layer_norm, layer_norm_vjp
from ..pre_norm_block import pre_norm_block, pre_norm_block_vjp
from ..rounding import Array, Format, Rounding
from ..tied_output import tied_output, tied_output_vjp
from .cross_entropy import cross_entropy_bound, cross_entropy_vjp_bound
from .embedding import embedding_bound, embedding_vjp_bound
from .layer_norm import layer_norm_bound, layer_norm_vjp_bound
from .pre_norm_block import pre_norm_block_bound, pre_norm_block_vjp_bound
from .tied_output import tied_output_bound, tied_output_vjp_bound


@np.errstate(all="ignore")
def language_model_bound(
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
    counted: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, Array, Array]:
    """Bound of the rounding error of `language_model`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (x).

    Returns:
        absolute errors of loss, mean, logits, infinite where a format may overflow.
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
    loss, _, mean = call(fl, cross_entropy, cross_entropy_bound, ("n", None, ""), x=logits, target=target, keep=counted)
    return loss.total, mean.total, logits.total


@np.errstate(all="ignore")
def language_model_vjp_bound(
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
    dloss: Array,
    dmean: Array | None = None,
    dlogits: Array | None = None,
    counted: Array | None = None,
    *,
    precision: Mapping[str, Format],
) -> tuple[Array, ...]:
    """Bound of the rounding error of `language_model_vjp`, element by element.

    Args:
        precision: formats: `compute`, `accumulate`, `operand`, and of each stored value (x, dlogits_total, dembedded,
            dw, dpositions).

    Returns:
        absolute errors of dw, dpositions, dgain_1, dshift_1, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, dgain_2,
            dshift_2, dw_1, db_1, dw_2, db_2, dgain, dshift, infinite where a format may overflow.
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
    dloss = fl.given(dloss, "n")
    dmean = fl.given(dmean, "")
    dlogits = fl.given(dlogits, "i v")
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
    (dlogits_cross_entropy,) = call(
        fl,
        cross_entropy_vjp,
        cross_entropy_vjp_bound,
        ("i v",),
        x=logits,
        target=target,
        keep=counted,
        dmean=dmean,
        dloss=dloss,
    )
    # dlogits_total[i, v] = dlogits[i, v] + dlogits_cross_entropy[i, v]
    dlogits_total = dlogits_cross_entropy
    dlogits_total = fl.plus("dlogits_total", dlogits_total, dlogits)
    dlogits_total = fl.step("dlogits_total", dlogits_total, "i v")
    db, dw_tied_output = call(
        fl, tied_output_vjp, tied_output_vjp_bound, ("n d", "v c"), h=b, w=w, dlogits=dlogits_total
    )
    # dfinal[i], dgain, dshift = layer_norm_vjp(final[i], gain, shift, db[i])
    dfinal, dgain, dshift = call(
        fl, layer_norm_vjp, layer_norm_vjp_bound, ("n d", "d", "d"), x=final, weight=gain, bias=shift, dy=db
    )
    # dx, dgain_1[l], dshift_1[l], dw_q[l], dw_k[l], dw_v[l], dw_o[l], db_q[l], db_k[l], db_v[l], db_o[l], dgain_2[l],
    # dshift_2[l], dw_1[l], db_1[l], dw_2[l], db_2[l] = pre_norm_block_vjp(streams[l], gain_1[l], shift_1[l], w_q[l],
    # w_k[l], w_v[l], w_o[l], b_q[l], b_k[l], b_v[l], b_o[l], gain_2[l], shift_2[l], w_1[l], b_1[l], w_2[l], b_2[l],
    # causal, dfinal), layer by layer from the last l on
    dx = dfinal
    parts = []
    for place in reversed(range(gain_1.shape[0])):
        axes = (
            "i c",
            "d",
            "d",
            "g r d_h d",
            "g d_h d",
            "g d_w d",
            "g r d d_w",
            "g r d_h",
            "g d_h",
            "g d_w",
            "d",
            "d",
            "d",
            "d_f d",
            "d_f",
            "d d_f",
            "d",
        )
        dx, *gradients = call(
            fl,
            pre_norm_block_vjp,
            pre_norm_block_vjp_bound,
            axes,
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
            dy=dx,
        )
        parts.append(gradients)
    parts.reverse()
    dgain_1 = stacked(fl, [part[0] for part in parts], "l")
    dshift_1 = stacked(fl, [part[1] for part in parts], "l")
    dw_q = stacked(fl, [part[2] for part in parts], "l")
    dw_k = stacked(fl, [part[3] for part in parts], "l")
    dw_v = stacked(fl, [part[4] for part in parts], "l")
    dw_o = stacked(fl, [part[5] for part in parts], "l")
    db_q = stacked(fl, [part[6] for part in parts], "l")
    db_k = stacked(fl, [part[7] for part in parts], "l")
    db_v = stacked(fl, [part[8] for part in parts], "l")
    db_o = stacked(fl, [part[9] for part in parts], "l")
    dgain_2 = stacked(fl, [part[10] for part in parts], "l")
    dshift_2 = stacked(fl, [part[11] for part in parts], "l")
    dw_1 = stacked(fl, [part[12] for part in parts], "l")
    db_1 = stacked(fl, [part[13] for part in parts], "l")
    dw_2 = stacked(fl, [part[14] for part in parts], "l")
    db_2 = stacked(fl, [part[15] for part in parts], "l")
    # dembedded[i, c] = dx[i, c]
    dembedded = dx
    (dw_embedding,) = call(fl, embedding_vjp, embedding_vjp_bound, ("v c",), ids=ids, w=w, dy=dembedded)
    # dw[v, c] = dw_tied_output[v, c] + dw_embedding[v, c]
    dw = fl.output("dw", dw_tied_output + dw_embedding, "v c", shared=True)
    # dpositions[i, c] = dx[i, c]
    dpositions = fl.output("dpositions", dx, "i c", shared=True)
    return (
        dw.total,
        dpositions.total,
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
        dgain.total,
        dshift.total,
    )
