"""Reference implementation of qkv_projection.

GENERATED from derivations/linear.py by `lemmata generate linear`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def qkv_projection(
    x: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array]:
    """Queries, keys and values: three linear layers of the same tokens.

    Args:
        x: tokens `[..., n, d_in]`.
        w_q: weights of the queries `[d_q, d_in]`.
        w_k: weights of the keys `[d_k, d_in]`.
        w_v: weights of the values `[d_v, d_in]`.
        b_q: bias of the queries `[d_q]`, optional.
        b_k: bias of the keys `[d_k]`, optional.
        b_v: bias of the values `[d_v]`, optional.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        q: queries `[..., n, d_q]`.
        k: keys `[..., n, d_k]`.
        v: values `[..., n, d_v]`.

    Conventions:
        weight layout: one row for each feature of the output, as in torch.

    Source: Vaswani et al. 2017, section 3.2.2.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            q, k, v = qkv_projection(_rows(x, -2, rows), w_q, w_k, w_v, b_q=b_q, b_k=b_k, b_v=b_v)
            parts.append((q, k, v))
        q = xp.concat([part[0] for part in parts], axis=-2)
        k = xp.concat([part[1] for part in parts], axis=-2)
        v = xp.concat([part[2] for part in parts], axis=-2)
        return q, k, v
    # q[i, e] = (Σ_c x[i, c]·w_q[e, c]) + b_q[e]
    q = x @ w_q.mT
    if b_q is not None:
        q = q + b_q[..., None, :]
    # k[i, f] = (Σ_c x[i, c]·w_k[f, c]) + b_k[f]
    k = x @ w_k.mT
    if b_k is not None:
        k = k + b_k[..., None, :]
    # v[i, g] = (Σ_c x[i, c]·w_v[g, c]) + b_v[g]
    v = x @ w_v.mT
    if b_v is not None:
        v = v + b_v[..., None, :]
    return q, k, v


def qkv_projection_value_and_vjp(
    x: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    dq: Array,
    dk: Array | None = None,
    dv: Array | None = None,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, ...]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `qkv_projection`):
        dq: cotangent of q, of its shape.
        dk: cotangent of k, of its shape.
        dv: cotangent of v, of its shape.

    Returns:
        q, k, v: as `qkv_projection` returns.
        dx, dw_q, dw_k, dw_v, db_q, db_k, db_v: gradients of the inputs, each of its shape, None where an input is
            absent.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        dw_q = 0.0
        dw_k = 0.0
        dw_v = 0.0
        db_q: Array | None = None if b_q is None else 0.0
        db_k: Array | None = None if b_k is None else 0.0
        db_v: Array | None = None if b_v is None else 0.0
        for rows in _chunks(x.shape[-2], chunk):
            part = qkv_projection_value_and_vjp(
                _rows(x, -2, rows),
                w_q,
                w_k,
                w_v,
                _rows(dq, -2, rows),
                dk=_rows(dk, -2, rows),
                dv=_rows(dv, -2, rows),
                b_q=b_q,
                b_k=b_k,
                b_v=b_v,
            )
            q, k, v, dx, dw_q_part, dw_k_part, dw_v_part, db_q_part, db_k_part, db_v_part = part
            dw_q = dw_q + dw_q_part
            dw_k = dw_k + dw_k_part
            dw_v = dw_v + dw_v_part
            if db_q is not None:
                db_q = db_q + db_q_part
            if db_k is not None:
                db_k = db_k + db_k_part
            if db_v is not None:
                db_v = db_v + db_v_part
            parts.append((q, k, v, dx))
        q = xp.concat([part[0] for part in parts], axis=-2)
        k = xp.concat([part[1] for part in parts], axis=-2)
        v = xp.concat([part[2] for part in parts], axis=-2)
        dx = xp.concat([part[3] for part in parts], axis=-2)
        return q, k, v, dx, dw_q, dw_k, dw_v, db_q, db_k, db_v
    dk_given = xp.zeros((x.shape[-2], w_k.shape[-2]), dtype=x.dtype, device=x.device) if dk is None else dk
    dv_given = xp.zeros((x.shape[-2], w_v.shape[-2]), dtype=x.dtype, device=x.device) if dv is None else dv
    # q[i, e] = (Σ_c x[i, c]·w_q[e, c]) + b_q[e]
    q = x @ w_q.mT
    if b_q is not None:
        q = q + b_q[..., None, :]
    # k[i, f] = (Σ_c x[i, c]·w_k[f, c]) + b_k[f]
    k = x @ w_k.mT
    if b_k is not None:
        k = k + b_k[..., None, :]
    # v[i, g] = (Σ_c x[i, c]·w_v[g, c]) + b_v[g]
    v = x @ w_v.mT
    if b_v is not None:
        v = v + b_v[..., None, :]
    # dx[i, c] = (Σ_g dv[i, g]·w_v[g, c]) + (Σ_f dk[i, f]·w_k[f, c]) + Σ_e dq[i, e]·w_q[e, c]
    dx = dq @ w_q
    if dv is not None:
        dx = dx + dv_given @ w_v
    if dk is not None:
        dx = dx + dk_given @ w_k
    # dw_q[e, c] = Σ_i dq[i, e]·x[i, c]
    dw_q = _summed(dq.mT @ x, 2)
    # dw_k[f, c] = Σ_i dk[i, f]·x[i, c]
    dw_k = _summed(dk_given.mT @ x, 2)
    # dw_v[g, c] = Σ_i dv[i, g]·x[i, c]
    dw_v = _summed(dv_given.mT @ x, 2)
    # db_q[e] = Σ_i dq[i, e]
    db_q = None if b_q is None else _summed(xp.sum(dq, axis=-2), 1)
    # db_k[f] = Σ_i dk[i, f]
    db_k = None if b_k is None else _summed(xp.sum(dk_given, axis=-2), 1)
    # db_v[g] = Σ_i dv[i, g]
    db_v = None if b_v is None else _summed(xp.sum(dv_given, axis=-2), 1)
    return q, k, v, dx, dw_q, dw_k, dw_v, db_q, db_k, db_v


def qkv_projection_vjp(
    x: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    dq: Array,
    dk: Array | None = None,
    dv: Array | None = None,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, ...]:
    """As `qkv_projection_value_and_vjp`, without the outputs."""
    _, _, _, *gradients = qkv_projection_value_and_vjp(x, w_q, w_k, w_v, dq, dk, dv, b_q, b_k, b_v, chunk=chunk)
    return tuple(gradients)


def qkv_projection_jvp(
    x: Array,
    w_q: Array,
    w_k: Array,
    w_v: Array,
    tx: Array,
    tw_q: Array,
    tw_k: Array,
    tw_v: Array,
    b_q: Array | None = None,
    b_k: Array | None = None,
    b_v: Array | None = None,
    tb_q: Array | None = None,
    tb_k: Array | None = None,
    tb_v: Array | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array]:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `qkv_projection`):
        tx, tw_q, tw_k, tw_v, tb_q, tb_k, tb_v: tangents of the inputs, each of its shape.

    Returns:
        tq: tangent of q, of its shape.
        tk: tangent of k, of its shape.
        tv: tangent of v, of its shape.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            tq, tk, tv = qkv_projection_jvp(
                _rows(x, -2, rows),
                w_q,
                w_k,
                w_v,
                _rows(tx, -2, rows),
                tw_q,
                tw_k,
                tw_v,
                b_q=b_q,
                b_k=b_k,
                b_v=b_v,
                tb_q=tb_q,
                tb_k=tb_k,
                tb_v=tb_v,
            )
            parts.append((tq, tk, tv))
        tq = xp.concat([part[0] for part in parts], axis=-2)
        tk = xp.concat([part[1] for part in parts], axis=-2)
        tv = xp.concat([part[2] for part in parts], axis=-2)
        return tq, tk, tv
    # tq[i, e] = (Σ_c tx[i, c]·w_q[e, c]) + (Σ_c tw_q[e, c]·x[i, c]) + tb_q[e]
    tq = tx @ w_q.mT + x @ tw_q.mT
    if tb_q is not None:
        tq = tq + tb_q[..., None, :]
    # tk[i, f] = (Σ_c tx[i, c]·w_k[f, c]) + (Σ_c tw_k[f, c]·x[i, c]) + tb_k[f]
    tk = tx @ w_k.mT + x @ tw_k.mT
    if tb_k is not None:
        tk = tk + tb_k[..., None, :]
    # tv[i, g] = (Σ_c tx[i, c]·w_v[g, c]) + (Σ_c tw_v[g, c]·x[i, c]) + tb_v[g]
    tv = tx @ w_v.mT + x @ tw_v.mT
    if tb_v is not None:
        tv = tv + tb_v[..., None, :]
    return tq, tk, tv


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _chunks(size: int, chunk: int) -> list[slice]:
    """Slices of at most `chunk` positions that cover `size` positions."""
    return [slice(start, min(start + chunk, size)) for start in range(0, size, chunk)] or [slice(0, 0)]


def _rows(x: Array | None, axis: int, rows: slice) -> Array | None:
    """The rows of an array along an axis; an axis that broadcasts stays as it is."""
    if x is None or x.ndim < -axis or x.shape[axis] == 1:
        return x
    return x[(..., rows, *(slice(None),) * (-axis - 1))]


def _summed(x: Array, ndim: int) -> Array:
    """The sum over the batch dimensions, of which a shared parameter has none: its last `ndim` axes stay."""
    return _namespace(x).sum(x, axis=tuple(range(x.ndim - ndim))) if x.ndim > ndim else x
