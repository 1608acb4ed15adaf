"""Why rows do not conform: what was found by hand, by target."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from lemmata.tests.matrix.rows import EXAMPLES, Why

_ADAPTERS = "lemmata.tests.matrix"
_GITHUB = "https://github.com"

_RATE_BELOW = Why(
    "the format",
    "With `differentiable=True` the root of the second moment is divided by the learning rate before it divides the "
    "first moment. For v = 100, lr = 2⁻¹⁰, t = 10 that is 6.7·10⁴, infinite in float16, and the step is 0: the "
    "parameter stays where it is. Without `differentiable` the same call moves it by −1.50·10⁻⁵, as in float64. The "
    "derivative divides by the square of that number, and is 0 or a quarter off long before.",
)
_DONATED = Why(
    "their convention",
    "A compiled backward pass reuses the memory of what was saved for it, and refuses a second pass over the same "
    "graph (`retain_graph=True`); with `torch._functorch.config.donated_buffer = False` it would not.",
    f"{_GITHUB}/pytorch/pytorch/pull/130580",
)
_SCALED_IN_PLACE = Why(
    "their defect",
    "The gradient is computed in the forward pass, and the backward pass multiplies it by the cotangent where it lies, "
    "unseen by PyTorch: a second backward pass over the same graph multiplies once more. With a cotangent of −1 the "
    "second gradient has the wrong sign; with one of 1, which is not multiplied, it is right.",
    f"{_GITHUB}/linkedin/Liger-Kernel/issues/343",
)
_FLOAT32_SOFTMAX = Why(
    "their convention",
    "The softmax is in float32 whatever the dtype of the inputs, and so are errors of 10⁻⁸ to 10⁻⁷ in float64. The "
    "float32 profile of the same row is met.",
    f"{_GITHUB}/huggingface/transformers/issues/30186",
)
_SCALE_LAST = Why(
    "the format",
    "The products of queries and keys are stored in float16 before they are scaled, and exceed 65504 where the scaled "
    "ones do not: the softmax of an infinite score is NaN.",
    f"{_GITHUB}/pytorch/pytorch/issues/119131",
)
_FLOAT32_NORM = "The statistics are in float32 whatever the dtype of the input. The float32 profile is met."
_MASKED_ROWS = (
    "A query whose keys are all masked gets the mean of the values, as masked scores are a large negative number and "
    "not −∞: for the values 1 and 3 it returns 2. Where every query has a key the next row applies."
)

FINDINGS: Mapping[str, tuple[Why, ...]] = MappingProxyType(
    {
        f"{EXAMPLES}/torch_multihead.py:forward": (
            Why(
                "the format",
                "In float16 the projected queries, or their products with the keys, exceed 65504; a mask of −∞ added "
                "to an infinite score is NaN, where the masked key should not count.",
            ),
        ),
        f"{_ADAPTERS}.torch_adapters:nesterov_sgd": (
            Why(
                "their defect",
                "In the first step the velocity is a detached copy of the gradient, in spite of `differentiable=True`. "
                "For p = 1, g = 2, lr = 1, momentum = 0.5 the derivative of the new parameter by g is −1.5, by finite "
                "differences too; autograd gives −1. With a velocity of zeros in the state it gives −1.5.",
                f"{_GITHUB}/pytorch/pytorch/pull/45597",
            ),
        ),
        f"{_ADAPTERS}.torch_adapters:adam": (_RATE_BELOW,),
        f"{_ADAPTERS}.torch_adapters:adam_with_decay": (_RATE_BELOW,),
        f"{_ADAPTERS}.torch_adapters:adamw": (_RATE_BELOW,),
        f"{_ADAPTERS}.torch_adapters:compiled_softmax": (_DONATED,),
        f"{_ADAPTERS}.torch_adapters:compiled_layer_norm": (_DONATED,),
        f"{_ADAPTERS}.torch_adapters:compiled_gelu": (_DONATED,),
        f"{_ADAPTERS}.torch_adapters:compiled_cross_entropy": (_DONATED,),
        f"{_ADAPTERS}.torch_adapters:fused_adam": (
            Why(
                "their defect",
                "Fused steps on the CPU read a gradient as if it were contiguous: with `p.grad = wide[:, 1:2]`, "
                "wide = [[1, 2, 3], [4, 5, 6]], `SGD(lr=1.0, fused=True)` moves zeros to [−2, −3] instead of [−2, −5]. "
                "On CUDA another layout raises an error. Contiguous gradients are the next row.",
                f"{_GITHUB}/pytorch/pytorch/issues/106951",
            ),
        ),
        f"{_ADAPTERS}.jax_adapters:softmax": (
            Why(
                "their defect",
                "float16: the derivative divides by the square of the sum of exponentials, which exceeds 65504 in a "
                "row of 256 equal logits: the term −p Σ p dp is 0, and for a cotangent of ones the gradient sums to 1 "
                "instead of 0. `jax_softmax_custom_jvp`, off by default, avoids it. Sums of the gradient are added up "
                "in bfloat16, too.",
                f"{_GITHUB}/jax-ml/jax/issues/40344",
            ),
        ),
        f"{_ADAPTERS}.jax_adapters:log_softmax": (
            Why(
                "their convention",
                "In the gradient the cotangents of a row are added up in the half-precision dtype (`reduce_sum` of "
                "bfloat16 in the jaxpr), where the profile `eager` adds up in float32. For the cotangents 2.25, 0.0669 "
                "and −2.34 the gradient is 0.0838; added up in bfloat16 step by step in NumPy it is 0.0864, the number "
                "that JAX returns, and added up in float32 0.0840.",
                f"{_GITHUB}/jax-ml/jax/issues/40409",
            ),
        ),
        f"{_ADAPTERS}.jax_adapters:swiglu": (
            Why(
                "the format",
                "float16: the gradient of the gate is dy·up·σ + dy·up·gate·σ′. For gate = −1000 and up = 100 the "
                "product up·gate is infinite, σ′ is 0, and so the gradient is NaN instead of 0; in float32 it is 0.",
            ),
        ),
        f"{_ADAPTERS}.jax_adapters:dot_product_attention": (
            Why("their convention", _MASKED_ROWS),
            Why(
                "their convention",
                "float64: its softmax is always computed in float32.",
                f"{_GITHUB}/jax-ml/jax/pull/34114",
            ),
        ),
        f"{_ADAPTERS}.jax_adapters:dot_product_attention_with_keys": (
            Why(
                "their convention",
                "float64: its softmax is always computed in float32.",
                f"{_GITHUB}/jax-ml/jax/pull/34114",
            ),
        ),
        f"{_ADAPTERS}.jax_adapters:flax_layer_norm": (
            Why(
                "their convention",
                "By default the variance is E[x²] − E[x]², which their documentation calls faster and numerically less "
                "stable: with a mean of 100 and a deviation of 0.4 it has three digits in float32. The row with "
                "`use_fast_variance=False` conforms.",
                "https://flax.readthedocs.io/en/v0.8.3/api_reference/flax.experimental.nnx/nn/normalization.html",
            ),
        ),
        f"{_ADAPTERS}.liger_adapters:cross_entropy": (_SCALED_IN_PLACE,),
        f"{_ADAPTERS}.liger_adapters:linear_cross_entropy": (
            Why(
                "their defect",
                "If the table alone requires a gradient, as with frozen hidden states, it gets None: whether gradients "
                "are computed at all is read off the hidden states. With hidden states that require one it is right.",
            ),
        ),
        f"{_ADAPTERS}.liger_adapters:rope": (
            Why(
                "their defect",
                "With one head the transposed queries are contiguous, so that no copy is made and the kernel writes "
                "into the tensor of the caller, whose version counter stays 0: after the call a query of ones is "
                "[−1, 1, −1, 1]. With two heads it is left as it was.",
            ),
        ),
        f"{_ADAPTERS}.onnxruntime_adapters:layer_norm": (
            Why(
                "their convention",
                "float64: `epsilon` is a float32 attribute in ONNX, and 10⁻⁵ as float32 is off by 2.5·10⁻¹³: "
                "½ · 2.5·10⁻¹³ / 4 is the error of 3.1·10⁻¹⁴ that is seen at a variance of 4.",
                "https://onnx.ai/onnx/operators/onnx__LayerNormalization.html",
            ),
            Why(
                "their defect",
                'Not in the table, as the adapter avoids it: in float32 a bias that is left out as "" ends the process '
                "with a segmentation fault, where a shorter list of inputs does not.",
                f"{_GITHUB}/microsoft/onnxruntime/issues/18967",
            ),
        ),
        f"{_ADAPTERS}.onnxruntime_adapters:attention": (
            Why(
                "their defect",
                "float16: `is_causal` adds −65504, the lowest number, to the scores of later keys instead of "
                "replacing them. For the query 240, the keys −240 and 240 and the values −1 and −2 (head dimension 2, "
                "the second feature 0) the first token, which may see the first key alone, gets −2, the value of the "
                "second; for 200 it gets −1, and in float32 for both.",
            ),
        ),
        f"{_ADAPTERS}.onnxruntime_adapters:cross_entropy": (
            Why(
                "their defect",
                "Without rows, (0, V) logits, it raises, whatever the reduction; the sum of nothing is 0. The graph by "
                "which ONNX defines the loss reshapes the logits to (0, V, −1), and nothing tells what the −1 stands "
                "for if there are no elements.",
                f"{_GITHUB}/onnx/onnx/blob/main/onnx/defs/math/defs.cc",
            ),
        ),
        f"{_ADAPTERS}.transformers_adapters:rms_norm": (
            Why("their convention", _FLOAT32_NORM, f"{_GITHUB}/huggingface/transformers/issues/24519"),
        ),
        f"{_ADAPTERS}.transformers_adapters:llama_attention": (_FLOAT32_SOFTMAX, _SCALE_LAST),
        f"{_ADAPTERS}.transformers_adapters:gpt2_attention": (_SCALE_LAST,),
        f"{_ADAPTERS}.keras_adapters:layer_norm": (
            Why("their convention", _FLOAT32_NORM, f"{_GITHUB}/keras-team/keras/pull/20257"),
        ),
        f"{_ADAPTERS}.keras_adapters:rms_norm": (
            Why("their convention", _FLOAT32_NORM, f"{_GITHUB}/keras-team/keras/pull/20257"),
        ),
        f"{_ADAPTERS}.keras_adapters:attention": (
            Why("their convention", _MASKED_ROWS),
            Why("their convention", "float64: the result is float32, whatever the dtype of the arguments."),
        ),
        f"{_ADAPTERS}.other_adapters:x_transformers_rope": (
            Why(
                "their convention",
                "float32: what is passed is the angle itself, which `RotaryEmbedding` makes in float32. Far out its "
                "rounding is a phase: at the position 1048577 the angle is off by 0.027 radians.",
            ),
        ),
        f"{_ADAPTERS}.other_adapters:x_transformers_attention": (
            Why("their convention", "float64: the softmax is called with `dtype=torch.float32`."),
            _SCALE_LAST,
        ),
    }
)
