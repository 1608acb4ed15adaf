"""JAX, and flax and optax on top of it, called with tensors: values and vector-Jacobian products are compiled by XLA.

`jax_enable_x64` is set, without which JAX has no float64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import torch
from lemmata.tests.matrix.adapting import Bridge, ones, refuse, refuse_rows_without_keys, rms_epsilon, to_numpy
from torch import Tensor

_Options = tuple[tuple[str, Any], ...]


@cache
def _compiled(function: Callable[..., Any], options: _Options) -> tuple[Any, Any]:
    """The function and its vector-Jacobian product, compiled; what has no gradient comes last, as a tuple."""
    import jax

    jax.config.update("jax_enable_x64", True)

    def values(constants: Any, *arrays: Any) -> Any:
        return function(*arrays, *constants, **dict(options))

    def gradients(constants: Any, arrays: Any, cotangent: Any) -> Any:
        return jax.vjp(partial(values, constants), *arrays)[1](cotangent)

    return jax.jit(values), jax.jit(gradients)


def _call(function: Callable[..., Any], *tensors: Tensor, constants: tuple[Any, ...] = (), **options: Any) -> Any:
    forward, backward = _compiled(function, tuple(options.items()))
    return Bridge.apply(  # type: ignore[no-untyped-call]  # PyTorch does not type it
        lambda *arrays: (forward(constants, *arrays),),
        lambda arrays, cotangents: backward(constants, arrays, cotangents[0]),
        *tensors,
    )


def _nn(name: str, *arrays: Any, **options: Any) -> Any:
    import jax

    return getattr(jax.nn, name)(*arrays, **options)


# jax.nn: one function each, as their identity is what is compiled once ------------------------------------------------


def _softmax(x: Any, axis: int) -> Any:
    return _nn("softmax", x, axis=axis)


def _log_softmax(x: Any, axis: int) -> Any:
    return _nn("log_softmax", x, axis=axis)


def _logsumexp(x: Any, axis: int) -> Any:
    return _nn("logsumexp", x, axis=axis)


def _gelu(x: Any, approximate: bool) -> Any:
    return _nn("gelu", x, approximate=approximate)


def _silu(x: Any) -> Any:
    return _nn("silu", x)


def _relu(x: Any) -> Any:
    return _nn("relu", x)


def _swiglu(gate: Any, up: Any) -> Any:
    return _nn("silu", gate) * up


def _embedding(weight: Any, ids: Any) -> Any:
    return weight[ids]


def softmax(input: Tensor, dim: int = -1) -> Any:
    """`jax.nn.softmax`."""
    return _call(_softmax, input, axis=dim)


def log_softmax(input: Tensor, dim: int = -1) -> Any:
    """`jax.nn.log_softmax`."""
    return _call(_log_softmax, input, axis=dim)


def logsumexp(input: Tensor, dim: int = -1) -> Any:
    """`jax.nn.logsumexp`."""
    return _call(_logsumexp, input, axis=dim)


def gelu(input: Tensor, approximate: str = "none") -> Any:
    """`jax.nn.gelu`."""
    return _call(_gelu, input, approximate=approximate == "tanh")


def silu(input: Tensor) -> Any:
    """`jax.nn.silu`."""
    return _call(_silu, input)


def relu(input: Tensor) -> Any:
    """`jax.nn.relu`."""
    return _call(_relu, input)


def swiglu(gate: Tensor, up: Tensor) -> Any:
    """`jax.nn.silu(gate) * up`."""
    return _call(_swiglu, gate, up)


def embedding(input: Tensor, weight: Tensor, *, padding_idx: int | None = None) -> Any:
    """`weight[ids]`."""
    refuse(padding_idx is not None, "no padding index")
    return _call(_embedding, weight, constants=(to_numpy(input),))


def _attention(q: Any, k: Any, v: Any, *rest: Any, additive: bool, boolean: bool, **options: Any) -> Any:
    import jax

    if additive:
        options["bias"] = rest[0]
    if boolean:
        options["mask"] = rest[0]
    return jax.nn.dot_product_attention(q, k, v, **options)


def dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """`jax.nn.dot_product_attention`, whose heads stand after the tokens."""
    refuse(value.shape[-1] != key.shape[-1], "values are as wide as keys")
    refuse(not (query.numel() and key.numel()), "an argument has no elements")
    mask = None if attn_mask is None else attn_mask.reshape((1,) * (4 - attn_mask.ndim) + attn_mask.shape)
    boolean = mask is not None and mask.dtype == torch.bool
    additive = mask is not None and not boolean
    tensors = [x.transpose(1, 2) for x in (query, key, value)]
    if mask is not None and additive:
        tensors.append(mask)
    constants = (to_numpy(mask),) if mask is not None and boolean else ()
    options = {"additive": additive, "boolean": boolean, "is_causal": is_causal, "scale": scale}
    return _call(_attention, *tensors, constants=constants, **options).transpose(1, 2)


def dot_product_attention_with_keys(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **options: Any
) -> Any:
    """The same, asked only where every row has a key to attend to."""
    refuse_rows_without_keys(attn_mask, key)
    return dot_product_attention(query, key, value, attn_mask, **options)


# flax -----------------------------------------------------------------------------------------------------------------


def _layer_norm(x: Any, scale: Any, bias: Any, **options: Any) -> Any:
    from flax import linen

    return linen.LayerNorm(**options).apply({"params": {"scale": scale, "bias": bias}}, x)


def _rms_norm(x: Any, scale: Any, **options: Any) -> Any:
    from flax import linen

    return linen.RMSNorm(**options).apply({"params": {"scale": scale}}, x)


def _flax_layer_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, *, fast: bool) -> Any:
    scale = ones(x) if weight is None else weight
    shift = torch.zeros_like(scale) if bias is None else bias
    return _call(_layer_norm, x, scale, shift, epsilon=eps, use_fast_variance=fast)


def flax_layer_norm(
    input: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """`flax.linen.LayerNorm`, as it comes."""
    return _flax_layer_norm(input, weight, bias, eps, fast=True)


def flax_layer_norm_two_pass(
    input: Tensor,
    normalized_shape: tuple[int, ...],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Any:
    """`flax.linen.LayerNorm(use_fast_variance=False)`."""
    return _flax_layer_norm(input, weight, bias, eps, fast=False)


def flax_rms_norm(
    input: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None = None, eps: float | None = None
) -> Any:
    """`flax.linen.RMSNorm`."""
    scale = ones(input) if weight is None else weight
    return _call(_rms_norm, input, scale, epsilon=rms_epsilon(eps, input.dtype))


# optax ----------------------------------------------------------------------------------------------------------------


def _reduced(losses: Any, reduction: str) -> Any:
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def _integer_cross_entropy(logits: Any, labels: Any, reduction: str, smoothing: float) -> Any:
    import jax
    import optax

    if not smoothing:
        return _reduced(optax.softmax_cross_entropy_with_integer_labels(logits, labels), reduction)
    hot = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return _reduced(optax.softmax_cross_entropy(logits, optax.smooth_labels(hot, smoothing)), reduction)


def _soft_cross_entropy(logits: Any, labels: Any, reduction: str) -> Any:
    import optax

    return _reduced(optax.softmax_cross_entropy(logits, labels), reduction)


def optax_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:
    """`optax.softmax_cross_entropy_with_integer_labels`; smoothed: `optax.smooth_labels`."""
    refuse(weight is not None, "no class weights")
    refuse(bool((target == ignore_index).any()), "no ignored rows")
    refuse(not target.numel(), "an argument has no elements")
    options = {"reduction": reduction, "smoothing": label_smoothing}
    return _call(_integer_cross_entropy, input, constants=(to_numpy(target),), **options)


def optax_soft_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Any:
    """`optax.softmax_cross_entropy`."""
    refuse(weight is not None, "no class weights")
    refuse(not input.numel(), "an argument has no elements")
    return _call(_soft_cross_entropy, input, target, reduction=reduction)
