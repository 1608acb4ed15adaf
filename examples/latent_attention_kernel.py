"""Multi-head latent attention in PyTorch: keys and values formed, and the absorbed form that never forms them.

lemmata conform examples/latent_attention.py:latent_attention examples/latent_attention_kernel.py:attention
lemmata conform examples/latent_attention.py:latent_attention examples/latent_attention_kernel.py:absorbed
"""

from __future__ import annotations

import torch
from torch import Tensor


def attention(
    cq: Tensor,
    c: Tensor,
    qr: Tensor,
    kr: Tensor,
    wq: Tensor,
    wk: Tensor,
    wv: Tensor,
    *,
    keep: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """The keys and values of every head, and softmax attention with them: cq `[..., n, d_q]`, c `[..., m, d_c]`, qr
    `[..., h, n, d_r]`, kr `[..., m, d_r]`, wq `[h, d_q, d]`, wk `[h, d_c, d]`, wv `[h, d_c, d_v]`, keep `[..., n, m]`.
    """
    dtype = cq.dtype
    cq, c, qr, kr, wq, wk, wv = map(_widened, (cq, c, qr, kr, wq, wk, wv))
    q, k, v = cq[..., None, :, :] @ wq, c[..., None, :, :] @ wk, c[..., None, :, :] @ wv
    p = _probabilities(q @ k.mT, qr, kr, keep, _scale(scale, wk, kr))
    return (p @ v).to(dtype)


def absorbed(
    cq: Tensor,
    c: Tensor,
    qr: Tensor,
    kr: Tensor,
    wq: Tensor,
    wk: Tensor,
    wv: Tensor,
    *,
    keep: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """The same by statements S3 and S4: the up-projections are moved to the queries and to the output."""
    dtype = cq.dtype
    cq, c, qr, kr, wq, wk, wv = map(_widened, (cq, c, qr, kr, wq, wk, wv))
    latent = (cq[..., None, :, :] @ wq) @ wk.mT
    p = _probabilities(latent @ c.mT[..., None, :, :], qr, kr, keep, _scale(scale, wk, kr))
    return ((p @ c[..., None, :, :]) @ wv).to(dtype)


def _widened(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x if x.dtype == torch.float64 else x.float()


def _scale(scale: float | None, wk: Tensor, kr: Tensor) -> float:
    return float((wk.shape[-1] + kr.shape[-1]) ** -0.5) if scale is None else scale


def _probabilities(products: Tensor, qr: Tensor, kr: Tensor, keep: Tensor | None, scale: float) -> Tensor:
    """The softmax of the scores `[..., h, n, m]`; 0 in a row without keys."""
    s = scale * (products + qr @ kr.mT[..., None, :, :])
    if keep is None:
        return torch.softmax(s, -1)
    kept = keep[..., None, :, :]
    # A row without keys is computed like any other and then emptied: its maximum would be −∞.
    alive = kept.any(-1, keepdim=True)
    return torch.softmax(s.masked_fill(~kept & alive, -torch.inf), -1) * kept
