"""What is held to its contract: the functions of `lemmata.gpu`, in PyTorch operations and as Triton kernels."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from lemmata.conformance.cases import AttentionCase, RowCase
from lemmata.conformance.contracts import Operation
from lemmata.conformance.operations import find_operation

# Operation, target, and cases in each dtype: fewer where a case is dear.
EAGER = (
    ("softmax", "softmax:softmax", 6),
    ("log_softmax", "softmax:log_softmax", 6),
    ("logsumexp", "softmax:logsumexp", 6),
    ("attention", "attention:scaled_dot_product_attention", 6),
    ("attention_with_lse", "attention:scaled_dot_product_attention_with_lse", 6),
    ("softcapped_attention", "attention:softcapped_attention", 6),
    ("rope", "positional:rope", 6),
    ("sinusoidal", "positional:sinusoidal", 6),
    ("alibi", "positional:alibi", 6),
    ("geometric", "positional:geometric", 6),
    ("embedding", "embedding:embedding", 6),
    ("linear", "linear:linear", 6),
    ("tied_output", "linear:tied_output", 6),
    ("qkv_projection", "linear:qkv_projection", 6),
    ("multi_head_attention", "multihead:multi_head_attention", 6),
    ("relu", "activation:relu", 6),
    ("silu", "activation:silu", 6),
    ("gelu", "activation:gelu", 6),
    ("swiglu", "activation:swiglu", 6),
    ("geglu", "activation:geglu", 6),
    ("feed_forward", "feedforward:feed_forward", 6),
    ("swiglu_feed_forward", "feedforward:swiglu_feed_forward", 6),
    ("layer_norm", "norm:layer_norm", 6),
    ("rms_norm", "norm:rms_norm", 6),
    ("add_layer_norm", "norm:add_layer_norm", 6),
    ("add_rms_norm", "norm:add_rms_norm", 6),
    ("cross_entropy", "loss:cross_entropy", 6),
    ("soft_cross_entropy", "loss:cross_entropy", 6),
    ("smoothed_cross_entropy", "loss:smoothed_cross_entropy", 6),
    ("linear_cross_entropy", "linear_loss:linear_cross_entropy", 6),
    ("pre_norm_block", "block:pre_norm_block", 4),
    ("post_norm_block", "block:post_norm_block", 4),
    ("language_model", "model:language_model", 3),
    ("sgd", "optimizer:sgd", 6),
    ("nesterov_sgd", "optimizer:nesterov_sgd", 6),
    ("adam", "optimizer:adam", 6),
    ("adamw", "optimizer:adamw", 6),
    ("clip_grad_norm", "optimizer:clip_grad_norm", 6),
)
# The same for the kernels, which are interpreted where there is no CUDA device, and dearer.
TRITON = (
    ("softmax", "softmax:triton_softmax", 4),
    ("log_softmax", "softmax:triton_log_softmax", 4),
    ("logsumexp", "softmax:triton_logsumexp", 4),
    ("attention", "attention:triton_scaled_dot_product_attention", 3),
    ("attention_with_lse", "attention:triton_scaled_dot_product_attention_with_lse", 3),
    ("softcapped_attention", "attention:triton_softcapped_attention", 2),
    ("rope", "positional:triton_rope", 4),
    ("embedding", "embedding:triton_embedding", 4),
    ("swiglu", "activation:triton_swiglu", 4),
    ("geglu", "activation:triton_geglu", 4),
    ("layer_norm", "norm:triton_layer_norm", 4),
    ("rms_norm", "norm:triton_rms_norm", 4),
    ("add_layer_norm", "norm:triton_add_layer_norm", 4),
    ("add_rms_norm", "norm:triton_add_rms_norm", 4),
    ("cross_entropy", "loss:triton_cross_entropy", 4),
    ("smoothed_cross_entropy", "loss:triton_smoothed_cross_entropy", 4),
    ("linear_cross_entropy", "linear_loss:triton_linear_cross_entropy", 4),
    ("adam", "optimizer:triton_adam", 4),
    ("adamw", "optimizer:triton_adamw", 4),
)
# Several blocks of 16 and 32, and one of 64 with a tail; a layer, and layers between the first and the last; more than
# one key head, and more than one head to a key head.
_INTERPRETED = 97
_LAYERS = 3
_HEADS = 16


def interpretable(name: str) -> Operation:
    """The contract without dimensions beyond a hundred or so, or many layers or heads: that takes minutes."""
    operation = find_operation(name)
    return replace(operation, cases=lambda: operation.cases().filter(_is_short))


def _is_short(case: Any) -> bool:
    sizes: dict[str, int] = getattr(case, "sizes", {})
    few = sizes.get("L", 1) <= _LAYERS and sizes.get("g", 1) * sizes.get("r", 1) <= _HEADS
    return few and _longest(case) <= _INTERPRETED


def _longest(case: Any) -> int:
    """The largest size of a dimension of a case; those of the batch are one."""
    if isinstance(case, AttentionCase):
        return max(case.queries, case.keys)
    return max(case.shape) if isinstance(case, RowCase) else max(prod(case.batch), *case.sizes.values())
