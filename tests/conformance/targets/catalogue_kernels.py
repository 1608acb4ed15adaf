"""Correct implementations of operations that `torch.nn.functional` does not have, in the convention of their form."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - what PyTorch's own documentation calls it


def widened(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x if x.dtype == torch.float64 else x.float()


# Attention -----------------------------------------------------------------------------------------------------------


def softcapped_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    cap: float,
    *,
    keep: Tensor | None = None,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> tuple[Tensor, Tensor]:
    """The output, and the log-sum-exp of the capped scores."""
    wide_q, wide_k, wide_v = (widened(x) for x in (q, k, v))
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    t = cap * torch.tanh(scale * (wide_q @ wide_k.mT[..., None, :, :]) / cap)
    if bias is not None:
        t = t + widened(bias)
    if keep is not None:
        t = t.masked_fill(~keep, -torch.inf)
    m = t.amax(-1, keepdim=True).detach()
    m = torch.where(m == -torch.inf, 0.0, m)
    a = torch.exp(t - m)
    z = a.sum(-1, keepdim=True)
    p = a / torch.where(z > 0, z, 1.0)
    return (p @ wide_v[..., None, :, :]).to(q.dtype), (m + torch.log(z)).squeeze(-1).to(q.dtype)


def multi_head_attention(
    x_q: Tensor,
    x_k: Tensor,
    x_v: Tensor,
    w_q: Tensor,
    w_k: Tensor,
    w_v: Tensor,
    w_o: Tensor,
    *,
    b_q: Tensor | None = None,
    b_k: Tensor | None = None,
    b_v: Tensor | None = None,
    b_o: Tensor | None = None,
    keep: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """Projected to heads, blended head by head, and projected back."""
    q = widened(x_q)[..., None, None, :, :] @ widened(w_q).mT + (0.0 if b_q is None else widened(b_q)[..., None, :])
    k = widened(x_k)[..., None, :, :] @ widened(w_k).mT + (0.0 if b_k is None else widened(b_k)[..., None, :])
    v = widened(x_v)[..., None, :, :] @ widened(w_v).mT + (0.0 if b_v is None else widened(b_v)[..., None, :])
    s = q.shape[-1] ** -0.5 * (q @ k.mT[..., None, :, :]) + (0.0 if bias is None else widened(bias))
    if keep is None:
        p = torch.softmax(s, -1)
    else:
        alive = keep.any(-1, keepdim=True)
        p = torch.softmax(s.masked_fill(~keep & alive, -torch.inf), -1) * keep
    y = (p @ v[..., None, :, :] @ widened(w_o).mT).sum((-4, -3))
    return (y if b_o is None else y + widened(b_o)).to(x_q.dtype)


# Gated units ---------------------------------------------------------------------------------------------------------


def swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) · up."""
    return (F.silu(widened(gate)) * widened(up)).to(gate.dtype)


def geglu(gate: Tensor, up: Tensor) -> Tensor:
    """gelu(gate) · up."""
    return (F.gelu(widened(gate)) * widened(up)).to(gate.dtype)


def eager_swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """silu(gate) · up, the gate rounded to the dtype in between."""
    return F.silu(gate) * up


def eager_geglu(gate: Tensor, up: Tensor) -> Tensor:
    """gelu(gate) · up, the gate rounded to the dtype in between."""
    return F.gelu(gate) * up


def feed_forward(x: Tensor, w_1: Tensor, b_1: Tensor, w_2: Tensor, b_2: Tensor) -> Tensor:
    """Two layers with a gelu between them."""
    wide = [widened(t) for t in (x, w_1, b_1, w_2, b_2)]
    return F.linear(F.gelu(F.linear(*wide[:3])), *wide[3:]).to(x.dtype)


def swiglu_feed_forward(x: Tensor, w: Tensor, v: Tensor, w_2: Tensor) -> Tensor:
    """A gated layer and a second one."""
    wide, gate, up, out = (widened(t) for t in (x, w, v, w_2))
    return ((F.silu(wide @ gate) * (wide @ up)) @ out).to(x.dtype)


def eager_swiglu_feed_forward(x: Tensor, w: Tensor, v: Tensor, w_2: Tensor) -> Tensor:
    """The same, everything rounded to the dtype in between."""
    return (F.silu(x @ w) * (x @ v)) @ w_2


# Linear maps ---------------------------------------------------------------------------------------------------------


def qkv_projection(
    x: Tensor,
    w_q: Tensor,
    w_k: Tensor,
    w_v: Tensor,
    *,
    b_q: Tensor | None = None,
    b_k: Tensor | None = None,
    b_v: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Three linear layers of the same tokens."""
    return F.linear(x, w_q, b_q), F.linear(x, w_k, b_k), F.linear(x, w_v, b_v)


def tied_output(h: Tensor, w: Tensor) -> Tensor:
    """Products with the rows of the embedding table."""
    return h @ w.mT


# Norms after a residual sum ------------------------------------------------------------------------------------------


def add_layer_norm(
    x: Tensor, r: Tensor, *, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor]:
    """The sum, and its layer norm."""
    s = widened(x) + widened(r)
    wide_weight, wide_bias = (None if t is None else widened(t) for t in (weight, bias))
    return s.to(x.dtype), F.layer_norm(s, s.shape[-1:], wide_weight, wide_bias, eps).to(x.dtype)


def add_rms_norm(x: Tensor, r: Tensor, *, weight: Tensor | None = None, eps: float = 2.0**-52) -> tuple[Tensor, Tensor]:
    """The sum, and its root-mean-square norm."""
    s = widened(x) + widened(r)
    return s.to(x.dtype), F.rms_norm(s, s.shape[-1:], None if weight is None else widened(weight), eps).to(x.dtype)


# Optimizers ----------------------------------------------------------------------------------------------------------


def sgd(
    p: Tensor,
    g: Tensor,
    lr: float,
    *,
    buf: Tensor | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """One step of gradient descent with momentum: the parameters and the velocity after it."""
    wide = widened(p)
    step = widened(g) + weight_decay * wide
    velocity = (1 - dampening) * step
    if buf is not None:
        velocity = momentum * widened(buf) + velocity
    return (wide - lr * velocity).to(p.dtype), velocity.to(p.dtype)


def nesterov_sgd(
    p: Tensor, g: Tensor, lr: float, momentum: float, *, buf: Tensor | None = None, weight_decay: float = 0.0
) -> tuple[Tensor, Tensor]:
    """One step with Nesterov's momentum."""
    wide = widened(p)
    step = widened(g) + weight_decay * wide
    velocity = step if buf is None else momentum * widened(buf) + step
    return (wide - lr * (step + momentum * velocity)).to(p.dtype), velocity.to(p.dtype)


def _moments(
    g: Tensor, m: Tensor, v: Tensor, t: float, beta1: float, beta2: float, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    m_new, v_new = beta1 * widened(m) + (1 - beta1) * g, beta2 * widened(v) + (1 - beta2) * g**2
    root = torch.sqrt(v_new / (1 - beta2**t)) + eps
    return m_new, v_new, m_new / (1 - beta1**t) / root


def adam(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of Adam: the parameters and the moments after it."""
    wide = widened(p)
    m_new, v_new, step = _moments(widened(g) + weight_decay * wide, m, v, t, beta1, beta2, eps)
    return (wide - lr * step).to(p.dtype), m_new.to(p.dtype), v_new.to(p.dtype)


def adamw(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of Adam with decoupled weight decay."""
    wide = widened(p)
    m_new, v_new, step = _moments(widened(g), m, v, t, beta1, beta2, eps)
    return (wide - lr * weight_decay * wide - lr * step).to(p.dtype), m_new.to(p.dtype), v_new.to(p.dtype)


def clip_grad_norm(g: Tensor, max_norm: float, *, eps: float = 1e-6) -> tuple[Tensor, Tensor]:
    """The gradient shortened to a norm, and the norm that it had."""
    wide = widened(g)
    norm = torch.linalg.vector_norm(wide, dim=-1)
    factor = (max_norm / (norm + eps)).clamp(max=1.0)
    return (wide * factor[..., None]).to(g.dtype), norm.to(g.dtype)


# Positions -----------------------------------------------------------------------------------------------------------


def _angles(pos: Tensor, omega: Tensor) -> Tensor:
    """In float64: far out, the product would lose the phase in any narrower format."""
    return pos.double()[..., None] * omega.double()


def _pairs(x: Tensor, pairs: int, interleaved: bool) -> tuple[Tensor, Tensor]:
    if interleaved:
        return x[..., 0 : 2 * pairs : 2], x[..., 1 : 2 * pairs : 2]
    return x[..., :pairs], x[..., pairs : 2 * pairs]


def _joined(first: Tensor, second: Tensor, interleaved: bool) -> Tensor:
    return torch.stack((first, second), -1).flatten(-2) if interleaved else torch.cat((first, second), -1)


def rope(x: Tensor, pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Tensor:
    """Each pair of features rotated by its angle; those after the pairs pass unchanged."""
    theta = _angles(pos, omega)
    sine, cosine = (f(theta).to(widened(x).dtype) for f in (torch.sin, torch.cos))
    x1, x2 = _pairs(widened(x), omega.shape[-1], interleaved)
    rotated = _joined(x1 * cosine - x2 * sine, x1 * sine + x2 * cosine, interleaved)
    return torch.cat((rotated.to(x.dtype), x[..., rotated.shape[-1] :]), -1)


def sinusoidal(pos: Tensor, omega: Tensor, *, interleaved: bool = False) -> Tensor:
    """Sines and cosines of the angles."""
    theta = _angles(pos, omega)
    return _joined(torch.sin(theta), torch.cos(theta), interleaved).to(pos.dtype)


def alibi(slope: Tensor, pos_q: Tensor, pos_k: Tensor) -> Tensor:
    """An additive mask that grows with the distance."""
    distance = widened(pos_q)[..., :, None] - widened(pos_k)[..., None, :]
    return -(widened(slope)[:, None, None] * distance[..., None, :, :]).to(slope.dtype)


def geometric(number: Tensor, base: Tensor) -> Tensor:
    """base^(−number/h)."""
    return torch.exp(-(widened(number) * torch.log(widened(base)) / number.shape[-1])).to(number.dtype)
