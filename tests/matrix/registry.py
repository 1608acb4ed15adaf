"""The rows of the matrix, in the order of the page, and what is not among them."""

from __future__ import annotations

from lemmata.tests.matrix.findings import FINDINGS
from lemmata.tests.matrix.rows import COMPILED, DEAR, EXAMPLES, FULL, INTERPRETED, Row

_ADAPTERS = "lemmata.tests.matrix"
_WIDE = ("float64", "float32")
_SINGLE_AND_HALF = ("float32", "float16")
# Cases of what takes XLA seconds each.
_DEARER = 20
# Of a kernel that takes the interpreter minutes for long rows.
_FEW_INTERPRETED = 10
_KEYED = "asked only where every query has a key to attend to"
_WITHOUT = ("fully masked rows are 0",)
_ANGLES = "the cosines and sines of the angles are made for it in float64 and rounded to the dtype"
_EMPTY = "tensors without elements are refused"
_INTERPRETER = {"TRITON_INTERPRET": "1"}
_KERAS = {"KERAS_BACKEND": "torch"}


def _row(library: str, what: str, operation: str, target: str, **more: object) -> Row:
    return Row(library, what, operation, target, why=FINDINGS.get(target, ()), **more)  # type: ignore[arg-type]  # by name


def _torch() -> tuple[Row, ...]:
    def row(what: str, operation: str, target: str, **more: object) -> Row:
        target = target if ":" in target else f"{_ADAPTERS}.torch_adapters:{target}"
        return _row("torch", what, operation, target, **more)

    plain = "torch.nn.functional"
    compiled: dict[str, object] = {
        "examples": COMPILED,
        "dtypes": ("float32",),
        "note": "every shape and layout is compiled anew, so there are few cases",
    }
    return (
        row("scaled_dot_product_attention", "attention", f"{plain}:scaled_dot_product_attention"),
        row("scaled_dot_product_attention, MATH", "attention", f"{EXAMPLES}/sdpa_backends.py:math"),
        row("scaled_dot_product_attention, FLASH_ATTENTION", "attention", f"{EXAMPLES}/sdpa_backends.py:flash"),
        row(
            "flex_attention, not compiled", "attention", "flex_attention", values_only=True, note=_EMPTY, examples=DEAR
        ),
        row(
            "multi_head_attention_forward",
            "multi_head_attention",
            f"{EXAMPLES}/torch_multihead.py:forward",
            note="narrower heads are padded with zeros",
        ),
        *(row(name, name, f"{plain}:{name}") for name in ("softmax", "log_softmax")),
        row("logsumexp", "logsumexp", "torch:logsumexp"),
        *(
            row(name, name, f"{plain}:{name}")
            for name in ("layer_norm", "rms_norm", "gelu", "silu", "relu", "linear", "embedding", "cross_entropy")
        ),
        row("cross_entropy, probabilities", "soft_cross_entropy", f"{plain}:cross_entropy"),
        row("optim.SGD(differentiable)", "sgd", "sgd", note="without momentum there is no velocity to return"),
        row("optim.SGD(differentiable), with decay", "sgd", "sgd_with_decay"),
        row("optim.SGD(nesterov, differentiable)", "nesterov_sgd", "nesterov_sgd"),
        row("the same, after the first step", "nesterov_sgd", "nesterov_sgd_after_the_first"),
        row("optim.Adam(differentiable)", "adam", "adam"),
        row("optim.Adam(differentiable), with decay", "adam", "adam_with_decay"),
        row("optim.AdamW(differentiable)", "adamw", "adamw"),
        row("optim.Adam(foreach)", "adam", "foreach_adam", values_only=True),
        row("optim.Adam(fused)", "adam", "fused_adam", values_only=True),
        row("optim.Adam(fused), contiguous", "adam", "fused_adam_contiguous", values_only=True),
        row("optim.AdamW(fused), contiguous", "adamw", "fused_adamw", values_only=True),
        row("clip_grad_norm_", "clip_grad_norm", "clip_grad_norm", values_only=True, note="one parameter a row"),
        row("compile(softmax)", "softmax", "compiled_softmax", **compiled),
        row("compile(layer_norm)", "layer_norm", "compiled_layer_norm", **compiled),
        row("compile(gelu)", "gelu", "compiled_gelu", **compiled),
        row("compile(cross_entropy)", "cross_entropy", "compiled_cross_entropy", **compiled),
    )


def _jax() -> tuple[Row, ...]:
    def row(library: str, what: str, operation: str, target: str = "", **more: object) -> Row:
        name = f"{_ADAPTERS}.jax_adapters:{target or operation}"
        return _row(library, what, operation, name, **{"examples": DEAR, **more})

    attention = "nn.dot_product_attention"
    names = ("softmax", "log_softmax", "logsumexp", "gelu", "silu", "relu")
    return (
        *(row("jax", f"nn.{name}", name) for name in names),
        row("jax", "nn.silu(gate) * up", "swiglu"),
        row("jax", attention, "attention", "dot_product_attention", dtypes=_WIDE, note=_EMPTY, examples=_DEARER),
        row(
            "jax",
            attention,
            "attention",
            "dot_product_attention_with_keys",
            dtypes=_WIDE,
            note=_KEYED,
            without=_WITHOUT,
            examples=_DEARER,
        ),
        row("flax", "linen.LayerNorm", "layer_norm", "flax_layer_norm"),
        row("flax", "linen.LayerNorm(use_fast_variance=False)", "layer_norm", "flax_layer_norm_two_pass"),
        row("flax", "linen.RMSNorm", "rms_norm", "flax_rms_norm"),
        row("optax", "softmax_cross_entropy_with_integer_labels", "cross_entropy", "optax_cross_entropy"),
        row("optax", "softmax_cross_entropy", "soft_cross_entropy", "optax_soft_cross_entropy"),
    )


def _onnxruntime() -> tuple[Row, ...]:
    def row(what: str, operation: str, target: str = "", dtypes: tuple[str, ...] = FULL, **more: object) -> Row:
        name = f"{_ADAPTERS}.onnxruntime_adapters:{target or operation}"
        return _row("onnxruntime", what, operation, name, dtypes=dtypes, values_only=True, **more)

    without_bfloat16 = (*_WIDE, "float16")
    return (
        row("Softmax", "softmax", dtypes=without_bfloat16),
        row("LogSoftmax", "log_softmax", dtypes=_WIDE),
        row("ReduceLogSumExp", "logsumexp", dtypes=_WIDE),
        row("Gelu", "gelu", dtypes=_SINGLE_AND_HALF),
        row("Relu", "relu", dtypes=without_bfloat16),
        row("LayerNormalization", "layer_norm", dtypes=without_bfloat16),
        row("RMSNormalization", "rms_norm", dtypes=without_bfloat16),
        row("MatMul, Gemm", "linear", dtypes=without_bfloat16),
        row("Gather", "embedding", dtypes=without_bfloat16),
        row("Attention", "attention", dtypes=_SINGLE_AND_HALF, note=_EMPTY),
        row("RotaryEmbedding", "rope", dtypes=_SINGLE_AND_HALF, note=_ANGLES),
        row("SoftmaxCrossEntropyLoss", "cross_entropy", dtypes=_WIDE),
    )


def _transformers() -> tuple[Row, ...]:
    def row(what: str, operation: str, target: str = "", **more: object) -> Row:
        return _row("transformers", what, operation, f"{_ADAPTERS}.transformers_adapters:{target or operation}", **more)

    return (
        row("LlamaRMSNorm", "rms_norm"),
        row("ACT2FN: gelu, gelu_new", "gelu"),
        row("ACT2FN: silu", "silu"),
        row("apply_rotary_pos_emb of Llama", "rope", note=_ANGLES),
        row("eager_attention_forward of Llama", "attention", "llama_attention", note=_KEYED, without=_WITHOUT),
        row("eager_attention_forward of GPT-2", "attention", "gpt2_attention", note=_KEYED, without=_WITHOUT),
        row("LlamaMLP", "swiglu_feed_forward"),
        row("GPT2MLP, exact GELU", "feed_forward", note="the input is made contiguous, as its layers view it as rows"),
        row("GPT2Block, exact GELU", "pre_norm_block", note=_KEYED),
        row("fixed_cross_entropy", "cross_entropy"),
    )


def _liger() -> tuple[Row, ...]:
    def row(what: str, operation: str, **more: object) -> Row:
        return _row(
            "liger-kernel",
            what,
            operation,
            f"{_ADAPTERS}.liger_adapters:{operation}",
            dtypes=("float32",),
            environment=_INTERPRETER,
            note="in Triton's interpreter, without class weights; inputs are made contiguous",
            **{"examples": INTERPRETED, **more},
        )

    return (
        row("LigerSoftmaxFunction", "softmax"),
        row("LigerCrossEntropyFunction", "cross_entropy"),
        row(
            "LigerFusedLinearCrossEntropyFunction",
            "linear_cross_entropy",
            without=("batch entries are independent",),
        ),
        row("LigerRopeFunction", "rope", examples=_FEW_INTERPRETED),
    )


def _keras() -> tuple[Row, ...]:
    def row(what: str, operation: str, target: str = "", **more: object) -> Row:
        name = f"{_ADAPTERS}.keras_adapters:{target or operation}"
        return _row("keras", f"ops.{what}, torch backend", operation, name, environment=_KERAS, **more)

    return (
        *(row(name, name) for name in ("softmax", "log_softmax", "logsumexp", "gelu", "silu")),
        row("layer_normalization", "layer_norm"),
        row("rms_normalization", "rms_norm"),
        row("dot_product_attention", "attention", note=_EMPTY),
        row(
            "dot_product_attention",
            "attention",
            "attention_with_keys",
            dtypes=("float32", "bfloat16", "float16"),
            note=_KEYED,
            without=_WITHOUT,
        ),
    )


def _others() -> tuple[Row, ...]:
    def row(library: str, what: str, operation: str, target: str, **more: object) -> Row:
        return _row(library, what, operation, f"{_ADAPTERS}.other_adapters:{target}", **more)

    return (
        row("x-transformers", "Attend", "attention", "x_transformers_attention", note=_KEYED, without=_WITHOUT),
        row("x-transformers", "apply_rotary_pos_emb", "rope", "x_transformers_rope", note="angles are made in float64"),
        row(
            "attn-gym",
            "generate_tanh_softcap in flex_attention",
            "softcapped_attention",
            "attn_gym_softcap",
            values_only=True,
            note=_EMPTY,
        ),
    )


ROWS: tuple[Row, ...] = (
    *_torch(),
    *_jax(),
    *_onnxruntime(),
    *_transformers(),
    *_liger(),
    *_keras(),
    *_others(),
)

# Libraries that were tried, and why they have no row.
LEFT_OUT: tuple[tuple[str, str], ...] = (
    (
        "liger-kernel, RMSNorm, LayerNorm and SiLUMul",
        "under Triton's interpreter their kernels raise AttributeError: a float argument is a Python number there, "
        "which has no method `to`",
    ),
    ("flash-attn", "no wheel; it is built from source, for CUDA"),
    (
        "timm, torchtune with torchao",
        "installed beside torch 2.13 they bring a torchvision and a torchao of other versions, with which "
        "transformers no longer imports",
    ),
    ("litgpt", "the release that resolves here, 0.4.11, asks for a development version of lightning"),
    ("flash-linear-attention", "installs, but its Triton kernels were not adapted"),
    ("x-transformers, RMSNorm", "another formula: x over max(‖x‖, 1e-12), without an epsilon to set"),
    ("mlx, tinygrad, equinox", "install, but were not adapted"),
)
