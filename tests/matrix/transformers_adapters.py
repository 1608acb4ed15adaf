"""The modules of Hugging Face transformers, eager, with the weights of the case."""

from __future__ import annotations

from typing import Any

import torch
from lemmata.tests.matrix.adapting import refuse, refuse_rows_without_keys, rms_epsilon, with_weights
from torch import Tensor


def rms_norm(
    input: Tensor, normalized_shape: tuple[int, ...], weight: Tensor | None = None, eps: float | None = None
) -> Any:
    """`LlamaRMSNorm`."""
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    module = LlamaRMSNorm(input.shape[-1], rms_epsilon(eps, input.dtype)).to(input.dtype)
    return with_weights(module, {"weight": weight}, input)


def _activation(name: str, input: Tensor) -> Any:
    from transformers.activations import ACT2FN

    return ACT2FN[name](input)


def gelu(input: Tensor, approximate: str = "none") -> Any:
    """`ACT2FN["gelu"]` and, for tanh, `ACT2FN["gelu_new"]`, the GELU of GPT-2."""
    return _activation("gelu_new" if approximate == "tanh" else "gelu", input)


def silu(input: Tensor) -> Any:
    """`ACT2FN["silu"]`."""
    return _activation("silu", input)


def rope(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Any:
    """`apply_rotary_pos_emb` of Llama; the angles, which are its arguments, in float64, rounded to the dtype."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    refuse(interleaved, "pairs are a half apart")
    refuse(x.shape[-1] != 2 * omega.shape[-1], "every feature is in a pair")
    theta = pos.double()[..., None] * omega.double()
    angles = torch.cat((theta, theta), -1)
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    # A dimension of heads, which the function adds to the angles.
    return apply_rotary_pos_emb(x.unsqueeze(-3), x.unsqueeze(-3), cosine, sine, unsqueeze_dim=-3)[0].squeeze(-3)


def swiglu_feed_forward(x: Tensor, w: Tensor, v: Tensor, w_2: Tensor) -> Any:
    """`LlamaMLP`."""
    from transformers.models.llama.modeling_llama import LlamaConfig, LlamaMLP

    module = LlamaMLP(LlamaConfig(hidden_size=1, intermediate_size=1, num_attention_heads=1)).to(x.dtype)
    weights = {"gate_proj.weight": w.mT, "up_proj.weight": v.mT, "down_proj.weight": w_2.mT}
    return with_weights(module, weights, x)


def _gpt2(width: int) -> Any:
    from transformers.models.gpt2.modeling_gpt2 import GPT2Config

    return GPT2Config(
        n_embd=width, n_head=1, activation_function="gelu", resid_pdrop=0.0, attn_pdrop=0.0, attn_implementation="eager"
    )


def feed_forward(x: Tensor, w_1: Tensor, b_1: Tensor, w_2: Tensor, b_2: Tensor) -> Any:
    """`GPT2MLP` with the exact GELU, whose weights are stored the other way round."""
    from transformers.models.gpt2.modeling_gpt2 import GPT2MLP

    refuse(not x.numel() or not w_1.shape[0], "its layers view their input as rows, whose number (-1) nothing tells")
    module = GPT2MLP(w_1.shape[0], _gpt2(x.shape[-1])).to(x.dtype)
    weights = {"c_fc.weight": w_1.mT, "c_fc.bias": b_1, "c_proj.weight": w_2.mT, "c_proj.bias": b_2}
    # Its layers view their input as rows.
    return with_weights(module, weights, x.contiguous())


def _bias(attn_mask: Tensor | None, is_causal: bool, query: Tensor, key: Tensor, blocked: float) -> Tensor | None:
    """The additive mask that transformers makes of a boolean one."""
    if is_causal:
        attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
    if attn_mask is None or attn_mask.dtype != torch.bool:
        return attn_mask
    return torch.zeros(attn_mask.shape, dtype=query.dtype).masked_fill(~attn_mask, blocked)


def _eager(
    function: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None,
    is_causal: bool,
    scale: float | None,
) -> Any:
    refuse_rows_without_keys(attn_mask, key)
    refuse(not query.shape[1], "no heads")
    module = torch.nn.Module()
    module.num_key_value_groups = query.shape[1] // key.shape[1]  # type: ignore[assignment]  # as LlamaAttention has it
    bias = _bias(attn_mask, is_causal, query, key, torch.finfo(query.dtype).min)
    scaling = query.shape[-1] ** -0.5 if scale is None else scale
    return function(module, query, key, value, bias, scaling=scaling)[0].transpose(1, 2)


def llama_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """`eager_attention_forward` of Llama, whose softmax is in float32."""
    from transformers.models.llama.modeling_llama import eager_attention_forward

    return _eager(eager_attention_forward, query, key, value, attn_mask, is_causal, scale)


def gpt2_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """`eager_attention_forward` of GPT-2."""
    from transformers.models.gpt2.modeling_gpt2 import eager_attention_forward

    refuse(query.shape[1] != key.shape[1], "no grouped queries")
    return _eager(eager_attention_forward, query, key, value, attn_mask, is_causal, scale)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
) -> Any:
    """`fixed_cross_entropy`, the loss of its language models."""
    from transformers.loss.loss_utils import fixed_cross_entropy

    refuse(weight is not None or bool(label_smoothing), "no class weights, no smoothing")
    refuse(reduction == "none", "no loss of each row")
    items = {"num_items_in_batch": 1} if reduction == "sum" else {}
    return fixed_cross_entropy(input, target, ignore_index=ignore_index, **items)


def pre_norm_block(
    x: Tensor,
    gain_1: Tensor,
    shift_1: Tensor,
    w_q: Tensor,
    w_k: Tensor,
    w_v: Tensor,
    w_o: Tensor,
    b_q: Tensor,
    b_k: Tensor,
    b_v: Tensor,
    b_o: Tensor,
    gain_2: Tensor,
    shift_2: Tensor,
    w_1: Tensor,
    b_1: Tensor,
    w_2: Tensor,
    b_2: Tensor,
    *,
    keep: Tensor | None = None,
) -> Any:
    """`GPT2Block` with the exact GELU: heads of any width, those of values padded with zeros to that of keys."""
    from transformers.models.gpt2.modeling_gpt2 import GPT2Block

    g, r, d_h, d = w_q.shape
    refuse(r > 1, "no grouped queries")
    refuse(w_v.shape[1] > d_h, "values are as wide as keys")
    refuse(not all(t.numel() for t in (x, w_q, w_v, w_1)), "an argument has no elements")
    refuse(keep is not None and not bool(keep.any(-1).all()), "a row without keys")
    missing = d_h - w_v.shape[1]
    w_v, b_v = torch.nn.functional.pad(w_v, (0, 0, 0, missing)), torch.nn.functional.pad(b_v, (0, missing))
    w_o = torch.nn.functional.pad(w_o, (0, missing))
    width = g * d_h
    module = GPT2Block(_gpt2(d), layer_idx=0).to(x.dtype).eval()
    attention = module.attn
    attention.num_heads, attention.head_dim, attention.split_size, attention.scaling = g, d_h, width, d_h**-0.5
    attention.c_attn.nf = 3 * width
    rows = [w.reshape(width, d) for w in (w_q, w_k, w_v)]
    weights = {
        "ln_1.weight": gain_1,
        "ln_1.bias": shift_1,
        "attn.c_attn.weight": torch.cat(rows).mT,
        "attn.c_attn.bias": torch.cat([b.reshape(width) for b in (b_q, b_k, b_v)]),
        "attn.c_proj.weight": w_o[:, 0].permute(0, 2, 1).reshape(width, d),
        "attn.c_proj.bias": b_o,
        "ln_2.weight": gain_2,
        "ln_2.bias": shift_2,
        "mlp.c_fc.weight": w_1.mT,
        "mlp.c_fc.bias": b_1,
        "mlp.c_proj.weight": w_2.mT,
        "mlp.c_proj.bias": b_2,
    }
    module.mlp.c_fc.nf, module.mlp.c_proj.nf = w_1.shape[0], d
    batch = x.reshape(-1, *x.shape[-2:])
    mask = None if keep is None else keep.reshape(-1, g, *keep.shape[-2:])
    bias = _bias(mask, False, batch, batch, torch.finfo(x.dtype).min)
    result = with_weights(module, weights, batch, attention_mask=bias)
    return (result[0] if isinstance(result, tuple) else result).reshape(x.shape)
