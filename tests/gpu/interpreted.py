"""Compositions of Triton kernels, as targets: what `kernels_for` takes on CUDA alone."""

from __future__ import annotations

from typing import Any

from lemmata.gpu import block, model, multihead
from lemmata.gpu.kernels import TRITON


def multi_head_attention(*arguments: Any, **options: Any) -> Any:
    """As `lemmata.gpu.multihead.multi_head_attention`."""
    return multihead.multi_head_attention(*arguments, **options, kernels=TRITON)


def pre_norm_block(*arguments: Any, **options: Any) -> Any:
    """As `lemmata.gpu.block.pre_norm_block`."""
    return block.pre_norm_block(*arguments, **options, kernels=TRITON)


def language_model(*arguments: Any, **options: Any) -> Any:
    """As `lemmata.gpu.model.language_model`."""
    return model.language_model(*arguments, **options, kernels=TRITON)
