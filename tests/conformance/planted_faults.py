"""The planted faults: what a conformance run must catch, each with its class and, where one is known, its report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_TARGETS = "lemmata.tests.conformance.targets"


_EXAMPLES = str(Path(__file__).parents[2] / "examples")
SIGMOID_ATTENTION = f"{_EXAMPLES}/sigmoid_attention.py"
LATENT_ATTENTION = f"{_EXAMPLES}/latent_attention.py"
# Where the faults of an operation are.
_FILES = {
    "attention": "attention_faults",
    "attention_with_lse": "lse_faults",
    **dict.fromkeys(("softmax", "log_softmax", "logsumexp"), "softmax_faults"),
    **dict.fromkeys(("linear", "embedding"), "linear_faults"),
    **dict.fromkeys(("layer_norm", "rms_norm"), "norm_faults"),
    **dict.fromkeys(("relu", "silu", "gelu", "swiglu", "geglu"), "activation_faults"),
    "cross_entropy": "loss_faults",
    **dict.fromkeys(("rope", "multi_head_attention"), "position_faults"),
    **dict.fromkeys(("sgd", "adam", "adamw"), "optimizer_faults"),
    **dict.fromkeys(("pre_norm_block", "linear_cross_entropy", "smoothed_cross_entropy"), "block_faults"),
    **dict.fromkeys((SIGMOID_ATTENTION, LATENT_ATTENTION), "example_faults"),
}


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
    def place(self) -> str:
        """The operation, as a reader is told."""
        return self.operation.replace(_EXAMPLES, "examples")

    @property
    def target(self) -> str:
        """As `load_target` takes it."""
        return f"{_TARGETS}.{_FILES[self.operation]}:{self.name}"


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
    Fault("attention", "features_beyond_128_dropped", "tail"),
    Fault("attention", "last_whole_block_taken_for_a_tail", "tail"),
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
    Fault("attention", "rescale_of_output_forgotten_in_blocks_of_256", "online softmax"),
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
LSE_FAULTS = (
    Fault("attention_with_lse", "lse_in_base_2", "LSE", "sgl-project/sglang#35045"),
    Fault(
        "attention_with_lse", "gradient_through_the_lse_ignored", "missing gradient", "Dao-AILab/flash-attention#889"
    ),
    Fault("attention_with_lse", "lse_of_no_keys_is_finite", "fully masked rows", "flashinfer-ai/flashinfer#4452"),
    Fault("attention_with_lse", "lse_of_no_keys_is_positive", "fully masked rows", "Dao-AILab/flash-attention#978"),
)
SOFTMAX_FAULTS = (
    Fault("softmax", "wrong_dim", "wrong dimension"),
    Fault("softmax", "no_maximum_shift", "range", "pytorch/executorch#22323"),
    Fault("softmax", "maximum_of_whole_tensor", "range"),
    Fault("softmax", "tail_missing_from_the_normaliser", "tail", "tenstorrent/tt-metal#53218"),
    Fault("softmax", "last_vector_missing_from_long_rows", "tail"),
    Fault("softmax", "padding_in_the_normaliser", "tail", "thu-ml/SageAttention#376"),
    Fault("softmax", "epsilon_in_the_normaliser", "epsilon"),
    Fault("softmax", "normaliser_of_first_row", "cached row"),
    Fault("softmax", "rescale_forgotten", "online softmax"),
    Fault("softmax", "stale_maximum", "online softmax"),
    Fault("softmax", "normaliser_summed_in_float16", "precision"),
    Fault("softmax", "input_read_as_contiguous", "stride", "pytorch/pytorch#112577"),
    Fault("softmax", "last_axis_read_as_dense", "stride"),
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
LINEAR_FAULTS = (
    Fault("linear", "weight_transposed", "layout"),
    Fault("linear", "bias_dropped", "formula"),
    Fault("linear", "bias_of_the_first_output", "cached row"),
    Fault("linear", "last_features_dropped", "tail"),
    Fault("linear", "features_of_later_blocks_dropped", "tail"),
    Fault("linear", "products_summed_in_float16", "precision"),
    Fault("linear", "input_read_as_contiguous", "stride", "pytorch/pytorch#112577"),
    Fault("linear", "weight_gradient_without_the_last_rows", "tail", "pytorch/pytorch#193016"),
    Fault("linear", "bias_gradient_of_the_last_batch_entry", "reduction"),
    Fault("linear", "input_gradient_is_none", "missing gradient", "unslothai/unsloth#4533"),
    Fault("linear", "weight_gradient_tail_unwritten", "uninitialised memory", "Dao-AILab/flash-attention#2896"),
    Fault("embedding", "padding_has_a_gradient", "padding", "pytorch/pytorch#28716"),
    Fault("embedding", "padding_reads_zero", "padding"),
    Fault("embedding", "negative_padding_not_counted_from_the_end", "padding"),
    Fault("embedding", "last_row_unreachable", "off by one", "pytorch/pytorch#188467"),
    Fault("embedding", "scaled_by_the_root_of_the_width", "scale"),
    Fault("embedding", "duplicates_overwrite_each_other", "reduction"),
    Fault("embedding", "gradient_without_the_last_tokens", "tail", "pytorch/pytorch#28716"),
)
NORM_FAULTS = (
    Fault("layer_norm", "eps_dropped", "epsilon"),
    Fault("layer_norm", "variance_of_a_sample", "formula"),
    Fault("layer_norm", "eps_outside_the_root", "epsilon"),
    Fault("layer_norm", "variance_in_one_pass", "cancellation", "pytorch/pytorch#51102"),
    Fault("layer_norm", "eps_added_to_the_count", "epsilon", "xlite-dev/LeetCUDA#317"),
    Fault("layer_norm", "padding_in_the_mean", "tail"),
    Fault("layer_norm", "deviations_of_blocks_not_merged", "tail"),
    Fault("layer_norm", "deviation_of_the_first_row", "cached row"),
    Fault("layer_norm", "layer_norm_with_the_weight_from_1", "convention"),
    Fault("layer_norm", "layer_norm_gradient_without_the_mean", "formula"),
    Fault("layer_norm", "bias_gradient_without_the_last_rows", "tail", "pytorch/pytorch#193016"),
    Fault("layer_norm", "weight_gradient_is_none", "missing gradient", "unslothai/unsloth#4533"),
    Fault("rms_norm", "rms_of_what_differs_from_the_mean", "formula"),
    Fault("rms_norm", "rms_multiplied", "formula", "mosaicml/llm-foundry#371"),
    Fault("rms_norm", "rms_eps_outside_the_root", "epsilon"),
    Fault("rms_norm", "rms_eps_of_layer_norm", "epsilon"),
    Fault("rms_norm", "rms_of_the_sum", "missing factor"),
    Fault("rms_norm", "rms_of_the_first_block", "tail"),
    Fault("rms_norm", "rms_treated_as_a_constant", "missing gradient"),
    Fault("rms_norm", "rms_norm_with_the_weight_from_1", "convention"),
    Fault("rms_norm", "rms_weight_gradient_is_none", "missing gradient", "unslothai/unsloth#4533"),
    Fault("rms_norm", "rms_cotangent_read_as_contiguous", "stride", "flagos-ai/FlagGems#1084"),
    Fault("rms_norm", "rms_gradient_tail_unwritten", "uninitialised memory", "flagos-ai/FlagGems#1084"),
)
ACTIVATION_FAULTS = (
    Fault("relu", "leaky", "formula"),
    Fault("relu", "capped_at_6", "range"),
    Fault("relu", "magnitude", "formula"),
    Fault("relu", "nan_becomes_zero_and_infinity_a_number", "range"),
    Fault("relu", "relu_gradient_passes_at_zero", "kink"),
    Fault("relu", "relu_gradient_passes_everywhere", "formula"),
    Fault("silu", "sigmoid_alone", "missing factor"),
    Fault("silu", "exponential_overflows", "range", "pytorch/executorch#22323"),
    Fault("silu", "slope_1_702", "formula"),
    Fault("silu", "silu_in_bfloat16", "precision"),
    Fault("silu", "silu_gradient_without_the_slope", "formula"),
    Fault("silu", "silu_gradient_of_a_constant_cotangent", "formula"),
    Fault("gelu", "approximate_ignored", "convention"),
    Fault("gelu", "always_approximate", "convention"),
    Fault("gelu", "tanh_by_exponentials", "range", "pytorch/executorch#22323"),
    Fault("gelu", "root_of_two_over_pi_forgotten", "missing factor"),
    Fault("gelu", "erf_without_the_root_of_2", "missing factor"),
    Fault("gelu", "sigmoid_form", "convention"),
    Fault("gelu", "gelu_gradient_without_the_density", "formula"),
    Fault("swiglu", "gate_and_up_swapped", "convention"),
    Fault("swiglu", "both_activated", "formula"),
    Fault("swiglu", "gated_by_a_sigmoid", "missing factor"),
    Fault("swiglu", "gate_rounded_to_float16", "precision"),
    Fault("swiglu", "gate_gradient_is_none", "missing gradient", "unslothai/unsloth#4533"),
    Fault("swiglu", "up_gradient_of_the_gate", "formula"),
    Fault("geglu", "geglu_by_tanh", "convention"),
    Fault("geglu", "geglu_swapped", "convention"),
    Fault("geglu", "geglu_by_silu", "formula"),
    Fault("geglu", "geglu_gate_gradient_without_the_density", "formula"),
    Fault("geglu", "geglu_up_gradient_is_none", "missing gradient", "unslothai/unsloth#4533"),
)
LOSS_FAULTS = (
    Fault("cross_entropy", "ignored_rows_counted_in_the_mean", "reduction"),
    Fault("cross_entropy", "weights_not_counted_in_the_mean", "reduction"),
    Fault("cross_entropy", "sum_divided", "reduction"),
    Fault("cross_entropy", "smoothing_of_ignored_rows", "formula", "pytorch/pytorch#73205"),
    Fault("cross_entropy", "logits_not_shifted", "range", "pytorch/executorch#22323"),
    Fault("cross_entropy", "normaliser_of_whole_blocks", "tail"),
    Fault("cross_entropy", "logarithm_with_an_epsilon", "epsilon"),
    Fault("cross_entropy", "smoothing_over_the_other_classes", "convention"),
    Fault("cross_entropy", "ignored_label_beyond_the_classes_is_the_last", "mask ignored"),
    Fault("cross_entropy", "ignore_index_ignored", "mask ignored"),
    Fault("cross_entropy", "cotangent_of_the_loss_taken_for_1", "missing factor"),
    Fault("cross_entropy", "gradient_without_the_target", "formula"),
    Fault("cross_entropy", "logits_gradient_is_zero", "missing gradient", "linkedin/Liger-Kernel#968"),
    Fault("cross_entropy", "gradient_stored_in_the_logits", "aliasing", "linkedin/Liger-Kernel#272"),
)
OPTIMIZER_FAULTS = (
    Fault("sgd", "dampening_ignored", "formula"),
    Fault("sgd", "decay_ascends", "formula"),
    Fault("sgd", "velocity_before_the_step", "off by one"),
    Fault("sgd", "nesterov_of_the_old_velocity", "convention"),
    Fault("sgd", "parameters_updated_in_place", "aliasing", "linkedin/Liger-Kernel#272"),
    Fault("adam", "moments_not_corrected", "missing factor"),
    Fault("adam", "steps_counted_from_0", "off by one"),
    Fault("adam", "eps_inside_the_root", "epsilon"),
    Fault("adam", "decay_forgotten", "formula"),
    Fault("adam", "largest_second_moment", "convention"),
    Fault("adamw", "decay_coupled", "convention"),
    Fault("adamw", "decay_without_the_rate", "missing factor"),
    Fault("adamw", "decay_of_the_new_parameters", "convention"),
    Fault("adamw", "default_decay_of_adam", "convention"),
    Fault("adamw", "adamw_moments_not_corrected", "missing factor"),
)
POSITION_FAULTS = (
    Fault("rope", "pairs_of_the_other_order", "convention"),
    Fault("rope", "interleaving_ignored", "convention"),
    Fault("rope", "turned_the_other_way", "formula"),
    Fault("rope", "positions_from_1", "off by one"),
    Fault("rope", "angles_in_the_dtype", "precision", "huggingface/candle#3520"),
    Fault("rope", "unpaired_features_dropped", "tail", "pie-project/pie#603"),
    Fault("rope", "gradient_turned_forward", "formula"),
    Fault("multi_head_attention", "scale_of_the_model_width", "scale", "tile-ai/tilelang-ascend#1670"),
    Fault("multi_head_attention", "heads_merged_in_reverse", "head map", "XunhaoLai/native-sparse-attention-triton#27"),
    Fault("multi_head_attention", "value_bias_dropped", "formula"),
    Fault("multi_head_attention", "mask_of_the_first_head", "bias dimensions", "NVIDIA/TransformerEngine#2537"),
    Fault("multi_head_attention", "values_from_the_keys", "layout"),
    Fault("multi_head_attention", "output_weight_gradient_is_none", "missing gradient", "unslothai/unsloth#4533"),
)
BLOCK_FAULTS = (
    Fault("pre_norm_block", "residual_of_the_network_dropped", "formula"),
    Fault("pre_norm_block", "residual_from_the_input", "formula"),
    Fault("pre_norm_block", "residual_of_the_normalised", "convention"),
    Fault("pre_norm_block", "first_norm_used_twice", "formula"),
    Fault("pre_norm_block", "block_mask_ignored", "mask ignored", "AI-Hypercomputer/maxtext#4476"),
    Fault("pre_norm_block", "residual_path_detached", "missing gradient", "unslothai/unsloth#4533"),
    Fault("linear_cross_entropy", "last_block_of_the_vocabulary_dropped", "tail", "pytorch/pytorch#153799"),
    Fault("linear_cross_entropy", "table_without_a_gradient", "missing gradient", "linkedin/Liger-Kernel#968"),
    Fault("linear_cross_entropy", "z_loss_of_the_shifted", "formula"),
    Fault("linear_cross_entropy", "every_row_the_class_of_the_first", "cached row"),
    Fault("linear_cross_entropy", "kept_rows_ignored", "mask ignored"),
    Fault("smoothed_cross_entropy", "smoothing_of_the_other_classes", "convention"),
    Fault("smoothed_cross_entropy", "smoothing_ignored", "formula"),
    Fault("smoothed_cross_entropy", "smoothing_the_other_way_round", "convention"),
    Fault("smoothed_cross_entropy", "mean_over_all_rows", "reduction"),
    Fault("smoothed_cross_entropy", "smoothed_z_loss_forgotten", "formula"),
)
EXAMPLE_FAULTS = (
    Fault(SIGMOID_ATTENTION, "sigmoid_bias_of_the_queries", "formula"),
    Fault(SIGMOID_ATTENTION, "sigmoid_without_bias", "convention"),
    Fault(SIGMOID_ATTENTION, "sigmoid_weights_normalised", "formula"),
    Fault(SIGMOID_ATTENTION, "sigmoid_masked_before_the_sigmoid", "mask leak"),
    Fault(SIGMOID_ATTENTION, "sigmoid_last_block_dropped", "tail", "pytorch/pytorch#153799"),
    Fault(SIGMOID_ATTENTION, "sigmoid_value_gradient_halved", "missing factor"),
    Fault(SIGMOID_ATTENTION, "sigmoid_key_gradient_is_none", "missing gradient", "unslothai/unsloth#4533"),
    Fault(LATENT_ATTENTION, "latent_scale_of_the_unrotated_part", "scale"),
    Fault(LATENT_ATTENTION, "latent_without_the_rotated_part", "formula"),
    Fault(LATENT_ATTENTION, "latent_heads_reversed", "head map", "XunhaoLai/native-sparse-attention-triton#27"),
    Fault(LATENT_ATTENTION, "latent_rotated_part_of_the_first_head", "head map", "BobMcDear/attorch#14"),
    Fault(LATENT_ATTENTION, "latent_mask_ignored", "mask ignored", "AI-Hypercomputer/maxtext#4476"),
    Fault(LATENT_ATTENTION, "latent_fully_masked_rows_are_nan", "fully masked rows", "pytorch/pytorch#103963"),
    Fault(LATENT_ATTENTION, "latent_gradient_of_one_path", "missing factor"),
)
DERIVED_FAULTS = (
    LINEAR_FAULTS
    + NORM_FAULTS
    + ACTIVATION_FAULTS
    + LOSS_FAULTS
    + OPTIMIZER_FAULTS
    + POSITION_FAULTS
    + BLOCK_FAULTS
    + EXAMPLE_FAULTS
)
FAULTS = ATTENTION_FAULTS + LSE_FAULTS + SOFTMAX_FAULTS + DERIVED_FAULTS
