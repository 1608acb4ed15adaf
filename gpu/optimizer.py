"""Optimizer steps as PyTorch operators with derived gradients, so that a step can be differentiated.

With h = g + λp the decayed gradient and b₁, b₂ the decays of the moments, one step gives

    sgd        v′ = μv + (1 − τ)h (h at first: (1 − τ)h)      p′ = p − η·v′
    nesterov   v′ = μv + h (at first: h)                      p′ = p − η·(h + μ·v′)
    adam       m′ = b₁m + (1 − b₁)h,  v′ = b₂v + (1 − b₂)h²   p′ = p − η·m̂/(√v̂ + ε),
               with m̂ = m′/(1 − b₁ᵗ) and v̂ = v′/(1 − b₂ᵗ)
    adamw      the same with h = g                            p′ = p − ηλp − η·m̂/(√v̂ + ε)
    clipping   y = g·min(1, M/(‖g‖ + ε))

(Kingma & Ba 2015, Algorithm 1; Loshchilov & Hutter 2019, Algorithm 2; the conventions are those of `torch.optim`.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .interpreter import interpret_without_cuda
from .operators import Gradients, Outputs, check_floating, computed_in, differentiable, new_like

# Gradient descent ----------------------------------------------------------------------------------------------------


def _sgd(
    p: torch.Tensor,
    g: torch.Tensor,
    velocity: torch.Tensor | None,
    lr: float,
    momentum: float,
    share: float,
    weight_decay: float,
    nesterov: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    h = g + weight_decay * p
    new = share * h if velocity is None else momentum * velocity + share * h
    step = h + momentum * new if nesterov else new
    return (p - lr * step).contiguous(), new.contiguous()


def _sgd_gradient(cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]) -> Gradients:
    dp_new, dv_new = cotangents
    _, _, velocity, lr, momentum, share, weight_decay, nesterov = arguments
    dstep = -lr * dp_new
    dv = dv_new + (momentum * dstep if nesterov else dstep)
    dh = share * dv + dstep if nesterov else share * dv
    dbuf = momentum * dv if velocity is not None else None
    return dp_new + weight_decay * dh, dh, dbuf, None, None, None, None, None


_SGD = differentiable(
    "sgd",
    "(Tensor p, Tensor g, Tensor? velocity, float lr, float momentum, float share, float weight_decay, bool nesterov) "
    "-> (Tensor, Tensor)",
    _sgd,
    lambda p, *rest: (new_like(p), new_like(p)),
    _sgd_gradient,
)


def sgd(
    p: torch.Tensor,
    g: torch.Tensor,
    lr: float,
    *,
    buf: torch.Tensor | None = None,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of gradient descent with momentum, as `torch.optim.SGD`.

    Args:
        p, g: parameters and their gradient, of one shape; float16, bfloat16, float32 or float64.
        lr: the learning rate.
        buf: the velocity, of their shape and dtype; None in the first step.
        momentum, dampening, weight_decay: as in `torch.optim.SGD`, but that the first step is damped too.

    Returns:
        The parameters and the velocity after the step, contiguous, in the same dtype.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: the shapes differ.
    """
    wide = _checked("sgd", p, g, buf)
    p_new, velocity = _SGD(*wide, lr, momentum, 1 - dampening, weight_decay, False)
    return p_new.to(p.dtype), velocity.to(p.dtype)


def nesterov_sgd(
    p: torch.Tensor,
    g: torch.Tensor,
    lr: float,
    momentum: float,
    *,
    buf: torch.Tensor | None = None,
    weight_decay: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step with Nesterov's momentum, as `torch.optim.SGD(nesterov=True)`.

    Arguments, results and errors are those of `sgd`.
    """
    wide = _checked("nesterov_sgd", p, g, buf)
    p_new, velocity = _SGD(*wide, lr, momentum, 1.0, weight_decay, True)
    return p_new.to(p.dtype), velocity.to(p.dtype)


# Adam ----------------------------------------------------------------------------------------------------------------


def _corrections(t: float, beta1: float, beta2: float) -> tuple[float, float]:
    return 1 - beta1**t, 1 - beta2**t


def _adam(
    p: torch.Tensor,
    g: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    t: float,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    coupled: float,
    decoupled: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    first, second = _corrections(t, beta1, beta2)
    h = g + coupled * p if coupled else g
    m_new = beta1 * m + (1 - beta1) * h
    v_new = beta2 * v + (1 - beta2) * h.square()
    step = (m_new / first) / ((v_new / second).sqrt() + eps)
    kept = p - lr * decoupled * p if decoupled else p
    return (kept - lr * step).contiguous(), m_new.contiguous(), v_new.contiguous()


def _adam_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    dp_new, dm_new, dv_new = cotangents
    p, g, m, v, t, lr, beta1, beta2, eps, coupled, decoupled = arguments
    first, second = _corrections(t, beta1, beta2)
    h = g + coupled * p if coupled else g
    m_hat = (beta1 * m + (1 - beta1) * h) / first
    root = ((beta2 * v + (1 - beta2) * h.square()) / second).sqrt()
    below = root + eps
    dstep = -lr * dp_new
    dm = dm_new + dstep / below / first
    dv = dv_new - dstep * (m_hat / below) / below / (2 * root) / second
    dh = (1 - beta1) * dm + 2 * (1 - beta2) * h * dv
    dp = dp_new - lr * decoupled * dp_new if decoupled else dp_new
    dp = dp + coupled * dh if coupled else dp
    return dp, dh, beta1 * dm, beta2 * dv, *(None,) * 7


_STEP = (
    "(Tensor p, Tensor g, Tensor m, Tensor v, float t, float lr, float beta1, float beta2, float eps, float coupled, "
    "float decoupled) -> (Tensor, Tensor, Tensor)"
)
_ADAM = differentiable(
    "adam",
    _STEP,
    _adam,
    lambda p, *rest: (new_like(p), new_like(p), new_like(p)),
    _adam_gradient,
)


def adam(
    p: torch.Tensor,
    g: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of Adam, as `torch.optim.Adam`.

    Args:
        p, g, m, v: parameters, their gradient, and its first and second moments, of one shape; float16, bfloat16,
            float32 or float64.
        t: the number of this step, from 1.
        lr: the learning rate.
        beta1, beta2, eps, weight_decay: as in `torch.optim.Adam`.

    Returns:
        The parameters and the moments after the step, contiguous, in the same dtype.

    Raises:
        TypeError: a dtype is not supported, or two differ.
        ValueError: the shapes differ.
    """
    found = _ADAM(*_checked("adam", p, g, m, v), t, lr, beta1, beta2, eps, weight_decay, 0.0)
    p_new, m_new, v_new = (x.to(p.dtype) for x in found)
    return p_new, m_new, v_new


def adamw(
    p: torch.Tensor,
    g: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of Adam with decoupled weight decay, as `torch.optim.AdamW`.

    Arguments, results and errors are those of `adam`.
    """
    found = _ADAM(*_checked("adamw", p, g, m, v), t, lr, beta1, beta2, eps, 0.0, weight_decay)
    p_new, m_new, v_new = (x.to(p.dtype) for x in found)
    return p_new, m_new, v_new


def _triton_step(*arguments: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    from .triton_adam import adam_step

    return adam_step(*arguments)


def _triton_adam_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    """In PyTorch operations: a step is differentiated in meta-learning alone."""
    dtype = arguments[0].dtype
    found = _adam_gradient(tuple(computed_in(*cotangents)), (*computed_in(*arguments[:4]), *arguments[4:]), (), needed)
    return tuple(None if x is None else x.to(dtype) for x in found)


_TRITON_ADAM = differentiable(
    "triton_adam",
    _STEP,
    _triton_step,
    lambda p, *rest: (new_like(p), new_like(p), new_like(p)),
    _triton_adam_gradient,
)


def triton_adam(
    p: torch.Tensor,
    g: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`adam` by one Triton kernel; its gradient is that of `adam`.

    Without a CUDA device the kernel runs in Triton's interpreter.

    Raises:
        TypeError, ValueError: as `adam`.
        RuntimeError: tensors are on the CPU and Triton was imported without TRITON_INTERPRET=1.
        NotImplementedError: bfloat16 in Triton's interpreter, which computes it wrongly.
    """
    _checked("triton_adam", p, g, m, v)
    p_new, m_new, v_new = _TRITON_ADAM(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay, 0.0)
    return p_new, m_new, v_new


def triton_adamw(
    p: torch.Tensor,
    g: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    t: float,
    lr: float,
    *,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.01,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`adamw` by the kernel of `triton_adam`, whose errors it has, too."""
    _checked("triton_adamw", p, g, m, v)
    p_new, m_new, v_new = _TRITON_ADAM(p, g, m, v, t, lr, beta1, beta2, eps, 0.0, weight_decay)
    return p_new, m_new, v_new


# Clipping ------------------------------------------------------------------------------------------------------------


def _norm(g: torch.Tensor) -> torch.Tensor:
    norm: torch.Tensor = torch.linalg.vector_norm(g, dim=-1, keepdim=True)
    return norm


def _clip(g: torch.Tensor, max_norm: float, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    norm = _norm(g)
    return (g * (max_norm / (norm + eps)).clamp(max=1.0)).contiguous(), norm.squeeze(-1)


def _clip_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    dy, dnorm = cotangents
    g, max_norm, eps = arguments
    norm = _norm(g)
    factor = max_norm / (norm + eps)
    shortened = factor < 1
    # The factor falls with the norm only where it shortens.
    falls = torch.where(shortened, -factor / (norm + eps), 0.0) * (g * dy).sum(-1, keepdim=True)
    along = g * torch.where(norm > 0, (falls + dnorm.unsqueeze(-1)) / norm, 0.0)
    return dy * factor.clamp(max=1.0) + along, None, None


_CLIP = differentiable(
    "clip_grad_norm",
    "(Tensor g, float max_norm, float eps) -> (Tensor, Tensor)",
    _clip,
    lambda g, max_norm, eps: (new_like(g), g.new_empty(g.shape[:-1])),
    _clip_gradient,
)


def clip_grad_norm(g: torch.Tensor, max_norm: float, *, eps: float = 1e-6) -> tuple[torch.Tensor, torch.Tensor]:
    """A gradient shortened to a norm, as `torch.nn.utils.clip_grad_norm_`, and the norm that it had.

    Args:
        g: the gradient, (..., K), of all parameters one after the other; float16, bfloat16, float32 or float64.
        max_norm: the largest norm that passes unchanged.
        eps: added to the norm that is divided by.

    Returns:
        The gradient (..., K) and its norm (...), in the same dtype.

    Raises:
        TypeError: the dtype is not supported.
    """
    interpret_without_cuda()
    check_floating("clip_grad_norm", g)
    y, norm = _CLIP(*computed_in(g), max_norm, eps)
    return y.to(g.dtype), norm.to(g.dtype)


def _checked(function: str, p: torch.Tensor, *others: torch.Tensor | None) -> list[Any]:
    """The tensors in the dtype that a step is computed in."""
    interpret_without_cuda()
    check_floating(function, p, *others)
    for x in others:
        if x is not None and x.shape != p.shape:
            raise ValueError(f"{function} got a tensor of {tuple(x.shape)} for parameters of {tuple(p.shape)}")
    return computed_in(p, *others)
