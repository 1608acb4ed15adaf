"""Transformers in torch's own operations, written from their papers: what the compositions are compared with.

Weights are split by head as in the references: w_q [g, r, d_h, d], w_k [g, d_h, d], w_v [g, d_w, d] and
w_o [g, r, d, d_w].
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name

Parameters = Mapping[str, torch.Tensor]


def attention(
    x_q: torch.Tensor, x_k: torch.Tensor, x_v: torch.Tensor, p: Parameters, keep: torch.Tensor | None
) -> torch.Tensor:
    """Multi-head attention, head by head, every head with its own copy of its group's keys and values."""
    groups, members = p["w_q"].shape[:2]
    out = p["b_o"]
    for g in range(groups):
        k = x_k @ p["w_k"][g].mT + p["b_k"][g]
        v = x_v @ p["w_v"][g].mT + p["b_v"][g]
        for r in range(members):
            q = x_q @ p["w_q"][g, r].mT + p["b_q"][g, r]
            scores = q @ k.mT / q.shape[-1] ** 0.5
            if keep is not None:
                mask = keep if keep.ndim < 4 else keep[..., g, r, :, :]
                scores = scores.masked_fill(~mask, -torch.inf)
            out = out + torch.softmax(scores, -1) @ v @ p["w_o"][g, r].mT
    return out


def norm(x: torch.Tensor, gain: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x, x.shape[-1:], gain, shift, 1e-5)


def network(x: torch.Tensor, p: Parameters) -> torch.Tensor:
    return F.linear(F.gelu(F.linear(x, p["w_1"], p["b_1"])), p["w_2"], p["b_2"])


def pre_norm_block(x: torch.Tensor, p: Parameters, keep: torch.Tensor | None) -> torch.Tensor:
    a = norm(x, p["gain_1"], p["shift_1"])
    h = x + attention(a, a, a, p, keep)
    return h + network(norm(h, p["gain_2"], p["shift_2"]), p)


def post_norm_block(x: torch.Tensor, p: Parameters, keep: torch.Tensor | None) -> torch.Tensor:
    h = norm(x + attention(x, x, x, p, keep), p["gain_1"], p["shift_1"])
    return norm(h + network(h, p), p["gain_2"], p["shift_2"])


def language_model(
    ids: torch.Tensor, target: torch.Tensor, p: Parameters, layered: tuple[str, ...]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Losses, their mean in each sequence, logits; the parameters of the blocks are stacked along a first axis."""
    x = F.embedding(ids, p["w"]) + p["positions"]
    size = ids.shape[-1]
    causal = torch.ones(size, size, dtype=torch.bool).tril()
    for layer in range(p["w_q"].shape[0]):
        x = pre_norm_block(x, {name: p[name][layer] for name in layered}, causal)
    logits = norm(x, p["gain"], p["shift"]) @ p["w"].mT
    loss = F.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none").reshape(target.shape)
    return loss, loss.mean(-1), logits
