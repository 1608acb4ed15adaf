"""Reference implementation of layer_norm.

GENERATED from derivations/norm.py by `lemmata generate norm`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def layer_norm(x: Array, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-05) -> Array:
    """A row of features brought to mean 0 and variance 1, then scaled and shifted.

    Args:
        x: features `[..., d]`.
        weight: scale of each feature `[d]`, optional.
        bias: shift of each feature `[d]`, optional.
        eps: added to the variance, optional.

    Returns:
        y: normalised features `[..., d]`.

    Conventions:
        variance: divided by d, not by d − 1.
        eps: added under the root.

    Source: Ba, Kiros & Hinton 2016, (4).
    """
    xp = _namespace(x)
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    # mean = (Σ_f x[f])/d
    mean = xp.sum(x, axis=-1) / x.shape[-1]
    # centred[c] = x[c] − mean
    centred = x - mean[..., None]
    # var = (Σ_f centred[f]^2)/d  (S4)
    var = xp.sum(centred**2, axis=-1) / x.shape[-1]
    # rstd = (var + eps)^(-1/2)
    rstd = 1 / xp.sqrt(var + eps)
    # xhat[c] = centred[c]·rstd  (S3)
    xhat = centred * rstd[..., None]
    # y[c] = xhat[c]·weight[c] + bias[c]
    y = xhat * weight_given
    if bias is not None:
        y = y + bias
    return y


def layer_norm_value_and_vjp(
    x: Array, dy: Array, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-05
) -> tuple[Array, Array, Array | None, Array | None]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `layer_norm`):
        dy: cotangent of y, of its shape.

    Returns:
        y: as `layer_norm` returns.
        dx: gradient of x, of its shape.
        dweight: gradient of weight, of its shape, None if there is no weight.
        dbias: gradient of bias, of its shape, None if there is no bias.
    """
    xp = _namespace(x)
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    # mean = (Σ_f x[f])/d
    mean = xp.sum(x, axis=-1) / x.shape[-1]
    # centred[c] = x[c] − mean
    centred = x - mean[..., None]
    # var = (Σ_f centred[f]^2)/d  (S4)
    var = xp.sum(centred**2, axis=-1) / x.shape[-1]
    # rstd = (var + eps)^(-1/2)
    rstd = 1 / xp.sqrt(var + eps)
    # xhat[c] = centred[c]·rstd  (S3)
    xhat = centred * rstd[..., None]
    # y[c] = xhat[c]·weight[c] + bias[c]
    y = xhat * weight_given
    if bias is not None:
        y = y + bias
    # dxhat[c] = weight[c]·dy[c]
    dxhat = weight_given * dy
    # delta = (Σ_f dxhat[f])/d
    delta = xp.sum(dxhat, axis=-1) / x.shape[-1]
    # delta_2 = (Σ_f xhat[f]·dxhat[f])/d
    delta_2 = xp.sum(xhat * dxhat, axis=-1) / x.shape[-1]
    # dx[c] = rstd·(dxhat[c] − delta − delta_2·xhat[c])
    dx = rstd[..., None] * (dxhat - delta[..., None] - delta_2[..., None] * xhat)
    # dweight[c] = dy[c]·xhat[c]
    dweight = None if weight is None else _summed(dy * xhat, 1)
    # dbias[c] = dy[c]
    dbias = None if bias is None else _summed(dy, 1)
    return y, dx, dweight, dbias


def layer_norm_vjp(
    x: Array, dy: Array, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-05
) -> tuple[Array, Array | None, Array | None]:
    """As `layer_norm_value_and_vjp`, without the outputs."""
    _, dx, dweight, dbias = layer_norm_value_and_vjp(x, dy, weight, bias, eps)
    return dx, dweight, dbias


def layer_norm_jvp(
    x: Array,
    tx: Array,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-05,
    tweight: Array | None = None,
    tbias: Array | None = None,
) -> Array:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `layer_norm`):
        tx: tangent of x, of its shape.
        tweight: tangent of weight, of its shape.
        tbias: tangent of bias, of its shape.

    Returns:
        ty: tangent of y, of its shape.
    """
    xp = _namespace(x)
    weight_given = xp.ones((x.shape[-1],), dtype=x.dtype, device=x.device) if weight is None else weight
    # mean = (Σ_f x[f])/d
    mean = xp.sum(x, axis=-1) / x.shape[-1]
    # centred[c] = x[c] − mean
    centred = x - mean[..., None]
    # var = (Σ_f centred[f]^2)/d  (S4)
    var = xp.sum(centred**2, axis=-1) / x.shape[-1]
    # rstd = (var + eps)^(-1/2)
    rstd = 1 / xp.sqrt(var + eps)
    # xhat[c] = centred[c]·rstd  (S3)
    xhat = centred * rstd[..., None]
    # delta = (Σ_f tx[f])/d
    delta = xp.sum(tx, axis=-1) / x.shape[-1]
    # delta_2 = (Σ_f tx[f]·xhat[f])/d
    delta_2 = xp.sum(tx * xhat, axis=-1) / x.shape[-1]
    # ty[c] = tbias[c] + tweight[c]·xhat[c] + rstd·weight[c]·(tx[c] − delta − delta_2·xhat[c])
    ty = rstd[..., None] * weight_given * (tx - delta[..., None] - delta_2[..., None] * xhat)
    if tbias is not None:
        ty = ty + tbias
    if tweight is not None:
        ty = ty + tweight * xhat
    return ty


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
