"""Reference implementation of language_model.

GENERATED from derivations/block.py by `lemmata generate block`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy and the references of the parts are all that is imported;
arrays of another library (torch, JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64
out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .cross_entropy import cross_entropy_jvp
from .embedding import embedding, embedding_jvp
from .layer_norm import layer_norm, layer_norm_jvp
from .pre_norm_block import pre_norm_block
from .pre_norm_block_jvp import pre_norm_block_jvp
from .tied_output import tied_output, tied_output_jvp

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def language_model_jvp(
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
) -> tuple[Array, Array, Array]:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `language_model`):
        tw, tpositions, tgain_1, tshift_1, tw_q, tw_k, tw_v, tw_o, tb_q, tb_k, tb_v, tb_o, tgain_2, tshift_2, tw_1,
            tb_1, tw_2, tb_2, tgain, tshift: tangents of the inputs, each of its shape.

    Returns:
        tloss: tangent of loss, of its shape.
        tmean: tangent of mean, of its shape.
        tlogits: tangent of logits, of its shape.
    """
    xp = _namespace(ids)
    embedded = embedding(ids, w)
    # x[i, c] = embedded[i, c] + positions[i, c]
    x = embedded + positions
    # causal[i, j] = [i − j ≥ 0]  (S5)
    causal = (
        xp.arange(ids.shape[-1], device=w.device)[..., None] >= xp.arange(ids.shape[-1], device=w.device)[..., None, :]
    )
    # final = pre_norm_block(x, gain_1[l], shift_1[l], w_q[l], w_k[l], w_v[l], w_o[l], b_q[l], b_k[l], b_v[l], b_o[l],
    # gain_2[l], shift_2[l], w_1[l], b_1[l], w_2[l], b_2[l], causal), layer by layer from the first l on
    final = x
    streams = []
    for layer in range(gain_1.shape[0]):
        streams.append(final)
        final = pre_norm_block(
            final,
            gain_1[layer],
            shift_1[layer],
            w_q[layer],
            w_k[layer],
            w_v[layer],
            w_o[layer],
            b_q[layer],
            b_k[layer],
            b_v[layer],
            b_o[layer],
            gain_2[layer],
            shift_2[layer],
            w_1[layer],
            b_1[layer],
            w_2[layer],
            b_2[layer],
            keep=causal,
        )
    # b[i] = layer_norm(final[i], gain, shift)
    b = layer_norm(final, weight=gain, bias=shift)
    logits = tied_output(b, w)
    tembedded = embedding_jvp(ids, w, tw)
    # tx[i, c] = tembedded[i, c] + tpositions[i, c]
    tx = tembedded + tpositions
    # tfinal = pre_norm_block_jvp(streams[l], gain_1[l], shift_1[l], w_q[l], w_k[l], w_v[l], w_o[l], b_q[l], b_k[l],
    # b_v[l], b_o[l], gain_2[l], shift_2[l], w_1[l], b_1[l], w_2[l], b_2[l], causal, tx, tgain_1[l], tshift_1[l],
    # tw_q[l], tw_k[l], tw_v[l], tw_o[l], tb_q[l], tb_k[l], tb_v[l], tb_o[l], tgain_2[l], tshift_2[l], tw_1[l], tb_1[l],
    # tw_2[l], tb_2[l]), layer by layer from the first l on
    tfinal = tx
    for layer in range(gain_1.shape[0]):
        tfinal = pre_norm_block_jvp(
            streams[layer],
            gain_1[layer],
            shift_1[layer],
            w_q[layer],
            w_k[layer],
            w_v[layer],
            w_o[layer],
            b_q[layer],
            b_k[layer],
            b_v[layer],
            b_o[layer],
            gain_2[layer],
            shift_2[layer],
            w_1[layer],
            b_1[layer],
            w_2[layer],
            b_2[layer],
            tfinal,
            tgain_1[layer],
            tshift_1[layer],
            tw_q[layer],
            tw_k[layer],
            tw_v[layer],
            tw_o[layer],
            tb_q[layer],
            tb_k[layer],
            tb_v[layer],
            tb_o[layer],
            tgain_2[layer],
            tshift_2[layer],
            tw_1[layer],
            tb_1[layer],
            tw_2[layer],
            tb_2[layer],
            keep=causal,
        )
    # tb[i] = layer_norm_jvp(final[i], gain, shift, tfinal[i], tgain, tshift)
    tb = layer_norm_jvp(final, tfinal, weight=gain, bias=shift, tweight=tgain, tbias=tshift)
    tlogits = tied_output_jvp(b, w, tb, tw)
    tloss, _, tmean = cross_entropy_jvp(logits, target, tlogits, keep=counted)
    return tloss, tmean, tlogits


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
