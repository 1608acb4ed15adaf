"""Correct implementations, none of which a conformance run may fail: operation, target and dtypes."""

from __future__ import annotations

from pathlib import Path

from lemmata.tests.conformance.planted_faults import LATENT_ATTENTION, SIGMOID_ATTENTION
from lemmata.tests.gpu.held import EAGER, TRITON

_EXAMPLES = Path(__file__).parents[2] / "examples"
_TARGETS = Path(__file__).parent / "targets"

ALL_DTYPES = ("float64", "float32", "bfloat16", "float16")
# Stored before they are scaled, the products of an eager attention leave the range of float16 where the results do not:
# a fault of its own (pytorch/pytorch#119131).
WITHOUT_FLOAT16 = ("float64", "float32", "bfloat16")
# Triton's interpreter has no bfloat16, and the Triton attention no float64.
INTERPRETED_DTYPES = ("float32", "float16")

# Operations that `torch.nn.functional` has, and those that are called by their form.
_OF_TORCH = ("linear", "embedding", "layer_norm", "rms_norm", "relu", "silu", "gelu", "cross_entropy")
_OF_THEIR_FORM = (
    "softcapped_attention",
    "tied_output",
    "qkv_projection",
    "swiglu",
    "geglu",
    "feed_forward",
    "swiglu_feed_forward",
    "add_layer_norm",
    "add_rms_norm",
    "sgd",
    "nesterov_sgd",
    "adam",
    "adamw",
    "clip_grad_norm",
    "rope",
    "sinusoidal",
    "alibi",
    "geometric",
    "multi_head_attention",
)

_OF_BLOCKS = ("pre_norm_block", "post_norm_block", "linear_cross_entropy", "smoothed_cross_entropy")

CORRECT_TARGETS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    *((operation, f"lemmata.gpu.{target}", ALL_DTYPES) for operation, target, _ in EAGER),
    *((operation, f"lemmata.gpu.{target}", INTERPRETED_DTYPES) for operation, target, _ in TRITON),
    ("attention", "torch.nn.functional:scaled_dot_product_attention", ALL_DTYPES),
    ("attention", f"{_EXAMPLES}/sdpa_backends.py:math", ALL_DTYPES),
    ("attention", f"{_EXAMPLES}/sdpa_backends.py:flash", ALL_DTYPES),
    ("attention", f"{_TARGETS}/attention_kernels.py:correct", ALL_DTYPES),
    ("attention", f"{_TARGETS}/attention_kernels.py:in_blocks", ALL_DTYPES),
    ("attention", f"{_TARGETS}/attention_kernels.py:eager", WITHOUT_FLOAT16),
    ("attention", f"{_TARGETS}/attention_kernels.py:from_the_mask", ("float64", "float32")),
    ("attention_with_lse", f"{_TARGETS}/lse_faults.py:correct", ALL_DTYPES),
    ("softmax", "torch.nn.functional:softmax", ALL_DTYPES),
    ("softmax", f"{_TARGETS}/softmax_kernels.py:correct", ALL_DTYPES),
    ("softmax", f"{_TARGETS}/softmax_kernels.py:in_blocks", ALL_DTYPES),
    ("softmax", f"{_TARGETS}/softmax_kernels.py:eager", ALL_DTYPES),
    ("softmax", f"{_TARGETS}/softmax_kernels.py:left_to_autograd", ALL_DTYPES),
    ("log_softmax", "torch.nn.functional:log_softmax", ALL_DTYPES),
    ("logsumexp", "torch:logsumexp", ALL_DTYPES),
    *((name, f"torch.nn.functional:{name}", ALL_DTYPES) for name in _OF_TORCH),
    ("soft_cross_entropy", "torch.nn.functional:cross_entropy", ALL_DTYPES),
    *((name, f"{_TARGETS}/catalogue_kernels.py:{name}", ALL_DTYPES) for name in _OF_THEIR_FORM),
    *((name, f"{_TARGETS}/block_kernels.py:{name}", ALL_DTYPES) for name in _OF_BLOCKS),
    ("multi_head_attention", f"{_EXAMPLES}/torch_multihead.py:forward", WITHOUT_FLOAT16),
    ("swiglu", f"{_TARGETS}/catalogue_kernels.py:eager_swiglu", ALL_DTYPES),
    ("geglu", f"{_TARGETS}/catalogue_kernels.py:eager_geglu", ALL_DTYPES),
    ("swiglu_feed_forward", f"{_TARGETS}/catalogue_kernels.py:eager_swiglu_feed_forward", ALL_DTYPES),
    (SIGMOID_ATTENTION, f"{_EXAMPLES}/sigmoid_attention_kernel.py:attention", ALL_DTYPES),
    (LATENT_ATTENTION, f"{_EXAMPLES}/latent_attention_kernel.py:attention", ALL_DTYPES),
    (LATENT_ATTENTION, f"{_EXAMPLES}/latent_attention_kernel.py:absorbed", ALL_DTYPES),
)
