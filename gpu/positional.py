"""Positions: rotary and sinusoidal encodings, linear biases, and their frequencies, with derived gradients.

With the angles θ_c = pos·ω_c, in float64, as far out their product has no digits of the phase left in a narrower
format:

    rope         y₁ = x₁ cos θ − x₂ sin θ,  y₂ = x₁ sin θ + x₂ cos θ      dx: dy rotated by −θ
    sinusoidal   (sin θ, cos θ)                                           dθ = cos θ·dsin − sin θ·dcos
    alibi        −slope·(pos_q − pos_k)
    geometric    ω_k = base^(−k/h)

(Su et al. 2021, (15); Vaswani et al. 2017, section 3.5; Press et al. 2022.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .interpreter import interpret_without_cuda
from .operators import Gradients, Outputs, check_floating, computed_in, differentiable, new_like, operator


def _split(x: torch.Tensor, pairs: int, interleaved: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The first and the second features of the pairs."""
    if interleaved:
        return x[..., 0 : 2 * pairs : 2], x[..., 1 : 2 * pairs : 2]
    return x[..., :pairs], x[..., pairs : 2 * pairs]


def _joined(first: torch.Tensor, second: torch.Tensor, interleaved: bool) -> torch.Tensor:
    return torch.stack((first, second), -1).flatten(-2) if interleaved else torch.cat((first, second), -1)


def _rotated(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, interleaved: bool) -> torch.Tensor:
    pairs = cosine.shape[-1]
    first, second = _split(x, pairs, interleaved)
    turned = _joined(first * cosine - second * sine, first * sine + second * cosine, interleaved)
    return torch.cat((turned, x[..., 2 * pairs :]), -1)


def _rope_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    _, cosine, sine, interleaved = arguments
    return _rotated(cotangents[0], cosine, -sine, interleaved), None, None, None


_ROPE = differentiable(
    "rope",
    "(Tensor x, Tensor cosine, Tensor sine, bool interleaved) -> Tensor",
    _rotated,
    lambda x, cosine, sine, interleaved: new_like(x),
    _rope_gradient,
    keeps=(1, 2),
)


def _triton_rotated(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, interleaved: bool) -> torch.Tensor:
    from .triton_rope import rotate

    return rotate(x, cosine, sine, interleaved)


def _triton_rope_backward(
    dy: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor, interleaved: bool
) -> torch.Tensor:
    from .triton_rope import rotate

    return rotate(dy, cosine, sine, interleaved, back=True)


_TRITON_ROPE_BACKWARD = operator(
    "triton_rope_backward",
    "(Tensor dy, Tensor cosine, Tensor sine, bool interleaved) -> Tensor",
    _triton_rope_backward,
    lambda dy, cosine, sine, interleaved: new_like(dy),
)


def _triton_rope_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    (dy,), (_, cosine, sine, interleaved) = cotangents, arguments
    if not torch.is_grad_enabled():
        return _TRITON_ROPE_BACKWARD(dy, cosine, sine, interleaved), None, None, None
    # To be differentiated again: in PyTorch operations.
    return _rotated(computed_in(dy)[0], cosine, -sine, interleaved).to(dy.dtype), None, None, None


_TRITON_ROPE = differentiable(
    "triton_rope",
    "(Tensor x, Tensor cosine, Tensor sine, bool interleaved) -> Tensor",
    _triton_rotated,
    lambda x, cosine, sine, interleaved: new_like(x),
    _triton_rope_gradient,
    keeps=(1, 2),
)


def _angles(pos: torch.Tensor, omega: torch.Tensor) -> torch.Tensor:
    return pos.double().unsqueeze(-1) * omega.double()


def _sinusoidal(pos: torch.Tensor, omega: torch.Tensor, interleaved: bool) -> torch.Tensor:
    theta = _angles(pos, omega)
    return _joined(theta.sin(), theta.cos(), interleaved).to(pos.dtype)


def _sinusoidal_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    pos, omega, interleaved = arguments
    theta = _angles(pos, omega)
    dsine, dcosine = _split(cotangents[0].double(), omega.shape[-1], interleaved)
    dtheta = dsine * theta.cos() - dcosine * theta.sin()
    dpos = (dtheta * omega.double()).sum(-1).to(pos.dtype) if needed[0] else None
    terms = dtheta * pos.double().unsqueeze(-1)
    domega = terms.reshape(pos.numel(), omega.shape[-1]).sum(0).to(omega.dtype) if needed[1] else None
    return dpos, domega, None


_SINUSOIDAL = differentiable(
    "sinusoidal",
    "(Tensor pos, Tensor omega, bool interleaved) -> Tensor",
    _sinusoidal,
    lambda pos, omega, interleaved: pos.new_empty(*pos.shape, 2 * omega.shape[-1]),
    _sinusoidal_gradient,
)


def _broadcast(*shapes: torch.Size) -> tuple[int, ...]:
    return tuple(torch.broadcast_shapes(*shapes))  # type: ignore[no-untyped-call]  # PyTorch gives it no types


def _distance(pos_q: torch.Tensor, pos_k: torch.Tensor) -> torch.Tensor:
    return (pos_q.unsqueeze(-1) - pos_k.unsqueeze(-2)).unsqueeze(-3)


def _alibi(slope: torch.Tensor, pos_q: torch.Tensor, pos_k: torch.Tensor) -> torch.Tensor:
    return (-slope[..., None, None] * _distance(pos_q, pos_k)).contiguous()


def _alibi_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    slope, pos_q, pos_k = arguments
    each = -(cotangents[0] * _distance(pos_q, pos_k)).sum((-2, -1))
    return each.sum_to_size(slope.shape), None, None


_ALIBI = differentiable(
    "alibi",
    "(Tensor slope, Tensor pos_q, Tensor pos_k) -> Tensor",
    _alibi,
    lambda slope, pos_q, pos_k: slope.new_empty(
        *_broadcast(pos_q.shape[:-1], pos_k.shape[:-1]), slope.shape[-1], pos_q.shape[-1], pos_k.shape[-1]
    ),
    _alibi_gradient,
)


def _geometric(number: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    return torch.exp(number * (base.log() / -number.shape[-1]).unsqueeze(-1)).contiguous()


def _geometric_gradient(
    cotangents: Outputs, arguments: Sequence[Any], outputs: Outputs, needed: Sequence[bool]
) -> Gradients:
    number, base = arguments
    rate = base.unsqueeze(-1).log() / -number.shape[-1]
    omega = torch.exp(number * rate)
    # What is small comes first: a cotangent times ω alone may leave the range of float32 where the gradient does not.
    dnumber = cotangents[0] * rate * omega if needed[0] else None
    if not needed[1]:
        return dnumber, None
    each = cotangents[0] * (number / (base.unsqueeze(-1) * -number.shape[-1])) * omega
    return dnumber, each.sum(-1).sum_to_size(base.shape)


_GEOMETRIC = differentiable(
    "geometric", "(Tensor number, Tensor base) -> Tensor", _geometric, lambda number, base: new_like(number),
    _geometric_gradient,
)  # fmt: skip


def rope(x: torch.Tensor, pos: torch.Tensor, omega: torch.Tensor, *, interleaved: bool = False) -> torch.Tensor:
    """Each pair of features rotated by the angle of its position; features after the pairs pass unchanged.

    Args:
        x: features (..., n, d); float16, bfloat16, float32 or float64.
        pos: positions (..., n) or (n,).
        omega: frequencies (h,), 2h ≤ d, in radians per position.
        interleaved: the pairs are neighbours, (2c, 2c + 1); otherwise (c, c + h).

    Returns:
        A contiguous tensor of the shape and dtype of `x`. No gradient reaches positions and frequencies.

    Raises:
        TypeError: a dtype is not supported.
        ValueError: there are more frequencies than pairs of features.
    """
    cosine, sine = _turns("rope", x, pos, omega)
    y: torch.Tensor = _ROPE(*computed_in(x), cosine, sine, interleaved)
    return y.to(x.dtype)


def triton_rope(x: torch.Tensor, pos: torch.Tensor, omega: torch.Tensor, *, interleaved: bool = False) -> torch.Tensor:
    """`rope` by a Triton kernel, forward and backward; nothing but cosines and sines is kept.

    Without a CUDA device the kernel runs in Triton's interpreter.

    Raises:
        TypeError, ValueError: as `rope`.
        RuntimeError: `x` is on the CPU and Triton was imported without TRITON_INTERPRET=1.
        NotImplementedError: bfloat16 in Triton's interpreter, which computes it wrongly.
    """
    y: torch.Tensor = _TRITON_ROPE(x, *_turns("triton_rope", x, pos, omega), interleaved)
    return y


def _turns(function: str, x: torch.Tensor, pos: torch.Tensor, omega: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of the angles, (..., n, h), in the dtype that `x` is computed in."""
    interpret_without_cuda()
    check_floating(function, x)
    if 2 * omega.shape[-1] > x.shape[-1]:
        raise ValueError(
            f"{function} got {omega.shape[-1]} frequencies for {x.shape[-1]} features, 2 of which make a pair"
        )
    compute = torch.promote_types(x.dtype, torch.float32)
    theta = _angles(pos.detach(), omega.detach())
    return theta.cos().to(compute), theta.sin().to(compute)


def sinusoidal(pos: torch.Tensor, omega: torch.Tensor, *, interleaved: bool = False) -> torch.Tensor:
    """Sines and cosines of the angles of positions (Vaswani et al. 2017, section 3.5).

    Args:
        pos: positions (..., n); float16, bfloat16, float32 or float64.
        omega: frequencies (h,), in the same dtype.
        interleaved: sine and cosine of a frequency are neighbours; otherwise all sines come first.

    Returns:
        (..., n, 2h) in that dtype.

    Raises:
        TypeError: a dtype is not supported, or two differ.
    """
    interpret_without_cuda()
    check_floating("sinusoidal", pos, omega)
    y: torch.Tensor = _SINUSOIDAL(pos, omega, interleaved)
    return y


def alibi(slope: torch.Tensor, pos_q: torch.Tensor, pos_k: torch.Tensor) -> torch.Tensor:
    """A bias of attention that falls with the distance of a key from a query.

    Args:
        slope: of each head, (H,); float16, bfloat16, float32 or float64.
        pos_q, pos_k: positions (..., n) and (..., m), in the same dtype.

    Returns:
        (..., H, n, m) in that dtype. No gradient reaches the positions.

    Raises:
        TypeError: a dtype is not supported, or two differ.
    """
    interpret_without_cuda()
    check_floating("alibi", slope, pos_q, pos_k)
    y: torch.Tensor = _ALIBI(*computed_in(slope, pos_q.detach(), pos_k.detach()))
    return y.to(slope.dtype)


def geometric(number: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    """Frequencies in geometric progression.

    Args:
        number: of each frequency, (..., h); float16, bfloat16, float32 or float64.
        base: (...) or a scalar, in the same dtype.

    Returns:
        base^(−number/h), (..., h), in that dtype.

    Raises:
        TypeError: a dtype is not supported, or two differ.
    """
    interpret_without_cuda()
    check_floating("geometric", number, base)
    y: torch.Tensor = _GEOMETRIC(*computed_in(number, base))
    return y.to(number.dtype)
