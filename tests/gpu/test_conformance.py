"""Every operator of `lemmata.gpu` is held to its contract, in the runs that others are held to, too."""

from __future__ import annotations

import pytest
from lemmata.conformance.runner import conform

# Operation, target, and cases in each dtype: fewer where a case is dear.
EAGER = (
    ("softmax", "softmax:softmax", 60),
    ("log_softmax", "softmax:log_softmax", 60),
    ("logsumexp", "softmax:logsumexp", 60),
    ("attention", "attention:scaled_dot_product_attention", 60),
    ("attention_with_lse", "attention:scaled_dot_product_attention_with_lse", 60),
    ("softcapped_attention", "attention:softcapped_attention", 60),
    ("rope", "positional:rope", 60),
    ("sinusoidal", "positional:sinusoidal", 60),
    ("alibi", "positional:alibi", 60),
    ("geometric", "positional:geometric", 60),
    ("embedding", "embedding:embedding", 60),
    ("linear", "linear:linear", 60),
    ("tied_output", "linear:tied_output", 60),
    ("qkv_projection", "linear:qkv_projection", 60),
    ("multi_head_attention", "multihead:multi_head_attention", 30),
    ("relu", "activation:relu", 60),
    ("silu", "activation:silu", 60),
    ("gelu", "activation:gelu", 60),
    ("swiglu", "activation:swiglu", 60),
    ("geglu", "activation:geglu", 60),
    ("feed_forward", "feedforward:feed_forward", 60),
    ("swiglu_feed_forward", "feedforward:swiglu_feed_forward", 60),
    ("layer_norm", "norm:layer_norm", 60),
    ("rms_norm", "norm:rms_norm", 60),
    ("add_layer_norm", "norm:add_layer_norm", 60),
    ("add_rms_norm", "norm:add_rms_norm", 60),
    ("cross_entropy", "loss:cross_entropy", 60),
    ("soft_cross_entropy", "loss:cross_entropy", 60),
    ("smoothed_cross_entropy", "loss:smoothed_cross_entropy", 60),
    ("linear_cross_entropy", "loss:linear_cross_entropy", 60),
    ("pre_norm_block", "block:pre_norm_block", 10),
    ("post_norm_block", "block:post_norm_block", 10),
    ("language_model", "model:language_model", 5),
    ("sgd", "optimizer:sgd", 60),
    ("nesterov_sgd", "optimizer:nesterov_sgd", 60),
    ("adam", "optimizer:adam", 60),
    ("adamw", "optimizer:adamw", 60),
    ("clip_grad_norm", "optimizer:clip_grad_norm", 60),
)
# What an eager implementation rounds in between is all that a run of a whole block tells in half precision: with so few
# cases the laws have none with a finite bound.
_OF_PARTS = ("pre_norm_block", "post_norm_block", "language_model")


@pytest.mark.parametrize(("operation", "target", "examples"), EAGER, ids=[operation for operation, _, _ in EAGER])
def test_an_operator_conforms(operation: str, target: str, examples: int) -> None:
    dtypes = ["float64", "float32"] if operation in _OF_PARTS else None
    verdict = conform(operation, f"lemmata.gpu.{target}", dtypes=dtypes, examples=examples)
    failed = [f"{check.name}, {check.dtype}: {check.failure}" for check in verdict.checks if check.status == "failed"]
    assert not failed
    # Few cases may leave a law without one; what was run has passed.
    assert all(taken.accepted == examples for taken in verdict.acceptance.values())
    silent = [check for check in verdict.checks if check.name == "derivative of the gradient"]
    assert all(check.status in ("passed", "not run") for check in silent), "a gradient is silently constant"
