"""Reference implementation of pre_norm_block.

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


def pre_norm_block(
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
    """Attention and a feed-forward network, each after a norm, added to the stream.

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

    Source: Xiong et al. 2020, table 1; Radford et al. 2019, section 2.3.
    """
    # a[i] = layer_norm(x[i], gain_1, shift_1)
    a = layer_norm(x, weight=gain_1, bias=shift_1)
    attended = multi_head_attention(a, a, a, w_q, w_k, w_v, w_o, b_q=b_q, b_k=b_k, b_v=b_v, b_o=b_o, keep=keep)
    # h[i, c] = x[i, c] + attended[i, c]  (S1)
    h = x + attended
    # b[i] = layer_norm(h[i], gain_2, shift_2)
    b = layer_norm(h, weight=gain_2, bias=shift_2)
    transformed = feed_forward(b, w_1, b_1, w_2, b_2)
    # y[i, c] = h[i, c] + transformed[i, c]  (S1)
    y = h + transformed
    return y


def pre_norm_block_value_and_vjp(
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

    Args (the others as in `pre_norm_block`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `pre_norm_block` returns.
        dx, dgain_1, dshift_1, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, dgain_2, dshift_2, dw_1, db_1, dw_2,
            db_2: gradients of the inputs, each of its shape.
    """
    # a[i] = layer_norm(x[i], gain_1, shift_1)
    a = layer_norm(x, weight=gain_1, bias=shift_1)
    attended = multi_head_attention(a, a, a, w_q, w_k, w_v, w_o, b_q=b_q, b_k=b_k, b_v=b_v, b_o=b_o, keep=keep)
    # h[i, c] = x[i, c] + attended[i, c]  (S1)
    h = x + attended
    # b[i] = layer_norm(h[i], gain_2, shift_2)
    b = layer_norm(h, weight=gain_2, bias=shift_2)
    transformed = feed_forward(b, w_1, b_1, w_2, b_2)
    # y[i, c] = h[i, c] + transformed[i, c]  (S1)
    y = h + transformed
    # dtransformed[i, c] = dy[i, c]
    dtransformed = dy
    db, dw_1, db_1, dw_2, db_2 = feed_forward_vjp(b, w_1, b_1, w_2, b_2, dtransformed)
    # dh_layer_norm[i], dgain_2, dshift_2 = layer_norm_vjp(h[i], gain_2, shift_2, db[i])
    dh_layer_norm, dgain_2, dshift_2 = layer_norm_vjp(h, db, weight=gain_2, bias=shift_2)
    # dh[i, c] = dy[i, c] + dh_layer_norm[i, c]
    dh = dy + dh_layer_norm
    # dattended[i, c] = dh[i, c]
    dattended = dh
    da_x_q, da_x_k, da_x_v, dw_q, dw_k, dw_v, dw_o, db_q, db_k, db_v, db_o, _ = multi_head_attention_vjp(
        a, a, a, w_q, w_k, w_v, w_o, dattended, b_q=b_q, b_k=b_k, b_v=b_v, b_o=b_o, keep=keep
    )
    # da[i, c] = da_x_q[i, c] + da_x_k[i, c] + da_x_v[i, c]
    da = da_x_q + da_x_k + da_x_v
    # dx_layer_norm[i], dgain_1, dshift_1 = layer_norm_vjp(x[i], gain_1, shift_1, da[i])
    dx_layer_norm, dgain_1, dshift_1 = layer_norm_vjp(x, da, weight=gain_1, bias=shift_1)
    # dx[i, c] = dh[i, c] + dx_layer_norm[i, c]
    dx = dh + dx_layer_norm
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


def pre_norm_block_vjp(
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
    """As `pre_norm_block_value_and_vjp`, without the outputs."""
    _, *gradients = pre_norm_block_value_and_vjp(
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
