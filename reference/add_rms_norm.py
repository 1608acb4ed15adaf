"""Reference implementation of add_rms_norm.

GENERATED from derivations/norm.py by `lemmata generate norm`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def add_rms_norm(
    x: Array, r: Array, weight: Array | None = None, eps: float = 2.220446049250313e-16
) -> tuple[Array, Array]:
    """A residual sum and its RMS norm.

    Args:
        x: features `[..., d]`.
        r: residual `[..., d]`, added to x.
        weight: scale of each feature `[d]`, optional.
        eps: added to the mean square, optional.

    Returns:
        s: sum x + r `[..., d]`.
        y: normalised features `[..., d]`.

    Conventions:
        eps: added under the root; torch's default is the machine epsilon of the dtype, here of float64.

    Source: Zhang & Sennrich 2019, (4).
    """
    xp = _namespace(x)
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    # s[c] = x[c] + r[c]
    s = x + r
    # ms = (Σ_f s[f]^2)/d
    ms = xp.sum(s**2, axis=-1) / x.shape[-1]
    # rstd = (ms + eps)^(-1/2)
    rstd = 1 / xp.sqrt(ms + eps)
    # xhat[c] = s[c]·rstd  (S2)
    xhat = s * rstd[..., None]
    # y[c] = xhat[c]·weight[c]
    y = xhat * weight_given
    return s, y


def add_rms_norm_value_and_vjp(
    x: Array,
    r: Array,
    ds: Array,
    dy: Array | None = None,
    weight: Array | None = None,
    eps: float = 2.220446049250313e-16,
) -> tuple[Array, Array, Array, Array, Array | None]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `add_rms_norm`):
        ds: cotangent of s, of its shape.
        dy: cotangent of y, of its shape.

    Returns:
        s, y: as `add_rms_norm` returns.
        dx: gradient of x, of its shape.
        dr: gradient of r, of its shape.
        dweight: gradient of weight, of its shape, None if there is no weight.
    """
    xp = _namespace(x)
    dy_given = xp.zeros((x.shape[-1],), dtype=x.dtype, device=x.device) if dy is None else dy
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    # s[c] = x[c] + r[c]
    s = x + r
    # ms = (Σ_f s[f]^2)/d
    ms = xp.sum(s**2, axis=-1) / x.shape[-1]
    # rstd = (ms + eps)^(-1/2)
    rstd = 1 / xp.sqrt(ms + eps)
    # xhat[c] = s[c]·rstd  (S2)
    xhat = s * rstd[..., None]
    # y[c] = xhat[c]·weight[c]
    y = xhat * weight_given
    # dxhat[c] = weight[c]·dy[c]
    dxhat = weight_given * dy_given
    # delta = (Σ_c xhat[c]·dxhat[c])/d
    delta = xp.sum(xhat * dxhat, axis=-1) / x.shape[-1]
    # ds_total[c] = ds[c] + rstd·(dxhat[c] − delta·xhat[c])
    ds_total = ds + _times(_minus(dxhat, delta[..., None] * xhat), rstd[..., None])
    # dx[c] = ds_total[c]
    dx = ds_total
    # dr[c] = ds_total[c]
    dr = ds_total
    # dweight[c] = dy[c]·xhat[c]
    dweight = None if weight is None else _summed(dy_given * xhat, 1)
    return s, y, dx, dr, dweight


def add_rms_norm_vjp(
    x: Array,
    r: Array,
    ds: Array,
    dy: Array | None = None,
    weight: Array | None = None,
    eps: float = 2.220446049250313e-16,
) -> tuple[Array, Array, Array | None]:
    """As `add_rms_norm_value_and_vjp`, without the outputs."""
    _, _, dx, dr, dweight = add_rms_norm_value_and_vjp(x, r, ds, dy, weight, eps)
    return dx, dr, dweight


def add_rms_norm_jvp(
    x: Array,
    r: Array,
    tx: Array,
    tr: Array,
    weight: Array | None = None,
    eps: float = 2.220446049250313e-16,
    tweight: Array | None = None,
) -> tuple[Array, Array]:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `add_rms_norm`):
        tx: tangent of x, of its shape.
        tr: tangent of r, of its shape.
        tweight: tangent of weight, of its shape.

    Returns:
        ts: tangent of s, of its shape.
        ty: tangent of y, of its shape.
    """
    xp = _namespace(x)
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    # s[c] = x[c] + r[c]
    s = x + r
    # ms = (Σ_f s[f]^2)/d
    ms = xp.sum(s**2, axis=-1) / x.shape[-1]
    # rstd = (ms + eps)^(-1/2)
    rstd = 1 / xp.sqrt(ms + eps)
    # xhat[c] = s[c]·rstd  (S2)
    xhat = s * rstd[..., None]
    # y[c] = xhat[c]·weight[c]
    y = xhat * weight_given
    # ts[c] = tx[c] + tr[c]
    ts = tx + tr
    # delta = (Σ_c xhat[c]·ts[c])/d
    delta = xp.sum(xhat * ts, axis=-1) / x.shape[-1]
    # ty[c] = tweight[c]·xhat[c] + rstd·(weight[c]·ts[c] − delta·y[c])
    ty = rstd[..., None] * (weight_given * ts - delta[..., None] * y)
    if tweight is not None:
        ty = ty + tweight * xhat
    return ts, ty


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


def _overwritten(x: Array, *others: Array) -> bool:
    """Whether NumPy can write the result of x and others, of the shape and dtype of x, into x."""
    return (
        isinstance(x, np.ndarray)
        and x.dtype.kind == "f"
        and all(isinstance(y, float) or (isinstance(y, np.ndarray) and y.dtype == x.dtype) for y in others)
        and np.broadcast_shapes(x.shape, *(np.shape(y) for y in others)) == x.shape
    )


def _minus(x: Array, y: Array) -> Array:
    """x − y, in the memory of x, which is not read again."""
    return np.subtract(x, y, out=x) if _overwritten(x, y) else x - y


def _times(x: Array, y: Array) -> Array:
    """x · y, in the memory of x, which is not read again."""
    return np.multiply(x, y, out=x) if _overwritten(x, y) else x * y
