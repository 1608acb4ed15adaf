"""What the GPU benchmark times: operations whose time is that of memory, and attention, each with its peers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..gpu import activation, attention, embedding, linear_loss, loss, norm, optimizer, positional, softmax

Tensors = list[torch.Tensor]
Function = Callable[..., Any]


class Setting(NamedTuple):
    """Sizes, and where everything lies.

    Attributes:
        device, dtype: of all tensors.
        rows, width: of the activations (rows, width).
        vocabulary: classes of a loss, of fewer rows, and rows of an embedding table.
        lengths, heads: sequence lengths and head dimensions of attention.
        tokens, features: of a batch, batch·length, and of a token, heads·head dimension.
        copied, squared: bytes that are copied and the side of the matrices that are multiplied, for the ceilings.
    """

    device: str
    dtype: torch.dtype
    rows: int
    width: int
    vocabulary: int
    lengths: tuple[int, ...]
    heads: tuple[int, ...]
    tokens: int
    features: int
    copied: int
    squared: int

    def numbers(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, device=self.device, dtype=self.dtype)

    def labels(self, count: int) -> torch.Tensor:
        return torch.randint(self.vocabulary, (count,), device=self.device)


FULL = Setting(
    device="cuda",
    dtype=torch.bfloat16,
    rows=16_384,
    width=4096,
    vocabulary=131_072,
    lengths=(512, 1024, 2048, 4096, 8192, 16_384),
    heads=(64, 128),
    tokens=16_384,
    features=2048,
    copied=1 << 31,
    squared=8192,
)


class Subject(NamedTuple):
    """An operation whose time is that of its memory traffic.

    Attributes:
        ours, theirs: functions of the tensors: of this package, and of PyTorch.
        tensors: made of a setting; those that are floating are differentiated.
        forward, backward: bytes that must be read and written, of a setting and the tensors; None without such a pass.
    """

    ours: Function
    theirs: Function
    tensors: Callable[[Setting], Tensors]
    forward: Callable[[Setting, Tensors], int]
    backward: Callable[[Setting, Tensors], int] | None


def _times(count: int) -> Callable[[Setting, Tensors], int]:
    """So many times the first tensor."""
    return lambda setting, tensors: count * tensors[0].nbytes


def _activations(count: int, parameters: int = 0) -> Callable[[Setting], Tensors]:
    def made(s: Setting) -> Tensors:
        return [*(s.numbers(s.rows, s.width) for _ in range(count)), *(s.numbers(s.width) for _ in range(parameters))]

    return made


def _logits(s: Setting) -> Tensors:
    rows = max(1, s.rows // 4)
    return [s.numbers(rows, s.vocabulary), s.labels(rows)]


def _hidden(s: Setting) -> Tensors:
    rows = max(1, s.rows // 4)
    return [s.numbers(rows, s.width), s.numbers(s.vocabulary, s.width) * s.width**-0.5, s.labels(rows)]


def _heads(s: Setting) -> Tensors:
    d = s.heads[-1]
    length = s.lengths[-1]
    return [s.numbers(max(1, s.tokens // length), s.features // d, length, d)]


def _frequencies(x: torch.Tensor) -> torch.Tensor:
    half = x.shape[-1] // 2
    return 10_000.0 ** (-torch.arange(half, device=x.device) / half)


def _rope(x: torch.Tensor) -> torch.Tensor:
    return positional.triton_rope(x, torch.arange(x.shape[-2], device=x.device), _frequencies(x))


def _torch_rope(x: torch.Tensor) -> torch.Tensor:
    theta = torch.arange(x.shape[-2], device=x.device)[:, None] * _frequencies(x)
    cosine, sine = theta.cos().to(x.dtype), theta.sin().to(x.dtype)
    first, second = x.chunk(2, -1)
    return torch.cat((first * cosine - second * sine, first * sine + second * cosine), -1)


def _added(x: torch.Tensor, r: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    s = x + r
    return s, F.rms_norm(s, s.shape[-1:], w)


def _torch_adamw(p: torch.Tensor, g: torch.Tensor, m: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, ...]:
    m, v = torch.lerp(m, g, 0.1), torch.lerp(v, g * g, 0.001)
    first, second = 1 - 0.9**3, 1 - 0.999**3
    return p * (1 - 1e-5) - 1e-3 * (m / first) / ((v / second).sqrt() + 1e-8), m, v


SUBJECTS: dict[str, Subject] = {
    "softmax": Subject(
        lambda x: softmax.triton_softmax(x, -1), lambda x: F.softmax(x, -1), _activations(1), _times(2), _times(3)
    ),
    "log_softmax": Subject(
        lambda x: softmax.triton_log_softmax(x, -1),
        lambda x: F.log_softmax(x, -1),
        _activations(1),
        _times(2),
        _times(3),
    ),
    "layer_norm": Subject(
        lambda x, w, b: norm.triton_layer_norm(x, x.shape[-1:], w, b),
        lambda x, w, b: F.layer_norm(x, x.shape[-1:], w, b),
        _activations(1, 2),
        _times(2),
        _times(3),
    ),
    "rms_norm": Subject(
        lambda x, w: norm.triton_rms_norm(x, x.shape[-1:], w),
        lambda x, w: F.rms_norm(x, x.shape[-1:], w),
        _activations(1, 1),
        _times(2),
        _times(3),
    ),
    "add_rms_norm": Subject(
        lambda x, r, w: norm.triton_add_rms_norm(x, r, weight=w), _added, _activations(2, 1), _times(4), _times(5)
    ),
    "swiglu": Subject(
        activation.triton_swiglu, lambda gate, up: F.silu(gate) * up, _activations(2), _times(3), _times(5)
    ),
    "geglu": Subject(
        activation.triton_geglu, lambda gate, up: F.gelu(gate) * up, _activations(2), _times(3), _times(5)
    ),
    "rope": Subject(_rope, _torch_rope, _heads, _times(2), _times(2)),
    "cross_entropy": Subject(loss.triton_cross_entropy, F.cross_entropy, _logits, _times(1), _times(2)),
    "linear_cross_entropy": Subject(
        lambda h, w, target: linear_loss.triton_linear_cross_entropy(h, w, target)[2],
        lambda h, w, target: F.cross_entropy(h @ w.mT, target),
        _hidden,
        # Its time is that of products, too: the share of the copy ceiling says little.
        lambda s, t: t[0].nbytes + t[1].nbytes,
        lambda s, t: 2 * (t[0].nbytes + t[1].nbytes),
    ),
    "embedding": Subject(
        lambda w, ids: embedding.triton_embedding(ids, w),
        lambda w, ids: F.embedding(ids, w),
        lambda s: [s.numbers(s.vocabulary, s.width), s.labels(s.rows)],
        lambda s, t: 2 * s.rows * s.width * t[0].element_size(),
        lambda s, t: s.rows * s.width * t[0].element_size() + t[0].nbytes,
    ),
    "adamw": Subject(
        lambda p, g, m, v: optimizer.triton_adamw(p, g, m, v, 3.0, 1e-3),
        _torch_adamw,
        lambda s: [x.abs() for x in _activations(4)(s)],
        _times(7),
        None,
    ),
}

# Attention -----------------------------------------------------------------------------------------------------------


def _eager(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    s = q @ k.mT * q.shape[-1] ** -0.5
    if causal:
        s = s.masked_fill(torch.ones_like(s, dtype=torch.bool).triu(1), -torch.inf)
    return torch.softmax(s, -1) @ v


def _backend(name: SDPBackend) -> Function:
    def attended(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
        with sdpa_kernel(name):
            return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

    return attended


def _flex(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    mask = _causal(q.shape[-2], q.device.type) if causal else None
    return _compiled(flex_attention)(q, k, v, block_mask=mask)


@cache
def _causal(length: int, device: str) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    return create_block_mask(lambda b, h, query, key: query >= key, None, None, length, length, device=device)


@cache
def _compiled(function: Function) -> Function:
    compiled: Function = torch.compile(function)
    return compiled


def _ours(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool) -> torch.Tensor:
    return attention.triton_scaled_dot_product_attention(q, k, v, is_causal=causal)


OURS = "lemmata"
ATTENTION: dict[str, Function] = {
    OURS: _ours,
    "SDPA cuDNN": _backend(SDPBackend.CUDNN_ATTENTION),
    "SDPA flash": _backend(SDPBackend.FLASH_ATTENTION),
    "SDPA efficient": _backend(SDPBackend.EFFICIENT_ATTENTION),
    "flex_attention": _flex,
    "eager": _eager,
    "compiled": lambda q, k, v, causal: _compiled(_eager)(q, k, v, causal),
}


def attention_flops(batch: int, heads: int, length: int, head: int, causal: bool, backward: bool) -> float:
    """As FlashAttention counts them: two products of length² · head, half of each if causal; five in the backward."""
    forward = 4.0 * batch * heads * length * length * head * (0.5 if causal else 1.0)
    return 2.5 * forward if backward else forward
