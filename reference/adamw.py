"""Reference implementation of adamw.

GENERATED from derivations/optimizer.py by `lemmata generate optimizer`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def adamw(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: float,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.01,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array]:
    """One step of Adam with decoupled weight decay.

    Args:
        p: parameters `[..., K]`.
        g: gradient of the loss `[..., K]`.
        m: first moment so far `[..., K]`, 0 before the first step.
        v: second moment so far `[..., K]`, 0 before the first step.
        t: number of this step, the first is 1.
        lr: learning rate.
        beta1: decay of the first moment, optional.
        beta2: decay of the second moment, optional.
        eps: added to the root of the second moment, optional.
        weight_decay: decay λ of the weights, optional.
        chunk: work on so many positions of K at a time, to bound the memory.

    Returns:
        p_new: parameters after the step `[..., K]`.
        m_new: first moment after the step `[..., K]`.
        v_new: second moment after the step `[..., K]`.

    Conventions:
        eps: added outside the root, after the bias correction.
        weight decay: subtracted from the parameters, multiplied by lr.

    Source: Loshchilov & Hutter 2019, algorithm 2, in the form of torch.optim.AdamW.
    """
    xp = _namespace(p)
    if chunk is not None:
        parts = []
        for rows in _chunks(p.shape[-1], chunk):
            p_new, m_new, v_new = adamw(
                _rows(p, -1, rows),
                _rows(g, -1, rows),
                _rows(m, -1, rows),
                _rows(v, -1, rows),
                t,
                lr,
                beta1=beta1,
                beta2=beta2,
                eps=eps,
                weight_decay=weight_decay,
            )
            parts.append((p_new, m_new, v_new))
        p_new = xp.concat([part[0] for part in parts], axis=-1)
        m_new = xp.concat([part[1] for part in parts], axis=-1)
        v_new = xp.concat([part[2] for part in parts], axis=-1)
        return p_new, m_new, v_new
    # m_new[k] = beta1·m[k] + (1 − beta1)·g[k]
    m_new = beta1 * m + (1 - beta1) * g
    # v_new[k] = beta2·v[k] + (1 − beta2)·g[k]^2
    v_new = beta2 * v + (1 - beta2) * g**2
    # c1 = 1 − exp(t·log(beta1))  (S1)
    c1 = 1 - float(np.exp(t * float(np.log(beta1))))
    # c2 = 1 − exp(t·log(beta2))  (S1)
    c2 = 1 - float(np.exp(t * float(np.log(beta2))))
    # root[k] = √(v_new[k]/c2) + eps
    root = xp.sqrt(v_new / c2) + eps
    # step[k] = (m_new[k]/c1)/root[k]
    step = m_new / c1 / root
    # p_new[k] = (p[k] − ((lr·weight_decay)·p[k])) − (lr·step[k])
    p_new = p - lr * weight_decay * p - lr * step
    return p_new, m_new, v_new


def adamw_value_and_vjp(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: float,
    lr: float,
    dp_new: Array,
    dm_new: Array | None = None,
    dv_new: Array | None = None,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.01,
    *,
    chunk: int | None = None,
) -> tuple[Array, ...]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `adamw`):
        dp_new: cotangent of p_new, of its shape.
        dm_new: cotangent of m_new, of its shape.
        dv_new: cotangent of v_new, of its shape.

    Returns:
        p_new, m_new, v_new: as `adamw` returns.
        dp: gradient of p, of its shape.
        dg: gradient of g, of its shape.
        dm: gradient of m, of its shape.
        dv: gradient of v, of its shape.
    """
    xp = _namespace(p)
    if chunk is not None:
        parts = []
        for rows in _chunks(p.shape[-1], chunk):
            p_new, m_new, v_new, dp, dg, dm, dv = adamw_value_and_vjp(
                _rows(p, -1, rows),
                _rows(g, -1, rows),
                _rows(m, -1, rows),
                _rows(v, -1, rows),
                t,
                lr,
                _rows(dp_new, -1, rows),
                dm_new=_rows(dm_new, -1, rows),
                dv_new=_rows(dv_new, -1, rows),
                beta1=beta1,
                beta2=beta2,
                eps=eps,
                weight_decay=weight_decay,
            )
            parts.append((p_new, m_new, v_new, dp, dg, dm, dv))
        p_new = xp.concat([part[0] for part in parts], axis=-1)
        m_new = xp.concat([part[1] for part in parts], axis=-1)
        v_new = xp.concat([part[2] for part in parts], axis=-1)
        dp = xp.concat([part[3] for part in parts], axis=-1)
        dg = xp.concat([part[4] for part in parts], axis=-1)
        dm = xp.concat([part[5] for part in parts], axis=-1)
        dv = xp.concat([part[6] for part in parts], axis=-1)
        return p_new, m_new, v_new, dp, dg, dm, dv
    # m_new[k] = beta1·m[k] + (1 − beta1)·g[k]
    m_new = beta1 * m + (1 - beta1) * g
    # v_new[k] = beta2·v[k] + (1 − beta2)·g[k]^2
    v_new = beta2 * v + (1 - beta2) * g**2
    # c1 = 1 − exp(t·log(beta1))  (S1)
    c1 = 1 - float(np.exp(t * float(np.log(beta1))))
    # c2 = 1 − exp(t·log(beta2))  (S1)
    c2 = 1 - float(np.exp(t * float(np.log(beta2))))
    # root[k] = √(v_new[k]/c2) + eps
    root = xp.sqrt(v_new / c2) + eps
    # step[k] = (m_new[k]/c1)/root[k]
    step = m_new / c1 / root
    # p_new[k] = (p[k] − ((lr·weight_decay)·p[k])) − (lr·step[k])
    p_new = p - lr * weight_decay * p - lr * step
    # dstep[k] = -lr·dp_new[k]
    dstep = -lr * dp_new
    # dv_new_total[k] = dv_new[k] + (-1/2)·step[k]·dstep[k]/c2/root[k]/√(v_new[k]/c2)
    dv_new_total = -0.5 * step * dstep / c2 / root / xp.sqrt(v_new / c2)
    if dv_new is not None:
        dv_new_total = dv_new_total + dv_new
    # dm_new_total[k] = dm_new[k] + dstep[k]/c1/root[k]
    dm_new_total = dstep / c1 / root
    if dm_new is not None:
        dm_new_total = dm_new_total + dm_new
    # dp[k] = dp_new[k]·(-lr·weight_decay + 1)
    dp = dp_new * (1 - lr * weight_decay)
    # dg[k] = 2·dv_new_total[k]·(-beta2 + 1)·g[k] + dm_new_total[k]·(-beta1 + 1)
    dg = 2 * dv_new_total * (1 - beta2) * g + dm_new_total * (1 - beta1)
    # dm[k] = beta1·dm_new_total[k]
    dm = beta1 * dm_new_total
    # dv[k] = beta2·dv_new_total[k]
    dv = beta2 * dv_new_total
    return p_new, m_new, v_new, dp, dg, dm, dv


def adamw_vjp(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: float,
    lr: float,
    dp_new: Array,
    dm_new: Array | None = None,
    dv_new: Array | None = None,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.01,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array, Array]:
    """As `adamw_value_and_vjp`, without the outputs."""
    _, _, _, dp, dg, dm, dv = adamw_value_and_vjp(
        p, g, m, v, t, lr, dp_new, dm_new, dv_new, beta1, beta2, eps, weight_decay, chunk=chunk
    )
    return dp, dg, dm, dv


def adamw_jvp(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    t: float,
    lr: float,
    tp: Array,
    tg: Array,
    tm: Array,
    tv: Array,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.01,
    *,
    chunk: int | None = None,
) -> tuple[Array, Array, Array]:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `adamw`):
        tp: tangent of p, of its shape.
        tg: tangent of g, of its shape.
        tm: tangent of m, of its shape.
        tv: tangent of v, of its shape.

    Returns:
        tp_new: tangent of p_new, of its shape.
        tm_new: tangent of m_new, of its shape.
        tv_new: tangent of v_new, of its shape.
    """
    xp = _namespace(p)
    if chunk is not None:
        parts = []
        for rows in _chunks(p.shape[-1], chunk):
            tp_new, tm_new, tv_new = adamw_jvp(
                _rows(p, -1, rows),
                _rows(g, -1, rows),
                _rows(m, -1, rows),
                _rows(v, -1, rows),
                t,
                lr,
                _rows(tp, -1, rows),
                _rows(tg, -1, rows),
                _rows(tm, -1, rows),
                _rows(tv, -1, rows),
                beta1=beta1,
                beta2=beta2,
                eps=eps,
                weight_decay=weight_decay,
            )
            parts.append((tp_new, tm_new, tv_new))
        tp_new = xp.concat([part[0] for part in parts], axis=-1)
        tm_new = xp.concat([part[1] for part in parts], axis=-1)
        tv_new = xp.concat([part[2] for part in parts], axis=-1)
        return tp_new, tm_new, tv_new
    # m_new[k] = beta1·m[k] + (1 − beta1)·g[k]
    m_new = beta1 * m + (1 - beta1) * g
    # v_new[k] = beta2·v[k] + (1 − beta2)·g[k]^2
    v_new = beta2 * v + (1 - beta2) * g**2
    # c1 = 1 − exp(t·log(beta1))  (S1)
    c1 = 1 - float(np.exp(t * float(np.log(beta1))))
    # c2 = 1 − exp(t·log(beta2))  (S1)
    c2 = 1 - float(np.exp(t * float(np.log(beta2))))
    # root[k] = √(v_new[k]/c2) + eps
    root = xp.sqrt(v_new / c2) + eps
    # step[k] = (m_new[k]/c1)/root[k]
    step = _over(m_new, c1) / root
    # tm_new[k] = tm[k]·beta1 + tg[k]·(-beta1 + 1)
    tm_new = tm * beta1 + tg * (1 - beta1)
    # tv_new[k] = tv[k]·beta2 + 2·g[k]·tg[k]·(-beta2 + 1)
    tv_new = tv * beta2 + 2 * g * tg * (1 - beta2)
    # tp_new[k] = tp[k] + (1/2)·lr·step[k]·tv_new[k]/c2/root[k]/√(v_new[k]/c2) − lr·weight_decay·tp[k] −
    # lr·tm_new[k]/c1/root[k]
    tp_new = tp
    tp_new = tp_new + 0.5 * lr * step * tv_new / c2 / root / xp.sqrt(v_new / c2) - lr * weight_decay * tp
    tp_new = tp_new - lr * tm_new / c1 / root
    return tp_new, tm_new, tv_new


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


def _overwritten(x: Array, *others: Array) -> bool:
    """Whether NumPy can write the result of x and others, of the shape and dtype of x, into x."""
    return (
        isinstance(x, np.ndarray)
        and x.dtype.kind == "f"
        and all(isinstance(y, float) or (isinstance(y, np.ndarray) and y.dtype == x.dtype) for y in others)
        and np.broadcast_shapes(x.shape, *(np.shape(y) for y in others)) == x.shape
    )


def _over(x: Array, y: Array) -> Array:
    """x / y, in the memory of x, which is not read again."""
    return np.divide(x, y, out=x) if _overwritten(x, y) else x / y
