"""Correct transformer blocks, and losses on top of a linear layer: float32 inside, called by their form."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from lemmata.tests.conformance.targets.catalogue_kernels import multi_head_attention, widened
from torch import Tensor


def norm(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    """Layer norm of each token."""
    return F.layer_norm(x, x.shape[-1:], gain, shift, 1e-5)


def attend(x: Tensor, weights: tuple[Tensor, ...], keep: Tensor | None) -> Tensor:
    """Self-attention; the weights are w_q, w_k, w_v, w_o, b_q, b_k, b_v, b_o."""
    w_q, w_k, w_v, w_o, b_q, b_k, b_v, b_o = weights
    return multi_head_attention(x, x, x, w_q, w_k, w_v, w_o, b_q=b_q, b_k=b_k, b_v=b_v, b_o=b_o, keep=keep)


def transform(x: Tensor, weights: tuple[Tensor, ...]) -> Tensor:
    """The feed-forward network; the weights are w_1, b_1, w_2, b_2."""
    w_1, b_1, w_2, b_2 = weights
    return F.linear(F.gelu(F.linear(x, w_1, b_1)), w_2, b_2)


def pre_norm_block(x: Tensor, *parameters: Tensor, keep: Tensor | None = None) -> Tensor:
    """Attention and a feed-forward network, each after a norm, added to the stream."""
    wide, p = widened(x), tuple(map(widened, parameters))
    h = wide + attend(norm(wide, *p[:2]), p[2:10], keep)
    return (h + transform(norm(h, *p[10:12]), p[12:])).to(x.dtype)


def post_norm_block(x: Tensor, *parameters: Tensor, keep: Tensor | None = None) -> Tensor:
    """Attention and a feed-forward network, each added to the stream and then normalised."""
    wide, p = widened(x), tuple(map(widened, parameters))
    h = norm(wide + attend(wide, p[2:10], keep), *p[:2])
    return norm(h + transform(h, p[12:]), *p[10:12]).to(x.dtype)


def losses(
    x: Tensor, target: Tensor, weight: Tensor | None, keep: Tensor | None, zeta: float, smoothing: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of each row, their sum, and their mean, from logits."""
    classes = torch.ones_like(x) if weight is None else widened(weight)[..., None, :].expand(x.shape)
    kept = torch.ones_like(target, dtype=torch.bool) if keep is None else keep
    m = x.detach().amax(-1)
    lse = m + (x - m[..., None]).exp().sum(-1).log()
    each = lse[..., None] - x
    chosen = target[..., None]
    share = classes.gather(-1, chosen)[..., 0]
    nll = share * each.gather(-1, chosen)[..., 0]
    uniform = (classes * each).mean(-1) if smoothing else 0.0
    loss = torch.where(kept, (1 - smoothing) * nll + smoothing * uniform + zeta * lse**2, 0.0)
    total = loss.sum(-1)
    counted = torch.where(kept, share, 0.0)
    return loss, total, total / counted.sum(-1)


def _narrowed(found: tuple[Tensor, ...], dtype: torch.dtype) -> tuple[Tensor, ...]:
    return tuple(x.to(dtype) for x in found)


def smoothed_cross_entropy(
    x: Tensor,
    target: Tensor,
    smoothing: float,
    *,
    weight: Tensor | None = None,
    keep: Tensor | None = None,
    zeta: float = 0.0,
) -> tuple[Tensor, ...]:
    """Cross-entropy of targets that are mixed with the uniform distribution."""
    return _narrowed(losses(widened(x), target, weight, keep, zeta, smoothing), x.dtype)


def linear_cross_entropy(
    h: Tensor,
    w: Tensor,
    target: Tensor,
    *,
    weight: Tensor | None = None,
    keep: Tensor | None = None,
    zeta: float = 0.0,
) -> tuple[Tensor, ...]:
    """Cross-entropy of the logits h Wᵀ."""
    return _narrowed(losses(widened(h) @ widened(w).mT, target, weight, keep, zeta), h.dtype)
