"""The planted faults: what a conformance run must catch, each with its class and, where one is known, its report."""

from __future__ import annotations

from dataclasses import dataclass

_TARGETS = "lemmata.tests.conformance.targets"


@dataclass(frozen=True)
class Fault:
    """A target that a run must not pass.

    Attributes:
        kind: the class of the fault.
        report: a public report of a bug of the class, as repository#number; empty for a textbook mistake.
        dtype: the dtype of the default run in which the tests look for it.
    """

    operation: str
    name: str
    kind: str
    report: str = ""
    dtype: str = "float32"

    @property
    def target(self) -> str:
        """As `load_target` takes it."""
        file = "attention_faults" if self.operation == "attention" else "softmax_faults"
        return f"{_TARGETS}.{file}:{self.name}"


ATTENTION_FAULTS = (
    Fault("attention", "causal_bottom_right", "mask alignment", "pytorch/pytorch#108108"),
    Fault("attention", "causal_without_own_key", "off by one", "huggingface/transformers#39408"),
    Fault("attention", "causal_one_key_ahead", "off by one", "huggingface/transformers#39408"),
    Fault("attention", "causal_ignored", "mask ignored", "AI-Hypercomputer/maxtext#4476"),
    Fault("attention", "causal_with_a_window", "off by one", "huggingface/transformers#39408"),
    Fault("attention", "mask_ignored", "mask ignored", "AI-Hypercomputer/maxtext#4476"),
    Fault("attention", "mask_leaks_by_a_small_penalty", "mask leak", "pytorch/pytorch#101967"),
    Fault("attention", "fully_masked_rows_average_the_values", "fully masked rows", "flashinfer-ai/flashinfer#4452"),
    Fault("attention", "fully_masked_rows_are_nan", "fully masked rows", "pytorch/pytorch#103963"),
    Fault("attention", "fully_masked_rows_have_nan_gradients", "fully masked rows", "pytorch/pytorch#103963"),
    Fault("attention", "mask_of_first_head_for_all", "bias dimensions", "NVIDIA/TransformerEngine#2537"),
    Fault(
        "attention",
        "mask_of_first_batch_entry_for_all",
        "bias dimensions",
        "NVIDIA/TransformerEngine#2537",
    ),
    Fault("attention", "boolean_mask_inverted", "formula"),
    Fault("attention", "scale_of_padded_head_dim", "scale", "tile-ai/tilelang-ascend#1670"),
    Fault("attention", "scale_argument_ignored", "scale"),
    Fault("attention", "scale_hard_coded", "scale", "BobMcDear/attorch#14"),
    Fault("attention", "scale_without_square_root", "scale"),
    Fault("attention", "scores_overflow_before_scaling", "range", "pytorch/pytorch#119131", dtype="float16"),
    Fault("attention", "operands_truncated_to_tf32", "precision"),
    Fault("attention", "scores_in_bfloat16", "precision", "huggingface/candle#3520"),
    Fault("attention", "no_maximum_shift", "range", "pytorch/executorch#22323"),
    Fault("attention", "softmax_over_queries", "wrong dimension"),
    Fault("attention", "padded_keys_in_the_normaliser", "tail", "thu-ml/SageAttention#376"),
    Fault("attention", "last_block_of_keys_dropped", "tail", "pytorch/pytorch#153799"),
    Fault("attention", "rescale_of_output_forgotten", "online softmax"),
    Fault("attention", "stale_maximum", "online softmax"),
    Fault("attention", "epsilon_in_the_normaliser", "epsilon"),
    Fault("attention", "normaliser_of_first_batch_entry", "cached row"),
    Fault("attention", "output_summed_in_float16", "precision", dtype="float16"),
    Fault("attention", "grouped_heads_by_remainder", "head map", "XunhaoLai/native-sparse-attention-triton#27"),
    Fault("attention", "every_head_reads_head_0", "head map", "BobMcDear/attorch#14"),
    Fault("attention", "grouped_gradient_of_last_member", "head map", "XunhaoLai/native-sparse-attention-triton#27"),
    Fault("attention", "cotangent_read_as_contiguous", "stride", "Dao-AILab/flash-attention#355"),
    Fault("attention", "query_read_as_contiguous", "stride", "pytorch/pytorch#112577"),
    Fault("attention", "value_read_as_contiguous", "stride", "ROCm/pytorch#3230"),
    Fault("attention", "delta_dropped", "formula"),
    Fault("attention", "delta_of_first_row", "cached row"),
    Fault("attention", "delta_added", "formula"),
    Fault("attention", "score_gradient_without_weights", "formula"),
    Fault("attention", "query_gradient_without_scale", "missing factor"),
    Fault("attention", "key_gradient_without_scale", "missing factor"),
    Fault(
        "attention",
        "query_gradient_too_large_beyond_first_batch_entry",
        "input-dependent",
        "NVIDIA/TransformerEngine#3216",
    ),
    Fault("attention", "last_block_of_queries_dropped_from_key_gradient", "tail", "pytorch/pytorch#153799"),
    Fault("attention", "lse_sign", "LSE"),
    Fault("attention", "lse_in_base_2", "LSE", "sgl-project/sglang#35045"),
    Fault("attention", "gradient_forgets_the_mask", "mask ignored", "AI-Hypercomputer/maxtext#4476"),
    Fault("attention", "value_gradient_in_bfloat16", "precision"),
    Fault("attention", "query_gradient_is_none", "missing gradient", "unslothai/unsloth#4533"),
    Fault("attention", "key_gradient_is_zero", "missing gradient", "linkedin/Liger-Kernel#968"),
    Fault("attention", "query_gradient_tail_unwritten", "uninitialised memory", "Dao-AILab/flash-attention#2896"),
    Fault("attention", "bias_gradient_not_reduced", "bias reduction", "NVIDIA/TransformerEngine#2537"),
    Fault("attention", "bias_gradient_is_none", "missing gradient", "unslothai/unsloth#4533"),
    Fault("attention", "bias_gradient_times_scale", "missing factor"),
    Fault("attention", "output_tail_unwritten", "uninitialised memory", "flagos-ai/FlagGems#1084"),
    Fault("attention", "query_scaled_in_place", "aliasing", "linkedin/Liger-Kernel#272"),
    Fault("attention", "cotangent_overwritten", "aliasing", "linkedin/Liger-Kernel#1305"),
    Fault("attention", "race", "race", "Dao-AILab/flash-attention#359"),
    Fault("attention", "last_bit_varies", "nondeterminism", "NVIDIA/TransformerEngine#3331"),
    Fault("attention", "empty_keys_are_nan", "empty", "facebookresearch/xformers#1042"),
    Fault("attention", "detached", "missing gradient", "Dao-AILab/flash-attention#889"),
    Fault("attention", "in_float32_only", "precision", dtype="float64"),
)
SOFTMAX_FAULTS = (
    Fault("softmax", "wrong_dim", "wrong dimension"),
    Fault("softmax", "no_maximum_shift", "range", "pytorch/executorch#22323"),
    Fault("softmax", "maximum_of_whole_tensor", "range"),
    Fault("softmax", "tail_missing_from_the_normaliser", "tail", "tenstorrent/tt-metal#53218"),
    Fault("softmax", "padding_in_the_normaliser", "tail", "thu-ml/SageAttention#376"),
    Fault("softmax", "epsilon_in_the_normaliser", "epsilon"),
    Fault("softmax", "normaliser_of_first_row", "cached row"),
    Fault("softmax", "rescale_forgotten", "online softmax"),
    Fault("softmax", "stale_maximum", "online softmax"),
    Fault("softmax", "normaliser_summed_in_float16", "precision"),
    Fault("softmax", "input_read_as_contiguous", "stride", "pytorch/pytorch#112577"),
    Fault("softmax", "output_tail_unwritten", "uninitialised memory", "flagos-ai/FlagGems#1084"),
    Fault("softmax", "row_sum_dropped", "formula"),
    Fault("softmax", "row_sum_added", "formula"),
    Fault("softmax", "row_sum_without_weights", "formula"),
    Fault("softmax", "row_sum_of_the_last_block", "tail", "tenstorrent/tt-metal#53218"),
    Fault("softmax", "row_sum_over_the_wrong_axis", "wrong dimension"),
    Fault("softmax", "gradient_of_a_constant_cotangent", "formula"),
    Fault("softmax", "gradient_without_output", "formula"),
    Fault("softmax", "cotangent_read_as_contiguous", "stride", "flagos-ai/FlagGems#1084"),
    Fault("softmax", "gradient_is_none", "missing gradient", "unslothai/unsloth#4533"),
    Fault("softmax", "gradient_tail_unwritten", "uninitialised memory", "Dao-AILab/flash-attention#2896"),
    Fault("softmax", "input_overwritten", "aliasing", "linkedin/Liger-Kernel#272"),
    Fault("softmax", "race", "race", "Dao-AILab/flash-attention#359"),
    Fault("log_softmax", "logarithm_of_softmax", "range"),
    Fault("log_softmax", "log_softmax_subtracting_lse_in_bfloat16", "precision", "huggingface/candle#3520"),
    Fault("log_softmax", "log_softmax_with_detached_normaliser", "missing gradient", "Dao-AILab/flash-attention#889"),
    Fault("log_softmax", "log_softmax_of_all_rows", "cached row"),
    Fault("logsumexp", "logsumexp_shifted_by_the_largest_of_all", "range"),
    Fault("logsumexp", "logsumexp_without_shift", "range", "pytorch/executorch#22323"),
    Fault("logsumexp", "logsumexp_in_base_2", "LSE", "sgl-project/sglang#35045"),
    Fault("logsumexp", "logsumexp_of_detached_maximum", "tail"),
)
FAULTS = ATTENTION_FAULTS + SOFTMAX_FAULTS
