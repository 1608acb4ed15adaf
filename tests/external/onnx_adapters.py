"""Which reference stands for which operator of ONNX."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lemmata.tests.external.onnx_attention import attention
from lemmata.tests.external.onnx_cases import Adapter, Case, DoesNotApplyError, Expected, cases
from lemmata.tests.external.onnx_losses import negative_log_likelihood_loss, softmax_cross_entropy_loss
from lemmata.tests.external.onnx_positions import rotary_embedding, with_angles
from lemmata.tests.external.onnx_products import gather, gemm, matmul
from lemmata.tests.external.onnx_rows import (
    gelu_unit,
    layer_normalization,
    log_softmax,
    rms_normalization,
    softmax,
    swish,
)

# The first line of each adapter's docstring is what docs/onnx.md says of it.
ADAPTERS: Mapping[str, Adapter] = {
    "Attention": attention,
    "Softmax": softmax,
    "LogSoftmax": log_softmax,
    "LayerNormalization": layer_normalization,
    "RMSNormalization": rms_normalization,
    "RotaryEmbedding": rotary_embedding,
    "Gelu": gelu_unit,
    "Swish": swish,
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy_loss,
    "NegativeLogLikelihoodLoss": negative_log_likelihood_loss,
    "Gather": gather,
    "Gemm": gemm,
    "MatMul": matmul,
}
PREPARATIONS: Mapping[str, Callable[[Case], Case]] = {"RotaryEmbedding": with_angles}


def comparisons(operator: str) -> Iterator[tuple[Case, Expected | DoesNotApplyError]]:
    """Every case of an operator with what the reference expects of it, or with the reason why it is not compared."""
    for raw in cases()[operator]:
        case = PREPARATIONS[operator](raw) if operator in PREPARATIONS else raw
        try:
            yield case, ADAPTERS[operator](case)
        except DoesNotApplyError as reason:
            yield case, reason
