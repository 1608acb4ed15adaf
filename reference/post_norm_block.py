"""Reference implementation of post_norm_block.

GENERATED from derivations/block.py by `lemmata generate block`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy and the references of the parts are all that is imported;
arrays of another library (torch, JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64
out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .feed_forward import feed_forward, feed_forward_vjp
from .layer_norm import layer_norm, layer_norm_vjp
from .multi_head_attention import multi_head_attention, multi_head_attention_vjp

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def post_norm_block(
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
) -> Array:
    """Attention and a feed-forward network, each added to the stream and then normalised.

    Args:
        x: stream `[..., n, d]`.
        gain_1: scale of the first norm `[d]`.
        shift_1: shift of the first norm `[d]`.
        w_q: weights of the queries `[g, r, d_h, d]`.
        w_k: weights of the keys `[g, d_h, d]`.
        w_v: weights of the values `[g, d_w, d]`.
        w_o: weights of the output of attention `[g, r, d, d_w]`.
        b_q: bias of the queries `[g, r, d_h]`.
        b_k: bias of the keys `[g, d_h]`.
        b_v: bias of the values `[g, d_w]`.
        b_o: bias of the output of attention `[d]`.
        gain_2: scale of the second norm `[d]`.
        shift_2: shift of the second norm `[d]`.
        w_1: first weights of the feed-forward network `[d_f, d]`.
        b_1: its first bias `[d_f]`.
        w_2: its second weights `[d, d_f]`.
        b_2: its second bias `[d]`.
        keep: boolean mask `[..., g, r, n, n]`, True where a key may be attended to, optional.

    Returns:
        y: stream `[..., n, d]`.

    Conventions:
        activation: GELU (erf).
        eps: 10⁻⁵ in both norms.
        scale: 1/√d_h.

    Source: Vaswani et al. 2017, section 3.1.
    """
    attended = multi_head_attention(x, x, x, w_q, w_k, w_v, w_o, b_q=b_q, b_k=b_k, b_v=b_v, b_o=b_o, keep=keep)
    # a[i, c] = x[i, c] + attended[i, c]
    a = x + attended
    # h[i] = layer_norm(a[i], gain_1, shift_1)
    h = layer_norm(a, weight=gain_1, bias=shift_1)
    transformed = feed_forward(h, w_1, b_1, w_2, b_2)
    # b[i, c] = h[i, c] + transformed[i, c]
    b = h + transformed
    # y[i] = layer_norm(b[i], gain_2, shift_2)
    y = layer_norm(b, weight=gain_2, bias=shift_2)
    return y


def post_norm_block_value_and_vjp(
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
) -> tuple[Array, ...]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `post_norm_block`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `post_norm_block` returns.
        dx, dgain_1, dshift_1, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, dgain_2, dshift_2, dw_1, db_1, dw_2,
            db_2: gradients of the inputs, each of its shape.
    """
    attended = multi_head_attention(x, x, x, w_q, w_k, w_v, w_o, b_q=b_q, b_k=b_k, b_v=b_v, b_o=b_o, keep=keep)
    # a[i, c] = x[i, c] + attended[i, c]
    a = x + attended
    # h[i] = layer_norm(a[i], gain_1, shift_1)
    h = layer_norm(a, weight=gain_1, bias=shift_1)
    transformed = feed_forward(h, w_1, b_1, w_2, b_2)
    # b[i, c] = h[i, c] + transformed[i, c]
    b = h + transformed
    # y[i] = layer_norm(b[i], gain_2, shift_2)
    y = layer_norm(b, weight=gain_2, bias=shift_2)
    # db[i], dgain_2, dshift_2 = layer_norm_vjp(b[i], gain_2, shift_2, dy[i])
    db, dgain_2, dshift_2 = layer_norm_vjp(b, dy, weight=gain_2, bias=shift_2)
    # dtransformed[i, c] = db[i, c]
    dtransformed = db
    dh_feed_forward, dw_1, db_1, dw_2, db_2 = feed_forward_vjp(h, w_1, b_1, w_2, b_2, dtransformed)
    # dh[i, c] = db[i, c] + dh_feed_forward[i, c]
    dh = db + dh_feed_forward
    # da[i], dgain_1, dshift_1 = layer_norm_vjp(a[i], gain_1, shift_1, dh[i])
    da, dgain_1, dshift_1 = layer_norm_vjp(a, dh, weight=gain_1, bias=shift_1)
    # dattended[i, c] = da[i, c]
    dattended = da
    dx_x_q, dx_x_k, dx_x_v, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, _ = multi_head_attention_vjp(
        x, x, x, w_q, w_k, w_v, w_o, dattended, b_q=b_q, b_k=b_k, b_v=b_v, b_o=b_o, keep=keep
    )
    # dx[i, c] = da[i, c] + dx_x_q[i, c] + dx_x_k[i, c] + dx_x_v[i, c]
    dx = da + dx_x_q + dx_x_k + dx_x_v
    return (
        y,
        dx,
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
    )


def post_norm_block_vjp(
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
) -> tuple[Array, ...]:
    """As `post_norm_block_value_and_vjp`, without the outputs."""
    _, *gradients = post_norm_block_value_and_vjp(
        x, gain_1, shift_1, w_q, w_k, w_v, w_o, b_q, b_k, b_v, b_o, gain_2, shift_2, w_1, b_1, w_2, b_2, dy, keep
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
