"""Correct implementations, none of which a conformance run may fail: operation, target and dtypes."""

from __future__ import annotations

from pathlib import Path

_EXAMPLES = Path(__file__).parents[2] / "examples"
_TARGETS = Path(__file__).parent / "targets"

ALL_DTYPES = ("float64", "float32", "bfloat16", "float16")
# Stored before they are scaled, the products of an eager attention leave the range of float16 where the results do not:
# a fault of its own (pytorch/pytorch#119131).
WITHOUT_FLOAT16 = ("float64", "float32", "bfloat16")
# Triton's interpreter has no bfloat16, and the Triton attention no float64.
INTERPRETED_DTYPES = ("float32", "float16")
INTERPRETED_SOFTMAX_DTYPES = ("float64", *INTERPRETED_DTYPES)

CORRECT_TARGETS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("attention", "torch.nn.functional:scaled_dot_product_attention", ALL_DTYPES),
    ("attention", f"{_EXAMPLES}/sdpa_backends.py:math", ALL_DTYPES),
    ("attention", f"{_EXAMPLES}/sdpa_backends.py:flash", ALL_DTYPES),
    ("attention", "lemmata.gpu.attention:scaled_dot_product_attention", ALL_DTYPES),
    ("attention", "lemmata.gpu.attention:triton_scaled_dot_product_attention", INTERPRETED_DTYPES),
    ("attention", f"{_TARGETS}/attention_kernels.py:correct", ALL_DTYPES),
    ("attention", f"{_TARGETS}/attention_kernels.py:in_blocks", ALL_DTYPES),
    ("attention", f"{_TARGETS}/attention_kernels.py:eager", WITHOUT_FLOAT16),
    ("attention", f"{_TARGETS}/attention_kernels.py:from_the_mask", ("float64", "float32")),
    ("softmax", "torch.nn.functional:softmax", ALL_DTYPES),
    ("softmax", "lemmata.gpu.softmax:softmax", ALL_DTYPES),
    ("softmax", "lemmata.gpu.softmax:triton_softmax", INTERPRETED_SOFTMAX_DTYPES),
    ("softmax", f"{_TARGETS}/softmax_kernels.py:correct", ALL_DTYPES),
    ("softmax", f"{_TARGETS}/softmax_kernels.py:in_blocks", ALL_DTYPES),
    ("log_softmax", "torch.nn.functional:log_softmax", ALL_DTYPES),
    ("log_softmax", "lemmata.gpu.softmax:log_softmax", ALL_DTYPES),
    ("logsumexp", "torch:logsumexp", ALL_DTYPES),
    ("logsumexp", "lemmata.gpu.softmax:logsumexp", ALL_DTYPES),
)
