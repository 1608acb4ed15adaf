"""Reference implementation of language_model.

GENERATED from derivations/block.py by `lemmata generate block`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy and the references of the parts are all that is imported;
arrays of another library (torch, JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64
out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .cross_entropy import cross_entropy, cross_entropy_vjp
from .embedding import embedding, embedding_vjp
from .layer_norm import layer_norm, layer_norm_vjp
from .pre_norm_block import pre_norm_block, pre_norm_block_vjp
from .tied_output import tied_output, tied_output_vjp

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def language_model(
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
) -> tuple[Array, Array, Array]:
    """A decoder-only language model with its loss: embedding, layers of pre-norm blocks, norm, tied output.

    Args:
        ids: token numbers `[..., n]`.
        target: the token numbers to be predicted `[..., n]`.
        w: table of the tokens `[V, d]`, for the embedding and for the output.
        positions: what is added at each position `[n, d]`.
        gain_1: scale of the first norm of each layer `[L, d]`.
        shift_1: shift of the first norm of each layer `[L, d]`.
        w_q: weights of the queries of each layer `[L, g, r, d_h, d]`.
        w_k: weights of the keys of each layer `[L, g, d_h, d]`.
        w_v: weights of the values of each layer `[L, g, d_w, d]`.
        w_o: weights of the output of attention of each layer `[L, g, r, d, d_w]`.
        b_q: bias of the queries of each layer `[L, g, r, d_h]`.
        b_k: bias of the keys of each layer `[L, g, d_h]`.
        b_v: bias of the values of each layer `[L, g, d_w]`.
        b_o: bias of the output of attention of each layer `[L, d]`.
        gain_2: scale of the second norm of each layer `[L, d]`.
        shift_2: shift of the second norm of each layer `[L, d]`.
        w_1: first weights of the feed-forward network of each layer `[L, d_f, d]`.
        b_1: its first bias of each layer `[L, d_f]`.
        w_2: its second weights of each layer `[L, d, d_f]`.
        b_2: its second bias of each layer `[L, d]`.
        gain: scale of the final norm `[d]`.
        shift: shift of the final norm `[d]`.
        counted: boolean `[..., n]`, False for a token that does not count in the loss, optional.

    Returns:
        loss: loss of each token `[..., n]`.
        mean: mean loss of the tokens that count `[...]`.
        logits: logits `[..., n, V]`.

    Conventions:
        activation: GELU (erf).
        eps: 10⁻⁵ in both norms.
        scale: 1/√d_h.
        attention: causal.
        mean: of each member of a batch.

    Source: Radford et al. 2019, section 2.3; Press & Wolf 2017.
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
    loss, _, mean = cross_entropy(logits, target, keep=counted)
    return loss, mean, logits


def language_model_value_and_vjp(
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
) -> tuple[Array, ...]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `language_model`):
        dloss: cotangent of loss, of its shape.
        dmean: cotangent of mean, of its shape.
        dlogits: cotangent of logits, of its shape.

    Returns:
        loss, mean, logits: as `language_model` returns.
        dw, dpositions, dgain_1, dshift_1, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, dgain_2, dshift_2, dw_1,
            db_1, dw_2, db_2, dgain, dshift: gradients of the inputs, each of its shape.
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
    loss, _, mean = cross_entropy(logits, target, keep=counted)
    dlogits_cross_entropy = cross_entropy_vjp(logits, target, dloss, keep=counted, dmean=dmean)
    # dlogits_total[i, v] = dlogits[i, v] + dlogits_cross_entropy[i, v]
    dlogits_total = dlogits_cross_entropy
    if dlogits is not None:
        dlogits_total = dlogits_total + dlogits
    db, dw_tied_output = tied_output_vjp(b, w, dlogits_total)
    # dfinal[i], dgain, dshift = layer_norm_vjp(final[i], gain, shift, db[i])
    dfinal, dgain, dshift = layer_norm_vjp(final, db, weight=gain, bias=shift)
    # dx, dgain_1[l], dshift_1[l], dw_q[l], dw_k[l], dw_v[l], dw_o[l], db_q[l], db_k[l], db_v[l], db_o[l], dgain_2[l],
    # dshift_2[l], dw_1[l], db_1[l], dw_2[l], db_2[l] = pre_norm_block_vjp(streams[l], gain_1[l], shift_1[l], w_q[l],
    # w_k[l], w_v[l], w_o[l], b_q[l], b_k[l], b_v[l], b_o[l], gain_2[l], shift_2[l], w_1[l], b_1[l], w_2[l], b_2[l],
    # causal, dfinal), layer by layer from the last l on
    dx = dfinal
    parts = []
    for layer in reversed(range(gain_1.shape[0])):
        dx, *gradients = pre_norm_block_vjp(
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
            dx,
            keep=causal,
        )
        parts.append(gradients)
    parts.reverse()
    dgain_1 = xp.stack([part[0] for part in parts])
    dshift_1 = xp.stack([part[1] for part in parts])
    dw_q = xp.stack([part[2] for part in parts])
    dw_k = xp.stack([part[3] for part in parts])
    dw_v = xp.stack([part[4] for part in parts])
    dw_o = xp.stack([part[5] for part in parts])
    db_q = xp.stack([part[6] for part in parts])
    db_k = xp.stack([part[7] for part in parts])
    db_v = xp.stack([part[8] for part in parts])
    db_o = xp.stack([part[9] for part in parts])
    dgain_2 = xp.stack([part[10] for part in parts])
    dshift_2 = xp.stack([part[11] for part in parts])
    dw_1 = xp.stack([part[12] for part in parts])
    db_1 = xp.stack([part[13] for part in parts])
    dw_2 = xp.stack([part[14] for part in parts])
    db_2 = xp.stack([part[15] for part in parts])
    # dembedded[i, c] = dx[i, c]
    dembedded = dx
    dw_embedding = embedding_vjp(ids, w, dembedded)
    # dw[v, c] = dw_tied_output[v, c] + dw_embedding[v, c]
    dw = _summed(dw_tied_output + dw_embedding, 2)
    # dpositions[i, c] = dx[i, c]
    dpositions = _summed(dx, 2)
    return (
        loss,
        mean,
        logits,
        dw,
        dpositions,
        dgain_1,
        dshift_1,
        dw_q,
        dw_k,
        dw_v,
        dw_o,
        db_q,
        db_k,
        db_v,
        db_o,
        dgain_2,
        dshift_2,
        dw_1,
        db_1,
        dw_2,
        db_2,
        dgain,
        dshift,
    )


def language_model_vjp(
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
) -> tuple[Array, ...]:
    """As `language_model_value_and_vjp`, without the outputs."""
    _, _, _, *gradients = language_model_value_and_vjp(
        ids,
        target,
        w,
        positions,
        gain_1,
        shift_1,
        w_q,
        w_k,
        w_v,
        w_o,
        b_q,
        b_k,
        b_v,
        b_o,
        gain_2,
        shift_2,
        w_1,
        b_1,
        w_2,
        b_2,
        gain,
        shift,
        dloss,
        dmean,
        dlogits,
        counted,
    )
    return tuple(gradients)


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _summed(x: Array, ndim: int) -> Array:
    """The sum over the batch dimensions, of which a shared parameter has none: its last `ndim` axes stay."""
    return _namespace(x).sum(x, axis=tuple(range(x.ndim - ndim))) if x.ndim > ndim else x
