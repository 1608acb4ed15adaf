"""Attention that returns the log-sum-exp of its scores, and planted faults of that second output."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from lemmata.tests.conformance.targets import attention_kernels as steps
from torch import Tensor


def unchanged(lse: Tensor) -> Tensor:
    """The log-sum-exp itself."""
    return lse


@dataclass(frozen=True)
class WithLse:
    """Eager attention; `finish` is the last step of its log-sum-exp."""

    finish: Callable[[Tensor], Tensor] = unchanged

    def __call__(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Output `[B, H, n, e]` and log-sum-exp `[B, H, n]`."""
        compute = torch.float64 if query.dtype == torch.float64 else torch.float32
        group = query.shape[1] // key.shape[1]
        k, v = (x.to(compute).repeat_interleave(group, 1) for x in (key, value))
        factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
        visible = steps.lower_triangle(query.shape[2], key.shape[2]) if is_causal else None
        s = steps.masked((query.to(compute) * factor) @ k.mT, attn_mask, visible)
        if not s.numel():
            # Nothing to attend to; the sum keeps the graph whole.
            o = s @ v
            return o.to(query.dtype), s.sum(-1) - torch.inf
        empty = torch.isneginf(s).all(-1, keepdim=True)
        finite = torch.where(empty, torch.zeros_like(s), s)
        lse = torch.logsumexp(finite, -1, keepdim=True)
        p = torch.where(empty, torch.zeros_like(s), torch.softmax(finite, -1))
        masked = torch.where(empty, torch.full_like(lse, -torch.inf), lse)
        return (p @ v).to(query.dtype), self.finish(masked.squeeze(-1))


correct = WithLse()
lse_in_base_2 = WithLse(lambda lse: lse / math.log(2))
gradient_through_the_lse_ignored = WithLse(lambda lse: lse.detach() + 0.0 * torch.nan_to_num(lse, neginf=0.0))
lse_of_no_keys_is_finite = WithLse(lambda lse: torch.nan_to_num(lse, neginf=-49994.0))
lse_of_no_keys_is_positive = WithLse(lambda lse: torch.where(torch.isneginf(lse), -lse, lse))
