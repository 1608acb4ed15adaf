"""Reference implementation of sgd.

GENERATED from derivations/optimizer.py by `lemmata generate optimizer`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def sgd(
    p: Array,
    g: Array,
    lr: float,
    buf: Array | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array]:
    """One step of gradient descent with momentum.

    Args:
        p: parameters `[..., K]`.
        g: gradient of the loss `[..., K]`.
        lr: learning rate.
        buf: velocity so far `[..., K]`, 0 before the first step, optional.
        momentum: factor μ of the velocity, optional.
        dampening: part τ of the gradient that the velocity leaves out, optional.
        weight_decay: weight λ of the penalty, optional.
        chunk: work on so many positions of K at a time, to bound the memory.

    Returns:
        p_new: parameters after the step `[..., K]`.
        buf_new: velocity after the step `[..., K]`.

    Conventions:
        first step: the velocity becomes the gradient: pass buf = 0 and dampening = 0.

    Source: Sutskever et al. 2013, (1)–(4), in the form of torch.optim.SGD.
    """
    xp = _namespace(p)
    if chunk is not None:
        parts = []
        for rows in _chunks(p.shape[-1], chunk):
            p_new, buf_new = sgd(
                _rows(p, -1, rows),
                _rows(g, -1, rows),
                lr,
                buf=_rows(buf, -1, rows),
                momentum=momentum,
                dampening=dampening,
                weight_decay=weight_decay,
            )
            parts.append((p_new, buf_new))
        p_new = xp.concat([part[0] for part in parts], axis=-1)
        buf_new = xp.concat([part[1] for part in parts], axis=-1)
        return p_new, buf_new
    # grad[k] = g[k] + weight_decay·p[k]
    grad = g + weight_decay * p
    # buf_new[k] = momentum·buf[k] + (1 − dampening)·grad[k]
    buf_new = (1 - dampening) * grad
    if buf is not None:
        buf_new = buf_new + momentum * buf
    # p_new[k] = p[k] − (lr·buf_new[k])
    p_new = p - lr * buf_new
    return p_new, buf_new


def sgd_value_and_vjp(
    p: Array,
    g: Array,
    lr: float,
    dp_new: Array,
    dbuf_new: Array | None = None,
    buf: Array | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array, Array, Array | None]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `sgd`):
        dp_new: cotangent of p_new, of its shape.
        dbuf_new: cotangent of buf_new, of its shape.

    Returns:
        p_new, buf_new: as `sgd` returns.
        dp: gradient of p, of its shape.
        dg: gradient of g, of its shape.
        dbuf: gradient of buf, of its shape, None if there is no buf.
    """
    xp = _namespace(p)
    if chunk is not None:
        parts = []
        for rows in _chunks(p.shape[-1], chunk):
            p_new, buf_new, dp, dg, dbuf = sgd_value_and_vjp(
                _rows(p, -1, rows),
                _rows(g, -1, rows),
                lr,
                _rows(dp_new, -1, rows),
                dbuf_new=_rows(dbuf_new, -1, rows),
                buf=_rows(buf, -1, rows),
                momentum=momentum,
                dampening=dampening,
                weight_decay=weight_decay,
            )
            parts.append((p_new, buf_new, dp, dg, dbuf))
        p_new = xp.concat([part[0] for part in parts], axis=-1)
        buf_new = xp.concat([part[1] for part in parts], axis=-1)
        dp = xp.concat([part[2] for part in parts], axis=-1)
        dg = xp.concat([part[3] for part in parts], axis=-1)
        dbuf = None if buf is None else xp.concat([part[4] for part in parts], axis=-1)
        return p_new, buf_new, dp, dg, dbuf
    # grad[k] = g[k] + weight_decay·p[k]
    grad = g + weight_decay * p
    # buf_new[k] = momentum·buf[k] + (1 − dampening)·grad[k]
    buf_new = (1 - dampening) * grad
    if buf is not None:
        buf_new = buf_new + momentum * buf
    # p_new[k] = p[k] − (lr·buf_new[k])
    p_new = p - lr * buf_new
    # dbuf_new_total[k] = dbuf_new[k] − lr·dp_new[k]
    dbuf_new_total = -lr * dp_new
    if dbuf_new is not None:
        dbuf_new_total = dbuf_new_total + dbuf_new
    # dgrad[k] = dbuf_new_total[k]·(-dampening + 1)
    dgrad = dbuf_new_total * (1 - dampening)
    # dp[k] = dp_new[k] + weight_decay·dgrad[k]
    dp = dp_new + weight_decay * dgrad
    # dg[k] = dgrad[k]
    dg = dgrad
    # dbuf[k] = momentum·dbuf_new_total[k]
    dbuf = None if buf is None else momentum * dbuf_new_total
    return p_new, buf_new, dp, dg, dbuf


def sgd_vjp(
    p: Array,
    g: Array,
    lr: float,
    dp_new: Array,
    dbuf_new: Array | None = None,
    buf: Array | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array | None]:
    """As `sgd_value_and_vjp`, without the outputs."""
    _, _, dp, dg, dbuf = sgd_value_and_vjp(
        p, g, lr, dp_new, dbuf_new, buf, momentum, dampening, weight_decay, chunk=chunk
    )
    return dp, dg, dbuf


def sgd_jvp(
    p: Array,
    g: Array,
    lr: float,
    tp: Array,
    tg: Array,
    buf: Array | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    tbuf: Array | None = None,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array]:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `sgd`):
        tp: tangent of p, of its shape.
        tg: tangent of g, of its shape.
        tbuf: tangent of buf, of its shape.

    Returns:
        tp_new: tangent of p_new, of its shape.
        tbuf_new: tangent of buf_new, of its shape.
    """
    xp = _namespace(p)
    if chunk is not None:
        parts = []
        for rows in _chunks(p.shape[-1], chunk):
            tp_new, tbuf_new = sgd_jvp(
                _rows(p, -1, rows),
                _rows(g, -1, rows),
                lr,
                _rows(tp, -1, rows),
                _rows(tg, -1, rows),
                buf=_rows(buf, -1, rows),
                momentum=momentum,
                dampening=dampening,
                weight_decay=weight_decay,
                tbuf=_rows(tbuf, -1, rows),
            )
            parts.append((tp_new, tbuf_new))
        tp_new = xp.concat([part[0] for part in parts], axis=-1)
        tbuf_new = xp.concat([part[1] for part in parts], axis=-1)
        return tp_new, tbuf_new
    # tbuf_new[k] = tbuf[k]·momentum + (tg[k] + tp[k]·weight_decay)·(-dampening + 1)
    tbuf_new = (tg + tp * weight_decay) * (1 - dampening)
    if tbuf is not None:
        tbuf_new = tbuf_new + tbuf * momentum
    # tp_new[k] = tp[k] − lr·tbuf_new[k]
    tp_new = tp - lr * tbuf_new
    return tp_new, tbuf_new


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
