"""Reference implementation of swiglu_feed_forward.

GENERATED from derivations/feedforward.py by `lemmata generate feedforward`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def swiglu_feed_forward(x: Array, w: Array, v: Array, w_2: Array, *, chunk: int | None = None) -> Array:
    """A gated layer and a second one, without biases, for each token.

    Args:
        x: tokens `[..., n, d]`.
        w: weights of the gate `[d, d_f]`.
        v: weights of the features that are gated `[d, d_f]`.
        w_2: weights of the output `[d_f, d]`.
        chunk: work on so many positions of n at a time, to bound the memory.

    Returns:
        y: transformed tokens `[..., n, d]`.

    Conventions:
        activation: silu of x W.
        weights: multiplied from the right.

    Source: Shazeer 2020, (6).
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            y = swiglu_feed_forward(_rows(x, -2, rows), w, v, w_2)
            parts.append((y,))
        y = xp.concat([part[0] for part in parts], axis=-2)
        return y
    # g[i, f] = Σ_c x[i, c]·w[c, f]
    g = x @ w
    # u[i, f] = Σ_c x[i, c]·v[c, f]
    u = x @ v
    # s[i, f] = sigmoid(g[i, f])
    s = _sigmoid(g)
    # a[i, f] = g[i, f]·s[i, f]
    a = g * s
    # m[i, f] = a[i, f]·u[i, f]
    m = a * u
    # y[i, e] = Σ_f m[i, f]·w_2[f, e]
    y = m @ w_2
    return y


def swiglu_feed_forward_value_and_vjp(
    x: Array, w: Array, v: Array, w_2: Array, dy: Array, *, chunk: int | None = None
) -> tuple[Array, Array, Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `swiglu_feed_forward`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `swiglu_feed_forward` returns.
        dx: gradient of x, of its shape.
        dw: gradient of w, of its shape.
        dv: gradient of v, of its shape.
        dw_2: gradient of w_2, of its shape.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        dw = 0.0
        dv = 0.0
        dw_2 = 0.0
        for rows in _chunks(x.shape[-2], chunk):
            y, dx, dw_part, dv_part, dw_2_part = swiglu_feed_forward_value_and_vjp(
                _rows(x, -2, rows), w, v, w_2, _rows(dy, -2, rows)
            )
            dw = dw + dw_part
            dv = dv + dv_part
            dw_2 = dw_2 + dw_2_part
            parts.append((y, dx))
        y = xp.concat([part[0] for part in parts], axis=-2)
        dx = xp.concat([part[1] for part in parts], axis=-2)
        return y, dx, dw, dv, dw_2
    # g[i, f] = Σ_c x[i, c]·w[c, f]
    g = x @ w
    # u[i, f] = Σ_c x[i, c]·v[c, f]
    u = x @ v
    # s[i, f] = sigmoid(g[i, f])
    s = _sigmoid(g)
    # a[i, f] = g[i, f]·s[i, f]
    a = g * s
    # m[i, f] = a[i, f]·u[i, f]
    m = a * u
    # y[i, e] = Σ_f m[i, f]·w_2[f, e]
    y = m @ w_2
    # dm[i, f] = Σ_e dy[i, e]·w_2[f, e]
    dm = dy @ w_2.mT
    # du[i, f] = a[i, f]·dm[i, f]
    du = a * dm
    # dg[i, f] = dm[i, f]·(u[i, f]·s[i, f] + m[i, f]·sigmoid(-g[i, f]))
    dg = dm * (u * s + m * _sigmoid(-g))
    # dx[i, c] = (Σ_f du[i, f]·v[c, f]) + Σ_f dg[i, f]·w[c, f]
    dx = du @ v.mT + dg @ w.mT
    # dw[c, f] = Σ_i dg[i, f]·x[i, c]
    dw = _summed(x.mT @ dg, 2)
    # dv[c, f] = Σ_i du[i, f]·x[i, c]
    dv = _summed(x.mT @ du, 2)
    # dw_2[f, e] = Σ_i dy[i, e]·m[i, f]
    dw_2 = _summed(m.mT @ dy, 2)
    return y, dx, dw, dv, dw_2


def swiglu_feed_forward_vjp(
    x: Array, w: Array, v: Array, w_2: Array, dy: Array, *, chunk: int | None = None
) -> tuple[Array, Array, Array, Array]:
    """As `swiglu_feed_forward_value_and_vjp`, without the outputs."""
    _, dx, dw, dv, dw_2 = swiglu_feed_forward_value_and_vjp(x, w, v, w_2, dy, chunk=chunk)
    return dx, dw, dv, dw_2


def swiglu_feed_forward_jvp(
    x: Array, w: Array, v: Array, w_2: Array, tx: Array, tw: Array, tv: Array, tw_2: Array, *, chunk: int | None = None
) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `swiglu_feed_forward`):
        tx: tangent of x, of its shape.
        tw: tangent of w, of its shape.
        tv: tangent of v, of its shape.
        tw_2: tangent of w_2, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    xp = _namespace(x)
    if chunk is not None:
        parts = []
        for rows in _chunks(x.shape[-2], chunk):
            ty = swiglu_feed_forward_jvp(_rows(x, -2, rows), w, v, w_2, _rows(tx, -2, rows), tw, tv, tw_2)
            parts.append((ty,))
        ty = xp.concat([part[0] for part in parts], axis=-2)
        return ty
    # g[i, f] = Σ_c x[i, c]·w[c, f]
    g = x @ w
    # u[i, f] = Σ_c x[i, c]·v[c, f]
    u = x @ v
    # s[i, f] = sigmoid(g[i, f])
    s = _sigmoid(g)
    # a[i, f] = g[i, f]·s[i, f]
    a = g * s
    # m[i, f] = a[i, f]·u[i, f]
    m = a * u
    # tg[i, f] = (Σ_c tx[i, c]·w[c, f]) + Σ_c tw[c, f]·x[i, c]
    tg = tx @ w + x @ tw
    # tu[i, f] = (Σ_c tx[i, c]·v[c, f]) + Σ_c tv[c, f]·x[i, c]
    tu = tx @ v + x @ tv
    # tm[i, f] = u[i, f]·s[i, f]·tg[i, f] + a[i, f]·tu[i, f] + m[i, f]·tg[i, f]·sigmoid(-g[i, f])
    tm = u * s * tg + a * tu + m * tg * _sigmoid(-g)
    # ty[i, e] = (Σ_f tm[i, f]·w_2[f, e]) + Σ_f tw_2[f, e]·m[i, f]
    ty = tm @ w_2 + m @ tw_2
    return ty


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


def _sigmoid(x: Array) -> Array:
    """1/(1 + exp(−x)), without overflow for any sign of x."""
    xp = _namespace(x)
    small = xp.exp(-abs(x))
    return xp.where(x < 0, small, xp.ones_like(small)) / (1 + small)
