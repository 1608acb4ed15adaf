"""Reference implementation of post_norm_block.

GENERATED from derivations/block.py by `lemmata generate block`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy and the references of the parts are all that is imported;
arrays of another library (torch, JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64
out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .feed_forward import feed_forward, feed_forward_jvp
from .layer_norm import layer_norm, layer_norm_jvp
from .multi_head_attention import multi_head_attention
from .multi_head_attention_jvp import multi_head_attention_jvp

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def post_norm_block_jvp(
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
) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `post_norm_block`):
        tx, tgain_1, tshift_1, tw_q, tw_k, tw_v, tw_o, tb_q, tb_k, tb_v, tb_o, tgain_2, tshift_2, tw_1, tb_1, tw_2,
            tb_2: tangents of the inputs, each of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    attended = multi_head_attention(x, x, x, w_q, w_k, w_v, w_o, b_q=b_q, b_k=b_k, b_v=b_v, b_o=b_o, keep=keep)
    # a[i, c] = x[i, c] + attended[i, c]
    a = x + attended
    # h[i] = layer_norm(a[i], gain_1, shift_1)
    h = layer_norm(a, weight=gain_1, bias=shift_1)
    transformed = feed_forward(h, w_1, b_1, w_2, b_2)
    # b[i, c] = h[i, c] + transformed[i, c]
    b = h + transformed
    tattended = multi_head_attention_jvp(
        x,
        x,
        x,
        w_q,
        w_k,
        w_v,
        w_o,
        tx,
        tx,
        tx,
        tw_q,
        tw_k,
        tw_v,
        tw_o,
        b_q=b_q,
        b_k=b_k,
        b_v=b_v,
        b_o=b_o,
        keep=keep,
        tb_q=tb_q,
        tb_k=tb_k,
        tb_v=tb_v,
        tb_o=tb_o,
    )
    # ta[i, c] = tx[i, c] + tattended[i, c]
    ta = tx + tattended
    # th[i] = layer_norm_jvp(a[i], gain_1, shift_1, ta[i], tgain_1, tshift_1)
    th = layer_norm_jvp(a, ta, weight=gain_1, bias=shift_1, tweight=tgain_1, tbias=tshift_1)
    ttransformed = feed_forward_jvp(h, w_1, b_1, w_2, b_2, th, tw_1, tb_1, tw_2, tb_2)
    # tb[i, c] = th[i, c] + ttransformed[i, c]
    tb = th + ttransformed
    # ty[i] = layer_norm_jvp(b[i], gain_2, shift_2, tb[i], tgain_2, tshift_2)
    ty = layer_norm_jvp(b, tb, weight=gain_2, bias=shift_2, tweight=tgain_2, tbias=tshift_2)
    return ty


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)
