"""Reference implementation of clip_grad_norm.

GENERATED from derivations/optimizer.py by `lemmata generate optimizer`. Do not edit.

Arrays may have any number of leading batch dimensions. NumPy is all that is imported; arrays of another library (torch,
JAX, CuPy) work through the array-API standard. Nothing is cast: float64 in, float64 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # an array of NumPy, or of any library that follows the array-API standard


def clip_grad_norm(g: Array, max_norm: float, eps: float = 1e-06) -> tuple[Array, Array]:
    """A gradient shortened to a given norm if it is longer.

    Args:
        g: gradient of all parameters `[..., K]`.
        max_norm: largest norm, positive.
        eps: added to the norm, optional.

    Returns:
        y: clipped gradient `[..., K]`.
        norm: norm before clipping `[...]`.

    Conventions:
        eps: added to the norm in the denominator, so that what is clipped ends a little below max_norm.
        kink: where ‖g‖ + eps = max_norm the derivative is that of a gradient that is not clipped.

    Source: Pascanu, Mikolov & Bengio 2013, algorithm 1, in the form of torch.nn.utils.clip_grad_norm_.
    """
    xp = _namespace(g)
    # norm = √(Σ_j g[j]^2)
    norm = xp.sqrt(xp.sum(g**2, axis=-1))
    # excess = relu((norm + eps) − max_norm)
    excess = _relu(norm + eps - max_norm)
    # coef = max_norm/(max_norm + excess)  (S4)
    coef = max_norm / (max_norm + excess)
    # y[k] = coef·g[k]
    y = coef[..., None] * g
    return y, norm


def clip_grad_norm_value_and_vjp(
    g: Array, max_norm: float, dy: Array, dnorm: Array | None = None, eps: float = 1e-06
) -> tuple[Array, Array, Array]:
    """The outputs, and the gradients of the inputs that cotangents of the outputs give.

    Args (the others as in `clip_grad_norm`):
        dy: cotangent of y, of its shape.
        dnorm: cotangent of norm, of its shape.

    Returns:
        y, norm: as `clip_grad_norm` returns.
        dg: gradient of g, of its shape.
    """
    xp = _namespace(g)
    # norm = √(Σ_j g[j]^2)
    norm = xp.sqrt(xp.sum(g**2, axis=-1))
    # excess = relu((norm + eps) − max_norm)
    excess = _relu(norm + eps - max_norm)
    # coef = max_norm/(max_norm + excess)  (S4)
    coef = max_norm / (max_norm + excess)
    # y[k] = coef·g[k]
    y = coef[..., None] * g
    # delta = [eps + norm − max_norm > 0]·(Σ_j g[j]·dy[j])/norm/(excess + max_norm)
    delta = _step(eps + norm - max_norm) * xp.sum(g * dy, axis=-1) / norm / (excess + max_norm)
    # dg[k] = dnorm·g[k]/norm + coef·dy[k] − delta·y[k]
    dg = coef[..., None] * dy - delta[..., None] * y
    if dnorm is not None:
        dg = dg + dnorm[..., None] * g / norm[..., None]
    return y, norm, dg


def clip_grad_norm_vjp(g: Array, max_norm: float, dy: Array, dnorm: Array | None = None, eps: float = 1e-06) -> Array:
    """As `clip_grad_norm_value_and_vjp`, without the outputs."""
    _, _, dg = clip_grad_norm_value_and_vjp(g, max_norm, dy, dnorm, eps)
    return dg


def clip_grad_norm_jvp(g: Array, max_norm: float, tg: Array, eps: float = 1e-06) -> tuple[Array, Array]:
    """Jacobian-vector product: tangents of the inputs to tangents of the outputs.

    Args (the others as in `clip_grad_norm`):
        tg: tangent of g, of its shape.

    Returns:
        ty: tangent of y, of its shape.
        tnorm: tangent of norm, of its shape.
    """
    xp = _namespace(g)
    # norm = √(Σ_j g[j]^2)
    norm = xp.sqrt(xp.sum(g**2, axis=-1))
    # excess = relu((norm + eps) − max_norm)
    excess = _relu(norm + eps - max_norm)
    # coef = max_norm/(max_norm + excess)  (S4)
    coef = max_norm / (max_norm + excess)
    # y[k] = coef·g[k]
    y = coef[..., None] * g
    # tnorm = (Σ_j g[j]·tg[j])/norm
    tnorm = xp.sum(g * tg, axis=-1) / norm
    # ty[k] = coef·tg[k] − tnorm·y[k]·[eps + norm − max_norm > 0]/(excess + max_norm)
    ty = coef[..., None] * tg
    ty = ty - tnorm[..., None] * y * _step(eps + norm - max_norm)[..., None] / (excess + max_norm)[..., None]
    return ty, tnorm


def _namespace(x: Array) -> Any:
    """NumPy for NumPy arrays; the array-API namespace of any other array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    from array_api_compat import array_namespace

    return array_namespace(x)


def _relu(x: Array) -> Array:
    """max(x, 0); NaN stays NaN."""
    return _namespace(x).where(x < 0, 0.0, x)


def _step(x: Array) -> Array:
    """1 where x > 0, else 0."""
    return _namespace(x).astype(x > 0, x.dtype)
