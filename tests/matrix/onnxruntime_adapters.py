"""ONNX Runtime on the CPU: one operator a model, values only.

A session is made once for each operator, dtype, rank and set of attributes; sizes are left open.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from lemmata.tests.matrix.adapting import ones, refuse, rms_epsilon, to_numpy, to_torch
from torch import Tensor

# The newest opset that the runtime claims to support may be older than that of onnx.
_OPSET, _IR = 23, 11
# How the runtime says that it has no kernel for a dtype.
_MISSING = "NOT_IMPLEMENTED"


@cache
def _session(operator: str, inputs: tuple[tuple[int, int] | None, ...], attributes: tuple[tuple[str, Any], ...]) -> Any:
    """A model of one operator; `inputs`: element type and rank of each, None where it is left out."""
    import onnxruntime
    from onnx import helper

    names = ["" if kind is None else f"x{place}" for place, kind in enumerate(inputs)]
    types = [
        helper.make_tensor_value_info(name, kind[0], [f"{name}_{axis}" for axis in range(kind[1])])
        for name, kind in zip(names, inputs, strict=True)
        if kind is not None
    ]
    element = next(kind[0] for kind in reversed(inputs) if kind is not None and kind[0] in _FLOATS)
    node = helper.make_node(operator, names, ["y"], **dict(attributes))
    graph = helper.make_graph([node], "one", types, [helper.make_tensor_value_info("y", element, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


# float32, float16, float64 and bfloat16, as onnx numbers them.
_FLOATS = (1, 10, 11, 16)


def _run(operator: str, *inputs: Tensor | None, **attributes: Any) -> Tensor:
    from onnx import helper

    arrays = [None if x is None else to_numpy(x) for x in inputs]
    while arrays[-1] is None:  # An input that is left out at the end may be "", but the runtime does not survive it.
        arrays.pop()
    kinds = tuple(None if a is None else (helper.np_dtype_to_tensor_dtype(a.dtype), a.ndim) for a in arrays)
    try:
        session = _session(operator, kinds, tuple(attributes.items()))
    except Exception as error:
        if _MISSING in str(error):
            raise TypeError(f"no kernel: {error}") from error
        raise
    return to_torch(session.run(None, {f"x{i}": a for i, a in enumerate(arrays) if a is not None})[0])


def softmax(input: Tensor, dim: int = -1) -> Tensor:
    """`Softmax`."""
    return _run("Softmax", input, axis=dim)


def log_softmax(input: Tensor, dim: int = -1) -> Tensor:
    """`LogSoftmax`."""
    return _run("LogSoftmax", input, axis=dim)


def logsumexp(input: Tensor, dim: int = -1) -> Tensor:
    """`ReduceLogSumExp`."""
    return _run("ReduceLogSumExp", input, torch.tensor([dim]), keepdims=0)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """`Gelu`."""
    return _run("Gelu", input, approximate=approximate)


def relu(input: Tensor) -> Tensor:
    """`Relu`."""
    return _run("Relu", input)


def layer_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """`LayerNormalization`."""
    return _run("LayerNormalization", input, ones(input) if weight is None else weight, bias, epsilon=eps)


def rms_norm(
    input: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """`RMSNormalization`."""
    scale = ones(input) if weight is None else weight
    return _run("RMSNormalization", input, scale, epsilon=rms_epsilon(eps, input.dtype))


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`MatMul`, and `Gemm` where there is a bias."""
    if bias is None:
        return _run("MatMul", input, weight.mT)
    flat = input.reshape(input.shape[:-1].numel(), input.shape[-1])
    return _run("Gemm", flat, weight, bias, transB=1).reshape(*input.shape[:-1], weight.shape[0])


def embedding(input: Tensor, weight: Tensor, *, padding_idx: int | None = None) -> Tensor:
    """`Gather`."""
    return _run("Gather", weight, input)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`Attention` of opset 23."""
    refuse(not all(x.numel() for x in (query, key, value)), "an argument has no elements")
    if attn_mask is not None:
        attn_mask = attn_mask.expand(*query.shape[:-1], key.shape[-2])
    given = {} if scale is None else {"scale": scale}
    return _run("Attention", query, key, value, attn_mask, is_causal=int(is_causal), **given)


def rope(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Tensor:
    """`RotaryEmbedding` of opset 23; the angles, whose sines are its arguments, in float64, rounded to the dtype."""
    refuse(not x.numel() or not omega.numel(), "an argument has no elements")
    theta = (pos.double()[..., None] * omega.double()).reshape(-1, pos.shape[-1], omega.shape[-1])
    flat = x.reshape(-1, 1, *x.shape[-2:])
    sines = (theta.cos().to(x.dtype), theta.sin().to(x.dtype))
    partial = 2 * omega.shape[-1]
    options = {} if partial == x.shape[-1] else {"rotary_embedding_dim": partial, "num_heads": 1}
    return _run("RotaryEmbedding", flat, *sines, interleaved=int(interleaved), **options).reshape(x.shape)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Tensor:
    """`SoftmaxCrossEntropyLoss`."""
    refuse(bool(label_smoothing), "no smoothing")
    return _run("SoftmaxCrossEntropyLoss", input, target, weight, reduction=reduction, ignore_index=ignore_index)
